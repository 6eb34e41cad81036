"""MLLP, the framing that carries HL7 v2 over TCP (HL7 v2 Transport Specification: MLLP release 1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hl7.mllp import (
    HL7StreamReader,
    HL7StreamWriter,
    InvalidBlockError,
    open_hl7_connection,
    start_hl7_server,
)

from simulator.errors import PeerAborted, PeerSilent, PeerUnreachable, StartError

LIMIT = 4 * 1024 * 1024
MessageService = Callable[[bytes], bytes]

_LOG = logging.getLogger(__name__)


class MllpListener:
    """Listens for HL7 messages on the running event loop and answers each with what `on_message` returns.

    `on_message` gets the bytes between the block characters; it runs in a worker thread. Bytes that are not
    an MLLP block (larger than 4 MiB, or without the start character) go to `on_garbage`, and the connection ends.
    """

    def __init__(self, host: str, port: int, on_message: MessageService, on_garbage: Callable[[bytes], None]) -> None:
        self._where = (host, port)
        self._on_message = on_message
        self._on_garbage = on_garbage
        self._server: asyncio.Server | None = None
        self._writers: set[HL7StreamWriter] = set()

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
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()

    async def _converse(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._answer_blocks(reader, writer)
        except ConnectionError as error:
            _LOG.warning("an HL7 connection broke: %s", error)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer_blocks(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        while True:
            try:
                block = await reader.readblock()
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    await asyncio.to_thread(self._on_garbage, error.partial)
                return
            except (InvalidBlockError, ValueError) as error:
                await asyncio.to_thread(self._on_garbage, str(error).encode())
                return
            writer.writeblock(await asyncio.to_thread(self._on_message, block))
            await writer.drain()


def exchange(host: str, port: int, message: bytes, time_out: float = 30.0) -> bytes:
    """Send one message and return the bytes of its acknowledgement; `time_out` in seconds.

    Raises `PeerUnreachable`, `PeerAborted` (closed without an answer) or `PeerSilent`.
    """
    return asyncio.run(_exchange(host, port, message, time_out))


async def _exchange(host: str, port: int, message: bytes, time_out: float) -> bytes:
    try:
        reader, writer = await asyncio.wait_for(open_hl7_connection(host, port, limit=LIMIT), time_out)
    except (OSError, TimeoutError) as error:
        raise PeerUnreachable(f"no HL7 listener at {host}:{port} ({error or 'no answer'})") from error
    try:
        writer.writeblock(message)
        await writer.drain()
        return bytes(await asyncio.wait_for(reader.readblock(), time_out))
    except TimeoutError as error:
        raise PeerSilent(f"{host}:{port} sent no acknowledgement within {time_out:g} s") from error
    except (ConnectionError, asyncio.IncompleteReadError, InvalidBlockError) as error:
        raise PeerAborted(f"{host}:{port} closed the connection without a whole acknowledgement") from error
    finally:
        writer.close()
