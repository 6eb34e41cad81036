"""C-STORE and C-ECHO as SCU, past pynetdicom and through it: the peer must see and the caller get the same."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import evt

from simulator.errors import PeerAborted, PeerError, PeerSilent, UsageError
from simulator.wire import pdu_builders, store_plane
from simulator.wire.association import VERIFICATION, Address, Association, Context, Outgoing, Response, TimeOuts
from simulator.wire.command_set import CommandSet, command_set, decode, response_to
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.pdu_builders import Answered, fragments, p_data, proposed_in
from simulator.wire.pdu_stream import MessageReader, Pdu
from simulator.wire.send_plane import LONGEST_PDU
from tests.wire.made import steady
from tests.wire.pdus import ABORT, RELEASE_REQUEST, data, echo, read_pdu
from tests.wire.sockets import HOST, no_thread_beside, peer
from tests.wire.streams import cuts, in_pieces

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXTS = [Context(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN,)), Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
SHORT = TimeOuts(acse=5, dimse=0.3)

Answer = Callable[[bytes], Sequence[bytes]]
"""What a peer sends after a message, piece by piece; it is given the bytes of a plain response."""


@dataclass(frozen=True)
class Seen:
    """The PDUs that a peer got between the request for the association and its end, and what the caller got."""

    pdus: tuple[bytes, ...]
    outcomes: tuple[Response | type[PeerError], ...]


def instance(size: int = 100, number: int = 1) -> Outgoing:
    return Outgoing(CT, f"1.2.3.{number}", EXPLICIT_VR_LITTLE_ENDIAN, bytes(at % 251 for at in range(size)))


def plainly(response: bytes) -> Sequence[bytes]:
    return [response]


def conversation(
    messages: Sequence[Outgoing | None],
    answer: Answer = plainly,
    *,
    maximum_length: int = 16384,
    status: int = 0,
    comment: str = "",
    time_outs: TimeOuts = SHORT,
) -> Seen:
    """Send these instances (None: an echo) to a peer that answers so, and return what was seen on both sides."""
    got: queue.Queue[bytes] = queue.Queue()

    def converse(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        contexts = [Answered(c.context_id, EXPLICIT_VR_LITTLE_ENDIAN) for c in proposed_in(Pdu(read_pdu(connection)))]
        connection.sendall(pdu_builders.associate_ac(contexts=contexts, maximum_length=maximum_length))
        reader, command = MessageReader(), CommandSet({})
        while pdu := read_pdu(connection):
            got.put(pdu)
            if pdu[0] == 0x05:
                connection.sendall(pdu_builders.release_rp())
            for pdv in Pdu(pdu).pdvs() if pdu[0] == 0x04 else ():
                message = reader.read(pdv)
                command = message.command if message else command
                if pdv.is_last and pdv.is_command != command.has_data_set:
                    response = response_to(command, status, comment)
                    for piece in answer(pdu_builders.message(pdv.context_id, response)):
                        connection.sendall(piece)

    outcomes: list[Response | type[PeerError]] = []
    with peer(converse) as port:
        association = Association.request("MODALITY", Address("GATEWAY", HOST, port), CONTEXTS, time_outs)
        for message in messages:
            try:
                outcomes.append(association.echo() if message is None else association.store(message))
            except PeerError as error:
                outcomes.append(type(error))
        association.release()
    return Seen(tuple(got.queue), tuple(outcomes))


def both_ways(
    monkeypatch: pytest.MonkeyPatch, messages: Sequence[Outgoing | None], *args: object, **more: object
) -> Seen:
    """Return what was seen, after it was the same without the plane."""
    before = set(threading.enumerate())
    monkeypatch.setenv(store_plane.SWITCH, "off")
    without = conversation(messages, *args, **more)  # type: ignore[arg-type]
    monkeypatch.setenv(store_plane.SWITCH, "on")
    with_plane = conversation(messages, *args, **more)  # type: ignore[arg-type]
    assert with_plane == without
    assert no_thread_beside(before)
    return with_plane


@pytest.mark.parametrize("maximum_length", [0, 64, 70, 4096, 16384, 131072])
def test_the_peer_gets_the_same_pdus_whatever_it_takes(maximum_length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [instance(50_000), None, instance(1, 2), instance(maximum_length or 7, 3)]
    seen = both_ways(monkeypatch, messages, maximum_length=maximum_length)
    assert seen.outcomes == (Response(0),) * 4
    assert max(len(pdu) for pdu in seen.pdus) <= (maximum_length or 131072) + 6


@pytest.mark.parametrize("maximum_length", [0, 1_000_000])
def test_a_peer_that_takes_more_still_gets_pdus_of_128_kib(maximum_length: int) -> None:
    sent = instance(300_000)
    seen = conversation([sent], maximum_length=maximum_length)
    assert [len(pdu) for pdu in seen.pdus[1:-1]] == [131078, 131078, 300_000 - 2 * 131066 + 12]
    assert b"".join(pdu[12:] for pdu in seen.pdus[1:-1]) == sent.data_set


def test_fragments_are_even_where_the_maximum_is_odd() -> None:
    sent = instance(1000)
    seen = conversation([sent], maximum_length=501)
    assert [len(pdu) - 12 for pdu in seen.pdus[1:-1]] == [494, 494, 12]
    assert b"".join(pdu[12:] for pdu in seen.pdus[1:-1]) == sent.data_set


@pytest.mark.parametrize(
    ("status", "comment"), [(0xB007, "coerced"), (0xA700, "disk full"), (0x0122, ""), (0xC000, "x" * 64)]
)
def test_a_status_and_its_comment_arrive(status: int, comment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = both_ways(monkeypatch, [instance(), None], status=status, comment=comment)
    assert seen.outcomes == (Response(status, comment),) * 2


@given(where=cuts)
@steady
def test_a_response_may_come_in_any_pieces(where: list[int]) -> None:
    seen = conversation([instance(), None, instance(9, 2)], lambda response: in_pieces(response, where))
    assert seen.outcomes == (Response(0),) * 3


@given(size=st.integers(1, 60), together=st.booleans())
@steady
def test_a_response_may_come_in_any_fragments(size: int, together: bool) -> None:
    def answer(response: bytes) -> Sequence[bytes]:
        (pdv,) = Pdu(response).pdvs()
        parts = list(fragments(pdv.fragment, pdv.context_id, command=True, maximum_length=size + 6))
        return [p_data(parts)] if together else [p_data([part]) for part in parts]

    assert conversation([instance(), instance(9, 2)], answer).outcomes == (Response(0),) * 2


def aborts(_: bytes) -> Sequence[bytes]:
    return [ABORT]


def answers_and_aborts(response: bytes) -> Sequence[bytes]:
    return [response + ABORT]


def answers_and_releases(response: bytes) -> Sequence[bytes]:
    return [response + RELEASE_REQUEST]


def answers_another_message(response: bytes) -> Sequence[bytes]:
    command = command_set(message_id=77, command_field=0x0001)
    return [pdu_builders.message(response[10], response_to(command, 0))]


def answers_garbage(_: bytes) -> Sequence[bytes]:
    return [b"GET / HTTP/1.1\r\n\r\n"]


def answers_a_broken_command_set(response: bytes) -> Sequence[bytes]:
    return [data(response[10], 3, b"\1\2\3")]


def asks_back(response: bytes) -> Sequence[bytes]:
    return [data(1, 3, echo(9)) + response]


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        (aborts, (PeerAborted, PeerAborted)),
        (answers_and_aborts, (Response(0), PeerAborted)),
        (answers_and_releases, (Response(0), PeerAborted)),
        (answers_another_message, (PeerAborted, PeerAborted)),
        (answers_garbage, (PeerAborted, PeerAborted)),
        (answers_a_broken_command_set, (PeerAborted, PeerAborted)),
        (asks_back, (PeerAborted, PeerAborted)),
        (lambda _: [], (PeerSilent, PeerAborted)),
        (lambda response: [response[:20]], (PeerSilent, PeerAborted)),
    ],
)
def test_what_is_no_plain_response_is_the_same_to_the_caller(
    answer: Answer, outcomes: tuple[Response | type[PeerError], ...]
) -> None:
    before = set(threading.enumerate())
    assert conversation([instance(), instance(9, 2)], answer).outcomes == outcomes
    assert no_thread_beside(before)


@pytest.mark.parametrize("begun", [b"", b"\0\2\0\0\3\3"])
def test_a_response_that_is_longer_than_this_side_takes_is_not_waited_for(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head says so, and nothing more of it has to come."""
    head = pdu_builders.pdu(0x04, begun, LONGEST_PDU + 1)
    long = TimeOuts(acse=60, dimse=60, pdu=60)
    seen = both_ways(monkeypatch, [instance(), instance(9, 2)], lambda _: [head], time_outs=long)
    assert seen.outcomes == (PeerAborted, PeerAborted)
    assert seen.pdus[-1] == pdu_builders.abort(source=2, reason=6)


