"""Phantoms as NumPy arrays: bodies of ellipsoids, cut into slices (CT, MR) or projected (X-ray), and a fan (US).

Lengths are in 1/1024 of half the picture's width or height, so one phantom fits every size from 16x16 up.
Depth `z` runs from -1024 to 1024 through the body. Arithmetic is on integers, or on the IEEE operations that
are exactly rounded everywhere (sqrt included; sine or exponential would differ between machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.synthesis import draws

Pixels = NDArray[Any]
"""Unsigned samples, uint8 or uint16: (rows, columns), or with a leading axis for frames or colour planes."""

SCALE: Final = 1024
_NOISE_TILE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A part of a body: what it adds or paints, its centre (x right, y down, z deep) and its half axes."""

    value: int
    centre: tuple[int, int, int]
    axes: tuple[int, int, int]


# Stored values are Hounsfield units + 1024: air 24, lung 224, fat 924, soft tissue 1064, bone 1824.
ABDOMEN_AIR: Final = 24
ABDOMEN: Final = (
    Ellipsoid(924, (0, 0, 0), (860, 640, 1800)),
    Ellipsoid(1064, (0, 0, 0), (780, 560, 1700)),
    Ellipsoid(1104, (-330, -80, -300), (360, 330, 900)),
    Ellipsoid(1094, (430, -20, -500), (170, 240, 500)),
    Ellipsoid(1074, (-300, 260, 250), (120, 120, 500)),
    Ellipsoid(1074, (300, 260, 250), (120, 120, 500)),
    Ellipsoid(1144, (60, 160, 0), (70, 70, 1700)),
    Ellipsoid(1824, (0, 360, 0), (130, 120, 2400)),
    Ellipsoid(1034, (0, 360, 0), (45, 45, 2400)),
    Ellipsoid(124, (160, -280, 100), (180, 90, 420)),
)
# T1-like signal: fluid dark, grey matter grey, white matter brighter, scalp fat brightest.
BRAIN_AIR: Final = 8
BRAIN: Final = (
    Ellipsoid(1500, (0, 0, 0), (760, 900, 1500)),
    Ellipsoid(60, (0, 0, 0), (700, 840, 1400)),
    Ellipsoid(620, (0, 0, 0), (650, 790, 1300)),
    Ellipsoid(900, (-300, 0, 0), (260, 600, 1000)),
    Ellipsoid(900, (300, 0, 0), (260, 600, 1000)),
    Ellipsoid(140, (-110, -60, 0), (70, 260, 700)),
    Ellipsoid(140, (110, -60, 0), (70, 260, 700)),
    Ellipsoid(1250, (330, 260, 200), (110, 90, 260)),
)
# For projections `value` is attenuation along a full ray through the middle; air in the lungs takes away.
CHEST: Final = (
    Ellipsoid(1500, (0, 200, 0), (950, 1300, 1)),
    Ellipsoid(-900, (-430, -60, 0), (330, 720, 1)),
    Ellipsoid(-900, (430, -60, 0), (330, 720, 1)),
    Ellipsoid(900, (140, 260, 0), (330, 330, 1)),
    Ellipsoid(1100, (0, 0, 0), (90, 1400, 1)),
    *(Ellipsoid(260, (side * 430, y, 0), (380, 38, 1)) for side in (-1, 1) for y in range(-600, 601, 200)),
)
# The chest wall is on the left edge; a right breast is the mirror image.
BREAST: Final = (
    Ellipsoid(1300, (-1024, 0, 0), (1350, 860, 1)),
    Ellipsoid(700, (-700, -40, 0), (700, 520, 1)),
    Ellipsoid(700, (-330, 160, 0), (90, 80, 1)),
    *(Ellipsoid(900, (-360 + 30 * step, 80 + 26 * (step % 3), 0), (14, 14, 1)) for step in range(6)),
)
PECTORAL: Final = Ellipsoid(500, (-1024, -900, 0), (520, 700, 1))
"""The muscle that an oblique view shows above the breast, and a cranio-caudal one does not."""

TEETH: Final = (
    Ellipsoid(500, (0, 300, 0), (1500, 900, 1)),
    *(Ellipsoid(1500, (x, 60, 0), (260, 760, 1)) for x in (-620, 0, 620)),
    *(Ellipsoid(700, (x, -420, 0), (280, 280, 1)) for x in (-620, 0, 620)),
    *(Ellipsoid(-500, (x, 200, 0), (50, 460, 1)) for x in (-620, 0, 620)),
    Ellipsoid(1300, (90, -440, 0), (110, 90, 1)),
)


