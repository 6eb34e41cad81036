"""A scene as the rules look at it: the conversations of the system in question, PDU by PDU, block by block. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from pydicom.uid import UID

from simulator.certify.received import Received, is_foreign, received
from simulator.certify.scene import Scene
from simulator.events import Event
from simulator.rules import sop_classes
from simulator.wire import association_fields, transcript
from simulator.wire.association_fields import AssociationFields, Offer
from simulator.wire.command_set import MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO, STATUS
from simulator.wire.conversation import Conversation, Side
from simulator.wire.data_set import PATIENT_ID
from simulator.wire.frames import SaidFrame, frames
from simulator.wire.pdus import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, RELEASE_RQ
from simulator.wire.transcript import SaidMessage, SaidPdu, Transcript

OTHER: Mapping[Side, Side] = {"requestor": "acceptor", "acceptor": "requestor"}
_E = TypeVar("_E", bound=Event)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A DIMSE request and its response, None where none came."""

    request: SaidMessage
    response: SaidMessage | None

    @property
    def status(self) -> int | None:
        """The status of the response."""
        return self.response.command.number(STATUS) if self.response else None


@dataclass(frozen=True)
class Talk:
    """A DICOM conversation. incoming: the facility's system opened it; else this side called the system."""

    transcript: Transcript
    incoming: bool

    @property
    def conversation(self) -> Conversation:
        """The conversation itself."""
        return self.transcript.conversation

    @property
    def theirs(self) -> Side:
        """The side of the facility's system."""
        return "requestor" if self.incoming else "acceptor"

    @property
    def ours(self) -> Side:
        """The side of the gateway."""
        return OTHER[self.theirs]

    @cached_property
    def request(self) -> SaidPdu | None:
        """The A-ASSOCIATE-RQ."""
        return self._first(ASSOCIATE_RQ, "requestor")

    @cached_property
    def acceptance(self) -> SaidPdu | None:
        """The A-ASSOCIATE-AC."""
        return self._first(ASSOCIATE_AC, "acceptor")

    @cached_property
    def rejection(self) -> SaidPdu | None:
        """The A-ASSOCIATE-RJ."""
        return self._first(ASSOCIATE_RJ, "acceptor")

    @cached_property
    def asked(self) -> AssociationFields | None:
        """What the A-ASSOCIATE-RQ says."""
        return association_fields.read(self.request.raw) if self.request else None

    @cached_property
    def answered(self) -> AssociationFields | None:
        """What the A-ASSOCIATE-AC says."""
        return association_fields.read(self.acceptance.raw) if self.acceptance else None

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request with its response, whoever asked. Some devices give each request the same Message ID."""
        answers: dict[int, SaidMessage] = {}
        waiting: list[SaidMessage] = []
        for each in self.transcript.messages:
            if each.command.kind.endswith("-RQ"):
                waiting.append(each)
            elif asked := next((request for request in waiting if _answers(each, request)), None):
                waiting.remove(asked)
                answers[id(asked)] = each
        requests = (each for each in self.transcript.messages if each.command.kind.endswith("-RQ"))
        return tuple(Exchange(each, answers.get(id(each))) for each in requests)

    def exchanged(self, kind: str) -> tuple[Exchange, ...]:
        """Return the requests of a kind, such as `C-STORE-RQ`, with their responses."""
        return tuple(each for each in self.exchanges if each.request.command.kind == kind)

    @property
    def released(self) -> bool:
        """Whether either side asked for a release."""
        return any(each.kind == RELEASE_RQ for each in self.transcript.pdus)

    @property
    def abort(self) -> SaidPdu | None:
        """The A-ABORT that ended it."""
        return next((each for each in self.transcript.pdus if each.kind == ABORT and not each.missing), None)

    @property
    def offers_of(self) -> Mapping[str, tuple[Offer, ...]]:
        """The presentation contexts that were proposed, by abstract syntax."""
        offers = self.asked.offers if self.asked else ()
        return {uid: tuple(o for o in offers if o.abstract_syntax_uid == uid) for uid in _uids(offers)}

    def result(self, offer: Offer) -> int | None:
        """Return how a context was answered (PS3.8 9.3.3.2); None where it was not."""
        answers = self.answered.answers if self.answered else ()
        return next((each.result for each in answers if each.context_id == offer.context_id), None)

    def first_bytes(self, side: Side, count: int = 64) -> bytes:
        """Return the first bytes that a side sent."""
        return self.conversation.said(side)[:count]

    def _first(self, kind: int, by: Side) -> SaidPdu | None:
        found = (each for each in self.transcript.pdus if each.kind == kind and each.by == by and not each.missing)
        return next(found, None)


@dataclass(frozen=True)
class Hl7Talk:
    """A conversation in which the facility's system sends HL7: its messages, and what they were answered."""

    conversation: Conversation

    @cached_property
    def messages(self) -> tuple[SaidFrame, ...]:
        """What came."""
        return tuple(each for each in frames(self.conversation) if each.by == "requestor")

    @cached_property
    def answers(self) -> tuple[SaidFrame, ...]:
        """What it was answered."""
        return tuple(each for each in frames(self.conversation) if each.by == "acceptor")


