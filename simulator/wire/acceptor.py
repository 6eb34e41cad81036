"""Associations that this side accepts, as SCP of Verification and Storage."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid

from simulator.errors import StartError
from simulator.wire import store_plane
from simulator.wire.commitment import PUSH_MODEL, TRANSFER_SYNTAXES
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.dialogue import ActionService, Dialogue, ReportService, long_string
from simulator.wire.guard import Guard, Settings
from simulator.wire.incidents import Admit, AssociationRequest, Incident, Rejection, Tell, rejection
from simulator.wire.library import new_ae, send_without_delay
from simulator.wire.listener import Listener
from simulator.wire.negotiated import Lengths
from simulator.wire.reassembly import MAXIMUM_MESSAGE
from simulator.wire.receive_plane import PlainService
from simulator.wire.store_plane import StoreCommand
from simulator.wire.terms import MAXIMUM_PDU, VERIFICATION, Context, Incoming, Response, StoreRequest, TimeOuts

# pynetdicom knows no service for the two classes that PS3 retired in 2004, accepts their contexts all the same,
# and then answers with an empty status.
register_uid("1.2.840.10008.5.1.1.29", "HardcopyGrayscaleImageStorage", StorageServiceClass)
register_uid("1.2.840.10008.5.1.1.30", "HardcopyColorImageStorage", StorageServiceClass)

# What is accepted for Verification.
VERIFICATION_CONTEXT = Context(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
# What pynetdicom answers when a service raises what it should not.
SERVICE_FAILED = 0xC211
_POLL_SECONDS = 0.05
_LIBRARY_LATER = 5.0
_NO_LIMIT = 2**31
# Connections beyond the associations allowed: room for those who are about to be told so by A-ASSOCIATE-RJ.
_BEYOND = 32
# PS3.8 9.2.1: awaiting the local answer to a request, and established. One that is being released counts no more.
_OPEN = frozenset(("Sta3", "Sta6"))

_LOG = logging.getLogger(__name__)

StoreService = Callable[[StoreRequest], Response]
Begin = Callable[[StoreRequest], Incoming | None]
"""Says where a large data set is laid down while it comes; None: nowhere, and `on_store` gets it whole all the same."""


class EndAssociation(Exception):
    """Raised by an `on_store` that wants the association aborted instead of answering."""


class Acceptor:
    """Listens for associations and serves Verification and Storage as SCP, on one port or several.

    `on_store` is called in the association's thread for each C-STORE-RQ and its `Response` is what the peer gets.
    `admit` says who is rejected, and how (PS3.8 9.3.4); without it, who calls another title than `ae_title` or is not
    among `calling_ae_titles` (None: any). `tell` hears of every rejection, abort and hang-up; without it, the log
    does. Verification is accepted beside `contexts`, and storage commitment where one
    of its services is given: `on_action` as its SCP, `on_report` as its SCU, whatever roles the peer proposes.

    maximum_length: of P-DATA-TF, in bytes, that peers are told to send at most (PS3.8 D.1; 0: any). Where it is given,
    longer ones are taken all the same, and `measured` hears of the longest of each association that ends.
    begin: asked for a large data set once the first of it has come; the plane past pynetdicom alone does that.
    context_result: answers so (1 to 4) each context that it would accept. alter: changes each C-STORE response before
    it goes.
    """

    def __init__(
        self,
        ae_title: str,
        host: str,
        port: int,
        contexts: Sequence[Context],
        on_store: StoreService,
        *,
        calling_ae_titles: Collection[str] | None = None,
        maximum_associations: int = 100,
        on_action: ActionService | None = None,
        on_report: ReportService | None = None,
        admit: Admit | None = None,
        tell: Tell | None = None,
        begin: Begin | None = None,
        time_outs: TimeOuts | None = None,
        tls: ssl.SSLContext | None = None,
        maximum_length: int | None = None,
        measured: Callable[[int], None] | None = None,
        context_result: int = 0,
        alter: Callable[[C_STORE], None] | None = None,
    ) -> None:
        self._on_store, self._begin = on_store, begin
        self._measured, self._context_result, self._alter = measured, context_result, alter
        self._on_action, self._on_report = on_action, on_report
        self._where = (host, port)
        self._ae = new_ae(ae_title)
        self._ae.maximum_pdu_size = MAXIMUM_PDU if maximum_length is None else maximum_length
        # This module counts associations, and the guard's time-outs come before these of the library.
        self._ae.maximum_associations = _NO_LIMIT
        limits = time_outs or TimeOuts()
        self._ae.acse_timeout = limits.acse + _LIBRARY_LATER
        self._ae.dimse_timeout = limits.dimse
        self._ae.network_timeout = None
        # Past pynetdicom nobody alters a response, and nothing is taken that is longer than usual.
        past_library = store_plane.is_on() and alter is None and maximum_length is None
        service = PlainService(self._begin_past_library, self._serve_past_library) if past_library else None
        taken = MAXIMUM_PDU if maximum_length is None else MAXIMUM_MESSAGE
        self._settings = Settings(limits, taken, maximum_associations + _BEYOND, tell or _log, service)
        self._admit = admit or _admission(ae_title, calling_ae_titles, maximum_associations)
        self._tls = tls
        for context in (VERIFICATION_CONTEXT, *contexts):
            self._ae.add_supported_context(context.abstract_syntax_uid, list(context.transfer_syntax_uids))
        if on_action is not None or on_report is not None:
            self._ae.add_supported_context(
                PUSH_MODEL, list(TRANSFER_SYNTAXES), scu_role=on_action is not None, scp_role=on_report is not None
            )
        self._admitting = threading.Lock()
        self._admitted: list[Any] = []
        self._listeners: dict[Listener, threading.Thread] = {}

    def start(self) -> int:
        """Listen, and return the port (of interest when 0 was asked for). Raises `StartError`."""
        return self.listen(*self._where, self._tls)

    def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on one port more, over TLS where a context is given; return the port. Raises `StartError`."""
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_CONN_CLOSE, _closed),
            (evt.EVT_REQUESTED, self._consider),
            (evt.EVT_C_STORE, self._store),
        ]
        try:
            listener = Listener(self._ae, (host, port), handlers, self._settings, tls)
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "another program uses the port, or the address is not this machine's; port 0 takes any free one",
            ) from error
        self._ae._servers.append(listener)
        name = f"acceptor-{self._ae.ae_title}"
        thread = threading.Thread(target=listener.serve_forever, args=(_POLL_SECONDS,), name=name, daemon=True)
        self._listeners[listener] = thread
        thread.start()
        return listener.port

    def stop(self) -> None:
        """Stop listening and end the associations that are open."""
        for listener, thread in self._listeners.items():
            listener.shutdown()
            thread.join()
            listener.hang_up()
        self._listeners.clear()
        for association in self._ae.active_associations:
            _end(association)

    def _opened(self, event: evt.Event) -> None:
        send_without_delay(event)
        if self._on_action is not None or self._on_report is not None:
            association: Any = event.assoc
            dialogue = Dialogue(association, on_action=self._on_action, on_report=self._on_report)
            if association.guard.plane is not None:
                association.guard.plane.companion = dialogue
        if self._measured is not None:
            _measure(event.assoc, self._measured)
        if self._context_result:
            _refuse_contexts(event.assoc, self._context_result)
        if self._alter is not None:
            _alter_responses(event.assoc, self._alter)

    def _consider(self, event: evt.Event) -> None:
        """Reject an association, or let the library accept it."""
        association: Any = event.assoc
        guard: Guard = association.guard
        if guard.request is None:
            return
        with self._admitting:  # two at once must not both be the last one
            self._admitted = [each for each in self._admitted if each.dul.state_machine.current_state in _OPEN]
            asked = replace(guard.request, open_associations=len(self._admitted))
            guard.rejection = self._admit(asked)
            if guard.rejection is None:
                self._admitted.append(association)
                return
        rejection = guard.rejection
        association.acse.send_reject(rejection.result, rejection.source, rejection.reason)
        evt.trigger(association, evt.EVT_REJECTED, {})
        association.kill()

    def _store(self, event: evt.Event) -> Dataset:
        """Serve a C-STORE-RQ that pynetdicom received."""
        request: Any = event.request
        data_set = request.DataSet.getvalue() if request.DataSet is not None else b""
        uids = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        syntaxes = event.context.abstract_syntax, event.context.transfer_syntax
        response = self._serve(_received(event.assoc, *syntaxes, uids, data_set), event.assoc)
        answer = Dataset()
        answer.Status = response.status
        if response.error_comment:
            answer.ErrorComment = long_string(response.error_comment)
        return answer

    def _begin_past_library(
        self, association: Any, context: PresentationContext, command: StoreCommand
    ) -> Incoming | None:
        """Have a large data set laid down while a `ReceivePlane` receives it."""
        if self._begin is None:
            return None
        uids = command.sop_class_uid, command.sop_instance_uid
        return self._begin(_received(association, context.abstract_syntax, context.transfer_syntax[0], uids, b""))

    def _serve_past_library(
        self,
        association: Any,
        context: PresentationContext,
        command: StoreCommand,
        data_set: bytes | memoryview,
        incoming: Incoming | None,
    ) -> bytes:
        """Serve a C-STORE-RQ that a `ReceivePlane` received; return the command set of its response."""
        uids = command.sop_class_uid, command.sop_instance_uid
        syntaxes = context.abstract_syntax, context.transfer_syntax[0]
        received = _received(association, *syntaxes, uids, data_set, incoming)
        response = self._serve(received, association)
        return store_plane.store_response(command, response.status, long_string(response.error_comment))

    def _serve(self, received: StoreRequest, association: Any) -> Response:
        try:
            return self._on_store(received)
        except EndAssociation:
            association.abort(block=False)
            return Response(0x0110)  # which goes nowhere any more
        except Exception:  # noqa: BLE001 - the peer must get an answer, and the association go on
            _LOG.exception("instance %s of %s cannot be served", received.sop_instance_uid, received.calling_ae_title)
            return Response(SERVICE_FAILED, "the service failed")


