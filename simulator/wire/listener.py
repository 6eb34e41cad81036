"""Takes TCP connections for an acceptor, each in a thread of its own: TLS first where it is asked for, then DICOM."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from simulator.wire import tls
from simulator.wire.guard import Guard, Settings
from simulator.wire.incidents import Incident

_BACKLOG = 128

_LOG = logging.getLogger(__name__)


class _Conversation(RequestHandler):
    """Starts the association of one connection, with a `Guard` that reads for it."""

    server: Listener

    def handle(self) -> None:
        """Start the association's threads."""
        association: Any = self._create_association()
        address, port = self.client_address[:2]
        association.guard = Guard(association, address, port, self.server.settings)
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        self.server.begin(association)


class Listener(ThreadedAssociationServer):
    """Listens on one port. A handshake never holds up the next connection."""

    request_queue_size = _BACKLOG
    daemon_threads = True

    def __init__(
        self, ae: AE, where: tuple[str, int], handlers: list[Any], settings: Settings, context: ssl.SSLContext | None
    ) -> None:
        """Bind the port. Raises `OSError`."""
        self.settings = settings
        self._context = context
        self._handshakes: set[tls.Handshake] = set()
        self._has_ended = False
        self._changing = threading.Lock()
        super().__init__(
            ae, where, ae.ae_title, ae.supported_contexts, evt_handlers=handlers, request_handler=_Conversation
        )

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self.server_address[1])

    def shutdown(self) -> None:
        """Stop taking connections, and wait until that is so."""
        with contextlib.suppress(OSError):  # where this does not wake `serve_forever`, it looks by itself soon
            listening: Any = self.socket
            listening.shutdown(socket.SHUT_RDWR)
        super().shutdown()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take a connection unless there are too many already; a limit on associations does not count the silent."""
        limit = self.settings.maximum_connections
        if len(self.active_associations) + len(self._handshakes) < limit:
            return True
        words = f"{limit} connections are open, and this is one more"
        self._tell(client_address, "connections.limit", words)
        return False

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Secure the connection where TLS is asked for, and start its association."""
        connection = request
        if self._context is not None:
            handshake = tls.Handshake(request, self._context)
            with self._changing:
                self._handshakes.add(handshake)
            secured = handshake.do(self.settings.time_outs.acse)
            with self._changing:
                self._handshakes.discard(handshake)
            if isinstance(secured, tls.TlsFailure):
                self._tell(client_address, secured.problem, str(secured))
                return
            connection = secured
        super().process_request_thread(connection, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what an association could not be started for (in place of a print to the screen)."""
        _LOG.exception("the connection of %s:%s could not be served", *client_address[:2])

    def begin(self, association: Any) -> None:
        """Start the threads of an association, or hang up where the end came before: nobody would end them."""
        with self._changing:
            if not self._has_ended:
                association.start()
                return
        association.guard.close()
        association.dul.socket.close()

    def hang_up(self) -> None:
        """Cut off every handshake that is under way; from now on no association begins."""
        with self._changing:
            self._has_ended = True
            for handshake in self._handshakes:
                handshake.cut()

    def _tell(self, client_address: Any, problem: str, words: str) -> None:
        self.settings.tell(Incident(f"{client_address[0]}:{client_address[1]}", problem, words, "hang-up"))
