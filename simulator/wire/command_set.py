"""Command sets of DIMSE messages (PS3.7 6.3 and annex E): always Implicit VR Little Endian, read and built as bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.errors import NotDicom

# Elements of group 0000 (PS3.7 E.1).
GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID = 0x0002, 0x0003
COMMAND_FIELD = 0x0100
MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO = 0x0110, 0x0120
PRIORITY = 0x0700
DATA_SET_TYPE = 0x0800
STATUS, ERROR_COMMENT = 0x0900, 0x0902
AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID = 0x1000, 0x1001
EVENT_TYPE_ID, ACTION_TYPE_ID = 0x1002, 0x1008

NO_DATA_SET = 0x0101
RESPONSE = 0x8000  # the bit of Command Field that makes a response
_CANCEL = 0x0FFF
_REQUESTS = {
    0x0001: "C-STORE",
    0x0010: "C-GET",
    0x0020: "C-FIND",
    0x0021: "C-MOVE",
    0x0030: "C-ECHO",
    0x0100: "N-EVENT-REPORT",
    0x0110: "N-GET",
    0x0120: "N-SET",
    0x0130: "N-ACTION",
    0x0140: "N-CREATE",
    0x0150: "N-DELETE",
}
# Command Field (0000,0100) -> what the standard calls the message.
KINDS: Mapping[int, str] = (
    {field: f"{name}-RQ" for field, name in _REQUESTS.items()}
    | {field | RESPONSE: f"{name}-RSP" for field, name in _REQUESTS.items()}
    | {_CANCEL: "C-CANCEL-RQ"}
)
FIELDS: Mapping[str, int] = {name: field for field, name in KINDS.items()}
# No request and no response of these carries a data set (PS3.7 9.3.5, 9.3.2.3, 10.3.2.1, 10.3.6).
WITHOUT_DATA_SET = frozenset(
    ("C-ECHO-RQ", "C-ECHO-RSP", "C-STORE-RSP", "C-CANCEL-RQ", "N-GET-RQ", "N-DELETE-RQ", "N-DELETE-RSP")
)


@dataclass(frozen=True, slots=True)
class CommandSet:
    """The elements of a command set: element number of group 0000 -> value as encoded, without the group length."""

    elements: Mapping[int, bytes]

    @property
    def kind(self) -> str:
        """What the standard calls the message, such as `C-STORE-RQ`; the bare field where it defines none."""
        field = self.number(COMMAND_FIELD)
        return KINDS.get(field, f"command field {field:04X}H") if field is not None else "no command field"

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows (PS3.7 E.1: any Command Data Set Type but 0101H)."""
        return self.number(DATA_SET_TYPE, NO_DATA_SET) != NO_DATA_SET

    def number(self, element: int, default: int | None = None) -> int | None:
        """Return a value of VR US, or `default` where it is missing or has not two bytes."""
        value = self.elements.get(element, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else default

    def text(self, element: int) -> str:
        """Return a value of a character VR without its padding, or nothing where it is missing."""
        return self.elements.get(element, b"").rstrip(b"\0 ").decode("latin-1")

    def but(self, **values: int | str | bytes | None) -> CommandSet:
        """Return this command set with other values, by the names of `encoded`; None takes an element away."""
        changed = dict(self.elements)
        for name, value in values.items():
            element = ELEMENTS[name]
            changed.pop(element, None)
            if value is not None:
                changed[element] = encoded(name, value)
        return CommandSet(changed)

    def encode(self, group_length: int | None = None) -> bytes:
        """Return the bytes, elements in order; `group_length` only to state a wrong one."""
        content = b"".join(_element(number, self.elements[number]) for number in sorted(self.elements))
        told = len(content) if group_length is None else group_length
        return _element(GROUP_LENGTH, struct.pack("<L", told)) + content


# The elements that can be set by name, with their VR.
ELEMENTS: Mapping[str, int] = {
    "affected_sop_class_uid": AFFECTED_SOP_CLASS_UID,
    "requested_sop_class_uid": REQUESTED_SOP_CLASS_UID,
    "command_field": COMMAND_FIELD,
    "message_id": MESSAGE_ID,
    "message_id_being_responded_to": MESSAGE_ID_BEING_RESPONDED_TO,
    "priority": PRIORITY,
    "data_set_type": DATA_SET_TYPE,
    "status": STATUS,
    "error_comment": ERROR_COMMENT,
    "affected_sop_instance_uid": AFFECTED_SOP_INSTANCE_UID,
    "requested_sop_instance_uid": REQUESTED_SOP_INSTANCE_UID,
    "event_type_id": EVENT_TYPE_ID,
    "action_type_id": ACTION_TYPE_ID,
}


def encoded(name: str, value: int | str | bytes) -> bytes:
    """Return a value as it stands in a command set: numbers as US, text padded to even length, bytes as they are.

    A UID is padded by NUL, other text by a space (PS3.5 6.2). Bytes are how a wrong value is told.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return struct.pack("<H", value)
    text = value.encode("latin-1", "replace")
    return text + (b"\0" if name.endswith("_uid") else b" ") * (len(text) % 2)


def command_set(**values: int | str | bytes) -> CommandSet:
    """Return a command set of these values, by the names of `ELEMENTS`."""
    return CommandSet({ELEMENTS[name]: encoded(name, value) for name, value in values.items()})


def decode(data: bytes) -> CommandSet:
    """Return the command set in `data`. Raises `NotDicom` where it ends or leaves group 0000."""
    elements: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise NotDicom(f"command set: {len(data) - at} bytes at byte {at} are no element")
        group, element, length = struct.unpack_from("<HHL", data, at)
        if group != 0:
            raise NotDicom(f"command set: element ({group:04X},{element:04X}) at byte {at} is not of group 0000")
        at += 8
        if length > len(data) - at:
            raise NotDicom(f"command set: (0000,{element:04X}) has {length} bytes, {len(data) - at} are left")
        if element != GROUP_LENGTH:
            elements[element] = data[at : at + length]
        at += length
    return CommandSet(elements)


def response_to(request: CommandSet, status: int, error_comment: str = "") -> CommandSet:
    """Return the response that refers to a request (PS3.7 9.3, 10.3), without a data set."""
    asked = request.elements
    answer = {
        COMMAND_FIELD: struct.pack("<H", (request.number(COMMAND_FIELD) or 0) | RESPONSE),
        MESSAGE_ID_BEING_RESPONDED_TO: asked.get(MESSAGE_ID, b"\0\0"),
        DATA_SET_TYPE: struct.pack("<H", NO_DATA_SET),
        STATUS: struct.pack("<H", status),
    }
    for affected, requested in (
        (AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID),
        (AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID),
    ):
        if named := asked.get(affected) or asked.get(requested):
            answer[affected] = named
    answer |= {element: asked[element] for element in (EVENT_TYPE_ID, ACTION_TYPE_ID) if element in asked}
    if error_comment:
        answer[ERROR_COMMENT] = encoded("error_comment", error_comment[:64])
    return CommandSet(answer)


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value
