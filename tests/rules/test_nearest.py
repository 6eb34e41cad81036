"""Which orders are suggested to an operator, and in what order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.rules.nearest import edit_distance, suggestions
from tests.synthesis.made import steady

NUMBER = "SYNCT2500000101H"
KEYS = MajorKeys("A1234563", "CHAN^TAI MAN", "19700131", "M")
OTHER = MajorKeys("AB9876543", "WONG^SIU MING", "19650505", "F")


def order(number: str, keys: MajorKeys = OTHER, cancelled: bool = False) -> OrderKeys:
    return OrderKeys(number, keys, cancelled)


def suggested(study: StudyKeys, *orders: OrderKeys) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.order.accession_number, each.because) for each in suggestions(study, orders)]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("", "ABC", 3),
        ("ABC", "ABC", 0),
        ("ABC", "ACC", 1),
        ("ABC", "AC", 1),
        ("ABCD", "BACD", 2),
        ("kitten", "sitting", 3),
    ],
)
def test_the_edit_distance_counts_inserts_deletes_and_replacements(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other, 5) == distance
    assert edit_distance(one, other, 1) == min(distance, 2)


@steady
@given(st.text("AB1", max_size=8), st.text("AB1", max_size=8), st.text("AB1", max_size=8))
def test_the_edit_distance_is_a_distance(one: str, two: str, three: str) -> None:
    def distance(a: str, b: str) -> int:
        return edit_distance(a, b, 8)

    assert distance(one, two) == distance(two, one)
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert abs(len(one) - len(two)) <= distance(one, two) <= max(len(one), len(two))
    assert edit_distance(one, two, 3) == min(distance(one, two), 4)


@pytest.mark.parametrize(
    ("study", "found", "because"),
    [
        (StudyKeys(NUMBER, KEYS), order(NUMBER), ("accession.exact",)),
        (StudyKeys(NUMBER[:-1], KEYS), order(NUMBER), ("accession.near",)),
        (StudyKeys(NUMBER + "000", KEYS), order(NUMBER), ("accession.near",)),
        (StudyKeys(NUMBER.lower(), KEYS), order(NUMBER), ("accession.near",)),
        (StudyKeys("", MajorKeys("a123456(3)", "X", "", "")), order("Z", KEYS), ("hkid.same",)),
        (StudyKeys("", MajorKeys("", "chan^tai man^^", "", "")), order("Z", KEYS), ("name.similar",)),
        (StudyKeys("", MajorKeys("", "TAI MAN^CHAN", "", "")), order("Z", KEYS), ("name.similar",)),
        (StudyKeys("", MajorKeys("", "CHAN^TAI MAM", "", "")), order("Z", KEYS), ("name.similar",)),
        (StudyKeys(NUMBER, KEYS), order(NUMBER, KEYS), ("accession.exact", "hkid.same", "name.similar")),
    ],
)
def test_an_order_is_suggested_for_a_reason(study: StudyKeys, found: OrderKeys, because: tuple[str, ...]) -> None:
    assert suggested(study, found) == [(found.accession_number, because)]


@pytest.mark.parametrize(
    "study",
    [
        StudyKeys("SYNXR1900000999A", OTHER),
        StudyKeys("", MajorKeys("", "", "", "")),
        StudyKeys("X" * 5000, MajorKeys("", "LEE^KA YAN", "19700131", "M")),
    ],
)
def test_an_order_that_nothing_points_at_is_not(study: StudyKeys) -> None:
    assert suggested(study, order(NUMBER, KEYS)) == []


def test_the_likeliest_comes_first_and_cancelled_ones_last() -> None:
    study = StudyKeys(NUMBER, KEYS)
    near, hers, his = order(NUMBER[:-1] + "K"), order("SYNCT2599999999Z", KEYS), order(NUMBER, KEYS, cancelled=True)
    assert [number for number, _ in suggested(study, his, near, hers)] == [
        hers.accession_number, near.accession_number, his.accession_number,
    ]  # fmt: skip
    many = [order(f"SYNCT25000001{n:02}H") for n in range(10)]
    assert len(suggested(study, *many)) == 5
