"""X-ray angiography and radiofluoroscopy: contrast medium on its way, frame by frame (PS3.3 A.14, A.16)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from simulator.synthesis import draws
from simulator.synthesis.canvas import Point, Tube, as_bytes, cloud, curve, plane, reach, softened, tubes
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, millimetres
from simulator.synthesis.pixels import SCALE, Pixels

XA_FRAMES: Final = 12
XRF_FRAMES: Final = 10
XA_FIELD: Final = 200.0
XRF_FIELD: Final = 300.0
"""Millimetres across the shorter side of the detector."""

_XA_FRAME_TIME: Final = "133"
_XRF_FRAME_TIME: Final = "250"

# How far the contrast medium moves from one frame to the next, and how long (in the same units) a place takes to
# fill, stays full, and takes to empty.
_FLOW: Final = 250
_FILLS, _STAYS, _EMPTIES = 200, 900, 1100

# Views of a left coronary artery in turn: positioner angles (LAO/RAO, cranial/caudal), and how the tree turns in the
# picture: x' = (a x + b y) / 1024, y' = (c x + d y) / 1024.
_VIEWS: Final = (
    ("-30", "-20", (1024, 0, 0, 1024)),
    ("-30", "25", (930, 200, -120, 1000)),
    ("45", "25", (-860, 160, 180, 980)),
    ("45", "-30", (-900, -240, -160, 1000)),
)


def _view(place: Place) -> tuple[str, str, tuple[int, int, int, int]]:
    return _VIEWS[(place.number - 1) % len(_VIEWS)]


def _left_coronary(place: Place) -> tuple[Tube, ...]:
    """Return the artery: main stem, its two branches, and side branches that differ from patient to patient."""
    stem = Tube(curve((-250, -560), (-180, -600), (-100, -560), (-30, -500)), 44, 42)
    ways = stem.length()
    descending = Tube(curve((-30, -500), (330, -520), (300, 200), (520, 700)), 38, 12, ways)
    circumflex = Tube(curve((-30, -500), (-300, -260), (-420, 60), (-330, 560)), 34, 10, ways)
    between = Tube(curve((-30, -500), (100, -300), (60, -50), (150, 250)), 24, 8, ways)
    branches = [
        *_side_branches(place, descending, (1, 1, 1, -1, -1, -1, 1)),
        *_side_branches(place, circumflex, (-1, -1, 1, -1)),
    ]
    twigs = [twig for branch in branches for twig in _side_branches(place, branch, (1, -1))]
    return (stem, descending, circumflex, between, *branches, *twigs)


def _side_branches(place: Place, trunk: Tube, sides: tuple[int, ...]) -> list[Tube]:
    grown = []
    count = len(trunk.points) - 1
    for index, side in enumerate(sides):
        step = 1 + (2 * index + 1) * (count - 1) // (2 * len(sides))
        at, before = trunk.points[step], trunk.points[step - 1]
        run, drop = at[0] - before[0], at[1] - before[1]
        size = 330 + draws.number(220, place.series_uid, "branch", trunk.points[-1], index)
        bend = draws.number(120, place.series_uid, "bend", trunk.points[-1], index) - 60
        reach_out = size * (trunk.radius + 10) // 46
        # Down the trunk at first, then more and more away from it.
        scale = max(1, abs(run) + abs(drop))
        ahead = (run * reach_out // scale, drop * reach_out // scale)
        aside = (side * -drop * reach_out // scale, side * run * reach_out // scale)
        middle = (at[0] + (ahead[0] + aside[0]) // 2, at[1] + (ahead[1] + aside[1]) // 2)
        end = (at[0] + ahead[0] + aside[0] + bend, at[1] + ahead[1] + aside[1] + abs(bend))
        start = trunk.start + trunk.length() * step // count
        wide = (trunk.radius + (trunk.end_radius - trunk.radius) * step // count) * 2 // 3
        grown.append(Tube(curve(at, middle, middle, end), max(4, wide), max(3, wide // 3), start))
    return grown


def _turned(tube: Tube, matrix: tuple[int, int, int, int]) -> Tube:
    a, b, c, d = matrix
    points: tuple[Point, ...] = tuple(((a * x + b * y) // SCALE, (c * x + d * y) // SCALE) for x, y in tube.points)
    return Tube(points, tube.radius, tube.end_radius, tube.start)


def _fill(way: Pixels, moment: int) -> Pixels:
    """Return how full of contrast medium (0 to 256) each place is that lies `way` from where it is injected."""
    since = moment - way
    rising = since * 256 // _FILLS
    falling = (_FILLS + _STAYS + _EMPTIES - since) * 256 // _EMPTIES
    return np.asarray(np.minimum(rising, falling).clip(0, 256))


@lru_cache(maxsize=2)
def _thorax(rows: int, columns: int, series_uid: str, number: int) -> Pixels:
    """Return what lies behind the vessels, bright where much X-ray arrives: lung, heart, spine, diaphragm."""
    x, y = plane(rows, columns)
    light = 176 + (cloud(rows, columns, 5, series_uid, number, "lung") - 128) // 8
    light = light - (cloud(rows, columns, 24, series_uid, number, "markings") - 128) // 16
    heart = (SCALE - reach(x, y, (60, 40), (820, 860))).clip(0, 500)
    light = light - heart * 40 // 500
    vertebra = 22 + ((y + 4096) % 300 < 40) * -9
    light = light - np.where(abs(x + 640 + y // 8) < 170, vertebra, 0)
    dome = (SCALE - reach(x, y, (200, 1180), (1250, 560))).clip(0, 300)
    return softened(light - dome * 50 // 300, max(1, min(rows, columns) // 128))


def _angiogram(place: Place) -> Pixels:
    """Return uint8 frames (12, rows, columns): contrast medium through the left coronary artery of a beating heart."""
    matrix = _view(place)[2]
    x, y = plane(place.rows, place.columns)
    tree = [_turned(tube, matrix) for tube in _left_coronary(place)]
    ostium = tree[0].points[0]
    catheter = Tube(curve((ostium[0] - 60, -1400), (ostium[0] - 420, -700), (ostium[0] - 260, -430), ostium), 22, 20)
    tip, _ = tubes(x, y, [catheter])
    ground = _thorax(place.rows, place.columns, place.series_uid, place.number)
    field = reach(x, y, (0, 0), (SCALE, SCALE)) < SCALE * 9 // 8
    frames = []
    for frame in range(XA_FRAMES):
        # The heart beats once in six frames, and draws the vessels together.
        beat = (0, 14, 34, 40, 22, 8)[frame % 6]
        chord, way = tubes(x * (SCALE + beat) // SCALE, (y - beat) * (SCALE + beat) // SCALE, tree)
        shadow = chord * _fill(way, (frame - 1) * _FLOW) // 256
        # Through thick vessels less is added than through thin ones, as intensities fall by a factor.
        dark = shadow * 150 // (shadow + 70) + tip * 40 // (tip + 30)
        grain = (place.noise(16, frame).astype(np.int64) + place.noise(16, frame + XA_FRAMES)) - 15
        frames.append(as_bytes(np.where(field, ground - softened(dark, place.rows // 512) + grain, 6)))
    return np.stack(frames)


_GULLET: Final = curve((-40, -1400), (30, -500), (-40, 100), (60, 620))
_STOMACH: Final = ((330, 800), (370, 250))
"""Centre and half axes."""


def _swallow(place: Place) -> Pixels:
    """Return uint8 frames (10, rows, columns): a mouthful of barium going down the oesophagus, behind it the spine."""
    x, y = plane(place.rows, place.columns)
    ground = _chest_wall(place, x, y)
    start = Tube(_GULLET, 62, 50).length()
    gullet, way = tubes(x, y, [Tube(_GULLET, 62, 50)])
    # What is near the wall lags behind, which rounds the front.
    way = way + (124 - gullet)
    stomach = np.sqrt((SCALE - reach(x, y, *_STOMACH)).clip(0).astype(np.float64) * SCALE).astype(np.int64) // 5
    coat, _ = tubes(x, y, [Tube(_GULLET, 30, 24)])
    folds = cloud(place.rows, place.columns, 40, place.series_uid, place.number, "folds")
    frames = []
    for frame in range(XRF_FRAMES):
        head = (frame + 2) * (start + 700) // XRF_FRAMES
        # Full at the front, drawn out to a tail; what arrives in the stomach lies at its bottom, air above it.
        front = (head - way).clip(0, 90) * 256 // 90
        tail = ((way - head + 900).clip(0, 500)) * 256 // 500
        bolus = np.minimum(front, tail)
        level = 1060 - (head - start) // 3 if head > start else 4 * SCALE
        meal = np.where(y > level, stomach, -stomach // 8)
        passed = (head - way).clip(0, 256) * folds // 256
        shadow = gullet * bolus // 256 + coat * passed // 400 + meal
        dark = shadow * 130 // (abs(shadow) + 70)
        grain = place.noise(24, frame).astype(np.int64) + place.noise(24, frame + XRF_FRAMES) - 23
        frames.append(as_bytes(ground - softened(dark, max(1, place.rows // 256)) + grain))
    return np.stack(frames)


def _chest_wall(place: Place, x: Pixels, y: Pixels) -> Pixels:
    light = 168 + (cloud(place.rows, place.columns, 6, place.series_uid, place.number, "wall") - 128) // 10
    mediastinum = (SCALE - reach(x, y, (40, 200), (430, 1300))).clip(0, 600)
    light = light - mediastinum * 55 // 600
    inside = abs(x + 20) < 200 - abs((y + 4096) % 260 - 150) // 5
    disc = (y + 4096) % 260 < 44
    light = light - np.where(inside, np.where(disc, 12, 30), 0)
    ribs = [
        Tube(
            curve((side * 170, top), (side * 520, top - 130), (side * 900, top + 90), (side * 1130, top + 520)), 52, 46
        )
        for side in (-1, 1)
        for top in range(-1150, 1100, 330)
    ]
    light = light - tubes(x, y, ribs)[0] // 9
    dome = (SCALE - reach(x, y, (-520, 1250), (760, 520))).clip(0, 260)
    dome = np.maximum(dome, (SCALE - reach(x, y, (560, 1300), (760, 500))).clip(0, 260))
    return softened(light - dome * 50 // 260, max(1, place.rows // 256))


_CINE: Final[Attributes] = {
    "FrameIncrementPointer": 0x00181063,  # Frame Time
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PatientOrientation": ("L", "F"),
    "PixelIntensityRelationship": "LIN",
    "RadiationSetting": "GR",
    "RadiationMode": "PULSED",
    "FieldOfViewShape": "RECTANGLE",
    "WindowCenter": "128",
    "WindowWidth": "256",
}


def _imager_spacing(field: float, place: Place) -> Attributes:
    return {"ImagerPixelSpacing": (millimetres(field / min(place.rows, place.columns)),) * 2}


def _positioner_angles(place: Place) -> Attributes:
    primary, secondary, _ = _view(place)
    return {"PositionerPrimaryAngle": primary, "PositionerSecondaryAngle": secondary}


XRAY_ANGIOGRAPHIC: Final = ImageClass(
    modality="XA",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8),
    paint=_angiogram,
    frames=XA_FRAMES,
    size=(512, 512),
    fixed={
        **_CINE,
        "ImageType": ("ORIGINAL", "PRIMARY", "SINGLE PLANE"),
        "BodyPartExamined": "HEART",
        "FrameTime": _XA_FRAME_TIME,
        "CineRate": "8",
        "KVP": "75",
        "XRayTubeCurrent": "450",
        "ExposureTime": "6",
        "ContrastBolusAgent": "IODINE",
        "ContrastBolusRoute": "INTRA-ARTERIAL",
        "PositionerMotion": "STATIC",
        "DistanceSourceToDetector": "1000",
        "DistanceSourceToPatient": "700",
    },
    of_series=lambda place: _imager_spacing(XA_FIELD, place),
    of_instance=_positioner_angles,
)
XRAY_RADIOFLUOROSCOPIC: Final = ImageClass(
    modality="RF",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8),
    paint=_swallow,
    frames=XRF_FRAMES,
    size=(512, 512),
    fixed={
        **_CINE,
        "ImageType": ("ORIGINAL", "PRIMARY", "SINGLE PLANE"),
        "BodyPartExamined": "ESOPHAGUS",
        "FrameTime": _XRF_FRAME_TIME,
        "CineRate": "4",
        "KVP": "80",
        "XRayTubeCurrent": "30",
        "ExposureTime": "8",
        "ContrastBolusAgent": "BARIUM SULFATE",
        "ContrastBolusRoute": "ORAL",
    },
    of_series=lambda place: _imager_spacing(XRF_FIELD, place),
)
