"""Phantoms as NumPy arrays: bodies of ellipsoids, cut into slices (CT, MR) or projected (X-ray), and a fan (US).

Lengths are in units of which 2048 fill the shorter side of a picture, with 0 in its middle: circles stay circles in
every picture from 16x16 up. Depth `z` counts in the same units. Arithmetic is on integers, or on the IEEE
operations that are exactly rounded everywhere (sqrt included; sine or exponential would differ between machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from math import ceil, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.synthesis import draws

Pixels = NDArray[Any]
"""Unsigned samples, uint8 or uint16: (rows, columns), or with a leading axis for frames or colour planes."""

SCALE: Final = 1024
"""Units from the middle of a picture to its nearer edges."""

_KEPT: Final = 1 << 20
"""Pixels of the largest picture whose reliefs and patterns are kept from one slice to the next."""

_BAND: Final = 1 << 18
"""Pixels that are painted at once in larger pictures, so that no size needs much more memory than itself."""

_NOISE_TILE: Final = 1 << 18
"""Samples of noise after which a large picture repeats them."""

_NOISE_STARTS: Final = 1 << 14
"""Places in a series' noise at which one of its pictures may start."""

_NUMBER_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A part of a body: what it adds or paints, its centre (x right, y down, z deep) and its half axes.

    rough: how far its surface strays from the ellipsoid, in 1/1024 of the half axes. waves: how many hills the
    surface has to the width of a picture.
    """

    value: int
    centre: tuple[int, int, int]
    axes: tuple[int, int, int]
    rough: int = 0
    waves: int = 8


ENDLESS: Final = 1 << 20
"""A half axis in depth that makes a part the same in every slice."""


def _pair(
    value: int, centre: tuple[int, int, int], axes: tuple[int, int, int], rough: int = 0, waves: int = 8
) -> tuple[Ellipsoid, ...]:
    """Return a part and its mirror image on the other side of the body."""
    x, y, z = centre
    return tuple(Ellipsoid(value, (side * x, y, z), axes, rough, waves) for side in (-1, 1))


# A trunk from pelvis (z -1024) to lung bases (z 1024); 1024 units are 200 mm. Stored values are Hounsfield units
# + 1024: air 24, lung 174, fat 924, fluid 1034, muscle 1084, enhanced organs 1130 to 1190, bone 1200 and more.
# What is endless comes first: such parts are painted once for all slices.
ABDOMEN_AIR: Final = 24
_ILIUM: Final = ((210, 355, 290), (280, 305, 320), (350, 248, 345), (415, 185, 350), (475, 118, 340), (530, 45, 300))
ABDOMEN: Final = (
    Ellipsoid(914, (0, 0, 0), (890, 610, ENDLESS), 14, 3),
    Ellipsoid(1084, (0, 10, 0), (830, 545, ENDLESS), 14, 3),
    *_pair(930, (170, 420, 0), (30, 130, ENDLESS), 60),
    Ellipsoid(924, (0, -70, 0), (700, 405, ENDLESS), 30, 5),
    *_pair(1086, (165, 235, 0), (115, 135, ENDLESS), 30),
    Ellipsoid(1500, (0, 300, 0), (132, 108, ENDLESS), 20, 5),
    Ellipsoid(1205, (0, 300, 0), (112, 90, ENDLESS), 20, 9),
    Ellipsoid(1480, (0, 440, 0), (85, 62, ENDLESS)),
    Ellipsoid(1044, (0, 425, 0), (52, 40, ENDLESS)),
    Ellipsoid(1480, (0, 510, 0), (18, 70, ENDLESS)),
    *_pair(1400, (140, 445, 0), (105, 20, ENDLESS)),
    Ellipsoid(1230, (55, 140, 0), (58, 58, ENDLESS)),
    Ellipsoid(1180, (-85, 130, 0), (68, 52, ENDLESS), 20),
    # Lungs and heart, and what the diaphragm vaults over.
    *_pair(174, (415, -20, 1130), (320, 410, 640), 20),
    Ellipsoid(1104, (60, -120, 1250), (330, 290, 520), 20, 6),
    Ellipsoid(1138, (-350, -40, 470), (350, 350, 430), 60, 4),
    Ellipsoid(1138, (-120, -200, 520), (330, 190, 300), 60, 5),
    *(
        Ellipsoid(1200, (x, y, z), (22 + size, 20, 110), 90, 7)
        for x, y, z, size in ((-420, 60, 560, 20), (-270, -60, 480, 40), (-380, -190, 420, 10), (-200, 90, 380, 20))
    ),
    Ellipsoid(1034, (-230, -250, 150), (90, 100, 180)),
    Ellipsoid(1150, (510, 90, 440), (150, 220, 330), 40, 6),
    Ellipsoid(1062, (310, -170, 520), (250, 200, 290), 60, 5),
    Ellipsoid(30, (310, -260, 520), (180, 80, 210), 30, 5),
    Ellipsoid(1112, (120, -60, 230), (260, 70, 100), 90, 9),
    *_pair(1196, (350, 180, 60), (145, 165, 320), 30),
    *_pair(950, (300, 175, 60), (70, 75, 190), 60),
    # Small bowel, with contrast medium in some loops; large bowel on both sides and in front, with gas in it.
    *(
        Ellipsoid(value, (x, y, z), (120, 96, 150), 110, 9)
        for x, y, z, value in (
            (-330, -230, -160, 1070),
            (-90, -280, -220, 1060),
            (160, -250, -140, 1076),
            (380, -180, -230, 1230),
            (-220, -90, -300, 1064),
            (60, -120, -330, 1210),
            (290, -40, -280, 1070),
            (-300, -200, -480, 1066),
            (-60, -220, -520, 1074),
            (190, -260, -460, 1064),
            (400, -190, -560, 1060),
            (-150, -60, -620, 1200),
            (130, -80, -600, 1068),
            (330, -60, -680, 1074),
            (-340, -60, -640, 1062),
            (-120, -300, -20, 1068),
            (330, -240, 60, 1062),
            (150, -200, 30, 1074),
        )
    ),
    *(
        Ellipsoid(30, (x, y, z), (66, 42, 90), 60, 9)
        for x, y, z in ((-330, -265, -160), (175, -290, -140), (-300, -235, -480), (400, -220, -560), (330, -275, 60))
    ),
    Ellipsoid(1056, (0, -345, 60), (480, 80, 130), 90, 9),
    Ellipsoid(30, (0, -365, 60), (430, 44, 90), 60, 9),
    Ellipsoid(1056, (540, 20, -220), (105, 115, 620), 90, 9),
    Ellipsoid(30, (545, -10, -220), (62, 66, 560), 90, 9),
    Ellipsoid(1056, (-550, 20, -330), (115, 120, 480), 90, 9),
    Ellipsoid(30, (-555, -15, -330), (66, 70, 420), 90, 9),
    # The pelvis: bladder, rectum, wings of the ilium from the sacroiliac joint outwards, heads of the femora.
    Ellipsoid(1044, (0, -130, -930), (250, 190, 200), 20, 4),
    Ellipsoid(1080, (0, 150, -1000), (95, 90, 300), 40, 6),
    *(part for x, y, top in _ILIUM for part in _pair(1500, (x, y, -830), (72, 78, top))),
    *(part for x, y, top in _ILIUM for part in _pair(1210, (x, y, -830), (56, 62, top - 24))),
    *_pair(1480, (545, 110, -1010), (135, 135, 130)),
    *_pair(1230, (545, 110, -1010), (112, 112, 108)),
    # Ribs, as they are met from the side of the pelvis on.
    *(
        part
        for x, y, z, a, b in (
            (770, 20, 900, 30, 110),
            (755, 130, 640, 28, 110),
            (700, 230, 400, 40, 90),
            (570, 370, 760, 100, 32),
            (480, 420, 420, 110, 30),
            (690, -230, 980, 50, 70),
        )
        for part in _pair(1500, (x, y, z), (a, b, 130))
    ),
)
# A head from skull base (z -1024) to crown (z 1024); 1024 units are 120 mm across and 75 mm along. T1-like signal:
# fluid and bone dark, grey matter grey, white matter brighter, fat brightest.
BRAIN_AIR: Final = 30
BRAIN: Final = (
    Ellipsoid(1250, (0, 0, -300), (700, 860, 1500), 8, 4),
    Ellipsoid(90, (0, 0, -300), (658, 818, 1420), 8, 4),
    Ellipsoid(420, (0, 0, -300), (625, 783, 1370), 8, 4),
    Ellipsoid(230, (0, 0, -300), (612, 770, 1350), 8, 4),
    Ellipsoid(660, (0, 0, -300), (594, 752, 1310), 24, 26),
    Ellipsoid(960, (0, 0, -300), (530, 680, 1190), 130, 21),
    Ellipsoid(660, (0, -470, -200), (52, 260, 750), 120, 19),
    Ellipsoid(660, (0, 490, -150), (52, 260, 750), 120, 19),
    Ellipsoid(660, (0, 0, 600), (48, 400, 430), 120, 19),
    Ellipsoid(960, (0, -40, 60), (150, 330, 330), 60, 9),
    *_pair(690, (150, -30, -80), (80, 130, 190), 60),
    *_pair(720, (250, -60, -60), (52, 190, 210), 60),
    *_pair(700, (130, -250, 20), (55, 90, 230), 40),
    *_pair(170, (75, -180, 120), (44, 190, 230), 30),
    *_pair(170, (110, 180, 100), (48, 170, 210), 60),
    Ellipsoid(170, (0, -20, -90), (17, 110, 150)),
    *_pair(230, (480, -90, -200), (120, 22, 380), 240, 9),
    Ellipsoid(230, (0, -510, -200), (11, 230, 700), 60, 9),
    Ellipsoid(230, (0, 530, -150), (11, 230, 650), 60, 9),
    Ellipsoid(230, (0, 0, 600), (11, 380, 410), 60, 9),
    # Below the hemispheres' middle: temporal horns, the cistern over the sella, the temporal poles.
    *_pair(170, (270, 110, -480), (34, 150, 210), 60),
    *_pair(660, (330, -150, -540), (90, 200, 230), 120, 12),
    Ellipsoid(230, (0, -90, -560), (120, 130, 220), 120, 9),
    # The back of the skull base: cerebellum, brain stem, fourth ventricle; and in front orbits and air cells.
    Ellipsoid(640, (0, 440, -900), (430, 250, 330), 60, 26),
    Ellipsoid(930, (0, 410, -900), (310, 140, 260), 300, 26),
    Ellipsoid(230, (0, 160, -900), (200, 170, 330), 60),
    Ellipsoid(900, (0, 150, -880), (120, 130, 470), 20),
    Ellipsoid(170, (0, 285, -860), (55, 40, 140)),
    Ellipsoid(90, (0, -520, -1060), (330, 330, 250), 40, 6),
    Ellipsoid(40, (0, -570, -1060), (70, 190, 220), 60, 9),
    *_pair(1120, (300, -560, -1020), (175, 200, 190), 20),
    *_pair(560, (225, -470, -1000), (22, 130, 60)),
    *_pair(560, (385, -480, -1000), (22, 120, 60)),
    *_pair(240, (310, -620, -1000), (112, 112, 120)),
    *_pair(60, (480, 190, -1040), (90, 120, 200), 200, 12),
)


def axes(rows: int, columns: int, wide: float = 1.0, high: float = 1.0) -> tuple[Pixels, Pixels]:
    """Return x as (1, columns) and y as (rows, 1), float64: where the centres of the pixels are, in units.

    A field of 2048 x `wide` by 2048 x `high` units just fits the picture; 0 is in the middle of it.
    """
    unit = pitch(rows, columns, wide, high)
    x = (2.0 * np.arange(columns) + (1 - columns)) * (unit / 2)
    y = (2.0 * np.arange(rows) + (1 - rows)) * (unit / 2)
    return x.reshape(1, columns), y.reshape(rows, 1)


def pitch(rows: int, columns: int, wide: float = 1.0, high: float = 1.0) -> float:
    """Return the units from one pixel to the next, down as across, in a field as of `axes`."""
    return 2 * SCALE * wide * high / min(columns * high, rows * wide)


def slice_at(z: int, body: Sequence[Ellipsoid], air: int, rows: int, columns: int) -> Pixels:
    """Return the cut through `body` at depth `z` as (rows, columns) uint16, writable.

    A part that is brighter than what lies round its middle covers what is darker than itself; a part that is
    darker covers what is brighter. Values are 0 to 32767, of `air` too. Nearly all that takes time is done once
    for a body and a size.
    """
    parts = tuple(body)
    if rows * columns <= _KEPT:
        return _kept_reliefs(parts, air, rows, columns).cut(z)
    x, y = axes(rows, columns)
    step = max(1, _BAND // columns)
    picture = np.empty((rows, columns), np.uint16)
    for top in range(0, rows, step):
        band = slice(top, min(rows, top + step))
        picture[band] = _Reliefs(parts, air, x, y[band], pitch(rows, columns)).cut(z)
    return picture


@lru_cache(maxsize=4)
def _kept_reliefs(body: tuple[Ellipsoid, ...], air: int, rows: int, columns: int) -> _Reliefs:
    return _Reliefs(body, air, *axes(rows, columns), pitch(rows, columns))


class _Reliefs:
    """A body over a grid of pixels, each part as a hill whose contour lines are its cuts.

    The hill of an ellipsoid is 1 - (x/a)² - (y/b)²; its cut at depth z is where that is more than (z/c)². So a
    slice needs no multiplication: a few comparisons of whole rows, which are quick on contiguous 16-bit numbers.
    """

    def __init__(self, body: tuple[Ellipsoid, ...], air: int, x: Pixels, y: Pixels, unit: float) -> None:
        top = max([air, *(part.value for part in body)])
        hills = [
            _Hill(part, part.value > _around(part, body[:index], air), top, x, y, unit)
            for index, part in enumerate(body)
        ]
        fixed = sum(1 for _ in takewhile(lambda part: part.axes[2] == ENDLESS, body))
        self._template = np.full((y.size, x.size), air, np.uint16)
        for hill in hills[:fixed]:
            hill.cut(0, self._template)
        self._hills = hills[fixed:]

    def cut(self, z: int) -> Pixels:
        picture = self._template.copy()
        for hill in self._hills:
            if abs(z - hill.centre) < hill.axis:
                hill.cut(z, picture)
        return picture


def _around(part: Ellipsoid, earlier: Sequence[Ellipsoid], air: int) -> int:
    """Return the value that `earlier` parts paint at the centre of `part`."""
    x, y, z = part.centre
    for other in reversed(earlier):
        (x0, y0, z0), (a, b, c) = other.centre, other.axes
        if ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 + ((z - z0) / c) ** 2 <= 1:
            return other.value
    return air


class _Hill:
    """One part over the rows that it reaches; heights are uint16, 0 outside."""

    def __init__(self, part: Ellipsoid, rises: bool, top: int, x: Pixels, y: Pixels, unit: float) -> None:
        self.centre, self.axis, self._rises = part.centre[2], part.axes[2], rises
        self._top = np.uint16(top)
        self._contrast = part.value if rises else top - part.value
        a, b = part.axes[0], part.axes[1]
        # Steep enough that the whole contrast is reached within about a pixel of the edge.
        self._steepness = int(
            min(65535.0 - self._contrast, max(2.0 * self._contrast, self._contrast * min(a, b) / (2 * unit)))
        )
        self._middle = part.centre[1]
        self._reach = b * sqrt(1 + 2 * part.rough / SCALE)
        self._top_row, self._rows, self._unit = float(y[0, 0]), y.size, unit
        self._first, last = self._span(1.0)
        down = (y[self._first : last] - part.centre[1]) / b
        across = (x - part.centre[0]) / a
        height = 1.0 - across * across - down * down
        if part.rough:
            bumps = _bumps(x, y[self._first : last], part.waves, part.centre)
            height = height + bumps * (2 * part.rough / SCALE)
        self._height = (height * self._steepness).clip(0, self._steepness).astype(np.uint16)

    def _span(self, root: float) -> tuple[int, int]:
        """Return the first row and the row after the last where the cut is, its half axis being `root` of the whole."""
        middle, half = self._middle - self._top_row, self._reach * root
        first = min(self._rows, max(0, int((middle - half) / self._unit)))
        return first, max(first, min(self._rows, int((middle + half) / self._unit) + 1))

    def cut(self, z: int, picture: Pixels) -> None:
        depth = ((z - self.centre) / self.axis) ** 2
        level = ceil(depth * self._steepness)
        if level >= self._steepness:
            return
        first, last = self._span(min(1.0, sqrt(1.0 - depth) * 1.1 + 0.02))
        height = self._height[first - self._first : last - self._first]
        rows = picture[first:last]
        low, high = np.uint16(level), np.uint16(level + self._contrast)
        shape = np.clip(height, low, high)
        if self._rises:
            shape -= low
            np.maximum(rows, shape, out=rows)
        else:
            np.subtract(np.uint16(self._top + low), shape, out=shape)
            np.minimum(rows, shape, out=rows)


def _bumps(x: Pixels, y: Pixels, waves: int, centre: tuple[int, int, int]) -> Pixels:
    """Return hills and valleys between -1 and 1, `waves` of them to a picture's shorter side."""
    length = 2 * SCALE / waves
    # Three directions, none a multiple of another, shifted so that two parts do not look alike.
    shift = centre[0] * 7 + centre[1] * 3 + centre[2]
    total = np.zeros((y.size, x.size))
    for across, down in ((1.0, 0.375), (-0.625, 1.0), (0.4375, -1.125)):
        phase = (x * across + y * down + shift) / length
        total = total + _wave(phase - np.floor(phase))
    return total / 3


