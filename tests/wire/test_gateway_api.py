"""The reader of the gateway's HTTP API before servers that are no gateway (`tests/gateway/test_api` has one)."""

from __future__ import annotations

import socket

import pytest

from simulator.errors import HarnessError, PeerUnreachable
from simulator.wire.gateway_api import GatewayApi
from tests.wire.sockets import closed_port, peer, read_until


def answering(head: str, body: str) -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def test_nobody_there() -> None:
    with closed_port() as port:
        api = GatewayApi(f"http://127.0.0.1:{port}")
        with pytest.raises(PeerUnreachable, match=f"no gateway answers at http://127.0.0.1:{port}"):
            api.status()
        with pytest.raises(PeerUnreachable, match="stopped telling its events"):
            next(api.events())


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://[", ""])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises((HarnessError, PeerUnreachable)):
        GatewayApi(url).status()
    with pytest.raises((HarnessError, PeerUnreachable)):
        next(GatewayApi(url).events())


@pytest.mark.parametrize(
    "answer",
    [
        answering("200 OK", "<html>"),
        answering("200 OK", "[]"),
        answering("200 OK", "{}"),
        answering("404 Not Found", "{}"),
        answering("500 Internal Server Error", ""),
    ],
)
def test_another_server_is_no_gateway(answer: bytes) -> None:
    def converse(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(answer)

    with peer(converse) as port, pytest.raises(HarnessError, match="is no gateway of this simulator"):
        GatewayApi(f"http://127.0.0.1:{port}").status()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        answering("404 Not Found", ""),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n",  # a gateway that is killed
        answering("200 OK", "<html>\n"),
        answering("200 OK", "{}\n"),
        answering("200 OK", "[]\n"),
    ],
)
def test_a_stream_that_breaks(answer: bytes) -> None:
    def converse(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(answer)

    with peer(converse) as port, pytest.raises((HarnessError, PeerUnreachable)):
        list(GatewayApi(f"http://127.0.0.1:{port}").events())
