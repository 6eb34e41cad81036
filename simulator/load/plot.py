"""Three pictures of a load as inline SVG: instances a second, C-STORE durations over time, and how they spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from simulator.load.result import Bar, LoadResult, Moment

_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 12, 36
_POINTS = 480  # that many ticks are drawn at most; longer runs have several in one point
_BARS = 60
_INK, _SOFT, _LINE = "#1b1f24", "#57606a", "#d8dee4"
_BLUE, _AMBER, _RED, _GREY = "#1b6ca8", "#c77700", "#b42318", "#8c959f"


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture, what it is called, and what its colours mean."""

    title: str
    legend: tuple[tuple[str, str], ...]
    svg: Markup


@dataclass(frozen=True, slots=True)
class _Point:
    at: float
    stored: float
    failed: float
    p50: float
    p99: float
    greatest: float


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values from `least` to `most` on so many pixels, by ratio or by difference."""

    least: float
    most: float
    by_ratio: bool = False

    def share(self, value: float) -> float:
        """Return where a value stands, from 0 to 1."""
        if self.by_ratio:
            return math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)

    def marks(self) -> list[float]:
        """Return the values that have a line."""
        if self.by_ratio:
            first, last = round(math.log10(self.least)), round(math.log10(self.most))
            return [10.0**power for power in range(first, last + 1)]
        step = _step(self.most / 4)
        return [step * number for number in range(math.floor(self.most / step * (1 + 1e-9)) + 1)]


def plots(result: LoadResult) -> list[Plot]:
    """Return the pictures; none where nothing was answered."""
    if not result.c_store.count and not result.failures:
        return []
    points = _points(result.timeline, result.tick, result.duration)
    end = max(result.duration, result.tick)
    found = [_rates(points, end)]
    if result.c_store.count:
        found += [_durations(points, end), _spread(result.histogram)]
    return found


def _rates(points: Sequence[_Point], end: float) -> Plot:
    most = _round_up(max((max(point.stored, point.failed) for point in points), default=1.0))
    across, up = _Scale(0, end), _Scale(0, most)
    drawn, legend = [_area(points, across, up, lambda point: point.stored, _BLUE)], [(_BLUE, "stored")]
    if any(point.failed for point in points):
        drawn.append(_curve(points, across, up, lambda point: point.failed, _RED))
        legend.append((_RED, "failed"))
    svg = _framed("instances stored a second, over time", across, up, drawn, " s", "/s")
    return Plot("Instances a second", tuple(legend), svg)


def _durations(points: Sequence[_Point], end: float) -> Plot:
    answered = [point for point in points if point.greatest]
    across = _Scale(0, end)
    up = _decades(value for point in answered for value in (point.p50, point.greatest))
    drawn = [
        _curve(answered, across, up, lambda point: point.greatest, _GREY),
        _curve(answered, across, up, lambda point: point.p99, _AMBER),
        _curve(answered, across, up, lambda point: point.p50, _BLUE),
    ]
    svg = _framed("C-STORE durations over time", across, up, drawn, " s", " ms")
    return Plot("C-STORE, time to the answer", ((_BLUE, "p50"), (_AMBER, "p99"), (_GREY, "longest")), svg)


def _spread(bars: Sequence[Bar]) -> Plot:
    across = _decades(value for bar in bars for value in (bar.above, bar.below))
    counts = [0] * _BARS
    for bar in bars:
        counts[min(_BARS - 1, int(across.share(math.sqrt(bar.above * bar.below)) * _BARS))] += bar.count
    up = _Scale(0, _round_up(float(max(counts))))
    wide = (_WIDTH - _LEFT - _RIGHT) / _BARS
    drawn = [
        f'<rect x="{_LEFT + number * wide + 0.5:.1f}" y="{_y(up, count):.1f}" width="{wide - 1:.1f}" '
        f'height="{_HEIGHT - _BOTTOM - _y(up, count):.1f}" fill="{_BLUE}"/>'
        for number, count in enumerate(counts)
        if count
    ]
    svg = _framed("how many C-STOREs took how long", across, up, drawn, " ms", "")
    return Plot("How many C-STOREs took how long", ((_BLUE, "answers"),), svg)


def _points(timeline: Sequence[Moment], tick: float, end: float) -> list[_Point]:
    """Return the timeline in so many points at most; percentiles of several ticks are those of the worst."""
    step = max(1, math.ceil(len(timeline) / _POINTS))
    points: list[_Point] = []
    for first in range(0, len(timeline), step):
        moments = timeline[first : first + step]
        seconds = min(tick * len(moments), end - moments[0].at)
        if points and seconds < tick / 2:
            break  # the last tick is cut off, and so little of it shows nothing
        seconds = max(seconds, tick / 2)
        points.append(
            _Point(
                at=moments[0].at + seconds / 2,
                stored=sum(moment.stored for moment in moments) / seconds,
                failed=sum(moment.failed for moment in moments) / seconds,
                p50=max(moment.p50 for moment in moments),
                p99=max(moment.p99 for moment in moments),
                greatest=max(moment.max for moment in moments),
            )
        )
    return points


def _decades(values: Iterable[float]) -> _Scale:
    """Return a scale by ratio from a power of ten to another."""
    found = [max(value, 0.001) for value in values]
    least = math.floor(math.log10(min(found)))
    return _Scale(10.0**least, 10.0 ** max(math.ceil(math.log10(max(found))), least + 1), by_ratio=True)


def _round_up(value: float) -> float:
    """Return a round number that is as great at least."""
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(power * digit for digit in (1, 2, 4, 8, 10) if power * digit >= value)


def _step(value: float) -> float:
    """Return 1, 2 or 5 times a power of ten, the greatest that is not above `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * digit for digit in (5, 2, 1) if power * digit <= value * (1 + 1e-9))


def _x(scale: _Scale, value: float) -> float:
    return _LEFT + min(1.0, scale.share(value)) * (_WIDTH - _LEFT - _RIGHT)


def _y(scale: _Scale, value: float) -> float:
    return _HEIGHT - _BOTTOM - scale.share(value) * (_HEIGHT - _TOP - _BOTTOM)


def _curve(points: Sequence[_Point], across: _Scale, up: _Scale, value: Callable[[_Point], float], colour: str) -> str:
    corners = " ".join(f"{_x(across, point.at):.1f},{_y(up, value(point)):.1f}" for point in points)
    if len(points) == 1:
        x, y = corners.split(",")
        return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
    return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _area(points: Sequence[_Point], across: _Scale, up: _Scale, value: Callable[[_Point], float], colour: str) -> str:
    if len(points) < 2:
        return _curve(points, across, up, value, colour) if points else ""
    corners = " ".join(f"{_x(across, point.at):.1f},{_y(up, value(point)):.1f}" for point in points)
    ground = f"{_y(up, 0):.1f}"
    below = f"{_x(across, points[0].at):.1f},{ground} {corners} {_x(across, points[-1].at):.1f},{ground}"
    return f'<polygon points="{below}" fill="{colour}" fill-opacity="0.18"/>' + _curve(
        points, across, up, value, colour
    )


def _framed(title: str, across: _Scale, up: _Scale, drawn: Sequence[str], x_unit: str, y_unit: str) -> Markup:
    floor = _HEIGHT - _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" font-size="12" fill="{_SOFT}">'
    ]
    for mark in up.marks():
        y = _y(up, mark)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(mark)}{y_unit}</text>')
    for mark in across.marks():
        x = _x(across, mark)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{floor}" y2="{floor + 5}" stroke="{_INK}"/>')
        parts.append(f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{_short(mark)}{x_unit}</text>')
    parts += drawn
    parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}" stroke="{_INK}"/></svg>')
    return Markup("".join(parts))  # noqa: S704 - numbers and our own words alone


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
