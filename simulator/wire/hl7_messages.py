"""HL7 v2 messages that carry an order, and their acknowledgements: built from fields, and read back.

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
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import hl7

from simulator.errors import Hl7ParseError

VERSIONS = {"ORM^O01": "2.3.1", "OMI^O23": "2.5.1", "ORU^R01": "2.3.1"}
READABLE_VERSIONS = frozenset(("2.3", "2.3.1", "2.4", "2.5", "2.5.1"))

# MSH-18 (HL7 table 0211) -> Python codec; absent means ASCII, of which UTF-8 is the superset met in practice.
_CODECS = {
    "": "utf-8",
    "ASCII": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "8859/1": "latin-1",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5hkscs",
}
_ESCAPES = (
    ("\\", "\\E\\"),
    ("|", "\\F\\"),
    ("^", "\\S\\"),
    ("&", "\\T\\"),
    ("~", "\\R\\"),
    ("\r", "\\X0D\\"),
    ("\n", "\\X0A\\"),
)
# MSH-1 is any one character, MSH-2 the four that part and escape, and a fifth for truncation since version 2.7.
_MSH = re.compile(r"MSH([^\w\s])((?:(?!\1)[^\w\s]){4,5})\1", re.ASCII)
_HEXADECIMAL = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """The order that a message carries; every field is text as it stood, empty when absent.

    `patient_name` is in DICOM's PN form (`CHAN^TAI MAN`); `patient_id` is PID-3.1 of the first repetition.
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


