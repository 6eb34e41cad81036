"""Text burned into pictures: what a person at a workstation needs to tell which study arrived.

The letters are a bitmap font of this module's own, in two sizes, enlarged by whole numbers. Text lies in the upper
left corner, bright with a dark outline, or dark with a bright one where small values are bright (MONOCHROME1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.synthesis.image_class import PixelFormat
from simulator.synthesis.pixels import Pixels

# Rows from the top down, five dots each.
_TALL: Final = """
0 01110 10001 10011 10101 11001 10001 01110
1 00100 01100 00100 00100 00100 00100 01110
2 01110 10001 00001 00010 00100 01000 11111
3 11110 00001 00001 01110 00001 00001 11110
4 00010 00110 01010 10010 11111 00010 00010
5 11111 10000 11110 00001 00001 10001 01110
6 00110 01000 10000 11110 10001 10001 01110
7 11111 00001 00010 00100 01000 01000 01000
8 01110 10001 10001 01110 10001 10001 01110
9 01110 10001 10001 01111 00001 00010 01100
A 01110 10001 10001 11111 10001 10001 10001
B 11110 10001 10001 11110 10001 10001 11110
C 01110 10001 10000 10000 10000 10001 01110
D 11110 10001 10001 10001 10001 10001 11110
E 11111 10000 10000 11110 10000 10000 11111
F 11111 10000 10000 11110 10000 10000 10000
G 01110 10001 10000 10111 10001 10001 01111
H 10001 10001 10001 11111 10001 10001 10001
I 01110 00100 00100 00100 00100 00100 01110
J 00111 00010 00010 00010 00010 10010 01100
K 10001 10010 10100 11000 10100 10010 10001
L 10000 10000 10000 10000 10000 10000 11111
M 10001 11011 10101 10101 10001 10001 10001
N 10001 11001 10101 10011 10001 10001 10001
O 01110 10001 10001 10001 10001 10001 01110
P 11110 10001 10001 11110 10000 10000 10000
Q 01110 10001 10001 10001 10101 10010 01101
R 11110 10001 10001 11110 10100 10010 10001
S 01111 10000 10000 01110 00001 00001 11110
T 11111 00100 00100 00100 00100 00100 00100
U 10001 10001 10001 10001 10001 10001 01110
V 10001 10001 10001 10001 10001 01010 00100
W 10001 10001 10001 10101 10101 11011 10001
X 10001 10001 01010 00100 01010 10001 10001
Y 10001 10001 01010 00100 00100 00100 00100
Z 11111 00001 00010 00100 01000 10000 11111
- 00000 00000 00000 11111 00000 00000 00000
. 00000 00000 00000 00000 00000 01100 01100
/ 00001 00001 00010 00100 01000 10000 10000
: 00000 01100 01100 00000 01100 01100 00000
( 00010 00100 01000 01000 01000 00100 00010
) 01000 00100 00010 00010 00010 00100 01000
"""
# Rows from the top down, three dots each: as few as tell all characters apart.
_SMALL: Final = """
0 111 101 101 101 111
1 010 110 010 010 111
2 110 001 010 100 111
3 110 001 010 001 110
4 101 101 111 001 001
5 111 100 110 001 110
6 011 100 111 101 111
7 111 001 010 010 010
8 111 101 111 101 111
9 111 101 111 001 110
A 010 101 111 101 101
B 110 101 110 101 110
C 011 100 100 100 011
D 110 101 101 101 110
E 111 100 110 100 111
F 111 100 110 100 100
G 011 100 101 101 011
H 101 101 111 101 101
I 111 010 010 010 111
J 001 001 001 101 010
K 101 101 110 101 101
L 100 100 100 100 111
M 101 111 111 101 101
N 110 101 101 101 101
O 010 101 101 101 010
P 110 101 110 100 100
Q 010 101 101 110 011
R 111 101 110 110 101
S 011 100 010 001 110
T 111 010 010 010 010
U 101 101 101 101 111
V 101 101 101 101 010
W 101 101 111 111 101
X 101 101 010 101 101
Y 101 101 010 010 010
Z 111 001 010 100 111
- 000 000 111 000 000
. 000 000 000 000 010
/ 001 001 010 100 100
: 000 010 000 010 000
( 001 010 010 010 001
) 100 010 010 010 100
"""


def _font(drawn: str) -> Mapping[str, NDArray[np.bool_]]:
    lines = (line.split() for line in drawn.strip().splitlines())
    glyphs = {name: np.array([[dot == "1" for dot in row] for row in rows]) for name, *rows in lines}
    blank = np.zeros_like(glyphs["0"])
    # A block for what the font does not have.
    return MappingProxyType({**glyphs, " ": blank, "": ~blank})


_FONTS: Final = MappingProxyType({True: _font(_TALL), False: _font(_SMALL)})
CHARACTERS: Final = frozenset(_FONTS[True]) - {""}
"""What can be written; small letters are written as capitals, and other characters as a block."""

_LONGEST: Final = 20
"""Characters of a line where a picture has room for more: a corner is less in the way than a whole edge."""


def lettering(text: str, scale: int = 1, tall: bool = True) -> NDArray[np.bool_]:
    """Return where the ink of `text` is: (7 or 5 rows, 6 or 4 columns a character) times `scale`.

    tall: 5x7 dots, else 3x5; in both the last column of a character is empty.
    """
    glyphs = _FONTS[tall]
    cells = [np.pad(glyphs.get(character, glyphs[""]), ((0, 0), (0, 1))) for character in text.upper()]
    dots = np.concatenate(cells, axis=1) if cells else np.zeros((glyphs[" "].shape[0], 0), np.bool_)
    return np.repeat(np.repeat(dots, scale, axis=0), scale, axis=1)


def wrapped(text: str, longest: int) -> tuple[str, ...]:
    """Return the words of `text` on as few lines of at most `longest` characters as they need, evenly filled.

    A word that is longer than that stands on a line of its own.
    """
    words = text.split()
    if sum(len(word) + 1 for word in words) <= longest + 1:
        return (" ".join(words),)
    widest = max((len(word) for word in words), default=0)
    fewest = len(_filled(words, longest))
    for length in range(widest, longest):
        lines = _filled(words, length)
        if len(lines) == fewest:
            return lines
    return _filled(words, longest)


def _filled(words: Sequence[str], longest: int) -> tuple[str, ...]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return tuple(lines)


def burn(picture: Pixels, pixel_format: PixelFormat, lines: Sequence[str]) -> None:
    """Write `lines` into the upper left corner of `picture`, in place; nothing but the letters' surroundings changes.

    picture: writable; (rows, columns), with more samples a pixel (rows, columns, 3) or by plane (3, rows, columns),
    and in each case perhaps frames along an axis in front. Long lines are wrapped between words. A line that does
    not fit whole is left out: half of a warning may say the opposite.
    """
    by_pixel = pixel_format.samples > 1 and not pixel_format.by_plane
    rows, columns = picture.shape[-3:-1] if by_pixel else picture.shape[-2:]
    face = _face(rows, columns)
    ink = _Ink(
        dtype=picture.dtype.str,
        white=pixel_format.letters or 2**pixel_format.bits_stored - 1,
        dark_on_bright=pixel_format.photometric == "MONOCHROME1",
        samples=pixel_format.samples if by_pixel else 0,
    )
    top = face.margin
    for line in filter(str.strip, lines):
        kept, drawn = _block(line, face, ink)
        height, width = kept.shape[:2]
        # The last rows hold the instance's number, see `pixels.numbered`.
        if top + height > rows - 3 or face.margin + width > columns:
            continue
        down, across = slice(top, top + height), slice(face.margin, face.margin + width)
        corner = picture[..., down, across, :] if by_pixel else picture[..., down, across]
        corner &= kept
        corner |= drawn
        top += height


@dataclass(frozen=True, slots=True)
class _Face:
    """How letters are drawn: which font, how much enlarged, how many characters to a line, how far from the edges."""

    tall: bool
    scale: int
    longest: int
    margin: int


@dataclass(frozen=True, slots=True)
class _Ink:
    """Sample values: the NumPy type, the brightest, whether 0 is bright, and how many samples stand side by side."""

    dtype: str
    white: int
    dark_on_bright: bool
    samples: int


@lru_cache(maxsize=16)
def _face(rows: int, columns: int) -> _Face:
    side = min(rows, columns)
    tall = side >= 128
    # From 1 at 256 over 2 at 512 to 3 at 1024 pixels; more would be in the way.
    scale = max(1, min(6, (side + 160) // 320))
    margin = 2 * scale if tall else 0
    room = (columns - 2 * margin) // (scale * (6 if tall else 4))
    return _Face(tall, scale, min(_LONGEST, room) if tall else room, margin)


# Room for the lines that all instances share, and for those that are new each time to pass through.
@lru_cache(maxsize=16)
def _block(text: str, face: _Face, ink: _Ink) -> tuple[Pixels, Pixels]:
    """Return what of the picture stays (all bits, or none) under the wrapped `text`, and what is then added."""
    strips = [_strip(line, face, ink) for line in wrapped(text, face.longest)]
    if len(strips) == 1:
        return strips[0]
    width = max((kept.shape[1] for kept, _ in strips), default=0)
    lengths = [((0, 0), (0, width - kept.shape[1])) + ((0, 0),) * (kept.ndim - 2) for kept, _ in strips]
    # Beside a shorter line everything stays, and nothing is added.
    every_bit = np.iinfo(np.dtype(ink.dtype)).max
    kept = [np.pad(strip[0], length, constant_values=every_bit) for strip, length in zip(strips, lengths, strict=True)]
    drawn = [np.pad(strip[1], length) for strip, length in zip(strips, lengths, strict=True)]
    return np.concatenate(kept), np.concatenate(drawn)


def _strip(text: str, face: _Face, ink: _Ink) -> tuple[Pixels, Pixels]:
    cells = [_cell(character, face, ink) for character in text]
    if face.tall and face.scale == 1:
        # Backing behind each letter comes with it; before the first it is the same as before the others.
        kept, drawn = cells[0]
        cells.insert(0, (kept[:, -1:], drawn[:, -1:]))
    return np.concatenate([kept for kept, _ in cells], axis=1), np.concatenate([drawn for _, drawn in cells], axis=1)


@lru_cache(maxsize=256)
def _cell(character: str, face: _Face, ink: _Ink) -> tuple[Pixels, Pixels]:
    """Return one character as `_block` does."""
    marks = _marks(character, face)
    every_bit = np.iinfo(np.dtype(ink.dtype)).max
    backing, letters = (ink.white, 0) if ink.dark_on_bright else (0, ink.white)
    kept = np.array([every_bit, 0, 0], ink.dtype)[marks]
    drawn = np.array([0, backing, letters], ink.dtype)[marks]
    if ink.samples:
        kept, drawn = (np.repeat(each[:, :, np.newaxis], ink.samples, axis=2) for each in (kept, drawn))
    return kept, drawn


def _marks(character: str, face: _Face) -> Pixels:
    """Return one character with its outline (1) and its ink (2), and the gap to the next; 0 is beside both."""
    dots = lettering(character, face.scale, face.tall)
    height, width = dots.shape
    if face.scale == 1:
        # Too small for an outline: all of it is backed.
        cell = np.ones((height + 1 + face.tall, width), np.uint8)
        cell[face.tall : height + face.tall][dots] = 2
        return cell
    edge = face.scale // 2
    inked = np.zeros((height + 2 * face.scale, width), np.bool_)
    # The gap of one dot lies half before the letter and half behind it, so that outlines stay within their cells.
    inked[face.scale : face.scale + height, edge:] = dots[:, : width - edge]
    around = inked.copy()
    for _ in range(edge):
        wider = around.copy()
        wider[1:] |= around[:-1]
        wider[:-1] |= around[1:]
        sideways = wider.copy()
        sideways[:, 1:] |= wider[:, :-1]
        sideways[:, :-1] |= wider[:, 1:]
        around = sideways
    return around.astype(np.uint8) + inked
