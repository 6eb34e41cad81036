"""What `guard` and `hearing` do alike at the seams of pynetdicom's upper layer (PS3.8 9.2)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

WAITS_FOR_CLOSE = "Sta13"  # PS3.8 9.2.1
CLOSED, INVALID = "Evt17", "Evt19"  # PS3.8 9.2.2: the connection was closed; an invalid PDU came
_DISCARDED_AT_ONCE = 65536


def take_primitive(dul: Any, following: Callable[[], bool]) -> bool:
    """Hand on what this side wants sent, by the library's own `_process_recv_primitive`, which is `following`.

    One event at a time, and nothing that comes too late: an abort or a response that was queued while the peer broke
    the protocol meets a state in which the state machine knows no such event, and would end its thread.
    """
    if not dul.event_queue.empty():
        return False
    if dul.state_machine.current_state == WAITS_FOR_CLOSE:
        while not dul.to_provider_queue.empty():
            dul.to_provider_queue.get_nowait()
        return False
    return following()


def discard(dul: Any, connection: Any, *, is_ready: bool) -> None:
    """Throw away what still comes while the connection is to be closed, and close it once nothing does."""
    try:
        if is_ready and connection.recv_into(bytearray(_DISCARDED_AT_ONCE)):
            return
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    except OSError:
        pass
    dul.socket.close()


def acknowledge(connection: socket.socket) -> None:
    """Have TCP acknowledge at once: a peer with Nagle's algorithm holds the rest of a message back until it does."""
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
