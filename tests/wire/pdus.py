"""The few PDUs that a peer needs in order to misbehave after it accepted (PS3.8 9.3)."""

from __future__ import annotations

import socket
import struct

from simulator.wire import pdu_builders
from simulator.wire.command_set import CommandSet
from simulator.wire.pdu_builders import Answered, item, p_data, pdu, proposed_in, titles_in
from simulator.wire.pdu_stream import Pdu, Pdv
from simulator.wire.pdus import HEAD

__all__ = ["ABORT", "RELEASE_REQUEST", "accept", "command", "data", "echo", "item", "pdu", "read_pdu", "request"]

ABORT = pdu_builders.abort(source=2)
RELEASE_REQUEST = pdu_builders.release_rq()


def read_pdu(connection: socket.socket) -> bytes:
    """Return one PDU, or nothing at the end of the connection."""
    head = _exactly(connection, HEAD)
    return head + _exactly(connection, int.from_bytes(head[2:])) if len(head) == HEAD else b""


def accept(connection: socket.socket, transfer_syntax_uid: str, contexts: int = 1) -> bytes:
    """Read A-ASSOCIATE-RQ and return the A-ASSOCIATE-AC that accepts its first contexts in one transfer syntax."""
    asked = Pdu(read_pdu(connection))
    called, calling = titles_in(asked)
    accepted = [Answered(each.context_id, transfer_syntax_uid) for each in proposed_in(asked)[:contexts]]
    return pdu_builders.associate_ac(called_ae_title=called, calling_ae_title=calling, contexts=accepted)


def request(
    called: bytes = b"GATEWAY",
    calling: bytes = b"MODALITY",
    *,
    version: bytes = b"\0\1",
    context: bytes = b"1.2.840.10008.3.1.1.1",
    proposed: tuple[tuple[int, str, str], ...] = ((1, "1.2.840.10008.1.1", "1.2.840.10008.1.2"),),
    beside: bytes = b"",
) -> bytes:
    """Return an A-ASSOCIATE-RQ. proposed: ID, abstract and transfer syntax of each context; beside: further items."""
    contexts = b"".join(
        item(0x20, bytes((number, 0, 0, 0)) + item(0x30, abstract.encode()) + item(0x40, transfer.encode()))
        for number, abstract, transfer in proposed
    )
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4")
    fixed = version + bytes(2) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return pdu(0x01, fixed + item(0x10, context) + contexts + item(0x50, user) + beside)


def data(context_id: int, control: int, fragment: bytes) -> bytes:
    """Return a P-DATA-TF with one PDV; control: bit 0 command, bit 1 last (PS3.8 E.2)."""
    return p_data([Pdv(context_id, control, fragment)])


def command(**elements: bytes) -> bytes:
    """Return a command set: values by element number, as `e0100=b"..."`."""
    return CommandSet({int(name[1:], 16): value for name, value in elements.items()}).encode()


def echo(message_id: int = 1) -> bytes:
    """Return the command set of a C-ECHO-RQ."""
    uid = b"1.2.840.10008.1.1\0"
    return command(e0002=uid, e0100=b"\x30\0", e0110=struct.pack("<H", message_id), e0800=b"\1\1")


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data
