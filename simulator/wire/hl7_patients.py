"""HL7 v2 messages about a patient and no order: ADT^A08 (update) and ADT^A40 (merge), built and read back.

An update says anew who the patient under an identifier is. A merge says of pairs of a surviving (PID-3) and a
prior identifier (MRG-1) that they are one patient (HL7 v2 chapter 3: A08 and A40 with its structure ADT_A39, in
which the group of PID and MRG repeats). A field that is absent keeps what is known, a null (`""`) deletes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import hl7

from simulator.errors import Hl7ParseError
from simulator.wire.hl7_messages import Envelope, msh
from simulator.wire.hl7_segments import (
    REQUIRED_FIELD,
    SEGMENT_SEQUENCE,
    UNSUPPORTED_TYPE,
    encoded,
    escaped,
    field,
    header,
    line,
    parse,
    person_name,
    segment,
    value,
    xpn,
)

UPDATE, MERGE = "ADT^A08", "ADT^A40"
TYPES = (UPDATE, MERGE)
_STRUCTURES = {UPDATE: "ADT_A01", MERGE: "ADT_A39"}
_CHARACTER_SET = "UNICODE UTF-8"


@dataclass(frozen=True, slots=True)
class PatientData:
    """What one PID, with its MRG where it has one, says; None where a field is absent, empty where it is null.

    `patient_id` is PID-3.1 and `prior_id` MRG-1.1, each of the first repetition; `name` is in DICOM's PN form.
    """

    patient_id: str
    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    prior_id: str = ""


@dataclass(frozen=True, slots=True)
class PatientMessage:
    """An ADT message: an update of one patient, or the merges that it asks for, in their order."""

    message_type: str
    version: str
    control_id: str
    sender: str
    patients: tuple[PatientData, ...]


def read_patients(raw: bytes) -> PatientMessage:
    """Return what an ADT message says. Raises `Hl7ParseError` when it is none, or lacks an identifier."""
    message = parse(raw)
    found = header(message)
    if found.message_type not in TYPES:
        raise Hl7ParseError(
            f"MSH-9 is {found.message_type!r}; a patient comes as {', '.join(TYPES)}",
            where="MSH-9",
            condition=UNSUPPORTED_TYPE,
        )
    segment(message, "PID")
    patients = tuple(_patient(message, *group) for group in _groups(message))
    if found.message_type == UPDATE:
        _check_update(patients)
    elif not all(patient.prior_id for patient in patients):
        raise Hl7ParseError(
            "MRG-1 is empty or missing: a merge names the prior identifier", where="MRG-1", condition=REQUIRED_FIELD
        )
    sender = f"{found.sending_application}|{found.sending_facility}"
    return PatientMessage(found.message_type, found.version, found.control_id, sender, patients)


def build_patients(message: PatientMessage, envelope: Envelope) -> bytes:
    """Return the message."""
    event = message.message_type.partition("^")[2]
    named_type = f"{message.message_type}^{_STRUCTURES[message.message_type]}"
    segments = [
        msh(named_type, message.version, message.control_id, message.sender, envelope),
        f"EVN|{event}|{envelope.sent_at}",
    ]
    for patient in message.patients:
        segments.append(_pid(patient))
        if message.message_type == UPDATE:
            segments.append("PV1||U")
        if patient.prior_id:
            segments.append(line("MRG", {1: escaped(patient.prior_id)}))
    return encoded(segments, _CHARACTER_SET)


def _groups(message: hl7.Message) -> list[tuple[hl7.Segment, hl7.Segment | None]]:
    """Return each PID with the MRG that follows it before the next PID. Raises for a second MRG, or one before PID."""
    groups: list[tuple[hl7.Segment, hl7.Segment | None]] = []
    for each in message:
        if str(each[0]) == "PID":
            groups.append((each, None))
        elif str(each[0]) == "MRG":
            if not groups or groups[-1][1] is not None:
                raise Hl7ParseError("MRG stands where no PID is before it", where="MRG", condition=SEGMENT_SEQUENCE)
            groups[-1] = (groups[-1][0], each)
    return groups


def _patient(message: hl7.Message, pid: hl7.Segment, mrg: hl7.Segment | None) -> PatientData:
    patient_id = field(message, pid, 3)
    if not patient_id:
        raise Hl7ParseError("PID-3 is empty: the message names no patient", where="PID-3", condition=REQUIRED_FIELD)
    birth_date = value(message, pid, 7)
    return PatientData(
        patient_id=patient_id,
        name=person_name(message, pid),
        birth_date=None if birth_date is None else birth_date[:8],
        sex=value(message, pid, 8),
        prior_id=field(message, mrg, 1) if mrg is not None else "",
    )


def _check_update(patients: tuple[PatientData, ...]) -> None:
    if len(patients) > 1:
        raise Hl7ParseError("the message holds more than one patient; send a message for each", where="PID")


def _pid(patient: PatientData) -> str:
    fields = {1: "1", 3: escaped(patient.patient_id)}
    values = {7: patient.birth_date, 8: patient.sex}
    if patient.name is not None:
        fields[5] = xpn(patient.name) or '""'
    return line("PID", fields | {number: escaped(text) or '""' for number, text in values.items() if text is not None})
