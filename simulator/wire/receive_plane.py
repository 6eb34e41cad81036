"""Serves C-STORE and C-ECHO on one association that this side accepted, past pynetdicom's queues, copies and pauses.

It runs in the association's upper-layer thread while the association is established and nothing else is under way:
reads into one buffer, walks the heads of P-DATA-TF and PDV, gathers a data set in place, has it served and answers.
Taken is what is plain: a C-STORE-RQ whole in one PDV with the elements of PS3.7 9.3.1.1 and no others, on a context of
its SOP class, then fragments of its data set; and a C-ECHO-RQ whole in one PDV. At anything else, and when the peer
pauses within a message, it gives up: what was taken of the message is replayed into pynetdicom, what was read and not
taken is left for `unread_into`. So it answers no violation, waits out no time-out and ends no association; the `Guard`
does.

Handlers of EVT_DATA_RECV and EVT_DATA_SENT get every PDU, as on pynetdicom's own path.
"""

from __future__ import annotations

import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from pynetdicom import evt
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass, VerificationServiceClass
from pynetdicom.sop_class import uid_to_service_class

from simulator.wire import pdus, store_plane, upper_layer
from simulator.wire.gathering import Gathering, Memory
from simulator.wire.pdus import HEAD, P_DATA_TF
from simulator.wire.store_plane import COMMAND, LAST, PDU_AND_PDV_HEAD, StoreCommand
from simulator.wire.terms import VERIFICATION, Incoming

_BUFFER = 262144
_AT_FIRST = 32768  # bytes to read before it is known what comes; the rest of a fragment is read into its place
_LARGE = 65536  # bytes that are worth to be written while more is coming
_LARGEST_DATA_SET = 2**31 - 1
_IDLE_SECONDS = 0.05  # to wait for a message, until the rest of the upper layer gets its turn
_PAUSE_SECONDS = 0.25  # to wait for more of a message; not all peers are on the same machine
_LONGEST_RESPONSE = 1024
_PDV_HEAD = 6
_SHORTEST_PDV = 2  # context ID and control header

_pdu_head = struct.Struct(">BBL")
_pdv_head = struct.Struct(">LBB").unpack_from

Ready = Callable[[float], bool]
"""Waits so many seconds for something to read, or until this side has something to send; tells whether there is."""


@dataclass(frozen=True, slots=True)
class PlainService:
    """Who serves C-STORE.

    begin: told of an association, the context and the command set of a large data set that is coming; may say where to
    lay it down meanwhile. serve: told of the data set, too, and of where it lies, once it is whole; returns the command
    set of the response, if any.
    """

    begin: Callable[[Any, PresentationContext, StoreCommand], Incoming | None]
    serve: Callable[[Any, PresentationContext, StoreCommand, bytes | memoryview, Incoming | None], bytes | None]
    memory: Memory = field(default_factory=Memory)


class Companion(Protocol):
    """Who wants to know when the peer is busy with a C-STORE."""

    def store_begins(self) -> None:
        """A C-STORE-RQ is coming."""

    def store_ends(self) -> None:
        """It was answered, or given up."""


class _NotPlain(Exception):
    """What stands at the start of the buffer, or was expected there, is not this plane's."""


@dataclass(slots=True)
class _Message:
    """A C-STORE-RQ of which the data set is coming; `size`: bytes gathered; `incoming`: where they are laid down."""

    context: PresentationContext
    context_id: int
    command: StoreCommand
    size: int = 0
    is_large: bool = False
    incoming: Incoming | None = None


