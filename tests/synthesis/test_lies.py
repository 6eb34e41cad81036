from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag

from simulator.rules import accession, hkid
from simulator.synthesis import encoding, lies, studies
from simulator.synthesis.lies import LIES, Lie
from simulator.wire import data_set
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study, an_order, seeds, steady

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
# What the issue of malformations is about, each by at least one lie.
ASKED_FOR = (
    "17-character-accession",
    "hyphenated-birth-date",
    "spelled-out-sex",
    "absent-study-uid",
    "absent-birth-date",
    "empty-keys",
    "two-patients",
    "repeated-instance",
    "repeated-instance-uid",
    "odd-length",
    "truncated-pixel-data",
    "another-sop-class",
    "gb18030-name-in-iso-ir-192",
    "utf-8-name-undeclared",
    "chinese-in-place-of-english-name",
)
# No more than another way to say the same: of these a gateway must find nothing.
HARMLESS = {
    "lower-case-name",
    "capitalised-name",
    "carets-after-name",
    "spaces-around-name",
    "name-in-two-spellings",
    "three-group-name",
    "chinese-name-in-gbk",
    "hkid-in-parentheses",
    "lower-case-hkid",
    "spaced-hkid",
    "prefixed-hkid",
    "padded-birth-date",
    "lower-case-sex",
    "padded-sex",
    "spaces-around-accession",
    "empty-attributes",
    "private-attributes",
    "unknown-attribute",
    "attribute-in-un",
    "empty-sequence",
    "undefined-length-sequence",
    "other-patient-ids",
    "wrong-group-length",
    "repeated-instance",
}
SAMPLE = [name for name, lie in LIES.items() if lie.told_by == "every instance"]


def elements(instance: studies.Instance) -> Mapping[int, bytes]:
    """Return the raw value of every top-level element."""
    whole, syntax = instance.data_set, instance.transfer_syntax_uid
    if b"ODD" in whole:  # the walker refuses what is odd; read with the length made even
        whole = whole.replace(b"\x03\x00ODD", b"\x04\x00ODD ").replace(b"\x00\x03ODD", b"\x00\x04ODD ")
        whole = whole.replace(b"\x03\x00\x00\x00ODD", b"\x04\x00\x00\x00ODD ")
    return {element.tag: whole[element.start : element.end] for element in data_set.elements(whole, syntax)}


def values(lie: Lie, seed: str = "a seed", order_seed: str = "tests", check_digit: str = "opaque") -> dict[str, str]:
    told = lie.values(seed, an_order(order_seed, check_digit=check_digit))
    return {keyword: value for keyword, value in told.items() if isinstance(value, str)}


