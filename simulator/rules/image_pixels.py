"""Does Pixel Data (7FE0,0010) hold what the Image Pixel module says of it (PS3.3 C.7.6.3, PS3.5 8 and A.4)?

Too little is a complaint. Too much is not: PS3.5 8.1.1 knows one byte of padding, but devices are met that pad to
whole blocks, and no pixel is lost by that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Final

from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES

_IMAGES: Final = frozenset(each.uid for each in (*SEED_IMAGE_CLASSES, *EXTENDED_CLASSES) if each.image)
# Two pixels side by side share their colour: of three samples a pixel has two on average (PS3.3 C.7.6.3.1.2).
_SUBSAMPLED: Final = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422"))
_POSITIVE: Final = re.compile(r"\+?0*[1-9][0-9]{0,11}")  # IS: 12 characters at most (PS3.5 6.2)


@dataclass(frozen=True, slots=True)
class ImagePixels:
    """What a data set says of its pixels. Numbers are None where they are absent or not one number (US).

    photometric_interpretation: without padding. number_of_frames: the text of (0028,0008) without padding, empty
    where it is absent or empty, which means one frame. bits_allocated: of each sample, in bits.
    """

    rows: int | None
    columns: int | None
    samples_per_pixel: int | None
    bits_allocated: int | None
    photometric_interpretation: str
    number_of_frames: str


@dataclass(frozen=True, slots=True)
class PixelData:
    """What Pixel Data is. length: of its value, in bytes. items: how many it has, None where it is not in items."""

    length: int
    items: int | None


def complaint(sop_class_uid: str, pixels: ImagePixels, pixel_data: PixelData | None, *, native: bool) -> str:
    """Return what is wrong with the pixels of an instance, or the empty text.

    It fits in an Error Comment (0000,0902), 64 characters, up to a billion bytes. Asked of the image classes of
    the slide and of its extension alone; a class that is not among them may hold anything. native: the transfer
    syntax does not encapsulate; where it does, a frame needs one fragment at least beside the Basic Offset Table.
    """
    if sop_class_uid not in _IMAGES:
        return ""
    if pixel_data is None:
        return "Pixel Data (7FE0,0010) is missing"
    sizes = _sizes(pixels)
    if isinstance(sizes, str):
        return sizes
    if pixels.number_of_frames and not _POSITIVE.fullmatch(pixels.number_of_frames):
        return "Number of Frames (0028,0008) is not a number above 0"
    frames = int(pixels.number_of_frames or 1)
    if not native:
        return _too_few_fragments(pixel_data, frames)
    subsampled = pixels.samples_per_pixel == 3 and pixels.photometric_interpretation in _SUBSAMPLED
    bits = prod(sizes) * frames
    return _too_little(pixel_data, bits * 2 // 3 if subsampled else bits)


def _sizes(pixels: ImagePixels) -> tuple[int, ...] | str:
    """Return the factors of the size of a frame, in bits, or what is wrong with one of them: each is Type 1."""
    named = (
        ("Samples per Pixel (0028,0002)", pixels.samples_per_pixel),
        ("Rows (0028,0010)", pixels.rows),
        ("Columns (0028,0011)", pixels.columns),
        ("Bits Allocated (0028,0100)", pixels.bits_allocated),
    )
    for name, number in named:
        if number is None:
            return f"{name} is missing or not one number"
        if number == 0:
            return f"{name} is 0"
    return tuple(number for _, number in named if number)


def _too_little(pixel_data: PixelData, bits: int) -> str:
    if pixel_data.items is not None:
        return "Pixel Data (7FE0,0010) has items in a native transfer syntax"
    # Single bits are packed across pixels, rows and frames (PS3.5 8.1.1): only the last byte is filled up.
    needed = (bits + 7) // 8
    if pixel_data.length >= needed:
        return ""
    return f"Pixel Data (7FE0,0010) has {pixel_data.length} bytes, needs {needed}"


def _too_few_fragments(pixel_data: PixelData, frames: int) -> str:
    fragments = max((pixel_data.items or 0) - 1, 0)  # the first item is the Basic Offset Table
    if fragments >= frames:
        return ""
    return f"Pixel Data (7FE0,0010) has {fragments} fragment{'' if fragments == 1 else 's'}, needs {frames}"
