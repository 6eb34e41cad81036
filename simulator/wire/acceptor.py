"""Associations that this side accepts, as SCP of Verification and Storage."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid
from pynetdicom.transport import ThreadedAssociationServer

from simulator.errors import StartError
from simulator.wire.association import (
    MAXIMUM_PDU,
    VERIFICATION,
    Context,
    Response,
    StoreRequest,
    new_ae,
    send_without_delay,
)
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

# pynetdicom knows no service for the two classes that PS3 retired in 2004, accepts their contexts all the same,
# and then answers with an empty status.
register_uid("1.2.840.10008.5.1.1.29", "HardcopyGrayscaleImageStorage", StorageServiceClass)
register_uid("1.2.840.10008.5.1.1.30", "HardcopyColorImageStorage", StorageServiceClass)

_POLL_SECONDS = 0.05

_LOG = logging.getLogger(__name__)

StoreService = Callable[[StoreRequest], Response]


class Acceptor:
    """Listens for associations and serves Verification and Storage as SCP.

    `on_store` is called in the association's thread for each C-STORE-RQ and its `Response` is what the peer
    gets; a called AE title other than `ae_title`, or a calling one not in `calling_ae_titles` (None: any), is
    rejected as PS3.8 9.3.4 says. Verification is accepted beside `contexts`.
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
    ) -> None:
        self._on_store = on_store
        self._where = (host, port)
        self._ae = new_ae(ae_title)
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = list(calling_ae_titles or ())
        self._closed = calling_ae_titles is not None and not calling_ae_titles
        self._ae.maximum_pdu_size = MAXIMUM_PDU
        self._ae.maximum_associations = maximum_associations
        self._ae.add_supported_context(VERIFICATION, [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
        for context in contexts:
            self._ae.add_supported_context(context.abstract_syntax_uid, list(context.transfer_syntax_uids))
        self._server: ThreadedAssociationServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen, and return the port (of interest when 0 was asked for). Raises `StartError`."""
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, send_without_delay),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_REJECTED, self._log_rejection),
        ]
        if self._closed:  # to pynetdicom an empty list of callers means any
            handlers.append((evt.EVT_REQUESTED, _reject_caller))
        try:
            server = ThreadedAssociationServer(
                self._ae, self._where, self._ae.ae_title, self._ae.supported_contexts, evt_handlers=handlers
            )
        except OSError as error:
            host, port = self._where
            raise StartError(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "another program uses the port, or the address is not this machine's; port 0 takes any free one",
            ) from error
        self._ae._servers.append(server)
        self._thread = threading.Thread(
            target=server.serve_forever,
            args=(_POLL_SECONDS,),
            name=f"acceptor-{self._ae.ae_title}",
            daemon=True,
        )
        self._thread.start()
        self._server = server
        return int(server.server_address[1])

    def stop(self) -> None:
        """Stop listening and end the associations that are open."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server = None
            for association in self._ae.active_associations:
                _end(association)

    def _log_rejection(self, event: evt.Event) -> None:
        requestor = event.assoc.requestor
        asked: Any = requestor.primitive
        called, listed = str(asked.called_ae_title).strip(), self._ae.require_calling_aet
        if called != self._ae.ae_title:
            why = f"it called {called!r}, this is {self._ae.ae_title!r}"
        elif self._closed or (listed and requestor.ae_title not in listed):
            why = "the site profile does not name it among its callers"
        else:
            why = f"{self._ae.maximum_associations} associations are open already"
        _LOG.warning("association of %s at %s rejected: %s", requestor.ae_title, requestor.address, why)

    def _store(self, event: evt.Event) -> Dataset:
        request: Any = event.request
        context, association = event.context, event.assoc
        asked: Any = association.requestor.primitive
        response = self._on_store(
            StoreRequest(
                calling_ae_title=association.requestor.ae_title,
                called_ae_title=str(asked.called_ae_title),
                peer=str(association.requestor.address),
                abstract_syntax_uid=str(context.abstract_syntax),
                transfer_syntax_uid=str(context.transfer_syntax),
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                data_set=request.DataSet.getvalue() if request.DataSet is not None else b"",
            )
        )
        answer = Dataset()
        answer.Status = response.status
        if response.error_comment:
            answer.ErrorComment = _long_string(response.error_comment)
        return answer


def _end(association: Association) -> None:
    """Abort an association, or hang up on a peer that has requested none yet.

    Before that there is nothing to abort (PS3.8 table 9-10, state 2), and pynetdicom's thread dies trying.
    """
    if association.is_established:
        association.abort()
    elif association.dul.socket is not None and association.dul.socket.socket is not None:
        with contextlib.suppress(OSError):
            association.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def _long_string(text: str) -> str:
    """Return `text` as a value of VR LO in the default repertoire: 64 characters, no backslash (PS3.5 6.2)."""
    return "".join("?" if not " " <= c <= "~" else "/" if c == "\\" else c for c in text[:64])


def _reject_caller(event: evt.Event) -> None:
    """Answer as pynetdicom answers an unknown caller: permanently, by the user, calling AE title not recognised."""
    event.assoc.acse.send_reject(1, 1, 3)
    evt.trigger(event.assoc, evt.EVT_REJECTED, {})
    event.assoc.kill()
