from __future__ import annotations

import dataclasses
from itertools import combinations

import pytest
from hypothesis import given

from simulator.synthesis import changes
from simulator.synthesis.changes import CHANGES
from simulator.synthesis.lies import LIES
from tests.synthesis.made import a_study, an_order, read, seeds, steady


@given(seeds)
@steady
def test_a_change_is_always_another_value_and_the_same_each_time(seed: str) -> None:
    order = an_order(seed)
    for name, (_, key) in CHANGES.items():
        after = changes.changed(seed, order, [name])
        assert after == changes.changed(seed, order, [name])
        assert getattr(after.person, key) != getattr(order.person, key)
        kept = {each: getattr(order.person, each) for _, each in CHANGES.values() if each != key}
        assert dataclasses.replace(after, person=order.person) == order
        assert {each: getattr(after.person, each) for each in kept} == kept


def test_no_change_is_the_order_itself() -> None:
    assert changes.changed("tests", an_order(), ()) == an_order()


@pytest.mark.parametrize("names", [*combinations(CHANGES, 1), *combinations(CHANGES, 2), tuple(CHANGES)])
def test_a_study_that_tells_the_same_lies_agrees_with_the_changed_order(names: tuple[str, ...]) -> None:
    person = changes.changed("tests", an_order(), names).person
    data_set = read(a_study(lies=[LIES[name] for name in names]).instances[0])
    assert data_set.PatientID == person.hkid
    assert str(data_set.PatientName) == person.name
    assert (data_set.PatientBirthDate, data_set.PatientSex) == (person.birth_date, person.sex)


def test_the_characters_go_with_the_name() -> None:
    assert an_order().person.ideographic
    assert changes.changed("tests", an_order(), ["another-name"]).person.ideographic == ""
    assert changes.changed("tests", an_order(), ["another-sex"]).person.ideographic == an_order().person.ideographic


def test_a_name_without_a_lie_is_refused() -> None:
    with pytest.raises(KeyError):
        changes.changed("tests", an_order(), ["missing-accession"])
