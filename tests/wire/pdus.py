"""The few PDUs that a peer needs in order to misbehave after it accepted (PS3.8 9.3)."""

from __future__ import annotations

import socket
import struct

ABORT = b"\x07\0\0\0\0\4\0\0\2\0"
RELEASE_REQUEST = b"\x05\0\0\0\0\4\0\0\0\0"
_ACCEPT = 0x02


def read_pdu(connection: socket.socket) -> bytes:
    """Return one PDU, or nothing at the end of the connection."""
    head = _exactly(connection, 6)
    return head + _exactly(connection, struct.unpack(">L", head[2:])[0]) if len(head) == 6 else b""


def accept(connection: socket.socket, transfer_syntax_uid: str, contexts: int = 1) -> bytes:
    """Read A-ASSOCIATE-RQ and return the A-ASSOCIATE-AC that accepts its first contexts in one transfer syntax."""
    request = read_pdu(connection)
    accepted = b"".join(
        _item(0x21, bytes((2 * number + 1, 0, 0, 0)) + _item(0x40, transfer_syntax_uid.encode()))
        for number in range(contexts)
    )
    user = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    content = request[6:74] + _item(0x10, b"1.2.840.10008.3.1.1.1") + accepted + _item(0x50, user)
    return struct.pack(">BBL", _ACCEPT, 0, len(content)) + content


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data
