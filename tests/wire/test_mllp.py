from __future__ import annotations

import asyncio
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import PeerAborted, PeerSilent, PeerUnreachable, StartError
from simulator.wire.incidents import Incident
from simulator.wire.mllp import LIMIT, MllpListener, converse, exchange
from tests.wire import pdus
from tests.wire.made import steady
from tests.wire.sockets import (
    HOST,
    PATIENCE,
    closed_port,
    connected,
    peer,
    read_to_end,
    read_until,
    silent_peer,
)

START, END = b"\x0b", b"\x1c\r"


class Listening:
    """A listener on an event loop of its own; what came is in `messages` and `garbage`."""

    def __init__(self, answer: Callable[[bytes], bytes], port: int = 0, **settings: Any) -> None:
        self.messages: queue.Queue[bytes] = queue.Queue()
        self.garbage: queue.Queue[bytes] = queue.Queue()
        self._answer = answer
        self.incidents: queue.Queue[Incident] = queue.Queue()
        self._listener = MllpListener(HOST, port, self._take, self.garbage.put, tell=self.incidents.put, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> int:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._listener.start(), self._loop).result(PATIENCE)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listener.stop(), self._loop).result(PATIENCE)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _take(self, message: bytes) -> tuple[bytes]:
        self.messages.put(message)
        return (self._answer(message),)


def echo(message: bytes) -> bytes:
    return b"ACK " + message


@contextmanager
def listening(answer: Callable[[bytes], bytes] = echo, **settings: Any) -> Iterator[tuple[Listening, int]]:
    listener = Listening(answer, **settings)
    try:
        yield listener, listener.start()
        listener.stop()
    finally:
        listener.end()


# --- a listener and who sends to it ------------------------------------------------------------------


def test_a_message_is_answered() -> None:
    with listening() as (listener, port):
        assert exchange(HOST, port, b"MSH|^~\\&|\rPID|1\r") == b"ACK MSH|^~\\&|\rPID|1\r"
        assert listener.messages.get_nowait() == b"MSH|^~\\&|\rPID|1\r"
        assert listener.garbage.empty()


def test_text_beyond_ascii_goes_through() -> None:
    with listening() as (_, port):
        assert exchange(HOST, port, "MSH|陳^大文".encode()) == "ACK MSH|陳^大文".encode()


def test_any_bytes_go_through() -> None:
    with listening() as (_, port):

        @given(st.binary(max_size=200).filter(lambda message: END not in message + END[:1]))
        @steady
        def goes_through(message: bytes) -> None:
            assert exchange(HOST, port, message) == b"ACK " + message

        goes_through()


def test_a_large_message_goes_through() -> None:
    with listening() as (_, port):
        message = b"A" * (LIMIT - 100)
        assert exchange(HOST, port, message) == b"ACK " + message


def test_several_messages_on_one_connection() -> None:
    with listening() as (listener, port), connected(port) as connection:
        for number in range(50):
            message = b"message %d" % number
            connection.sendall(START + message + END)
            assert read_until(connection, END) == START + b"ACK " + message + END
        assert listener.messages.qsize() == 50


def test_messages_that_come_in_one_piece_are_answered_in_their_order() -> None:
    with listening() as (_, port), connected(port) as connection:
        connection.sendall(START + b"one" + END + START + b"two" + END)
        assert read_until(connection, b"two" + END) == START + b"ACK one" + END + START + b"ACK two" + END


def test_a_message_that_comes_byte_by_byte() -> None:
    with listening() as (_, port), connected(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in START + b"slow" + END:
            connection.sendall(bytes([byte]))
        assert read_until(connection, END) == START + b"ACK slow" + END


def test_two_connections_are_served_at_once() -> None:
    together = threading.Barrier(2)

    def answer(message: bytes) -> bytes:
        together.wait(PATIENCE)
        return message

    with listening(answer) as (_, port), ThreadPoolExecutor(2) as both:
        answers = both.map(lambda message: exchange(HOST, port, message), (b"one", b"two"))
        assert list(answers) == [b"one", b"two"]


def test_a_service_that_fails_ends_its_connection_and_no_other() -> None:
    def answer(message: bytes) -> bytes:
        if message == b"bad":
            raise OSError("disk full")
        return message

    with listening(answer) as (_, port):
        with pytest.raises(PeerAborted):
            exchange(HOST, port, b"bad")
        assert exchange(HOST, port, b"good") == b"good"


# --- what is no block --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"MSH|no start byte" + END,
        b"GET / HTTP/1.1\r\n\r\n" + END,
        b"\n" + START + b"MSH|" + END,
        END,
        b"\xff\x00" + END,
    ],
)
def test_bytes_without_the_start_byte_are_handed_over_as_they_came(sent: bytes) -> None:
    with listening() as (listener, port), connected(port) as connection:
        connection.sendall(sent)
        assert read_to_end(connection) == b""
        assert listener.garbage.get(timeout=PATIENCE) == sent
        assert listener.messages.empty()


