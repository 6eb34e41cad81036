"""What relays share: a listener with a thread of its own, a connection onward, and the two directions between.

Every byte passes as the readers of its direction say, and so does the way in which a connection ends: FIN as FIN, RST
as RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from simulator.actors.effects import Answer, Blind, Effect, End, EndHalf, Injected, Pace, Pass, Reader, Wait
from simulator.actors.observation import Observe
from simulator.errors import StartError
from simulator.events import HarnessFailed
from simulator.wire.conversation import How, Side
from simulator.wire.pdu_builders import abort

PIECE = 256 * 1024
LINGER_SECONDS = 5.0
"""How long peers have to read what was sent before a connection's end, and to end it themselves."""

_PORTIONS = 10  # throttled bytes go in so many portions a second
_RESET = struct.pack("ii", 1, 0)
Name = tuple[str, int] | tuple[str, int, int, int]  # of a socket's end, with IPv4 or with IPv6


class Relay(ABC):
    """Listens in a thread of its own, and carries each connection as its subclass does.

    link: from whom to whom; the observer of its events. host, port: where it listens; port 0 is any.
    """

    def __init__(self, link: str, observe: Observe, host: str = "127.0.0.1", port: int = 0) -> None:
        self.link = link
        self.observe = observe
        self._where = (host, port)
        self._numbers = itertools.count(1)
        self._open: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    async def carry(self, requestor: socket.socket, caller: Name, number: int) -> None:
        """Carry a connection that was made to the relay to its end; it is closed then. caller: its other end."""

    def start(self) -> int:
        """Listen, and return the port. Raises `StartError`."""
        try:
            listener = _listener(*self._where)
        except OSError as error:
            raise StartError(f"the relay {self.link} cannot listen: {error.strerror or error}") from error
        listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._accepting = self._loop.create_task(self._accept(listener))
        self._thread = threading.Thread(target=self._run, name=f"relay-{self.link}", daemon=True)
        self._thread.start()
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Stop listening, and end the connections that are open."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._accepting.cancel)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_until_complete(self._accepting)
        except asyncio.CancelledError:
            pass
        except OSError as error:  # no descriptor left, for one
            self._broke(error)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, caller = await loop.sock_accept(listener)
                except ConnectionAbortedError:  # who called was gone before it was taken
                    continue
                task = loop.create_task(self._carry(connection, caller))
                self._open.add(task)
                task.add_done_callback(self._ended)
        finally:
            listener.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(self, connection: socket.socket, caller: Name) -> None:
        with connection:
            await self.carry(connection, caller, next(self._numbers))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        self.observe(HarnessFailed(observer=self.link, problem=f"the relay {self.link} broke: {error!r}"))


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens, on both versions of IP where the host is any address of IPv6."""
    if ":" not in host:
        return socket.create_server((host, port), backlog=128)
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=128, dualstack_ipv6=both)


class Unreached(Exception):
    """No connection could be made. tried: from where to where the last attempt went, if anything went out."""

    def __init__(self, why: OSError, tried: tuple[Name, Name] | None) -> None:
        super().__init__(why)
        self.why = why
        self.tried = tried


async def reach(host: str, port: int, seconds: float) -> socket.socket:
    """Return a connection, made within so many seconds to the first address of the host that takes one.

    Raises `Unreached` where none does: by a time-out, or a name that has no address (`socket.gaierror`), among others.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    addresses = await _addresses(host, port, seconds)
    failure = Unreached(OSError(f"{host} has no address"), None)
    for behind, (family, kind, protocol, _, address) in enumerate(addresses, -len(addresses)):
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError as error:  # this machine has no IPv6, for one
            failure = Unreached(error, None)
            continue
        connection.setblocking(False)
        try:
            async with asyncio.timeout((deadline - loop.time()) / -behind):
                await loop.sock_connect(connection, address)
        except BaseException as error:
            here = connection.getsockname()
            connection.close()
            if not isinstance(error, OSError):
                raise
            failure = Unreached(error, (here, address) if here[1] else None)
        else:
            return connection
    raise failure


async def _addresses(host: str, port: int, seconds: float) -> list[tuple[int, int, int, str, Name]]:
    """Return the addresses of a host. Raises `Unreached`, by `socket.gaierror`."""
    with contextlib.suppress(socket.gaierror):  # an address in numbers is not looked up
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)  # type: ignore[return-value]
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Unreached(error, None) from error
    except (TimeoutError, UnicodeError) as error:
        unresolved = socket.gaierror(socket.EAI_NONAME, f"the name {host} is not resolved ({error!r})")
        raise Unreached(unresolved, None) from error
    return found  # type: ignore[return-value]


