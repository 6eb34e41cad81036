"""A front door: everything that a facility's system and the gateway say to each other passes here, and is recorded.

Inward it stands on the port that the facility was told, before a gateway that may come, go and move. Outward it stands
before the facility's system, where the gateway calls. It changes nothing, so that what is recorded is what was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from simulator.actors.effects import Effect, Pass
from simulator.actors.observation import Observe
from simulator.actors.relay import LINGER_SECONDS, PIECE, Name, Passage, Relay, Unreached, reach, reset_on_close
from simulator.wire.conversation import Conversation, How, Protocol, Side
from simulator.wire.pdu_builders import associate_rj
from simulator.wire.pdu_stream import Pdu, PduStream
from simulator.wire.pdus import ASSOCIATE_RQ
from simulator.wire.recording import Recording, Tell

CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 10.0  # for the A-ASSOCIATE-RQ of who is to be rejected
# PS3.8 9.3.4: transient, of the service-provider (presentation), temporary congestion. Whoever tries again is right.
_NOT_NOW = associate_rj(result=2, source=3, reason=1)


class FrontDoor(Relay):
    """Passes every byte between who calls it and `target`, and records each connection.

    link: from whom to whom, such as `CT01->gateway`. host, port: where it listens; port 0 is any. target: who is
    behind; None while nobody is: a DICOM peer is rejected for the moment, an HL7 peer finds its connection closed. It
    may be set anew at any time, for the connections to come. outgoing: whether the facility's system is the one
    behind, so that the addresses recorded are those which that system sees. `tell` hears what happens, at once.
    """

    def __init__(
        self,
        link: str,
        protocol: Protocol,
        observe: Observe,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        target: tuple[str, int] | None = None,
        outgoing: bool = False,
        tell: Tell = lambda *_: None,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        super().__init__(link, observe, host, port)
        self.protocol = protocol
        self.target = target
        self.outgoing = outgoing
        self._tell = tell
        self._connect_seconds = connect_seconds
        self._recordings: list[Recording] = []
        self._last = 0
        self._changing = threading.Lock()

    @property
    def connections(self) -> int:
        """Return how many were made to it so far: the number of the last conversation. From any thread."""
        with self._changing:
            return self._last

    def conversations(self, since: int = 0) -> tuple[Conversation, ...]:
        """Return each conversation whose number is above `since`, as far as it has come. From any thread."""
        with self._changing:
            found = [each for each in self._recordings if each.begun.number > since]
        return tuple(each.conversation() for each in found)

    async def carry(self, requestor: socket.socket, caller: Name, number: int) -> None:
        """Pass a connection on, where somebody is behind, and record it."""
        requestor.setblocking(False)
        called = self.target if self.outgoing and self.target else address(requestor.getsockname())
        with self._recorded(self.link, number, address(caller), called) as call:
            await self._serve(Line(requestor, call))

    @contextlib.contextmanager
    def _recorded(
        self, link: str, number: int, caller: tuple[str, int], called: tuple[str, int], *, within_tls: bool = False
    ) -> Iterator[Call]:
        """Record a connection from now on."""
        opened = datetime.now(UTC).isoformat()
        begun = Conversation(link, number, self.protocol, opened, caller, called, within_tls=within_tls)
        recording = Recording(begun, self._tell)
        with self._changing:
            self._recordings.append(recording)
            self._last = max(self._last, number)
        recording.open()
        try:
            yield Call(recording)
        finally:
            recording.close()

    async def _serve(self, line: Line) -> None:
        """Pass on what a requestor says, where somebody is behind; else answer in that one's stead."""
        if self.target is None:
            await (reject(line) if self.protocol == "DICOM" else line.close())
            return
        acceptor = await self._reached(line.connection, line.call, *self.target)
        if acceptor is None:
            return
        call = line.call
        with acceptor:
            readers = (call.reader("requestor"), call.reader("acceptor"))
            await Passage(line.connection, acceptor, readers, tell=nothing, ended=call.ended).converse()

    async def _reached(self, requestor: socket.socket, call: Call, host: str, port: int) -> socket.socket | None:
        """Return a connection with who is behind; where that cannot be had, the requestor is to see a reset."""
        try:
            acceptor = await reach(host, port, self._connect_seconds)
        except Unreached as error:
            if self.outgoing and error.tried is not None:
                call.recording.between(*map(address, error.tried))
            call.recording.unreached(_why(error.why))
            reset_on_close(requestor)
            return None
        if self.outgoing:
            with contextlib.suppress(OSError):  # it was reset at once
                call.recording.between(address(acceptor.getsockname()), address(acceptor.getpeername()))
        return acceptor