@dataclass(frozen=True)
class Seen:
    """A scene, read. Conversations of the facility's other systems are left out."""

    scene: Scene

    @cached_property
    def talks(self) -> tuple[Talk, ...]:
        """Every DICOM conversation with the system in question, or with somebody unknown."""
        read = [
            Talk(transcript.read(each), self._is_incoming(each))
            for each in self.scene.conversations
            if each.protocol == "DICOM" and self._concerns(each)
        ]
        return tuple(each for each in read if not self._is_of_another(each))

    @cached_property
    def incoming(self) -> tuple[Talk, ...]:
        """Those that the system opened."""
        return tuple(each for each in self.talks if each.incoming)

    @cached_property
    def outgoing(self) -> tuple[Talk, ...]:
        """Those in which it was called."""
        return tuple(each for each in self.talks if not each.incoming)

    @cached_property
    def orders(self) -> tuple[Hl7Talk, ...]:
        """HL7 conversations that the facility opened; none where this tool sends the orders itself."""
        if not self.facility_orders:
            return ()
        return tuple(Hl7Talk(each) for each in self.scene.conversations if each.protocol == "HL7")

    @cached_property
    def instances(self) -> tuple[Received, ...]:
        """Every instance that the system sent, and of which enough came to be read, in the order in which they came."""
        return tuple(
            received(talk, exchange.request)
            for talk in self.incoming
            for exchange in talk.exchanged("C-STORE-RQ")
            if exchange.request.data_set and exchange.request.transfer_syntax_uid
        )

    @cached_property
    def unharmful(self) -> tuple[Received, ...]:
        """Those whose patient is synthetic or has no Patient ID: what is no name and no date may be repeated."""
        return tuple(each for each in self.instances if not is_foreign(each.text(PATIENT_ID)))

    @cached_property
    def of_synthetic_people(self) -> tuple[Received, ...]:
        """Those whose patient is synthetic: of nobody else a name or a date is to be repeated."""
        return tuple(each for each in self.unharmful if each.text(PATIENT_ID))

    @property
    def facility_orders(self) -> bool:
        """Whether the facility's own system sends the orders."""
        return self.scene.declared.orders.sent_by == "facility"

    @property
    def stores(self) -> bool:
        """Whether the system is to send images in this test."""
        return self.scene.wanted.kind in ("study", "unmatched", "commitment")

    @property
    def wanted_classes(self) -> tuple[str, ...]:
        """UIDs of the SOP classes that the test is about; where it names none, all that are declared."""
        wanted = self.scene.wanted
        if wanted.sop_class_uid:
            return (wanted.sop_class_uid,)
        declared = wanted.system.sop_classes if wanted.system else ()
        return tuple(sop_classes.by_name(each).uid for each in declared)

    def events(self, kind: type[_E]) -> tuple[_E, ...]:
        """Return every event of a kind, in their order."""
        return tuple(each for each in self.scene.events if isinstance(each, kind))

    def moment_of(self, conversation: Conversation, seconds: float) -> datetime:
        """Return when something happened, so many seconds into a conversation."""
        return moment(conversation.opened) + timedelta(seconds=seconds)

    def capture(self, conversation: Conversation) -> str:
        """Return the file that holds a conversation, or nothing."""
        return self.scene.captures.get((conversation.link, conversation.number), "")

    def _is_incoming(self, conversation: Conversation) -> bool:
        called = conversation.link.rpartition("->")[2]
        return not any(called in (each.name, each.ae_title) for each in self.scene.declared.systems)

    def _concerns(self, conversation: Conversation) -> bool:
        """Tell whether neither end is a system of the facility other than the one in question."""
        system = self.scene.wanted.system
        if system is None:
            return True
        others = {
            name
            for each in self.scene.declared.systems
            if each.name != system.name
            for name in (each.name, each.ae_title)
        }
        caller, _, called = conversation.link.rpartition("->")
        return caller not in others and called not in others

    def _is_of_another(self, talk: Talk) -> bool:
        """Tell whether an unknown caller calls itself by the AE title of another system that is declared."""
        system = self.scene.wanted.system
        if system is None or talk.asked is None or not talk.incoming:
            return False
        if talk.conversation.link.rpartition("->")[0] in (system.name, system.ae_title):
            return False
        calling = talk.asked.calling.strip(b" \0").decode("latin-1")
        return any(each.ae_title == calling for each in self.scene.declared.systems if each.name != system.name)


def moment(text: str) -> datetime:
    """Return a moment as events and conversations write it (ISO 8601)."""
    return datetime.fromisoformat(text)


def class_name(uid: str) -> str:
    """Return what a SOP class is called, with its UID; the UID alone where nobody here knows it."""
    try:
        return sop_classes.by_name(uid).name
    except KeyError:
        return f"SOP class {uid}"


def syntax_name(uid: str) -> str:
    """Return what a transfer syntax is called (PS3.6 table A-1), with its UID; the UID alone where it has no name."""
    name = str(UID(uid).name)
    return name if name == uid else f"{name} ({uid})"


def _answers(response: SaidMessage, request: SaidMessage) -> bool:
    """Tell whether a response is to a request, by its service and its Message ID (PS3.7 9.3, 10.3)."""
    return (
        response.by != request.by
        and response.command.kind == f"{request.command.kind.removesuffix('RQ')}RSP"
        and response.command.elements.get(MESSAGE_ID_BEING_RESPONDED_TO) == request.command.elements.get(MESSAGE_ID)
    )


def _uids(offers: tuple[Offer, ...]) -> Iterator[str]:
    yield from dict.fromkeys(each.abstract_syntax_uid for each in offers)
