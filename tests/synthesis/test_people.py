from __future__ import annotations

from datetime import datetime

import pytest
from faker import Faker
from hypothesis import given

from simulator.rules import hkid
from simulator.synthesis import people
from tests.synthesis.made import seeds, steady


@given(seeds)
@steady
def test_a_person_is_the_same_each_time_and_valid(seed: str) -> None:
    person = people.person(seed)
    assert person == people.person(seed)
    assert hkid.is_valid(person.hkid)
    assert hkid.canonical(person.hkid) == person.hkid
    assert person.sex in {"M", "F"}
    assert datetime.strptime(person.birth_date, "%Y%m%d") < datetime(2016, 1, 1)


@given(seeds)
@steady
def test_a_name_is_a_pn_that_fits_an_identity_card(seed: str) -> None:
    surname, *given_name = people.person(seed).name.split("^")
    assert surname in people.SURNAMES
    assert len(given_name) <= 1
    assert len(" ".join([surname, *given_name])) <= people.NAME_LIMIT


def test_people_never_change() -> None:
    assert people.person("golden") == people.Person("Q268177A", "CHOI^YUEN HING", "19420423", "M")


def test_all_kinds_of_people_are_made() -> None:
    everyone = [people.person(str(number)) for number in range(400)]
    names = [person.name for person in everyone]
    assert {person.sex for person in everyone} == {"M", "F"}
    assert {person.hkid.rstrip("0123456789A") for person in everyone} == set(people.SYNTHETIC_PREFIXES)
    assert any(person.hkid.endswith("A") for person in everyone)
    assert any("^" not in name for name in names)
    assert any(name.startswith("AU YEUNG") for name in names)
    assert any(name.endswith(people.ENGLISH_NAMES["F"]) for name in names)
    assert max(len(name) for name in names) > 30
    assert len(set(everyone)) == len(everyone)


def test_the_longest_names_are_cut_at_a_word() -> None:
    long = ["CHEUNG", "KWONG", "CHRISTOPHER", "ALEXANDER", "MAXIMILIAN"]
    assert people._fitting(long, 32) == "CHEUNG KWONG CHRISTOPHER"


def test_the_provider_serves_any_faker() -> None:
    first, second = Faker(), Faker()
    for fake in (first, second):
        fake.add_provider(people.HongKongPersonProvider)
        fake.seed_instance(7)
    assert first.hk_person() == second.hk_person()
    assert hkid.is_valid(first.hkid())
    assert first.hk_name()


@pytest.mark.parametrize("sex", ["M", "F"])
def test_an_english_name_fits_the_sex(sex: str) -> None:
    others = people.ENGLISH_NAMES["F" if sex == "M" else "M"]
    everyone = [people.person(str(number)) for number in range(300)]
    assert not any(person.name.split()[-1] in others for person in everyone if person.sex == sex)
