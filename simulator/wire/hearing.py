"""Reads PDUs for one association that this side requested: bit by bit, with a deadline, and looks at each before.

pynetdicom reads a PDU in one blocking call, so half of one holds up whoever wants to end the association, for as long
as the peer keeps the connection open; and of what it cannot read it says that the peer ended the association.
`Hearing` takes its place at the seams of the library's upper layer, as `guard` does for an association that was
accepted. All of it runs in the association's upper-layer thread, but for what is told.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from typing import Any

from pynetdicom import evt
from pynetdicom.pdu import A_ABORT_RQ

from simulator.wire import pdus, upper_layer
from simulator.wire.incidents import hexadecimal
from simulator.wire.pdus import Fault
from simulator.wire.reassembly import Reassembly
from simulator.wire.upper_layer import CLOSED, INVALID, WAITS_FOR_CLOSE

_READ_AT_ONCE = 262144
_BY_PROVIDER = 2  # who aborts (PS3.8 9.3.8)


class Hearing:
    """The PDUs of one association; made while its connection opens, before anything is sent.

    seconds: for a whole PDU, from its first byte on, and for the peer to take one. maximum_length: of P-DATA-TF, in
    bytes; who sends a longer one is aborted.

    `fault`: what came and could not be taken, in words; the association ends of it. `told`: what came last and could be
    read, in words; `is_ending`: it ends the association, or asks to. `is_closed`: the connection has ended. `is_late`:
    the association ends because of half a PDU, or since the peer takes nothing more.
    """

    def __init__(self, library: Any, seconds: float, maximum_length: int) -> None:
        self._library, self._dul = library, library.dul
        self.seconds = seconds
        self._maximum_length = maximum_length
        self._pdu, self._length = bytearray(), pdus.HEAD
        self._unread = bytearray()  # what somebody else read
        self._moving = threading.Lock()  # held while bytes go from one to the other
        self._began = 0.0
        self._reason = pdus.NOT_SPECIFIED
        self._cannot_send = False  # what the peer said before it left is still to be read
        self.fault = self.told = ""
        self.is_late = self.is_ending = self.is_closed = False
        self._messages = Reassembly(library.dimse)
        self._poll = select.poll()  # not `select`, which fails at file descriptors above 1023
        self._poll.register(self._dul.socket.socket, select.POLLIN)
        self._next_primitive = self._dul._process_recv_primitive
        self._dul._process_recv_primitive = self.take_primitive
        self._dul._is_transport_event = self.look
        self._dul._send = self.send
        library.dimse.receive_primitive = self.receive

    # --- in place of the library's ---------------------------------------------------------------------

    def take_primitive(self) -> bool:
        """Hand on what this side wants sent (in place of `_process_recv_primitive`)."""
        return upper_layer.take_primitive(self._dul, self._next_primitive)

    def look(self) -> bool:
        """Read what came, up to the end of a PDU; return whether anything did (in place of `_is_transport_event`)."""
        connection = self._socket()
        if connection is None or not self._dul.event_queue.empty():
            return False
        try:
            if self._dul.state_machine.current_state == WAITS_FOR_CLOSE:
                self._discard(connection)
                return True
            return not self.fault and self._read(connection)
        except OSError:  # a reset
            self._lost()
            return True

    def send(self, pdu: Any) -> None:
        """Send a PDU (in place of `_send`). A peer that does not take it in time is hung up on."""
        if isinstance(pdu, A_ABORT_RQ) and pdu.source == _BY_PROVIDER:
            pdu.reason_diagnostic = self._reason
        connection = self._socket()
        if connection is None:
            return
        encoded = pdu.encode()
        try:
            connection.settimeout(self.seconds)
            connection.sendall(encoded)
            connection.settimeout(None)
        except TimeoutError:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            self.is_late = True
            self._lost()
            return
        except OSError:
            self._cannot_send = True
            return
        evt.trigger(self._library, evt.EVT_DATA_SENT, {"data": encoded})
        evt.trigger(self._library, evt.EVT_PDU_SENT, {"pdu": pdu})

    def receive(self, primitive: Any) -> None:
        """Take in the PDVs of one P-DATA-TF (in place of `receive_primitive`)."""
        fault = self._messages.take(primitive)
        if fault is not None:
            self._refuse(fault.words, fault.reason)

    # --- a PDU, bit by bit -----------------------------------------------------------------------------

    def give(self, data: bytes | bytearray) -> None:
        """Take in what somebody else read off the connection, as if it came now."""
        self._unread += data

    @property
    def is_in_the_middle(self) -> bool:
        """Whether bytes have come that are no whole PDU yet, or were not looked at."""
        return bool(self._pdu or self._unread)

    def _read(self, connection: socket.socket) -> bool:
        came = False
        while (count := self._read_some(connection)) is not None:
            came = True
            if count == 0:
                self._lost()
                return True
            if len(self._pdu) == pdus.HEAD and not self._head_fits():
                return True
            if len(self._pdu) == self._length:
                self._whole(bytes(self._pdu))
                return True
        if self._pdu and time.monotonic() - self._began > self.seconds:
            self.is_late = True
            self._refuse(self.unfinished)
        elif self._cannot_send:
            self._lost()
        return came

    def _read_some(self, connection: socket.socket) -> int | None:
        """Read some of the PDU and return how many bytes, 0 at the end of the stream; None: nothing has come."""
        with self._moving:
            data = self._piece(connection, self._length - len(self._pdu))
            if not self._pdu:
                self._began = time.monotonic()
            self._pdu += data or b""
            return None if data is None else len(data)

    def _piece(self, connection: socket.socket, wanted: int) -> bytes | None:
        """Return some of the next bytes, none at the end of the stream; None: nothing has come."""
        if self._unread:
            data = bytes(self._unread[:wanted])
            del self._unread[:wanted]
            return data
        if not self._is_ready(connection):
            return None
        connection.settimeout(0.0)
        try:
            return connection.recv(min(wanted, _READ_AT_ONCE))
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        finally:
            connection.settimeout(None)

    def _head_fits(self) -> bool:
        """Note how long the PDU is, unless its head tells that it is none."""
        head = bytes(self._pdu)
        kind, _, length = struct.unpack(">BBL", head)
        if kind not in pdus.NAMES:
            self._refuse(f"bytes that are no PDU ({hexadecimal(head)}){_hint(head)}", pdus.UNRECOGNISED_PDU)
            return False
        fault = pdus.length_fault(kind, length, self._maximum_length)
        if fault is not None:
            self._refuse(fault.words, fault.reason)
            return False
        self._length = pdus.HEAD + length
        return True

    def _whole(self, pdu: bytes) -> None:
        """Hand a whole PDU to the state machine, or refuse it."""
        self._pdu, self._length = bytearray(), pdus.HEAD
        kind, name = pdu[0], pdus.name(pdu[0])
        fault = self._data_fault(pdu) if kind == pdus.P_DATA_TF else None
        if fault is not None:
            self._refuse(fault.words, fault.reason)
            return
        try:
            decoded, event = self._dul._decode_pdu(pdu)
            if kind != pdus.P_DATA_TF:
                decoded.to_primitive()  # the state machine will, and its thread would die of what this raises
        except Exception:  # noqa: BLE001 - whatever the library raises, the peer's bytes were the reason
            self._refuse(f"{name} that cannot be read ({hexadecimal(pdu)})", pdus.INVALID_PARAMETER)
            return
        self.told = f"{name}, source {pdu[8]}, reason {pdu[9]}" if kind == pdus.ABORT else name
        self.is_ending = kind in (pdus.ABORT, pdus.RELEASE_RQ)
        self._dul._recv_pdu.put(decoded)
        self._dul.event_queue.put(event)

    def _data_fault(self, pdu: bytes) -> Fault | None:
        accepted = self._library._accepted_cx
        return pdus.data_fault(pdu, accepted) if accepted else None  # before, no P-DATA-TF is expected at all

    def _refuse(self, words: str, reason: int = pdus.NOT_SPECIFIED) -> None:
        """Have the state machine abort for what came (event 19)."""
        self.fault, self._reason = words, reason
        self._dul.event_queue.put(INVALID)

    def _lost(self) -> None:
        self.is_closed = True
        self._dul.event_queue.put(CLOSED)

    def _discard(self, connection: socket.socket) -> None:
        self._unread.clear()
        is_ready = self._is_ready(connection)
        connection.settimeout(0.0)
        upper_layer.discard(self._dul, connection, is_ready=is_ready)

    def _is_ready(self, connection: socket.socket) -> bool:
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        return bool(self._poll.poll(0))

    def _socket(self) -> socket.socket | None:
        wrapped = self._dul.socket
        return None if wrapped is None else wrapped.socket

    # --- what is told ----------------------------------------------------------------------------------

    @property
    def unfinished(self) -> str:
        """What came and is not whole, in words; empty where nothing is."""
        with self._moving:
            begun = bytes(self._pdu + self._unread)
        if len(begun) >= pdus.HEAD:
            kind, _, length = struct.unpack_from(">BBL", begun)
            return f"the beginning of {pdus.name(kind)} announced with {length} bytes"
        if begun:
            return f"the beginning of a PDU ({hexadecimal(begun)})"
        return "the beginning of a message" if self._messages.size else ""


def _hint(head: bytes) -> str:
    """Say who it is that speaks no DICOM."""
    if head.startswith(b"HTTP"):
        return ": a web server listens there"
    if head.startswith(b"\x15\x03"):  # an alert (RFC 8446 5.1)
        return ": it speaks TLS, and this side does not"
    return ""
