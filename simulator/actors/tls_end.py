"""Front doors at which TLS ends, so that what a facility's system says over it can be read and judged as any other.

Inward the system speaks TLS to the door as it will to the gateway, which stands behind without it (`TlsEnd`). Outward
the gateway speaks to the door without TLS, and the door to the system with it (`TlsStart`). Each connection is two
conversations under one number: the bytes of TLS, of which a ClientHello and an alert can be read, and from the
handshake on what was said within. A handshake that fails is told as the gateway tells it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import NoReturn

from simulator.actors.effects import Answer, Effect, EndHalf, Pass
from simulator.actors.front_door import CONNECT_SECONDS, Call, FrontDoor, Line, address, nothing, reject
from simulator.actors.observation import Observe
from simulator.actors.relay import Name, Passage, reset_on_close
from simulator.events import ConnectionBroken
from simulator.wire import tls
from simulator.wire.conversation import How, Side
from simulator.wire.recording import Tell
from simulator.wire.tls_session import TlsSession

HANDSHAKE_SECONDS = 30.0
"""For a system that calls: as long as it gets for an A-ASSOCIATE-RQ."""


class _TlsDoor(FrontDoor):
    """What both directions share: the handshake, and the way between bytes with TLS and without.

    link: of what is said within. secured_link: of the connection with TLS.
    """

    secured_link: str
    _handshake_seconds: float

    async def _shaken(self, line: Line, session: TlsSession, peer: tuple[str, int]) -> bool:
        """Do the handshake, and return whether it was done; what went wrong is told, and is the connection's end."""
        try:
            async with asyncio.timeout(self._handshake_seconds):
                while not session.shake():
                    await line.say(session.due())
                    session.take(await line.hear())
                await line.say(session.due())
        except OSError as error:
            if isinstance(error, ConnectionError):
                line.call.ended(line.peer, "rst")
            self._told(error, session.first if line.peer == "requestor" else b"", peer)
            with contextlib.suppress(OSError):  # whoever is gone needs no alert
                await line.say(session.due())
                await line.close()
                await line.hear_out()
            return False
        return True

    def _told(self, error: OSError, first: bytes, peer: tuple[str, int]) -> None:
        failure = tls.failure(error, first)
        self.observe(
            ConnectionBroken(
                observer="gateway",
                peer=f"{peer[0]}:{peer[1]}",
                calling_ae_title="",
                called_ae_title="",
                problem=failure.problem,
                words=str(failure),
                answer="hang-up",
            )
        )

    async def _converse(
        self, requestor: socket.socket, acceptor: socket.socket, spoken: _Spoken, peer: tuple[str, int]
    ) -> None:
        opener = _Opener(spoken, lambda error: self._told(error, b"", peer))
        sealer = _Sealer(spoken)
        incoming = spoken.peer == "requestor"
        await Passage(
            requestor,
            acceptor,
            (opener, sealer) if incoming else (sealer, opener),
            tell=nothing,
            ended=spoken.ended,
            ahead=spoken.peer,  # with the end of the handshake more may have come
        ).converse()


class TlsEnd(_TlsDoor):
    """Takes TLS from the facility's system and passes on what is said within it to `target`, without TLS.

    context: of the SCP, with its certificate and whom it believes. The rest is as for `FrontDoor`.
    """

    def __init__(
        self,
        link: str,
        secured_link: str,
        context: ssl.SSLContext,
        observe: Observe,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        target: tuple[str, int] | None = None,
        tell: Tell = lambda *_: None,
        handshake_seconds: float = HANDSHAKE_SECONDS,
    ) -> None:
        super().__init__(link, "DICOM", observe, host=host, port=port, target=target, tell=tell)
        self.secured_link = secured_link
        self._context = context
        self._handshake_seconds = handshake_seconds

    async def carry(self, requestor: socket.socket, caller: Name, number: int) -> None:
        """Take a connection over TLS, and pass on what is said in it."""
        requestor.setblocking(False)
        between = address(caller), address(requestor.getsockname())
        with self._recorded(self.secured_link, number, *between) as secured:
            line, session = Line(requestor, secured), TlsSession(self._context)
            if not await self._shaken(line, session, between[0]):
                return
            with self._recorded(self.link, number, *between, within_tls=True) as call:
                await self._serve_within(_Spoken(session, secured, call, "requestor"), line)

    async def _serve_within(self, spoken: _Spoken, line: Line) -> None:
        if self.target is None:
            await reject(_LineWithin(line, spoken))
            return
        acceptor = await self._reached(line.connection, spoken.call, *self.target)
        if acceptor is not None:
            with acceptor:
                await self._converse(line.connection, acceptor, spoken, spoken.call.recording.begun.requestor)


