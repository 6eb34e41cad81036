"""What the two sides of an association agreed upon, and who they say they are, read off the PDUs that they sent. Pure.

Unlike `negotiated`, which asks the library what it made of an association of this side's own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from simulator.wire.conversation import Side
from simulator.wire.pdu_builders import items, proposed_in
from simulator.wire.pdu_stream import Pdu
from simulator.wire.pdus import ASSOCIATE_AC, ASSOCIATE_RQ, HEAD
from simulator.wire.transcript import Transcript

_FIXED = HEAD + 68  # bytes of A-ASSOCIATE-RQ and -AC before their items
_ANSWERED_CONTEXT, _TRANSFER_SYNTAX, _USER_INFORMATION = 0x21, 0x40, 0x50
_MAXIMUM_LENGTH, _CLASS_UID, _ROLES, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55
_SAYS: Mapping[Side, int] = {"requestor": ASSOCIATE_RQ, "acceptor": ASSOCIATE_AC}


class Implementation(NamedTuple):
    """What a side says it runs on (PS3.7 D.3.3.2); empty where it does not say."""

    class_uid: str = ""
    version_name: str = ""


class Roles(NamedTuple):
    """Roles of the requestor for a SOP class (PS3.7 D.3.3.4): proposed by it, or accepted by the other side."""

    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as it was proposed and answered.

    result: PS3.8 9.3.3.2, 0 is acceptance; None where there was no answer to it. transfer_syntax_uid: the one accepted;
    empty where none was. roles_proposed, roles_accepted: of its abstract syntax; None where nothing was said of them,
    which makes the requestor the SCU.
    """

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]
    result: int | None = None
    transfer_syntax_uid: str = ""
    roles_proposed: Roles | None = None
    roles_accepted: Roles | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether messages may be sent on it."""
        return self.result == 0


def implementation(transcript: Transcript, by: Side) -> Implementation:
    """Return what a side says it runs on."""
    said = dict(_user_items(_associate(transcript, by)))
    return Implementation(*(_text(said.get(kind, b"")) for kind in (_CLASS_UID, _VERSION_NAME)))


def maximum_length(transcript: Transcript, by: Side) -> int | None:
    """Return the longest P-DATA-TF that a side takes (PS3.8 D.1), 0 for any; None where it does not say."""
    value = dict(_user_items(_associate(transcript, by))).get(_MAXIMUM_LENGTH, b"")
    return int.from_bytes(value) if len(value) == 4 else None


def proposed(transcript: Transcript) -> tuple[Context, ...]:
    """Return the presentation contexts in the order in which they were proposed, each with its answer."""
    request, answer = _associate(transcript, "requestor"), _associate(transcript, "acceptor")
    asked, granted = _roles(request), _roles(answer)
    answered = dict(_answers(answer))
    found = []
    for each in proposed_in(Pdu(request)):
        uid = each.abstract_syntax_uid
        result, syntax = answered.get(each.context_id, (None, ""))
        context = Context(
            each.context_id, uid, each.transfer_syntax_uids, result, syntax, asked.get(uid), granted.get(uid)
        )
        found.append(context)
    return tuple(found)


def _associate(transcript: Transcript, by: Side) -> bytes:
    """Return the A-ASSOCIATE-RQ of the requestor or the -AC of the acceptor, or nothing."""
    return next((each.raw for each in transcript.pdus if each.by == by and each.kind == _SAYS[by]), b"")


def _answers(answer: bytes) -> Iterator[tuple[int, tuple[int, str]]]:
    """Yield the ID of each context that was answered, its result, and the transfer syntax if it was accepted."""
    for kind, content in items(answer[_FIXED:]):
        if kind == _ANSWERED_CONTEXT and len(content) > 2:
            syntax = next((_text(uid) for sub, uid in items(content[4:]) if sub == _TRANSFER_SYNTAX), "")
            yield content[0], (content[2], "" if content[2] else syntax)


def _roles(pdu: bytes) -> dict[str, Roles]:
    """Return the roles by SOP class."""
    found = {}
    for kind, content in _user_items(pdu):
        if kind == _ROLES and len(content) >= 4:
            (length,) = struct.unpack_from(">H", content)
            uid, roles = content[2 : 2 + length], content[2 + length : 4 + length]
            if len(roles) == 2:
                found[_text(uid)] = Roles(roles[0] == 1, roles[1] == 1)
    return found


def _user_items(pdu: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each sub-item of the user information."""
    for kind, content in items(pdu[_FIXED:]):
        if kind == _USER_INFORMATION:
            yield from items(content)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("latin-1")
