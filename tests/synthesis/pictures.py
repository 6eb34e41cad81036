"""Pictures of every format and shape for the tests of compression, and files around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import UID

from simulator.synthesis.compression import (
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    TransferSyntax,
    encapsulated,
)
from simulator.synthesis.image_class import PixelFormat

LOSSLESS = (RLE_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS)

BYTE = PixelFormat(bits_stored=8, bits_allocated=8)
SEVEN = PixelFormat(bits_stored=7, bits_allocated=8)
TWELVE = PixelFormat(bits_stored=12)
SIXTEEN = PixelFormat(bits_stored=16)
BYTE_IN_WORD = PixelFormat(bits_stored=8, bits_allocated=16)
NEGATIVE = PixelFormat(bits_stored=12, photometric="MONOCHROME1")
RGB = PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3)
RGB_BY_PLANE = replace(RGB, by_plane=True)
DEEP_RGB = PixelFormat(bits_stored=12, photometric="RGB", samples=3)
SINGLE_BIT = PixelFormat(bits_stored=1, bits_allocated=1)

FORMATS = {
    "8 in 8": BYTE,
    "7 in 8": SEVEN,
    "12 in 16": TWELVE,
    "16 in 16": SIXTEEN,
    "8 in 16": BYTE_IN_WORD,
    "MONOCHROME1": NEGATIVE,
    "RGB": RGB,
    "RGB by plane": RGB_BY_PLANE,
    "RGB 12 in 16": DEEP_RGB,
}


@dataclass(frozen=True)
class Shape:
    rows: int
    columns: int
    frames: int = 1


SHAPES = {
    "16x16": Shape(16, 16),
    "17x23": Shape(17, 23),
    "300x260": Shape(300, 260),
    "3 frames of 17x23": Shape(17, 23, 3),
    "2 frames of 64x48": Shape(64, 48, 2),
}


def filled(kind: str, pixels: PixelFormat, shape: Shape) -> NDArray[Any]:
    """Return a picture as a class would paint it: by plane where the format says so."""
    whole = (shape.frames, shape.rows, shape.columns) if shape.frames > 1 else (shape.rows, shape.columns)
    if pixels.samples > 1:
        whole = (*whole[:-2], 3, *whole[-2:]) if pixels.by_plane else (*whole, 3)
    limit = 1 << pixels.bits_stored
    size = int(np.prod(whole))
    made = {
        "noise": np.random.default_rng(size).integers(0, limit, size),
        "steps": np.arange(size) // 5 % limit,
        "darkest": np.zeros(size, np.int64),
        "brightest": np.full(size, limit - 1),
        "extremes": np.arange(size) % 2 * (limit - 1),
    }[kind]
    return made.reshape(whole).astype(np.uint8 if pixels.bits_allocated == 8 else np.uint16)


KINDS = ("noise", "steps", "darkest", "brightest", "extremes")


def part10(picture: NDArray[Any], pixels: PixelFormat, shape: Shape, syntax: TransferSyntax) -> bytes:
    """Return a file with the picture, compressed, and the Image Pixel module that belongs to it."""
    made = encapsulated(picture, pixels, syntax)
    data_set = Dataset()
    for keyword, value in {**pixels.attributes(shape.rows, shape.columns), **made.attributes}.items():
        setattr(data_set, keyword, value)
    if shape.frames > 1:
        data_set.NumberOfFrames = shape.frames
    data_set.SOPClassUID, data_set.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.7"), UID("2.25.1")
    data_set.PixelData = made.value
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax.uid)
    file = BytesIO()
    dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def by_pixel(picture: NDArray[Any], pixels: PixelFormat) -> NDArray[Any]:
    """Return the picture with its samples, if it has several, along the last axis."""
    return np.moveaxis(picture, -3, -1) if pixels.by_plane else picture


COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "orange": (230, 120, 20),
}
BANDS = Shape(40, 32 * len(COLOURS))


def bands() -> NDArray[Any]:
    """Return `COLOURS` beside each other, 32 columns each, by pixel."""
    row = np.repeat(np.array(list(COLOURS.values()), np.uint8), 32, axis=0)
    return np.broadcast_to(row, (BANDS.rows, *row.shape))


def wrong_colours(read: NDArray[Any], tolerance: int) -> list[str]:
    """Return the bands that came back otherwise. Their borders are left out, as half of the chrominance is there."""
    fields = {name: read[4:-4, 32 * at + 4 : 32 * at + 28].astype(int) for at, name in enumerate(COLOURS)}
    return [name for name, field in fields.items() if np.abs(field - COLOURS[name]).max() > tolerance]
