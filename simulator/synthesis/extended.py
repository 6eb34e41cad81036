"""The image classes that a site has in the profile `extended` (see `rules.sop_classes.EXTENDED_CLASSES`).

Ultrasound cine stands here; the others have files of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from simulator.synthesis import secondary_capture
from simulator.synthesis.angiography import XRAY_ANGIOGRAPHIC, XRAY_RADIOFLUOROSCOPIC
from simulator.synthesis.canvas import Point, Tube, as_bytes, cloud, mixed, plane, reach, shaded, softened, tubes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place
from simulator.synthesis.nuclear import NUCLEAR_MEDICINE
from simulator.synthesis.pixels import SCALE, Pixels
from simulator.synthesis.positron_emission import POSITRON_EMISSION
from simulator.synthesis.visible_light import VL_ENDOSCOPIC, VL_MICROSCOPIC, VL_PHOTOGRAPHIC, VL_SLIDE_COORDINATES

# A heart in four chambers, seen from its apex.
US_FRAMES: Final = 10
_US_FRAME_TIME: Final = "80"
_SQUEEZE: Final = (0, 30, 120, 230, 300, 290, 200, 100, 40, 10)
"""How far the ventricles have drawn together in each frame of one beat, in 1/1024."""

_HEART: Final = ((0, 70), (590, 820))
_VENTRICLES: Final = (((235, -150), (225, 470)), ((-245, -100), (190, 400)))
_ATRIA: Final = (((225, 570), (205, 220)), ((-235, 550), (195, 210)))
_BEAT: Final = (0, 0, -6, -12, -6, 0, 0, 10, -90, 40, 0, 0, -4, -16, -24, -14, 0, 0, 0, 0)
"""An electrocardiogram of one beat, in units of height."""


def _chambers(x: Pixels, y: Pixels, frame: int) -> tuple[Pixels, Pixels]:
    """Return how deep each pixel lies in a ventricle and in any chamber (0 outside)."""
    squeeze = _SQUEEZE[frame % US_FRAMES]
    ventricles, chambers = np.zeros_like(x + y), np.zeros_like(x + y)
    for group, share in ((_VENTRICLES, SCALE - squeeze), (_ATRIA, SCALE - 150 + squeeze // 2)):
        for centre, (a, b) in group:
            inside = (SCALE - reach(x, y, centre, (a * share // SCALE, b * (SCALE + share) // (2 * SCALE)))).clip(0)
            chambers = np.maximum(chambers, inside)
            if group is _VENTRICLES:
                ventricles = np.maximum(ventricles, inside)
    return ventricles, chambers


def _emptying(frame: int) -> bool:
    """Return whether the ventricles are drawing together in this frame."""
    return _SQUEEZE[frame % US_FRAMES] > _SQUEEZE[(frame - 1) % US_FRAMES]


def _leaflets(frame: int) -> list[Tube]:
    """Return the two valves between atria and ventricles: shut while the ventricles squeeze, else open."""
    opened = 0 if _emptying(frame) else 150
    return [
        Tube(((middle + side * 200, 330), (middle + side * (opened * 2 // 3 + 8), 330 - opened)), 16, 10)
        for middle in (-310, 165)
        for side in (-1, 1)
    ]


def _heartbeat(place: Place) -> Pixels:
    """Return uint8 frames (10, rows, columns, 3): a beating heart with coloured flow, and its electrocardiogram."""
    x, y = plane(place.rows, place.columns)
    depth = y + 1060
    sector = (x * x + depth * depth <= 1980**2) & (abs(x) * 10 <= depth * 8) & (depth > 40)
    texture = cloud(place.rows, place.columns, 60, place.series_uid, place.number, "muscle")
    leaning = x + y // 8 + 30  # the heart lies aslant
    muscle = reach(leaning, y, *_HEART) + (
        cloud(place.rows, place.columns, 5, place.series_uid, place.number, "shape") - 128
    )
    tissue = np.where(muscle < SCALE, 84, 40) + np.where(abs(muscle - SCALE) < 70, 60, 0)
    frames = []
    for frame in range(US_FRAMES):
        ventricles, chambers = _chambers(leaning, y, frame)
        valves, _ = tubes(x, y, _leaflets(frame))
        wall = np.where(chambers == 0, tissue, 12)
        echo = softened(np.where(valves > 0, 150, wall), max(1, place.rows // 300), times=1)
        speckle = (softened(place.noise(256, frame), 1, times=1) * 3 - 256 + texture).clip(0, 400)
        grey = echo * (60 + speckle) // 200 * (3300 - depth) // 2600
        picture = np.where(sector, grey, 0)[:, :, np.newaxis] * np.array((100, 100, 96)) // 100
        picture = _with_flow(picture, ventricles * sector, frame, texture)
        frames.append(as_bytes(_with_trace(picture, x, y, frame)))
    return np.stack(frames)


def _with_flow(picture: Pixels, ventricles: Pixels, frame: int, texture: Pixels) -> Pixels:
    """Colour the blood: red towards the probe while the ventricles fill, blue away from it while they empty."""
    colour = (30, 90, 250) if _emptying(frame) else (250, 60, 30)
    jet = (ventricles - 520 + (texture - 128) * 3).clip(0, 400)
    return np.where((jet > 0)[:, :, np.newaxis], shaded(colour, 120 + jet // 3), picture)


def _with_trace(picture: Pixels, x: Pixels, y: Pixels, frame: int) -> Pixels:
    step = 2 * 1200 // (3 * len(_BEAT))
    line: tuple[Point, ...] = tuple((-1200 + step * at, 930 + _BEAT[at % len(_BEAT)]) for at in range(3 * len(_BEAT)))
    below = slice(int(np.searchsorted(y.ravel(), 820)), None)
    stroke, _ = tubes(x, y[below], [Tube(line, 5, 5)])
    now = line[(len(_BEAT) + frame * len(_BEAT) // US_FRAMES) % len(line)]
    dot, _ = tubes(x, y[below], [Tube((now, now), 18, 18)])
    drawn = mixed(picture[below], (60, 220, 90), (stroke * 40).clip(0, 230))
    picture[below] = mixed(drawn, (255, 255, 255), (dot * 40).clip(0, 256))
    return picture


ULTRASOUND_MULTI_FRAME: Final = ImageClass(
    modality="US",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3),
    paint=_heartbeat,
    frames=US_FRAMES,
    size=(480, 640),
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY"),
        "BodyPartExamined": "HEART",
        "PatientOrientation": "",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "UltrasoundColorDataPresent": 1,
        "FrameIncrementPointer": 0x00181063,  # Frame Time
        "FrameTime": _US_FRAME_TIME,
        "CineRate": "12",
        "HeartRate": "75",
    },
)

EXTENDED: Final[Mapping[str, ImageClass]] = MappingProxyType(
    {
        "UltrasoundMultiFrameImageStorage": ULTRASOUND_MULTI_FRAME,
        "SecondaryCaptureImageStorage": secondary_capture.SECONDARY_CAPTURE,
        "MultiFrameSingleBitSecondaryCaptureImageStorage": secondary_capture.SINGLE_BIT,
        "MultiFrameGrayscaleByteSecondaryCaptureImageStorage": secondary_capture.GRAYSCALE_BYTE,
        "MultiFrameGrayscaleWordSecondaryCaptureImageStorage": secondary_capture.GRAYSCALE_WORD,
        "MultiFrameTrueColorSecondaryCaptureImageStorage": secondary_capture.TRUE_COLOR,
        "XRayAngiographicImageStorage": XRAY_ANGIOGRAPHIC,
        "XRayRadiofluoroscopicImageStorage": XRAY_RADIOFLUOROSCOPIC,
        "NuclearMedicineImageStorage": NUCLEAR_MEDICINE,
        "VLEndoscopicImageStorage": VL_ENDOSCOPIC,
        "VLMicroscopicImageStorage": VL_MICROSCOPIC,
        "VLSlideCoordinatesMicroscopicImageStorage": VL_SLIDE_COORDINATES,
        "VLPhotographicImageStorage": VL_PHOTOGRAPHIC,
        "PositronEmissionTomographyImageStorage": POSITRON_EMISSION,
    }
)
"""The image classes beyond the slide's table, by SOP class keyword (PS3.6 Annex A)."""
