"""How long things took, as counts in buckets of fixed bounds: those of many processes add up to the exact whole.

The bounds are powers of 1.01 from one microsecond on, the same in every process and every version of `load.json`. So a
percentile of merged histograms is that of all values together, to within one per cent of itself (`RESOLUTION`), however
many values there are and whoever took them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

RESOLUTION = 0.01
"""A value that is read from a histogram is off by this share of itself at most."""

SHORTEST = 1e-6
"""Seconds; what is shorter is taken for this long."""

_GROWTH = 1 + RESOLUTION
_LOG_OF_GROWTH = math.log(_GROWTH)


@dataclass(slots=True)
class Histogram:
    """Durations in seconds. buckets: counts by number; bucket n is from `SHORTEST` * 1.01**n to the next."""

    buckets: Counter[int] = field(default_factory=Counter)
    count: int = 0
    total: float = 0.0
    shortest: float = math.inf
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """Take a duration in."""
        self.buckets[bucket(seconds)] += 1
        self.count += 1
        self.total += seconds
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)

    def merge(self, other: Histogram) -> None:
        """Take in every duration of another histogram."""
        self.buckets.update(other.buckets)
        self.count += other.count
        self.total += other.total
        self.shortest = min(self.shortest, other.shortest)
        self.longest = max(self.longest, other.longest)

    @property
    def mean(self) -> float:
        """The mean in seconds, exact; 0 when there is nothing."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """Return the least duration that so many per cent of all do not exceed (nearest rank), to `RESOLUTION`.

        The longest is exact. 0 when there is nothing.
        """
        if not self.count:
            return 0.0
        rank = max(1, math.ceil(self.count * percent / 100))
        if rank == self.count:
            return self.longest
        seen = 0
        for number in sorted(self.buckets):
            seen += self.buckets[number]
            if seen >= rank:
                return min(max(_middle(number), self.shortest), self.longest)
        return self.longest

    def bars(self) -> Iterator[tuple[float, float, int]]:
        """Yield each bucket that is not empty, from the shortest on: its bounds in seconds, and its count."""
        for number in sorted(self.buckets):
            yield SHORTEST * _GROWTH**number, SHORTEST * _GROWTH ** (number + 1), self.buckets[number]


def bucket(seconds: float) -> int:
    """Return the number of the bucket that a duration falls into."""
    return int(math.log(seconds / SHORTEST) / _LOG_OF_GROWTH) if seconds > SHORTEST else 0


def _middle(number: int) -> float:
    """Return the middle of a bucket by ratio: half a per cent from either bound."""
    return SHORTEST * math.exp((number + 0.5) * _LOG_OF_GROWTH)
