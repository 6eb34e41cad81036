"""Pictures of pictures: an instance as a viewer would show it, and many of them on one sheet, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from simulator.synthesis.annotation import lettering, wrapped
from simulator.synthesis.image_class import ImageClass
from simulator.synthesis.pixels import Pixels

_GROUND: Final = 38
_CAPTION: Final = 214
"""Grey values, from 0 to 255: a dark neutral ground deceives the eye least."""

_GAP: Final = 10
"""Pixels between tiles, and round them."""

_LINE: Final = 10
"""Pixels from one line of a caption to the next; its letters are 7 high and stand 6 apart."""


def thumbnail(picture: Pixels, kind: ImageClass, side: int) -> bytes:
    """Return `picture`, painted as `kind`, as a PNG whose longer side is `side` pixels (1 at least).

    It shows what a viewer opens with: the window of the class after its rescaling (PS3.3 C.11.1.1.2, C.11.2.1.2),
    from the least to the greatest sample where it has none, MONOCHROME1 with 0 as white, of frames the middle one.
    """
    shown = _shown(_middle_frame(picture, kind), kind)
    image = Image.fromarray(shown)
    longer = max(image.size)
    width, height = (max(1, size * side // longer) for size in image.size)
    return _png(image.resize((width, height), Image.Resampling.BOX if side < longer else Image.Resampling.NEAREST))


def contact_sheet(tiles: Sequence[tuple[str, bytes]], columns: int) -> bytes:
    """Return one PNG with `tiles`, each a caption and a PNG, in rows of `columns` (1 at least), all cells alike.

    Captions are written in capitals, wrapped to the width of the widest tile. Without tiles it is an empty ground.
    """
    images = [(caption, Image.open(BytesIO(png)).convert("RGB")) for caption, png in tiles]
    across = max([60, *(image.width for _, image in images)])
    down = max([0, *(image.height for _, image in images)])
    texts = [wrapped(caption, across // 6) for caption, _ in images]
    cell = down + _GAP // 2 + _LINE * max([1, *(len(text) for text in texts)])
    count = -(-len(images) // columns)
    sheet = np.full((_GAP + count * (cell + _GAP), _GAP + columns * (across + _GAP), 3), _GROUND, np.uint8)
    for index, ((_, image), text) in enumerate(zip(images, texts, strict=True)):
        top = _GAP + index // columns * (cell + _GAP)
        left = _GAP + index % columns * (across + _GAP)
        # Pictures stand on one line, in the middle of their cells.
        y, x = top + down - image.height, left + (across - image.width) // 2
        sheet[y : y + image.height, x : x + image.width] = np.asarray(image)
        for line, words in enumerate(text):
            _write(sheet, words, top + down + _GAP // 2 + _LINE * line, left, across)
    return _png(Image.fromarray(sheet))


def _write(sheet: Pixels, text: str, top: int, left: int, width: int) -> None:
    ink = lettering(text)[:, :width]
    start = left + (width - ink.shape[1]) // 2
    sheet[top : top + ink.shape[0], start : start + ink.shape[1]][ink] = _CAPTION


def _middle_frame(picture: Pixels, kind: ImageClass) -> Pixels:
    return picture[kind.frames // 2] if kind.frames > 1 else picture


def _shown(picture: Pixels, kind: ImageClass) -> Pixels:
    """Return one frame as uint8, (rows, columns) of grey or (rows, columns, 3) of colour."""
    stored = kind.pixels
    if stored.samples > 1:
        colour = np.moveaxis(picture, 0, -1) if stored.by_plane else picture
        return np.ascontiguousarray((colour.astype(np.uint32) >> (stored.bits_stored - 8)).astype(np.uint8))
    grey = _windowed(picture, kind)
    return 255 - grey if stored.photometric == "MONOCHROME1" else grey


def _windowed(picture: Pixels, kind: ImageClass) -> Pixels:
    """Return the output of the VOI LUT as uint8 from 0 to 255."""
    fixed = kind.fixed
    rescaled = picture * float(fixed.get("RescaleSlope", 1)) + float(fixed.get("RescaleIntercept", 0))
    least, greatest = float(rescaled.min()), float(rescaled.max())
    centre, width = kind.window or ((least + greatest + 1) / 2, greatest - least + 1)
    centre, width = float(fixed.get("WindowCenter", centre)), float(fixed.get("WindowWidth", width))
    if width <= 1:
        return np.where(rescaled > centre - 0.5, np.uint8(255), np.uint8(0))
    share = (rescaled - (centre - 0.5)) / (width - 1) + 0.5
    return (share.clip(0.0, 1.0) * 255 + 0.5).astype(np.uint8)


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