@pytest.mark.parametrize("sent", [START, START + b"MSH|half a mess", START + b"MSH|\x1c", b"no frame"])
def test_a_connection_cut_in_a_block_hands_over_what_came(sent: bytes) -> None:
    with listening() as (listener, port):
        with connected(port) as connection:
            connection.sendall(sent)
        assert listener.garbage.get(timeout=PATIENCE) == sent
        assert listener.messages.empty()
        assert exchange(HOST, port, b"next") == b"ACK next"


def test_a_block_cut_after_a_good_one() -> None:
    with listening() as (listener, port):
        with connected(port) as connection:
            connection.sendall(START + b"one" + END + START + b"tw")
            assert read_until(connection, END) == START + b"ACK one" + END
        assert listener.garbage.get(timeout=PATIENCE) == START + b"tw"
        assert listener.messages.get_nowait() == b"one"


def test_a_block_beyond_the_limit_is_garbage() -> None:
    with listening() as (listener, port), connected(port) as connection:
        sent = START + b"A" * (LIMIT + 65536)
        with suppress(ConnectionError):  # it may well be cut while this side still sends
            connection.sendall(sent)
            read_to_end(connection)
        found = listener.garbage.get(timeout=PATIENCE)
        assert len(found) >= LIMIT
        assert sent.startswith(found)
        assert listener.messages.empty()


def test_a_connection_that_says_nothing_is_no_garbage() -> None:
    with listening() as (listener, port):
        with connected(port):
            pass
        assert exchange(HOST, port, b"next") == b"ACK next"
        assert listener.garbage.empty()


@pytest.mark.parametrize(
    ("sent", "problem", "words"),
    [
        (pdus.request(), "mllp.garbage", "the peer speaks DICOM to the HL7 port (01 00 00 00"),
        (b"\x16\x03\x01\0\xf6\x01", "mllp.garbage", "the peer speaks TLS to the HL7 port"),
        (b"GET / HTTP/1.1\r\n\r\n", "mllp.garbage", "an HTTP request: the peer takes the HL7 port for a web address"),
        (b"\xff" * 50, "mllp.garbage", "without the start block character 0BH (FF FF"),
        (START + b"MSH|half", "time-out.mllp", "an MLLP block that was not whole within 0.2 s (0B 4D 53 48"),
    ],
)
def test_who_says_something_else_is_named_and_not_waited_for(sent: bytes, problem: str, words: str) -> None:
    with listening(time_out=0.2) as (listener, port), connected(port) as connection:
        connection.sendall(sent)
        assert read_to_end(connection) == b""
        told = listener.incidents.get(timeout=PATIENCE)
        assert (told.problem, told.peer) == (problem, "{}:{}".format(*connection.getsockname()))
        assert words in told.words
        assert listener.garbage.get(timeout=PATIENCE) == sent
        assert exchange(HOST, port, b"next") == b"ACK next"


def test_a_connection_may_be_idle_between_messages_longer_than_a_block_may_take() -> None:
    with listening(time_out=0.2) as (listener, port), connected(port) as connection:
        connection.sendall(START + b"one" + END)
        assert read_until(connection, END) == START + b"ACK one" + END
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):  # nothing comes, and nobody hangs up
            connection.recv(1)
        connection.settimeout(PATIENCE)
        connection.sendall(START + b"two" + END)
        assert read_until(connection, END) == START + b"ACK two" + END
        assert listener.incidents.empty()


def test_a_block_without_an_end_is_cut_at_the_limit_and_said() -> None:
    with listening() as (listener, port), connected(port) as connection:
        with suppress(ConnectionError):
            connection.sendall(START + bytes(LIMIT * 4))
        told = listener.incidents.get(timeout=PATIENCE)
        assert (told.problem, told.answer) == ("mllp.too-long", "hang-up")
        assert len(listener.garbage.get(timeout=PATIENCE)) < LIMIT + 100_000


