"""Relays over real sockets: what both sides see of each fault."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from simulator.actors.fault_relay import FaultRelay
from simulator.actors.modality import Modality
from simulator.errors import UsageError
from simulator.events import (
    Event,
    FaultInjected,
    FaultMissed,
    PduReceived,
    PduSent,
    RelayBlind,
    RelayFailed,
    ScriptEnded,
    StoreAnswered,
)
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Context, Outgoing, Response, StoreRequest
from simulator.wire.faults import Fault
from tests.actors.relayed import ACCEPTED, ANSWER, ASKED, RELEASED, RELEASING, Played, listening, relaying, store
from tests.synthesis.made import CT, EXPLICIT, a_study
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, closed_port, connected, no_thread_beside, peer, read_to_end
from tests.wire.streams import cuts, in_pieces, streams

STUDY = a_study(instances=4)
INSTANCES = [Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in STUDY.instances]


def problem(played: Played) -> str:
    (ended,) = played.of(ScriptEnded)
    return str(ended.problem)


# --- how connections end ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "requestor", "acceptor"),
    [
        ("abort", "abort", "abort"),
        ("abort requestor", "abort", "fin"),
        ("abort acceptor", "fin", "abort"),
        ("drop", "fin", "fin"),
        ("drop rst", "rst", "rst"),
    ],
)
@pytest.mark.parametrize("at", ["C-STORE-RQ#2", "C-STORE-RSP#2"])
def test_both_peers_see_the_end_that_the_fault_says(at: str, do: str, requestor: str, acceptor: str) -> None:
    end: dict[str, Any] = {"await_end": acceptor, "within": 5}
    second = [end] if at == "C-STORE-RQ#2" else [*ANSWER, end]
    with listening(*ACCEPTED, *ANSWER, *second) as (there, port), relaying(port, (at, do)) as relay:
        here = Played([*ASKED, store(1), {"recv": "C-STORE-RSP"}, store(2), {"await_end": requestor, "within": 5}])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert there.peer.join(PATIENCE)
        assert problem(there) == ""
    assert relay.injected() == [(at, do)]


@pytest.mark.parametrize("at", ["A-ASSOCIATE-RQ#1", "A-ASSOCIATE-AC#1", "A-RELEASE-RQ#1", "A-RELEASE-RP#1"])
def test_an_association_is_aborted_at_any_of_its_own_pdus(at: str) -> None:
    hears = {"A-ASSOCIATE-RQ#1": 0, "A-ASSOCIATE-AC#1": 2, "A-RELEASE-RQ#1": 2, "A-RELEASE-RP#1": 4}[at]
    says = {"A-ASSOCIATE-RQ#1": 1, "A-ASSOCIATE-AC#1": 1, "A-RELEASE-RQ#1": 3, "A-RELEASE-RP#1": 3}[at]
    end = {"await_end": "abort", "within": 5}
    with listening(*[*ACCEPTED, *RELEASING][:hears], end) as (there, port), relaying(port, (at, "abort")) as relay:
        here = Played([*[*ASKED, *RELEASED][:says], end])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert there.peer.join(PATIENCE)
        assert problem(there) == ""


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("who", ["requestor", "acceptor"])
def test_without_a_fault_an_end_arrives_as_it_was_sent(who: str, how: str) -> None:
    ends, sees = {"close": how}, {"await_end": how, "within": 5}
    with listening(*ACCEPTED, ends if who == "acceptor" else sees) as (there, port), relaying(port) as relay:
        here = Played([*ASKED, sees if who == "acceptor" else ends])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert there.peer.join(PATIENCE)
        assert problem(there) == ""
    assert relay.rest() == []


def test_who_sends_fin_still_hears_what_the_other_says() -> None:
    with listening(*ACCEPTED, {"recv": "C-STORE-RQ"}, {"await_end": "fin"}) as (there, port), relaying(port) as relay:
        here = Played([*ASKED, store(1), {"close": "half"}, {"await_end": "fin", "within": 5}])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert there.peer.join(PATIENCE)
        assert problem(there) == ""


def test_who_is_aborted_while_it_sends_can_send_to_the_end() -> None:
    """A connection that is closed with bytes unread is reset, and the A-ABORT may be lost with it."""
    with listening(*ACCEPTED, {"await_end": "abort"}) as (_, port), relaying(port, ("C-STORE-RQ#1", "abort")) as relay:
        here = Played([*ASKED, store(1, size=4_000_000), {"await_end": "abort", "within": 5}])
        assert here.peer.play(HOST, relay.port), problem(here)
    assert sum(event.length for event in here.of(PduSent)) > 4_000_000


def test_who_sends_to_a_peer_that_resets_is_reset() -> None:
    with listening(*ACCEPTED, {"close": "rst"}) as (_, port), relaying(port) as relay:
        here = Played([*ASKED, store(1, size=4_000_000), {"await_end": "rst", "within": 5}])
        assert here.peer.play(HOST, relay.port), problem(here)


def test_a_peer_that_is_not_there_is_a_reset_and_is_told() -> None:
    with closed_port() as port, relaying(port) as relay:
        here = Played([{"await_end": "rst", "within": 5}])
        assert here.peer.play(HOST, relay.port), problem(here)
        failed = relay.next()
    assert isinstance(failed, RelayFailed)
    assert failed.problem == f"nothing takes connections on {HOST}:{port} (Connection refused)"


# --- what passes ----------------------------------------------------------------------------------------


@steady
@given(streams, cuts, cuts)
def test_every_byte_passes_in_both_directions(data: bytes, there: list[int], back: list[int]) -> None:
    got: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        got.append(read_to_end(connection))
        for piece in in_pieces(data, back):
            connection.sendall(piece)

    with peer(answer) as port, relaying(port) as relay, connected(relay.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in in_pieces(data, there):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(PATIENCE)
        assert read_to_end(connection) == data
    assert got == [data]


def test_half_a_pdu_stays_in_the_connection_that_is_held_open() -> None:
    end = [{"recv": "C-STORE-RSP", "within": 0.3}]
    hears = [*ACCEPTED, *ANSWER, {"recv": "C-STORE-RQ"}]
    with listening(*hears) as (there, port), relaying(port, ("C-STORE-RQ#2", "half-pdu")) as relay:
        here = Played([*ASKED, store(1), {"recv": "C-STORE-RSP"}, store(2, size=3000), *end])
        assert not here.peer.play(HOST, relay.port)
        assert there.peer.join(PATIENCE)
    assert problem(here) == "step 6: expected C-STORE-RSP; the peer said nothing more in time"
    assert problem(there) == "step 5: expected C-STORE-RQ; the peer closed the connection (FIN)"
    command, rest = there.of(PduReceived)[-2:]
    assert (command.message, rest.kind, rest.length) == ("C-STORE-RQ", "", (3000 + 12) // 2)


def test_a_delay_holds_back_one_direction_and_not_the_other() -> None:
    hears: list[Any] = [*ACCEPTED, {"send": {"pdu": "A-RELEASE-RQ"}}, *ANSWER, {"recv": "A-RELEASE-RP"}]
    with listening(*hears) as (there, port), relaying(port, ("C-STORE-RQ#1", "delay 1500ms")) as relay:
        released: list[Any] = [{"recv": "A-RELEASE-RQ", "within": 1.2}, {"send": {"pdu": "A-RELEASE-RP"}}]
        started = time.monotonic()
        here = Played([*ASKED, store(1), *released, {"recv": "C-STORE-RSP"}])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert time.monotonic() - started >= 1.5
        assert there.peer.join(PATIENCE)
        assert problem(there) == ""


def test_a_slow_connection_takes_the_time_that_its_rate_says() -> None:
    with listening(*ACCEPTED, *ANSWER) as (_, port), relaying(port, ("C-STORE-RQ#1", "slow 20KB/s")) as relay:
        started = time.monotonic()
        here = Played([*ASKED, store(1, size=20_000), {"recv": "C-STORE-RSP"}])
        assert here.peer.play(HOST, relay.port), problem(here)
        assert 0.9 <= time.monotonic() - started < 5  # what goes last, a tenth of a second's worth, is not waited for


# --- between a modality and an SCP of the product's own ---------------------------------------------------


class Scp:
    """Takes everything, and answers 0000."""

    def __init__(self) -> None:
        self.taken: list[StoreRequest] = []
        self.acceptor = Acceptor("SCP", HOST, 0, [Context(CT.uid, (EXPLICIT,))], self._take)
        self.port = self.acceptor.start()

    def _take(self, request: StoreRequest) -> Response:
        self.taken.append(request)
        return Response(0x0000)


def sent(port: int, rounds: int = 1) -> list[str]:
    """Send the study so many times, each over an association of its own; return what became of each instance."""
    seen: list[Event] = []
    for _ in range(rounds):
        Modality("MODALITY", Address("SCP", HOST, port), seen.append).store(INSTANCES)
    told = [event for event in seen if hasattr(event, "sop_instance_uid")]
    return [event.status if isinstance(event, StoreAnswered) else "none" for event in told]


@pytest.mark.parametrize(
    ("at", "do", "answers", "taken"),
    [
        ("C-STORE-RQ#3", "abort", ["0000", "0000", "none", "none"], [1, 1]),
        ("C-STORE-RQ#3", "drop rst", ["0000", "0000", "none", "none"], [1, 1]),
        ("C-STORE-RSP#3", "drop", ["0000", "0000", "none", "none"], [1, 1, 1]),
        ("C-STORE-RQ#2", "status A700", ["0000", "A700", "0000", "0000"], [1, 1, 1]),
        ("C-STORE-RSP#2", "status B000", ["0000", "B000", "0000", "0000"], [1, 1, 1, 1]),
        ("C-STORE-RQ#4", "truncate", ["0000"] * 4, [1, 1, 1, 0.5]),
        ("C-STORE-RQ#1", "garbage", ["0000"] * 4, [1, 1, 1, 1]),
        ("C-STORE-RQ#2", "delay 100ms", ["0000"] * 4, [1, 1, 1, 1]),
        ("A-ASSOCIATE-RQ#1", "drop", ["none"] * 4, []),
        ("A-ASSOCIATE-AC#1", "abort", ["none"] * 4, []),
        ("A-RELEASE-RQ#1", "drop rst", ["0000"] * 4, [1, 1, 1, 1]),
    ],
)
def test_what_a_modality_and_its_scp_see(at: str, do: str, answers: list[str], taken: list[float]) -> None:
    scp = Scp()
    try:
        with relaying(scp.port, (at, do)) as relay:
            assert sent(relay.port) == answers
            (injected,) = relay.rest()
    finally:
        scp.acceptor.stop()
    assert isinstance(injected, FaultInjected)
    assert (injected.observer, injected.fault_at, injected.connection) == ("here->there", at, 1)
    sizes = [len(request.data_set) / len(INSTANCES[0].data_set) for request in scp.taken]
    assert [round(size, 1) for size in sizes] == taken
    garbled = [i for i, request in enumerate(scp.taken) if request.data_set != INSTANCES[i].data_set]
    if len(scp.taken) == 4:
        assert garbled == ([int(at[-1]) - 1] if do in ("truncate", "garbage") else [])


def test_messages_are_counted_over_associations() -> None:
    scp = Scp()
    try:
        with relaying(scp.port, ("C-STORE-RQ#6", "status A700"), ("A-ASSOCIATE-RQ#3", "drop")) as relay:
            assert sent(relay.port, rounds=3) == ["0000"] * 5 + ["A700", "0000", "0000"] + ["none"] * 4
            connections = [event.connection for event in relay.rest() if isinstance(event, FaultInjected)]
            assert connections == [2, 3]
            assert relay.relay.pending() == ()
    finally:
        scp.acceptor.stop()


def test_associations_side_by_side_share_the_count() -> None:
    """Which association has the tenth C-STORE-RQ is the network's affair; that one has it, and one alone, is not."""
    scp = Scp()
    try:
        with relaying(scp.port, ("C-STORE-RQ#10", "status A700")) as relay:
            with ThreadPoolExecutor(4) as modalities:
                answers = [answer for each in modalities.map(sent, [relay.port] * 4) for answer in each]
            assert (answers.count("A700"), answers.count("0000")) == (1, 15)
            assert len(relay.injected()) == 1
    finally:
        scp.acceptor.stop()
    assert len(scp.taken) == 15