def _received(
    association: Any,
    abstract_syntax: Any,
    transfer_syntax: Any,
    uids: tuple[str, str],
    data_set: bytes | memoryview,
    incoming: Incoming | None = None,
) -> StoreRequest:
    return StoreRequest(
        calling_ae_title=association.requestor.ae_title,
        called_ae_title=str(association.requestor.primitive.called_ae_title),
        peer=str(association.requestor.address),
        abstract_syntax_uid=str(abstract_syntax),
        transfer_syntax_uid=str(transfer_syntax),
        sop_class_uid=uids[0],
        sop_instance_uid=uids[1],
        data_set=data_set,
        incoming=incoming,
    )


def _end(association: Association) -> None:
    """Abort an association, or hang up on a peer that has requested none yet.

    Before that there is nothing to abort (PS3.8 table 9-10, state 2), and pynetdicom's thread dies trying.
    """
    if association.is_established:
        association.abort()
    elif association.dul.socket is not None and association.dul.socket.socket is not None:
        with contextlib.suppress(OSError):
            association.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def _closed(event: evt.Event) -> None:
    """Let the association's thread end at once: it waits for a request that will not come any more."""
    association: Any = event.assoc
    association.guard.close()
    if association.requestor.primitive is None:
        association.dul.to_user_queue.put(None)


