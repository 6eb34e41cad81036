"""The port of the gateway's HTTP API: on loopback alone, and served under the gateway's own signal handling."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from simulator.errors import StartError

LOOPBACK = "127.0.0.1"
_TICK_SECONDS = 1.0


class HttpServer(uvicorn.Server):
    """uvicorn under the gateway's own signal handling; `listening` is set once it serves.

    It stops when it is told to and not at the next of uvicorn's looks, which come every 0.1 s at each step of the end.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Have `serve` end once what is being answered is answered."""
        self.should_exit = True
        self._stopping.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the gateway."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and say so."""
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Serve until `stop`; a tick each second brings the Date of the answers up to now."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, let what is being answered go to its end, and give up on who does not read it."""
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        answering = list(self.server_state.tasks)
        if answering:
            _, unread = await asyncio.wait(answering, timeout=self.config.timeout_graceful_shutdown)
            for task in unread:
                task.cancel()


def http_socket(port: int) -> socket.socket:
    """Return a socket for HTTP: on loopback alone, since the API asks nobody who he is."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise StartError(
            f"cannot listen for HTTP on {LOOPBACK}:{port}: {error.strerror}",
            "another program uses the port; gateway.http_port in the site profile sets another, 0 takes any",
        ) from error
    return listener
