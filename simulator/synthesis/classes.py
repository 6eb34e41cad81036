"""The thirteen image classes of the slide's table, each with what makes an instance of it valid.

They are found by the keyword of the SOP class, not by its UID: a site may use For Processing under the UID
that the slide prints (see `rules.sop_classes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from simulator.rules.sop_classes import SopClass
from simulator.synthesis import pixels, radiography, tomography
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place
from simulator.synthesis.pixels import Pixels


def _film(place: Place) -> Pixels:
    """Return a sheet of film as 12-bit uint16: slices two by two, with a grey wedge along the lower edge."""
    height, width = place.rows // 2, place.columns // 2
    sheet = np.zeros((place.rows, place.columns), np.uint16)
    for cell in range(4):
        top, left = cell // 2 * height, cell % 2 * width
        depth = place.depth(cell, 4)
        cut = pixels.slice_at(depth, pixels.ABDOMEN, pixels.ABDOMEN_AIR, height, width)
        # Printed through a window of 400 HU, since film has no other.
        printed = (cut.astype(np.int64) - 864).clip(0, 400) * 10
        sheet[top : top + height, left : left + width] = printed
    wedge = max(1, place.rows // 16)
    sheet[-wedge:] = pixels.ramp(4000, wedge, place.columns)
    return sheet + place.noise(16)


def _colour_film(place: Place) -> Pixels:
    """Return a sheet of film as uint8 planes (3, rows, columns): red, green, blue."""
    grey = pixels.slice_at(place.depth(), pixels.BRAIN, pixels.BRAIN_AIR, place.rows, place.columns) // 8
    warm = np.broadcast_to(pixels.ramp(64, place.rows, place.columns), grey.shape)
    planes = np.stack([grey + warm, grey + place.noise(16), grey + 64 - warm])
    return planes.clip(0, 255).astype(np.uint8)


def _sonogram(place: Place) -> Pixels:
    """Return a grey sector as uint8 pixels (rows, columns, 3), as scanners that can colour send it."""
    grey = pixels.fan(place.rows, place.columns, place.noise(256))
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


# Retired in 2004 and last defined in PS3.3-2004 (Hardcopy Equipment and Hardcopy Image modules).
_HARDCOPY: Final = {
    "ImageType": ("DERIVED", "SECONDARY"),
    "PatientOrientation": "",
    "HardcopyDeviceManufacturer": "SYNTHETIC",
    "HardcopyDeviceManufacturerModelName": "SYNTHETIC",
}

HARDCOPY_GRAYSCALE: Final = ImageClass("HC", PixelFormat(bits_stored=12), _film, _HARDCOPY)
HARDCOPY_COLOR: Final = ImageClass(
    modality="HC",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3, by_plane=True),
    paint=_colour_film,
    fixed=_HARDCOPY,
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
    }
)
"""Every image class that can be made, by SOP class keyword (PS3.6 Annex A)."""


def image_class(sop_class: SopClass) -> ImageClass:
    """Return how images of `sop_class` are made. Raises ValueError for a class that cannot be made."""
    try:
        return CLASSES[sop_class.keyword]
    except KeyError:
        raise ValueError(f"no images of {sop_class.name} ({sop_class.uid}) can be made") from None
