"""What a corrected copy says: only what the study got wrong, and only what the order has."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from simulator.gateway import correction
from simulator.gateway.acts import Correction, Ruling
from simulator.gateway.correction import Copy
from simulator.gateway.steps import Inspected, Unmatched
from simulator.rules import matching
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.site import Site
from simulator.synthesis import character_sets
from simulator.wire import part10
from simulator.wire.association import Outgoing
from tests.gateway.made import outgoing
from tests.synthesis.made import a_study, an_order

PERSON = an_order("c").person
NUMBER = an_order("c").accession_number
KEYS = MajorKeys(PERSON.hkid, PERSON.name, PERSON.birth_date, PERSON.sex)
ORDER = OrderKeys(NUMBER, KEYS)
AT = "2026-01-02T03:04:05.678901Z"
OTHER_SEX = {"M": "F", "F": "M"}.get(PERSON.sex, "M")


def instance(**lies: str) -> Outgoing:
    return outgoing(a_study("c", lies=lies, character_set=character_sets.UTF_8).instances[0])


def copy(held: Outgoing, order: OrderKeys = ORDER, reason: str = "COERCE") -> Outgoing:
    return Copy(Correction(order, reason, AT), "HAGATEWAY").as_sent(held, "MODALITY1")


def parsed(sent: Outgoing) -> Dataset:
    return dcmread(BytesIO(part10.build(sent, "TEST")))


def with_keys(**changes: str) -> OrderKeys:
    return OrderKeys(NUMBER, replace(KEYS, **changes))


def test_what_agrees_goes_out_byte_for_byte() -> None:
    assert copy(instance()) == instance()
    spelled = instance(
        PatientID=f"{PERSON.hkid[:-1].lower()}({PERSON.hkid[-1]})", PatientName=f"{PERSON.name.lower()}^^"
    )
    assert copy(spelled) == spelled
    assert Copy(None, "HAGATEWAY").as_sent(instance(PatientSex=OTHER_SEX), "X") == instance(PatientSex=OTHER_SEX)


def test_a_name_in_characters_stays_where_the_name_in_english_agrees() -> None:
    held = instance(PatientSex=OTHER_SEX)
    assert "=" in str(parsed(held).PatientName)
    sent = parsed(copy(held))
    assert str(sent.PatientName) == str(parsed(held).PatientName)
    assert sent.PatientSex == PERSON.sex
    (item,) = sent.OriginalAttributesSequence
    assert [each.keyword for each in item.ModifiedAttributesSequence[0]] == ["PatientSex"]
    assert item.AttributeModificationDateTime == "20260102030405+0000"


def test_a_key_that_the_order_lacks_is_not_taken_from_the_study() -> None:
    sent = parsed(copy(instance(PatientName="WRONG^NAME"), with_keys(birth_date="", hkid="", sex="")))
    assert sent.PatientName == PERSON.name
    assert (sent.PatientID, sent.PatientBirthDate, sent.PatientSex) == (PERSON.hkid, PERSON.birth_date, PERSON.sex)
    held = instance(PatientName="WRONG^NAME")
    assert copy(held, with_keys(name="")) == held


@pytest.mark.parametrize(
    ("key", "ordered", "keyword", "written"),
    [
        ("hkid", "HKID:a123456(3)", "PatientID", "A1234563"),
        ("sex", "U", "PatientSex", "O"),
        ("name", "LEE^KA YAN=李^嘉欣", "PatientName", "LEE^KA YAN=李^嘉欣"),
        ("birth_date", " 19991231 ", "PatientBirthDate", "19991231"),
    ],
)
def test_a_key_is_written_as_dicom_writes_it(key: str, ordered: str, keyword: str, written: str) -> None:
    sent = parsed(copy(instance(), with_keys(**{key: ordered})))
    assert str(sent[keyword].value) == written


def test_the_reason_is_the_standards_own() -> None:
    item = parsed(copy(instance(AccessionNumber="X"), reason="CORRECT")).OriginalAttributesSequence[0]
    assert item.ReasonForTheAttributeModification == "CORRECT"
    assert item.ModifiedAttributesSequence[0].AccessionNumber == "X"


# --- what is decided ---------------------------------------------------------------------------------

STUDY = Inspected("1.2", (StudyKeys(NUMBER, replace(KEYS, sex=OTHER_SEX)),), 1, False, ORDER, False)
CORRECTS = Site.model_validate({"unmatched": "correct"})


def unmatched(study: Inspected, site: Site) -> Unmatched:
    return Unmatched(study, matching.decide(study.keys, study.order, site.accession_rules(), study.accession_taken))


@pytest.mark.parametrize(
    ("policy", "state", "warnings"),
    [("hold", "unmatched", ()), ("reject", "rejected", ()), ("correct", "matched", ("sex.mismatch",))],
)
def test_the_sites_policy(policy: str, state: str, warnings: tuple[str, ...]) -> None:
    site = Site.model_validate({"unmatched": policy})
    verdict = correction.verdict(unmatched(STUDY, site), site, ())
    assert (verdict.state, verdict.warnings) == (state, warnings)
    assert (verdict.correction is not None) == (policy == "correct")
    if verdict.correction is not None:
        assert (verdict.correction.order, verdict.correction.reason) == (ORDER, "COERCE")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accession_taken": True}, "accession.duplicate"),
        ({"order": replace(ORDER, cancelled=True)}, "order.cancelled"),
        ({"order": None}, "order.not-found"),
        ({"order": with_keys(hkid="")}, "hkid.mismatch"),
        ({"keys": (StudyKeys(NUMBER.lower(), KEYS),)}, "accession.malformed.hospital"),
        ({"keys": (*STUDY.keys, StudyKeys(NUMBER, KEYS))}, "study.inconsistent"),
    ],
)
def test_the_policy_corrects_nothing_else(changes: dict[str, object], reason: str) -> None:
    study = replace(STUDY, **changes)  # type: ignore[arg-type]
    verdict = correction.verdict(unmatched(study, CORRECTS), CORRECTS, ())
    assert verdict.state == "unmatched"
    assert reason in verdict.reasons
    assert verdict.correction is None


def test_an_operators_reject_comes_before_the_policy() -> None:
    study = replace(STUDY, ruling=Ruling("", frozenset(STUDY.keys)), order=None)
    verdict = correction.verdict(unmatched(study, CORRECTS), CORRECTS, ("w",))
    assert (verdict.state, verdict.reasons, verdict.warnings) == ("rejected", ("operator.rejected",), ("w",))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"order": None}, ("order.not-found",)),
        ({"order": replace(ORDER, cancelled=True)}, ("order.cancelled", "sex.mismatch")),
        ({"accession_taken": True}, ("accession.duplicate", "sex.mismatch")),
        ({"order": with_keys(name="陳^大文")}, ("name.mismatch", "sex.mismatch")),
    ],
)
def test_a_ruling_does_not_go_against_the_orders(changes: dict[str, object], reasons: tuple[str, ...]) -> None:
    study = replace(STUDY, ruling=Ruling(NUMBER, frozenset(STUDY.keys)), **changes)  # type: ignore[arg-type]
    verdict = correction.verdict(unmatched(study, CORRECTS), CORRECTS, ())
    assert (verdict.state, verdict.reasons, verdict.correction) == ("unmatched", reasons, None)


def test_a_ruling_holds_for_what_was_seen() -> None:
    first, second = StudyKeys("A", KEYS), StudyKeys("B", KEYS)
    ruling = Ruling("A", frozenset((first, second)))
    assert ruling.holds_for((second,))
    assert ruling.holds_for((second, first))
    assert not ruling.holds_for((first, StudyKeys("C", KEYS)))
