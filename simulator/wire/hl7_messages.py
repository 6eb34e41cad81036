"""HL7 v2 messages that carry an order: built from fields, and read back.

Read and built: ORM^O01 (2.3.1), OMI^O23 (2.5.1), ORU^R01 (2.3.1). Where each DICOM key stands follows the
IHE Radiology Technical Framework, volume 2, appendix B:

| key                    | ORM^O01       | OMI^O23       | ORU^R01       |
|------------------------|---------------|---------------|---------------|
| accession number       | OBR-18        | IPC-1         | OBR-18        |
| requested procedure ID | OBR-19        | IPC-2         | OBR-19        |
| study instance UID     | ZDS-1.1       | IPC-3         | -             |
| modality               | OBR-24        | IPC-5         | -             |
| placer, filler order   | ORC-2, ORC-3  | ORC-2, ORC-3  | OBR-2, OBR-3  |
| patient                | PID-3, 5, 7, 8 | same         | same          |

Some sites put the accession number elsewhere, so its place is a setting (`ACCESSION_LOCATIONS`).
"""

from __future__ import annotations

from dataclasses import dataclass

import hl7

from simulator.errors import Hl7ParseError
from simulator.wire.hl7_segments import (
    DUPLICATE_KEY,
    UNSUPPORTED_TYPE,
    encoded,
    escaped,
    field,
    header,
    line,
    named,
    parse,
    person_name,
    segment,
    xpn,
)

VERSIONS = {"ORM^O01": "2.3.1", "OMI^O23": "2.5.1", "ORU^R01": "2.3.1"}
ACCESSION_LOCATIONS = ("OBR-2", "OBR-3", "OBR-18", "ORC-2", "ORC-3", "IPC-1")
"""Where an accession number may stand, as segment and field."""

BY_MESSAGE_TYPE = "by-message-type"
"""The accession number stands where the IHE framework puts it: IPC-1 in OMI^O23, OBR-18 in the others."""

