"""Peers that do everything wrong, by raw sockets: what they are answered, what is said of it, and what is left."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import listener
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import VERIFICATION, Context, Response, TimeOuts
from simulator.wire.guard import Guard
from simulator.wire.incidents import Incident
from simulator.wire.pdu_builders import Proposed, associate_rq
from tests.synthesis.made import CT, EXPLICIT
from tests.wire import pdus
from tests.wire.listening import Listening, listening, no_more, to_the_end
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, connected, no_thread_beside

SHORT = 0.2
ECHO = pdus.data(1, 3, pdus.echo())
USER_ABORT = pdus.pdu(0x07, b"\0\0\0\0")


def provider_abort(reason: int) -> bytes:
    return pdus.pdu(0x07, bytes((0, 0, 2, reason)))


@pytest.fixture
def gateway() -> Iterator[Listening]:
    with listening() as running:
        yield running


def established(connection: socket.socket, request: bytes = b"") -> None:
    connection.settimeout(PATIENCE)
    connection.sendall(request or pdus.request())
    assert pdus.read_pdu(connection)[0] == 0x02


# --- instead of an A-ASSOCIATE-RQ --------------------------------------------------------------------

TWICE = associate_rq(contexts=[Proposed(1, VERIFICATION), Proposed(1, CT.uid)])
HELLO = b"\x16\x03\x01\x00\xf6\x01\x00\x00\xf2\x03\x03"


@pytest.mark.parametrize(
    ("sent", "problem", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", "pdu.unknown-type", "an HTTP request (47 45 54 20 2F 20)"),
        (HELLO, "pdu.unknown-type", "a TLS handshake (16 03 01 00 F6 01)"),
        (b"\x0bMSH|^~\\&|\x1c\r", "pdu.unknown-type", "an MLLP block (0B 4D 53 48 7C 5E)"),
        (bytes(64), "pdu.unknown-type", "PDU type 00H is none of the standard's (00 00 00 00 00 00)"),
        (b"\xff" * 64, "pdu.unknown-type", "PDU type FFH"),
        (ECHO, "pdu.unexpected", "P-DATA-TF where an A-ASSOCIATE-RQ is expected"),
        (pdus.RELEASE_REQUEST, "pdu.unexpected", "A-RELEASE-RQ where an A-ASSOCIATE-RQ"),
        (pdus.pdu(0x02, bytes(80)), "pdu.unexpected", "A-ASSOCIATE-AC where an A-ASSOCIATE-RQ"),
        (TWICE, "pdu.malformed", "presentation context 1 (byte 149) stands there for the second time"),
        (
            associate_rq(contexts=[Proposed(1, VERIFICATION)], maximum_length=6),
            "pdu.malformed",
            "maximum length 6 (byte 153): no message has room in a",
        ),
        (b"\x01\0\xff\xff\xff\xff", "pdu.too-long", "announced with 4294967295 bytes"),
        (pdus.pdu(0x01, bytes(20)), "pdu.malformed", "A-ASSOCIATE-RQ of 26 bytes; it has 74 before its items"),
    ],
)
def test_what_is_no_request_is_aborted_and_said(gateway: Listening, sent: bytes, problem: str, words: str) -> None:
    with connected(gateway.port) as connection:
        connection.sendall(sent)
        # PS3.8 table 9-10, state 2: AA-1 aborts as the service-user.
        assert to_the_end(connection) == USER_ABORT
        peer = "{}:{}".format(*connection.getsockname()) if connection.fileno() >= 0 else ""
    told = gateway.told()
    assert (told.problem, told.answer) == (problem, "A-ABORT (source 0, reason 0)")
    assert words in told.words
    assert told.peer == peer
    assert gateway.still_serves()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (pdus.request(beside=b"\x10"), "1 bytes at byte"),
        (
            pdus.request(beside=b"\x99\0\0\x09\0"),
            f"item 99H at byte {len(pdus.request())} is announced with 9 bytes, 1 are left",
        ),
        (pdus.request(proposed=()), "without its presentation context item (20H)"),
        (pdus.request(proposed=((2, VERIFICATION, EXPLICIT),)), "has no odd ID: 02 00 00 00"),
        (pdus.request(beside=pdus.item(0x20, b"\x03\0\0\0")), "presentation context 3"),
        (pdus.request(beside=pdus.item(0x50, b"\x51\0\0\x99")), "item 51H at byte"),
        (pdus.pdu(0x01, pdus.request()[6:74]), "without its application context item (10H)"),
    ],
)
def test_a_request_with_broken_items_is_aborted_and_the_item_named(gateway: Listening, sent: bytes, words: str) -> None:
    with connected(gateway.port) as connection:
        connection.sendall(sent)
        assert to_the_end(connection) == USER_ABORT
    told = gateway.told()
    assert told.problem == "pdu.malformed"
    assert words in told.words


def test_a_peer_that_connects_and_leaves_is_no_incident_and_no_thread(gateway: Listening) -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        with connected(gateway.port):
            pass
    assert no_thread_beside(before)
    assert gateway.incidents.empty()
    assert gateway.still_serves()


def test_a_request_that_breaks_off_is_said(gateway: Listening) -> None:
    with connected(gateway.port) as connection:
        connection.sendall(pdus.request()[:50])
    told = gateway.told()
    assert told.problem == "peer.closed"
    assert f"50 of {len(pdus.request())} bytes of A-ASSOCIATE-RQ" in told.words


@pytest.mark.parametrize(
    ("request_", "codes", "field"),
    [
        (pdus.request(version=b"\0\2"), b"\1\2\2", "protocol-version"),
        (pdus.request(version=b"\0\0"), b"\1\2\2", "protocol-version"),
        (pdus.request(called=b"PACS"), b"\1\1\7", "called-ae-title"),
        (pdus.request(called=b"gateway"), b"\1\1\7", "called-ae-title"),
        (pdus.request(called=b"\xff" * 16), b"\1\1\7", "called-ae-title"),
        (pdus.request(called=bytes(16)), b"\1\1\7", "called-ae-title"),
        (pdus.request(called=b"GATEWAY\0X"), b"\1\1\7", "called-ae-title"),
    ],
)
def test_a_rejection_has_the_fields_of_the_standard(
    gateway: Listening, request_: bytes, codes: bytes, field: str
) -> None:
    with connected(gateway.port) as connection:
        connection.sendall(request_)
        assert to_the_end(connection) == pdus.pdu(0x03, b"\0" + codes)
    told = gateway.told()
    assert told.problem == field
    assert told.rejection is not None
    assert bytes((told.rejection.result, told.rejection.source, told.rejection.reason)) == codes


@pytest.mark.parametrize(
    "request_",
    [
        pdus.request(called=b"GATEWAY\0\0", calling=b"MODALITY".ljust(16, b"\0")),
        pdus.request(called=b"  GATEWAY", calling=b"   CT"),
        pdus.request(version=b"\0\3"),
        pdus.request(version=b"\xff\xff"),
        pdus.request(beside=pdus.item(0x77, b"of a later edition")),
        pdus.request(calling=b"MODALIT\xc9"),
    ],
)
def test_what_real_devices_send_is_accepted(gateway: Listening, request_: bytes) -> None:
    with connected(gateway.port) as connection:
        established(connection, request_)
        connection.sendall(ECHO)
        assert pdus.read_pdu(connection)[0] == 0x04
        connection.sendall(pdus.RELEASE_REQUEST)
        assert to_the_end(connection)[0] == 0x06
    assert gateway.incidents.empty()


# --- on an association -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "problem", "words", "reason"),
    [
        (b"GET / ", "pdu.unknown-type", "an HTTP request", 1),
        (pdus.request(), "pdu.unexpected", "A-ASSOCIATE-RQ on an association that is established", 2),
        (b"\x04\0\xff\xff\xff\xff", "pdu.too-long", "P-DATA-TF of 4294967295 bytes", 6),
        (b"\x04\0\0\2\0\1", "pdu.too-long", "131073 bytes; this side announced that it takes 131072", 6),
        (pdus.pdu(0x06, bytes(4)), "pdu.unexpected", "A-RELEASE-RP that answers no A-RELEASE-RQ", 2),
        (pdus.pdu(0x05, bytes(5)), "pdu.malformed", "A-RELEASE-RQ announced with 5 bytes", 6),
        (pdus.pdu(0x04, b""), "pdu.malformed", "P-DATA-TF without a PDV", 6),
        (pdus.pdu(0x04, b"\0\0"), "pdu.malformed", "2 bytes at byte 6 are no PDV", 6),
        (pdus.pdu(0x04, b"\0\0\0\1\1"), "pdu.malformed", "announced with 1 bytes", 6),
        (pdus.pdu(0x04, b"\0\0\1\0\1\3"), "pdu.malformed", "announced with 256 bytes, 2 are left", 6),
        (pdus.data(3, 3, pdus.echo()), "pdv.unknown-context", "context ID 3 at byte 10 is none accepted (1)", 6),
        (pdus.data(1, 3, b"\xff" * 40), "dimse.malformed", "the command set cannot be read", 0),
        (pdus.data(1, 3, b""), "dimse.malformed", "the command set cannot be read", 0),
        (pdus.data(1, 3, pdus.command(e0100=b"\x77\x77", e0800=b"\1\1")), "dimse.malformed", "30583", 0),
        (pdus.data(1, 3, pdus.command(e0100=b"\x30\0")), "dimse.malformed", "CommandDataSetType", 0),
    ],
)
def test_what_breaks_the_protocol_is_aborted_by_the_provider(
    gateway: Listening, sent: bytes, problem: str, words: str, reason: int
) -> None:
    with connected(gateway.port) as connection:
        established(connection)
        connection.sendall(sent)
        assert to_the_end(connection) == provider_abort(reason)
    told = gateway.told()
    assert (told.problem, told.answer) == (problem, f"A-ABORT (source 2, reason {reason})")
    assert words in told.words
    assert (told.calling_ae_title, told.called_ae_title) == ("MODALITY", "GATEWAY")
    assert gateway.still_serves()


ECHO_UID = b"1.2.840.10008.1.1\0"


@pytest.mark.parametrize(
    ("command", "problem", "words"),
    [
        (
            pdus.command(e0002=ECHO_UID, e0100=b"\x30\0", e0800=b"\1\1"),
            "dimse.malformed",
            "C-ECHO-RQ without MessageID",
        ),
        (
            pdus.command(e0002=ECHO_UID, e0100=b"\1\0", e0110=b"\1\0", e0700=b"\0\0", e0800=b"\1\1"),
            "dimse.malformed",
            "C-STORE-RQ without AffectedSOPInstanceUID",
        ),
        (
            pdus.command(e0002=b"1.2.3.4\0", e0100=b"\x30\0", e0110=b"\1\0", e0800=b"\1\1"),
            "dimse.unsupported",
            "C-ECHO-RQ that nothing here serves",
        ),
    ],
)
def test_a_message_that_nobody_can_answer_is_aborted_by_the_user(
    gateway: Listening, command: bytes, problem: str, words: str
) -> None:
    with connected(gateway.port) as connection:
        established(connection)
        connection.sendall(pdus.data(1, 3, command))
        assert to_the_end(connection) == USER_ABORT
    told = gateway.told()
    assert (told.problem, told.answer) == (problem, "A-ABORT (source 0, reason 0)")
    assert words in told.words


def test_a_peer_that_aborts_or_leaves_is_said_with_what_was_lost(gateway: Listening) -> None:
    with connected(gateway.port) as connection:
        established(connection)
        connection.sendall(pdus.data(1, 1, pdus.echo()[:20]))
        connection.sendall(pdus.ABORT)
        assert to_the_end(connection) == b""
    told = gateway.told()
    assert told.problem == "peer.aborted"
    assert told.words == "the peer sent A-ABORT (source 2, reason 0): 20 bytes of a DIMSE message that is not whole"
    with connected(gateway.port) as connection:
        established(connection)
        connection.sendall(pdus.data(1, 1, pdus.echo())[:30])
    told = gateway.told()
    assert told.problem == "peer.closed"
    assert f"30 of {len(pdus.data(1, 1, pdus.echo()))} bytes of P-DATA-TF" in told.words


def test_bytes_that_come_one_by_one_are_a_pdu_like_any_other(gateway: Listening) -> None:
    with connected(gateway.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE)
        for byte in pdus.request():
            connection.sendall(bytes([byte]))
        assert pdus.read_pdu(connection)[0] == 0x02
        for byte in ECHO:
            connection.sendall(bytes([byte]))
        assert pdus.read_pdu(connection)[0] == 0x04
        connection.sendall(pdus.RELEASE_REQUEST)
        assert to_the_end(connection)[0] == 0x06
    assert gateway.incidents.empty()


def test_everything_in_one_segment(gateway: Listening) -> None:
    with connected(gateway.port) as connection:
        connection.sendall(pdus.request() + ECHO + pdus.RELEASE_REQUEST)
        answers = to_the_end(connection)
    assert answers[0] == 0x02
    assert answers.endswith(pdus.pdu(0x06, bytes(4)))
    assert gateway.incidents.empty()


# --- time-outs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "no A-ASSOCIATE-RQ within 0.2 s"),
        (b"\x01", "1 of the first 6 bytes of a PDU (01)"),
        (pdus.request()[:60], f"60 of {len(pdus.request())} bytes of A-ASSOCIATE-RQ"),
    ],
)
def test_who_requests_nothing_is_hung_up_on(sent: bytes, words: str) -> None:
    with listening(TimeOuts(acse=SHORT, pdu=60)) as gateway, connected(gateway.port) as connection:
        connection.sendall(sent)
        assert to_the_end(connection) == b""  # PS3.8 table 9-10, state 2, ARTIM expired: AA-2 says nothing
        told = gateway.told()
        assert (told.problem, told.answer) == ("time-out.acse", "hang-up")
        assert words in told.words


@pytest.mark.parametrize("size", [1, 6, 7, 40])
def test_half_a_pdu_is_aborted_however_slowly_more_of_it_comes(size: int) -> None:
    sent = ECHO[:size]
    with listening(TimeOuts(pdu=SHORT)) as gateway, connected(gateway.port) as connection:
        established(connection)
        connection.sendall(sent)
        assert to_the_end(connection) == provider_abort(0)
        told = gateway.told()
        assert told.problem == "time-out.pdu"
        assert "within 0.2 s" in told.words
        assert (
            f"{size} of {len(ECHO)} bytes of P-DATA-TF" if size > 5 else f"{size} of the first 6 bytes"
        ) in told.words
        assert told.peer.startswith(HOST)
        assert told.calling_ae_title == "MODALITY"


def test_half_a_message_is_aborted() -> None:
    with listening(TimeOuts(dimse=SHORT)) as gateway, connected(gateway.port) as connection:
        established(connection)
        connection.sendall(pdus.data(1, 1, pdus.echo()[:30]))
        assert to_the_end(connection) == USER_ABORT
        told = gateway.told()
        assert told.problem == "time-out.dimse"
        assert told.words == "30 bytes of a DIMSE message, and no more within 0.2 s"


def test_an_idle_association_is_aborted() -> None:
    with listening(TimeOuts(idle=SHORT)) as gateway, connected(gateway.port) as connection:
        established(connection)
        connection.sendall(ECHO)
        assert pdus.read_pdu(connection)[0] == 0x04
        assert to_the_end(connection) == USER_ABORT
        told = gateway.told()
        assert (told.problem, told.words) == ("time-out.idle", "no PDU within 0.2 s on an open association")


def test_an_association_is_not_idle_while_this_side_works() -> None:
    go_on = threading.Event()
    incidents: queue.Queue[Incident] = queue.Queue()

    def slow(_: object) -> Response:
        go_on.wait(SHORT * 4)
        return Response(0x0000)

    limits = TimeOuts(idle=SHORT, dimse=SHORT)
    acceptor = Acceptor("GATEWAY", HOST, 0, [Context(CT.uid, (EXPLICIT,))], slow, tell=incidents.put, time_outs=limits)
    try:
        with connected(acceptor.start()) as connection:
            established(connection, pdus.request(proposed=((1, CT.uid, EXPLICIT),)))
            uid = CT.uid.encode() + b"\0" * (len(CT.uid) % 2)
            command = pdus.command(
                e0002=uid, e0100=b"\1\0", e0110=b"\1\0", e0700=b"\0\0", e0800=b"\0\0", e1000=b"1.2.3\0"
            )
            connection.sendall(pdus.data(1, 3, command) + pdus.data(1, 2, b"\x08\0\x05\0CS\0\0"))
            assert pdus.read_pdu(connection)[0] == 0x04
            connection.sendall(pdus.RELEASE_REQUEST)
            assert to_the_end(connection)[0] == 0x06
    finally:
        acceptor.stop()
    assert incidents.empty()


def test_a_stop_does_not_wait_for_half_a_pdu() -> None:
    with listening() as gateway, connected(gateway.port) as connection:
        established(connection)
        connection.sendall(ECHO[:20])
    # `listening` has stopped the acceptor and seen its threads end.


# --- many of them ------------------------------------------------------------------------------------


def test_silent_connections_do_not_keep_others_out_nor_grow_without_limit() -> None:
    with listening(maximum_associations=2) as gateway:
        silent = [socket.create_connection((HOST, gateway.port), PATIENCE) for _ in range(20)]
        assert gateway.still_serves()
        silent += [socket.create_connection((HOST, gateway.port), PATIENCE) for _ in range(40)]
        told = gateway.incidents.get(timeout=PATIENCE)
        assert (told.problem, told.words) == ("connections.limit", "34 connections are open, and this is one more")
        for connection in silent:
            connection.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_hundred_bad_peers_leave_no_thread_and_no_file(gateway: Listening) -> None:
    bad = [
        b"GET / HTTP/1.1\r\n\r\n",
        HELLO,
        pdus.request()[:100],
        pdus.request(called=b"X"),
        pdus.request() + b"\x04\0\xff\xff\xff\xff",
        pdus.request() + pdus.data(1, 3, b"\xff" * 9),
        pdus.request() + pdus.data(5, 3, b""),
        pdus.request() + pdus.pdu(0x04, b"\0")[:5],
        pdus.request(proposed=()),
        b"",
    ]
    assert gateway.still_serves()
    threads, files = set(threading.enumerate()), open_files()
    for number in range(200):
        with connected(gateway.port) as connection:
            connection.sendall(bad[number % len(bad)])
            no_more(connection)
            to_the_end(connection)
    assert no_thread_beside(threads)
    assert open_files() <= files
    assert gateway.still_serves()
    while not gateway.incidents.empty():
        gateway.incidents.get_nowait()


hostile = st.one_of(
    st.binary(max_size=300),
    st.builds(pdus.pdu, st.integers(0, 255), st.binary(max_size=300)),
    st.builds(lambda content: pdus.request() + content, st.binary(max_size=300)),
    st.builds(
        lambda kind, content: pdus.request() + pdus.pdu(kind, content), st.integers(0, 9), st.binary(max_size=200)
    ),
    st.builds(
        lambda control, content: pdus.request() + pdus.data(1, control, content),
        st.integers(0, 255),
        st.binary(max_size=200),
    ),
    st.builds(
        lambda at, byte: pdus.request()[:at] + bytes([byte]) + pdus.request()[at + 1 :],
        st.integers(0, len(pdus.request()) - 1),
        st.integers(0, 255),
    ),
    st.builds(
        lambda at, byte: pdus.request() + pdus.data(1, 3, pdus.echo()[:at] + bytes([byte]) + pdus.echo()[at + 1 :]),
        st.integers(0, len(pdus.echo()) - 1),
        st.integers(0, 255),
    ),
)


# A command set of any service, with elements missing, empty, wrong and of another message.
commands = st.builds(
    lambda field, elements: pdus.command(e0100=field, **elements),
    st.sampled_from([number.to_bytes(2, "little") for number in (1, 0x8001, 0x10, 0x20, 0x21, 0x30, 0x8030, 0x100)])
    | st.sampled_from([number.to_bytes(2, "little") for number in (0x110, 0x120, 0x130, 0x140, 0x150, 0x8130, 0xFFF)]),
    st.fixed_dictionaries(
        {},
        optional={
            "e0002": st.sampled_from([ECHO_UID, b"1.2.840.10008.1.20.1", b"1.2.3\0", b"\xff\xfe", b""]),
            "e0003": st.just(ECHO_UID),
            "e0110": st.sampled_from([b"\1\0", b"", b"\1"]),
            "e0120": st.just(b"\1\0"),
            "e0700": st.sampled_from([b"\0\0", b"\7\7"]),
            "e0800": st.sampled_from([b"\1\1", b"\0\0"]),
            "e0900": st.sampled_from([b"\0\0", b"\0\xff"]),
            "e1000": st.sampled_from([b"1.2.3\0", b"../../x\0", b"\xff" * 64]),
            "e1008": st.sampled_from([b"\1\0", b"\1\0\2\0"]),
        },
    ),
)
messages = st.lists(
    st.builds(
        pdus.data, st.sampled_from([1, 1, 3]), st.sampled_from([3, 3, 1, 2, 0]), commands | st.binary(max_size=60)
    ),
    min_size=1,
    max_size=4,
).map(lambda sent: pdus.request() + b"".join(sent) + pdus.RELEASE_REQUEST)


def test_any_bytes_are_answered_or_hung_up_on_and_leave_nothing(gateway: Listening) -> None:
    """And no thread dies of them: the suite turns an exception in a thread into an error."""

    @given(hostile | messages)
    @steady
    def survives(sent: bytes) -> None:
        with connected(gateway.port) as connection:
            connection.sendall(sent)
            no_more(connection)
            to_the_end(connection)

    threads = set(threading.enumerate())
    survives()
    assert no_thread_beside(threads)
    assert gateway.still_serves()
    while not gateway.incidents.empty():
        assert gateway.incidents.get_nowait().words


def test_a_connection_that_comes_with_the_stop_begins_no_association(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, stopped = threading.Event(), threading.Event()

    def begun_late(*settings: Any) -> Guard:
        taken.set()
        assert stopped.wait(PATIENCE)
        return Guard(*settings)

    monkeypatch.setattr(listener, "Guard", begun_late)
    before = set(threading.enumerate())
    acceptor = Acceptor("GATEWAY", HOST, 0, [Context(CT.uid, (EXPLICIT,))], lambda _: Response(0x0000))
    with connected(acceptor.start()) as connection:
        assert taken.wait(PATIENCE)
        acceptor.stop()
        stopped.set()
        assert connection.recv(1) == b""
    assert no_thread_beside(before)
