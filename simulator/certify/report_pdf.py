"""A session's report as PDF, A4: what the HTML page says, on paper, with nothing left closed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image as Picture
from PIL import UnidentifiedImageError
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle, XPreformatted

from simulator.certify import hexdump, pdf_text, report_words
from simulator.certify.cards import Card, Evidence
from simulator.certify.outcome import CheckOutcome, SessionOutcome, TestOutcome
from simulator.certify.pdf_text import BOLD, MONO, SANS, markup
from simulator.report import words

_MARGIN = 16 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_SOFT, _LINE, _FAINT = "#57606a", HexColor(0xD8DEE4), HexColor(0xF6F8FA)
_MARKED, _MARKED_INK = "#ffdf99", "#3d2a00"
_LONGEST, _MOST_LINES, _LONGEST_TITLE = 3000, 60, 300
"""Letters and lines of one text that are printed; the JSON and the page have it as a whole."""
_TONES = {
    "error": "#6a2069",
    "fail": "#9c2c00",
    "must": "#9c2c00",
    "inconclusive": "#6f4e00",
    "not-tested": "#6f4e00",
    "skipped": "#6f4e00",
    "should": "#6f4e00",
    "waived": "#47566b",
    "not-applicable": "#47566b",
    "note": "#47566b",
    "pass": "#00593f",
}

_TEXT = ParagraphStyle("text", fontName=SANS, fontSize=9, leading=12.5, splitLongWords=1)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=8, leading=11, textColor=HexColor(_SOFT))
_CELL = ParagraphStyle("cell", parent=_TEXT, fontSize=8.5, leading=11)
_TITLE = ParagraphStyle("title", parent=_TEXT, fontName=BOLD, fontSize=17, leading=21, spaceAfter=6)
_SECTION = ParagraphStyle(
    "section", parent=_TEXT, fontName=BOLD, fontSize=12.5, leading=16, spaceBefore=14, spaceAfter=4, keepWithNext=1
)
_TEST = ParagraphStyle("test", parent=_TEXT, fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=10, keepWithNext=1)
_PART = ParagraphStyle("part", parent=_SMALL, fontName=BOLD, spaceBefore=6, spaceAfter=1, keepWithNext=1)
_CARD = ParagraphStyle(
    "card",
    parent=_TEXT,
    fontName=BOLD,
    fontSize=10,
    leading=13,
    spaceBefore=8,
    backColor=_FAINT,
    borderPadding=(3, 4, 3, 4),
    leftIndent=4,
    keepWithNext=1,
)
_LADDER = ParagraphStyle("ladder", parent=_SMALL, spaceBefore=4, spaceAfter=3, leftIndent=4)
_LABELLED = ParagraphStyle(
    "labelled", parent=_TEXT, leftIndent=27 * mm, bulletIndent=4, bulletFontSize=8.5, bulletColor=HexColor(_SOFT)
)
_LISTED = ParagraphStyle("listed", parent=_TEXT, leftIndent=5 * mm, bulletIndent=1.5 * mm, spaceAfter=2)
_DUMP = ParagraphStyle(
    "dump", parent=_TEXT, fontName=MONO, fontSize=7.6, leading=10, leftIndent=4, spaceBefore=2, spaceAfter=4
)


def render(
    outcome: SessionOutcome, *, masked: bool, pictures: Mapping[str, bytes] | None = None, key_fingerprint: str = ""
) -> bytes:
    """Return the document of an outcome, which is shown as it is; the same one gives the same bytes.

    The arguments are those of `report_html.render`.
    """
    pdf_text.set_up()
    # How many pages there are is known only once they were laid out.
    pages: list[int] = []
    for _ in range(2):
        target = io.BytesIO()
        document = SimpleDocTemplate(
            target,
            pagesize=A4,
            leftMargin=_MARGIN,
            rightMargin=_MARGIN,
            topMargin=16 * mm,
            bottomMargin=18 * mm,
            title=pdf_text.plain(f"{report_words.headline(outcome)}: {outcome.facility}"),
            subject=pdf_text.plain(outcome.disclaimer),
            author="",
            lang="en",
            invariant=1,
        )
        story = list(_story(outcome, masked, pictures or {}, key_fingerprint))
        footing = _Footing(pdf_text.plain(f"{report_words.headline(outcome)} · {outcome.facility}"), pages[-1:])
        document.build(story, onFirstPage=footing.draw, onLaterPages=footing.draw)
        pages.append(document.page)
    return target.getvalue()


class _Footing:
    """What stands at the foot of each page."""

    def __init__(self, text: str, pages: list[int]) -> None:
        self._text = text if len(text) <= 90 else f"{text[:89]}…"
        self._of = f" of {pages[0]}" if pages else ""

    def draw(self, canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(SANS, 7.5)
        canvas.setFillColor(HexColor(_SOFT))
        canvas.drawString(_MARGIN + 6, 10 * mm, self._text)
        canvas.drawRightString(A4[0] - _MARGIN - 6, 10 * mm, f"page {document.page}{self._of}")
        canvas.restoreState()


def _story(outcome: SessionOutcome, masked: bool, pictures: Mapping[str, bytes], key_fingerprint: str) -> Iterator[Any]:
    yield from _head(outcome, masked, key_fingerprint)
    yield from _list("What counts against it", outcome.against, "Nothing.")
    mend = [f"{card.title} ({card.level}). {card.who}: {card.screen}" for _, card in report_words.to_mend(outcome)]
    if mend:
        yield from _list("What to mend, and who", mend, "")
    waived = [
        f"{test.title}: {test.waiver.owner}, until {test.waiver.expires.isoformat()}: {test.waiver.reason}"
        for test in report_words.waived(outcome)
        if test.waiver is not None
    ]
    yield from _list("What was waived", waived, "Nothing.")
    untested = [
        f"{test.title} ({report_words.VERDICT_WORDS[test.verdict]}): {test.why or 'it was not reached'}"
        for test in report_words.untested(outcome)
    ]
    yield from _list("What was not tested, and why", untested, "Every test was run.")
    yield from _list("What changed since the last complete pass", outcome.changed, "Nothing that is known.")
    yield from _stands_on(outcome)
    for title, tests in (("Preflight", outcome.preflight), ("Tests", outcome.tests)):
        yield Paragraph(title, _SECTION)
        if not tests:
            yield Paragraph("None.", _TEXT)
        for test in tests:
            yield from _test(test, pictures)
    yield Spacer(0, 8 * mm)
    for closing in (outcome.disclaimer, report_words.SYNTHETIC, *([report_words.MASKED] if masked else [])):
        yield _paragraph(closing, _SMALL)


def _head(outcome: SessionOutcome, masked: bool, key_fingerprint: str) -> Iterator[Any]:
    yield Paragraph(report_words.PRODUCT, _SMALL)
    yield Paragraph(_in_a_line(f"Certification session: {outcome.facility}"), _TITLE)
    if told := report_words.rehearsal(outcome):
        yield _paragraph(told, ParagraphStyle("rehearsal", parent=_TEXT, fontName=BOLD, spaceAfter=6))
    tone = _TONES["pass" if outcome.certifiable else "fail"]
    large = ParagraphStyle("verdict", parent=_TEXT, fontName=BOLD, fontSize=17, leading=22, textColor=HexColor(tone))
    counts = ", ".join(
        f"{number} {report_words.VERDICT_WORDS[verdict]}" for verdict, number in report_words.counts(outcome)
    )
    box = [Paragraph(report_words.headline(outcome), large), Paragraph(report_words.sentence(outcome), _TEXT)]
    box.append(Paragraph(f"Tests: {counts or 'none'}.", _TEXT))
    yield Table(
        [[box]],
        colWidths=[_WIDTH],
        style=TableStyle(
            [("BACKGROUND", (0, 0), (-1, -1), _FAINT), ("LINEBEFORE", (0, 0), (0, -1), 4, HexColor(tone))]
        ),
    )
    yield Spacer(0, 3 * mm)
    yield _paragraph(outcome.disclaimer, _TEXT)
    yield Spacer(0, 2 * mm)
    yield _labelled("Started", words.moment(outcome.started))
    yield _labelled("Reported", words.moment(outcome.reported))
    yield _labelled("Patients", "masked" if masked else "shown in full")
    if key_fingerprint:
        yield _labelled("Signing key", f"{key_fingerprint} (SHA-256; it signs the evidence bundle)")


def _stands_on(outcome: SessionOutcome) -> Iterator[Any]:
    yield Paragraph("What the answer stands on", _SECTION)
    for name, shown in report_words.stands_on(outcome):
        yield _labelled(name, shown)
    yield Spacer(0, 2 * mm)
    heads = ("System", "AE title", "Address", "Does", "Implementation on the wire")
    rows = [[Paragraph(f"<b>{head}</b>", _CELL) for head in heads]]
    for system in outcome.fingerprint.systems:
        seen = "; ".join(system.implementations())
        cells = (system.name, system.ae_title, system.address, ", ".join(system.does), seen or "not seen")
        rows.append([_paragraph(cell, _CELL) for cell in cells])
    yield Table(
        rows,
        colWidths=[_WIDTH * share for share in (0.13, 0.18, 0.2, 0.17, 0.32)],
        repeatRows=1,
        splitInRow=1,
        style=TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE)]),
    )


def _test(test: TestOutcome, pictures: Mapping[str, bytes]) -> Iterator[Any]:
    verdict = f'<font color="{_TONES[test.verdict]}">{report_words.VERDICT_WORDS[test.verdict].upper()}</font>'
    yield Paragraph(f"{verdict}&nbsp;&nbsp;{_in_a_line(test.title)}", _TEST)
    verifies = f" · verifies {', '.join(test.verifies)}" if test.verifies else ""
    yield _paragraph(f"{test.id} · {report_words.facts(test)}{verifies}", _SMALL)
    if test.why:
        yield _paragraph(test.why, _TEXT)
    if test.waiver is not None:
        until = test.waiver.expires.isoformat()
        yield _paragraph(f"Waived by {test.waiver.owner} until {until}: {test.waiver.reason}", _TEXT)
    for card in test.cards:
        yield from _card(card)
    if test.checks:
        yield Paragraph("Checks", _PART)
        for check in test.checks:
            yield _check(check)
    if test.contexts:
        yield Paragraph("Presentation contexts", _PART)
        for context in test.contexts:
            needed = "needed" if context.needed else "not needed"
            proposed = ", ".join(context.transfer_syntaxes)
            yield _labelled(context.answer, f"{context.abstract_syntax} ({needed}){': ' if proposed else ''}{proposed}")
    if test.steps:
        yield Paragraph("What happened (UTC)", _PART)
        for step in test.steps:
            yield _labelled(report_words.clock(step.at), f"{step.observer}: {step.text}")
    if test.attestation is not None:
        said = test.attestation
        yield Paragraph("What a person says", _PART)
        moment = words.moment(said.at)
        yield _paragraph(f"{said.question} {said.answer.capitalize()}, says {said.name} ({moment}).", _TEXT)
    yield from _list("Notes", test.notes, "", _PART) if test.notes else ()
    if test.captures:
        yield Paragraph("Evidence", _PART)
        yield _paragraph(", ".join(test.captures), _SMALL)
    yield from _pictures(test, pictures)


def _card(card: Card) -> Iterator[Any]:
    level = f'<font color="{_TONES[card.level]}">{report_words.LEVEL_WORDS[card.level]}</font>'
    yield Paragraph(
        f"{level}&nbsp;&nbsp;{_in_a_line(card.title)}&nbsp;&nbsp;<font size=8>{_in_a_line(card.id)}</font>", _CARD
    )
    rungs = [
        f'<font color="{_TONES[card.level]}"><b>[{rung}]</b></font>' if state == "broken" else rung
        for rung, state in report_words.ladder(card)
    ]
    yield Paragraph("It broke at: " + " &gt; ".join(rungs), _LADDER)
    for label, content in (
        ("Expected", card.expected),
        ("Got", card.got),
        ("Because", card.because),
        ("Who mends it", card.who),
        ("Where", card.screen),
    ):
        yield _labelled(label, content)
    yield _labelled("To prove it", card.prove, MONO)
    for asked in report_words.asked(card):
        told = asked if isinstance(asked, str) else f"{asked.id}: {asked.text} ({asked.level}; {asked.source})"
        yield _labelled("Asked by", told)
    for evidence in card.evidence:
        yield from _evidence(evidence)


def _evidence(evidence: Evidence) -> Iterator[Any]:
    marks = hexdump.marks(evidence)
    parts = (evidence.words, evidence.capture, f"marked: {marks}" if marks else "")
    yield Paragraph(_in_a_line(" · ".join(filter(None, parts))), _PART)
    lines = []
    for line in hexdump.lines(evidence):
        if line.skipped:
            lines.append(f"          ({line.skipped} bytes that are not shown)")
        if line.hex:
            lines.append(f"{line.offset}  {_runs(line.hex)}{line.padding}  {_runs(line.letters)}")
    if lines:
        yield XPreformatted("\n".join(lines), _DUMP)


def _runs(runs: tuple[hexdump.Run, ...]) -> str:
    return "".join(
        f'<font backColor="{_MARKED}" color="{_MARKED_INK}"><b><u>{markup(text)}</u></b></font>'
        if marked
        else markup(text)
        for text, marked in runs
    )


def _check(check: CheckOutcome) -> Any:
    verdict = f'<font color="{_TONES[check.verdict]}"><b>{report_words.VERDICT_WORDS[check.verdict]}</b></font>'
    told = [f"{verdict} {_shown(check.check)}"]
    told.append(f"expected {_shown(words.value(check.expected))}, observed {_shown(words.value(check.observed))}")
    return Paragraph("; ".join(told) + (f": {_shown(check.because)}" if check.because else ""), _LISTED, bulletText="•")


def _pictures(test: TestOutcome, pictures: Mapping[str, bytes]) -> Iterator[Any]:
    if test.pictures:
        yield Paragraph("What was received", _PART)
    for name in test.pictures:
        if (png := pictures.get(name)) is not None and (image := _image(png)) is not None:
            yield image
        yield _paragraph(name, _SMALL)


def _image(png: bytes) -> Any:
    """Return a picture that fits 40 mm, or None for what is none."""
    try:
        with Picture.open(io.BytesIO(png), formats=["PNG"]) as opened:
            opened.load()
            width, height = opened.size
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Picture.DecompressionBombError):
        return None
    scale = 40 * mm / max(width, height)
    return Image(io.BytesIO(png), width=width * scale, height=height * scale, hAlign="LEFT")


def _list(title: str, sentences: Any, nothing: str, style: ParagraphStyle = _SECTION) -> Iterator[Any]:
    yield Paragraph(title, style)
    if not sentences:
        yield Paragraph(nothing, _TEXT)
    for sentence in sentences:
        yield Paragraph(_shown(sentence), _LISTED, bulletText="•")


def _labelled(label: str, content: str, font: str = SANS) -> Any:
    return Paragraph(f'<font name="{font}">{_shown(content)}</font>', _LABELLED, bulletText=pdf_text.plain(label)[:24])


def _paragraph(text: str, style: ParagraphStyle) -> Any:
    return Paragraph(_shown(text), style)


def _shown(text: str) -> str:
    cut = "\n".join(text[:_LONGEST].split("\n")[:_MOST_LINES])
    return markup(cut if cut == text else f"{cut} … ({len(text) - len(cut)} more letters)")


def _in_a_line(text: str) -> str:
    cut = " ".join(text[:_LONGEST_TITLE].split())
    return markup(cut if len(text) <= _LONGEST_TITLE else f"{cut} …")
