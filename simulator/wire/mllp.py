"""MLLP, the framing that carries HL7 v2 over TCP (HL7 v2 Transport Specification: MLLP release 1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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

LIMIT = 4 * 1024 * 1024
_END = END_BLOCK + CARRIAGE_RETURN
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
        try:
            await self._answer_blocks(reader, writer)
        except ConnectionError as error:
            _LOG.warning("an HL7 connection broke: %s", error)
        finally:
            del self._conversations[conversation]
            writer.close()

    async def _answer_blocks(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        # Not the library's `readblock`: it throws away the bytes of what is no block.
        while True:
            try:
                block = await reader.readuntil(_END)
            except asyncio.IncompleteReadError as error:
                block = error.partial
            except asyncio.LimitOverrunError as error:
                block = await reader.read(error.consumed)
            if not (block.startswith(START_BLOCK) and block.endswith(_END)):
                if block:
                    await asyncio.to_thread(self._on_garbage, block)
                return
            message = block.removeprefix(START_BLOCK).removesuffix(_END)
            writer.writeblock(await asyncio.to_thread(self._on_message, message))
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
        raise PeerUnreachable(f"no HL7 listener at {host}:{port} ({str(error) or 'no answer'})") from error
    try:
        async with asyncio.timeout(time_out):
            writer.writeblock(message)
            await writer.drain()
            return bytes(await reader.readblock())
    except TimeoutError as error:
        raise PeerSilent(f"{host}:{port} sent no acknowledgement within {time_out:g} s") from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise PeerAborted(f"{host}:{port} closed the connection without a whole acknowledgement") from error
    except (InvalidBlockError, ValueError) as error:
        raise PeerAborted(f"{host}:{port} answered with bytes that are no MLLP block ({error})") from error
    finally:
        writer.transport.abort()  # whatever was not sent by now never will be
