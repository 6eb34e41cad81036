"""MLLP, the framing that carries HL7 v2 over TCP (HL7 v2 Transport Specification: MLLP release 1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from hl7.mllp import (
    HL7StreamReader,
    HL7StreamWriter,
    InvalidBlockError,
    open_hl7_connection,
    start_hl7_server,
)
from hl7.mllp.streams import CARRIAGE_RETURN, END_BLOCK, START_BLOCK

from simulator.errors import PeerAborted, PeerSilent, PeerUnreachable, StartError
from simulator.wire.incidents import Incident, Tell, hexadecimal

LIMIT = 4 * 1024 * 1024
_END = END_BLOCK + CARRIAGE_RETURN
_PIECE = 65536
_GARBAGE_SECONDS = 2.0  # for the rest of what is no block: nobody gains by more of it
MessageService = Callable[[bytes], Sequence[bytes]]

_LOG = logging.getLogger(__name__)


class MllpListener:
    """Listens for HL7 messages on the running event loop and answers each with the blocks that `on_message` returns.

    All of them go back on the connection on which the message came, in their order. `on_message` gets the bytes
    between the block characters; it runs in a worker thread. Bytes that are not an MLLP block (larger than 4 MiB, not
    whole within `time_out` seconds, or without the start character) go to `on_garbage`, `tell` hears of them, and the
    connection ends. Between blocks a sender may take all the time it wants.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_message: MessageService,
        on_garbage: Callable[[bytes], None],
        *,
        tell: Tell | None = None,
        time_out: float = 30.0,
        maximum_connections: int = 100,
    ) -> None:
        self._where = (host, port)
        self._on_message = on_message
        self._on_garbage = on_garbage
        self._tell = tell or _log
        self._time_out = time_out
        self._maximum_connections = maximum_connections
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], HL7StreamWriter] = {}

    async def start(self) -> int:
        """Listen, and return the port. Raises `StartError` when the port cannot be had."""
        host, port = self._where
        try:
            self._server = await start_hl7_server(self._converse, host, port, limit=LIMIT)
        except OSError as error:
            raise StartError(
                f"cannot listen for HL7 on {host}:{port}: {error.strerror or error}",
                "another program uses the port, or the address is not this machine's; port 0 takes any free one",
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and cut every connection; a message in hand is dealt with to its end."""
        if self._server is not None:
            self._server.close()
            conversations = dict(self._conversations)
            for writer in conversations.values():
                writer.transport.abort()
            await asyncio.gather(*conversations, return_exceptions=True)
            await self._server.wait_closed()

    async def _converse(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        conversation: Any = asyncio.current_task()
        self._conversations[conversation] = writer
        peer = _peer(writer)
        try:
            if len(self._conversations) > self._maximum_connections:
                words = f"{self._maximum_connections} HL7 connections are open, and this is one more"
                await self._told(Incident(peer, "connections.limit", words, "hang-up"))
                return
            await self._answer_blocks(reader, writer, peer)
        except TimeoutError:
            words = f"it did not take an acknowledgement within {self._time_out:g} s"
            await self._told(Incident(peer, "time-out.mllp", words, "hang-up"))
        except ConnectionError as error:
            _LOG.warning("the HL7 connection of %s broke: %s", peer, error)
        finally:
            del self._conversations[conversation]
            writer.close()

    async def _answer_blocks(self, reader: HL7StreamReader, writer: HL7StreamWriter, peer: str) -> None:
        blocks = _Blocks(reader, self._time_out)
        while block := await blocks.next():
            if blocks.fault is not None:
                problem, words = blocks.fault
                await asyncio.to_thread(self._on_garbage, block)
                await self._told(Incident(peer, problem, f"{words} ({hexadecimal(block)})", "hang-up"))
                return
            message = block.removeprefix(START_BLOCK).removesuffix(_END)
            for answer in await asyncio.to_thread(self._on_message, message):
                writer.writeblock(answer)
            async with asyncio.timeout(self._time_out):
                await writer.drain()

    async def _told(self, incident: Incident) -> None:
        await asyncio.to_thread(self._tell, incident)


class _Blocks:
    """Takes blocks off a stream. Not the library's `readblock`: it throws away the bytes of what is no block."""

    def __init__(self, reader: HL7StreamReader, time_out: float) -> None:
        self.fault: tuple[str, str] | None = None
        self._reader = reader
        self._time_out = time_out
        self._came = bytearray()

    async def next(self) -> bytes:
        """Return the next block, or what came instead with `fault` saying why it is none; nothing at the end."""
        if not self._came:
            self._came += await self._reader.read(_PIECE)
        if not self._came:
            return b""
        framed = self._came.startswith(START_BLOCK)
        seconds = self._time_out if framed else min(self._time_out, _GARBAGE_SECONDS)
        how = "mllp.cut", "the connection ended in the middle of an MLLP block"
        try:
            async with asyncio.timeout(seconds):
                whole = await self._to_the_end()
        except TimeoutError:
            how, whole = ("time-out.mllp", f"an MLLP block that was not whole within {seconds:g} s"), False
        if not framed:
            self.fault = "mllp.garbage", _stranger(bytes(self._came[:8]))
        elif len(self._came) > LIMIT and not whole:
            self.fault = "mllp.too-long", f"an MLLP block of more than {LIMIT} bytes"
        elif not whole:
            self.fault = how
        end = self._came.find(_END) + len(_END) if whole else len(self._came)
        block = bytes(self._came[:end])
        del self._came[:end]
        return block

    async def _to_the_end(self) -> bool:
        """Read on until a block's end is there; False when it is too long, or the stream ends before."""
        looked = 0
        while self._came.find(_END, max(0, looked - 1)) < 0:
            looked = len(self._came)
            if looked > LIMIT or not (piece := await self._reader.read(_PIECE)):
                return False
            self._came += piece
        return True


def _stranger(head: bytes) -> str:
    """Say what a peer speaks that sends no MLLP block."""
    if head.startswith(b"\x16\x03"):
        return "a TLS handshake: the peer speaks TLS to the HL7 port, which has none"
    if head.startswith(b"\x01\x00"):
        return "an A-ASSOCIATE-RQ: the peer speaks DICOM to the HL7 port"
    if head.startswith((b"GET ", b"POST", b"HEAD", b"PUT ")):
        return "an HTTP request: the peer takes the HL7 port for a web address"
    return "bytes without the start block character 0BH"


def _peer(writer: HL7StreamWriter) -> str:
    address = writer.get_extra_info("peername") or ("unknown", 0)
    return f"{address[0]}:{address[1]}"


def _log(incident: Incident) -> None:
    _LOG.warning("%s", incident)


def exchange(host: str, port: int, message: bytes, time_out: float = 30.0) -> bytes:
    """Send one message and return the bytes of its acknowledgement; `time_out` in seconds.

    Raises `PeerUnreachable`, `PeerAborted` (closed without an answer) or `PeerSilent`.
    """
    answers: list[bytes] = []

    def take(answer: bytes) -> float:
        answers.append(answer)
        return 0.0

    converse(host, port, message, take, time_out, time_out)
    return answers[0]


def converse(
    host: str, port: int, message: bytes, take: Callable[[bytes], float], wait: float, time_out: float = 30.0
) -> None:
    """Send one message and give `take` each block that comes back; it returns how long to wait for another.

    `wait` is how long to wait for the first. All are seconds, and 0 ends the conversation. Raises `PeerUnreachable`,
    `PeerAborted` (closed while a block was waited for) or `PeerSilent`.
    """
    asyncio.run(_converse(host, port, message, take, wait, time_out))


async def _converse(
    host: str, port: int, message: bytes, take: Callable[[bytes], float], wait: float, time_out: float
) -> None:
    try:
        reader, writer = await asyncio.wait_for(open_hl7_connection(host, port, limit=LIMIT), time_out)
    except (OSError, TimeoutError) as error:
        raise PeerUnreachable(f"no HL7 listener at {host}:{port} ({str(error) or 'no answer'})") from error
    is_closed = False
    try:
        async with asyncio.timeout(time_out):
            writer.writeblock(message)
            await writer.drain()
        while wait > 0:
            async with asyncio.timeout(wait):
                block = bytes(await reader.readblock())
            wait = take(block)
        writer.close()
        async with asyncio.timeout(time_out):
            await writer.wait_closed()  # what nobody answers must still be sent whole
        is_closed = True
    except TimeoutError as error:
        raise PeerSilent(f"{host}:{port} sent no acknowledgement within {wait or time_out:g} s") from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise PeerAborted(f"{host}:{port} closed the connection without a whole acknowledgement") from error
    except (InvalidBlockError, ValueError) as error:
        raise PeerAborted(f"{host}:{port} answered with bytes that are no MLLP block ({error})") from error
    finally:
        if not is_closed:  # or asyncio stumbles
            writer.transport.abort()  # whatever was not sent by now never will be