def _measure(association: Any, measured: Callable[[int], None]) -> None:
    lengths = Lengths()
    association.bind(evt.EVT_DATA_RECV, lengths.take)
    association.bind(evt.EVT_CONN_CLOSE, lambda _: measured(lengths.longest))


def _refuse_contexts(association: Any, result: int) -> None:
    """Have A-ASSOCIATE-AC refuse what was negotiated, for which pynetdicom has no setting."""
    send_accept = association.acse.send_accept

    def refusing() -> None:
        for context in association._accepted_cx.values():
            context.result = result
        association._rejected_cx += association._accepted_cx.values()
        association._accepted_cx = {}
        send_accept()

    association.acse.send_accept = refusing


def _alter_responses(association: Any, alter: Callable[[C_STORE], None]) -> None:
    send = association.dimse.send_msg

    def altered(message: Any, context_id: int) -> None:
        if isinstance(message, C_STORE) and message.MessageIDBeingRespondedTo is not None:
            alter(message)
        send(message, context_id)

    association.dimse.send_msg = altered


def _admission(ae_title: str, callers: Collection[str] | None, maximum_associations: int) -> Admit:
    """Return the plain rule: called AE title, calling AE title, number of associations."""

    def admit(asked: AssociationRequest) -> Rejection | None:
        if asked.called_ae_title != ae_title:
            words = f"it called {asked.called_ae_title!r}, this is {ae_title!r}"
            return rejection("called-ae-title", words)
        if callers is not None and asked.calling_ae_title not in callers:
            return rejection("calling-ae-title", f"{asked.calling_ae_title!r} is not among the callers")
        if asked.open_associations >= maximum_associations:
            return rejection("maximum-associations", f"{asked.open_associations} are open already")
        return None

    return admit


def _log(incident: Incident) -> None:
    _LOG.warning("%s", incident)
