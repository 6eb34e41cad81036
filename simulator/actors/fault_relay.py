"""A relay between two peers that injects faults into what they say to each other, addressed by protocol.

Each peer speaks to the relay as if it were the other. Without a fault every byte passes unchanged, and so does the
way in which a connection ends: FIN as FIN, RST as RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import threading
from collections.abc import Iterable, Iterator

from simulator.actors.dicom_faults import DicomReader
from simulator.actors.effects import (
    Answer,
    Blind,
    Effect,
    End,
    Injected,
    Pace,
    Pass,
    Reader,
    Tally,
    Wait,
)
from simulator.actors.hl7_faults import Hl7Reader
from simulator.actors.observation import Observe
from simulator.errors import StartError, UsageError
from simulator.events import FaultInjected, FaultMissed, HarnessFailed, RelayBlind, RelayFailed
from simulator.wire import faults as grammar
from simulator.wire.faults import Fault, Protocol
from simulator.wire.pdu_builders import abort

_PIECE = 256 * 1024
_CONNECT_SECONDS = 10.0
# How long peers have to read what was sent before a connection's end, and to end it themselves.
_LINGER_SECONDS = 5.0
_PORTIONS = 10  # throttled bytes go in so many portions a second
_RESET = struct.pack("ii", 1, 0)


class FaultRelay:
    """Relays between whoever connects to it (the requestor) and one listener (the acceptor), over TCP.

    link: which two peers, such as `gateway->remote-a`; the observer of its events. `host` and `port`: the acceptor.
    faults: at most one for a message. `protocol` is what is read; `seed` decides the bytes of `garbage`.
    `target` may be set anew for the connections to come: a listener that was restarted may have another port.
    """

    def __init__(
        self,
        link: str,
        host: str,
        port: int,
        faults: Iterable[Fault],
        observe: Observe,
        *,
        protocol: Protocol = "DICOM",
        seed: int = 0,
    ) -> None:
        """Raises `UsageError` for two faults at one message, and for a fault of the other protocol."""
        asked = tuple(faults)
        for fault in asked:
            if fault.at.protocol != protocol:
                raise UsageError(f"{link} speaks {protocol}; there will be no {fault.at}")
        try:
            self.tally = Tally(asked)
        except ValueError as error:
            raise UsageError(f"{link}: {error}") from error
        self.link = link
        self.target = (host, port)
        self.protocol = protocol
        self.seed = seed
        self.observe = observe
        self._numbers = itertools.count(1)
        self._open: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen on loopback, and return the port. Raises `StartError`."""
        try:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        except OSError as error:
            raise StartError(f"the relay {self.link} cannot listen: {error.strerror}") from error
        listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._accepting = self._loop.create_task(self._accept(listener))
        self._thread = threading.Thread(target=self._run, name=f"relay-{self.link}", daemon=True)
        self._thread.start()
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Stop listening, end the connections that are open, and tell of faults whose message never came."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._accepting.cancel)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None
        for fault in self.tally.pending():
            missed = FaultMissed(
                observer=self.link, fault_at=str(fault.at), do=str(fault.do), seen=self.tally.seen(fault.at.kind)
            )
            self.observe(missed)

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults whose message has not come yet."""
        return self.tally.pending()

    def readers(self) -> tuple[Reader, Reader]:
        """Return the readers of a new connection: of what the requestor says, and of what the acceptor says."""
        if self.protocol == "HL7":
            return (Hl7Reader(self.tally, grammar.HL7, self.seed), Hl7Reader(self.tally, grammar.ACK, self.seed))
        return DicomReader(self.tally, self.seed), DicomReader(self.tally, self.seed)

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_until_complete(self._accepting)
        except asyncio.CancelledError:
            pass
        except OSError as error:  # no descriptor left, for one
            self._broke(error)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        self.observe(HarnessFailed(observer=self.link, problem=f"the relay {self.link} broke: {error!r}"))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                connection, _ = await loop.sock_accept(listener)
                task = loop.create_task(_Connection(self, next(self._numbers)).relay(connection))
                self._open.add(task)
                task.add_done_callback(self._ended)
        finally:
            listener.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)


class _Direction:
    """From one socket to the other: what was read of it, and how it is sent on."""

    def __init__(self, name: str, reader: Reader, source: socket.socket, sink: socket.socket) -> None:
        self.name = name
        self.reader = reader
        self.source = source
        self.sink = sink
        self.busy = asyncio.Lock()  # held while the reader and what it says are gone through
        self.rate = 0  # bytes a second, 0: any
        self.in_midst = False  # of a send; stays so when that is interrupted
        self.source_lost = False  # a send to the source failed: its end is a reset, whatever it looks like

    async def send(self, data: bytes | memoryview) -> None:
        """Send it all, at the rate."""
        loop = asyncio.get_running_loop()
        self.in_midst = True
        if self.rate:
            size = max(1, self.rate // _PORTIONS)
            for at in range(0, len(data), size):
                portion = data[at : at + size]
                await loop.sock_sendall(self.sink, portion)
                await asyncio.sleep(len(portion) / self.rate)
        else:
            await loop.sock_sendall(self.sink, data)
        self.in_midst = False


class _Ended(Exception):
    """Both connections are to end."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