class Call:
    """A connection that was made to a door, as it is recorded: the recording, and its clock."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()

    @property
    def seconds(self) -> float:
        """Return how many have gone since it was made."""
        return self._loop.time() - self._opened

    def add(self, by: Side, piece: bytes | memoryview) -> None:
        """Record what a side said."""
        self.recording.add(self.seconds, by, memoryview(piece))

    def reader(self, by: Side) -> _Recorder:
        """Return who records what a side says."""
        return _Recorder(self, by)

    def ended(self, by: Side, how: How) -> None:
        """Note how a side ended."""
        self.recording.end(self.seconds, by, how)


class Line:
    """The connection with one of the two peers, where the door itself speaks in the stead of the other; recorded."""

    def __init__(self, connection: socket.socket, call: Call, peer: Side = "requestor") -> None:
        self.connection = connection
        self.call = call
        self.peer: Side = peer
        self.own: Side = "acceptor" if peer == "requestor" else "requestor"
        self._loop = asyncio.get_running_loop()

    async def hear(self) -> bytes:
        """Return what the peer says next; nothing when it has ended. Raises `OSError`."""
        piece = await self._loop.sock_recv(self.connection, PIECE)
        if piece:
            self.call.add(self.peer, piece)
        else:
            self.call.ended(self.peer, "fin")
        return piece

    async def say(self, data: bytes) -> None:
        """Send it all. Raises `OSError`."""
        if data:
            self.call.add(self.own, data)
            await self._loop.sock_sendall(self.connection, data)

    async def close(self) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        self.call.ended(self.own, "fin")

    async def hear_out(self) -> None:
        """Let the peer end the connection, which it is to do first. Raises `TimeoutError`, and `OSError` of a reset."""
        async with asyncio.timeout(LINGER_SECONDS):
            while await self.hear():
                pass


async def reject(line: Line) -> None:
    """Answer an A-ASSOCIATE-RQ in the acceptor's stead; who sends anything else finds the connection closed."""
    try:
        async with asyncio.timeout(_REQUEST_SECONDS):
            asked = await _has_asked(line)
        if asked:
            await line.say(_NOT_NOW)
            await line.hear_out()  # the requestor is to close first (PS3.8 9.2.2, AA-6)
        await line.close()
    except TimeoutError:
        await line.close()
    except OSError:
        line.call.ended(line.peer, "rst")


async def _has_asked(line: Line) -> bool:
    """Return whether an A-ASSOCIATE-RQ came; False as soon as that is settled."""
    stream = PduStream(whole=True)
    while piece := await line.hear():
        for part in stream.feed(piece):
            return isinstance(part, Pdu) and part.kind == ASSOCIATE_RQ
    return False


class _Recorder:
    """Reads one side for the relay: everything passes as it comes."""

    def __init__(self, call: Call, by: Side) -> None:
        self._call = call
        self._by = by

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield what came, recorded."""
        self._call.add(self._by, piece)
        yield Pass(piece)

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield nothing: no byte is held back."""
        return iter(())

    def insert(self, data: bytes) -> NoReturn:
        """Raise `AssertionError`: a door says nothing of its own on a connection that it passes on."""
        raise AssertionError("nothing is inserted at a front door")


def nothing(*_: object) -> None:
    """Hear of no effect: a door has none but to pass."""


def address(name: Name) -> tuple[str, int]:
    """Return address and port of a socket's name; IPv4 that came by a socket of IPv6 is IPv4."""
    host, port = name[:2]
    mapped = host.removeprefix("::ffff:")
    return (mapped if "." in mapped else host.partition("%")[0]), port


def _why(error: OSError) -> str:
    """Return why nobody answered, in a word of `Conversation.unreached`."""
    match error:
        case socket.gaierror():
            return "unresolved"
        case TimeoutError():
            return "silent"
        case ConnectionError():
            return "refused"
        case _:
            return "unroutable"
