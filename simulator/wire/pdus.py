"""PDUs of the upper layer read as bytes (PS3.8 9.3): what is wrong with one, before anything is made of it. Pure."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from simulator.wire.incidents import AssociationRequest, hexadecimal

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
NAMES = {
    ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    ASSOCIATE_AC: "A-ASSOCIATE-AC",
    ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    P_DATA_TF: "P-DATA-TF",
    RELEASE_RQ: "A-RELEASE-RQ",
    RELEASE_RP: "A-RELEASE-RP",
    ABORT: "A-ABORT",
}
HEAD = 6
# 128 presentation contexts with 60 transfer syntaxes of 64 characters each, and user information, fit in it.
MAXIMUM_ASSOCIATE = 1024 * 1024
_FIXED = 74  # bytes of A-ASSOCIATE-RQ before its first item
# A P-DATA-TF has 6 bytes before the first of a message (9.3.5): where a peer takes no more, none can be sent.
SHORTEST_DATA = 7
_CONTROL_LENGTH = 4  # of A-RELEASE and A-ABORT (PS3.8 9.3.6 to 9.3.8), and of A-ASSOCIATE-RJ
_SHORTEST_PDV = 2  # a presentation context ID and a message control header
_APPLICATION_CONTEXT, _PRESENTATION_CONTEXT, _USER_INFORMATION = 0x10, 0x20, 0x50
_USER_ITEMS = range(0x51, 0x5A)  # PS3.8 D.1 and PS3.7 D.3.3
_MAXIMUM_LENGTH = 0x51
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40

# A-ABORT reason/diagnostic of the service-provider (PS3.8 9.3.8).
NOT_SPECIFIED, UNRECOGNISED_PDU, UNEXPECTED_PDU = 0, 1, 2
INVALID_PARAMETER = 6


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with what came: a stable id, words with the bytes, and the reason that an A-ABORT gives."""

    problem: str
    words: str
    reason: int = NOT_SPECIFIED


def name(kind: int) -> str:
    """Return what the standard calls a PDU type."""
    return NAMES.get(kind, f"PDU type {kind:02X}H")


def head_fault(head: bytes, maximum_length: int, *, expects_request: bool, has_released: bool) -> Fault | None:
    """Return what is wrong with the first six bytes of a PDU: its type and its length.

    has_released: this side sent A-RELEASE-RQ, so that an answer to it may come.
    """
    kind, _, length = struct.unpack(">BBL", head)
    if kind not in NAMES:
        return Fault("pdu.unknown-type", stranger(head), UNRECOGNISED_PDU)
    if expects_request and kind not in (ASSOCIATE_RQ, ABORT):
        return Fault("pdu.unexpected", f"{name(kind)} where an A-ASSOCIATE-RQ is expected", UNEXPECTED_PDU)
    if not expects_request and kind in (ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ):
        return Fault("pdu.unexpected", f"{name(kind)} on an association that is established", UNEXPECTED_PDU)
    if kind == RELEASE_RP and not has_released:
        return Fault("pdu.unexpected", "A-RELEASE-RP that answers no A-RELEASE-RQ", UNEXPECTED_PDU)
    return length_fault(kind, length, maximum_length)


def length_fault(kind: int, length: int, maximum_length: int) -> Fault | None:
    """Return what is wrong with the length that a PDU is announced with; maximum_length: of P-DATA-TF."""
    if kind == P_DATA_TF and length > maximum_length:
        words = f"P-DATA-TF of {length} bytes; this side announced that it takes {maximum_length} at most"
        return Fault("pdu.too-long", words, INVALID_PARAMETER)
    if kind in (ASSOCIATE_RQ, ASSOCIATE_AC) and length > MAXIMUM_ASSOCIATE:
        words = f"{name(kind)} announced with {length} bytes; more than {MAXIMUM_ASSOCIATE} can mean nothing"
        return Fault("pdu.too-long", words, INVALID_PARAMETER)
    if kind in (ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT) and length != _CONTROL_LENGTH:
        return Fault("pdu.malformed", f"{name(kind)} announced with {length} bytes; it has 4", INVALID_PARAMETER)
    return None


def stranger(head: bytes) -> str:
    """Say what a peer speaks that does not speak DICOM."""
    if head[0] == 0x16 and head[1] == 0x03:
        return f"a TLS handshake ({hexadecimal(head)}): the peer speaks DICOM TLS to a port without TLS"
    if head[:1] == b"\x0b":
        return f"an MLLP block ({hexadecimal(head)}): the peer sends HL7 to the DICOM port"
    if head[:4] in (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PRI "):
        return f"an HTTP request ({hexadecimal(head)}): the peer takes the DICOM port for a web address"
    return f"PDU type {head[0]:02X}H is none of the standard's ({hexadecimal(head)})"


def request(pdu: bytes, address: str, port: int) -> AssociationRequest:
    """Return what a whole A-ASSOCIATE-RQ says of who asks."""
    called, calling = pdu[10:26], pdu[26:42]
    contexts = (content for kind, _, content in _items(pdu, _FIXED) if kind == _APPLICATION_CONTEXT)
    context = next(contexts, b"").rstrip(b"\0 ").decode("latin-1")
    return AssociationRequest(address, port, title(calling), title(called), calling, called, context)


def title(padded: bytes) -> str:
    """Return an AE title without its padding: spaces (PS3.5 6.2), or the NULs that real devices send.

    Bytes outside the default repertoire stand as \\xNN, so that such a title equals no other.
    """
    stripped = padded.rstrip(b"\0 ").lstrip(b" ")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02X}" for byte in stripped)