@pytest.mark.filterwarnings("ignore:VR lookup failed")
def test_a_response_that_is_as_long_as_this_side_takes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length comes from an element that is none of the response's."""

    def answer(response: bytes) -> Sequence[bytes]:
        (pdv,) = Pdu(response).pdvs()
        more = {0x7776: bytes(LONGEST_PDU + 6 - len(response) - 8)}
        longer = CommandSet({**decode(pdv.fragment).elements, **more})
        pdu = pdu_builders.message(pdv.context_id, longer, maximum_length=0)
        assert len(pdu) == 6 + LONGEST_PDU
        return [pdu]

    seen = both_ways(monkeypatch, [instance(), None], answer, time_outs=TimeOuts())
    assert seen.outcomes == (Response(0),) * 2


def test_a_peer_that_takes_no_more_is_hung_up_on() -> None:
    ended = threading.Event()

    def converse(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        contexts = [Answered(c.context_id, EXPLICIT_VR_LITTLE_ENDIAN) for c in proposed_in(Pdu(read_pdu(connection)))]
        connection.sendall(pdu_builders.associate_ac(contexts=contexts))
        ended.wait(10)

    before = set(threading.enumerate())
    with peer(converse) as port:
        association = Association.request("MODALITY", Address("GATEWAY", HOST, port), CONTEXTS, SHORT)
        with pytest.raises(PeerSilent, match=r"within 0\.3 s"):
            association.store(instance(50_000_000))
        ended.set()
        with pytest.raises(PeerAborted):
            association.store(instance())
    assert no_thread_beside(before)


def test_every_pdu_can_be_captured() -> None:
    captured: list[tuple[str, bytes]] = []

    def converse(connection: socket.socket) -> None:
        contexts = [Answered(c.context_id, EXPLICIT_VR_LITTLE_ENDIAN) for c in proposed_in(Pdu(read_pdu(connection)))]
        connection.sendall(pdu_builders.associate_ac(contexts=contexts, maximum_length=1000))
        for _ in range(4):
            got.append(read_pdu(connection))
        connection.sendall(response)
        got.append(read_pdu(connection))
        connection.sendall(pdu_builders.release_rp())

    got: list[bytes] = []
    request = command_set(affected_sop_class_uid=CT, command_field=1, message_id=1)
    response = pdu_builders.message(3, response_to(request, 0))
    with peer(converse) as port:
        association = Association.request("MODALITY", Address("GATEWAY", HOST, port), CONTEXTS, SHORT)
        for event, way in ((evt.EVT_DATA_SENT, "out"), (evt.EVT_DATA_RECV, "in")):
            association._library.bind(event, lambda event, way: captured.append((way, event.data)), [way])
        assert association.store(instance(2500)) == Response(0)
        association.release()
    assert [pdu for way, pdu in captured if way == "out"] == got
    assert [pdu for way, pdu in captured if way == "in"] == [response, pdu_builders.release_rp()]


def test_the_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store_plane.SWITCH, raising=False)
    assert store_plane.is_on()
    monkeypatch.setenv(store_plane.SWITCH, "Off")
    assert not store_plane.is_on()
    monkeypatch.setenv(store_plane.SWITCH, "no")
    with pytest.raises(UsageError, match="SIMULATE_DATA_PLANE is 'no'"):
        store_plane.is_on()


def test_data_that_is_larger_than_every_buffer_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = replace(instance(), data_set=bytes(range(256)) * 40_000)
    seen = both_ways(monkeypatch, [sent], maximum_length=4096, time_outs=TimeOuts())
    assert b"".join(pdu[12:] for pdu in seen.pdus[1:-1]) == sent.data_set
