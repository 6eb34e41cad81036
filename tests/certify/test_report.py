"""The report of a session: what every face of it says, that nothing in it acts, and that nobody can be recognised."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml

from simulator.certify import hexdump, masked, report_files, report_html, report_junit, report_pdf
from simulator.certify.cards import Evidence
from simulator.certify.outcome import DISCLAIMER, SessionOutcome
from tests.certify.outcomes import CHAN, PICTURE, clean, failing, png

ROOT = Path(__file__).resolve().parent.parent.parent
FINGERPRINT = "7cc2 353b 8d48 05fc"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>&\"'</pre><para>{{ 7 * 7 }}"
# What is no text of anybody's choice: the words of a Literal, a date, bytes.
FIXED = {"schema", "verdict", "level", "where", "answer", "expires", "data"}
HEAD = (
    "CERTIFIABLE",
    "What counts against it",
    "What was waived",
    "What was not tested, and why",
    "What changed since the last complete pass",
    "What the answer stands on",
    DISCLAIMER,
)


class Page(HTMLParser):
    """The text of a page, its elements, and what their attributes lead to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[str] = []
        self.targets: set[str] = set()
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._hidden = tag == "style"
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("src", "href"):
                self.targets.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


def page_of(outcome: SessionOutcome, **more: Any) -> Page:
    return Page(report_html.render(outcome, masked=False, pictures={PICTURE: png()}, **more))


def paper_of(outcome: SessionOutcome, **more: Any) -> str:
    """Return the text of the PDF with every run of blanks as one."""
    document = pypdfium2.PdfDocument(report_pdf.render(outcome, masked=False, pictures={PICTURE: png()}, **more))
    return " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in document)


def with_texts(outcome: SessionOutcome, text: Callable[[str], str]) -> SessionOutcome:
    """Return the outcome with every text that somebody chooses changed."""

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: changed(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [changed(each, key) for each in value]
        return text(value) if isinstance(value, str) and key not in FIXED else value

    return SessionOutcome.model_validate_json(json.dumps(changed(json.loads(report_files.as_json(outcome)))))


@pytest.mark.parametrize("outcome", [clean(), failing()], ids=["clean", "failing"])
def test_the_head_answers_what_is_asked_of_it_on_screen_and_on_paper(outcome: SessionOutcome) -> None:
    for text in (
        " ".join(page_of(outcome, key_fingerprint=FINGERPRINT).text.split()),
        paper_of(outcome, key_fingerprint=FINGERPRINT),
    ):
        for words in (*HEAD, FINGERPRINT, "HIC_CT01", "10.1.2.3:104", "1.2.276.0.7230010.3.0.3.6.7", "20261123"):
            assert words in text, words
        assert f"CERTIFIABLE: {'yes' if outcome.certifiable else 'no'}" in text
        for sentence in (*outcome.against, *outcome.changed):
            assert sentence in text


def test_a_waiver_names_who_answers_for_it_why_and_until_when() -> None:
    for text in (page_of(clean()).text, paper_of(clean())):
        for words in ("Dr Ho, radiology", "CT01 is replaced in March", "2027-03-31", "no system speaks TLS"):
            assert words in text, words


def test_a_rehearsal_says_that_it_is_one() -> None:
    told = "broken:called-ae-title played the facility. It says nothing about the facility's own systems."
    assert told in page_of(failing()).text
    assert told in paper_of(failing())
    assert "rehearsal" not in page_of(clean()).text


def test_a_card_says_all_that_is_needed_to_mend_it() -> None:
    page, paper = " ".join(page_of(failing()).text.split()), paper_of(failing())
    for test in failing().tests:
        for card in test.cards:
            for words in (card.title, card.expected, card.got, card.because, card.who, card.screen, card.id):
                assert words in page, words
                assert words in paper, words
            assert card.prove in page
            assert card.prove in paper
    assert "✗ association" in page
    assert "TLS > [association] > presentation context" in paper
    assert "marked: bytes 10 to 25" in page
    assert "marked: bytes 10 to 25" in paper
    # The requirement comes with its text and its source, from the register.
    assert "The gateway listens, and accepts associations" in page
    assert "not-in-the-register" in page


def test_notes_attestations_steps_and_pictures_are_there() -> None:
    page, paper = page_of(clean()), paper_of(clean())
    for text in (" ".join(page.text.split()), paper):
        assert "Does PACS show the study? Yes, says Lee Siu Fong" in text
        assert "association accepted, 12 instances stored" in text
        assert "captures/ct01-study.pcap" in text
        assert "pictures/lost.png" in text
    assert len([target for target in page.targets if target.startswith("data:image/png;base64,")]) == 1
    assert "The vendor was called, ticket 4711." in page_of(failing()).text
    assert "港灣造影中心" in paper


def test_nothing_but_its_own_links_and_pictures_is_in_the_page() -> None:
    text = report_html.render(failing(), masked=False, pictures={PICTURE: png()})
    page = Page(text)
    assert all(target.startswith(("#test-", "data:image/png;base64,")) for target in page.targets)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.elements)
    assert "default-src 'none'" in text
    anchors = {target[1:] for target in page.targets if target.startswith("#")}
    assert all(f'id="{anchor}"' in text for anchor in anchors)


