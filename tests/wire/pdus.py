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


def pdu(kind: int, content: bytes) -> bytes:
    """Return a PDU of any type."""
    return struct.pack(">BBL", kind, 0, len(content)) + content


def item(kind: int, content: bytes) -> bytes:
    """Return an item of an A-ASSOCIATE PDU."""
    return _item(kind, content)


def data(context_id: int, control: int, fragment: bytes) -> bytes:
    """Return a P-DATA-TF with one PDV; control: bit 0 command, bit 1 last (PS3.8 E.2)."""
    return pdu(0x04, struct.pack(">LBB", len(fragment) + 2, context_id, control) + fragment)


def command(**elements: bytes) -> bytes:
    """Return a command set in Implicit VR Little Endian: values by element number, as `e0100=b"..."` (PS3.7 6.3.1)."""
    body = b"".join(
        struct.pack("<HHL", 0, int(name[1:], 16), len(value)) + value for name, value in sorted(elements.items())
    )
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def echo(message_id: int = 1) -> bytes:
    """Return the command set of a C-ECHO-RQ."""
    uid = b"1.2.840.10008.1.1\0"
    return command(e0002=uid, e0100=b"\x30\0", e0110=struct.pack("<H", message_id), e0800=b"\1\1")


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data
