from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules import accession, hkid
from simulator.synthesis import studies
from simulator.synthesis.lies import LIES
from simulator.synthesis.orders import Order
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study, an_order, raw, seeds, steady

# What each lie about an accession number breaks (rules.accession), with a computed check digit.
BROKEN = {
    "unknown-accession": (),
    "missing-accession": ("accession.missing",),
    "15-character-accession": ("accession.malformed.length",),
    "17-character-accession": ("accession.malformed.length",),
    "wrong-hospital": ("accession.malformed.hospital",),
    "wrong-department": ("accession.malformed.department",),
    "wrong-year": ("accession.malformed.year",),
    "wrong-running": ("accession.malformed.running",),
    "wrong-check": ("accession.malformed.check",),
    "wrong-computed-check": ("accession.malformed.check",),
}


def truth(order: Order, field: str) -> str:
    person = order.person
    return {
        "patient_id": person.hkid,
        "patient_name": person.name,
        "patient_birth_date": person.birth_date,
        "patient_sex": person.sex,
        "accession_number": order.accession_number,
    }[field]


@given(seeds, seeds, st.sampled_from(sorted(LIES)), st.sampled_from(sorted(accession.CHECK_DIGITS)))
@steady
def test_a_lie_differs_from_the_truth_and_is_always_the_same(
    order_seed: str, seed: str, name: str, check_digit: str
) -> None:
    order, lie = an_order(order_seed, check_digit=check_digit), LIES[name]
    told = lie.tell(seed, order)
    assert told != truth(order, lie.field)
    assert told == lie.tell(seed, order)


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_says_what_it_is(name: str) -> None:
    lie = LIES[name]
    assert lie.name == name
    assert lie.field in studies.LIE_FIELDS
    assert lie.explain.endswith(".")


def test_every_field_can_be_lied_about() -> None:
    assert {lie.field for lie in LIES.values()} == set(studies.LIE_FIELDS)


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_stands_raw_in_the_bytes_and_alone(name: str, transfer_syntax: str) -> None:
    order, lie = an_order(), LIES[name]
    told = lie.tell("a seed", order)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = a_study(transfer_syntax=transfer_syntax, lies={lie.field: told})
    for field, keyword in studies.LIE_FIELDS.items():
        expected = told if field == lie.field else truth(order, field)
        padding = " " * (len(expected) % 2)
        assert raw(study.instances[0], keyword) == (expected + padding).encode()


@given(seeds, seeds, st.sampled_from(sorted(BROKEN)))
@steady
def test_a_lie_about_an_accession_number_breaks_one_part(order_seed: str, seed: str, name: str) -> None:
    told = LIES[name].tell(seed, an_order(order_seed, check_digit="iso7064-mod37-36"))
    assert accession.inspect(told, accession.AccessionRules("iso7064-mod37-36")) == BROKEN[name]


@given(seeds, seeds)
@steady
def test_an_unknown_accession_is_in_the_running_number_alone(order_seed: str, seed: str) -> None:
    order = an_order(order_seed)
    told = accession.AccessionNumber.parse(LIES["unknown-accession"].tell(seed, order))
    true = accession.AccessionNumber.parse(order.accession_number)
    assert told.running != true.running
    assert (told.hospital, told.department, told.year) == (true.hospital, true.department, true.year)


@given(seeds, seeds)
@steady
def test_lies_about_an_hkid_keep_or_break_its_check(order_seed: str, seed: str) -> None:
    order = an_order(order_seed)
    assert hkid.is_valid(LIES["another-hkid"].tell(seed, order))
    assert not hkid.is_valid(LIES["invalid-hkid"].tell(seed, order))


def test_lower_case_is_the_same_number_but_for_its_case() -> None:
    order = an_order()
    told = LIES["lower-case-accession"].tell("", order)
    assert told.upper() == order.accession_number


def test_another_person_is_drawn_until_it_differs() -> None:
    order = an_order("collision/another-hkid/0")
    assert LIES["another-hkid"].tell("collision", order) != order.person.hkid