@pytest.mark.parametrize("outcome", [clean(), failing()], ids=["clean", "failing"])
def test_no_text_that_somebody_chooses_becomes_part_of_the_page(outcome: SessionOutcome) -> None:
    plain = Page(report_html.render(with_texts(outcome, lambda text: f"{text} and more"), masked=False))
    evil = Page(report_html.render(with_texts(outcome, lambda text: f"{text}{EVIL}"), masked=False))
    assert evil.elements == plain.elements
    assert evil.text.count(EVIL) == plain.text.count(" and more") > 90


def test_nor_part_of_the_document_on_paper_or_of_the_xml() -> None:
    evil = with_texts(failing(), lambda text: text + EVIL)
    assert "".join(paper_of(evil).split()).count("<script>alert(1)</script><imgsrc=xonerror=alert(1)>") > 60
    document = JUnitXml.fromstring(report_junit.render(evil))
    (echo, *_) = [case for suite in document for case in suite if "ct01-echo" in case.name]
    assert echo.name == f"ct01-echo{EVIL}"


@given(st.text(max_size=40))
@settings(max_examples=25, deadline=None)
def test_any_text_is_shown_on_every_face(text: str) -> None:
    outcome = with_texts(failing(), lambda _: text)
    assert Page(report_html.render(outcome, masked=True)).elements
    assert report_pdf.render(outcome, masked=True).startswith(b"%PDF")
    assert JUnitXml.fromstring(report_junit.render(outcome)).tests == 7
    assert SessionOutcome.model_validate_json(report_files.as_json(outcome)) == outcome


@pytest.mark.parametrize("text", ["W" * 30_000, "界" * 5_000, "a b\n" * 8_000, "\udcff\x00\x1b[2J\u202e"])
def test_a_text_of_any_length_finds_its_place(text: str) -> None:
    card = dataclasses.replace(failing().tests[0].cards[0], got=text, because=text, title=text, id=text)
    test = failing().tests[0].model_copy(update={"cards": (card,), "title": text, "notes": (text,), "why": text})
    system = failing().fingerprint.systems[0].model_copy(update={"ae_title": text[:3000], "address": text[:3000]})
    stands_on = failing().fingerprint.model_copy(update={"systems": (system,)})
    outcome = failing().model_copy(update={"tests": (test,), "facility": text, "fingerprint": stands_on})
    assert report_pdf.render(outcome, masked=False).startswith(b"%PDF")
    assert "\udcff" not in report_html.render(outcome, masked=False)
    assert report_junit.render(outcome)
    assert json.loads(report_files.as_json(outcome))["tests"][0]["notes"] == [text]


def test_every_page_of_the_paper_has_its_number_and_the_same_session_the_same_bytes() -> None:
    content = report_pdf.render(failing(), masked=False)
    assert content == report_pdf.render(failing(), masked=False)
    document = pypdfium2.PdfDocument(content)
    for number, page in enumerate(document, start=1):
        assert f"page {number} of {len(document)}" in page.get_textpage().get_text_range()


def test_a_picture_that_is_none_is_left_out_of_the_paper() -> None:
    for content in (b"", b"\x89PNG\r\n\x1a\n", png()[:200], b"GIF89a"):
        assert report_pdf.render(clean(), masked=False, pictures={PICTURE: content}).startswith(b"%PDF")


KEYS = ("CHAN", "TAI MAN", "Q123456", "19700305", "43 48 41 4e", "51 31 32 33 34 35 36", "4348414e", "513132333435")


def test_nobody_can_be_recognised_on_any_face_of_a_masked_outcome() -> None:
    outcome = masked.outcome(failing(), [CHAN])
    faces = {
        "html": report_html.render(outcome, masked=True),
        "pdf": paper_of(outcome),
        "json": report_files.as_json(outcome).decode(),
        "junit": report_junit.render(outcome).decode(),
    }
    for name, face in faces.items():
        for key in KEYS:
            assert key not in face, f"{key} in {name}"
    # And what decides is still to be seen: the parentheses, in the text and among the bytes.
    assert "*******(*)" in faces["html"]
    assert "<mark>28</mark> 2a <mark>29</mark>" in faces["html"]
    assert "HAGATEWAY1" in faces["html"]


def test_unmasked_everything_is_as_it_was_seen() -> None:
    page = report_html.render(failing(), masked=False)
    assert all(key in page for key in KEYS[:4])
    assert "shown in full" in page


def test_people_of_the_worksheet_are_masked_in_any_spelling() -> None:
    test = (
        failing()
        .tests[0]
        .model_copy(
            update={"notes": ("Chan Tai Man came, 陳大文, born 5 March 1970 or 1970-03-05",), "why": "CHAN, TAI MAN"}
        )
    )
    outcome = masked.outcome(failing().model_copy(update={"tests": (test,)}), [CHAN])
    assert outcome.tests[0].notes == ("**** *** *** came, ***, born * ***** **** or ****-**-**",)
    assert outcome.tests[0].why == "****, *** ***"


