"""CR, DX, mammography and intra-oral X-ray: projections, for presentation and for processing (PS3.3 C.8.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from simulator.synthesis import pixels
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.pixels import Ellipsoid, Pixels

_WHITE: Final = 4095
"""The greatest 12-bit sample."""


def _exposure(body: tuple[Ellipsoid, ...], place: Place) -> Pixels:
    """Return the projection of `body` with noise as 12-bit uint16; thick parts are bright."""
    attenuation = pixels.projection(body, place.rows, place.columns) + place.noise(64)
    clipped: Pixels = np.minimum(attenuation, _WHITE).astype(np.uint16)
    return clipped


def _chest(place: Place) -> Pixels:
    return _exposure(pixels.CHEST, place)


def _teeth(place: Place) -> Pixels:
    return _exposure(pixels.TEETH, place)


def _breast(place: Place) -> Pixels:
    view = _view(place)
    body = (*pixels.BREAST, pixels.PECTORAL) if view["ViewPosition"] == "MLO" else pixels.BREAST
    picture = _exposure(body, place)
    # Chest wall on the left for a left breast; a right breast is hung as its mirror image.
    return picture if view["ImageLaterality"] == "L" else np.ascontiguousarray(picture[:, ::-1])


def _raw(paint: Callable[[Place], Pixels]) -> Callable[[Place], Pixels]:
    """Turn a picture round, as a detector gives it: much X-ray, great value."""
    return lambda place: (_WHITE - paint(place)).astype(np.uint16)


def _imager_spacing(width: float) -> Callable[[Place], Attributes]:
    """Return Imager Pixel Spacing for a detector of `width` mm with square pixels (no Pixel Aspect Ratio)."""
    return lambda place: {"ImagerPixelSpacing": (millimetres(width / place.columns),) * 2}


# What the DX, MG and IO IODs have in common: DX Image, DX Detector and Acquisition Context modules.
_DIGITAL: Final[Attributes] = {
    "PixelIntensityRelationship": "LOG",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "US",
    "LossyImageCompression": "00",
    "BurnedInAnnotation": "NO",
    "DetectorType": "DIRECT",
    "AcquisitionContextSequence": (),
}
# PS3.3 C.8.11.3: VOI LUT Module required for presentation and forbidden for processing; sign -1 where a greater
# value means less X-ray; the LUT shape says the same as the photometric interpretation.
_FOR_PRESENTATION: Final[Attributes] = {
    "PresentationIntentType": "FOR PRESENTATION",
    "ImageType": ("DERIVED", "PRIMARY"),
    "PixelIntensityRelationshipSign": -1,
    "PresentationLUTShape": "IDENTITY",
    "WindowCenter": "2048",
    "WindowWidth": "4096",
}
_FOR_PROCESSING: Final[Attributes] = {
    "PresentationIntentType": "FOR PROCESSING",
    "ImageType": ("ORIGINAL", "PRIMARY"),
    "PixelIntensityRelationshipSign": 1,
    "PresentationLUTShape": "INVERSE",
}
_PRESENTED: Final = PixelFormat(bits_stored=12)
_PROCESSED: Final = PixelFormat(bits_stored=12, photometric="MONOCHROME1")

_DX: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "ViewCodeSequence": (code("272479007", "SCT", "postero-anterior"),),
    "PositionerType": "COLUMN",
    "PatientOrientation": ("L", "F"),
    "ImageLaterality": "U",
    "AnatomicRegionSequence": (code("816094009", "SCT", "Chest"),),
    "KVP": "110",
}
_MG: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "BREAST",
    "OrganExposed": "BREAST",
    "PositionerType": "MAMMOGRAPHIC",
    "BreastImplantPresent": "NO",
    "PartialView": "NO",
    "AnatomicRegionSequence": (code("76752008", "SCT", "Breast"),),
    "KVP": "28",
}
_IO: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "JAW",
    "PositionerType": "NONE",
    "PatientOrientation": ("P", "F"),
    "ImageLaterality": "L",
    "AnatomicRegionSequence": (code("661005", "SCT", "Jaw region"),),
    # PS3.16 CID 4018, from left to right in the picture.
    "PrimaryAnatomicStructureSequence": (
        code("24573005", "SCT", "Mandibular left second premolar tooth"),
        code("866006002", "SCT", "Mandibular left first molar tooth"),
        code("863898000", "SCT", "Mandibular left second molar tooth"),
    ),
    "KVP": "65",
}

# PS3.16 CID 4014. A screening series goes round these four, so a series of four is a whole examination.
_CC: Final = {**code("399162004", "SCT", "cranio-caudal"), "ViewModifierCodeSequence": ()}
_MLO: Final = {**code("399368009", "SCT", "medio-lateral oblique"), "ViewModifierCodeSequence": ()}


def _breast_view(laterality: str, position: str, view: Attributes, orientation: tuple[str, str]) -> Attributes:
    return {
        "ImageLaterality": laterality,
        "ViewPosition": position,
        "ViewCodeSequence": (view,),
        "PatientOrientation": orientation,
    }


_BREAST_VIEWS: Final = (
    _breast_view("R", "CC", _CC, ("P", "L")),
    _breast_view("L", "CC", _CC, ("A", "R")),
    _breast_view("R", "MLO", _MLO, ("P", "FL")),
    _breast_view("L", "MLO", _MLO, ("A", "FR")),
)


def _view(place: Place) -> Attributes:
    return _BREAST_VIEWS[(place.number - 1) % len(_BREAST_VIEWS)]


CR: Final = ImageClass(
    modality="CR",
    pixels=_PRESENTED,
    paint=_chest,
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY"),
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientOrientation": ("L", "F"),
        "KVP": "110",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    },
    of_series=_imager_spacing(430.0),
)
DX_FOR_PRESENTATION: Final = ImageClass("DX", _PRESENTED, _chest, {**_DX, **_FOR_PRESENTATION}, _imager_spacing(430.0))
DX_FOR_PROCESSING: Final = ImageClass(
    "DX", _PROCESSED, _raw(_chest), {**_DX, **_FOR_PROCESSING}, _imager_spacing(430.0)
)
MG_FOR_PRESENTATION: Final = ImageClass(
    "MG", _PRESENTED, _breast, {**_MG, **_FOR_PRESENTATION}, _imager_spacing(240.0), _view
)
MG_FOR_PROCESSING: Final = ImageClass(
    "MG", _PROCESSED, _raw(_breast), {**_MG, **_FOR_PROCESSING}, _imager_spacing(240.0), _view
)
IO_FOR_PRESENTATION: Final = ImageClass("IO", _PRESENTED, _teeth, {**_IO, **_FOR_PRESENTATION}, _imager_spacing(30.0))
IO_FOR_PROCESSING: Final = ImageClass("IO", _PROCESSED, _raw(_teeth), {**_IO, **_FOR_PROCESSING}, _imager_spacing(30.0))
