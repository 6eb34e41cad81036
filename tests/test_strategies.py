"""The strategies give what they promise, and the gateway finds exactly the lie that was told."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from simulator import strategies
from simulator.rules import accession, hkid, identity
from simulator.rules.accession import AccessionRules
from simulator.rules.identity import MajorKeys
from simulator.rules.sop_classes import by_name
from simulator.strategies import MalformedAccessionNumber, ToldLie
from simulator.synthesis.lies import LIES
from simulator.synthesis.orders import Order
from simulator.synthesis.people import SYNTHETIC_PREFIXES, Person
from simulator.synthesis.studies import Study
from tests.gateway.made import a_message, a_site, running
from tests.synthesis.made import read, steady

COMPUTED = AccessionRules("iso7064-mod37-36", frozenset({"SYN", "ABC"}), frozenset({"CT"}))

# Real files, a real index and real sockets for each example; the same examples in every run.
over_the_wire = settings(
    derandomize=True, deadline=None, database=None, max_examples=30, suppress_health_check=list(HealthCheck)
)


@given(strategies.hkids())
@steady
def test_hkids_are_valid_and_synthetic(number: str) -> None:
    assert hkid.is_valid(number)
    assert number == hkid.canonical(number)
    assert number.rstrip("0123456789A") in SYNTHETIC_PREFIXES


@given(strategies.identities())
@steady
def test_identities_have_valid_keys(person: Person) -> None:
    assert identity.inspect(MajorKeys(person.hkid, person.name, person.birth_date, person.sex)) == ()


@given(strategies.accession_numbers(), strategies.accession_numbers(COMPUTED))
@steady
def test_accession_numbers_are_well_formed(any_codes: str, computed: str) -> None:
    assert accession.inspect(any_codes, AccessionRules()) == ()
    assert accession.inspect(computed, COMPUTED) == ()


@given(strategies.malformed_accession_numbers())
@settings(derandomize=True, deadline=None, database=None, max_examples=500)
def test_malformed_accession_numbers_bear_the_one_reason(malformed: MalformedAccessionNumber) -> None:
    assert accession.inspect(malformed.text, AccessionRules()) == (malformed.reason,)


@given(strategies.orders(COMPUTED))
@steady
def test_orders_follow_the_rules_of_a_site(order: Order) -> None:
    assert accession.inspect(order.accession_number, COMPUTED) == ()
    assert order.accession_number[:3] in COMPUTED.hospital_codes


@given(strategies.studies())
@steady
def test_studies_are_read_by_pydicom(study: Study) -> None:
    assert 1 <= len(study.instances) <= 4
    for instance in study.instances:
        data_set = read(instance)
        assert data_set.StudyInstanceUID == study.study_instance_uid
        assert data_set.AccessionNumber == study.accession_number
        assert data_set.pixel_array.size


@given(strategies.single_lies())
@over_the_wire
def test_the_gateway_finds_exactly_the_lie_told(told: ToldLie) -> None:
    assert_found(told)


@pytest.mark.parametrize("name", sorted(LIES))
def test_the_gateway_finds_each_lie(name: str) -> None:
    @given(strategies.single_lies([LIES[name]], [by_name("CT Image"), by_name("Ultrasound Image")]))
    @settings(over_the_wire, max_examples=1)
    def found(told: ToldLie) -> None:
        assert_found(told)

    found()


def assert_found(told: ToldLie) -> None:
    """Send the order and the study to a new gateway; it must find the lie, and nothing else."""
    site = a_site(accession={"check_digit": told.order.check_digit})
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), site) as gateway:
        assert gateway.order(a_message(told.order)).code == "AA"
        answers = gateway.store(*told.study.instances)
        assert tuple(answer.status_text for answer in answers) == told.expected_statuses
        if set(told.expected_statuses) == {told.lie.status} != {"0000"}:
            assert not gateway.index.studies()
            return
        state = "unmatched" if told.expected_reasons else "matched"
        decided = gateway.await_state(told.study, state)
        assert tuple(decided["reasons"]) == told.expected_reasons
        assert tuple(decided["warnings"]) == told.expected_warnings
