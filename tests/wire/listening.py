"""An acceptor for raw peers: what it said of them is in `incidents`, and no thread of it may be left."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from simulator.wire.acceptor import Acceptor
from simulator.wire.association import VERIFICATION, Address, Association, Context, Response, TimeOuts
from simulator.wire.incidents import Incident
from tests.synthesis.made import CT, EXPLICIT
from tests.wire.sockets import HOST, PATIENCE, no_thread_beside

# Time-outs that no test may meet by chance, but for the one that it is about.
LONG = TimeOuts(acse=60, dimse=60, pdu=60, idle=60)


@dataclass(frozen=True)
class Listening:
    port: int
    incidents: queue.Queue[Incident]

    def told(self) -> Incident:
        """Return what was said first, and see that nothing more was."""
        incident = self.incidents.get(timeout=PATIENCE)
        assert self.incidents.empty()
        return incident

    def still_serves(self) -> bool:
        peer = Address("GATEWAY", HOST, self.port)
        with Association.request("GOOD", peer, [Context(VERIFICATION, (EXPLICIT,))]) as association:
            return association.echo().status == 0


@contextmanager
def listening(
    time_outs: TimeOuts = LONG, maximum_associations: int = 100, tls: ssl.SSLContext | None = None
) -> Iterator[Listening]:
    incidents: queue.Queue[Incident] = queue.Queue()
    acceptor = Acceptor(
        "GATEWAY",
        HOST,
        0,
        [Context(CT.uid, (EXPLICIT,))],
        lambda _: Response(0x0000),
        tell=incidents.put,
        time_outs=time_outs,
        maximum_associations=maximum_associations,
        tls=tls,
    )
    before = set(threading.enumerate())
    try:
        yield Listening(acceptor.start(), incidents)
    finally:
        acceptor.stop()
    assert no_thread_beside(before)


def to_the_end(connection: socket.socket) -> bytes:
    """Return what comes until the peer closes, whether it does so politely or not."""
    connection.settimeout(PATIENCE)
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def no_more(connection: socket.socket) -> None:
    """Say that nothing more will come; the other side may have closed already."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
