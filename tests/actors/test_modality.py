from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from simulator.actors.modality import Modality
from simulator.actors.observation import observation
from simulator.events import (
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    EchoAnswered,
    Event,
    LengthsMeasured,
    StoreAnswered,
    StoreFailed,
)
from simulator.rules.sop_classes import by_name
from simulator.wire import data_set
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Context, Outgoing, Response, StoreRequest
from tests.synthesis.made import CT, EXPLICIT, a_study
from tests.wire.pdus import ABORT, accept, read_pdu
from tests.wire.sockets import HOST, closed_port, peer

STUDY = a_study(instances=3)
INSTANCES = [Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in STUDY.instances]


@dataclass
class Gateway:
    """An SCP that answers from a list, and success when that is used up."""

    port: int = 0
    answers: list[Response] = field(default_factory=list)
    taken: list[StoreRequest] = field(default_factory=list)

    def take(self, request: StoreRequest) -> Response:
        self.taken.append(request)
        return self.answers.pop(0) if self.answers else Response(0x0000)


@contextmanager
def a_gateway(callers: Collection[str] | None = None, syntaxes: tuple[str, ...] = (EXPLICIT,)) -> Iterator[Gateway]:
    gateway = Gateway()
    acceptor = Acceptor("GATEWAY", HOST, 0, [Context(CT.uid, syntaxes)], gateway.take, calling_ae_titles=callers)
    gateway.port = acceptor.start()
    try:
        yield gateway
    finally:
        acceptor.stop()


class Seen:
    """A modality, and what it told."""

    def __init__(self, port: int, called: str = "GATEWAY") -> None:
        self.events: list[Event] = []
        self.modality = Modality("CT1", Address(called, HOST, port), self.events.append, "the-modality")

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def told(event: Event, kind: type[Event], **fields: object) -> bool:
    """Tell whether the event is of this class and has these fields."""
    return type(event) is kind and all(getattr(event, name) == value for name, value in fields.items())


# --- echo --------------------------------------------------------------------------------------------


def test_an_echo_is_told_with_its_association() -> None:
    with a_gateway() as gateway:
        seen = Seen(gateway.port)
        assert seen.modality.echo() is True
        accepted, answered = seen.events
    assert told(
        accepted,
        AssociationAccepted,
        observer="the-modality",
        calling_ae_title="CT1",
        called_ae_title="GATEWAY",
        peer=f"{HOST}:{gateway.port}",
        proposed=1,
        accepted=1,
    )
    assert told(answered, EchoAnswered, status="0000", observer="the-modality")


def test_an_echo_to_nobody() -> None:
    with closed_port() as port:
        seen = Seen(port)
        assert seen.modality.echo() is False
        [failed] = seen.events
    assert told(failed, AssociationFailed, calling_ae_title="CT1", called_ae_title="GATEWAY", peer=f"{HOST}:{port}")
    assert isinstance(failed, AssociationFailed)
    assert failed.problem == f"nothing listens on {HOST}:{port}, or it cannot be reached from here"


def test_an_echo_that_is_aborted() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT))
        read_pdu(connection)
        connection.sendall(ABORT)
        connection.recv(1)

    with peer(converse) as port:
        seen = Seen(port)
        assert seen.modality.echo() is False
    assert seen.kinds() == ["AssociationAccepted", "AssociationFailed"]


# --- store -------------------------------------------------------------------------------------------


def test_every_answer_is_told_with_the_digests_of_what_was_sent() -> None:
    with a_gateway() as gateway:
        gateway.answers = [Response(0x0000), Response(0xB000, "coerced"), Response(0xA700, "disk full")]
        seen = Seen(gateway.port)
        assert seen.modality.store(INSTANCES) == 2
    assert told(seen.events[0], AssociationAccepted, proposed=1, accepted=1)
    for event, instance, status, comment in zip(
        seen.events[1:], INSTANCES, ("0000", "B000", "A700"), ("", "coerced", "disk full"), strict=True
    ):
        assert told(
            event,
            StoreAnswered,
            study_instance_uid=STUDY.study_instance_uid,
            sop_instance_uid=instance.sop_instance_uid,
            sop_class_uid=CT.uid,
            transfer_syntax_uid=EXPLICIT,
            status=status,
            error_comment=comment,
            data_set_digest=data_set.digest(instance.data_set),
            pixel_data_digest=data_set.pixel_data_digest(instance.data_set, EXPLICIT),
        )
    assert [request.data_set for request in gateway.taken] == [instance.data_set for instance in INSTANCES]


@pytest.mark.parametrize(("called", "callers", "reason"), [("WRONG", None, 7), ("GATEWAY", ["OTHER"], 3)])
def test_a_rejection_is_told_with_its_fields(called: str, callers: list[str] | None, reason: int) -> None:
    with a_gateway(callers) as gateway:
        seen = Seen(gateway.port, called)
        assert seen.modality.store(INSTANCES) == 0
    rejected, *failed = seen.events
    assert told(rejected, AssociationRejected, called_ae_title=called, result=1, source=1, reason=reason)
    assert isinstance(rejected, AssociationRejected)
    assert f"(result 1, source 1, reason {reason})" in rejected.meaning
    assert [told(event, StoreFailed, problem="no association") for event in failed] == [True] * 3
    assert gateway.taken == []


