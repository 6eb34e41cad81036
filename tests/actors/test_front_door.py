"""Front doors over real sockets: what passes, what is recorded of it, and what is said where nobody is behind."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from simulator.actors.front_door import FrontDoor
from simulator.actors.modality import Modality
from simulator.actors.order_placer import OrderPlacer
from simulator.errors import StartError
from simulator.events import AssociationRejected, Event, OrderAcknowledged, OrderFailed, StoreAnswered
from simulator.synthesis.studies import Study
from simulator.wire import frames, pdu_builders, transcript
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Context, Outgoing, Response, StoreRequest
from simulator.wire.command_set import command_set
from simulator.wire.conversation import Conversation
from simulator.wire.pdus import ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA_TF, RELEASE_RP, RELEASE_RQ
from simulator.wire.recording import Told
from simulator.wire.transcript import KEPT, SaidPdu, Transcript
from tests import processes
from tests.actors.relayed import ACCEPTED, ANSWER, ASKED, RELEASED, RELEASING, Played, listening, store
from tests.actors.test_fault_relay import client_hello, open_files
from tests.gateway.made import a_message, remote
from tests.synthesis.made import CT, EXPLICIT, a_study, an_order
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, closed_port, connected, no_thread_beside, peer, read_to_end
from tests.wire.streams import cuts, in_pieces, streams

NOBODY = socket.gethostname() + ".invalid"  # RFC 6761 6.4: never has an address


class Door:
    """A front door that runs, and what it told."""

    def __init__(self, protocol: Any = "DICOM", **options: Any) -> None:
        self.told: queue.Queue[tuple[str, Conversation, Told]] = queue.Queue()
        self.failed: list[Event] = []
        self.door = FrontDoor(
            "here->there", protocol, self.failed.append, tell=lambda *told: self.told.put(told), **options
        )
        self.port = self.door.start()

    def until(self, what: str) -> list[tuple[str, Conversation, Told]]:
        """Return what is told up to and with the first of a kind."""
        found = [self.told.get(timeout=PATIENCE)]
        while found[-1][0] != what:
            found.append(self.told.get(timeout=PATIENCE))
        return found

    def only(self) -> Conversation:
        """Return the one conversation, once it is over."""
        self.until("over")
        (conversation,) = self.door.conversations()
        return conversation


@contextmanager
def a_door(port: int | None = None, protocol: Any = "DICOM", **options: Any) -> Iterator[Door]:
    door = Door(protocol, target=None if port is None else (HOST, port), **options)
    try:
        yield door
    finally:
        door.door.stop()
    assert door.failed == []


def instances(study: Study) -> list[Outgoing]:
    return [Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in study.instances]


def kinds(read: Transcript, by: str) -> list[int]:
    return [pdu.kind for pdu in read.pdus if pdu.by == by and pdu.kind != P_DATA_TF]


def endings(conversation: Conversation) -> set[tuple[str, str]]:
    return {(ending.by, ending.how) for ending in conversation.endings}


# --- what passes, and is recorded -----------------------------------------------------------------------


@steady
@given(streams, cuts, cuts)
def test_every_byte_passes_both_ways_and_is_recorded(data: bytes, there: list[int], back: list[int]) -> None:
    got: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        got.append(read_to_end(connection))
        for piece in in_pieces(data, back):
            connection.sendall(piece)

    with peer(answer) as port, a_door(port) as door:
        with connected(door.port) as connection:
            for piece in in_pieces(data, there):
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(PATIENCE)
            assert read_to_end(connection) == data
            requestor = connection.getsockname()
        seen = door.only()
    assert got == [data]
    assert (seen.said("requestor"), seen.said("acceptor")) == (data, data)
    assert (seen.requestor, seen.acceptor) == (requestor, (HOST, door.port))
    assert [(e.by, e.how) for e in seen.endings] == [("requestor", "fin"), ("acceptor", "fin")]


def test_a_study_passes_and_its_transcript_says_what_was_said() -> None:
    sent = instances(a_study(instances=3))
    taken: list[StoreRequest] = []

    def take(request: StoreRequest) -> Response:
        taken.append(request)
        return Response(0x0000)

    acceptor = Acceptor("SCP", HOST, 0, [Context(CT.uid, (EXPLICIT,))], take)
    seen: list[Event] = []
    try:
        with a_door(acceptor.start()) as door:
            assert Modality("MODALITY", Address("SCP", HOST, door.port), seen.append).store(sent) == 3
            conversation = door.only()
    finally:
        acceptor.stop()
    assert [request.data_set for request in taken] == [each.data_set for each in sent]
    read = transcript.read(conversation)
    assert (read.unreadable, read.malformed) == ("", ())
    assert kinds(read, "requestor") == [ASSOCIATE_RQ, RELEASE_RQ]
    assert kinds(read, "acceptor") == [ASSOCIATE_AC, RELEASE_RP]
    asked = [m for m in read.messages if m.command.kind == "C-STORE-RQ"]
    assert [m.fragments for m in asked] == [len(each.data_set) for each in sent]
    assert [m.data_set for m in asked] == [each.data_set[:KEPT] for each in sent]
    assert {m.transfer_syntax_uid for m in asked} == {EXPLICIT}
    assert [m.command.kind for m in read.messages] == ["C-STORE-RQ", "C-STORE-RSP"] * 3
    assert all(m.ended is not None and m.ended >= m.at for m in read.messages)


def test_of_long_data_sets_the_beginning_is_kept_and_the_length_is_known() -> None:
    size = 3_000_000
    with listening(*ACCEPTED, *ANSWER, *RELEASING) as (_, port), a_door(port) as door:
        played = Played([*ASKED, store(1, size), {"recv": "C-STORE-RSP"}, *RELEASED])
        assert played.peer.play(HOST, door.port)
        conversation = door.only()
    assert sum(len(segment.data) for segment in conversation.segments) < KEPT + 20_000
    read = transcript.read(conversation)
    (asked,) = [m for m in read.messages if m.command.kind == "C-STORE-RQ"]
    assert (asked.fragments, asked.data_set) == (size + size % 2, b"\xab" * KEPT)
    assert kinds(read, "requestor") == [ASSOCIATE_RQ, RELEASE_RQ]
    assert sum(segment.length for segment in conversation.segments if segment.by == "requestor") > size


def test_what_is_said_is_told_at_once() -> None:
    with listening(*ACCEPTED, *RELEASING) as (_, port), a_door(port) as door:
        assert Played([*ASKED, *RELEASED]).peer.play(HOST, door.port)
        told = door.until("over")
    assert [what for what, *_ in told] == ["opened", *["said"] * 4, "ended", "ended", "over"]
    said = [each for _, _, each in told if isinstance(each, SaidPdu)]
    assert [(pdu.by, pdu.kind) for pdu in said] == [
        ("requestor", ASSOCIATE_RQ),
        ("acceptor", ASSOCIATE_AC),
        ("requestor", RELEASE_RQ),
        ("acceptor", RELEASE_RP),
    ]
    assert [pdu.at for pdu in said] == sorted(pdu.at for pdu in said)
    assert all(each.link == "here->there" and each.segments == () for _, each, _ in told)


def test_an_open_conversation_is_there_as_far_as_it_has_come() -> None:
    with listening(*ACCEPTED, *ANSWER, *RELEASING) as (_, port), a_door(port) as door, connected(door.port) as first:
        door.until("opened")
        first.sendall(b"\1\0\0")
        half = requestors_pdus()[0]
        first.sendall(half[3:])
        door.until("said")
        (conversation,) = door.door.conversations()
        assert conversation.endings == ()
        assert kinds(transcript.read(conversation), "requestor") == [ASSOCIATE_RQ]
        assert door.door.conversations(since=1) == ()
        for each in requestors_pdus()[1:]:
            first.sendall(each)
        first.shutdown(socket.SHUT_WR)
        first.settimeout(PATIENCE)
        read_to_end(first)


def hear(connection: socket.socket) -> None:
    """Hear the other side to its end, and say nothing."""
    read_to_end(connection)


def hear_at(port: int) -> None:
    """Make a connection, and hear what comes of it."""
    with connected(port) as connection:
        connection.settimeout(PATIENCE)
        hear(connection)


def requestors_pdus() -> list[bytes]:
    """Return what a requestor says that stores once and releases."""
    command = command_set(command_field=1, message_id=1, data_set_type=1, affected_sop_class_uid=CT.uid)
    return [
        pdu_builders.associate_rq(contexts=[pdu_builders.Proposed(1, CT.uid)]),
        pdu_builders.message(1, command, b"data"),
        pdu_builders.release_rq(),
    ]


def test_tls_passes_and_is_recorded_as_what_cannot_be_read() -> None:
    hello = client_hello()
    got: list[bytes] = []
    with peer(lambda connection: got.append(read_to_end(connection))) as port, a_door(port) as door:
        with connected(door.port) as connection:
            connection.sendall(hello)
        told = door.until("over")
        (conversation,) = door.door.conversations()
    assert got == [hello]
    assert [what for what, *_ in told] == ["opened", "said", "ended", "ended", "over"]
    read = transcript.read(conversation)
    assert read.unreadable == "TLS: what is inside cannot be read"
    assert [(pdu.kind, pdu.length) for pdu in read.pdus] == [(0, len(hello))]


@pytest.mark.parametrize(
    ("host", "called", "seen"),
    [
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::1", "::1", "::1"),
        ("::", "::1", "::1"),
        ("::", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_addresses_are_those_that_the_caller_knows(host: str, called: str, seen: str) -> None:
    with a_door(protocol="HL7", host=host) as door:
        with socket.create_connection((called, door.port), PATIENCE) as connection:
            here = connection.getsockname()[:2]
            hear(connection)
        conversation = door.only()
    assert (conversation.requestor, conversation.acceptor) == (here, (seen, door.port))


def test_a_port_that_somebody_has_is_told() -> None:
    with socket.create_server((HOST, 0)) as listener:
        door = FrontDoor("a->b", "DICOM", print, port=listener.getsockname()[1])
        with pytest.raises(StartError, match="the relay a->b cannot listen: Address already in use"):
            door.start()
        door.stop()


# --- how connections end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("who", ["requestor", "acceptor"])
def test_an_end_arrives_as_it_was_sent_and_is_recorded(who: str, how: str) -> None:
    ends, sees = {"close": how}, {"await_end": how, "within": 5}
    with listening(*ACCEPTED, ends if who == "acceptor" else sees) as (there, port), a_door(port) as door:
        here = Played([*ASKED, sees if who == "acceptor" else ends])
        assert here.peer.play(HOST, door.port)
        assert there.peer.join(PATIENCE)
        seen = door.only()
    first = seen.endings[0]
    assert (first.by, first.how) == (who, how)
    assert how == "fin" or len(seen.endings) == 1


def test_who_sends_fin_still_hears_what_the_other_says() -> None:
    with listening(*ACCEPTED, {"recv": "C-STORE-RQ"}, {"await_end": "fin"}) as (there, port), a_door(port) as door:
        here = Played([*ASKED, store(1), {"close": "half"}, {"await_end": "fin", "within": 5}])
        assert here.peer.play(HOST, door.port)
        assert there.peer.join(PATIENCE)


def test_who_says_fin_and_is_gone_is_a_reset_to_who_goes_on_sending() -> None:
    """The acceptor ends its half, and then is gone: what is sent to it after that must not vanish without a word."""
    heard = threading.Event()

    def leave(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        assert heard.wait(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with peer(leave) as port, a_door(port) as door, connected(door.port) as connection:
        connection.settimeout(PATIENCE)
        assert connection.recv(1) == b""
        heard.set()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sendall(bytes(100_000_000))
        seen = door.only()
    assert [(each.by, each.how) for each in seen.endings] == [("acceptor", "fin"), ("acceptor", "rst")]


# --- where nobody is behind -------------------------------------------------------------------------------


def test_a_dicom_peer_is_rejected_for_the_moment() -> None:
    seen: list[Event] = []
    with a_door() as door:
        outgoing = instances(a_study(instances=1))
        assert Modality("MODALITY", Address("SCP", HOST, door.port), seen.append).store(outgoing) == 0
        conversation = door.only()
    (rejected,) = [event for event in seen if isinstance(event, AssociationRejected)]
    assert (rejected.result, rejected.source, rejected.reason) == (2, 3, 1)
    read = transcript.read(conversation)
    assert [(pdu.by, pdu.kind) for pdu in read.pdus] == [("requestor", ASSOCIATE_RQ), ("acceptor", ASSOCIATE_RJ)]
    assert read.pdus[1].raw[6:] == b"\0\2\3\1"
    assert conversation.unreached == ""


def test_who_asks_for_no_association_finds_the_connection_closed() -> None:
    with a_door() as door, connected(door.port) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(10) == b""
        read = transcript.read(door.only())
    assert read.unreadable.startswith("an HTTP request (47 45 54 20")
    assert endings(read.conversation) == {("acceptor", "fin")}


def test_an_hl7_peer_finds_the_connection_closed() -> None:
    seen: list[Event] = []
    with a_door(protocol="HL7") as door:
        OrderPlacer(HOST, door.port, seen.append).send(a_message(an_order("a")))
        conversation = door.only()
    assert isinstance(seen[0], OrderFailed)
    assert (conversation.endings[0].by, conversation.endings[0].how) == ("acceptor", "fin")


def test_a_gateway_that_comes_is_behind_from_then_on() -> None:
    with listening(*ACCEPTED, *RELEASING) as (_, port), a_door() as door:
        assert Played([ASKED[0], {"recv": "A-ASSOCIATE-RJ"}, {"close": "fin"}]).peer.play(HOST, door.port)
        door.until("over")
        door.door.target = (HOST, port)
        assert Played([*ASKED, *RELEASED]).peer.play(HOST, door.port)
        door.until("over")
        first, second = door.door.conversations()
        (since,) = door.door.conversations(since=1)
    assert (first.number, second.number, since) == (1, 2, second)
    assert door.door.connections == 2


@contextmanager
def a_deaf_port() -> Iterator[int]:
    """Hold a port where nothing answers: Linux drops what asks for a connection when the queue is full."""
    with ExitStack() as stack, socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def unreached(target: tuple[str, int], *, is_tried: bool = True) -> Conversation:
    """Return the conversation of an outgoing door that reaches nobody, after its caller was reset."""
    door = Door(target=target, outgoing=True, connect_seconds=0.3)
    try:
        with pytest.raises(ConnectionResetError):
            hear_at(door.port)
        told = door.until("over")
        (conversation,) = door.door.conversations()
    finally:
        door.door.stop()
    assert [what for what, *_ in told] == ["opened", "unreached", "over"]
    assert conversation.acceptor == target
    assert (conversation.requestor != told[0][1].requestor) == is_tried
    assert conversation.requestor[1] != 0
    assert (conversation.segments, conversation.endings) == ((), ())
    return conversation


def test_a_closed_port_is_refused() -> None:
    with closed_port() as port:
        assert unreached((HOST, port)).unreached == "refused"


def test_a_port_that_answers_nothing_is_silent() -> None:
    with a_deaf_port() as port:
        assert unreached((HOST, port)).unreached == "silent"


def test_a_name_without_an_address_is_unresolved() -> None:
    assert unreached((NOBODY, 104), is_tried=False).unreached == "unresolved"


def test_an_address_to_which_no_way_leads_is_unroutable() -> None:
    assert unreached(("255.255.255.255", 104), is_tried=False).unreached == "unroutable"


# --- before the real gateway --------------------------------------------------------------------------------


def test_a_study_and_its_order_pass_before_the_gateway_and_on_to_a_destination(tmp_path: Path) -> None:
    order, outgoing = an_order("door"), instances(a_study("door", instances=4))
    seen: list[Event] = []
    with ExitStack() as stack:
        taking, port = stack.enter_context(remote())
        outward, inward = stack.enter_context(a_door(port, outgoing=True)), stack.enter_context(a_door())
        hl7 = stack.enter_context(a_door(protocol="HL7"))
        there = {"destinations": [{"ae_title": "REMOTE", "port": outward.port}]}
        with processes.gateway(tmp_path, forwarding=there) as gateway:
            inward.door.target, hl7.door.target = (HOST, gateway.dicom_port), (HOST, gateway.hl7_port)
            OrderPlacer(HOST, hl7.port, seen.append).send(a_message(order))
            assert Modality("MODALITY", Address(gateway.ae_title, HOST, inward.port), seen.append).store(outgoing) == 4
            gateway.await_states(1, ["forwarded"])
            came, ordered, went = inward.only(), hl7.only(), outward.only()
        assert sorted(taking.uids()) == sorted(each.sop_instance_uid for each in outgoing)
    assert [event.code for event in seen if isinstance(event, OrderAcknowledged)] == ["AA"]
    assert [event.status for event in seen if isinstance(event, StoreAnswered)] == ["0000"] * 4
    asked, answered = frames.frames(ordered)
    assert asked.raw == a_message(order)
    assert b"MSA|AA" in answered.raw
    for conversation in (came, went):
        read = transcript.read(conversation)
        assert [m.command.kind for m in read.messages] == ["C-STORE-RQ", "C-STORE-RSP"] * 4
        assert kinds(read, "requestor") == [ASSOCIATE_RQ, RELEASE_RQ]
    assert went.acceptor == (HOST, port)
    assert went.requestor[1] not in (0, outward.port)


# --- what it leaves -------------------------------------------------------------------------------------------


def test_a_door_that_is_stopped_leaves_no_thread_and_no_descriptor() -> None:
    threads, descriptors = set(threading.enumerate()), open_files()
    with ExitStack() as stack:
        port = stack.enter_context(peer(hear))
        deaf = stack.enter_context(a_deaf_port())
        idle, empty, outward = Door(target=(HOST, port)), Door(), Door(target=(HOST, deaf), outgoing=True)
        for door in (idle, empty, outward):
            stack.enter_context(connected(door.port)).sendall(b"\1\0")
            door.until("opened")
        for door in (idle, empty, outward):
            door.door.stop()
            door.door.stop()
            assert door.until("over")
            assert door.failed == []
    assert no_thread_beside(threads)
    assert open_files() <= descriptors