def normalised(pdu: bytes) -> bytes:
    """Return a whole A-ASSOCIATE-RQ as the library below can read it; what was sent is judged before.

    Titles become printable, protocol versions count by bit 0 alone, and items that the standard does not know are
    left out (PS3.8 9.3.2: they shall be ignored).
    """
    titles = b"".join(_printable(pdu[start : start + 16]) for start in (10, 26))
    version = b"\0\1" if pdu[7] & 1 else pdu[6:8]
    items = b""
    for kind, _, content in _items(pdu, _FIXED):
        if kind == _USER_INFORMATION:
            known = (_item(sub, inner) for sub, _, inner in _items(content, 0) if sub in _USER_ITEMS)
            items += _item(kind, b"".join(known))
        elif kind in (_APPLICATION_CONTEXT, _PRESENTATION_CONTEXT):
            items += _item(kind, content)
    body = version + pdu[8:10] + titles + pdu[42:_FIXED] + items
    return struct.pack(">BBL", pdu[0], pdu[1], len(body)) + body


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _printable(padded: bytes) -> bytes:
    text = bytes(byte if 0x20 <= byte < 0x7F and byte != 0x5C else 0x3F for byte in padded.rstrip(b"\0 ").lstrip(b" "))
    return (text or b"?").ljust(16)


def request_fault(pdu: bytes) -> Fault | None:
    """Return what is wrong with the items of a whole A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
    if len(pdu) < _FIXED:
        return Fault("pdu.malformed", f"A-ASSOCIATE-RQ of {len(pdu)} bytes; it has 74 before its items")
    try:
        found = list(_items(pdu, _FIXED))
        context_ids: set[int] = set()
        for kind, begin, content in found:
            if kind == _PRESENTATION_CONTEXT:
                _check_context(begin, content, context_ids)
            elif kind == _USER_INFORMATION:
                _check_user_information(begin, content)
    except ValueError as error:
        return Fault("pdu.malformed", f"A-ASSOCIATE-RQ: {error}", INVALID_PARAMETER)
    kinds = [kind for kind, _, _ in found]
    for kind, words in (
        (_APPLICATION_CONTEXT, "application context"),
        (_PRESENTATION_CONTEXT, "presentation context"),
        (_USER_INFORMATION, "user information"),
    ):
        if kind not in kinds:
            return Fault("pdu.malformed", f"A-ASSOCIATE-RQ without its {words} item ({kind:02X}H)", INVALID_PARAMETER)
    return None


def _check_context(begin: int, content: bytes, others: set[int]) -> None:
    """Raise `ValueError` for a context that is none, or whose ID is among the others'; else put it there."""
    if len(content) < 4 or content[0] % 2 == 0:
        raise ValueError(f"presentation context item at byte {begin} has no odd ID: {hexadecimal(content[:4])}")
    if content[0] in others:
        raise ValueError(f"presentation context {content[0]} (byte {begin}) stands there for the second time")
    others.add(content[0])
    kinds = [kind for kind, _, _ in _items(content, 4, begin + 4)]
    if kinds.count(_ABSTRACT_SYNTAX) != 1 or _TRANSFER_SYNTAX not in kinds:
        raise ValueError(f"presentation context {content[0]} (byte {begin}) has no abstract or no transfer syntax")


def _check_user_information(begin: int, content: bytes) -> None:
    """Raise `ValueError` for sub-items that do not fit, or a maximum length in which no message has room."""
    for kind, at, value in _items(content, 0, begin + 4):
        if kind == _MAXIMUM_LENGTH and 0 < int.from_bytes(value) < SHORTEST_DATA:
            length = int.from_bytes(value)
            raise ValueError(f"maximum length {length} (byte {at}): no message has room in a P-DATA-TF of that length")


def _items(data: bytes, start: int, offset: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, byte in the PDU, content) of each item. Raises `ValueError` where one does not fit."""
    at = start
    while at < len(data):
        if len(data) - at < 4:
            raise ValueError(f"{len(data) - at} bytes at byte {offset + at} are no item: {hexadecimal(data[at:])}")
        kind, _, length = struct.unpack_from(">BBH", data, at)
        if at + 4 + length > len(data):
            left = len(data) - at - 4
            raise ValueError(
                f"item {kind:02X}H at byte {offset + at} is announced with {length} bytes, {left} are left"
            )
        yield kind, offset + at, data[at + 4 : at + 4 + length]
        at += 4 + length


def data_fault(pdu: bytes, context_ids: Collection[int]) -> Fault | None:
    """Return what is wrong with the PDV items of a whole P-DATA-TF (PS3.8 9.3.5)."""
    at = HEAD
    if at == len(pdu):
        return Fault("pdu.malformed", "P-DATA-TF without a PDV", INVALID_PARAMETER)
    while at < len(pdu):
        if len(pdu) - at < 4:
            words = f"P-DATA-TF: {len(pdu) - at} bytes at byte {at} are no PDV: {hexadecimal(pdu[at:])}"
            return Fault("pdu.malformed", words, INVALID_PARAMETER)
        (length,) = struct.unpack_from(">L", pdu, at)
        left = len(pdu) - at - 4
        if not _SHORTEST_PDV <= length <= left:
            words = f"P-DATA-TF: the PDV at byte {at} is announced with {length} bytes, {left} are left"
            return Fault("pdu.malformed", words, INVALID_PARAMETER)
        if pdu[at + 4] not in context_ids:
            accepted = ", ".join(map(str, sorted(context_ids))) or "none"
            words = f"P-DATA-TF: presentation context ID {pdu[at + 4]} at byte {at + 4} is none accepted ({accepted})"
            return Fault("pdv.unknown-context", words, INVALID_PARAMETER)
        at += 4 + length
    return None
