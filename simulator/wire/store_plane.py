"""What the two data planes share: the switch that turns them off, and messages of C-STORE and C-ECHO as bytes.

A data plane carries messages of the plain shape past pynetdicom, which negotiates the association and serves whatever
is not plain: `send_plane` for an association that this side requested, `receive_plane` for one that it accepted.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

from simulator.errors import NotDicom, UsageError
from simulator.wire import command_set
from simulator.wire.command_set import COMMAND_FIELD, FIELDS, NO_DATA_SET, CommandSet
from simulator.wire.terms import VERIFICATION

SWITCH = "SIMULATE_DATA_PLANE"
"""The environment variable that turns the data planes off, with the value `off`."""

PDU_AND_PDV_HEAD = struct.Struct(">BBLLBB")
"""Of a P-DATA-TF (PS3.8 9.3.5): type, reserved, length; length of the first PDV, context ID, control header."""

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)

_DATA_SET_FOLLOWS = 0x0001
_NEEDED = frozenset(
    (
        command_set.AFFECTED_SOP_CLASS_UID,
        command_set.COMMAND_FIELD,
        command_set.MESSAGE_ID,
        command_set.PRIORITY,
        command_set.DATA_SET_TYPE,
        command_set.AFFECTED_SOP_INSTANCE_UID,
    )
)
_UID = re.compile(rb"(?=[0-9.]{1,64}\0?\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*\0?\Z")  # PS3.5 9.1


# A plain C-STORE-RQ with its elements in the order of their tags, as all but odd peers send it.
_PLAIN_STORE = re.compile(
    rb"\x00\x00\x00\x00\x04\x00\x00\x00...."
    rb"\x00\x00\x02\x00(..)\x00\x00([0-9.]{1,64}\x00?)"
    rb"\x00\x00\x00\x01\x02\x00\x00\x00\x01\x00"
    rb"\x00\x00\x10\x01\x02\x00\x00\x00(..)"
    rb"\x00\x00\x00\x07\x02\x00\x00\x00[\x00\x01\x02]\x00"
    rb"\x00\x00\x00\x08\x02\x00\x00\x00(?!\x01\x01).."
    rb"\x00\x00\x00\x10(..)\x00\x00([0-9.]{1,64}\x00?)",
    re.DOTALL,
)
# A plain C-ECHO-RQ, its elements in order: any other is the library's.
_PLAIN_ECHO = re.compile(
    rb"\x00\x00\x00\x00\x04\x00\x00\x00...."
    rb"\x00\x00\x02\x00\x12\x00\x00\x001\.2\.840\.10008\.1\.1\x00"
    rb"\x00\x00\x00\x01\x02\x00\x00\x00\x30\x00"
    rb"\x00\x00\x10\x01\x02\x00\x00\x00(..)"
    rb"\x00\x00\x00\x08\x02\x00\x00\x00\x01\x01",
    re.DOTALL,
)
_ANY_MESSAGE = b"\xff\xfe"
_ECHO_RESPONSE = command_set.command_set(
    affected_sop_class_uid=VERIFICATION,
    command_field=FIELDS["C-ECHO-RSP"],
    message_id_being_responded_to=_ANY_MESSAGE,
    data_set_type=NO_DATA_SET,
    status=0x0000,
).encode()
# Of a C-STORE-RSP between its UIDs: command field, message ID, no data set, status.
_RESPONSE_FIELDS = struct.Struct("<HHLH HHL2s HHLH HHLH")
_LENGTH = struct.Struct("<HHL")


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """The command set of a plain C-STORE-RQ: as it came, its message ID as it came, and the two UIDs."""

    encoded: bytes
    message_id: bytes
    sop_class_uid: str
    sop_instance_uid: str


def is_on() -> bool:
    """Tell whether the data planes are switched on. Raises `UsageError` for a value that is neither on nor off."""
    value = os.environ.get(SWITCH, "on").strip().lower()
    if value not in ("on", "off"):
        raise UsageError(f"{SWITCH} is {value!r}", "set it to off for pynetdicom alone, or to on")
    return value == "on"


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> CommandSet:
    """Return the command set of a C-STORE-RQ of low priority (PS3.7 9.3.1.1)."""
    return command_set.command_set(
        affected_sop_class_uid=sop_class_uid,
        command_field=FIELDS["C-STORE-RQ"],
        message_id=message_id,
        priority=2,
        data_set_type=_DATA_SET_FOLLOWS,
        affected_sop_instance_uid=sop_instance_uid,
    )


def echo_request(message_id: int, sop_class_uid: str) -> CommandSet:
    """Return the command set of a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return command_set.command_set(
        affected_sop_class_uid=sop_class_uid,
        command_field=FIELDS["C-ECHO-RQ"],
        message_id=message_id,
        data_set_type=NO_DATA_SET,
    )


