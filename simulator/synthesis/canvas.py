"""What the painters of the extended classes draw with: square units, clouds, blurs, curves and tubes.

As in `pixels`, arithmetic is on integers or on IEEE operations that are exactly rounded everywhere, so that a
seed gives the same picture on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.synthesis import draws
from simulator.synthesis.pixels import SCALE, Pixels

Point = tuple[int, int]
"""x to the right and y down, in the units of `plane`."""

_PIECES: Final = 12
"""Straight pieces that a curve is made of."""


def plane(rows: int, columns: int, wide: int = 1, high: int = 1) -> tuple[Pixels, Pixels]:
    """Return x as (1, columns) and y as (rows, 1) in square units with 0 in the middle, as int64.

    A frame of 2048 x `wide` by 2048 x `high` units just fits, so circles stay circles in any shape of picture.
    """
    unit = min(columns * high, rows * wide)
    x = (2 * np.arange(columns, dtype=np.int64) + 1 - columns) * (SCALE * wide * high) // unit
    y = (2 * np.arange(rows, dtype=np.int64) + 1 - rows) * (SCALE * wide * high) // unit
    return x.reshape(1, columns), y.reshape(rows, 1)


def reach(x: Pixels, y: Pixels, centre: Point, axes: Point) -> Pixels:
    """Return the squared distance from `centre` in half axes: 0 there, 1024 on the ellipse, more outside."""
    across = (x - centre[0]) ** 2 * SCALE // axes[0] ** 2
    down = (y - centre[1]) ** 2 * SCALE // axes[1] ** 2
    return np.asarray(across + down)


def cloud(rows: int, columns: int, grain: int, *parts: object) -> Pixels:
    """Return smooth noise (rows, columns) int64 in [0, 255], drawn from `parts`.

    grain: hills and valleys along the shorter side. A finer layer that is out of step with them hides their lattice.
    """
    fine = _hills(rows, columns, grain * 7 // 4 + 1, *parts, "fine")
    return np.asarray((3 * _hills(rows, columns, grain, *parts) + 2 * fine) // 5)


def _hills(rows: int, columns: int, grain: int, *parts: object) -> Pixels:
    down, low = _lattice(rows, grain, min(rows, columns))
    across, left = _lattice(columns, grain, min(rows, columns))
    shape = (int(low[-1]) + 2, int(left[-1]) + 2)
    heights = np.frombuffer(draws.noise(shape[0] * shape[1], *parts), np.uint8).astype(np.int64).reshape(shape)
    upper = heights[low] * (256 - down)[:, np.newaxis] + heights[low + 1] * down[:, np.newaxis]
    return np.asarray((upper[:, left] * (256 - across) + upper[:, left + 1] * across) >> 16)


def _lattice(size: int, grain: int, side: int) -> tuple[Pixels, Pixels]:
    """Return for each pixel its weight (0 to 256) between two lattice points, and the number of the first."""
    place = np.arange(size, dtype=np.int64) * grain * 256 // side
    step = place & 255
    # 3t² - 2t³: level at both ends, so that no lattice shows.
    return (step * step * (768 - 2 * step)) >> 16, place >> 8


def softened(picture: Pixels, radius: int, times: int = 2) -> Pixels:
    """Return `picture` (rows, columns) of integers blurred `times` by a square of 2 x `radius` + 1 pixels, as int64."""
    soft = picture.astype(np.int64)
    for _ in range(times if radius > 0 else 0):
        for axis in (0, 1):
            soft = _mean(soft, radius, axis)
    return soft


def _mean(picture: Pixels, radius: int, axis: int) -> Pixels:
    width = 2 * radius + 1
    margins = [(radius + 1, radius) if each == axis else (0, 0) for each in (0, 1)]
    sums = np.cumsum(np.pad(picture, margins, mode="edge"), axis=axis)
    length = picture.shape[axis]
    upper, lower = np.arange(width, width + length), np.arange(length)
    return np.asarray((np.take(sums, upper, axis) - np.take(sums, lower, axis)) // width)


def curve(start: Point, first: Point, second: Point, end: Point) -> tuple[Point, ...]:
    """Return the cubic Bézier curve from `start` to `end`, which the two points between attract, as a polyline."""
    points = []
    for t in range(_PIECES + 1):
        rest = _PIECES - t
        weights = (rest**3, 3 * rest * rest * t, 3 * rest * t * t, t**3)
        controls = (start, first, second, end)
        across = sum(weight * point[0] for weight, point in zip(weights, controls, strict=True))
        down = sum(weight * point[1] for weight, point in zip(weights, controls, strict=True))
        points.append((across // _PIECES**3, down // _PIECES**3))
    return tuple(points)


@dataclass(frozen=True, slots=True)
class Tube:
    """A vessel, a bone or a stroke: a polyline, its radius at both ends, and how far its start is from the heart of it.

    All in the units of `plane`.
    """

    points: Sequence[Point]
    radius: int
    end_radius: int
    start: int = 0

    def length(self) -> int:
        """Return the length of the polyline, by the octagonal measure (exact within a twelfth)."""
        return sum(_length(one, two) for one, two in itertools.pairwise(self.points))

    def pieces(self) -> Iterable[tuple[Point, Point, int, int]]:
        """Yield each straight piece: its two ends, the radius in its middle, and the way from the start to it."""
        count, way = len(self.points) - 1, self.start
        for index, (one, two) in enumerate(itertools.pairwise(self.points)):
            radius = self.radius + (self.end_radius - self.radius) * (2 * index + 1) // (2 * count)
            yield one, two, max(1, radius), way
            way += _length(one, two)


def _length(one: Point, two: Point) -> int:
    longer, shorter = sorted((abs(one[0] - two[0]), abs(one[1] - two[1])), reverse=True)
    return longer + shorter * 3 // 8


def tubes(x: Pixels, y: Pixels, drawn: Iterable[Tube]) -> tuple[Pixels, Pixels]:
    """Return how thick the tubes are along the ray through each pixel, and how far along them it lies.

    x, y: a `plane`. Both results are (rows, columns) int64 in its units; the thickness is 0 beside all tubes, and
    where two cross, the thicker counts.
    """
    thickness = np.zeros((y.size, x.size), np.int64)
    way = np.zeros_like(thickness)
    for tube in drawn:
        for one, two, radius, start in tube.pieces():
            across = _between(x.ravel(), one[0], two[0], radius)
            down = _between(y.ravel(), one[1], two[1], radius)
            if across.start >= across.stop or down.start >= down.stop:
                continue
            chord, along = _capsule(x[:, across], y[down], one, two, radius)
            thicker = chord > thickness[down, across]
            thickness[down, across][thicker] = chord[thicker]
            way[down, across][thicker] = start + along[thicker]
    return thickness, way


def _between(axis: Pixels, one: int, two: int, radius: int) -> slice:
    lower, upper = min(one, two) - radius, max(one, two) + radius
    return slice(int(np.searchsorted(axis, lower)), int(np.searchsorted(axis, upper, "right")))


def _capsule(x: Pixels, y: Pixels, one: Point, two: Point, radius: int) -> tuple[Pixels, Pixels]:
    """Return the chord through a round-ended cylinder at each pixel, and how far along its axis that is."""
    run, drop = two[0] - one[0], two[1] - one[1]
    square = max(1, run * run + drop * drop)
    # The foot of each pixel on the axis, as a share of it in 1/1024.
    foot = (((x - one[0]) * run + (y - one[1]) * drop) * SCALE // square).clip(0, SCALE)
    beside = (x - one[0] - run * foot // SCALE) ** 2 + (y - one[1] - drop * foot // SCALE) ** 2
    chord = 2 * np.sqrt(np.maximum(radius * radius - beside, 0).astype(np.float64))
    return chord.astype(np.int64), foot * _length(one, two) // SCALE


def mixed(ground: Pixels, colour: tuple[int, int, int], share: Pixels) -> Pixels:
    """Return `ground` (rows, columns, 3) with `colour` laid over it; share: (rows, columns), 0 nothing to 256 all."""
    cover = share[:, :, np.newaxis]
    return np.asarray((ground * (256 - cover) + np.array(colour, np.int64) * cover) >> 8)


def shaded(colour: tuple[int, int, int], light: Pixels) -> Pixels:
    """Return `colour` under `light` (rows, columns), 256 as it is, as int64 (rows, columns, 3), not yet clipped."""
    return np.asarray((light[:, :, np.newaxis] * np.array(colour, np.int64)) >> 8)


def as_bytes(picture: Pixels) -> Pixels:
    """Return `picture` clipped to 0 to 255 as uint8."""
    return picture.clip(0, 255).astype(np.uint8)