def slice_at(z: int, body: Sequence[Ellipsoid], air: int, rows: int, columns: int) -> Pixels:
    """Return the cut through `body` at depth `z` as (rows, columns) uint16; later parts cover earlier ones."""
    x, y = _axes(rows, columns)
    picture = np.full((rows, columns), air, np.uint16)
    for part in body:
        depth = part.axes[2] ** 2 - (z - part.centre[2]) ** 2
        if depth <= 0:
            continue
        # The half axes shrink with the distance from the centre, in proportion to this root.
        root = isqrt(depth)
        a = max(1, part.axes[0] * root // part.axes[2])
        b = max(1, part.axes[1] * root // part.axes[2])
        across, down = _span(part.centre[0], a, columns), _span(part.centre[1], b, rows)
        inside = ((x[:, across] - part.centre[0]) * b) ** 2 + ((y[down] - part.centre[1]) * a) ** 2 <= (a * b) ** 2
        picture[down, across][inside] = part.value
    return picture


def _span(centre: int, half: int, size: int) -> slice:
    """Return the pixels of a row or column of `size` that lie between `centre` - `half` and `centre` + `half`."""
    first = (centre - half + SCALE) * size // (2 * SCALE) - 1
    last = (centre + half + SCALE) * size // (2 * SCALE) + 1
    return slice(max(0, first), max(0, last + 1))


def projection(body: Sequence[Ellipsoid], rows: int, columns: int) -> Pixels:
    """Return the attenuation of X-rays through `body` along z as (rows, columns) int64, never negative."""
    x, y = _axes(rows, columns)
    total = np.zeros((rows, columns), np.int64)
    for part in body:
        across = ((x - part.centre[0]) / part.axes[0]) ** 2
        down = ((y - part.centre[1]) / part.axes[1]) ** 2
        total += (part.value * np.sqrt(np.maximum(1.0 - across - down, 0.0))).astype(np.int64)
    return np.maximum(total, 0)


def fan(rows: int, columns: int, speckle: Pixels) -> Pixels:
    """Return an ultrasound sector as (rows, columns) uint8: tissue as `speckle` (0-255), two dark cysts."""
    x, y = _axes(rows, columns)
    depth = y + 1400
    reach = x**2 + depth**2
    sector = (reach >= 500**2) & (reach <= 2350**2) & (abs(x) * 10 <= depth * 7)
    echo = 30 + speckle.astype(np.int64) * (2900 - depth) // 4000
    for centre_x, centre_y, radius in ((-250, 150, 220), (330, 420, 130)):
        echo = np.where((x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2, 8, echo)
    return np.where(sector, echo, 0).clip(0, 255).astype(np.uint8)


def noise(amplitude: int, rows: int, columns: int, *parts: object) -> Pixels:
    """Return (rows, columns) of uint16 in [0, `amplitude`), `amplitude` 256 at most, drawn from `parts`.

    Big pictures repeat a tile of 64 Ki samples.
    """
    size = rows * columns
    tile = np.frombuffer(draws.noise(min(size, _NOISE_TILE), *parts), np.uint8)
    scaled = (tile.astype(np.uint16) * np.uint16(amplitude)) >> np.uint16(8)
    return np.resize(scaled, size).reshape(rows, columns)


def ramp(limit: int, rows: int, columns: int) -> Pixels:
    """Return a step from 0 at the left to just under `limit` at the right, as (rows, columns) int64."""
    steps = np.arange(columns, dtype=np.int64) * limit // columns
    return np.broadcast_to(steps, (rows, columns))


@lru_cache(maxsize=16)
def _axes(rows: int, columns: int) -> tuple[Pixels, Pixels]:
    """Return x as (1, columns) and y as (rows, 1), pixel centres from -1024 to 1024."""
    x = ((2 * np.arange(columns, dtype=np.int64) + 1) * SCALE) // columns - SCALE
    y = ((2 * np.arange(rows, dtype=np.int64) + 1) * SCALE) // rows - SCALE
    # The cache hands the same arrays to everyone.
    x.flags.writeable = y.flags.writeable = False
    return x.reshape(1, columns), y.reshape(rows, 1)
