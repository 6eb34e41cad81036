"""The messages in `fixtures/hl7`, as information systems write them, and what each of them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.wire import hl7_messages, hl7_patients, hl7_segments
from simulator.wire.hl7_patients import PatientData

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "hl7"
NOTHING_BUT_A_NULL = PatientData("HKID:Q1234567", birth_date="")
PATIENTS = {
    "adt-a08-2.3.1": (PatientData("Q1234567", "CHAN^TAI MAN DAVID", "19700131", "M"),),
    "adt-a08-2.5.1-null-birth-date": (NOTHING_BUT_A_NULL,),
    "adt-a08-with-mrg": (PatientData("Q7654329", "CHAN^TAI MAN", "19700131", "M", "Q1234567"),),
    "adt-a40-2.3.1": (PatientData("Q7654329", "CHAN^TAI MAN", "19700131", "M", "Q1234567"),),
    "adt-a40-2.5.1-two-groups": (
        PatientData("Q7654329", "CHAN^TAI MAN", "19700131", "M", "Q1234567"),
        PatientData("QX1234561", prior_id="Q7654329"),
    ),
}


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.hl7").read_bytes()


def test_every_message_is_spoken_of() -> None:
    orders = {"omi-o23-change-gb18030", "orm-o01-cancel-obr-3"}
    assert {file.stem for file in FOLDER.glob("*.hl7")} == set(PATIENTS) | orders


@pytest.mark.parametrize("name", PATIENTS)
def test_what_a_message_says_of_patients(name: str) -> None:
    assert hl7_patients.read_patients(read(name)).patients == PATIENTS[name]


def test_a_cancel_with_the_number_in_obr_3() -> None:
    order = hl7_messages.read_order(read("orm-o01-cancel-obr-3"), "OBR-3")
    assert (order.order_control, order.order_status, order.accession_number) == ("CA", "CA", "SYNCT2500000101H")
    assert hl7_messages.read_order(read("orm-o01-cancel-obr-3")).accession_number == ""
    header = hl7_segments.read_header(read("orm-o01-cancel-obr-3"))
    assert (header.accept_acknowledgement, header.application_acknowledgement) == ("AL", "AL")


def test_a_change_in_chinese() -> None:
    order = hl7_messages.read_order(read("omi-o23-change-gb18030"))
    assert (order.order_control, order.accession_number) == ("XO", "SYNCT2500000101H")
    assert order.patient_name == "CHAN^TAI MAN"
    assert hl7_segments.read_header(read("omi-o23-change-gb18030")).character_set == "GB 18030-2000"
