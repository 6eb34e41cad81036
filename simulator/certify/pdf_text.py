"""Text in a PDF: which font has which letter, and what is written where none has it.

A PDF may use fourteen fonts that every reader has (PDF 32000-1 9.6.2.2); they hold the Latin letters of Windows.
Chinese is written in one that readers bring for Traditional characters. What neither has is written as an escape,
so that nothing is lost without being seen.
"""

from __future__ import annotations

from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

from simulator.report import words

SANS, BOLD, MONO = "Helvetica", "Helvetica-Bold", "Courier"
CHINESE = "MSung-Light"
# CJK radicals, punctuation and letters, ideographs, compatibility ideographs, full-width forms.
_CHINESE = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))


def set_up() -> None:
    """Make the Chinese font known to reportlab; once is enough, and twice does no harm."""
    if CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))


def markup(text: str) -> str:
    """Return `text` as markup of a paragraph: escaped, Chinese in its font, its lines kept."""
    shown = []
    for chinese, letters in groupby(words.printable(text), _is_chinese):
        run = "".join(letters)
        if chinese:
            shown.append(f'<font name="{CHINESE}">{escape(run)}</font>')
        else:
            shown.append(escape("".join(map(_in_latin, run))).replace("\n", "<br/>").replace("\t", "    "))
    return "".join(shown)


def plain(text: str) -> str:
    """Return `text` for a line that has one Latin font: what that font lacks as escapes."""
    return "".join(map(_in_latin, words.printable(text).replace("\n", " ").replace("\t", " ")))


def _is_chinese(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _CHINESE)


def _in_latin(letter: str) -> str:
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("unicode_escape").decode("ascii")
    return letter
