"""Positron emission tomography: axial slices of what takes up FDG, in Bq/ml (PS3.3 A.21)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from simulator.synthesis import draws, pixels
from simulator.synthesis.canvas import softened
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.nuclear import SUPINE
from simulator.synthesis.pixels import Ellipsoid, Pixels
from simulator.synthesis.uids import uid

PET_FIELD: Final = 550.0
"""Millimetres across the picture, both ways."""

PET_SLICE_SPACING: Final = 4.0
"""Millimetres from one slice to the next."""

_PET_SLOPE: Final = "2.5"
"""Bq/ml for one step of a stored value."""

# From the thighs (-1024) to the crown (1024); half axes and centres in 1/1024 of half the field and of half the way.
_TRACER_AIR: Final = 40
_BODY: Final = (
    Ellipsoid(1100, (0, 0, -420), (640, 430, 1150)),
    Ellipsoid(1100, (0, 40, 800), (300, 360, 380)),
    Ellipsoid(500, (-290, -40, 190), (220, 270, 330)),  # lungs
    Ellipsoid(500, (290, -40, 190), (220, 270, 330)),
    Ellipsoid(3600, (-280, -60, -170), (290, 280, 260)),  # liver
    Ellipsoid(2600, (400, 60, -150), (110, 150, 170)),  # spleen
    Ellipsoid(1900, (0, 250, -150), (80, 80, 800)),  # marrow of the spine
    Ellipsoid(7600, (110, -140, 110), (150, 140, 160)),  # heart
    Ellipsoid(1900, (110, -140, 110), (85, 75, 120)),
    Ellipsoid(8200, (-260, 170, -360), (90, 80, 170)),  # kidneys
    Ellipsoid(8200, (260, 170, -360), (90, 80, 170)),
    Ellipsoid(15000, (0, -130, -800), (150, 120, 170)),  # bladder
    Ellipsoid(12000, (0, 0, 810), (240, 300, 250)),  # brain
    Ellipsoid(5200, (0, 30, 810), (50, 150, 160)),  # ventricles
)
_LESIONS: Final = (
    Ellipsoid(11000, (-330, -80, 260), (60, 60, 130)),
    Ellipsoid(9000, (60, 40, 330), (55, 55, 130)),
    Ellipsoid(10000, (-180, -160, -160), (60, 60, 130)),
    Ellipsoid(9500, (230, 40, -620), (55, 60, 130)),
)


def _uptake(place: Place) -> Pixels:
    """Return an axial slice (rows, columns) of uint16, 2.5 Bq/ml a step: FDG in organs and in some of the lesions."""
    lesions = _LESIONS[draws.number(len(_LESIONS), place.series_uid, "lesions") :]
    cut = pixels.slice_at(place.depth(), (*_BODY, *lesions), _TRACER_AIR, place.rows, place.columns)
    # A camera sees no edges, only what has run together, and noise that has done so too.
    blur = max(1, min(place.rows, place.columns) // 80)
    drawn = softened(place.noise(256), 1, times=1).astype(np.int64) - 127
    soft = softened(cut, blur)
    noisy = soft + drawn * np.sqrt(soft.astype(np.float64)).astype(np.int64) // 24
    return noisy.clip(0, 65535).astype(np.uint16)


def _square(place: Place) -> tuple[str, str]:
    return millimetres(PET_FIELD / place.rows), millimetres(PET_FIELD / place.columns)


def _pet_series(place: Place) -> Attributes:
    return {
        "FrameOfReferenceUID": uid("frame of reference", place.series_uid),
        "PositionReferenceIndicator": "",
        "PixelSpacing": _square(place),
        "SliceThickness": millimetres(PET_SLICE_SPACING),
        "NumberOfSlices": place.count,
        "RadiopharmaceuticalInformationSequence": (
            {
                "Radiopharmaceutical": "FLUORODEOXYGLUCOSE F^18^",
                "RadiopharmaceuticalCodeSequence": (code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),),
                "RadiopharmaceuticalRoute": "INTRAVENOUS",
                "RadionuclideCodeSequence": (code("77004003", "SCT", "^18^Fluorine"),),
                "RadiopharmaceuticalStartDateTime": _an_hour_before(place.performed_at),
                "RadiopharmaceuticalStartTime": _an_hour_before(place.performed_at)[8:],
                "RadionuclideTotalDose": "370000000",
                "RadionuclideHalfLife": "6586.2",
                "RadionuclidePositronFraction": "0.967",
            },
        ),
    }


def _pet_instance(place: Place) -> Attributes:
    height = millimetres((place.number - 1) * PET_SLICE_SPACING)
    x = (PET_FIELD / place.columns - PET_FIELD) / 2
    y = (PET_FIELD / place.rows - PET_FIELD) / 2
    return {
        "ImagePositionPatient": (millimetres(x), millimetres(y), height),
        "SliceLocation": height,
        "ImageIndex": place.number,
    }


def _an_hour_before(performed_at: str) -> str:
    return (datetime.strptime(performed_at, "%Y%m%d%H%M%S") - timedelta(hours=1)).strftime("%Y%m%d%H%M%S")


POSITRON_EMISSION: Final = ImageClass(
    modality="PT",
    pixels=PixelFormat(bits_stored=16, letters=8000),
    paint=_uptake,
    size=(192, 192),
    fixed={
        **SUPINE,
        "ImageType": ("ORIGINAL", "PRIMARY"),
        "BodyPartExamined": "WHOLEBODY",
        "ImageOrientationPatient": ("1", "0", "0", "0", "1", "0"),
        "RescaleIntercept": "0",
        "RescaleSlope": _PET_SLOPE,
        "Units": "BQML",
        "CountsSource": "EMISSION",
        "SeriesType": ("WHOLE BODY", "IMAGE"),
        "CollimatorType": "NONE",
        "CorrectedImage": ("DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"),
        "DecayCorrection": "START",
        "DecayFactor": "1.0",
        "FrameReferenceTime": "0",
        "ActualFrameDuration": "180000",
        "RandomsCorrectionMethod": "DLYD",
        "AttenuationCorrectionMethod": "SYNTHETIC CT",
        "ScatterCorrectionMethod": "SYNTHETIC MODEL",
        "ReconstructionMethod": "SYNTHETIC OSEM",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "WindowCenter": "10000",
        "WindowWidth": "20000",
    },
    of_series=_pet_series,
    of_instance=_pet_instance,
)
