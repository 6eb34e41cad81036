"""What each order control does, cell by cell of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.gateway import order_changes
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import OrderMessage

NUMBER = "SYNCT2500000101H"
HELD = OrderKeys(NUMBER, MajorKeys("Q1234567", "CHAN^TAI MAN", "19700131", "M"))
CANCELLED = replace(HELD, cancelled=True)
SAID = MajorKeys("Q1234567", "CHAN^TAI MING", "19700130", "M")
CHANGED = OrderKeys(NUMBER, SAID)
ANOTHER = "Q7654329"


def a_message(control: str, status: str = "", patient_id: str = "Q1234567") -> OrderMessage:
    return OrderMessage(
        message_type="ORM^O01",
        version="2.3.1",
        control_id="MSG1",
        sender="RIS|F",
        order_control=control,
        accession_number=f" {NUMBER} ",
        placer_order_number="P",
        filler_order_number="F",
        requested_procedure_id="RP",
        study_instance_uid="1.2.3",
        modality="CT",
        patient_id=patient_id,
        patient_name=SAID.name,
        patient_birth_date=SAID.birth_date,
        patient_sex=SAID.sex,
        order_status=status,
    )


@pytest.mark.parametrize(
    ("control", "new", "in_force", "cancelled"),
    [
        ("NW", CHANGED, CHANGED, CHANGED),
        ("XO", CHANGED, CHANGED, None),
        ("SC", CHANGED, CHANGED, replace(CHANGED, cancelled=True)),
        ("CA", replace(CHANGED, cancelled=True), CANCELLED, CANCELLED),
        ("OC", replace(CHANGED, cancelled=True), CANCELLED, CANCELLED),
        ("DC", replace(CHANGED, cancelled=True), CANCELLED, CANCELLED),
    ],
)
def test_the_table(control: str, new: OrderKeys, in_force: OrderKeys, cancelled: OrderKeys | None) -> None:
    message = a_message(control)
    assert order_changes.applied(message, None) == new
    assert order_changes.applied(message, HELD) == in_force
    after = order_changes.applied(message, CANCELLED)
    assert after == cancelled if cancelled else isinstance(after, Fault)


@pytest.mark.parametrize(("status", "cancels"), [("CA", True), ("DC", True), ("IP", False), ("CM", False), ("", False)])
def test_a_status_may_cancel(status: str, cancels: bool) -> None:
    after = order_changes.applied(a_message("SC", status), HELD)
    assert after == (CANCELLED if cancels else CHANGED)


@pytest.mark.parametrize("control", ["NW", "CA", "OC", "DC"])
def test_an_order_is_not_taken_from_its_patient(control: str) -> None:
    fault = order_changes.applied(a_message(control, patient_id=ANOTHER), HELD)
    assert isinstance(fault, Fault)
    assert (fault.where, NUMBER in fault.text) == ("PID-3", True)
    assert "another patient" in fault.text


def test_a_status_that_cancels_names_the_patient_too() -> None:
    assert isinstance(order_changes.applied(a_message("SC", "CA", ANOTHER), HELD), Fault)


@pytest.mark.parametrize("spelling", ["q123456(7)", "HKID:Q1234567", "Q 123456 7"])
@pytest.mark.parametrize("control", ["NW", "CA"])
def test_spellings_of_one_hkid_are_one_patient(control: str, spelling: str) -> None:
    assert isinstance(order_changes.applied(a_message(control, patient_id=spelling), HELD), OrderKeys)


def test_a_change_may_correct_the_hkid_of_an_order() -> None:
    after = order_changes.applied(a_message("XO", patient_id=ANOTHER), HELD)
    assert isinstance(after, OrderKeys)
    assert after.keys.hkid == ANOTHER


def test_a_cancelled_number_is_free_for_another_patient() -> None:
    after = order_changes.applied(a_message("NW", patient_id=ANOTHER), CANCELLED)
    assert after == OrderKeys(NUMBER, replace(SAID, hkid=ANOTHER))
