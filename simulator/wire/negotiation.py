"""What the two sides of an association agreed upon, and who they say they are, read off the PDUs that they sent. Pure.

Unlike `negotiated`, which asks the library what it made of an association of this side's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from simulator.wire import association_fields
from simulator.wire.association_fields import AssociationFields
from simulator.wire.conversation import Side
from simulator.wire.pdus import ASSOCIATE_AC, ASSOCIATE_RQ
from simulator.wire.transcript import Transcript

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
    said = _said(transcript, by)
    return Implementation(said.implementation_class_uid, said.implementation_version_name)


def maximum_length(transcript: Transcript, by: Side) -> int | None:
    """Return the longest P-DATA-TF that a side takes (PS3.8 D.1), 0 for any; None where it does not say."""
    return _said(transcript, by).maximum_length


def proposed(transcript: Transcript) -> tuple[Context, ...]:
    """Return the presentation contexts in the order in which they were proposed, each with its answer."""
    request, answer = _said(transcript, "requestor"), _said(transcript, "acceptor")
    asked, granted = _roles(request), _roles(answer)
    answered = {each.context_id: each for each in answer.answers}
    found = []
    for each in request.offers:
        uid = each.abstract_syntax_uid
        told = answered.get(each.context_id)
        syntax = told.transfer_syntax_uid if told and not told.result else ""
        result = told.result if told else None
        context = Context(
            each.context_id, uid, each.transfer_syntax_uids, result, syntax, asked.get(uid), granted.get(uid)
        )
        found.append(context)
    return tuple(found)


def _said(transcript: Transcript, by: Side) -> AssociationFields:
    """Return what the A-ASSOCIATE-RQ of the requestor or the -AC of the acceptor says: nothing where there is none."""
    raw = next((each.raw for each in transcript.pdus if each.by == by and each.kind == _SAYS[by]), b"")
    return association_fields.read(raw)


def _roles(said: AssociationFields) -> dict[str, Roles]:
    """Return the roles by SOP class."""
    return {each.sop_class_uid: Roles(each.scu, each.scp) for each in said.roles}
