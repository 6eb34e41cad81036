"""Tallies add up, and no peer fills the memory with different words."""

from __future__ import annotations

from simulator.load.tally import Failure, Tally


def test_tallies_of_two_times_add_up() -> None:
    first, second = Tally(stored=2, bytes=20, studies=1), Tally(stored=3, bytes=30, orders_awaited=0.5)
    for tally, seconds in ((first, 0.001), (second, 0.002)):
        tally.stores.add(seconds)
        tally.statuses["0000"] += 1
        tally.fail("C-STORE", "no room", "A700")
    first.merge(second)
    assert (first.stored, first.bytes, first.studies, first.orders_awaited) == (5, 50, 1, 0.5)
    assert first.stores.count == 2
    assert first.statuses == {"0000": 2}
    assert first.failures == {Failure("C-STORE", "no room", "A700"): 2}
    assert first.failed == 2


def test_words_beyond_the_fiftieth_are_counted_together() -> None:
    total = Tally()
    for part in range(3):
        tally = Tally()
        for number in range(60):
            tally.fail("C-STORE", f"{part}/{number}", "C000")
        total.merge(tally)
    assert total.failed == 180
    assert len(total.failures) == 51
    assert total.failures[Failure("C-STORE", "(other words)", "C000")] == 130
