"""C-STORE as SCP, past pynetdicom and through it: the peer, the service and the log must get the same."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import evt

from simulator.wire import receive_plane, store_plane
from simulator.wire.acceptor import Acceptor, EndAssociation
from simulator.wire.association import VERIFICATION, Address, Association, Context, Outgoing, Response, TimeOuts
from simulator.wire.association import StoreRequest as Received
from simulator.wire.command_set import MESSAGE_ID_BEING_RESPONDED_TO, command_set, decode
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.incidents import Incident
from simulator.wire.pdu_builders import Proposed, associate_rq, fragments, items, p_data
from simulator.wire.pdu_stream import Pdu, PduStream, Pdv
from simulator.wire.receive_plane import ReceivePlane
from simulator.wire.terms import Incoming
from tests.wire import pdus
from tests.wire.listening import LONG, to_the_end
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, connected, no_thread_beside, wait_until_read
from tests.wire.streams import in_pieces

CT = "1.2.840.10008.5.1.4.1.1.2"
REQUEST = pdus.request(
    b"GATEWAY",
    b"MODALITY",
    proposed=((1, VERIFICATION, EXPLICIT_VR_LITTLE_ENDIAN), (3, CT, EXPLICIT_VR_LITTLE_ENDIAN)),
)
LARGEST = 131072


def data_of(size: int, number: int) -> bytes:
    return bytes((number + at) % 251 for at in range(size))


def store(number: int, **other: int | str | bytes | None) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    plain = command_set(
        affected_sop_class_uid=CT,
        command_field=1,
        message_id=number,
        priority=0,
        data_set_type=1,
        affected_sop_instance_uid=f"1.2.3.{number}",
    )
    return plain.but(**other).encode()


# --- two acceptors that differ in the plane alone --------------------------------------------------------


@dataclass
class Side:
    """An acceptor, what its service got and what was said of its peers."""

    port: int
    acceptor: Acceptor
    stored: queue.Queue[Received] = field(default_factory=queue.Queue)
    incidents: queue.Queue[Incident] = field(default_factory=queue.Queue)

    def end_of(self, peer: socket.socket) -> socket.socket:
        """Return the acceptor's end of a peer's connection."""
        connections = (each.dul.socket for each in self.acceptor._ae.active_associations)
        found = [each.socket for each in connections if each is not None and each.socket is not None]
        (end,) = (each for each in found if each.getpeername() == peer.getsockname())
        assert isinstance(end, socket.socket)
        return end


def _served(store_: Received) -> Response:
    size = len(store_.data_set)
    if size % 5 == 1:
        return Response(0xA700, "no room, or so it seems")
    if size % 5 == 2:
        raise RuntimeError("a mistake in the service")
    return Response(0xB007) if size % 5 == 3 else Response(0)


@contextmanager
def serving(
    switch: str,
    on_store: Callable[[Received], Response] = _served,
    time_outs: TimeOuts = LONG,
    bound: Sequence[tuple[evt.EventType, Callable[[evt.Event], None]]] = (),
    begin: Callable[[Received], Incoming | None] | None = None,
) -> Iterator[Side]:
    stored: queue.Queue[Received] = queue.Queue()
    incidents: queue.Queue[Incident] = queue.Queue()

    def noted(received: Received) -> Response:
        stored.put(replace(received, data_set=bytes(received.data_set)))  # it is only lent
        return on_store(received)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store_plane.SWITCH, switch)
        contexts = [Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
        more: dict[str, Any] = {"tell": incidents.put, "time_outs": time_outs, "begin": begin}
        acceptor = Acceptor("GATEWAY", HOST, 0, contexts, noted, **more)
    before = set(threading.enumerate())
    side = Side(acceptor.start(), acceptor, stored, incidents)
    for listener in acceptor._listeners:
        for event, take in bound:
            listener.bind(event, take)
    try:
        yield side
    finally:
        acceptor.stop()
    assert no_thread_beside(before)


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    with serving("on") as with_plane, serving("off") as without:
        yield with_plane, without


@dataclass(frozen=True)
class Turn:
    """What a peer sends, and how many PDUs and whole messages it then waits for.

    read_at: so much of it has been read when the rest is sent; 0: it is not looked at.
    """

    sent: bytes
    answers: int = 1
    read_at: int = 0


@dataclass(frozen=True)
class Seen:
    """What the peer, the service and the log got of one association."""

    answers: tuple[bytes, ...]
    rest: bytes
    stored: tuple[tuple[str, str, str, str, bytes], ...]
    incidents: tuple[tuple[str, str, str], ...]


def read_answer(connection: socket.socket) -> bytes:
    """Return the next PDU, or the PDUs of the next message."""
    answer = pdu = pdus.read_pdu(connection)
    while pdu[:1] == b"\x04" and not list(Pdu(pdu).pdvs())[-1].is_last:
        pdu = pdus.read_pdu(connection)
        answer += pdu
    return answer


def play(side: Side, turns: Sequence[Turn], where: Sequence[int], *, incident: bool, request: bytes = REQUEST) -> Seen:
    """Play a peer and return what was seen; incident: one is said of it."""
    answers: list[bytes] = []
    with connected(side.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE)
        connection.sendall(request)
        assert pdus.read_pdu(connection)[0] == 0x02
        end = side.end_of(connection) if any(turn.read_at for turn in turns) else None
        for turn in turns:
            if end is not None and turn.read_at:
                connection.sendall(turn.sent[: turn.read_at])
                wait_until_read(end)
            for piece in in_pieces(turn.sent[turn.read_at :], where):
                connection.sendall(piece)
            answers += [read_answer(connection) for _ in range(turn.answers)]
        if turns and turns[-1].answers == 0 and incident:
            connection.shutdown(socket.SHUT_WR)
        rest = to_the_end(connection)
    said = [side.incidents.get(timeout=PATIENCE)] if incident else []
    assert side.incidents.empty()
    stored = [side.stored.get_nowait() for _ in range(side.stored.qsize())]
    return Seen(
        tuple(answers),
        rest,
        tuple(
            (s.abstract_syntax_uid, s.transfer_syntax_uid, s.sop_class_uid, s.sop_instance_uid, bytes(s.data_set))
            for s in stored
        ),
        tuple((each.problem, each.words, each.answer) for each in said),
    )


def both_ways(
    sides: tuple[Side, Side],
    turns: Sequence[Turn],
    where: Sequence[int] = (),
    *,
    incident: bool = False,
    request: bytes = REQUEST,
) -> Seen:
    with_plane, without = (play(side, turns, where, incident=incident, request=request) for side in sides)
    assert with_plane == without
    return with_plane


# --- what peers send -------------------------------------------------------------------------------------


def plain(
    number: int, size: int, maximum: int = 16384, *, together: int = 1, **other: int | str | bytes | None
) -> bytes:
    """Return a C-STORE-RQ; together: PDVs in one P-DATA-TF."""
    found = [*fragments(store(number, **other), 3, command=True, maximum_length=0)]
    found += fragments(data_of(size, number), 3, command=False, maximum_length=maximum)
    return b"".join(p_data(found[at : at + together]) for at in range(0, len(found), together))


def in_command_fragments(number: int, size: int) -> bytes:
    found = [*fragments(store(number), 3, command=True, maximum_length=40)]
    found += fragments(data_of(size, number), 3, command=False)
    return b"".join(p_data([pdv]) for pdv in found)


def with_empty_fragments(number: int, size: int) -> bytes:
    empty, data = Pdv(3, 0, b""), data_of(size, number)
    return p_data([Pdv(3, 3, store(number)), empty]) + p_data([empty, Pdv(3, 0, data), empty, Pdv(3, 2, b"")])


def without_data_set(number: int) -> bytes:
    return pdus.data(3, 3, store(number, data_set_type=0x0101))


def by_a_move(number: int, size: int) -> bytes:
    originator = b"\0\0\x30\x10\x08\0\0\0ORIGIN  " + b"\0\0\x31\x10\x02\0\0\0\7\0"
    (command,) = fragments(store(number)[12:] + originator, 3, command=True, maximum_length=0)
    return p_data([command]) + p_data(fragments(data_of(size, number), 3, command=False))


CANCEL = pdus.data(3, 3, pdus.command(e0100=b"\xff\x0f", e0120=b"\1\0", e0800=b"\1\1"))

numbers, sizes = st.integers(1, 65535), st.integers(0, 3000)
maxima = st.sampled_from((8, 100, 1000, 16384))
turns = st.one_of(
    st.builds(Turn, st.builds(plain, numbers, sizes, maxima, together=st.integers(1, 5))),
    st.builds(Turn, st.builds(plain, numbers, sizes, priority=st.sampled_from((1, 2)))),
    st.builds(Turn, st.builds(in_command_fragments, numbers, sizes)),
    st.builds(Turn, st.builds(with_empty_fragments, numbers, sizes)),
    st.builds(Turn, st.builds(without_data_set, numbers)),
    st.builds(Turn, st.builds(by_a_move, numbers, sizes)),
    st.builds(Turn, numbers.map(lambda number: pdus.data(1, 3, pdus.echo(number)))),
    st.builds(Turn, numbers.map(lambda number: CANCEL + plain(number, 20))),
)
RELEASE = Turn(pdus.RELEASE_REQUEST)
cuts = st.lists(st.integers(0, 5000), max_size=12)


@given(st.lists(turns, max_size=4), cuts)
@steady
def test_whatever_is_stored_and_however_it_is_cut(sides: tuple[Side, Side], said: list[Turn], where: list[int]) -> None:
    seen = both_ways(sides, [*said, RELEASE], where)
    assert seen.rest == b""
    assert len(seen.answers) == len(said) + 1


def cut_at_every_byte(sides: tuple[Side, Side]) -> int:
    """Cut one message after the other, each a byte later than the one before; return how many.

    The first piece was read, alone, before the second is sent. Behind the two fragments of the data set stands a
    C-ECHO-RQ.
    """

    def message(number: int) -> bytes:
        return plain(1000 + number, 43, 34) + pdus.data(1, 3, pdus.echo(2000 + number))

    size = len(message(0))
    seen = both_ways(sides, [*(Turn(message(at), 2, read_at=at) for at in range(1, size)), RELEASE])
    expected = [(f"1.2.3.{number}", data_of(43, number)) for number in range(1001, 1000 + size)]
    assert [each[3:] for each in seen.stored] == expected
    assert len(seen.answers) == 2 * (size - 1) + 1
    return size - 1


def test_a_message_may_be_cut_at_any_byte(sides: tuple[Side, Side]) -> None:
    assert cut_at_every_byte(sides) > 250


def test_a_message_may_be_given_up_at_any_byte(sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause at all is waited out: where the first piece ends, pynetdicom gets what was taken and what was not."""
    given_up: list[ReceivePlane] = []
    give_up = ReceivePlane._give_up

    def noted(plane: ReceivePlane) -> None:
        given_up.append(plane)
        give_up(plane)

    monkeypatch.setattr(receive_plane, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(ReceivePlane, "_give_up", noted)
    cut_at_every_byte(sides)
    assert given_up


def beginning(number: int, size: int, keep: int) -> bytes:
    """Return a C-STORE-RQ that breaks off, at a PDU or in one."""
    sent = plain(number, size, 500)
    return sent[: keep % len(sent)]


def whole_pdus(number: int, size: int, keep: int) -> bytes:
    sent = plain(number, size, 500)
    ends = [0]
    while ends[-1] < len(sent):
        ends.append(ends[-1] + 6 + int.from_bytes(sent[ends[-1] + 2 : ends[-1] + 6]))
    return sent[: ends[keep % (len(ends) - 1)]]


UNKNOWN_CONTEXT = p_data([Pdv(3, 3, store(5)), Pdv(3, 0, b"12"), Pdv(9, 2, b"34")])
INTERLEAVED = p_data([Pdv(3, 3, store(5)), Pdv(3, 0, b"12")]) + pdus.data(1, 3, pdus.echo())
ON_ANOTHER_CONTEXT = p_data([Pdv(3, 3, store(5)), Pdv(3, 0, b"12")]) + pdus.data(1, 2, b"34")
FOR_VERIFICATION = pdus.data(1, 3, store(5)) + pdus.data(1, 2, b"1234")
OTHER_CLASS = pdus.data(3, 3, store(5, affected_sop_class_uid=VERIFICATION)) + pdus.data(3, 2, b"1234")
TOO_LONG = struct.pack(">BBL", 4, 0, LARGEST + 1)
LAST_WORDS = (
    pdus.ABORT,
    b"\x02" + bytes(5),
    b"\x99" + bytes(5),
    TOO_LONG,
    pdus.pdu(0x04, b""),
    pdus.pdu(0x04, b"\0\0\0\x09\3\2"),
    pdus.data(7, 3, pdus.echo()),
    pdus.data(3, 3, b"garbage!garbage!"),
    pdus.data(3, 3, store(1, priority=3)),
    pdus.data(3, 3, store(1, affected_sop_instance_uid="1.2.x")),
    UNKNOWN_CONTEXT,
)


@given(st.lists(turns, max_size=2), st.builds(whole_pdus, numbers, sizes, numbers), st.sampled_from(LAST_WORDS), cuts)
@steady
def test_whatever_ends_an_association_within_a_message(
    sides: tuple[Side, Side], said: list[Turn], begun: bytes, last_words: bytes, where: list[int]
) -> None:
    both_ways(sides, [*said, Turn(begun + last_words, 0)], where, incident=True)


@given(st.lists(turns, max_size=2), st.builds(beginning, numbers, sizes, numbers), cuts)
@steady
def test_a_peer_may_leave_at_any_byte(
    sides: tuple[Side, Side], said: list[Turn], begun: bytes, where: list[int]
) -> None:
    seen = both_ways(sides, [*said, Turn(begun, 0)], where, incident=True)
    assert seen.incidents[0][0] == "peer.closed"


ABORTED = ("peer.aborted", "the peer sent A-ABORT (source 2, reason 0)", "nothing: the peer had ended it")


def test_a_message_that_was_whole_before_an_abort_is_served_and_answered() -> None:
    with serving("on") as side:
        seen = play(side, [Turn(plain(1, 60, 30) + pdus.ABORT, 0)], (), incident=True)
    assert [each[-1] for each in seen.stored] == [data_of(60, 1)]
    (pdv,) = Pdu(seen.rest).pdvs()
    assert decode(pdv.fragment).number(MESSAGE_ID_BEING_RESPONDED_TO) == 1
    assert seen.incidents == (ABORTED,)


def test_pynetdicom_may_drop_what_was_whole_before_an_abort_but_nothing_of_it() -> None:
    """It serves in another thread than the one that reads: when the abort has come, it may serve still, or not."""
    with serving("off") as side:
        seen = play(side, [Turn(plain(1, 60, 30) + pdus.ABORT, 0)], (), incident=True)
    stored = [*(each[-1] for each in seen.stored), *(each.data_set for each in side.stored.queue)]
    assert stored in ([], [data_of(60, 1)])
    assert seen.rest == b"" or Pdu(seen.rest).pdvs()[0].is_last
    assert seen.incidents == (ABORTED,)


@pytest.mark.parametrize("context_id", [1, 3])
def test_a_cancel_of_a_whole_message_changes_nothing(sides: tuple[Side, Side], context_id: int) -> None:
    """C-STORE knows no C-CANCEL-RQ (PS3.7 9.3.1): whoever sends one gets no answer to it, and the others all."""
    cancel = pdus.data(context_id, 3, pdus.command(e0100=b"\xff\x0f", e0120=b"\1\0", e0800=b"\1\1"))
    sent = plain(1, 60, 30) + cancel + pdus.data(1, 3, pdus.echo(2)) + cancel + plain(3, 10)
    seen = both_ways(sides, [Turn(sent, 3), RELEASE])
    assert [each[-1] for each in seen.stored] == [data_of(60, 1), data_of(10, 3)]


@pytest.mark.parametrize("context_id", [1, 3])
@pytest.mark.parametrize("after", [1, 2])
def test_a_cancel_within_a_message_ends_the_association(sides: tuple[Side, Side], context_id: int, after: int) -> None:
    """A command set in the middle of a message is a violation, whatever it says (PS3.8 E.2)."""
    cancel = pdus.data(context_id, 3, pdus.command(e0100=b"\xff\x0f", e0120=b"\1\0", e0800=b"\1\1"))
    pieces = [p_data([pdv]) for pdv in fragments(data_of(60, 1), 3, command=False, maximum_length=36)]
    begun = pdus.data(3, 3, store(1)) + b"".join(pieces[: after - 1])
    seen = both_ways(sides, [Turn(begun + cancel + b"".join(pieces[after - 1 :]), 0)], incident=True)
    assert (seen.stored, seen.incidents[0][0]) == ((), "dimse.malformed")
    assert seen.rest == pdus.pdu(0x07, b"\0\0\2\0")


@given(st.builds(whole_pdus, numbers, sizes, numbers), cuts)
@steady
def test_a_peer_may_release_at_any_pdu(sides: tuple[Side, Side], begun: bytes, where: list[int]) -> None:
    seen = both_ways(sides, [Turn(begun + pdus.RELEASE_REQUEST)], where)
    assert (seen.answers[0][0], seen.stored) == (0x06, ())


def test_no_asynchronous_operations_are_negotiated(sides: tuple[Side, Side]) -> None:
    """A window of 1 and 1 is answered, or none, which means the same (PS3.7 D.3.3.3)."""
    window = pdus.item(0x53, struct.pack(">HH", 5, 5))
    contexts = [Proposed(1, VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN,)), Proposed(3, CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
    request = associate_rq(called_ae_title="GATEWAY", contexts=contexts, user_items=window)
    for side in sides:
        with connected(side.port) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(request)
            accepted = pdus.read_pdu(connection)
            connection.sendall(pdus.RELEASE_REQUEST)
            to_the_end(connection)
        (user,) = (content for kind, content in items(accepted[74:]) if kind == 0x50)
        assert [content for kind, content in items(user) if kind == 0x53] in ([], [b"\0\1\0\1"])
    seen = both_ways(sides, [Turn(plain(1, 60, 30) + plain(2, 80, 30), 2), RELEASE], request=request)
    assert [each[-1] for each in seen.stored] == [data_of(60, 1), data_of(80, 2)]
    answered = [decode(Pdu(answer).pdvs()[0].fragment) for answer in seen.answers[:2]]
    assert [each.number(MESSAGE_ID_BEING_RESPONDED_TO) for each in answered] == [1, 2]


@pytest.mark.parametrize("maximum", [7, 64, 128, 256, 512, 1023, 1024])
def test_a_peer_that_takes_short_pdus_gets_no_longer_ones(sides: tuple[Side, Side], maximum: int) -> None:
    contexts = [Proposed(1, VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN,)), Proposed(3, CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
    request = associate_rq(called_ae_title="GATEWAY", contexts=contexts, maximum_length=maximum)
    echo = Turn(pdus.data(1, 3, pdus.echo(3)))
    seen = both_ways(sides, [Turn(plain(1, 3001)), Turn(plain(2, 10, 8)), echo, RELEASE], request=request)
    assert [each[-1] for each in seen.stored] == [data_of(3001, 1), data_of(10, 2)]
    lengths = [len(pdu.raw) - 6 for pdu in PduStream().feed(b"".join(seen.answers)) if isinstance(pdu, Pdu)]
    assert max(lengths) <= maximum
    assert (len(lengths) > 4) is (maximum < 256)


@pytest.mark.parametrize("sent", [INTERLEAVED, ON_ANOTHER_CONTEXT, FOR_VERIFICATION, OTHER_CLASS])
def test_what_the_standard_does_not_allow_is_the_same(sides: tuple[Side, Side], sent: bytes) -> None:
    outcomes = []
    for side in sides:
        with connected(side.port) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(REQUEST)
            pdus.read_pdu(connection)
            connection.sendall(sent)
            answer = pdus.read_pdu(connection)
            connection.sendall(pdus.ABORT)
            to_the_end(connection)
        told = side.incidents.get(timeout=PATIENCE)
        outcomes.append((answer, told.problem, [s.data_set for s in side.stored.queue]))
        side.stored.queue.clear()
    assert outcomes[0] == outcomes[1]


# --- the plane alone -------------------------------------------------------------------------------------


def test_what_is_plain_never_reaches_pynetdicom(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    take_fragment = ReceivePlane._take_fragment

    def noted(plane: ReceivePlane, message: Any, size: int, *more: Any) -> None:
        seen.append(size)
        take_fragment(plane, message, size, *more)

    monkeypatch.setattr(ReceivePlane, "_take_fragment", noted)
    decoded: list[object] = []
    with serving("on", bound=[(evt.EVT_PDU_RECV, lambda event: decoded.append(event.pdu))]) as side:
        peer = Address("GATEWAY", HOST, side.port)
        with Association.request("MODALITY", peer, [Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]) as association:
            for number in range(20):
                sent = Outgoing(CT, f"1.2.{number + 1}", EXPLICIT_VR_LITTLE_ENDIAN, data_of(500_000, number))
                assert association.store(sent) == Response(0)
                assert side.stored.get(timeout=PATIENCE).data_set == sent.data_set
    assert (
        seen == [131066, 131066, 131066, 500_000 - 3 * 131066] * 20
    )  # each fragment in its place, whatever the pieces
    assert [type(pdu).__name__ for pdu in decoded] == ["A_ASSOCIATE_RQ", "A_RELEASE_RQ"]


def test_several_messages_in_one_segment_are_served_in_order() -> None:
    sent = b"".join(plain(number, 300 * number, together=number) for number in range(1, 6)) + pdus.RELEASE_REQUEST
    with serving("on") as side:
        seen = play(side, [Turn(sent, 6)], (), incident=False)
    assert [len(each[-1]) for each in seen.stored] == [300, 600, 900, 1200, 1500]
    assert [answer[0] for answer in seen.answers] == [4, 4, 4, 4, 4, 6]


def test_a_pause_within_a_message_only_slows_it_down(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    give_up = ReceivePlane._give_up

    def noted(plane: ReceivePlane) -> None:
        give_up(plane)
        given_up.set()

    monkeypatch.setattr(ReceivePlane, "_give_up", noted)
    sent = plain(1, 40_000)
    with serving("on") as side, connected(side.port) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(REQUEST)
        pdus.read_pdu(connection)
        connection.sendall(sent[:20_000])
        assert given_up.wait(PATIENCE)
        connection.sendall(sent[20_000:])
        assert pdus.read_pdu(connection)[0] == 0x04
        connection.sendall(plain(2, 100))
        assert pdus.read_pdu(connection)[0] == 0x04
        connection.sendall(pdus.RELEASE_REQUEST)
        assert to_the_end(connection)[0] == 0x06
        assert [s.data_set for s in side.stored.queue] == [data_of(40_000, 1), data_of(100, 2)]


@pytest.mark.parametrize(
    ("sent", "problem", "words"),
    [
        (plain(1, 9000, 1000)[:3000], "time-out.pdu", "bytes of P-DATA-TF"),
        (whole_pdus(1, 9000, 5), "time-out.dimse", "bytes of a DIMSE message"),
        (plain(1, 9000)[:3], "time-out.pdu", "3 of the first 6 bytes"),
        (b"", "time-out.idle", "no PDU within"),
    ],
)
@pytest.mark.parametrize("switch", ["on", "off"])
def test_what_does_not_go_on_is_aborted(switch: str, sent: bytes, problem: str, words: str) -> None:
    with serving(switch, time_outs=TimeOuts(pdu=0.3, dimse=0.3, idle=0.3)) as side, connected(side.port) as connection:
        connection.sendall(REQUEST)
        pdus.read_pdu(connection)
        connection.sendall(plain(7, 10))
        pdus.read_pdu(connection)
        connection.sendall(sent)
        assert to_the_end(connection)[0] == 0x07
        told = side.incidents.get(timeout=PATIENCE)
        assert told.problem == problem
        assert words in told.words


# --- laid down while it comes ----------------------------------------------------------------------------


class Laid:
    """Keeps what it is given, and counts how often it was dropped."""

    def __init__(self, request: Received) -> None:
        self.request, self.size, self.dropped, self.data = request, 0, 0, b""

    def add(self, data: memoryview) -> None:
        self.data += data
        self.size += len(data)

    def drop(self) -> None:
        self.dropped += 1


@given(
    st.integers(1, 300_000),
    st.sampled_from((1000, 16384, 65536, 131072)),
    st.lists(st.integers(0, 300_000), max_size=8),
)
@settings(derandomize=True, deadline=None, database=None, max_examples=40)
def test_the_first_of_a_large_data_set_is_laid_down_in_order(size: int, maximum: int, where: list[int]) -> None:
    laid: list[Laid] = []
    seen: list[tuple[Laid | None, bytes]] = []

    def begin(request: Received) -> Laid:
        laid.append(Laid(request))
        return laid[-1]

    def on_store(received: Received) -> Response:
        incoming = received.incoming
        assert incoming is None or isinstance(incoming, Laid)
        seen.append((incoming, bytes(received.data_set)))
        return Response(0)

    with serving("on", on_store, begin=begin) as side:
        play(side, [Turn(plain(1, size, maximum) + plain(2, 100), 2), RELEASE], sorted(where), incident=False)
    (first, whole), second = seen
    assert second == (None, data_of(100, 2))
    assert whole == data_of(size, 1)
    if first is not None:
        assert laid == [first]
        assert (first.dropped, first.request.sop_instance_uid) == (1, "1.2.3.1")
        assert 65536 <= first.size <= size
        assert first.data == whole[: first.size]
    elif size > 65536 + maximum:  # it was given up for a pause, or the peer's pieces are the pause
        assert [each.dropped for each in laid] == [1] * len(laid)


def test_what_is_laid_down_may_be_refused_and_the_data_set_is_whole_all_the_same() -> None:
    with serving("on", begin=lambda _: None) as side:
        seen = play(side, [Turn(plain(1, 200_000, 65536)), RELEASE], (), incident=False)
    assert [each[-1] for each in seen.stored] == [data_of(200_000, 1)]


@pytest.mark.parametrize("ending", [b"", pdus.ABORT, RELEASE.sent, pdus.data(3, 3, pdus.echo(1))])
def test_what_was_laid_down_of_an_instance_that_does_not_come_is_dropped(ending: bytes) -> None:
    laid: list[Laid] = []

    def begin(request: Received) -> Laid:
        laid.append(Laid(request))
        return laid[-1]

    sent = plain(1, 200_000, 65536)
    with serving("on", begin=begin) as side:
        with connected(side.port) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(REQUEST)
            pdus.read_pdu(connection)
            connection.sendall(sent[:150_000] + ending)
            connection.shutdown(socket.SHUT_WR)
            to_the_end(connection)
        side.incidents.get(timeout=PATIENCE)
        assert side.stored.empty()
    assert [each.dropped for each in laid] == [1]


def test_a_service_may_end_the_association() -> None:
    def on_store(_: Received) -> Response:
        raise EndAssociation

    with serving("on", on_store) as side, connected(side.port) as connection:
        connection.sendall(REQUEST)
        pdus.read_pdu(connection)
        connection.sendall(plain(1, 10))
        assert to_the_end(connection) == pdus.pdu(0x07, bytes(4))


def test_a_stop_within_a_message_ends_the_association() -> None:
    with serving("on") as side, connected(side.port) as connection:
        connection.sendall(REQUEST)
        pdus.read_pdu(connection)
        connection.sendall(plain(1, 9000)[:4000])
    assert side.stored.empty()


@given(st.lists(turns, min_size=1, max_size=3), cuts)
@settings(derandomize=True, deadline=None, database=None, max_examples=20)
def test_every_pdu_can_be_captured(said: list[Turn], where: list[int]) -> None:
    got: list[bytes] = []
    sent: list[bytes] = []
    bound = [
        (evt.EVT_DATA_RECV, lambda event: got.append(event.data)),
        (evt.EVT_DATA_SENT, lambda event: sent.append(event.data)),
    ]
    with serving("on", bound=bound) as side:
        seen = play(side, [*said, RELEASE], where, incident=False)
    assert b"".join(got) == REQUEST + b"".join(turn.sent for turn in said) + pdus.RELEASE_REQUEST
    assert tuple(sent[1:]) == seen.answers


def test_a_thousand_associations_leave_no_thread_and_no_file() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with serving("on") as side:
        for number in range(1, 1001):
            leaves = number % 3 == 0
            last = Turn(plain(7, 100)[:50], 0) if leaves else RELEASE
            play(side, [Turn(plain(number, 100)), last], (), incident=leaves)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