def test_a_listener_that_moved_is_found_again() -> None:
    first, second = Scp(), Scp()
    try:
        with relaying(first.port) as relay:
            assert sent(relay.port) == ["0000"] * 4
            relay.relay.target = (HOST, second.port)
            assert sent(relay.port) == ["0000"] * 4
    finally:
        first.acceptor.stop()
        second.acceptor.stop()
    assert (len(first.taken), len(second.taken)) == (4, 4)


# --- what is said -----------------------------------------------------------------------------------------


def test_where_it_was_done_is_told_to_the_byte() -> None:
    hears = [*ACCEPTED, *ANSWER, {"await_end": "fin"}]
    with listening(*hears) as (_, port), relaying(port, ("C-STORE-RQ#2", "drop")) as relay:
        here = Played([*ASKED, store(1), {"recv": "C-STORE-RSP"}, store(2), {"await_end": "fin"}])
        assert here.peer.play(HOST, relay.port), problem(here)
        told = relay.next()
    assert isinstance(told, FaultInjected)
    lengths = [event.length for event in here.of(PduSent)]
    assert (told.direction, told.offset) == ("requestor->acceptor", sum(lengths[:3]))
    assert told.done == "it was not passed on; both connections ended by FIN"


def test_a_fault_whose_message_never_came_is_told_at_the_end() -> None:
    with listening(*ACCEPTED, *RELEASING) as (_, port), relaying(port, ("C-STORE-RQ#1", "abort")) as relay:
        assert Played([*ASKED, *RELEASED]).peer.play(HOST, relay.port)
    (missed,) = relay.rest()
    assert isinstance(missed, FaultMissed)
    assert (missed.fault_at, missed.do, missed.seen) == ("C-STORE-RQ#1", "abort", 0)