class TlsStart(_TlsDoor):
    """Calls the facility's system at `target` with TLS for who connects to the door without it.

    context: of the SCU. peer_name: the name that the system's certificate must bear, where the context verifies it.
    """

    def __init__(
        self,
        link: str,
        secured_link: str,
        context: ssl.SSLContext,
        observe: Observe,
        *,
        target: tuple[str, int],
        peer_name: str,
        tell: Tell = lambda *_: None,
        connect_seconds: float = CONNECT_SECONDS,
        handshake_seconds: float = CONNECT_SECONDS,
    ) -> None:
        super().__init__(
            link, "DICOM", observe, target=target, outgoing=True, tell=tell, connect_seconds=connect_seconds
        )
        self._system = target
        self.secured_link = secured_link
        self._context = context
        self._peer_name = peer_name
        self._handshake_seconds = handshake_seconds

    async def carry(self, requestor: socket.socket, caller: Name, number: int) -> None:
        """Call the system, and pass on what is said; without a handshake who called here sees a reset."""
        requestor.setblocking(False)
        with self._recorded(self.secured_link, number, address(caller), self._system) as secured:
            acceptor = await self._reached(requestor, secured, *self._system)
            if acceptor is None:
                return
            with acceptor:
                line, session = Line(acceptor, secured, "acceptor"), TlsSession(self._context, self._peer_name)
                begun = secured.recording.begun
                if not await self._shaken(line, session, begun.acceptor):
                    reset_on_close(requestor)
                    return
                between = begun.requestor, begun.acceptor
                with self._recorded(self.link, number, *between, within_tls=True) as call:
                    spoken = _Spoken(session, secured, call, "acceptor")
                    await self._converse(requestor, acceptor, spoken, begun.acceptor)


class _Spoken:
    """A connection as it is recorded twice. peer: the side that speaks TLS with the door."""

    def __init__(self, session: TlsSession, secured: Call, call: Call, peer: Side) -> None:
        self.session = session
        self.secured = secured
        self.call = call
        self.peer: Side = peer
        self.own: Side = "acceptor" if peer == "requestor" else "requestor"

    def ended(self, by: Side, how: How) -> None:
        """Note how a side ended."""
        self.call.ended(by, how)
        self.secured.ended(by, how)

    def due(self) -> bytes:
        """Return what is to be sent to the peer, recorded."""
        records = self.session.due()
        if records:
            self.secured.add(self.own, records)
        return records


class _LineWithin(Line):
    """The line of a requestor, within TLS."""

    def __init__(self, line: Line, spoken: _Spoken) -> None:
        super().__init__(line.connection, spoken.call, line.peer)
        self._line = line
        self._session = spoken.session

    async def hear(self) -> bytes:
        """Return what the peer says next within TLS; nothing when it has ended. Raises `OSError`."""
        while not (said := b"".join(self._session.opened())) and not self._session.is_over:
            piece = await self._line.hear()
            if not piece:
                break
            self._session.take(piece)
        if said:
            self.call.add(self.peer, said)
        else:
            self.call.ended(self.peer, "fin")
        return said

    async def say(self, data: bytes) -> None:
        """Send it all, within TLS. Raises `OSError`."""
        self.call.add(self.own, data)
        self._session.seal(data)
        await self._line.say(self._session.due())

    async def close(self) -> None:
        """Say that nothing more comes: close_notify, and FIN."""
        self.call.ended(self.own, "fin")
        self._session.end()
        with contextlib.suppress(OSError):
            await self._line.say(self._session.due())
        await self._line.close()


class _Opener:
    """Reads who speaks TLS: what it says within passes."""

    def __init__(self, spoken: _Spoken, broke: Callable[[OSError], None]) -> None:
        self._spoken = spoken
        self._session = spoken.session
        self._broke = broke

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield what was said within, and what TLS itself answers."""
        by, was_over = self._spoken.peer, self._session.is_over
        if piece:
            self._spoken.secured.add(by, piece)
            self._session.take(piece)
        try:
            for said in self._session.opened():
                self._spoken.call.add(by, said)
                yield Pass(said)
        except ssl.SSLError as error:
            self._broke(error)
        if self._session.is_over and not was_over:
            self._spoken.call.ended(by, "fin")
            yield EndHalf()
        if self._session.has_due:
            yield Answer(b"")  # the sealer has the records, and keeps their order

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield nothing: a record that is not whole says nothing."""
        return iter(())

    def insert(self, data: bytes) -> NoReturn:
        """Raise `AssertionError`: who speaks no TLS is told nothing that the other has not said."""
        raise AssertionError("nothing is inserted behind a TLS session")


class _Sealer:
    """Reads who speaks without TLS: what it says passes within. All that TLS sends goes this way, in its order."""

    def __init__(self, spoken: _Spoken) -> None:
        self._spoken = spoken

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield what came, within TLS."""
        self._spoken.call.add(self._spoken.own, piece)
        self._spoken.session.seal(piece)
        return self._due()

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield the close_notify; a reset is none."""
        if not reset:
            self._spoken.session.end()
        return self._due()

    def insert(self, data: bytes) -> Iterator[Effect]:
        """Yield what TLS itself has to say."""
        return self._due()

    def _due(self) -> Iterator[Effect]:
        if records := self._spoken.due():
            yield Pass(records)