def plain_store(encoded: bytes) -> StoreCommand | None:
    """Return the command set of a C-STORE-RQ when it is plain: what PS3.7 9.3.1.1 wants, rightly encoded, no more.

    One that a C-MOVE brought about (with Move Originator) is not; a real device has it seldom.
    """
    if found := _PLAIN_STORE.fullmatch(encoded):
        class_length, sop_class, message_id, instance_length, sop_instance = found.groups()
        lengths = int.from_bytes(class_length, "little"), int.from_bytes(instance_length, "little")
        if lengths == (len(sop_class), len(sop_instance)) and _is_uid(sop_class) and _is_uid(sop_instance):
            return StoreCommand(encoded, message_id, _text(sop_class), _text(sop_instance))
    return _plain_store(encoded)


def _plain_store(encoded: bytes) -> StoreCommand | None:
    try:
        command = command_set.decode(encoded)
    except NotDicom:
        return None
    found = command.elements
    sop_class, sop_instance = (
        found.get(command_set.AFFECTED_SOP_CLASS_UID, b""),
        found.get(command_set.AFFECTED_SOP_INSTANCE_UID, b""),
    )
    is_plain = (
        found.keys() == _NEEDED
        and command.number(COMMAND_FIELD) == FIELDS["C-STORE-RQ"]
        and command.number(command_set.MESSAGE_ID) is not None
        and command.number(command_set.PRIORITY) in (0, 1, 2)
        and command.number(command_set.DATA_SET_TYPE) not in (None, NO_DATA_SET)
        and _UID.match(sop_class)
        and _UID.match(sop_instance)
    )
    if not is_plain:
        return None
    message_id = found[command_set.MESSAGE_ID]
    return StoreCommand(encoded, message_id, _text(sop_class), _text(sop_instance))


def plain_echo(encoded: bytes) -> bytes | None:
    """Return the message ID of a C-ECHO-RQ, as it came, when that is plain (PS3.7 9.3.5.1)."""
    found = _PLAIN_ECHO.fullmatch(encoded)
    return found[1] if found else None


def echo_response(message_id: bytes) -> bytes:
    """Return the command set of the C-ECHO-RSP that says Success (PS3.7 9.3.5.2)."""
    return _ECHO_RESPONSE.replace(_ANY_MESSAGE, message_id, 1)


def store_response(command: StoreCommand, status: int, error_comment: str) -> bytes:
    """Return the command set of the C-STORE-RSP; `error_comment`: at most 64 characters of ASCII."""
    sop_class, sop_instance = _padded(command.sop_class_uid), _padded(command.sop_instance_uid)
    fields = _RESPONSE_FIELDS.pack(
        *(0, COMMAND_FIELD, 2, FIELDS["C-STORE-RSP"]),
        *(0, command_set.MESSAGE_ID_BEING_RESPONDED_TO, 2, command.message_id),
        *(0, command_set.DATA_SET_TYPE, 2, NO_DATA_SET),
        *(0, command_set.STATUS, 2, status),
    )
    said = command_set.encoded("error_comment", error_comment[:64]) if error_comment else b""
    content = b"".join(
        (
            _LENGTH.pack(0, command_set.AFFECTED_SOP_CLASS_UID, len(sop_class)),
            sop_class,
            fields,
            _LENGTH.pack(0, command_set.ERROR_COMMENT, len(said)) + said if said else b"",
            _LENGTH.pack(0, command_set.AFFECTED_SOP_INSTANCE_UID, len(sop_instance)),
            sop_instance,
        )
    )
    return _LENGTH.pack(0, command_set.GROUP_LENGTH, 4) + struct.pack("<L", len(content)) + content


def _is_uid(digits_and_dots: bytes) -> bool:
    """Tell whether it is a UID (PS3.5 9.1); most are by their looks."""
    is_odd = b".0" in digits_and_dots or b".." in digits_and_dots or digits_and_dots[:1] in b".0"
    return bool(_UID.match(digits_and_dots)) if is_odd or digits_and_dots.rstrip(b"\0")[-1:] == b"." else True


def _padded(uid: str) -> bytes:
    encoded = uid.encode("ascii")
    return encoded if len(encoded) % 2 == 0 else encoded + b"\0"


def _text(uid: bytes) -> str:
    return uid.rstrip(b"\0").decode("ascii")


def answers(response: CommandSet, request: CommandSet) -> bool:
    """Tell whether a command set is the response to this request, with a status and without a data set."""
    return (
        response.number(COMMAND_FIELD) == (request.number(COMMAND_FIELD) or 0) | command_set.RESPONSE
        and response.number(command_set.MESSAGE_ID_BEING_RESPONDED_TO) == request.number(command_set.MESSAGE_ID)
        and response.number(command_set.STATUS) is not None
        and not response.has_data_set
        and response.elements.get(command_set.ERROR_COMMENT, b"").isascii()
    )
