"""Doors at which TLS ends, over real sockets with real certificates: what passes, what is recorded, what is told."""

from __future__ import annotations

import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from simulator.actors.front_door import FrontDoor
from simulator.actors.modality import Modality
from simulator.actors.tls_end import HANDSHAKE_SECONDS, TlsEnd, TlsStart
from simulator.errors import PeerAborted, PeerRefused
from simulator.events import AssociationRejected, ConnectionBroken, Event
from simulator.wire import certificates, tls, tls_records, transcript
from simulator.wire.association import VERIFICATION, Address, Association, Context
from simulator.wire.conversation import Conversation
from simulator.wire.pdus import ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA_TF, RELEASE_RP, RELEASE_RQ
from simulator.wire.tls import Credentials
from simulator.wire.tls_session import TlsSession
from tests.actors.test_fault_relay import open_files
from tests.actors.test_front_door import NOBODY, a_deaf_port, endings, hear_at, instances, kinds
from tests.synthesis.made import EXPLICIT, a_study
from tests.wire import pdus
from tests.wire.listening import listening, to_the_end
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, closed_port, connected, no_thread_beside, peer, read_to_end, silent_peer
from tests.wire.streams import cuts, in_pieces, streams

ECHO = [Context(VERIFICATION, (EXPLICIT,))]
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
SECURED, WITHIN = "facility-tls->gateway", "facility-inside-tls->gateway"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder


def of(files: Path, name: str, authority: str = "ca") -> Credentials:
    found = certificates.credentials(files, name, authority)
    assert found is not None
    return found


class Door:
    """A door that runs, and what was observed at it."""

    def __init__(self, make: Callable[[Callable[[Event], None], Any], FrontDoor]) -> None:
        self.observed: queue.Queue[Event] = queue.Queue()
        self.opened: queue.Queue[str] = queue.Queue()
        self._over: queue.Queue[str] = queue.Queue()

        def tell(what: str, conversation: Conversation, _: object) -> None:
            if what == "opened":
                self.opened.put(conversation.link)
            elif what == "over":
                self._over.put(conversation.link)

        self.door = make(self.observed.put, tell)
        self.port = self.door.start()

    def over(self, *links: str) -> list[Conversation]:
        """Return the conversations of these links once they are over, and see that there are no others."""
        ended = {self._over.get(timeout=PATIENCE) for _ in links}
        assert ended == set(links)
        found = {each.link: each for each in self.door.conversations()}
        assert set(found) == set(links)
        return [found[link] for link in links]

    def broken(self) -> ConnectionBroken:
        """Return why the one handshake failed."""
        event = self.observed.get(timeout=PATIENCE)
        assert isinstance(event, ConnectionBroken)
        assert self.observed.empty()
        return event


@contextmanager
def running(make: Callable[[Callable[[Event], None], Any], FrontDoor]) -> Iterator[Door]:
    door, before = Door(make), set(threading.enumerate())
    try:
        yield door
    finally:
        door.door.stop()
    assert no_thread_beside(before)


@contextmanager
def an_end(
    files: Path,
    port: int | None = None,
    *,
    name: str = "gateway",
    require: bool = True,
    seconds: float = HANDSHAKE_SECONDS,
) -> Iterator[Door]:
    """Run a door to which TLS comes, before `port` of this machine."""
    context = tls.acceptor_context(of(files, name), require_certificate=require)
    target = None if port is None else (HOST, port)
    with running(
        lambda observe, tell: TlsEnd(
            WITHIN, SECURED, context, observe, target=target, tell=tell, handshake_seconds=seconds
        )
    ) as door:
        yield door
        assert door.observed.empty()


