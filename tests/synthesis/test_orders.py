from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules import accession
from simulator.rules.accession import AccessionRules
from simulator.synthesis import orders, people
from tests.synthesis.made import an_order, seeds, steady


@given(seeds, st.sampled_from(sorted(orders.PROCEDURES)), st.sampled_from(sorted(accession.CHECK_DIGITS)))
@steady
def test_an_order_is_the_same_each_time_and_well_formed(seed: str, modality: str, check_digit: str) -> None:
    order = an_order(seed, modality=modality, check_digit=check_digit)
    assert order == an_order(seed, modality=modality, check_digit=check_digit)
    assert accession.inspect(order.accession_number, accession.AccessionRules(check_digit)) == ()
    number = accession.AccessionNumber.parse(order.accession_number)
    assert number.hospital == orders.HOSPITAL
    assert number.year == order.ordered_at[2:4]
    assert datetime(2023, 1, 1) <= datetime.strptime(order.ordered_at, "%Y%m%d%H%M%S") < datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("modality", "department"),
    [("CR", "XR"), ("DX", "XR"), ("IO", "XR"), ("HC", "XR"), ("MG", "MG"), ("CT", "CT"), ("MR", "MR"), ("US", "US")],
)
def test_the_department_follows_the_modality(modality: str, department: str) -> None:
    assert an_order(modality=modality).accession_number[3:5] == department


def test_orders_differ_by_seed_person_and_modality() -> None:
    first, second = people.person("1"), people.person("2")
    four = [
        orders.order("a", first),
        orders.order("b", first),
        orders.order("a", second),
        orders.order("a", first, modality="MR"),
    ]
    assert len({order.study_instance_uid for order in four}) == 4
    assert len({order.accession_number for order in four}) == 4


def test_an_order_never_changes() -> None:
    order = an_order("golden")
    assert order.accession_number == "SYNCT2345836438C"
    assert order.ordered_at == "20230330233100"
    assert order.study_instance_uid == "2.25.50565102703277817713979674133067415685"


@pytest.mark.parametrize("modality", ["", "C", "c1", "ct"])
def test_a_modality_without_a_department_is_refused(modality: str) -> None:
    with pytest.raises(ValueError, match="no department code"):
        an_order(modality=modality)


def test_a_sites_codes_are_used_where_it_lists_them() -> None:
    rules = AccessionRules(hospital_codes=frozenset(("ZZZ", "HKA")), department_codes=frozenset(("MR", "XR")))
    person = people.person("tests")
    for modality, department in (("MR", "MR"), ("CT", "MR")):
        made = orders.order("tests", person, modality=modality, rules=rules)
        assert made.accession_number[:5] == f"HKA{department}"
        assert accession.inspect(made.accession_number, rules) == ()
