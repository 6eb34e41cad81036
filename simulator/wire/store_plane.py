"""What the two data planes share: the switch that turns them off, and messages of C-STORE and C-ECHO as bytes.

A data plane carries messages of the plain shape past pynetdicom, which negotiates the association and serves whatever
is not plain: `send_plane` for an association that this side requested, `receive_plane` for one that it accepted.
"""

from __future__ import annotations

import os
import struct

from simulator.errors import UsageError
from simulator.wire import command_set
from simulator.wire.command_set import COMMAND_FIELD, FIELDS, NO_DATA_SET, CommandSet

SWITCH = "SIMULATE_DATA_PLANE"
"""The environment variable that turns the data planes off, with the value `off`."""

PDU_AND_PDV_HEAD = struct.Struct(">BBLLBB")
"""Of a P-DATA-TF (PS3.8 9.3.5): type, reserved, length; length of the first PDV, context ID, control header."""

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)

_DATA_SET_FOLLOWS = 0x0001


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


def answers(response: CommandSet, request: CommandSet) -> bool:
    """Tell whether a command set is the response to this request, with a status and without a data set."""
    return (
        response.number(COMMAND_FIELD) == (request.number(COMMAND_FIELD) or 0) | command_set.RESPONSE
        and response.number(command_set.MESSAGE_ID_BEING_RESPONDED_TO) == request.number(command_set.MESSAGE_ID)
        and response.number(command_set.STATUS) is not None
        and not response.has_data_set
        and response.elements.get(command_set.ERROR_COMMENT, b"").isascii()
    )
