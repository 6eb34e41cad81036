"""The image classes of the slide's table and of its extension, each with what makes an instance of it valid.

They are found by the keyword of the SOP class, not by its UID: a site may use For Processing under the UID
that the slide prints (see `rules.sop_classes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from simulator.rules.sop_classes import SopClass
from simulator.synthesis import pixels, radiography, tomography
from simulator.synthesis.extended import EXTENDED
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place
from simulator.synthesis.pixels import Ellipsoid, Pixels

_FILM_SIZE: Final = (1280, 1024)
_FRAME_LINE: Final = 1800
_GRAIN: Final = 12
_ACROSS, _DOWN = 2, 3
"""Cells of a sheet of film."""


def _cells(place: Place) -> Iterator[tuple[int, slice, slice]]:
    """Yield each cell of a sheet: its number from 0, its rows and its columns, with room for lines between them."""
    wedge = max(1, place.rows // 20)
    height, width = (place.rows - wedge) // _DOWN, place.columns // _ACROSS
    for cell in range(_ACROSS * _DOWN):
        top, left = cell // _ACROSS * height, cell % _ACROSS * width
        yield cell, slice(top + 1, top + height), slice(left + 1, left + width)


def _film(place: Place) -> Pixels:
    """Return a sheet of film as 12-bit uint16: slices two by three in thin frames, over a wedge of greys."""
    sheet = np.full((place.rows, place.columns), _FRAME_LINE, np.uint16)
    for cell, down, across in _cells(place):
        height, width = down.stop - down.start, across.stop - across.start
        depth = place.depth(cell, _ACROSS * _DOWN)
        cut = pixels.slice_at(depth, pixels.ABDOMEN, pixels.ABDOMEN_AIR, height, width)
        # Printed through a window of 400 HU, since film has no other.
        sheet[down, across] = (cut.clip(864, 1264) - 864) * 10
    wedge = down.stop
    sheet[wedge + 1 :] = pixels.ramp(17, place.rows - wedge - 1, place.columns) * 250
    sheet += place.noise(64)
    return place.numbered(sheet)


def _colour_film(place: Place) -> Pixels:
    """Return a sheet of film as uint8 planes (3, rows, columns): slices of a head, in colour where it works."""
    planes = np.full((3, place.rows, place.columns), 70, np.uint8)
    for cell, down, across in _cells(place):
        height, width = down.stop - down.start, across.stop - across.start
        depth = place.depth(cell, _ACROSS * _DOWN)
        head = pixels.slice_at(depth, pixels.BRAIN, pixels.BRAIN_AIR, height, width)
        grey = (np.minimum(head, 1120) // 5).astype(np.uint8)
        heat = pixels.slice_at(depth, _ACTIVE, 0, height, width).astype(np.uint8)
        for plane, colour in zip(planes, _RAINBOW, strict=True):
            plane[down, across] = np.where(heat > 40, colour[heat], grey)
    foot = down.stop + 1
    scale = pixels.ramp(256, place.rows - foot, place.columns)
    planes[:, foot:] = np.stack([colour[scale] for colour in _RAINBOW])
    planes = np.minimum(planes, 255 - _GRAIN) + place.noise(_GRAIN).astype(np.uint8)
    return place.numbered(planes)


# Where the head works, from 0 to 255.
_ACTIVE: Final = tuple(
    Ellipsoid(value, centre, (axes[0] * size // 100, axes[1] * size // 100, axes[2] * size // 100), 90, 12)
    for centre, axes in (
        ((-380, -100, 200), (190, 210, 420)),
        ((380, -60, 260), (150, 190, 380)),
        ((150, 520, -100), (200, 130, 330)),
        ((-180, 540, -160), (170, 120, 300)),
    )
    for value, size in ((90, 100), (150, 78), (205, 56), (250, 32))
)


def _rainbow() -> Pixels:
    """Return uint8 (3, 256): red, green and blue of 0 to 255, from blue over green and yellow to red."""
    warm = np.arange(256)
    return np.stack([(warm - 90) * 3, 255 - abs(warm - 130) * 2, 255 - warm * 2]).clip(0, 255).astype(np.uint8)


_RAINBOW: Final = _rainbow()


def _sonogram(place: Place) -> Pixels:
    """Return a grey sector as uint8 pixels (rows, columns, 3), as scanners that can colour send it."""
    grey = pixels.fan(place.rows, place.columns, place.noise(256))
    return place.numbered(np.repeat(grey[:, :, np.newaxis], 3, axis=2))


# Retired in 2004 and last defined in PS3.3-2004 (Hardcopy Equipment and Hardcopy Image modules).
_HARDCOPY: Final = {
    "ImageType": ("DERIVED", "SECONDARY"),
    "PatientOrientation": "",
    "HardcopyDeviceManufacturer": "SYNTHETIC",
    "HardcopyDeviceManufacturerModelName": "SYNTHETIC",
}

HARDCOPY_GRAYSCALE: Final = ImageClass("HC", PixelFormat(bits_stored=12), _film, _HARDCOPY, size=_FILM_SIZE)
HARDCOPY_COLOR: Final = ImageClass(
    modality="HC",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3, by_plane=True),
    paint=_colour_film,
    fixed=_HARDCOPY,
    size=_FILM_SIZE,
)
ULTRASOUND: Final = ImageClass(
    modality="US",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3),
    paint=_sonogram,
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY", "ABDOMINAL"),
        "BodyPartExamined": "ABDOMEN",
        "PatientOrientation": "",
        "LossyImageCompression": "00",
        "UltrasoundColorDataPresent": 0,
    },
    size=(480, 640),
)

CLASSES: Final[Mapping[str, ImageClass]] = MappingProxyType(
    {
        "HardcopyGrayscaleImageStorage": HARDCOPY_GRAYSCALE,
        "HardcopyColorImageStorage": HARDCOPY_COLOR,
        "ComputedRadiographyImageStorage": radiography.CR,
        "DigitalXRayImageStorageForPresentation": radiography.DX_FOR_PRESENTATION,
        "DigitalXRayImageStorageForProcessing": radiography.DX_FOR_PROCESSING,
        "DigitalMammographyXRayImageStorageForPresentation": radiography.MG_FOR_PRESENTATION,
        "DigitalMammographyXRayImageStorageForProcessing": radiography.MG_FOR_PROCESSING,
        "DigitalIntraOralXRayImageStorageForPresentation": radiography.IO_FOR_PRESENTATION,
        "DigitalIntraOralXRayImageStorageForProcessing": radiography.IO_FOR_PROCESSING,
        "CTImageStorage": tomography.CT,
        "MRImageStorage": tomography.MR,
        "EnhancedMRImageStorage": tomography.ENHANCED_MR,
        "UltrasoundImageStorage": ULTRASOUND,
        **EXTENDED,
    }
)
"""Every image class that can be made, by SOP class keyword (PS3.6 Annex A)."""


def image_class(sop_class: SopClass) -> ImageClass:
    """Return how images of `sop_class` are made. Raises ValueError for a class that cannot be made."""
    try:
        return CLASSES[sop_class.keyword]
    except KeyError:
        raise ValueError(f"no images of {sop_class.name} ({sop_class.uid}) can be made") from None