def test_masking_changes_nothing_of_the_verdicts_nor_of_staff() -> None:
    outcome = masked.outcome(clean(), [CHAN])
    assert outcome == clean()


@pytest.mark.parametrize("outcome", [clean(), failing()], ids=["clean", "failing"])
def test_the_json_is_as_its_schema_and_gives_the_outcome_back(outcome: SessionOutcome) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / "certification.schema.json").read_text(encoding="utf-8"))
    document = report_files.as_json(outcome)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(document), schema)
    assert SessionOutcome.model_validate_json(document) == outcome


def test_junit_skips_only_what_was_waived_or_does_not_apply() -> None:
    document = JUnitXml.fromstring(report_junit.render(failing()))
    assert (document.tests, document.failures, document.errors, document.skipped) == (7, 2, 3, 0)
    assert [suite.name for suite in document] == ["preflight", "tests"]
    document = JUnitXml.fromstring(report_junit.render(clean()))
    assert (document.tests, document.failures, document.errors, document.skipped) == (6, 0, 0, 2)
    (waived,) = [case for suite in document for case in suite if case.name == "ct01-1001"]
    assert waived.result[0].message == "waived: CT01 is replaced in March (Dr Ho, radiology, until 2027-03-31)"


def test_a_session_without_a_test_is_an_error_of_junit() -> None:
    empty = clean().model_copy(update={"tests": (), "preflight": ()})
    document = JUnitXml.fromstring(report_junit.render(empty))
    assert (document.tests, document.errors) == (1, 1)
    assert "None." in page_of(empty).text


def test_the_four_files_are_written_masked_unless_asked_otherwise(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / PICTURE).write_bytes(png())
    written = report_files.write(tmp_path, failing(), people=[CHAN], key_fingerprint=FINGERPRINT)
    assert [file.name for file in written] == ["report.html", "report.pdf", "certification.json", "junit.xml"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert FINGERPRINT in page
    assert "CHAN" not in page
    report_files.write(tmp_path, failing(), masked=False)
    assert "CHAN" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_picture_is_read_from_the_sessions_folder_alone(tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    names = ("../secret.png", str(tmp_path / "secret.png"), "none.png")
    test = clean().tests[0].model_copy(update={"pictures": names})
    report_files.write(session, clean().model_copy(update={"tests": (test,)}))
    assert "data:image" not in (session / "report.html").read_text(encoding="utf-8")


def text_of(line: hexdump.Line) -> str:
    shown, letters = ("".join(text for text, _ in runs) for runs in (line.hex, line.letters))
    return f"{line.offset} {shown}{line.padding} {letters}"


def test_a_dump_has_sixteen_bytes_a_line_with_their_offsets() -> None:
    lines = hexdump.lines(Evidence("", offset=0x1000, data=b"HAGATEWAY1      \x00\x7f\xff", marks=((9, 10), (17, 19))))
    assert [text_of(line) for line in lines] == [
        "00001000 48 41 47 41 54 45 57 41 59 31 20 20 20 20 20 20 HAGATEWAY1      ",
        "00001010 00 7f ff                                        ...",
    ]
    assert [text for text, marked in lines[0].hex if marked] == ["31"]
    assert [text for text, marked in lines[1].hex if marked] == ["7f ff"]
    assert [text for text, marked in lines[1].letters if marked] == [".."]


def test_of_much_a_dump_shows_the_beginning_and_what_is_marked() -> None:
    evidence = Evidence("", data=bytes(100_000), marks=((50_000, 50_002),))
    lines = hexdump.lines(evidence)
    assert [line.offset for line in lines] == [
        *("00000000", "00000010", "00000020", "00000030"),
        *("0000c330", "0000c340", "0000c350", "0000c360", "0000c370"),
        "",
    ]
    assert sum(line.skipped for line in lines) + 9 * 16 == 100_000


@given(st.binary(max_size=2000), st.lists(st.tuples(st.integers(-5, 2100), st.integers(-5, 2100)), max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_dump_leaves_out_no_byte_without_saying_so(data: bytes, marks: list[tuple[int, int]]) -> None:
    lines = hexdump.lines(Evidence("", data=data, marks=tuple(marks)))
    shown = b"".join(bytes.fromhex("".join(text for text, _ in line.hex)) for line in lines)
    assert len(shown) + sum(line.skipped for line in lines) == len(data)
    for start, end in marks:
        assert max(start, 0) >= min(end, len(data)) or data[max(start, 0) : end] in shown or end - start > 16


def test_the_marks_are_told_in_words() -> None:
    assert hexdump.marks(Evidence("", data=bytes(50), offset=100, marks=((1, 2),))) == "byte 101"
    assert hexdump.marks(Evidence("", data=bytes(50), marks=((1, 2), (4, 9)))) == "bytes 1, 4 to 8"
    assert hexdump.marks(Evidence("", data=bytes(50))) == ""