def _wave(phase: Pixels) -> Pixels:
    """Return a smooth wave between -1 and 1 over `phase` from 0 to 1, made of parabolas."""
    swing = 4 * phase - 2
    return np.asarray(swing * (2 - abs(swing)))


def shadow(x: Pixels, y: Pixels, part: Ellipsoid) -> Pixels:
    """Return how much X-ray `part` takes along z at each of `x` and `y` (see `axes`), as int64 (rows, columns).

    `value` is what it takes along the ray through its middle; air takes away.
    """
    across = (x - part.centre[0]) / part.axes[0]
    down = (y - part.centre[1]) / part.axes[1]
    height = 1.0 - across * across - down * down
    if part.rough:
        height = height + _bumps(x, y, part.waves, part.centre) * (2 * part.rough / SCALE)
    return np.asarray((part.value * np.sqrt(np.maximum(height, 0.0))).astype(np.int64))


def noise_at(start: int, amplitude: int, rows: int, columns: int, *parts: object) -> Pixels:
    """Return (rows, columns) of uint16 in [0, `amplitude`) from the noise drawn from `parts`; not writable.

    The noise of `parts` is made once, and different `start`s (any integer of 0 or more) read it from different
    places, one of 16384. Small amounts are less frequent at the ends than in the middle; big pictures repeat
    themselves. `amplitude` is 256 at most.
    """
    size = rows * columns
    tile = _noise_tile(amplitude, min(size, _NOISE_TILE), parts)
    # An odd step goes round all places before it comes back to one.
    first = start * 6151 % _NOISE_STARTS
    found = tile[first : first + min(size, _NOISE_TILE)]
    picture = np.resize(found, size) if size > _NOISE_TILE else found
    return picture.reshape(rows, columns)


