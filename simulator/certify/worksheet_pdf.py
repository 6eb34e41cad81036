"""The worksheet on paper: A4, several patients a page, bars that a scanner at arm's length reads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from simulator.certify import pdf_text
from simulator.certify.barcodes import Barcode
from simulator.certify.pdf_text import BOLD, MONO, SANS, markup

if TYPE_CHECKING:
    from simulator.certify.worksheet import Line, Sheet

_WIDTH, _HEIGHT = A4
_MARGIN = 14 * mm
_TOP, _BOTTOM = _HEIGHT - 35 * mm, 16 * mm
_GAP, _PADDING = 4 * mm, 3 * mm
_BARS_WIDTH, _BARS_HEIGHT = 76 * mm, 11 * mm
_MODULE = 0.33 * mm
_LABEL_WIDTH, _CARD_WIDTH, _BOX = 21 * mm, 35 * mm, 6 * mm
_LEFT_WIDTH = _WIDTH - 2 * _MARGIN - _BARS_WIDTH - 3 * _PADDING
_SOFT, _LINE, _WARNING = HexColor(0x57606A), HexColor(0x8C959F), HexColor(0x9C2C00)

_TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=10.5, leading=13)
_TEXT = ParagraphStyle("text", fontName=SANS, fontSize=8.5, leading=11)
_LABEL = ParagraphStyle("label", parent=_TEXT, textColor=_SOFT)
_VALUE = ParagraphStyle("value", fontName=SANS, fontSize=9.5, leading=12)


@dataclass(frozen=True, slots=True)
class _Part:
    """Something at a place within a block: `down` from its top, where its own top is."""

    left: float
    down: float
    paragraph: Any


@dataclass(frozen=True, slots=True)
class _Block:
    """A patient, measured."""

    line: Line
    parts: tuple[_Part, ...]
    height: float


def render(sheet: Sheet) -> bytes:
    """Return the document."""
    pdf_text.set_up()
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1, lang="en")
    canvas.setTitle(pdf_text.plain(f"{sheet.title}, {sheet.facility}"))
    canvas.setSubject(sheet.warning)
    pages = _pages([_block(line) for line in sheet.lines])
    for number, page in enumerate(pages, start=1):
        _heading(canvas, sheet)
        top = _TOP
        for block in page:
            _draw(canvas, block, top)
            top -= block.height + _GAP
        if not page:
            _put(canvas, Paragraph("No test of this session needs a patient.", _TEXT), _MARGIN, top, 100 * mm)
        _footing(canvas, sheet, number, len(pages))
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def _pages(blocks: Sequence[_Block]) -> list[list[_Block]]:
    pages: list[list[_Block]] = [[]]
    left = _TOP - _BOTTOM
    for block in blocks:
        if block.height > left and pages[-1]:
            pages.append([])
            left = _TOP - _BOTTOM
        pages[-1].append(block)
        left -= block.height + _GAP
    return pages


def _block(line: Line) -> _Block:
    parts: list[_Part] = []
    down = _PADDING

    def add(text: str, style: ParagraphStyle, left: float, width: float) -> float:
        paragraph = Paragraph(text, style)
        _, height = paragraph.wrap(width, _HEIGHT)
        parts.append(_Part(left, down, paragraph))
        return float(height)

    beside_box = _PADDING + _BOX + 2.5 * mm
    down += add(f"{line.number}. {markup(line.title)}", _TITLE, beside_box, _LEFT_WIDTH - _BOX - 2.5 * mm)
    for text in (f"Test {line.test}", line.what, line.order):
        down += add(markup(text), _TEXT, beside_box, _LEFT_WIDTH - _BOX - 2.5 * mm)
    down += 1.5 * mm
    for label, card, typed in _fields(line):
        style = _VALUE if label else _LABEL
        heights = [
            add(label, _LABEL, _PADDING, _LABEL_WIDTH),
            add(markup(card), style, _PADDING + _LABEL_WIDTH, _CARD_WIDTH - 2 * mm),
            add(typed, style, _PADDING + _LABEL_WIDTH + _CARD_WIDTH, _LEFT_WIDTH - _LABEL_WIDTH - _CARD_WIDTH),
        ]
        down += max(heights) + 0.6 * mm
    return _Block(line, tuple(parts), max(down + _PADDING, 2 * (_BARS_HEIGHT + 11 * mm) + 2 * _PADDING))


def _fields(line: Line) -> list[tuple[str, str, str]]:
    """Return the heads of the table, then what is asked for, how the card has it, and how it is typed."""

    def typed(value: str) -> str:
        return f'<font name="{MONO}">{markup(value)}</font>'

    return [
        ("", "on the card", "typed, as in DICOM"),
        ("Name", line.name, typed(line.name_in_dicom)),
        ("HKID", line.hkid, typed(line.hkid_in_dicom)),
        ("Born", line.born, typed(line.born_in_dicom)),
        ("Sex", line.sex, typed(line.sex_in_dicom)),
        ("Accession", "", typed(line.accession_number)),
    ]


def _draw(canvas: Canvas, block: _Block, top: float) -> None:
    width = _WIDTH - 2 * _MARGIN
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.6)
    canvas.roundRect(_MARGIN, top - block.height, width, block.height, 1.5 * mm)
    canvas.setStrokeColor(black)
    canvas.setLineWidth(1)
    canvas.rect(_MARGIN + _PADDING, top - _PADDING - _BOX, _BOX, _BOX)
    for part in block.parts:
        _, height = part.paragraph.width, part.paragraph.height
        part.paragraph.drawOn(canvas, _MARGIN + part.left, top - part.down - height)
    right = _MARGIN + width - _PADDING - _BARS_WIDTH
    down = top - _PADDING
    for label, bars in (
        ("HKID, as it is typed", block.line.hkid_bars),
        ("Accession number", block.line.accession_bars),
    ):
        down = _bars(canvas, label, bars, right, down) - 3 * mm


def _bars(canvas: Canvas, label: str, bars: Barcode, left: float, top: float) -> float:
    """Draw a barcode between its label and its text, and return where that ends."""
    canvas.setFillColor(_SOFT)
    canvas.setFont(SANS, 8.5)
    canvas.drawString(left, top - 8, label)
    canvas.setFillColor(black)
    module: float = min(_MODULE, _BARS_WIDTH / bars.width)
    bottom: float = top - 11 - _BARS_HEIGHT
    bars.draw(canvas, left, bottom, module, _BARS_HEIGHT)
    canvas.setFont(MONO, 10)
    canvas.drawString(left + 10 * module, bottom - 10, bars.text)
    return bottom - 10


def _heading(canvas: Canvas, sheet: Sheet) -> None:
    width = _WIDTH - 2 * _MARGIN
    canvas.setFillColor(_WARNING)
    canvas.rect(_MARGIN, _HEIGHT - 20 * mm, width, 8 * mm, stroke=0, fill=1)
    canvas.setFillColor(white)
    canvas.setFont(BOLD, 13)
    canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 17.6 * mm, sheet.warning)
    canvas.setFillColor(black)
    title = Paragraph(f"{markup(sheet.title)} <font name='{SANS}'>· {markup(sheet.facility)}</font>", _TITLE)
    _put(canvas, title, _MARGIN, _HEIGHT - 22 * mm, width)
    _put(canvas, Paragraph(f"{markup(sheet.where)}. Tick a patient off when the study was sent.", _TEXT), *_SECOND_LINE)


_SECOND_LINE = (_MARGIN, _HEIGHT - 28 * mm, _WIDTH - 2 * _MARGIN)


def _footing(canvas: Canvas, sheet: Sheet, number: int, pages: int) -> None:
    canvas.setFillColor(_SOFT)
    canvas.setFont(SANS, 8)
    canvas.drawString(_MARGIN, 9 * mm, sheet.warning)
    canvas.drawRightString(_WIDTH - _MARGIN, 9 * mm, f"page {number} of {pages}")


def _put(canvas: Canvas, paragraph: Any, left: float, top: float, width: float) -> None:
    _, height = paragraph.wrap(width, _HEIGHT)
    paragraph.drawOn(canvas, left, top - height)
