"""What A-ASSOCIATE-RQ and -AC say, and where each of it stands (PS3.8 9.3.2 and 9.3.3, PS3.7 D.3.3). Pure.

It reads as far as the items are whole, judges nothing, and never raises: what is wrong with them is for others to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CALLED, CALLING = slice(10, 26), slice(26, 42)
"""Where the AE titles stand in either PDU."""

_VERSION = slice(6, 8)
_FIXED = 74
_APPLICATION_CONTEXT, _PROPOSED, _ANSWERED, _USER_INFORMATION = 0x10, 0x20, 0x21, 0x50
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _CLASS_UID, _ROLE, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55

# PS3.8 9.3.3.2, table 9-18: result/reason of a presentation context.
RESULTS: Mapping[int, str] = {
    0: "acceptance",
    1: "user rejection",
    2: "no reason",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}


@dataclass(frozen=True, slots=True)
class Field:
    """An item: its type, its content, and where it stands in the PDU, from the first byte of its head to its end."""

    kind: int
    content: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A presentation context as it is proposed (9.3.2.2)."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]
    at: Field


@dataclass(frozen=True, slots=True)
class Answer:
    """A presentation context as it is answered (9.3.3.2); the transfer syntax means something with result 0 alone."""

    context_id: int
    result: int
    transfer_syntax_uid: str
    at: Field


@dataclass(frozen=True, slots=True)
class Role:
    """An SCP/SCU role selection (PS3.7 D.3.3.4): which roles the requestor is to have for a SOP class."""

    sop_class_uid: str
    scu: bool
    scp: bool
    at: Field


@dataclass(frozen=True, slots=True)
class AssociationFields:
    """All that either PDU says. called, calling: the 16 bytes as they came. maximum_length: None where it is absent."""

    called: bytes
    calling: bytes
    protocol_version: int
    application_context: Field | None
    offers: tuple[Offer, ...]
    answers: tuple[Answer, ...]
    roles: tuple[Role, ...]
    maximum_length: int | None
    implementation_class_uid: str
    implementation_version_name: str

    @property
    def application_context_name(self) -> str:
        """The application context name as text; empty where the item is missing."""
        return _text(self.application_context.content) if self.application_context else ""


def read(pdu: bytes) -> AssociationFields:
    """Return what an A-ASSOCIATE-RQ or -AC says."""
    top = list(_fields(pdu, _FIXED, len(pdu)))
    user = [sub for each in top if each.kind == _USER_INFORMATION for sub in _fields(pdu, each.start + 4, each.end)]
    lengths = [each.content for each in user if each.kind == _MAXIMUM_LENGTH and len(each.content) == 4]
    return AssociationFields(
        called=pdu[CALLED],
        calling=pdu[CALLING],
        protocol_version=int.from_bytes(pdu[_VERSION]),
        application_context=next((each for each in top if each.kind == _APPLICATION_CONTEXT), None),
        offers=tuple(_offer(pdu, each) for each in top if each.kind == _PROPOSED and len(each.content) >= 4),
        answers=tuple(_answer(pdu, each) for each in top if each.kind == _ANSWERED and len(each.content) >= 4),
        roles=tuple(role for each in user if each.kind == _ROLE and (role := _role(each)) is not None),
        maximum_length=int.from_bytes(lengths[0]) if lengths else None,
        implementation_class_uid=_first(user, _CLASS_UID),
        implementation_version_name=_first(user, _VERSION_NAME),
    )


def _fields(pdu: bytes, start: int, end: int) -> Iterator[Field]:
    at = start
    while end - at >= 4:
        kind, _, length = struct.unpack_from(">BBH", pdu, at)
        if at + 4 + length > end:
            return
        yield Field(kind, pdu[at + 4 : at + 4 + length], at, at + 4 + length)
        at += 4 + length


def _offer(pdu: bytes, at: Field) -> Offer:
    inner = list(_fields(pdu, at.start + 8, at.end))
    syntaxes = tuple(_text(each.content) for each in inner if each.kind == _TRANSFER_SYNTAX)
    return Offer(at.content[0], _first(inner, _ABSTRACT_SYNTAX), syntaxes, at)


def _answer(pdu: bytes, at: Field) -> Answer:
    inner = list(_fields(pdu, at.start + 8, at.end))
    return Answer(at.content[0], at.content[2], _first(inner, _TRANSFER_SYNTAX), at)


def _role(at: Field) -> Role | None:
    length = int.from_bytes(at.content[:2])
    if len(at.content) != length + 4:
        return None
    return Role(_text(at.content[2:-2]), at.content[-2] == 1, at.content[-1] == 1, at)


def _first(fields: list[Field], kind: int) -> str:
    return next((_text(each.content) for each in fields if each.kind == kind), "")


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("latin-1")
