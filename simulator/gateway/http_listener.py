"""The port of the gateway's HTTP API: on loopback alone, and served under the gateway's own signal handling."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from simulator.errors import StartError

LOOPBACK = "127.0.0.1"


class HttpServer(uvicorn.Server):
    """uvicorn under the gateway's own signal handling; `listening` is set once it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the gateway."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and say so."""
        await super().startup(sockets)
        self.listening.set()


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
