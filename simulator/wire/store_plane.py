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
_NEEDED_BY_ECHO = _NEEDED - {command_set.PRIORITY, command_set.AFFECTED_SOP_INSTANCE_UID}
_UID = re.compile(rb"(?=[0-9.]{1,64}\0?\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*\0?\Z")  # PS3.5 9.1


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """The command set of a plain C-STORE-RQ: as it came, as elements, and the two UIDs."""

    encoded: bytes
    elements: CommandSet
    sop_class_uid: str
    sop_instance_uid: str


def is_on() -> bool:
    """Tell whether the data planes are switched on. Raises `UsageError` for a value that is neither on nor off."""
    value = os.environ.get(SWITCH, "on").strip().lower()
    if value not in ("on", "off"):
        raise UsageError(f"{SWITCH} is {value!r}", "set it to off for pynetdicom alone, or to on")
    return value == "on"


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return the command set of a C-STORE-RQ of low priority (PS3.7 9.3.1.1)."""
    return command_set.command_set(
        affected_sop_class_uid=sop_class_uid,
        command_field=FIELDS["C-STORE-RQ"],
        message_id=message_id,
        priority=2,
        data_set_type=_DATA_SET_FOLLOWS,
        affected_sop_instance_uid=sop_instance_uid,
    ).encode()


def echo_request(message_id: int, sop_class_uid: str) -> bytes:
    """Return the command set of a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return command_set.command_set(
        affected_sop_class_uid=sop_class_uid,
        command_field=FIELDS["C-ECHO-RQ"],
        message_id=message_id,
        data_set_type=NO_DATA_SET,
    ).encode()


def plain_store(encoded: bytes) -> StoreCommand | None:
    """Return the command set of a C-STORE-RQ when it is plain: what PS3.7 9.3.1.1 wants, rightly encoded, no more.

    One that a C-MOVE brought about (with Move Originator) is not; a real device has it seldom.
    """
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
    return StoreCommand(encoded, command, _text(sop_class), _text(sop_instance))


def plain_echo(encoded: bytes) -> CommandSet | None:
    """Return the command set of a C-ECHO-RQ when it is plain (PS3.7 9.3.5.1)."""
    try:
        command = command_set.decode(encoded)
    except NotDicom:
        return None
    is_plain = (
        command.elements.keys() == _NEEDED_BY_ECHO
        and command.number(COMMAND_FIELD) == FIELDS["C-ECHO-RQ"]
        and command.number(command_set.MESSAGE_ID) is not None
        and command.number(command_set.DATA_SET_TYPE) == NO_DATA_SET
        and command.text(command_set.AFFECTED_SOP_CLASS_UID) == VERIFICATION
    )
    return command if is_plain else None


def store_response(command: StoreCommand, status: int, error_comment: str) -> bytes:
    """Return the command set of the C-STORE-RSP; `error_comment`: at most 64 characters of ASCII."""
    return command_set.response_to(command.elements, status, error_comment).encode()


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