@lru_cache(maxsize=4)
def _noise_tile(amplitude: int, size: int, parts: tuple[object, ...]) -> Pixels:
    both = np.frombuffer(draws.noise(2 * (size + _NOISE_STARTS), *parts), np.uint8).astype(np.uint16)
    tile = ((both[0::2] + both[1::2]) * np.uint32(amplitude) // 511).astype(np.uint16)
    tile.flags.writeable = False
    return tile


def numbered(picture: Pixels, number: int) -> Pixels:
    """Return `picture` after writing `number` (below 2**32) into the lowest bits of its last 32 samples, in place.

    So two pictures of different numbers are never equal, and no sample becomes greater than a format with the
    same highest bit allows.
    """
    last = picture.reshape(-1)[-_NUMBER_BITS:]
    last &= picture.dtype.type(np.iinfo(picture.dtype).max - 1)
    last |= ((number >> _BITS) & 1).astype(picture.dtype)
    return picture


_BITS: Final = np.arange(_NUMBER_BITS, dtype=np.int64)


def ramp(limit: int, rows: int, columns: int) -> Pixels:
    """Return a step from 0 at the left to just under `limit` at the right, as (rows, columns) int64."""
    steps = np.arange(columns, dtype=np.int64) * limit // columns
    return np.broadcast_to(steps, (rows, columns))


def fan(rows: int, columns: int, speckle: Pixels) -> Pixels:
    """Return an ultrasound sector as (rows, columns) uint8, black round it, with a scale of depths at its right.

    speckle: (rows, columns) of 0 to 255; it is spread along the beams, so that it widens with the depth.
    What is seen: liver with vessels, a gallbladder and what it enhances, the diaphragm, a kidney.
    """
    sector = _kept_sector if rows * columns <= _KEPT else _sector
    level, near, far, share = sector(rows, columns)
    grains = speckle.reshape(-1).astype(np.uint32)
    # Between two neighbouring beams the echo is mixed; squared, dark grains outnumber bright ones.
    grain = (grains[near] * (16 - share) + grains[far] * share) >> 4
    echo = level * (28 + (grain * grain >> 8)) >> 7
    return np.asarray(np.minimum(echo, 255).astype(np.uint8))


_BEAMS: Final = 512


@lru_cache(maxsize=2)
def _kept_sector(rows: int, columns: int) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    return _sector(rows, columns)


def _sector(rows: int, columns: int) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """Return for each pixel the mean echo, where two grains are that it lies between, its share of one (0-16)."""
    x, y = axes(rows, columns, 4 / 3, 1.0)
    depth = y + 1240
    reach = np.sqrt(x * x + depth * depth)
    beam = x / np.maximum(depth, 1.0)
    level = _echoes(x, y, reach, beam)
    level = np.where((reach >= 260) & (reach <= 2180) & (abs(beam) <= 0.72) & (depth > 0), level, 0.0)
    level = np.maximum(level, _depth_scale(x, y, 2 * pitch(rows, columns, 4 / 3, 1.0)))
    line = np.floor(reach / 8).astype(np.uint32) * np.uint32(_BEAMS)
    place = (beam.clip(-1, 1) + 1) * 110
    first = np.floor(place)
    share = ((place - first) * 16).astype(np.uint32)
    near = line + first.astype(np.uint32)
    count = np.uint32(rows * columns)
    return level.astype(np.uint32), near % count, (near + np.uint32(1)) % count, share


def _echoes(x: Pixels, y: Pixels, reach: Pixels, beam: Pixels) -> Pixels:
    """Return how strong the echo is on average, 0 to 255."""

    def inside(centre_x: int, centre_y: int, a: int, b: int, rough: int = 40) -> Pixels:
        across, down = (x - centre_x) / a, (y - centre_y) / b
        return 1 - across * across - down * down + _bumps(x, y, 6, (centre_x, centre_y, 0)) * (2 * rough / SCALE)

    level = 150 - reach * (60 / 2180) + _bumps(x, y, 7, (1, 2, 3)) * 9
    level = np.where(reach < 420, 205 - abs(reach % 53 - 26) * 2, level)
    for centre_x, centre_y, a, b in (
        (-420, 60, 210, 34),
        (190, -250, 150, 26),
        (-120, 420, 250, 30),
        (330, 60, 40, 110),
    ):
        vessel = inside(centre_x, centre_y, a, b, 90)
        level = np.where(vessel > 0, 14, np.where(vessel > -0.5, level + 30, level))
    bladder = inside(-330, -280, 170, 230)
    behind = (abs(beam + 0.345) < 0.15) & (y > -280)
    level = np.where(behind, level * 1.35, level)
    level = np.where(bladder > 0, 7, np.where(bladder > -0.12, 230, level))
    kidney = inside(420, 500, 330, 190)
    level = np.where(kidney > -0.1, 170, level)
    level = np.where(kidney > 0, 74, level)
    level = np.where(inside(420, 500, 190, 80, 120) > 0, 210, level)
    dome = np.sqrt((x + 160) * (x + 160) + (y + 700) * (y + 700))
    level = np.where(dome > 1560, 40 + (dome < 1590) * 215.0, level)
    return np.asarray(level)


def _depth_scale(x: Pixels, y: Pixels, length: float) -> Pixels:
    """Return ticks beside the sector at every 1 cm, longer at every 5 cm; `length` in units, of a short one."""
    centimetre = 128.0
    row = (y + 980) / centimetre
    nearest = np.floor(row + 0.5)
    on_line = (abs(row - nearest) * centimetre <= length / 4) & (nearest >= 0) & (nearest <= 15)
    fifth = nearest % 5 == 0
    return np.where(on_line & (x > 1300 - length * np.where(fifth, 6, 3)) & (x <= 1300), 160.0, 0.0)