class _Connection:
    """One connection to the relay, and the one behind it."""

    def __init__(self, relay: FaultRelay, number: int) -> None:
        self._relay = relay
        self._number = number

    async def relay(self, requestor: socket.socket) -> None:
        """Relay both directions to their end."""
        with requestor:
            acceptor = await self._reach()
            if acceptor is None:
                _reset_on_close(requestor)
                return
            with acceptor:
                for end in (requestor, acceptor):
                    end.setblocking(False)
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._converse(requestor, acceptor)

    async def _reach(self) -> socket.socket | None:
        """Return a connection to the acceptor, or None when there is none to be had, which is observed."""
        host, port = self._relay.target
        loop = asyncio.get_running_loop()
        acceptor = None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
                acceptor = socket.socket(family, kind, protocol)
                acceptor.setblocking(False)
                await loop.sock_connect(acceptor, address)
        except OSError as error:  # a time-out is one
            if acceptor is not None:
                acceptor.close()
            problem = f"nothing takes connections on {host}:{port} ({_words(error)})"
            self._relay.observe(RelayFailed(observer=self._relay.link, connection=self._number, problem=problem))
            return None
        except BaseException:
            if acceptor is not None:
                acceptor.close()
            raise
        return acceptor

    async def _converse(self, requestor: socket.socket, acceptor: socket.socket) -> None:
        first, second = self._relay.readers()
        there = _Direction("requestor->acceptor", first, requestor, acceptor)
        back = _Direction("acceptor->requestor", second, acceptor, requestor)
        end = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(there, back))
                group.create_task(self._pump(back, there))
        except* _Ended as ended:
            end = next(error.end for error in ended.exceptions if isinstance(error, _Ended))
        if end is None:
            return
        if end.how == "rst":
            _reset_on_close(requestor)
            _reset_on_close(acceptor)
            return
        to_requestor, to_acceptor = (end.abort in (who, "both") for who in ("requestor", "acceptor"))
        await asyncio.gather(_close(back, aborted=to_requestor), _close(there, aborted=to_acceptor))

    async def _pump(self, direction: _Direction, other: _Direction) -> None:
        """Send on what comes until the source ends. Raises `_Ended` where that ends both connections."""
        loop = asyncio.get_running_loop()
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        while True:
            try:
                size = await loop.sock_recv_into(direction.source, buffer)
            except OSError:
                size, direction.source_lost = 0, True
            effects = direction.reader.feed(view[:size]) if size else direction.reader.finish()
            try:
                answers = await self._carry_out(effects, direction)
            except OSError:
                # Who was sent to is gone; what it said before that is still to be read, by the other pump.
                other.source_lost = True
                return
            for answer in answers:
                await self._carry_out(other.reader.insert(answer), other)
            if not size:
                break
        if direction.source_lost:  # reset by the peer: the other one shall see the same
            raise _Ended(End("rst"))
        with contextlib.suppress(OSError):
            direction.sink.shutdown(socket.SHUT_WR)

    async def _carry_out(self, effects: Iterator[Effect], direction: _Direction) -> list[bytes]:
        """Do what the reader says; return what is to be sent the other way. Raises `_Ended`."""
        answers = []
        async with direction.busy:
            for effect in effects:
                match effect:
                    case Pass(data):
                        await direction.send(data)
                    case Answer(data):
                        answers.append(data)
                    case Wait(seconds):
                        await asyncio.sleep(seconds)
                    case Pace(rate):
                        direction.rate = rate
                    case End():
                        raise _Ended(effect)
                    case Injected() | Blind():
                        self._tell(effect, direction)
        return answers

    def _tell(self, effect: Injected | Blind, direction: _Direction) -> None:
        where = {"observer": self._relay.link, "direction": direction.name}
        if isinstance(effect, Blind):
            self._relay.observe(RelayBlind(**where, connection=self._number, why=effect.why))
            return
        fault = effect.fault
        said = {"fault_at": str(fault.at), "do": str(fault.do), "done": effect.done}
        self._relay.observe(FaultInjected(**where, **said, connection=self._number, offset=effect.offset))


async def _close(direction: _Direction, *, aborted: bool) -> None:
    """End the sink's connection by FIN, after an A-ABORT where one is due, and let the peer there read it.

    To close while it still sends would reset the connection, and what was sent last could be lost.
    """
    loop = asyncio.get_running_loop()
    sink = direction.sink
    with contextlib.suppress(OSError):  # it may have ended, or not read on: a time-out is an OSError too
        async with asyncio.timeout(_LINGER_SECONDS):
            if aborted and not direction.in_midst:
                for effect in direction.reader.insert(abort()):
                    assert isinstance(effect, Pass)
                    await loop.sock_sendall(sink, effect.data)
            sink.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sink, _PIECE):
                pass


def _words(error: OSError) -> str:
    """Return what the system calls the error; asyncio puts words of its own in its place."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or "no answer"


def _reset_on_close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
