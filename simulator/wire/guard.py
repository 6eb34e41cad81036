"""Reads PDUs for one accepted association: bit by bit, with deadlines, and nothing that is not looked at first.

pynetdicom reads a PDU in one blocking call, so a half-sent one never times out, and decodes what it gets in a thread
that dies of some of it. `Guard` takes its place at the seams of the library's upper layer: looking for what came
(`_is_transport_event`), sending (`_process_recv_primitive`, `_send`), and what becomes of a whole PDV or message. The
state machine and everything above stay the library's. All of it runs in the association's upper-layer thread, but for
`serve`. While the association is established and nothing else is under way, a `ReceivePlane` reads first.

What a peer does wrong is answered as PS3.8 table 9-10 says: A-ABORT, or a hang-up before anything was requested.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pynetdicom import evt
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ

from simulator.wire import pdus, upper_layer
from simulator.wire.incidents import AssociationRequest, Incident, Rejection, Tell, hexadecimal
from simulator.wire.incidents import rejection as rejected
from simulator.wire.pdus import Fault
from simulator.wire.reassembly import Reassembly
from simulator.wire.receive_plane import PlainService, ReceivePlane, WakingQueue
from simulator.wire.terms import TimeOuts
from simulator.wire.upper_layer import CLOSED, INVALID, WAITS_FOR_CLOSE

_READ_AT_ONCE = 262144
_REST_SECONDS = 0.05  # for the reactor, unless it is needed before
_MORE_SECONDS = 0.02  # to wait for more of a PDU before the rest of the upper layer gets its turn

_LOG = logging.getLogger(__name__)
_WAITS_FOR_REQUEST, _ESTABLISHED = "Sta2", "Sta6"  # PS3.8 9.2.1
# Before this side knows of the connection, and while it owes an answer to a request or a release: what is sent then
# waits. A peer that is in a hurry breaks nothing, and the library's two threads cannot get into each other's way.
_OUR_TURN = frozenset(("Sta1", "Sta3", "Sta8"))
# Awaiting A-RELEASE-RP, after A-RELEASE-RQ of this side, or of both (PS3.8 9.2.1).
_HAS_RELEASED = frozenset(("Sta7", "Sta9", "Sta10", "Sta11", "Sta12"))
_TIMER_EXPIRED = "Evt18"


@dataclass(frozen=True, slots=True)
class Settings:
    """What all associations of one acceptor share; `maximum_length`: of P-DATA-TF, as announced.

    service: serves plain C-STORE requests past pynetdicom; without it, that does.
    """

    time_outs: TimeOuts
    maximum_length: int
    maximum_connections: int
    tell: Tell
    service: PlainService | None = None


class Guard:
    """The upper layer's eyes for one association; made before the association's threads start."""

    def __init__(self, association: Any, address: str, port: int, settings: Settings) -> None:
        self.request: AssociationRequest | None = None
        self.rejection: Rejection | None = None
        self._association = association
        self._dul = association.dul
        self._peer = (address, port)
        self._settings = settings
        connection = self._dul.socket.socket
        connection.settimeout(0.0)  # sending alone waits, see `send`
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._pdu, self._got = bytearray(pdus.HEAD), 0
        self._pdu_began = self._last = self._opened = time.monotonic()
        self._messages = Reassembly(association.dimse)
        self._serving = ""
        self._fault: Fault | None = None
        self._told = False
        self.plane: ReceivePlane | None = None
        if settings.service is not None:
            self.plane = self._plane(connection, settings.service)
        self._serve: Callable[[Any, int], None] = self._association._serve_request
        self._next_primitive: Callable[[], bool] = self._dul._process_recv_primitive
        self._dul._process_recv_primitive = self.take_primitive
        self._dul._is_transport_event = self.look
        self._dul._send = self.send
        self._association.dimse.receive_primitive = self.receive
        self._association._serve_request = self.serve

    def _plane(self, connection: socket.socket, service: PlainService) -> ReceivePlane:
        self._primitives = self._dul.to_provider_queue = WakingQueue()
        self._poll_both = select.poll()
        self._poll_both.register(connection, select.POLLIN)
        self._poll_both.register(self._primitives.bell, select.POLLIN)
        self._bell = self._primitives.bell.fileno()
        self._is_secured = isinstance(connection, ssl.SSLSocket)
        plane = ReceivePlane(self._association, self._settings.maximum_length, service, self._send_encoded)
        self._association._reactor_checkpoint = _Rest(plane.left)
        return plane

    def close(self) -> None:
        """Give back what was needed while the connection was open."""
        if self.plane is not None:
            self._primitives.close()
            self.plane.close()

    # --- what this side wants to send ------------------------------------------------------------------

    def take_primitive(self) -> bool:
        """Hand on what the association's thread wants sent (in place of the library's `_process_recv_primitive`)."""
        return upper_layer.take_primitive(self._dul, self._next_primitive)

    # --- what comes ------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Read what came; return whether anything did. The library asks once in each turn of its loop."""
        connection = self._socket()
        state = self._dul.state_machine.current_state
        if connection is None or state in _OUR_TURN or not self._dul.event_queue.empty():
            return False
        if state == WAITS_FOR_CLOSE:
            return self._drain(connection)
        if self._fault is not None:
            return False  # the state machine is about to answer it
        try:
            if self.plane is not None and self._is_free(state) and self._run_plane(self.plane, connection):
                return False
            if not self._ready(connection):
                if self._got or self._association.dimse.message is not None:
                    upper_layer.acknowledge(connection)
                self._check_time(state)
                return False
            return self._read(connection)
        except OSError as error:
            self._lost(f"the connection broke: {error}")
            return True

    def _is_free(self, state: str) -> bool:
        """Tell whether nothing is under way but what the peer sends next."""
        dimse = self._association.dimse
        under_way = self._got or self._messages.size or self._serving or dimse.message or dimse.msg_queue.queue
        return state == _ESTABLISHED and not under_way and not self._dul._recv_pdu.queue

    def _run_plane(self, plane: ReceivePlane, connection: socket.socket) -> bool:
        """Have plain requests served; return False when something else came."""
        try:
            rests = plane.run(connection, self._ready_or_rung)
        finally:
            self._last = max(self._last, plane.heard)
        if rests:
            self._check_time(_ESTABLISHED)
        return rests

    def _ready_or_rung(self, seconds: float) -> bool:
        """Wait for something to read, or for something to send; tell whether the first came."""
        if self._is_secured:
            connection = self._socket()
            if isinstance(connection, ssl.SSLSocket) and connection.pending():
                return True
        found = self._poll_both.poll(seconds * 1000)
        rung = any(descriptor == self._bell for descriptor, _ in found)
        if rung:
            self._primitives.silence()
        return len(found) > rung

    def _read(self, connection: socket.socket) -> bool:
        """Read one PDU, or as much of it as there is."""
        while True:
            room = memoryview(self._pdu)[self._got : self._got + _READ_AT_ONCE]
            unread = 0
            try:
                unread = self.plane.unread_into(room) if self.plane is not None else 0
                count = unread or connection.recv_into(room)
            except (BlockingIOError, ssl.SSLWantReadError):
                upper_layer.acknowledge(connection)
                if not self._ready(connection, _MORE_SECONDS):
                    self._check_time(self._dul.state_machine.current_state)
                    return True
                continue
            finally:
                room.release()
            if count == 0:
                self._lost("the peer closed the connection")
                return True
            self._last = time.monotonic()
            if self._got == 0:
                self._pdu_began = self.plane.pdu_began if unread and self.plane is not None else self._last
            self._got += count
            if self._got == pdus.HEAD and not self._head_fits():
                return True
            if self._got == len(self._pdu):
                self._whole(bytes(self._pdu))
                return True

    def _head_fits(self) -> bool:
        """Make room for the rest of the PDU, unless its head tells that it is none."""
        state = self._dul.state_machine.current_state
        head = bytes(self._pdu)
        fault = pdus.head_fault(
            head,
            self._settings.maximum_length,
            expects_request=state == _WAITS_FOR_REQUEST,
            has_released=state in _HAS_RELEASED,
        )
        if fault is not None:
            self._refuse(fault)
            return False
        self._pdu.extend(bytes(struct.unpack(">L", head[2:])[0]))
        return True

    def _whole(self, pdu: bytes) -> None:
        """Hand a whole PDU to the state machine, or refuse it."""
        self._pdu, self._got = bytearray(pdus.HEAD), 0
        fault = None
        if pdu[0] == pdus.ASSOCIATE_RQ:
            fault = pdus.request_fault(pdu)
            if fault is None:
                self.request = pdus.request(pdu, *self._peer)
                pdu = pdus.normalised(pdu)
        elif pdu[0] == pdus.P_DATA_TF:
            fault = pdus.data_fault(pdu, self._association._accepted_cx)
        if fault is not None:
            self._refuse(fault)
            return
        if pdu[0] == pdus.ABORT:
            words = f"the peer sent A-ABORT (source {pdu[8]}, reason {pdu[9]}){self._in_the_middle()}"
            self._tell("peer.aborted", words, "nothing: the peer had ended it")
        try:
            decoded, event = self._dul._decode_pdu(pdu)
            if pdu[0] != pdus.P_DATA_TF:
                decoded.to_primitive()  # the state machine will, and its thread would die of what this raises
        except Exception as error:  # noqa: BLE001 - whatever the library raises, the peer's bytes were the reason
            words = f"{pdus.name(pdu[0])} cannot be decoded: {error} ({hexadecimal(pdu)})"
            self._refuse(Fault("pdu.malformed", words, pdus.INVALID_PARAMETER))
            return
        self._dul._recv_pdu.put(decoded)
        self._dul.event_queue.put(event)

    def _drain(self, connection: socket.socket) -> bool:
        """Throw away what still comes while the connection is to be closed (PS3.8 9.2: state 13)."""
        if self.plane is not None:
            self.plane.forget()
        upper_layer.discard(self._dul, connection, is_ready=self._ready(connection))
        return True

    # --- what it becomes -------------------------------------------------------------------------------

    def receive(self, primitive: Any) -> None:
        """Take in the PDVs of one P-DATA-TF (in place of the library's `receive_primitive`)."""
        fault = self._messages.take(primitive)
        if fault is not None:
            self._refuse(fault)

    def serve(self, message: Any, context_id: int) -> None:
        """Serve one request (in place of the library's `_serve_request`); called in the association's own thread."""
        name = type(message).__name__.replace("_", "-")
        if message.MessageIDBeingRespondedTo is None and not message.is_valid_request:
            missing = [key for key in message.REQUEST_KEYWORDS if getattr(message, key, None) is None]
            self._end(Fault("dimse.malformed", f"{name}-RQ without {', '.join(missing) or 'what it needs'}"))
            return
        self._serving = f"{name}-RQ"
        try:
            self._serve(message, context_id)
        finally:
            self._serving = ""
            self._last = time.monotonic()

    def _end(self, fault: Fault) -> None:
        self._fault = fault
        self._association.abort(block=False)

    # --- time-outs -------------------------------------------------------------------------------------

    def _check_time(self, state: str) -> None:
        """End what took too long: no request, half a PDU, half a message, an idle association."""
        now, limits = time.monotonic(), self._settings.time_outs
        if self._fault is not None:
            return
        if state == _WAITS_FOR_REQUEST and now - self._opened > limits.acse:
            words = f"no A-ASSOCIATE-RQ within {limits.acse:g} s{self._in_the_middle()}"
            self._tell("time-out.acse", words, "hang-up")
            self._fault = Fault("time-out.acse", words)
            self._dul.event_queue.put(_TIMER_EXPIRED)
        elif self._got and now - self._pdu_began > limits.pdu:
            self._refuse(Fault("time-out.pdu", f"nothing whole within {limits.pdu:g} s{self._in_the_middle()}"))
        elif state == _ESTABLISHED and not self._got and self._messages.size and now - self._last > limits.dimse:
            words = f"{self._messages.size} bytes of a DIMSE message, and no more within {limits.dimse:g} s"
            self._end(Fault("time-out.dimse", words))
        elif state == _ESTABLISHED and self._is_idle() and now - self._last > limits.idle:
            self._end(Fault("time-out.idle", f"no PDU within {limits.idle:g} s on an open association"))

    def _is_idle(self) -> bool:
        return not (self._got or self._messages.size or self._serving or self._association.dimse.msg_queue.qsize())

    def _in_the_middle(self) -> str:
        """Say how much of a PDU or a message had come, where one was begun."""
        if self._got >= pdus.HEAD:
            return f": {self._got} of {len(self._pdu)} bytes of {pdus.name(self._pdu[0])}"
        if self._got:
            return f": {self._got} of the first 6 bytes of a PDU ({hexadecimal(bytes(self._pdu[: self._got]))})"
        return f": {self._messages.size} bytes of a DIMSE message that is not whole" if self._messages.size else ""

    # --- what is said ----------------------------------------------------------------------------------

    def send(self, pdu: Any) -> None:
        """Send a PDU (in place of the library's `_send`), and tell of every rejection and abort."""
        if isinstance(pdu, A_ABORT_RQ):
            self._abort(pdu)
        elif isinstance(pdu, A_ASSOCIATE_RJ):
            self._reject(pdu)
        if self._socket() is not None and self._send_encoded(pdu.encode()):
            evt.trigger(self._association, evt.EVT_PDU_SENT, {"pdu": pdu})

    def _send_encoded(self, encoded: bytes) -> bool:
        connection = self._socket()
        if connection is None:
            return False
        try:
            self._send_all(connection, encoded)
        except OSError as error:
            self._lost(f"{pdus.name(encoded[0])} cannot be sent ({error or type(error).__name__})")
            return False
        self._last = time.monotonic()
        evt.trigger(self._association, evt.EVT_DATA_SENT, {"data": encoded})
        return True

    def _send_all(self, connection: socket.socket, encoded: bytes) -> None:
        try:
            sent = connection.send(encoded)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        if sent < len(encoded):
            connection.settimeout(self._settings.time_outs.pdu)
            connection.sendall(encoded[sent:])
            connection.settimeout(0.0)

    def _abort(self, pdu: A_ABORT_RQ) -> None:
        fault, by_provider = self._fault, pdu.source == 2
        if fault is None and self._serving:
            fault = Fault("dimse.unsupported", f"{self._serving} that nothing here serves")
        elif fault is None and by_provider:
            fault = Fault("dimse.malformed", "a DIMSE message that is not valid")
        if fault is None:
            return  # this side stops, and nobody did anything wrong
        if by_provider:
            pdu.reason_diagnostic = fault.reason
        self._tell(fault.problem, fault.words, f"A-ABORT (source {pdu.source}, reason {pdu.reason_diagnostic})")

    def _reject(self, pdu: A_ASSOCIATE_RJ) -> None:
        codes = int(pdu.result or 0), int(pdu.source or 0), int(pdu.reason_diagnostic or 0)
        # The library has one of its own: it looks at the protocol version.
        rejection = self.rejection or rejected("protocol-version", "version 1 is bit 0 of the field, which is not set")
        answer = f"A-ASSOCIATE-RJ (result {codes[0]}, source {codes[1]}, reason {codes[2]})"
        self._tell(rejection.field, rejection.words, answer, rejection)

    def _refuse(self, fault: Fault) -> None:
        """Have the state machine answer what is no valid PDU (event 19)."""
        self._fault = fault
        self._got = 0
        self._dul.event_queue.put(INVALID)

    def _lost(self, how: str) -> None:
        """Note that the connection is gone; a peer that said nothing at all only looked whether somebody listens."""
        state = self._dul.state_machine.current_state
        if self._got or state == _ESTABLISHED:
            self._tell("peer.closed", f"{how} without a release{self._in_the_middle()}", "nothing: nobody is there")
        elif state == _WAITS_FOR_REQUEST:
            _LOG.info("%s:%s connected and said nothing", *self._peer)
        self._dul.event_queue.put(CLOSED)

    def _tell(self, problem: str, words: str, answer: str, rejection: Rejection | None = None) -> None:
        if self._told:
            return
        self._told = True
        calling = self.request.calling_ae_title if self.request else ""
        called = self.request.called_ae_title if self.request else ""
        peer = f"{self._peer[0]}:{self._peer[1]}"
        try:
            self._settings.tell(Incident(peer, problem, words, answer, calling, called, rejection))
        except Exception:  # noqa: BLE001 - the connection must end, whatever becomes of the note
            _LOG.exception("cannot tell of %s on the connection of %s", problem, peer)

    def _socket(self) -> socket.socket | None:
        wrapped = self._dul.socket
        return None if wrapped is None else wrapped.socket

    def _ready(self, connection: socket.socket, seconds: float = 0.0) -> bool:
        """Tell whether something can be read; not by `select`, which fails at file descriptors above 1023."""
        if self.plane is not None and self.plane.has_unread:
            return True
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        return bool(self._poll.poll(seconds * 1000))


class _Rest(threading.Event):
    """The checkpoint of pynetdicom's reactor, at which it rests while a plane serves: it has nothing to do then."""

    def __init__(self, left: threading.Event) -> None:
        super().__init__()
        self._left = left
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the reactor may go on."""
        passed = super().wait(timeout)
        self._left.wait(_REST_SECONDS)
        return passed