def client_hello() -> bytes:
    """Return what a TLS client says first."""
    said = ssl.MemoryBIO()
    secure = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        secure.do_handshake()
    return said.read()


def test_tls_passes_untouched_and_is_said() -> None:
    hello = client_hello()
    got: list[bytes] = []
    listener = peer(lambda connection: got.append(read_to_end(connection)))
    with listener as port, relaying(port, ("A-ASSOCIATE-RQ#1", "drop")) as relay:
        with connected(relay.port) as connection:
            connection.sendall(hello)
        told = relay.next()
    assert got == [hello]
    assert isinstance(told, RelayBlind)
    assert (told.direction, told.why) == ("requestor->acceptor", "TLS: what is inside cannot be read")
    assert [type(event) for event in relay.rest()] == [FaultMissed]


# --- how a relay is made, and what it leaves --------------------------------------------------------------


def test_a_fault_of_the_other_protocol_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="a->b speaks HL7; there will be no C-STORE-RQ#1"):
        FaultRelay("a->b", HOST, 1, [Fault.parse("C-STORE-RQ#1", "drop")], print, protocol="HL7")


def test_two_faults_at_one_message_are_a_mistake() -> None:
    faults = [Fault.parse("C-STORE-RQ#1", "drop"), Fault.parse("C-STORE-RQ#1", "garbage")]
    with pytest.raises(UsageError, match="a->b: two faults at C-STORE-RQ#1; a message can have one"):
        FaultRelay("a->b", HOST, 1, faults, print)


def open_files() -> int:
    """Return how many file descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_relay_leaves_no_thread_and_no_file_descriptor() -> None:
    threads, descriptors = set(threading.enumerate()), open_files()
    for do in ("abort", "drop", "drop rst", "half-pdu", "delay 60s", "slow 1B/s"):
        hears = [*ACCEPTED, {"await_end": "any", "within": 10}]
        with listening(*hears) as (_, port), relaying(port, ("C-STORE-RQ#1", do)) as relay:
            Played([*ASKED, store(1), {"recv": "A-ABORT", "within": 0.1}]).peer.play(HOST, relay.port)
            relay.next()
    assert no_thread_beside(threads)
    assert open_files() <= descriptors