class _Direction:
    """From one socket to the other: what was read of it, and how it is sent on."""

    def __init__(self, by: Side, reader: Reader, source: socket.socket, sink: socket.socket) -> None:
        self.by = by
        self.reader = reader
        self.source = source
        self.sink = sink
        self.busy = asyncio.Lock()  # held while the reader and what it says are gone through
        self.rate = 0  # bytes a second, 0: any
        self.in_midst = False  # of a send; stays so when that is interrupted
        self.is_over = False  # the source has ended
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


class Passage:
    """Both directions between two sockets, each gone through by its reader.

    tell: hears of what a reader says that is not done to the bytes. ended: hears how a side ended, as it does. ahead:
    the side whose reader was given bytes before; it is fed with nothing first, and says what becomes of them.
    """

    def __init__(
        self,
        requestor: socket.socket,
        acceptor: socket.socket,
        readers: tuple[Reader, Reader],
        *,
        tell: Callable[[Injected | Blind, Side], None],
        ended: Callable[[Side, How], None],
        ahead: Side | None = None,
    ) -> None:
        for end in (requestor, acceptor):
            end.setblocking(False)
            with contextlib.suppress(OSError):  # one that was reset has no options any more on some systems
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._there = _Direction("requestor", readers[0], requestor, acceptor)
        self._back = _Direction("acceptor", readers[1], acceptor, requestor)
        self._tell = tell
        self._tell_end = ended
        self._ahead = ahead

    async def converse(self) -> None:
        """Carry both directions to their end."""
        end = None
        there, back = self._there, self._back
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(there, back))
                group.create_task(self._pump(back, there))
        except* _Ended as ended:
            end = next(error.end for error in ended.exceptions if isinstance(error, _Ended))
        if end is None:
            return
        if end.how == "rst":
            reset_on_close(there.source)
            reset_on_close(back.source)
            return
        to_requestor, to_acceptor = (end.abort in (who, "both") for who in ("requestor", "acceptor"))
        await asyncio.gather(_close(back, aborted=to_requestor), _close(there, aborted=to_acceptor))

    async def _pump(self, direction: _Direction, other: _Direction) -> None:
        """Send on what comes until the source ends. Raises `_Ended` where that ends both connections."""
        loop = asyncio.get_running_loop()
        buffer = bytearray(PIECE)
        view = memoryview(buffer)
        size = 1
        if self._ahead == direction.by:
            held = direction.reader.feed(view[:0])
            if not await self._go_through(held, direction, other):
                return
        while size:
            try:
                size = await loop.sock_recv_into(direction.source, buffer)
            except OSError:
                size, direction.source_lost = 0, True
            reader = direction.reader
            effects = reader.feed(view[:size]) if size else reader.finish(reset=direction.source_lost)
            if not await self._go_through(effects, direction, other):
                return
        direction.is_over = True
        if direction.source_lost:  # reset by the peer: the other one shall see the same
            self._lost(direction)
        self._tell_end(direction.by, "fin")
        with contextlib.suppress(OSError):
            direction.sink.shutdown(socket.SHUT_WR)

    async def _go_through(self, effects: Iterator[Effect], direction: _Direction, other: _Direction) -> bool:
        """Do what a reader says, and return whether there is still somebody to send to. Raises `_Ended`."""
        try:
            answers = await self._carry_out(effects, direction)
        except OSError:
            # Who was sent to is gone; what it said before that is still to be read, by the other pump.
            other.source_lost = True
            if other.is_over:
                self._lost(other)
            return False
        for answer in answers:
            try:
                await self._carry_out(other.reader.insert(answer), other)
            except OSError:  # who is answered is gone; what it said before that is still to be read
                direction.source_lost = True
        return True

    def _lost(self, direction: _Direction) -> None:
        """Raise `_Ended`: the source of a direction reset its connection."""
        self._tell_end(direction.by, "rst")
        raise _Ended(End("rst"))

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
                    case EndHalf():
                        with contextlib.suppress(OSError):
                            direction.sink.shutdown(socket.SHUT_WR)
                    case End():
                        raise _Ended(effect)
                    case Injected() | Blind():
                        self._tell(effect, direction.by)
        return answers


async def _close(direction: _Direction, *, aborted: bool) -> None:
    """End the sink's connection by FIN, after an A-ABORT where one is due, and let the peer there read it.

    To close while it still sends would reset the connection, and what was sent last could be lost.
    """
    loop = asyncio.get_running_loop()
    sink = direction.sink
    with contextlib.suppress(OSError):  # it may have ended, or not read on: a time-out is an OSError too
        async with asyncio.timeout(LINGER_SECONDS):
            if aborted and not direction.in_midst:
                for effect in direction.reader.insert(abort()):
                    assert isinstance(effect, Pass)
                    await loop.sock_sendall(sink, effect.data)
            sink.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sink, PIECE):
                pass


def reset_on_close(connection: socket.socket) -> None:
    """Have the peer see a reset when the connection is closed."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