@contextmanager
def a_start(
    files: Path,
    target: tuple[str, int],
    *,
    name: str = "gateway",
    authority: str = "ca",
    seconds: float = PATIENCE,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[Door]:
    """Run a door that calls `target` with TLS."""
    context = tls.requestor_context(of(files, name, authority))
    context.maximum_version = version
    with running(
        lambda observe, tell: TlsStart(
            "gateway->CT01",
            "gateway-tls->CT01",
            context,
            observe,
            target=target,
            peer_name=target[0],
            tell=tell,
            connect_seconds=seconds,
            handshake_seconds=seconds,
        )
    ) as door:
        yield door
        assert door.observed.empty()


@contextmanager
def secured(files: Path, port: int, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[ssl.SSLSocket]:
    """Connect to a port with TLS, as a modality."""
    context = tls.requestor_context(of(files, "modality"))
    context.minimum_version = context.maximum_version = version
    with connected(port) as plain, context.wrap_socket(plain, server_hostname=HOST) as connection:
        connection.settimeout(PATIENCE)
        yield connection


def echo(port: int, credentials: Credentials | None = None) -> int:
    address = Address("GATEWAY", HOST, port)
    with Association.request("MODALITY", address, ECHO, tls=credentials) as association:
        return association.echo().status


class ByHalves:
    """A requestor that ends its half of TLS and still hears, and says what it likes with the end of its handshake."""

    def __init__(self, connection: socket.socket, files: Path, version: ssl.TLSVersion) -> None:
        context = tls.requestor_context(of(files, "modality"))
        context.minimum_version = context.maximum_version = version
        self._connection = connection
        self._session = TlsSession(context, HOST)

    def shake(self, with_the_last: bytes = b"", *, and_end: bool = False) -> None:
        while not self._session.shake():
            self._connection.sendall(self._session.due())
            self._session.take(self._connection.recv(65536))
        self._session.seal(with_the_last)
        if and_end:
            self._session.end()
        self._connection.sendall(self._session.due())

    def all_of(self, *pieces: bytes) -> bytes:
        """Return what is sent to say these things, and that nothing more comes."""
        for piece in pieces:
            self._session.seal(piece)
        self._session.end()
        return self._session.due()

    def hear(self) -> bytes:
        """Return what comes until the other side says that nothing more does."""
        heard = b"".join(self._session.opened())
        while not self._session.is_over and (piece := self._connection.recv(65536)):
            self._session.take(piece)
            heard += b"".join(self._session.opened())
        assert self._session.is_over
        return heard


# --- inward: what passes, and is recorded ---------------------------------------------------------------


@steady
@given(streams, cuts, cuts)
def test_every_byte_passes_both_ways(files: Path, data: bytes, there: list[int], back: list[int]) -> None:
    got: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        got.append(read_to_end(connection))
        for piece in in_pieces(data, back):
            connection.sendall(piece)

    for version in VERSIONS:
        with peer(answer) as port, an_end(files, port) as door, connected(door.port) as connection:
            speaker = ByHalves(connection, files, version)
            pieces = in_pieces(data, there)
            speaker.shake(pieces[0])
            connection.sendall(speaker.all_of(*pieces[1:]))
            assert speaker.hear() == data
            requestor = connection.getsockname()
            connection.shutdown(socket.SHUT_WR)
            raw, within = door.over(SECURED, WITHIN)
        assert got.pop() == data
        assert (within.said("requestor"), within.said("acceptor")) == (data, data)
        assert [(e.by, e.how) for e in within.endings] == [("requestor", "fin"), ("acceptor", "fin")]
        for each in (raw, within):
            assert (each.requestor, each.acceptor, each.number) == (requestor, (HOST, door.port), 1)
        assert (raw.within_tls, within.within_tls) == (False, True)
        assert door.door.connections == 1


def test_megabytes_pass_both_ways_at_once(files: Path) -> None:
    data = bytes(range(256)) * 40_000

    def answer(connection: socket.socket) -> None:
        sending = threading.Thread(target=connection.sendall, args=(data,))
        sending.start()
        assert read_to_end(connection) == data
        sending.join(PATIENCE)

    with peer(answer) as port, an_end(files, port) as door, connected(door.port) as connection:
        connection.settimeout(PATIENCE)
        speaker = ByHalves(connection, files, ssl.TLSVersion.TLSv1_3)
        speaker.shake()
        sending = threading.Thread(target=connection.sendall, args=(speaker.all_of(data),))
        sending.start()
        assert speaker.hear() == data
        sending.join(PATIENCE)
        connection.shutdown(socket.SHUT_WR)
        _, within = door.over(SECURED, WITHIN)
    assert sum(each.length for each in within.segments) == 2 * len(data)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_with_the_end_of_the_handshake_is_not_lost(version: ssl.TLSVersion, files: Path) -> None:
    with (
        peer(lambda connection: connection.sendall(read_to_end(connection)[::-1])) as port,
        an_end(files, port) as door,
    ):
        with connected(door.port) as connection:
            connection.settimeout(PATIENCE)
            speaker = ByHalves(connection, files, version)
            speaker.shake(b"all that there is to say", and_end=True)
            assert speaker.hear() == b"all that there is to say"[::-1]
        door.over(SECURED, WITHIN)


def test_a_study_passes_and_its_transcript_says_what_was_said(files: Path) -> None:
    outgoing, seen = instances(a_study(instances=3)), list[Event]()
    with listening() as there, an_end(files, there.port) as door:
        modality = Modality("MODALITY", Address("GATEWAY", HOST, door.port), seen.append, tls=of(files, "modality"))
        assert modality.store(outgoing) == 3
        raw, within = door.over(SECURED, WITHIN)
    read = transcript.read(within)
    assert kinds(read, "requestor") == [ASSOCIATE_RQ, RELEASE_RQ]
    assert kinds(read, "acceptor") == [ASSOCIATE_AC, RELEASE_RP]
    assert [m.command.kind for m in read.messages] == ["C-STORE-RQ", "C-STORE-RSP"] * 3
    assert [m.fragments for m in read.messages[::2]] == [len(each.data_set) for each in outgoing]
    hello = tls_records.hello(raw.said("requestor"))
    assert hello is not None
    assert hello.version_words == "TLS 1.3"
    assert tls_records.is_tls(raw.said("acceptor"))
    assert within.opened > raw.opened


# --- inward: how connections end ----------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_past_tls(connection: ssl.SSLSocket) -> None:
    """Read to the end of the connection itself; of TLS a reset is an end like others."""
    while socket.socket.recv(connection, 65536):
        pass


def test_a_reset_of_the_requestor_arrives_as_one(files: Path) -> None:
    saw: list[type[BaseException]] = []
    came = threading.Event()

    def hear(connection: socket.socket) -> None:
        assert connection.recv(4) == b"half"
        came.set()
        try:
            read_to_end(connection)
        except ConnectionResetError as error:
            saw.append(type(error))

    with peer(hear) as port, an_end(files, port) as door:
        with secured(files, door.port) as connection:
            connection.sendall(b"half")
            assert came.wait(PATIENCE)
            reset(connection)
        for each in door.over(SECURED, WITHIN):
            assert endings(each) == {("requestor", "rst")}
    assert saw == [ConnectionResetError]


def test_a_reset_of_the_acceptor_arrives_as_one(files: Path) -> None:
    def leave(connection: socket.socket) -> None:
        assert connection.recv(4) == b"ping"
        reset(connection)

    with peer(leave) as port, an_end(files, port) as door:
        with secured(files, door.port) as connection:
            connection.sendall(b"ping")
            with pytest.raises(ConnectionResetError):
                read_past_tls(connection)
        for each in door.over(SECURED, WITHIN):
            assert endings(each) == {("acceptor", "rst")}


def test_who_ends_without_a_close_notify_has_ended(files: Path) -> None:
    """As most do: the connection is closed, and TLS is told nothing of it."""
    with peer(lambda connection: connection.sendall(read_to_end(connection))) as port, an_end(files, port) as door:
        with secured(files, door.port) as connection:
            connection.sendall(b"the whole of it")
            socket.socket.shutdown(connection, socket.SHUT_WR)
            assert read_to_end(connection) == b"the whole of it"
        door.over(SECURED, WITHIN)


def test_a_session_that_breaks_is_told_and_ended(files: Path) -> None:
    with peer(lambda connection: connection.sendall(read_to_end(connection))) as port, an_end(files, port) as door:
        with secured(files, door.port) as connection:
            connection.sendall(b"whole")
            socket.socket.sendall(connection, b"\x17\x03\x03\x00\x20" + bytes(32))
            with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
                read_to_end(connection)
        _, within = door.over(SECURED, WITHIN)
        assert door.broken().problem == "tls.failed"
    assert within.said("requestor") == b"whole"
    assert ("requestor", "fin") in endings(within)


# --- inward: handshakes that fail -----------------------------------------------------------------------------


def old(connection: socket.socket, _: Path) -> None:
    tls.outdated_context().wrap_socket(connection)


def with_suites(suites: str) -> Callable[[socket.socket, Path], None]:
    def speak(connection: socket.socket, _: Path) -> None:
        context = tls.requestor_context(Credentials())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suites)
        context.wrap_socket(connection)

    return speak


def as_(name: str, authority: str = "ca") -> Callable[[socket.socket, Path], None]:
    def speak(connection: socket.socket, files: Path) -> None:
        context = tls.requestor_context(of(files, name, authority))
        context.wrap_socket(connection, server_hostname=HOST).recv(1)

    return speak


def saying(data: bytes) -> Callable[[socket.socket, Path], None]:
    def speak(connection: socket.socket, _: Path) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    return speak


FAILING = {
    "tls.no-certificate": as_("none"),
    "tls.expired": as_("expired"),
    "tls.unknown-ca": as_("stranger"),
    "tls.unknown-ca of ours": as_("modality", "other-ca"),
    "tls.old-version": old,
    "tls.no-common-cipher": with_suites("AES128-SHA"),
    "tls.plain-dicom": saying(pdus.request()),
    "tls.not-tls": saying(b"GET / HTTP/1.1\r\n\r\n"),
    "tls.failed": saying(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    "tls.closed": saying(b""),
    "tls.closed in the midst": saying(b"\x16\x03\x01\x02\x00\x01"),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_door_says_of_a_failed_handshake_what_the_gateway_says(what: str, files: Path) -> None:
    context = tls.acceptor_context(of(files, "gateway"), require_certificate=True)
    with listening(tls=context) as gateway, an_end(files) as door:
        for port in (gateway.port, door.port):
            with connected(port) as connection:
                with suppress(OSError):
                    FAILING[what](connection, files)
                with suppress(OSError):
                    to_the_end(connection)
        said, told = gateway.told(), door.broken()
        (raw,) = door.over(SECURED)
    assert (told.problem, told.words, told.answer) == (said.problem, said.words, said.answer)
    assert told.problem == what.partition(" ")[0]
    assert (told.observer, told.peer) == ("gateway", f"{raw.requestor[0]}:{raw.requestor[1]}")


def test_who_is_shown_an_alert_can_read_it(files: Path) -> None:
    """What is sent before the end must not be lost to a reset."""
    with an_end(files) as door, connected(door.port) as connection:
        connection.settimeout(PATIENCE)
        context = tls.outdated_context()
        with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
            context.wrap_socket(connection)
        (raw,) = door.over(SECURED)
        assert door.broken().problem == "tls.old-version"
    alert = tls_records.alert(raw.said("acceptor"))
    assert alert is not None
    assert alert.words == "protocol_version"
    hello = tls_records.hello(raw.said("requestor"))
    assert hello is not None
    assert hello.version_words == "TLS 1.1"


def test_who_says_nothing_is_hung_up_on_and_holds_up_nobody(files: Path) -> None:
    with listening() as there, an_end(files, there.port, seconds=0.5) as door, connected(door.port) as silent:
        assert echo(door.port, of(files, "modality")) == 0
        assert to_the_end(silent) == b""
        assert door.broken().problem == "tls.time-out"


# --- inward: where nobody is behind ---------------------------------------------------------------------------


def test_a_dicom_peer_is_rejected_for_the_moment_within_tls(files: Path) -> None:
    seen: list[Event] = []
    with an_end(files) as door:
        there = Address("GATEWAY", HOST, door.port)
        outgoing = instances(a_study(instances=1))
        assert Modality("MODALITY", there, seen.append, tls=of(files, "modality")).store(outgoing) == 0
        _, within = door.over(SECURED, WITHIN)
    (rejected,) = [event for event in seen if isinstance(event, AssociationRejected)]
    assert (rejected.result, rejected.source, rejected.reason) == (2, 3, 1)
    read = transcript.read(within)
    assert [(pdu.by, pdu.kind) for pdu in read.pdus] == [("requestor", ASSOCIATE_RQ), ("acceptor", ASSOCIATE_RJ)]


def test_who_asks_for_no_association_within_tls_finds_it_closed(files: Path) -> None:
    with an_end(files) as door, secured(files, door.port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(10) == b""
        _, within = door.over(SECURED, WITHIN)
    assert endings(within) == {("acceptor", "fin")}


def test_a_gateway_that_comes_is_behind_from_then_on(files: Path) -> None:
    with listening() as there, an_end(files) as door:
        with pytest.raises(PeerRefused, match="for now"):
            echo(door.port, of(files, "modality"))
        door.over(SECURED, WITHIN)
        door.door.target = (HOST, there.port)
        assert echo(door.port, of(files, "modality")) == 0
        numbers = [(each.link, each.number) for each in door.door.conversations(since=1)]
    assert numbers == [(SECURED, 2), (WITHIN, 2)]


# --- outward --------------------------------------------------------------------------------------------------


def test_a_system_is_called_with_tls_for_who_speaks_none(files: Path) -> None:
    context = tls.acceptor_context(of(files, "gateway"), require_certificate=True)
    with listening(tls=context) as there, a_start(files, (HOST, there.port)) as door:
        assert echo(door.port) == 0
        raw, plain = door.over("gateway-tls->CT01", "gateway->CT01")
        assert there.incidents.empty()
    assert [pdu.kind for pdu in transcript.read(plain).pdus if pdu.kind != P_DATA_TF] == [1, 2, 5, 6]
    assert tls_records.hello(raw.said("requestor")) is not None
    assert raw.acceptor == plain.acceptor == (HOST, there.port)
    assert raw.requestor == plain.requestor
    assert (raw.number, plain.number, raw.within_tls, plain.within_tls) == (1, 1, False, True)


@pytest.mark.parametrize(
    ("shown", "name", "authority", "version", "problem"),
    [
        ("expired", "gateway", "ca", 1, "tls.expired"),
        ("other-name", "gateway", "ca", 1, "tls.other-name"),
        ("stranger", "gateway", "ca", 1, "tls.unknown-ca"),
        ("gateway", "gateway", "other-ca", 1, "tls.unknown-ca"),
        ("gateway", "none", "ca", 0, "tls.no-common-cipher"),  # TLS 1.2 has no better word for it
        ("gateway", "none", "ca", 1, "tls.no-certificate"),  # told after the handshake
        ("gateway", "stranger", "ca", 1, "tls.unknown-ca"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told_and_who_called_sees_an_end(
    shown: str, name: str, authority: str, version: int, problem: str, files: Path
) -> None:
    context = tls.acceptor_context(of(files, shown), require_certificate=True)
    with listening(tls=context) as there:
        with a_start(files, (HOST, there.port), name=name, authority=authority, version=VERSIONS[version]) as door:
            with pytest.raises(PeerAborted, match="ended the connection instead of answering"):
                echo(door.port)
            told = door.broken()
        assert there.incidents.get(timeout=PATIENCE).problem.startswith("tls.")
    assert (told.problem, told.peer) == (problem, f"{HOST}:{there.port}")


def test_a_port_without_tls_is_told(files: Path) -> None:
    with listening() as there, a_start(files, (HOST, there.port)) as door:
        with pytest.raises(PeerAborted):
            echo(door.port)
        (raw,) = door.over("gateway-tls->CT01")
        assert door.broken().problem == "tls.not-tls"
    assert raw.said("acceptor")[0] == 0x07  # A-ABORT, as an answer to a ClientHello


def test_a_system_that_says_nothing_is_given_up(files: Path) -> None:
    with silent_peer() as port, a_start(files, (HOST, port), seconds=0.3) as door:
        with pytest.raises(ConnectionResetError):
            hear_at(door.port)
        assert door.broken().problem == "tls.time-out"


@contextmanager
def nobody() -> Iterator[int]:
    yield 104


@pytest.mark.parametrize(
    ("why", "host", "port"),
    [
        ("refused", HOST, closed_port),
        ("silent", HOST, a_deaf_port),
        ("unresolved", NOBODY, nobody),
        ("unroutable", "255.255.255.255", nobody),
    ],
)
def test_why_nobody_answers_is_a_word_and_who_called_is_reset(
    why: str, host: str, port: Callable[[], Any], files: Path
) -> None:
    with port() as number, a_start(files, (host, number), seconds=0.3) as door:
        with pytest.raises(ConnectionResetError):
            hear_at(door.port)
        (raw,) = door.over("gateway-tls->CT01")
    assert (raw.unreached, raw.acceptor) == (why, (host, number))


def test_both_doors_in_a_row_pass_a_study(files: Path) -> None:
    """What goes out with TLS comes in with it: neither door knows of the other."""
    outgoing = instances(a_study("both", instances=5))
    with listening() as there, an_end(files, there.port) as inner, a_start(files, (HOST, inner.port)) as outer:
        modality = Modality("MODALITY", Address("GATEWAY", HOST, outer.port), lambda _: None)
        assert modality.store(outgoing) == 5
        raw_out, out = outer.over("gateway-tls->CT01", "gateway->CT01")
        raw_in, within = inner.over(SECURED, WITHIN)
    for side in ("requestor", "acceptor"):
        assert out.said(side) == within.said(side)
        assert raw_out.said(side) == raw_in.said(side)
    assert replace(out, link="", opened="", segments=(), endings=()) == replace(
        within, link="", opened="", segments=(), endings=()
    )


# --- what is left -----------------------------------------------------------------------------------------------


def test_no_thread_and_no_file_descriptor_is_left(files: Path) -> None:
    threads = set(threading.enumerate())
    with listening() as there:
        descriptors = open_files()
        for _ in range(3):
            with an_end(files, there.port) as door, a_start(files, (HOST, door.port)) as outer:
                assert echo(outer.port) == 0
                for speak in FAILING.values():
                    with connected(door.port) as connection, suppress(OSError):
                        speak(connection, files)
                    door.broken()
                seen = door.door.connections
                with connected(door.port) as half, connected(outer.port):  # still open when the doors stop
                    half.sendall(b"\x16\x03\x01\x02")
                    while door.door.connections < seen + 2:
                        door.opened.get(timeout=PATIENCE)
                    door.door.stop()
                    outer.door.stop()
                while not outer.observed.empty():  # its handshake may have been done, or not
                    outer.observed.get()
        assert open_files() <= descriptors
    assert no_thread_beside(threads)