def test_a_peer_that_never_reads_its_acknowledgements_is_left() -> None:
    with listening(lambda _: b"A" * 3_000_000, time_out=0.3) as (listener, port), connected(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(START + b"more" + END)
        told = listener.incidents.get(timeout=PATIENCE)
        assert (told.problem, told.words) == ("time-out.mllp", "it did not take an acknowledgement within 0.3 s")


def test_a_connection_too_many_is_hung_up_on() -> None:
    with listening(maximum_connections=2) as (listener, port), connected(port) as one, connected(port) as two:
        for connection in (one, two):
            connection.sendall(START + b"in" + END)
            assert read_until(connection, END) == START + b"ACK in" + END
        with connected(port) as three:
            assert read_to_end(three) == b""
        assert listener.incidents.get(timeout=PATIENCE).problem == "connections.limit"


# --- start and stop ----------------------------------------------------------------------------------


def test_a_port_in_use_is_named() -> None:
    with silent_peer() as port:
        listener = Listening(echo, port)
        try:
            with pytest.raises(StartError, match=f"cannot listen for HL7 on 127.0.0.1:{port}") as failed:
                listener.start()
            assert "another program uses the port" in failed.value.hint
        finally:
            listener.end()


def test_a_stop_cuts_idle_connections_and_refuses_new_ones() -> None:
    with listening() as (listener, port), connected(port) as connection:
        connection.sendall(START + b"one" + END)
        assert read_until(connection, END) == START + b"ACK one" + END
        listener.stop()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        with pytest.raises(PeerUnreachable):
            exchange(HOST, port, b"late")


def test_a_stop_waits_for_the_message_in_hand() -> None:
    go_on, done = threading.Event(), threading.Event()

    def answer(message: bytes) -> bytes:
        go_on.wait(PATIENCE)
        done.set()
        return message

    with listening(answer) as (listener, port), connected(port) as connection, ThreadPoolExecutor(1) as beside:
        connection.sendall(START + b"one" + END)
        assert listener.messages.get(timeout=PATIENCE) == b"one"
        stopped = beside.submit(listener.stop)
        assert not done.is_set()
        go_on.set()
        stopped.result(PATIENCE)
        assert done.is_set()


def test_a_stop_does_not_wait_for_who_never_reads() -> None:
    with listening(lambda _: b"A" * 3_000_000) as (listener, port), connected(port) as connection:
        for _ in range(10):
            connection.sendall(START + b"one" + END)
        for _ in range(2):
            listener.messages.get(timeout=PATIENCE)
        listener.stop()


# --- peers that do not answer ------------------------------------------------------------------------


def test_nothing_listens() -> None:
    with closed_port() as port, pytest.raises(PeerUnreachable, match=f"no HL7 listener at 127.0.0.1:{port}"):
        exchange(HOST, port, b"MSH|")


def test_a_peer_that_never_answers() -> None:
    with silent_peer() as port:
        started = time.monotonic()
        with pytest.raises(PeerSilent, match=r"sent no acknowledgement within 0.2 s"):
            exchange(HOST, port, b"MSH|", 0.2)
        assert 0.2 <= time.monotonic() - started < PATIENCE


def test_a_peer_that_never_reads() -> None:
    with silent_peer() as port, pytest.raises(PeerSilent):
        exchange(HOST, port, b"A" * 32_000_000, 0.3)


def test_a_peer_that_answers_a_byte_now_and_then() -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(START)
        while not over.wait(0.05):
            connection.sendall(b"A")

    with peer(drip) as port:
        try:
            with pytest.raises(PeerSilent):
                exchange(HOST, port, b"MSH|", 0.4)
        finally:
            over.set()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "closed the connection without a whole acknowledgement"),
        (START + b"MSH|half", "closed the connection without a whole acknowledgement"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + END, "no MLLP block"),
        (START + b"A" * (LIMIT + 65536) + END, "no MLLP block"),
    ],
    ids=["nothing", "half", "http", "too much"],
)
def test_a_peer_that_answers_otherwise(answer: bytes, problem: str) -> None:
    def converse(connection: socket.socket) -> None:
        read_until(connection, END)
        with suppress(ConnectionError):  # the other side may have seen enough
            connection.sendall(answer)

    with peer(converse) as port, pytest.raises(PeerAborted, match=problem):
        exchange(HOST, port, b"MSH|")


# --- several answers, or none ------------------------------------------------------------------------


def conversed(answers: tuple[bytes, ...], wanted: int) -> list[bytes]:
    """Send a message to a listener that answers with these blocks; return those that came until it was enough."""
    came: list[bytes] = []

    def take(answer: bytes) -> float:
        came.append(answer)
        return PATIENCE if len(came) < wanted else 0.0

    listener = Listening(echo)
    listener._listener = MllpListener(HOST, 0, lambda _: answers, listener.garbage.put)
    try:
        converse(HOST, listener.start(), b"MSH|", take, PATIENCE if wanted else 0.0)
        listener.stop()
    finally:
        listener.end()
    return came


@pytest.mark.parametrize("answers", [(b"one",), (b"one", b"two"), (b"one", b"two", b"three")])
def test_a_message_may_have_several_answers(answers: tuple[bytes, ...]) -> None:
    assert conversed(answers, len(answers)) == list(answers)


def test_a_message_may_have_no_answer_and_the_connection_goes_on() -> None:
    with listening() as (listener, port), connected(port) as connection:
        listener._listener._on_message = lambda message: (message,) if message == b"two" else ()
        connection.sendall(START + b"one" + END + START + b"two" + END)
        assert read_until(connection, END) == START + b"two" + END


def test_nobody_waits_for_an_answer_that_is_not_wanted() -> None:
    """And the message arrives whole all the same, however large."""
    with listening() as (listener, port):
        message = b"A" * (LIMIT - 100)
        converse(HOST, port, message, lambda _: 0.0, 0.0)
        assert listener.messages.get(timeout=PATIENCE) == message


def test_the_second_answer_may_never_come() -> None:
    with listening() as (_, port), pytest.raises(PeerSilent, match=r"no acknowledgement within 0.2 s"):
        converse(HOST, port, b"MSH|", lambda _: 0.2, PATIENCE)
