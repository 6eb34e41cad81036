"""Code 128 (ISO/IEC 15417): one drawing of it for a PDF and for an HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reportlab.graphics.barcode.code128 import Code128

_QUIET = 10
"""Modules without a bar that a reader needs on either side (ISO/IEC 15417 4.3)."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """A text as bars. bars: where each begins and how wide it is, in modules; the quiet zones belong to the width."""

    text: str
    bars: tuple[tuple[int, int], ...]
    width: int

    @property
    def path(self) -> str:
        """The bars as the path of an SVG image of this width and a height of 1."""
        return "".join(f"M{start} 0h{width}v1h-{width}z" for start, width in self.bars)

    def draw(self, canvas: Any, left: float, bottom: float, module: float, height: float) -> None:
        """Draw it on a canvas of reportlab: `module` is the width of the narrowest bar, in points."""
        for start, width in self.bars:
            canvas.rect(left + start * module, bottom, width * module, height, stroke=0, fill=1)


def code128(text: str) -> Barcode:
    """Return `text`, printable ASCII, as Code 128. Raises `ValueError` for what it cannot hold."""
    if not text or not all(" " <= letter <= "~" for letter in text):
        raise ValueError(f"no text for a barcode: {text!r}")
    symbol = Code128(text)
    symbol.validate()
    symbol.encode()
    bars, at = [], _QUIET
    # A letter for each width, A to D for bars and a to d for the spaces between them.
    for letter in symbol.decompose():
        width = ord(letter.lower()) - ord("a") + 1
        if letter.isupper():
            bars.append((at, width))
        at += width
    return Barcode(text, tuple(bars), at + _QUIET)
