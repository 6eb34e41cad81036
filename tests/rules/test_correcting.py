"""What may be corrected without a person looking, and what may not."""

from __future__ import annotations

import pytest

from simulator.rules.correcting import may_be_corrected, unwritable
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import REASONS, OrderKeys

ORDER = OrderKeys("SYNCT2500000101H", MajorKeys("A1234563", "CHAN^TAI MAN", "19700131", "M"))


@pytest.mark.parametrize(
    ("reasons", "may"),
    [
        (("hkid.mismatch",), True),
        (("hkid.invalid",), True),
        (("hkid.missing",), True),
        (("name.mismatch",), True),
        (("birth-date.mismatch",), True),
        (("sex.mismatch",), True),
        (("name.mismatch", "sex.mismatch"), True),
        (("hkid.mismatch", "sex.missing"), True),
        (("hkid.mismatch", "name.mismatch"), False),
        (("hkid.missing", "birth-date.missing"), False),
        (("name.mismatch", "birth-date.mismatch"), False),
        (("hkid.mismatch", "name.mismatch", "birth-date.mismatch", "sex.mismatch"), False),
        ((), False),
    ],
)
def test_two_of_hkid_name_and_birth_date_must_agree(reasons: tuple[str, ...], may: bool) -> None:
    assert may_be_corrected(reasons, ORDER) is may


@pytest.mark.parametrize(
    "reason", [each for each in REASONS if each.split(".")[0] not in ("hkid", "name", "birth-date", "sex")]
)
def test_nothing_but_a_key_may_be_wrong(reason: str) -> None:
    assert not may_be_corrected((reason,), ORDER)
    assert not may_be_corrected((reason, "name.mismatch"), ORDER)


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        (MajorKeys("A1234563", "CHAN^TAI MAN", "", "M"), ()),
        (MajorKeys("A1234560", "CHAN^TAI MAN", "19700131", "M"), ("hkid.invalid",)),
        (MajorKeys("A1234563", "陳^大文", "19700131", "M"), ("name.invalid",)),
        (MajorKeys("A1234563", "CHAN^TAI MAN", "19700231", "X"), ("birth-date.invalid", "sex.invalid")),
    ],
)
def test_an_order_without_valid_keys_corrects_nothing(keys: MajorKeys, faults: tuple[str, ...]) -> None:
    order = OrderKeys(ORDER.accession_number, keys)
    assert not may_be_corrected(("name.mismatch",), order)
    assert unwritable(order) == faults


def test_without_an_order_nothing_is_corrected() -> None:
    assert not may_be_corrected(("name.mismatch",), None)
