"""Merged histograms say what all values together say, to within their resolution."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from simulator.load.histogram import RESOLUTION, SHORTEST, Histogram

DURATIONS = st.floats(min_value=SHORTEST, max_value=10_000.0, allow_nan=False)
PERCENTS = (1, 10, 50, 90, 99, 99.9, 100)


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def merged(parts: list[list[float]]) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.merge(of(part))
    return histogram


def nearest_rank(values: list[float], percent: float) -> float:
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@given(st.lists(st.lists(DURATIONS, max_size=60), min_size=1, max_size=6).filter(any))
def test_a_percentile_of_merged_histograms_is_that_of_all_values(parts: list[list[float]]) -> None:
    values, histogram = [value for part in parts for value in part], merged(parts)
    for percent in PERCENTS:
        exact = nearest_rank(values, percent)
        assert abs(histogram.percentile(percent) - exact) <= RESOLUTION * exact


@given(st.lists(st.lists(DURATIONS, max_size=60), min_size=1, max_size=6))
def test_counts_bounds_and_means_are_exact_however_values_are_parted(parts: list[list[float]]) -> None:
    values, histogram = [value for part in parts for value in part], merged(parts)
    assert histogram.buckets == of(values).buckets
    assert histogram.count == len(values) == sum(count for *_, count in histogram.bars())
    assert histogram.longest == max(values, default=0.0)
    assert histogram.shortest == min(values, default=math.inf)
    assert math.isclose(histogram.mean * len(values), math.fsum(values), rel_tol=1e-9, abs_tol=1e-12)


@given(DURATIONS)
def test_a_value_lies_between_the_bounds_of_its_bucket(value: float) -> None:
    [(above, below, count)] = of([value]).bars()
    assert above * (1 - 1e-9) <= value <= below * (1 + 1e-9)
    assert count == 1


def test_what_is_shorter_than_the_shortest_is_counted_there() -> None:
    histogram = of([0.0, SHORTEST / 10])
    assert histogram.buckets == {0: 2}
    assert histogram.percentile(50) <= SHORTEST


def test_nothing_has_no_percentile() -> None:
    assert (Histogram().percentile(99), Histogram().mean) == (0.0, 0.0)