class ReceivePlane:
    """The plane of one association; made before its threads start."""

    def __init__(
        self, association: Any, maximum_length: int, service: PlainService, send: Callable[[bytes], bool]
    ) -> None:
        self.companion: Companion | None = None
        self.heard = self.pdu_began = 0.0  # moments of `time.monotonic`: bytes came, the PDU that is not whole began
        self.left = threading.Event()  # set while pynetdicom has something to do
        self.left.set()
        self._association, self._dul = association, association.dul
        self._maximum_length = maximum_length
        self._service, self._send = service, send
        self._contexts: dict[int, PresentationContext] | None = None
        self._buffer, self._start, self._end = bytearray(_BUFFER), 0, 0
        self._view = memoryview(self._buffer)
        self._gathering = Gathering(service.memory)
        self._message: _Message | None = None

    # --- what pynetdicom's side asks of it -------------------------------------------------------------

    @property
    def has_unread(self) -> bool:
        """Whether bytes were read that nobody has taken."""
        return self._start < self._end

    def unread_into(self, room: memoryview) -> int:
        """Give out bytes that were read and not taken; return how many."""
        count = min(len(room), self._end - self._start)
        room[:count] = self._view[self._start : self._start + count]
        self._start += count
        return count

    def forget(self) -> None:
        """Throw away what was read and not taken."""
        self._start = self._end

    def close(self) -> None:
        """Give the buffers back: who keeps an association that has ended keeps little."""
        self._start = self._end = 0
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._gathering.close()

    def run(self, connection: socket.socket, ready: Ready) -> bool:
        """Serve plain requests until something else comes, or nothing does, or pynetdicom has something to send.

        Returns False when it gave up: what was read is for who called to look at. Raises `OSError` when the connection
        broke.
        """
        self.left.clear()
        try:
            while not self._is_wanted():
                if self._take(connection, ready):
                    self.pdu_began = self.heard
                elif self._message is None and not self.has_unread and not ready(_IDLE_SECONDS):
                    break
                else:
                    self._read(connection, ready)
            return True
        except _NotPlain:
            self._give_up()
            return False
        except OSError:
            self._give_up()
            raise
        finally:
            self.left.set()

    def _is_wanted(self) -> bool:
        """Tell whether pynetdicom has something to send or to end, and nothing is half taken."""
        waiting = self._dul.to_provider_queue.queue or self._dul.event_queue.queue or self._association._sent_abort
        if waiting and self._message is not None:
            raise _NotPlain
        return bool(waiting)

    def _give_up(self) -> None:
        """Replay what was taken of a message that is not whole."""
        message, self._message = self._message, None
        if message is None:
            return
        if message.incoming is not None:
            message.incoming.drop()
        primitives = [(message.context_id, b"\3" + message.command.encoded)]
        if message.size:
            primitives.append((message.context_id, b"\0" + self._gathering.data[: message.size]))
        for each in primitives:
            primitive = P_DATA()
            primitive.presentation_data_value_list.append(each)
            self._association.dimse.receive_primitive(primitive)
        if self.companion is not None:
            self.companion.store_ends()

    # --- the stream ------------------------------------------------------------------------------------

    def _read(self, connection: socket.socket, ready: Ready) -> None:
        """Read what has come behind what is in the buffer. Raises `_NotPlain` at the end, or when nothing comes."""
        empty = not self.has_unread
        if empty:
            self._start = self._end = 0
        elif _BUFFER - self._start < HEAD + self._maximum_length:
            count = self._end - self._start
            self._view[:count] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, count
        end = _BUFFER if self._message is not None or not empty else _AT_FIRST
        self._end += self._receive(connection, ready, [self._view[self._end : end]])
        if empty:
            self.pdu_began = self.heard

    def _receive(self, connection: socket.socket, ready: Ready, room: list[memoryview]) -> int:
        """Return how many bytes came into `room`. Raises `_NotPlain` at the end of the stream or a pause."""
        while True:
            try:
                count = _receive_into(connection, room)
            except (BlockingIOError, ssl.SSLWantReadError):
                if self._message is not None or self.has_unread:
                    upper_layer.acknowledge(connection)
                if not ready(_PAUSE_SECONDS):
                    raise _NotPlain from None
                continue
            if not count:
                raise _NotPlain  # the end will be met again
            self.heard = time.monotonic()
            return count

    def _take(self, connection: socket.socket, ready: Ready) -> bool:
        """Take a PDU; False when more of it is needed first. Raises `_NotPlain`."""
        available = self._end - self._start
        if available < HEAD:
            return False
        kind, _, length = _pdu_head.unpack_from(self._buffer, self._start)
        if kind != P_DATA_TF or not _PDV_HEAD <= length <= self._maximum_length:
            raise _NotPlain
        if available < PDU_AND_PDV_HEAD.size:
            return False
        pdv_length, context_id, control = _pdv_head(self._buffer, self._start + HEAD)
        alone = pdv_length == length - 4 >= _SHORTEST_PDV
        if alone and self._message is not None and context_id == self._message.context_id and not control & COMMAND:
            self._take_fragment(self._message, length - _PDV_HEAD, control, connection, ready)
            return True
        if available < HEAD + length:
            return False
        if alone and self._message is None and control == COMMAND | LAST and context_id in self._served:
            self._take_command(context_id, HEAD + length)
            return True
        self._walk(self._start + HEAD, self._start + HEAD + length)
        return True

    def _take_command(self, context_id: int, size: int) -> None:
        """Take a command set that is alone and whole in a PDU of so many bytes."""
        pdu = bytes(self._view[self._start : self._start + size])
        if not self._begin(context_id, pdu[PDU_AND_PDV_HEAD.size :]):
            raise _NotPlain
        self._start += size
        if self._is_captured:
            evt.trigger(self._association, evt.EVT_DATA_RECV, {"data": pdu})

    def _take_fragment(
        self,
        message: _Message,
        size: int,
        control: int,
        connection: socket.socket,
        ready: Ready,
    ) -> None:
        """Gather the one fragment of a PDU, reading what is still to come of it into its place."""
        begin, end = message.size, message.size + size
        self._make_room(begin, end)
        head = bytes(self._view[self._start : self._start + PDU_AND_PDV_HEAD.size])
        self._start += PDU_AND_PDV_HEAD.size
        with memoryview(self._gathering.data) as data:
            at = begin + self.unread_into(data[begin:end])
            try:
                while at < end:  # the head of the next PDU comes along
                    room = [data[at:end], self._view[: PDU_AND_PDV_HEAD.size]]
                    count = self._receive(connection, ready, room)
                    self._start, self._end = 0, max(0, count - (end - at))
                    at = min(end, at + count)
            except (_NotPlain, OSError):
                self._put_back(head, data[begin:at])
                raise
        self._note(head, begin, end)
        message.size = end
        if control & LAST:
            self._answer(message)
        elif end >= _LARGE:
            self._lay_down(message)

    def _lay_down(self, message: _Message) -> None:
        """Have what was gathered written while more of it comes."""
        if not message.is_large:
            message.is_large = True
            message.incoming = self._service.begin(self._association, message.context, message.command)
        incoming = message.incoming
        if incoming is not None and message.size - incoming.size >= _LARGE:
            with memoryview(self._gathering.data) as data:
                incoming.add(data[incoming.size : message.size])

    def _put_back(self, head: bytes, part: memoryview) -> None:
        """Leave the part of a PDU that has come as if it had not been taken; nothing stands behind it."""
        self._start, self._end = 0, len(head) + len(part)
        self._view[: self._end] = head + part

    def _walk(self, at: int, end: int) -> None:
        """Take the PDVs of a whole PDU, as far as they are plain; of the rest a PDU of its own is made."""
        pdu = bytes(self._view[at - HEAD : end])
        alone = len(pdu) >= PDU_AND_PDV_HEAD.size and _pdv_head(pdu, HEAD)[0] == len(pdu) - HEAD - 4
        if pdus.data_fault(pdu, self._association._accepted_cx) or not (alone or not self._is_captured):
            raise _NotPlain
        first = at
        while at < end:
            length, context_id, control = _pdv_head(self._buffer, at)
            if not self._take_pdv(at + _PDV_HEAD, length - 2, context_id, control):
                if at > first:  # what is before it is at least as long as a head
                    self._start = at - HEAD
                    _pdu_head.pack_into(self._buffer, self._start, P_DATA_TF, 0, end - at)
                raise _NotPlain
            at += 4 + length
        if self._is_captured:
            evt.trigger(self._association, evt.EVT_DATA_RECV, {"data": pdu})
        self._start = end

    def _take_pdv(self, at: int, size: int, context_id: int, control: int) -> bool:
        """Take a PDV that stands in the buffer; return whether it is plain."""
        message = self._message
        if message is None:
            return control == COMMAND | LAST and self._begin(context_id, bytes(self._view[at : at + size]))
        if control & COMMAND or context_id != message.context_id:
            return False
        self._make_room(message.size, message.size + size)
        self._gathering.data[message.size : message.size + size] = self._view[at : at + size]
        message.size += size
        if control & LAST:
            self._answer(message)
        return True

    def _make_room(self, begin: int, size: int) -> None:
        if size > _LARGEST_DATA_SET:
            raise _NotPlain
        self._gathering.make_room(begin, size)

    # --- messages --------------------------------------------------------------------------------------

    def _begin(self, context_id: int, encoded: bytes) -> bool:
        """Begin a message if its command set is plain."""
        context = self._served.get(context_id)
        if context is not None and context.abstract_syntax == VERIFICATION:
            return self._echo(context_id, encoded)
        command = None if context is None else store_plane.plain_store(encoded)
        if context is None or command is None or command.sop_class_uid != context.abstract_syntax:
            return False
        self._message = _Message(context, context_id, command)
        if self.companion is not None:
            self.companion.store_begins()
        return True

    def _echo(self, context_id: int, encoded: bytes) -> bool:
        """Answer a C-ECHO-RQ if it is plain."""
        message_id = store_plane.plain_echo(encoded)
        if message_id is None:
            return False
        self._respond(context_id, store_plane.echo_response(message_id))
        return True

    @property
    def _served(self) -> dict[int, PresentationContext]:
        if self._contexts is None:
            self._contexts = self._served_contexts()
        return self._contexts

    def _served_contexts(self) -> dict[int, PresentationContext]:
        """Return the contexts of Storage and Verification, by ID; none for a peer that takes no whole response."""
        if 0 < (self._association.requestor.maximum_length or 0) < _LONGEST_RESPONSE:
            return {}
        accepted: dict[int, PresentationContext] = self._association._accepted_cx
        return {
            context_id: context
            for context_id, context in accepted.items()
            if uid_to_service_class(str(context.abstract_syntax)) in (StorageServiceClass, VerificationServiceClass)
        }

    def _answer(self, message: _Message) -> None:
        """Have a whole message served, and send the response."""
        self._message = None
        incoming = message.incoming
        try:
            with memoryview(self._gathering.data) as data, data[: message.size] as lent:
                received = bytes(lent) if incoming is None else lent, incoming
                response = self._service.serve(self._association, message.context, message.command, *received)
        finally:
            if incoming is not None:
                incoming.drop()
            if self.companion is not None:
                self.companion.store_ends()
        if response is not None:
            self._respond(message.context_id, response)

    def _respond(self, context_id: int, response: bytes) -> None:
        """Send a command set, unless this side has ended the association meanwhile."""
        if not self._association._sent_abort:
            size = len(response)
            head = PDU_AND_PDV_HEAD.pack(P_DATA_TF, 0, size + _PDV_HEAD, size + 2, context_id, COMMAND | LAST)
            self._send(head + response)

    @property
    def _is_captured(self) -> bool:
        return bool(self._association.get_handlers(evt.EVT_DATA_RECV))

    def _note(self, head: bytes, begin: int, end: int) -> None:
        if self._is_captured:
            evt.trigger(self._association, evt.EVT_DATA_RECV, {"data": head + self._gathering.data[begin:end]})


class WakingQueue(queue.Queue[Any]):
    """A queue that wakes who waits for the connection: stands in place of pynetdicom's `to_provider_queue`."""

    def __init__(self) -> None:
        super().__init__()
        self.bell, self._button = socket.socketpair()
        self.bell.setblocking(False)
        self._button.setblocking(False)

    def put(self, primitive: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put it in, and wake."""
        super().put(primitive, block, timeout)
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._button.send(b"\0")

    def silence(self) -> None:
        """Take note of the bell."""
        with suppress(OSError):
            self.bell.recv(4096)

    def close(self) -> None:
        """Wake nobody any more."""
        self.bell.close()
        self._button.close()


def _receive_into(connection: socket.socket, room: list[memoryview]) -> int:
    if len(room) == 1 or isinstance(connection, ssl.SSLSocket):
        return connection.recv_into(room[0])
    return connection.recvmsg_into(room)[0]
