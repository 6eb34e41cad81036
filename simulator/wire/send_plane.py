"""Sends C-STORE and C-ECHO on one association that this side requested, past pynetdicom's queues and copies.

The encoded data set goes out between ready-made heads of P-DATA-TF, by `sendmsg` and as it lies in memory; the
response is read off the socket by the thread that waits for it. pynetdicom negotiates before, and releases or aborts
after. Only one may read the socket at a time: who has `_line`. The sending thread takes it with the first message and
gives it back before pynetdicom is asked for anything.

What is read and is not the plain response (one P-DATA-TF with one whole command set that answers the request, and
nothing behind it) goes to the `Hearing`, byte for byte, as if it came now, and from there to pynetdicom: an A-ABORT, a
response in fragments, a request of the peer. Handlers of EVT_DATA_SENT and EVT_DATA_RECV get every PDU, as on
pynetdicom's own path.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

from pynetdicom import evt

from simulator.errors import NotDicom
from simulator.wire import command_set, store_plane, upper_layer
from simulator.wire.command_set import CommandSet
from simulator.wire.hearing import Hearing
from simulator.wire.pdus import HEAD, P_DATA_TF
from simulator.wire.store_plane import COMMAND, LAST, PDU_AND_PDV_HEAD

LONGEST_PDU = 131072
"""Bytes of a P-DATA-TF behind its head, also for a peer that takes more: longer ones are slower."""

_SHORTEST_PDU = 64  # a peer that takes less is left to pynetdicom
_PDV_HEAD = 6
_PIECES_AT_ONCE = 512  # IOV_MAX is 1024 on Linux and macOS
_READ_AT_ONCE = 65536
_POLL_SECONDS = 0.05
_UNASKED_SECONDS = 1.0
_LIBRARY_SECONDS = 0.001  # the pace of pynetdicom's loop, which says nothing of what it has read

_Piece = bytes | memoryview


class SendPlane:
    """The plane of one association; made before anything is negotiated, while its connection opens."""

    def __init__(self, library: Any, hearing: Hearing) -> None:
        self._library, self._dul, self._hearing = library, library.dul, hearing
        self._line = threading.Lock()
        self._holds_line = False
        self._in_hand = False  # something was read, and pynetdicom's loop has not come round since
        self._read = bytearray()  # what was read here
        self._buffer = memoryview(bytearray(_READ_AT_ONCE))
        connection = self._connection()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(connection, select.POLLIN)
        self._writable.register(connection, select.POLLOUT)
        self._dul._is_transport_event = self.look

    # --- pynetdicom's turn -----------------------------------------------------------------------------

    def look(self) -> bool:
        """Have a PDU read for pynetdicom, if that may be (in place of its `_is_transport_event`; in its thread)."""
        if not self._line.acquire(timeout=_POLL_SECONDS):
            return False
        try:
            self._in_hand = self._hearing.look()
            return self._in_hand
        finally:
            self._line.release()

    def hand_back(self) -> None:
        """Let pynetdicom have what comes again, and first what was read here."""
        if self._holds_line:
            self._hearing.give(self._read)
            self._read.clear()
            self._holds_line = False
            self._line.release()

    # --- one message -----------------------------------------------------------------------------------

    def is_clear(self) -> bool:
        """Take the line; tell whether a message can be sent on it.

        It cannot when the peer says something that nobody asked for (it aborts, releases, closes, requests): that is
        pynetdicom's, and so is the message that was to be sent.
        """
        if not self._holds_line:
            self._line.acquire()
            self._holds_line = True
        if not self._is_spoken_to():
            return True
        self.hand_back()
        deadline = time.monotonic() + _UNASKED_SECONDS
        while self._is_spoken_to() and self._dul.is_alive() and time.monotonic() < deadline:
            time.sleep(_LIBRARY_SECONDS)
        return False

    def _is_spoken_to(self) -> bool:
        return self._in_hand or self._hearing.is_in_the_middle or bool(self._readable.poll(0))

    def exchange(self, context_id: int, request: CommandSet, data: bytes, patience: float) -> CommandSet | None:
        """Send a request, with its data set if there is any, and return the response; None: pynetdicom gets it.

        Only after `is_clear`. patience: seconds for the peer to take some of it, and then to answer. Raises
        `TimeoutError` when it does neither, `NotDicom` when its answer is no command set.
        """
        try:
            self._send(list(self._pieces(context_id, request.encode(), data)), patience)
            return self._response(context_id, request, patience)
        except NotDicom:
            self._read.clear()  # it was looked at
            self.hand_back()
            raise
        except TimeoutError:
            self.hand_back()
            raise
        except OSError:
            self.hand_back()  # pynetdicom meets the same, and ends the association
            return None

    @property
    def takes(self) -> bool:
        """Whether the peer takes PDUs that are worth it."""
        return self._dul.socket is not None and (self._maximum == 0 or self._maximum >= _SHORTEST_PDU)

    @property
    def _maximum(self) -> int:
        return int(self._library.acceptor.maximum_length or 0)

    def _pieces(self, context_id: int, command: bytes, data: bytes) -> Iterator[_Piece]:
        """Yield the P-DATA-TFs of a message: each a head and a fragment."""
        size = (min(self._maximum or LONGEST_PDU, LONGEST_PDU) - _PDV_HEAD) & ~1  # fragments are even (PS3.8 F.1)
        for part, kind in ((command, COMMAND), (data, 0)):
            whole, view = len(part), memoryview(part)
            head = PDU_AND_PDV_HEAD.pack(P_DATA_TF, 0, size + _PDV_HEAD, size + 2, context_id, kind)
            for at in range(0, whole, size):
                left = whole - at
                if left > size:
                    yield head
                    yield view[at : at + size]
                else:
                    yield PDU_AND_PDV_HEAD.pack(P_DATA_TF, 0, left + _PDV_HEAD, left + 2, context_id, kind | LAST)
                    yield view[at:]

    def _send(self, pieces: list[_Piece], patience: float) -> None:
        connection = self._connection()
        try:
            if isinstance(connection, ssl.SSLSocket):
                self._send_secured(connection, pieces, patience)
            else:
                for at in range(0, len(pieces), _PIECES_AT_ONCE):
                    self._send_at_once(connection, pieces[at : at + _PIECES_AT_ONCE], patience)
        except TimeoutError:
            connection.shutdown(socket.SHUT_RDWR)  # no A-ABORT has room in the middle of a PDU
            raise
        if self._library.get_handlers(evt.EVT_DATA_SENT):
            for head, fragment in zip(pieces[::2], pieces[1::2], strict=True):
                evt.trigger(self._library, evt.EVT_DATA_SENT, {"data": b"".join((head, fragment))})

    def _send_at_once(self, connection: socket.socket, pieces: list[_Piece], patience: float) -> None:
        while pieces:
            try:
                sent = connection.sendmsg(pieces, (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                if not self._writable.poll(patience * 1000):
                    raise TimeoutError from None
                continue
            pieces = _behind(pieces, sent)

    def _send_secured(self, connection: ssl.SSLSocket, pieces: list[_Piece], patience: float) -> None:
        connection.settimeout(patience)
        try:
            for head, fragment in zip(pieces[::2], pieces[1::2], strict=True):
                connection.sendall(b"".join((head, fragment)))
        finally:
            connection.settimeout(None)

    # --- its response ----------------------------------------------------------------------------------

    def _response(self, context_id: int, request: CommandSet, patience: float) -> CommandSet | None:
        """Read until a whole PDU is there; return the response, or hand over what it is instead."""
        deadline, has_begun = time.monotonic() + patience, False
        while not self._has_pdu():
            if not self._read_more(deadline):
                self.hand_back()
                return None
            if not has_begun:
                has_begun, deadline = True, min(deadline, time.monotonic() + self._hearing.seconds)
        found = self._plain(context_id, request)
        if found is None:
            self.hand_back()
            return None
        if self._library.get_handlers(evt.EVT_DATA_RECV):
            evt.trigger(self._library, evt.EVT_DATA_RECV, {"data": bytes(self._read)})
        self._read.clear()
        return found

    def _has_pdu(self) -> bool:
        """Tell whether what was read is a whole PDU, or shows that it is no P-DATA-TF."""
        if len(self._read) < HEAD:
            return False
        kind, _, length = struct.unpack_from(">BBL", self._read)
        return bool(kind != P_DATA_TF or length > LONGEST_PDU or len(self._read) >= HEAD + length)

    def _read_more(self, deadline: float) -> bool:
        """Read what has come; False at the end of the stream. Raises `TimeoutError`."""
        connection = self._connection()
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if isinstance(connection, ssl.SSLSocket):
            count = self._secured(connection, left)
        elif self._readable.poll(left * 1000):
            count = connection.recv_into(self._buffer)
        else:
            raise TimeoutError
        self._read += self._buffer[:count]
        if count and not self._has_pdu():
            upper_layer.acknowledge(connection)
        return bool(count)

    def _secured(self, connection: ssl.SSLSocket, seconds: float) -> int:
        """Read what has come over TLS, which the connection itself cannot tell; return how many bytes."""
        connection.settimeout(seconds)
        try:
            return connection.recv_into(self._buffer)
        finally:
            connection.settimeout(None)

    def _plain(self, context_id: int, request: CommandSet) -> CommandSet | None:
        """Return the response when what was read is its plain shape, and nothing stands behind it."""
        data = bytes(self._read)
        if len(data) < PDU_AND_PDV_HEAD.size:
            return None
        kind, _, length, pdv_length, context, control = PDU_AND_PDV_HEAD.unpack_from(data)
        expected = (P_DATA_TF, len(data) - HEAD, len(data) - HEAD - 4, context_id, COMMAND | LAST)
        if (kind, length, pdv_length, context, control) != expected:
            return None
        response = command_set.decode(data[PDU_AND_PDV_HEAD.size :])
        if response.number(command_set.COMMAND_FIELD) not in command_set.KINDS:
            raise NotDicom(f"command set: {response.kind} is none of the standard's")
        return response if store_plane.answers(response, request) else None

    def _connection(self) -> socket.socket:
        wrapped = self._dul.socket
        if wrapped is None or wrapped.socket is None:
            raise ConnectionResetError("the connection is closed")
        connection: socket.socket = wrapped.socket
        return connection


def _behind(pieces: list[_Piece], sent: int) -> list[_Piece]:
    """Return what is left of the pieces once so many bytes of them are sent."""
    for number, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[number + 1 :]]
        sent -= len(piece)
    return []