@dataclass(frozen=True, slots=True)
class Header:
    """What an acknowledgement needs from MSH of the message it answers."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    message_type: str
    control_id: str
    processing_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """MSA of an answer: MSA-1 code (`AA`, `AE`, `AR`), MSA-2 control id, MSA-3 text."""

    code: str
    control_id: str
    text: str


def read_header(raw: bytes) -> Header:
    """Return MSH of `raw`. Raises `Hl7ParseError` when it is no HL7 message."""
    return _header(_parse(raw))


def read_order(raw: bytes) -> OrderMessage:
    """Return the order in `raw`. Raises `Hl7ParseError` when it is no HL7 message, a segment is missing,
    or it holds more than one order.
    """
    message = _parse(raw)
    header = _header(message)
    if header.message_type not in VERSIONS:
        raise Hl7ParseError(f"MSH-9 is {header.message_type!r}; an order comes as {', '.join(VERSIONS)}")
    _check_that_it_is_one_order(message, header.message_type)
    pid = _segment(message, "PID")
    numbers, at = (_segment(message, "OBR"), 2) if header.message_type == "ORU^R01" else (_segment(message, "ORC"), 2)
    return OrderMessage(
        message_type=header.message_type,
        version=header.version,
        control_id=header.control_id,
        sender=f"{header.sending_application}|{header.sending_facility}",
        order_control="NW" if header.message_type == "ORU^R01" else _field(message, numbers, 1),
        placer_order_number=_field(message, numbers, at),
        filler_order_number=_field(message, numbers, at + 1),
        patient_id=_field(message, pid, 3),
        patient_name=_person_name(message, pid),
        patient_birth_date=_field(message, pid, 7)[:8],
        patient_sex=_field(message, pid, 8),
        **_procedure(message, header.message_type),
    )


def read_acknowledgement(raw: bytes) -> Acknowledgement:
    """Return MSA of `raw`. Raises `Hl7ParseError` when it is no acknowledgement."""
    message = _parse(raw)
    msa = _segment(message, "MSA")
    text = _field(message, msa, 3) or _error_text(message)
    return Acknowledgement(_field(message, msa, 1), _field(message, msa, 2), text)


def build_order(order: OrderMessage, sent_at: str) -> bytes:
    """Return `order` as a message of its type; `sent_at` is MSH-7 (YYYYMMDDHHMMSS)."""
    segments = [_msh(order, sent_at), _pid(order)]
    segments += {"ORM^O01": _orm, "OMI^O23": _omi, "ORU^R01": _oru}[order.message_type](order, sent_at)
    return ("\r".join(segments) + "\r").encode("utf-8")


def build_acknowledgement(header: Header | None, code: str, text: str, control_id: str, sent_at: str) -> bytes:
    """Return the ACK for the message with `header` (None: it had none that could be read)."""
    asked = header or Header("", "", "", "", "", "", "P", "2.3.1")
    event = asked.message_type.partition("^")[2]
    fields = [
        asked.receiving_application,
        asked.receiving_facility,
        asked.sending_application,
        asked.sending_facility,
        sent_at,
        "",
        f"ACK^{_escaped(event)}" if event else "ACK",
        control_id,
        asked.processing_id or "P",
        asked.version or "2.3.1",
    ]
    quoted = [field if index == 6 else _escaped(field) for index, field in enumerate(fields)]
    msh = "MSH|^~\\&|" + "|".join(quoted)
    msa = f"MSA|{code}|{_escaped(asked.control_id)}|{_escaped(text)}"
    error = [] if code == "AA" else [f"ERR|||207^Application internal error^HL70357|E||||{_escaped(text)}"]
    return ("\r".join([msh, msa, *error]) + "\r").encode("utf-8")


# --- reading -----------------------------------------------------------------------------------------


def _parse(raw: bytes) -> hl7.Message:
    """Return the message; segments may end in any line end, and empty lines do not count."""
    if not raw.startswith(b"MSH"):
        raise Hl7ParseError(f"the message does not begin with MSH (found {raw[:8]!r})")
    try:
        lines = raw.decode(_codec(raw)).replace("\n", "\r").split("\r")
    except UnicodeDecodeError as error:
        raise Hl7ParseError(f"the message is not in the character set of its MSH-18: {error}") from error
    separators = _MSH.match(lines[0])
    # The library takes the characters by their places, and stumbles over two that are the same.
    if separators is None or len(set(separators[2])) < len(separators[2]):
        raise Hl7ParseError(f"MSH-1 and MSH-2 do not say how the message is parted (found {lines[0][:9]!r})")
    # It also loses a segment that has no field at all.
    segments = (line if separators[1] in line else line + separators[1] for line in lines if line.strip())
    try:
        return hl7.parse("\r".join(segments))
    except hl7.HL7Exception as error:
        raise Hl7ParseError(f"the message cannot be parsed: {error}") from error


def _codec(raw: bytes) -> str:
    """Return the codec that MSH-18 declares. MSH-1 is the separator itself, so MSH-18 is the 18th piece."""
    header = raw.replace(b"\n", b"\r").split(b"\r", 1)[0]
    separator, repetition = header[3:4] or b"|", header[5:6] or b"~"
    pieces = header.split(separator)
    declared = pieces[17].split(repetition)[0].decode("ascii", "replace").strip() if len(pieces) > 17 else ""
    if declared.upper() not in _CODECS:
        raise Hl7ParseError(
            f"MSH-18 declares the character set {declared!r}; known: {', '.join(filter(None, _CODECS))}"
        )
    return _CODECS[declared.upper()]


def _header(message: hl7.Message) -> Header:
    if sum(str(segment[0]) == "MSH" for segment in message) > 1:
        raise Hl7ParseError("the block holds more than one message (MSH)")
    msh = message.segment("MSH")
    return Header(
        sending_application=_field(message, msh, 3),
        sending_facility=_field(message, msh, 4),
        receiving_application=_field(message, msh, 5),
        receiving_facility=_field(message, msh, 6),
        message_type="^".join(filter(None, (_field(message, msh, 9, c) for c in (1, 2)))),
        control_id=_field(message, msh, 10),
        processing_id=_field(message, msh, 11),
        version=_field(message, msh, 12),
    )


def _segment(message: hl7.Message, name: str) -> hl7.Segment:
    try:
        return message.segment(name)
    except KeyError as error:
        raise Hl7ParseError(f"segment {name} is missing") from error


def _field(message: hl7.Message, segment: hl7.Segment, field: int, component: int = 1) -> str:
    """Return one component of the first repetition, unescaped, without outer spaces; empty when absent."""
    if field >= len(segment):
        return ""
    _, _, repetition, separator, part = message.separators
    components = str(segment[field]).split(repetition)[0].split(separator)
    if component > len(components):
        return ""
    text = _unescaped(components[component - 1].split(part)[0], message).strip()
    return "" if text == '""' else text


def _unescaped(text: str, message: hl7.Message) -> str:
    """Return `text` with its escape sequences replaced (HL7 v2, 2.7); those that only format are left out.

    Not the library's `unescape`: `extract_field` applies it by itself or not, as the field is parted or not.
    """
    _, field, repetition, component, part = message.separators
    plain: dict[str, str] = {"F": field, "S": component, "T": part, "R": repetition, "E": message.esc, ".br": "\r"}

    def replacement(found: re.Match[str]) -> str:
        if data := _HEXADECIMAL.fullmatch(found[1]):
            return bytes.fromhex(data[1]).decode("utf-8", "replace")
        return plain.get(found[1], "")

    escape = re.escape(message.esc)
    return re.sub(f"{escape}([^{escape}]*){escape}", replacement, text)


def _person_name(message: hl7.Message, pid: hl7.Segment) -> str:
    """Return PID-5 as a DICOM PN. XPN has suffix before prefix, PN has prefix before suffix (PS3.5 6.2.1.1)."""
    family, given, middle, suffix, prefix = (_field(message, pid, 5, component) for component in range(1, 6))
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")


def _check_that_it_is_one_order(message: hl7.Message, message_type: str) -> None:
    """Refuse a message about several orders or patients: taking the first alone would lose the others behind an AA."""
    name, field = ("IPC", 1) if message_type == "OMI^O23" else ("OBR", 18)
    numbers = {_field(message, segment, field) for segment in message if str(segment[0]) == name}
    patients = sum(str(segment[0]) == "PID" for segment in message)
    if len(numbers) > 1 or patients > 1:
        raise Hl7ParseError("the message holds more than one order; send a message for each")


def _procedure(message: hl7.Message, message_type: str) -> dict[str, str]:
    if message_type == "OMI^O23":
        ipc = _segment(message, "IPC")
        names = ("accession_number", "requested_procedure_id", "study_instance_uid")
        found = {name: _field(message, ipc, index) for index, name in enumerate(names, 1)}
        return found | {"modality": _field(message, ipc, 5)}
    obr = _segment(message, "OBR")
    zds = message.segment("ZDS") if any(str(segment[0]) == "ZDS" for segment in message) else None
    return {
        "accession_number": _field(message, obr, 18),
        "requested_procedure_id": _field(message, obr, 19),
        "study_instance_uid": _field(message, zds, 1) if zds is not None else "",
        "modality": _field(message, obr, 24),
    }


def _error_text(message: hl7.Message) -> str:
    try:
        error = message.segment("ERR")
    except KeyError:
        return ""
    return _field(message, error, 8) or _field(message, error, 1)


# --- building ----------------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    for plain, sequence in _ESCAPES:
        text = text.replace(plain, sequence)
    return text


def _line(name: str, fields: dict[int, str]) -> str:
    """Return a segment from its fields by number; the values are escaped already."""
    return "|".join([name, *(fields.get(index, "") for index in range(1, max(fields) + 1))])


def _msh(order: OrderMessage, sent_at: str) -> str:
    application, _, facility = order.sender.partition("|")
    fields = [_escaped(application), _escaped(facility), "HAGATEWAY", "HAHO", sent_at, "", order.message_type]
    fields += [_escaped(order.control_id), "P", order.version, *[""] * 5, "UNICODE UTF-8"]
    return "MSH|^~\\&|" + "|".join(fields)


def _pid(order: OrderMessage) -> str:
    family, given, middle, prefix, suffix = (order.patient_name.split("^") + [""] * 5)[:5]
    name = "^".join(_escaped(part) for part in (family, given, middle, suffix, prefix)).rstrip("^")
    identity = {1: "1", 3: _escaped(order.patient_id), 5: name}
    return _line("PID", identity | {7: _escaped(order.patient_birth_date), 8: _escaped(order.patient_sex)})


def _orc(order: OrderMessage) -> str:
    numbers = {2: _escaped(order.placer_order_number), 3: _escaped(order.filler_order_number)}
    return _line("ORC", {1: _escaped(order.order_control), **numbers})


def _obr(order: OrderMessage, sent_at: str) -> str:
    numbers = {1: "1", 2: _escaped(order.placer_order_number), 3: _escaped(order.filler_order_number)}
    procedure = {4: _escaped(order.requested_procedure_id), 7: sent_at}
    keys = {18: _escaped(order.accession_number), 19: _escaped(order.requested_procedure_id)}
    return _line("OBR", numbers | procedure | keys | {24: _escaped(order.modality)})


def _orm(order: OrderMessage, sent_at: str) -> list[str]:
    zds = f"ZDS|{_escaped(order.study_instance_uid)}^HAGATEWAY^Application^DICOM"
    return [_orc(order), _obr(order, sent_at), zds]


def _omi(order: OrderMessage, sent_at: str) -> list[str]:
    keys = {1: order.accession_number, 2: order.requested_procedure_id, 3: order.study_instance_uid}
    ipc = {index: _escaped(value) for index, value in keys.items()}
    return [_orc(order), _obr(order, sent_at), _line("IPC", ipc | {4: "1", 5: _escaped(order.modality)})]


def _oru(order: OrderMessage, sent_at: str) -> list[str]:
    return [_obr(order, sent_at), "OBX|1|TX|||Synthetic report, not for diagnosis||||||F"]