@given(seeds, seeds, st.sampled_from(sorted(LIES)), st.sampled_from(sorted(accession.CHECK_DIGITS)))
@steady
def test_a_lie_differs_from_the_truth_and_is_always_the_same(
    order_seed: str, seed: str, name: str, check_digit: str
) -> None:
    order, lie = an_order(order_seed, check_digit=check_digit), LIES[name]
    truth = {
        "PatientID": order.person.hkid,
        "PatientName": order.person.name,
        "PatientBirthDate": order.person.birth_date,
        "PatientSex": order.person.sex,
        "AccessionNumber": order.accession_number,
    }
    told = lie.values(seed, order)
    assert told == lie.values(seed, order)
    assert name == "two-patients" or all(value != truth.get(keyword) for keyword, value in told.items())
    assert set(told) <= set(lie.about)


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_says_what_it_is_and_what_is_found(name: str) -> None:
    lie = LIES[name]
    assert lie.name == name
    assert lie.about
    assert all(re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", each) or encoding.tag_of(each) for each in lie.about)
    assert lie.explain.endswith(".")
    found = (*lie.reasons, *lie.warnings, *([lie.status] if lie.status != "0000" else []))
    assert bool(found) != (name in HARMLESS)


@pytest.mark.parametrize("name", ASKED_FOR)
def test_every_malformation_asked_for_can_be_made(name: str) -> None:
    assert name in LIES


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("name", SAMPLE)
def test_a_lie_changes_what_it_is_about_and_nothing_else(name: str, transfer_syntax: str) -> None:
    lie = LIES[name]
    true = a_study(transfer_syntax=transfer_syntax).instances[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = a_study(transfer_syntax=transfer_syntax, lies=[lie]).instances[0]
    before, after = elements(true), elements(told)
    changed = {tag for tag in {*before, *after} if before.get(tag) != after.get(tag)}
    assert {keyword_for_tag(tag) or data_set.tag_text(tag) for tag in changed} == set(lie.about)


def test_all_but_the_first_are_of_another_patient() -> None:
    true, told = a_study(instances=3), a_study(instances=3, lies=[LIES["two-patients"]])
    assert told.instances[0] == true.instances[0]
    first, second, third = (elements(instance) for instance in told.instances)
    assert first[data_set.PATIENT_ID] != second[data_set.PATIENT_ID] == third[data_set.PATIENT_ID]


def test_repeated_instances() -> None:
    true = a_study(instances=3)
    same = a_study(instances=3, lies=[LIES["repeated-instance"]])
    assert list(same.instances) == [true.instances[0], true.instances[0], true.instances[2]]
    other = a_study(instances=3, lies=[LIES["repeated-instance-uid"]])
    assert other.instances[1].sop_instance_uid == true.instances[0].sop_instance_uid
    assert (
        elements(other.instances[1])[data_set.SOP_INSTANCE_UID].rstrip(b"\0").decode()
        == true.instances[0].sop_instance_uid
    )
    assert elements(other.instances[1])[data_set.PIXEL_DATA] == elements(true.instances[1])[data_set.PIXEL_DATA]


def test_the_request_says_the_sop_class_of_the_data_set() -> None:
    told = a_study(lies=[LIES["another-sop-class"]]).instances
    assert told.pairs() == ((told[0].sop_class_uid, EXPLICIT),)
    assert elements(told[0])[data_set.SOP_CLASS_UID].rstrip(b"\0").decode() == told[0].sop_class_uid


def test_two_lies_about_one_thing_are_refused() -> None:
    with pytest.raises(ValueError, match="two lies are about PatientSex: empty-sex, two-patients"):
        a_study(instances=2, lies=[LIES["empty-sex"], LIES["two-patients"]])
    assert lies.conflict([LIES["empty-sex"], LIES["empty-name"]]) == ""


@given(seeds, seeds, st.sampled_from(sorted(BROKEN)))
@steady
def test_a_lie_about_an_accession_number_breaks_one_part(order_seed: str, seed: str, name: str) -> None:
    [told] = values(LIES[name], seed, order_seed, "iso7064-mod37-36").values()
    assert accession.inspect(told, accession.AccessionRules("iso7064-mod37-36")) == BROKEN[name]


@given(seeds, seeds)
@steady
def test_an_unknown_accession_is_in_the_running_number_alone(order_seed: str, seed: str) -> None:
    told = accession.AccessionNumber.parse(values(LIES["unknown-accession"], seed, order_seed)["AccessionNumber"])
    true = accession.AccessionNumber.parse(an_order(order_seed).accession_number)
    assert told.running != true.running
    assert (told.hospital, told.department, told.year) == (true.hospital, true.department, true.year)


@given(seeds, seeds)
@steady
def test_lies_about_an_hkid_keep_or_break_its_check(order_seed: str, seed: str) -> None:
    assert hkid.is_valid(values(LIES["another-hkid"], seed, order_seed)["PatientID"])
    assert not hkid.is_valid(values(LIES["invalid-hkid"], seed, order_seed)["PatientID"])


def test_lower_case_is_the_same_number_but_for_its_case() -> None:
    assert values(LIES["lower-case-accession"])["AccessionNumber"].upper() == an_order().accession_number


def test_another_person_is_drawn_until_it_differs() -> None:
    order_seed = "collision/another-hkid/0"
    assert values(LIES["another-hkid"], "collision", order_seed)["PatientID"] != an_order(order_seed).person.hkid