def test_no_instance_is_lost_from_the_story_when_nobody_listens() -> None:
    with closed_port() as port:
        seen = Seen(port)
        assert seen.modality.store(INSTANCES) == 0
    assert seen.kinds() == ["AssociationFailed", *["StoreFailed"] * 3]
    for event, instance in zip(seen.events[1:], INSTANCES, strict=True):
        assert told(
            event,
            StoreFailed,
            sop_instance_uid=instance.sop_instance_uid,
            study_instance_uid=STUDY.study_instance_uid,
            sop_class_uid=CT.uid,
        )


def test_a_class_that_is_not_accepted_fails_and_the_rest_is_sent() -> None:
    [other] = a_study("other", by_name("MR Image")).instances
    mixed = [
        INSTANCES[0],
        Outgoing(other.sop_class_uid, other.sop_instance_uid, other.transfer_syntax_uid, other.data_set),
        INSTANCES[1],
    ]
    with a_gateway() as gateway:
        seen = Seen(gateway.port)
        assert seen.modality.store(mixed) == 2
    assert seen.kinds() == ["AssociationAccepted", "StoreAnswered", "StoreFailed", "StoreAnswered"]
    assert told(seen.events[0], AssociationAccepted, proposed=2, accepted=1)
    failed = seen.events[2]
    assert isinstance(failed, StoreFailed)
    assert "accepted no presentation context for MR Image Storage" in failed.problem


def test_nothing_is_accepted() -> None:
    with a_gateway(syntaxes=("1.2.840.10008.1.2.4.50",)) as gateway:
        seen = Seen(gateway.port)
        assert seen.modality.store(INSTANCES) == 0
    assert seen.kinds() == ["AssociationAccepted", "AssociationFailed", *["StoreFailed"] * 3]
    assert told(seen.events[0], AssociationAccepted, accepted=0, contexts=("transfer-syntaxes-not-supported",))


# --- what it proposes and announces ------------------------------------------------------------------

IMPLICIT, MR = "1.2.840.10008.1.2", "1.2.840.10008.5.1.4.1.1.4"


def test_it_proposes_what_it_is_told_and_says_how_each_was_answered() -> None:
    proposed = (Context(CT.uid, (EXPLICIT,)), Context(MR, (EXPLICIT,)), Context(CT.uid, (IMPLICIT, EXPLICIT)))
    with a_gateway() as gateway:
        seen = Seen(gateway.port)
        association = replace(seen.modality, proposes=proposed).open()
        assert association is not None
        seen.modality.close(association)
    answers = (EXPLICIT, "abstract-syntax-not-supported", EXPLICIT)
    [event] = seen.events
    assert told(event, AssociationAccepted, proposed=3, accepted=2, contexts=answers, maximum_length=131072)


def test_it_tells_the_longest_that_came_of_each_association() -> None:
    with a_gateway() as gateway:
        seen = Seen(gateway.port)
        modality = replace(seen.modality, maximum_length=64, association="small")
        assert modality.echo()
        assert modality.store(INSTANCES) == 3
    measured = [event for event in seen.events if isinstance(event, LengthsMeasured)]
    assert [(each.announced, each.longest, each.association) for each in measured] == [(64, 64, "small")] * 2


@pytest.mark.parametrize("taken", [EXPLICIT, IMPLICIT])
def test_instances_go_in_the_transfer_syntax_that_was_accepted(taken: str) -> None:
    with a_gateway(syntaxes=(taken,)) as gateway:
        seen = Seen(gateway.port)
        assert replace(seen.modality, offers=(IMPLICIT, EXPLICIT)).store(INSTANCES) == 3
    assert [store.transfer_syntax_uid for store in gateway.taken] == [taken] * 3
    answered = [event for event in seen.events if isinstance(event, StoreAnswered)]
    assert [each.data_set_digest for each in answered] == [data_set.digest(each.data_set) for each in gateway.taken]
    assert told(seen.events[0], AssociationAccepted, proposed=1, accepted=1, contexts=(taken,))


def test_an_association_that_breaks_fails_what_is_left() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT))
        read_pdu(connection)
        connection.sendall(ABORT)
        while connection.recv(65536):
            pass

    with peer(converse) as port:
        seen = Seen(port)
        assert seen.modality.store(INSTANCES) == 0
    assert seen.kinds() == ["AssociationAccepted", *["StoreFailed"] * 3]


def test_broken_data_is_sent_as_it_is_and_told_without_what_cannot_be_read() -> None:
    cut = replace(INSTANCES[0], data_set=INSTANCES[0].data_set[:-10])
    with a_gateway() as gateway:
        seen = Seen(gateway.port)
        assert seen.modality.store([cut]) == 1
    assert gateway.taken[0].data_set == cut.data_set
    assert told(
        seen.events[1],
        StoreAnswered,
        study_instance_uid="",
        pixel_data_digest="",
        data_set_digest=data_set.digest(cut.data_set),
    )


def test_what_can_be_noted_of_a_data_set() -> None:
    instance = INSTANCES[0]
    noted = observation(instance.data_set, EXPLICIT)
    assert noted.study_instance_uid == STUDY.study_instance_uid
    assert noted.data_set_digest == data_set.digest(instance.data_set)
    assert noted.pixel_data_digest == data_set.digest(instance.data_set[-512:])
    assert observation(b"\xff" * 20, EXPLICIT).study_instance_uid == ""