_CHARACTER_SET = "UNICODE UTF-8"


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """The order that a message carries; every field is text as it stood, empty when absent.

    `patient_name` is in DICOM's PN form (`CHAN^TAI MAN`); `patient_id` is PID-3.1 of the first repetition;
    `order_control` and `order_status` are ORC-1 and ORC-5 (HL7 tables 0119 and 0038).
    """

    message_type: str
    version: str
    control_id: str
    sender: str
    order_control: str
    accession_number: str
    placer_order_number: str
    filler_order_number: str
    requested_procedure_id: str
    study_instance_uid: str
    modality: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    order_status: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What MSH of a message that is built says beside its type: when, and which acknowledgements are asked for.

    `sent_at` is MSH-7 (YYYYMMDDHHMMSS); `accept` and `application` are MSH-15 and MSH-16, both empty in the original
    acknowledgement mode.
    """

    sent_at: str
    accept: str = ""
    application: str = ""


def accession_location(message_type: str, setting: str = BY_MESSAGE_TYPE) -> str:
    """Return the segment and field (`OBR-18`) in which a message of this type has the accession number."""
    if setting != BY_MESSAGE_TYPE:
        return setting
    return "IPC-1" if message_type == "OMI^O23" else "OBR-18"


def read_order(raw: bytes, accession_at: str = BY_MESSAGE_TYPE) -> OrderMessage:
    """Return the order in `raw`. Raises `Hl7ParseError` when it is no HL7 message, a segment is missing,
    or it holds more than one order.
    """
    message = parse(raw)
    msh = header(message)
    if msh.message_type not in VERSIONS:
        known = ", ".join(VERSIONS)
        raise Hl7ParseError(
            f"MSH-9 is {msh.message_type!r}; an order comes as {known}", where="MSH-9", condition=UNSUPPORTED_TYPE
        )
    location = accession_location(msh.message_type, accession_at)
    _check_that_it_is_one_order(message, location)
    pid = segment(message, "PID")
    report = msh.message_type == "ORU^R01"
    numbers = segment(message, "OBR" if report else "ORC")
    at, number = location.split("-")
    return OrderMessage(
        message_type=msh.message_type,
        version=msh.version,
        control_id=msh.control_id,
        sender=f"{msh.sending_application}|{msh.sending_facility}",
        order_control="NW" if report else field(message, numbers, 1),
        order_status="" if report else field(message, numbers, 5),
        placer_order_number=field(message, numbers, 2),
        filler_order_number=field(message, numbers, 3),
        patient_id=field(message, pid, 3),
        patient_name=person_name(message, pid) or "",
        patient_birth_date=field(message, pid, 7)[:8],
        patient_sex=field(message, pid, 8),
        **_procedure(message, msh.message_type)
        | {"accession_number": field(message, segment(message, at), int(number))},
    )


def build_order(order: OrderMessage, envelope: Envelope, accession_at: str = BY_MESSAGE_TYPE) -> bytes:
    """Return `order` as a message of its type."""
    location = accession_location(order.message_type, accession_at)
    segments = [msh(order.message_type, order.version, order.control_id, order.sender, envelope), _pid(order)]
    segments += {"ORM^O01": _orm, "OMI^O23": _omi, "ORU^R01": _oru}[order.message_type](order, envelope.sent_at)
    return encoded([_with_accession_number(each, location, order) for each in segments], _CHARACTER_SET)


# --- reading -----------------------------------------------------------------------------------------


def _check_that_it_is_one_order(message: hl7.Message, location: str) -> None:
    """Refuse a message about several orders or patients: taking the first alone would lose the others behind an AA."""
    name, number = location.split("-")
    numbers = {field(message, each, int(number)) for each in named(message, name)}
    if len(numbers) > 1 or len(named(message, "PID")) > 1:
        raise Hl7ParseError(
            "the message holds more than one order; send a message for each", where=location, condition=DUPLICATE_KEY
        )


def _procedure(message: hl7.Message, message_type: str) -> dict[str, str]:
    if message_type == "OMI^O23":
        ipc = segment(message, "IPC")
        places = {"requested_procedure_id": 2, "study_instance_uid": 3, "modality": 5}
        return {name: field(message, ipc, number) for name, number in places.items()}
    obr = segment(message, "OBR")
    zds = named(message, "ZDS")
    return {
        "requested_procedure_id": field(message, obr, 19),
        "study_instance_uid": field(message, zds[0], 1) if zds else "",
        "modality": field(message, obr, 24),
    }


# --- building ----------------------------------------------------------------------------------------


def msh(message_type: str, version: str, control_id: str, sender: str, envelope: Envelope) -> str:
    """Return the header; `sender` is `application|facility`."""
    application, _, facility = sender.partition("|")
    fields = [escaped(application), escaped(facility), "HAGATEWAY", "HAHO", envelope.sent_at, "", message_type]
    fields += [escaped(control_id), "P", version, "", "", envelope.accept, envelope.application, "", _CHARACTER_SET]
    return "MSH|^~\\&|" + "|".join(fields)


def _pid(order: OrderMessage) -> str:
    identity = {1: "1", 3: escaped(order.patient_id), 5: xpn(order.patient_name)}
    return line("PID", identity | {7: escaped(order.patient_birth_date), 8: escaped(order.patient_sex)})


def _orc(order: OrderMessage) -> str:
    numbers = {2: escaped(order.placer_order_number), 3: escaped(order.filler_order_number)}
    status = {5: escaped(order.order_status)} if order.order_status else {}
    return line("ORC", {1: escaped(order.order_control), **numbers, **status})


def _obr(order: OrderMessage, sent_at: str) -> str:
    numbers = {1: "1", 2: escaped(order.placer_order_number), 3: escaped(order.filler_order_number)}
    procedure = {4: escaped(order.requested_procedure_id), 7: sent_at}
    return line("OBR", numbers | procedure | {19: escaped(order.requested_procedure_id), 24: escaped(order.modality)})


def _orm(order: OrderMessage, sent_at: str) -> list[str]:
    return [_orc(order), _obr(order, sent_at), f"ZDS|{escaped(order.study_instance_uid)}^HAGATEWAY^Application^DICOM"]


def _omi(order: OrderMessage, sent_at: str) -> list[str]:
    keys = {2: order.requested_procedure_id, 3: order.study_instance_uid}
    ipc = {index: escaped(value) for index, value in keys.items()}
    return [_orc(order), _obr(order, sent_at), line("IPC", ipc | {4: "1", 5: escaped(order.modality)})]


def _oru(order: OrderMessage, sent_at: str) -> list[str]:
    return [_obr(order, sent_at), "OBX|1|TX|||Synthetic report, not for diagnosis||||||F"]


def _with_accession_number(written: str, location: str, order: OrderMessage) -> str:
    """Return the segment with the accession number in it, where it stands in this segment."""
    name, number = location.split("-")
    fields = written.split("|")
    if fields[0] != name:
        return written
    fields += [""] * (int(number) + 1 - len(fields))
    fields[int(number)] = escaped(order.accession_number)
    return "|".join(fields)
