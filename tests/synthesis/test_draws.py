from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.synthesis import draws
from simulator.synthesis.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, uid
from tests.synthesis.made import steady


def test_a_draw_never_changes() -> None:
    assert draws.digest("seed", 1).hex() == "bdfb1dee36d0730a09b45c2b25810a03318436e0b9eac13ebf3d8a5aa05be039"
    assert draws.noise(8, "seed").hex() == "350ade146ff87868"
    assert uid("seed", 1) == "2.25.252527964777986716365080063213670828547"


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
@steady
def test_different_parts_give_different_digests(left: list[str], right: list[str]) -> None:
    assert (draws.digest(*left) == draws.digest(*right)) is (left == right)


@given(st.text(), st.integers(min_value=1, max_value=10**9))
@steady
def test_a_number_is_below_its_limit(seed: str, limit: int) -> None:
    assert 0 <= draws.number(limit, seed) < limit


def test_every_option_is_drawn_some_time() -> None:
    assert {draws.choice("abc", turn) for turn in range(50)} == set("abc")


@given(st.lists(st.text(max_size=8)))
@steady
def test_a_uid_is_a_uuid_in_decimal(parts: list[str]) -> None:
    value = uid(*parts)
    number = value.removeprefix("2.25.")
    assert len(value) <= 64
    assert number == str(int(number))
    assert uuid.UUID(int=int(number))


@pytest.mark.parametrize("value", [IMPLEMENTATION_CLASS_UID])
def test_the_implementation_class_uid_is_a_uuid_in_decimal(value: str) -> None:
    assert uuid.UUID(int=int(value.removeprefix("2.25.")))
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16
