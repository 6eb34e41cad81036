"""Peers of a few lines, on loopback: what a test needs where a real peer behaves too well."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds until a test that waits has failed


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), PATIENCE) as connection:
        yield connection


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield int(bound.getsockname()[1])


@contextmanager
def silent_peer() -> Iterator[int]:
    """Hold a port that takes connections and says nothing."""
    with socket.create_server((HOST, 0)) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def peer(converse: Callable[[socket.socket], None]) -> Iterator[int]:
    """Hold a port that gives its first connection to `converse`, and then closes it."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            converse(connection)

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(PATIENCE)
        assert not thread.is_alive()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Return what comes up to and with `end`, or up to the end of the connection."""
    data = b""
    while not data.endswith(end) and (piece := connection.recv(65536)):
        data += piece
    return data


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def wait_until_read(connection: socket.socket) -> None:
    """Wait until whoever reads this connection in another thread has taken everything that came."""
    deadline = time.monotonic() + PATIENCE
    while struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4))) != (0,):
        assert time.monotonic() < deadline


def no_thread_beside(before: set[threading.Thread]) -> bool:
    """Wait until every thread but those `before` has ended; tell whether that came within the deadline."""
    deadline = time.monotonic() + PATIENCE
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        for thread in left:
            if thread.ident is not None:  # else it is just about to start
                thread.join(max(0.0, deadline - time.monotonic()))
    return not left
