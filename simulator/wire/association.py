"""Associations that this side requests, as SCU, and what both sides of an association speak of.

pynetdicom negotiates and speaks the upper layer; this module gives it what the project needs beside: the fields
of a rejection instead of a flag, instances sent as the encoded bytes they are, `TCP_NODELAY`. The other side is
`acceptor`.

Sending goes around pynetdicom's `send_c_store`. That method asks the association's reactor thread to pause for
each message, and takes the reactor's word from the message before: a reactor that is just waking reads the
C-STORE response off the queue in its stead, and the sender waits until the network time-out. `Association`
parks the reactor once, for good, by a handshake that cannot be missed (see `_ParkingPlace`).
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, Literal, Protocol, cast

from pydicom.uid import UID
from pynetdicom import AE, _config, build_context, build_role, evt
from pynetdicom.association import Association as _LibraryAssociation
from pynetdicom.dimse_primitives import C_ECHO, C_STORE, N_ACTION, N_EVENT_REPORT
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import PresentationContext as _LibraryContext

from simulator.errors import (
    ContextNotAccepted,
    NotDicom,
    PeerAborted,
    PeerRefused,
    PeerSilent,
    PeerUnreachable,
    UsageError,
)
from simulator.wire import command_set, store_plane
from simulator.wire.gathering import Gathering
from simulator.wire.incidents import REJECT_REASONS
from simulator.wire.negotiated import Lengths, answers, refusals
from simulator.wire.pdus import SHORTEST_DATA
from simulator.wire.send_plane import SendPlane
from simulator.wire.titles import on_the_wire, printable, send_titles
from simulator.wire.tls import Credentials, RequestorContext

# Its standard logging decodes every PDU a second time; the project observes for itself.
_config.LOG_HANDLER_LEVEL = "none"

MAXIMUM_PDU = 131072
VERIFICATION = store_plane.VERIFICATION
# Said in each association (PS3.7 D.3.3.2) and written into each file (PS3.10 7.1).
IMPLEMENTATION_CLASS_UID = "2.25.316471893226045293846018476511983514211"
IMPLEMENTATION_VERSION_NAME = "HAGW_SIM_0_1"
MAXIMUM_CONTEXTS = 128
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")  # PS3.5 6.2
_POLL_SECONDS = 0.05
_ENDED_AT_ONCE = "{peer} ended the association as soon as it had accepted it"
_NO_ROOM = "{peer} takes P-DATA-TF of {length} bytes at most, and no message has room in that (PS3.8 D.1)"
_ENDED = "{peer} ended the association before it answered"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an AE is found: its AE title, host and port."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address written `AET@HOST:PORT`. Raises `UsageError` for anything else."""
        ae_title, at, where = text.rpartition("@")
        host, colon, port = where.rpartition(":")
        found = at and colon and host and port.isascii() and port.isdigit() and int(port) < 65536
        if not found or not _AE_TITLE.fullmatch(ae_title) or not ae_title.strip():
            raise UsageError(f"{text!r} is not an address", "write AET@HOST:PORT, such as HAGATEWAY@127.0.0.1:11112")
        return cls(ae_title, host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context to propose or to accept (PS3.8 9.3.2.2).

    role: which the requestor proposes for itself; "scp" by role selection, without the SCU role (PS3.7 D.3.3.4).
    """

    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]
    role: Literal["scu", "scp"] = "scu"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance as C-STORE sends it: UIDs of the command set, and the encoded data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a DIMSE response said: Status (0000,0900) and Error Comment (0000,0902)."""

    status: int
    error_comment: str = ""

    @property
    def status_text(self) -> str:
        """The status as the standard prints it: four hexadecimal digits."""
        return f"{self.status:04X}"

    @property
    def stored(self) -> bool:
        """Whether the status says that the instance was stored: success, or a warning (PS3.4 B.2.3)."""
        return self.status == 0x0000 or self.status in (0x0001, 0x0107, 0x0116) or self.status >> 12 == 0xB


class Incoming(Protocol):
    """Where a data set is laid down while it comes, so that little is left to do once it is whole."""

    size: int
    """Bytes of the data set that are laid down."""

    def add(self, data: memoryview) -> None:
        """Lay down what came next. Raises nothing: what went wrong is told when the data set is whole."""

    def drop(self) -> None:
        """Forget all of it, unless it was kept."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ as an SCP receives it, with what the association says about its sender.

    incoming: where the first bytes of the data set lie already. The data set is lent then, until the answer, or until
    what was `gathered` is given back by who keeps it.
    """

    calling_ae_title: str
    called_ae_title: str
    peer: str
    abstract_syntax_uid: str
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    data_set: bytes | memoryview
    incoming: Incoming | None = None
    gathered: Gathering | None = None


@dataclass(frozen=True, slots=True)
class TimeOuts:
    """Seconds to wait, as SCU, for a TCP connection, an ACSE answer and a DIMSE answer.

    As SCP: `acse` for an A-ASSOCIATE-RQ, `dimse` for the rest of a DIMSE message, `pdu` for the rest of a PDU (and for
    the peer to take one), `idle` for the next PDU on an open association.
    """

    connection: float = 10.0
    acse: float = 30.0
    dimse: float = 60.0
    pdu: float = 30.0
    idle: float = 600.0


@dataclass(frozen=True, slots=True)
class Route:
    """How a peer is reached: with which TLS credentials (None: without TLS), from which address (empty: any)."""

    tls: Credentials | None = None
    source: str = ""


class Attendant(Protocol):
    """Who serves what the peer asks on an association that this side requested."""

    def settle(self) -> None:
        """Return once nothing is being served any more."""


class Association:
    """An accepted association on which this side is SCU; a context manager that releases at the end.

    Not for use from several threads at once, but for `hang_up`.
    """

    def __init__(
        self,
        calling_ae_title: str,
        peer: Address,
        contexts: Sequence[Context],
        time_outs: TimeOuts,
        route: Route,
        attend: Callable[[Any], Attendant] | None = None,
        maximum_length: int = MAXIMUM_PDU,
    ) -> None:
        """Request an association. Use `request`."""
        self.peer = peer
        self._message_id = 0
        self._left = False  # it was this side that ended the association
        self._patience = time_outs.dimse
        ae = new_ae(printable(calling_ae_title))
        ae.connection_timeout = time_outs.connection
        ae.acse_timeout = time_outs.acse
        ae.dimse_timeout = time_outs.dimse
        ae.network_timeout = None
        titles = on_the_wire(peer.ae_title) + on_the_wire(calling_ae_title)
        self._attendants: list[Attendant] = []
        self._lengths = Lengths()

        self._plane: SendPlane | None = None

        def attended(library: _LibraryAssociation) -> None:
            # A peer that may ask something itself is pynetdicom's to listen to.
            if attend is not None:
                self._attendants.append(attend(library))
            elif store_plane.is_on():
                self._plane = SendPlane(library)
            if maximum_length != MAXIMUM_PDU:
                library.bind(evt.EVT_DATA_RECV, self._lengths.take)

        self._library = _negotiated(ae, peer, contexts, route, titles, attended, maximum_length)
        self._parking_place = _ParkingPlace()
        self._library._reactor_checkpoint = self._parking_place
        if not self._parking_place.wait_until_parked(self._library, time_outs.acse):
            self._library.abort()
            raise PeerAborted(_ENDED_AT_ONCE.format(peer=peer))
        if 0 < (length := self.maximum_length) < SHORTEST_DATA:
            self._library.abort()
            raise PeerAborted(_NO_ROOM.format(peer=peer, length=length))

    @classmethod
    def request(
        cls,
        calling_ae_title: str,
        peer: Address,
        contexts: Sequence[Context],
        time_outs: TimeOuts | None = None,
        *,
        tls: Credentials | None = None,
        source: str = "",
        attend: Callable[[Any], Attendant] | None = None,
        maximum_length: int = MAXIMUM_PDU,
    ) -> Association:
        """Open an association to `peer`, proposing `contexts` (at most 128), over TLS where `tls` says with what.

        source: the IP address to call from; empty: any of this machine's. Titles may be such as the standard does
        not allow, up to 16 characters of Latin-1, and go as the bytes that they are, padded with spaces.

        attend: called with pynetdicom's association before anything is negotiated, for who serves requests of the
        peer on it. maximum_length: of P-DATA-TF, in bytes, that the peer is told to send at most (PS3.8 D.1); 0: any.
        Raises `PeerUnreachable`, `PeerRefused`, `PeerAborted`, `PeerSilent` or `ContextNotAccepted`.
        """
        if not 0 < len(contexts) <= MAXIMUM_CONTEXTS:
            raise UsageError(f"an association proposes 1 to {MAXIMUM_CONTEXTS} presentation contexts")
        route, limits = Route(tls, source), time_outs or TimeOuts()
        return cls(calling_ae_title, peer, contexts, limits, route, attend, maximum_length)

    def __enter__(self) -> Association:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    @property
    def answers(self) -> tuple[str, ...]:
        """How each context was answered, as proposed: the transfer syntax accepted, else why not."""
        return answers(self._library)

    @property
    def maximum_length(self) -> int:
        """The length of P-DATA-TF that the peer takes, in bytes (PS3.8 D.1); 0: any."""
        return self._library.acceptor.maximum_length or 0

    @property
    def longest(self) -> int:
        """The length of the longest P-DATA-TF that came, in bytes; known where `maximum_length` was asked for."""
        return self._lengths.longest

    def accepts(self, sop_class_uid: str, transfer_syntax_uid: str) -> bool:
        """Tell whether an accepted context carries this SOP class in this transfer syntax."""
        return self._context(sop_class_uid, transfer_syntax_uid) is not None

    def accepted_syntaxes(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes that were accepted for the SOP class."""
        contexts = self._library.accepted_contexts
        return tuple(str(c.transfer_syntax[0]) for c in contexts if c.abstract_syntax == sop_class_uid)

    def refusal(self, sop_class_uid: str) -> str:
        """Return in brackets why contexts of the SOP class were refused (PS3.8 9.3.3.2); empty where none was."""
        return refusals(self._library, sop_class_uid)

    def echo(self) -> Response:
        """Send C-ECHO-RQ and return the response. Raises `PeerError` when none comes."""
        request = C_ECHO()
        request.MessageID = self._next_message_id()
        request.AffectedSOPClassUID = UID(VERIFICATION)
        contexts = [c for c in self._library.accepted_contexts if c.abstract_syntax == VERIFICATION]
        if not contexts:
            raise ContextNotAccepted(f"{self.peer} accepted no context for Verification")
        if self._plane_is_clear():
            return self._past_library(store_plane.echo_request(request.MessageID, VERIFICATION), contexts[0])
        return self._exchange(request, contexts[0])

    def store(self, outgoing: Outgoing) -> Response:
        """Send one C-STORE-RQ and return the response.

        Raises `ContextNotAccepted` when nothing was agreed for it, another `PeerError` when no response comes,
        `UsageError` for an empty data set (PS3.7 9.1.1.1.7: a C-STORE-RQ has one).
        """
        if not outgoing.data_set:
            raise UsageError(f"instance {outgoing.sop_instance_uid} has an empty data set; C-STORE needs one")
        context = self._context(outgoing.sop_class_uid, outgoing.transfer_syntax_uid)
        if context is None:
            raise ContextNotAccepted(self._no_context(outgoing))
        number = self._next_message_id()
        if self._plane_is_clear():
            command = store_plane.store_request(number, outgoing.sop_class_uid, outgoing.sop_instance_uid)
            uids = outgoing.sop_class_uid, outgoing.sop_instance_uid
            return self._past_library(command, context, outgoing.data_set, uids)
        request = C_STORE()
        request.MessageID = number
        request.Priority = 2
        request.AffectedSOPClassUID = UID(outgoing.sop_class_uid)
        request.AffectedSOPInstanceUID = UID(outgoing.sop_instance_uid)
        request.DataSet = BytesIO(outgoing.data_set)
        return self._exchange(request, context)

    def ask(self, request: N_ACTION | N_EVENT_REPORT, abstract_syntax_uid: str) -> Response:
        """Send a request of the normalized services and return the response.

        Raises `ContextNotAccepted` when nothing was agreed for it, another `PeerError` when no response comes.
        """
        contexts = [c for c in self._library.accepted_contexts if c.abstract_syntax == abstract_syntax_uid]
        if not contexts:
            raise ContextNotAccepted(f"{self.peer} accepted no context for {UID(abstract_syntax_uid).name}")
        request.MessageID = self._next_message_id()
        return self._exchange(request, contexts[0])

    def is_scp_of(self, abstract_syntax_uid: str) -> bool:
        """Tell whether the peer accepted the SCP role of this side for the SOP class."""
        contexts = self._library.accepted_contexts
        return any(c.abstract_syntax == abstract_syntax_uid and c.as_scp for c in contexts)

    @property
    def stands(self) -> bool:
        """Whether the peer has not ended the association."""
        self._hand_back()
        return self._library.is_established and not self._has_ended()

    def release(self) -> None:
        """Release the association (A-RELEASE-RQ), and wait for the answer; what the peer asks is answered first."""
        for attendant in self._attendants:
            attendant.settle()
        self._hand_back()
        if self._library.is_established:
            self._left = True
            self._library.release()

    def abort(self) -> None:
        """End the association at once (A-ABORT)."""
        self._hand_back()
        if self._library.is_established:
            self._left = True
            self._library.abort()

    def hang_up(self) -> None:
        """Close the connection under whoever waits for an answer, who then gets `PeerAborted`; from any thread."""
        wrapped = self._library.dul.socket
        if wrapped is not None and wrapped.socket is not None:
            with contextlib.suppress(OSError):
                wrapped.socket.shutdown(socket.SHUT_RDWR)

    def _context(self, sop_class_uid: str, transfer_syntax_uid: str) -> _LibraryContext | None:
        for context in self._library.accepted_contexts:
            if context.abstract_syntax == sop_class_uid and context.transfer_syntax[0] == transfer_syntax_uid:
                return context
        return None

    def _no_context(self, outgoing: Outgoing) -> str:
        agreed = self.accepted_syntaxes(outgoing.sop_class_uid)
        name = UID(outgoing.sop_class_uid).name
        if not agreed:
            return f"{self.peer} accepted no presentation context for {name}{self.refusal(outgoing.sop_class_uid)}"
        wanted = UID(outgoing.transfer_syntax_uid).name
        return f"{self.peer} takes {name} in {', '.join(UID(a).name for a in agreed)}, not in {wanted}"

    def _next_message_id(self) -> int:
        self._message_id = self._message_id % 65535 + 1
        return self._message_id

    def _hand_back(self) -> None:
        if self._plane is not None:
            self._plane.hand_back()

    def _plane_is_clear(self) -> bool:
        """Tell whether a message can go past pynetdicom; see `send_plane`."""
        plane = self._plane
        return (
            plane is not None
            and self._library.is_established
            and plane.takes
            and plane.is_clear()
            and not self._has_ended()
        )

    def _past_library(
        self, command: bytes, context: _LibraryContext, data: bytes = b"", uids: tuple[str, str] = ("", "")
    ) -> Response:
        assert self._plane is not None
        try:
            answer = self._plane.exchange(cast(int, context.context_id), command, data, self._patience)
        except TimeoutError:
            self._library.abort()
            raise self._silence() from None
        except NotDicom as error:
            self.abort()
            raise PeerAborted(f"{self.peer} answered what cannot be read: {error}") from error
        if answer is None:
            return self._answer(command_set.decode(command).number(command_set.MESSAGE_ID), uids)
        subject = command_set.AFFECTED_SOP_CLASS_UID, command_set.AFFECTED_SOP_INSTANCE_UID
        self._check_subject([answer.text(each) for each in subject], uids)
        return Response(answer.number(command_set.STATUS) or 0, answer.text(command_set.ERROR_COMMENT))

    def _exchange(self, request: C_ECHO | C_STORE | N_ACTION | N_EVENT_REPORT, context: _LibraryContext) -> Response:
        self._hand_back()
        if not self._library.is_established or self._has_ended():
            raise self._no_association()
        self._library.dimse.send_msg(request, cast(int, context.context_id))
        uids = ("", "")
        if isinstance(request, C_STORE):
            uids = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        return self._answer(request.MessageID, uids)

    def _answer(self, message_id: int | None, uids: tuple[str, str]) -> Response:
        """Wait for the response that pynetdicom reads; uids: of C-STORE, SOP class and instance of the request."""
        _, response = self._library.dimse.get_msg(block=True)
        if response is None:
            raise self._no_response()
        if response.MessageIDBeingRespondedTo != message_id:
            self.abort()
            raise PeerAborted(f"{self.peer} answered another message than the one it was sent")
        if response.Status is None:
            self.abort()
            raise PeerAborted(f"{self.peer} answered without a status")
        told = (getattr(response, keyword, None) for keyword in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"))
        self._check_subject([str(uid or "") for uid in told], uids)
        return Response(int(response.Status), str(getattr(response, "ErrorComment", None) or ""))

    def _check_subject(self, answered: Sequence[str], sent: Sequence[str]) -> None:
        """Raise `PeerAborted` for a response about another SOP class or instance (PS3.7 9.3.1.2; it may name none)."""
        for what, told, asked in zip(("SOP class", "SOP instance"), answered, sent, strict=True):
            if asked and told not in ("", asked):
                self.abort()
                raise PeerAborted(f"{self.peer} answered about another {what} ({told}) than {asked}")

    def _has_ended(self) -> bool:
        # An ended association leaves its primitive on the user queue; a silent peer leaves nothing there.
        return not self._library.dul.is_alive() or self._library.dul.peek_next_pdu() is not None

    def _no_association(self) -> PeerAborted:
        """Return the same error whether the peer ended the association before a request or after it."""
        left = self._left
        self.abort()
        return PeerAborted(f"the association with {self.peer} has ended" if left else _ENDED.format(peer=self.peer))

    def _no_response(self) -> PeerAborted | PeerSilent:
        ended = self._has_ended()
        self._left = not ended
        self._library.abort()
        if ended:
            return PeerAborted(_ENDED.format(peer=self.peer))
        return self._silence()

    def _silence(self) -> PeerSilent:
        return PeerSilent(f"{self.peer} gave no answer within {self._library.dimse_timeout:g} s")


def new_ae(ae_title: str) -> AE:
    """Return an AE that tells peers which implementation it is."""
    ae = AE(ae_title=ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return ae


class _ParkingPlace(threading.Event):
    """A reactor checkpoint that is never set until the end, and tells when the reactor waits at it."""

    def __init__(self) -> None:
        super().__init__()
        self._parked = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Park the calling reactor thread."""
        self._parked.set()
        return super().wait(timeout)

    def wait_until_parked(self, reactor: threading.Thread, seconds: float) -> bool:
        """Return True once the reactor is parked, False when it ended instead."""
        deadline = time.monotonic() + seconds
        while not self._parked.wait(_POLL_SECONDS):
            if not reactor.is_alive() or time.monotonic() > deadline:
                return self._parked.is_set()
        return True


def _negotiated(
    ae: AE,
    peer: Address,
    contexts: Sequence[Context],
    route: Route,
    titles: bytes,
    attend: Callable[[_LibraryAssociation], None],
    maximum_length: int,
) -> _LibraryAssociation:
    """Return an established association, or raise the `PeerError` that says why there is none."""
    seen: set[str] = set()
    rejections: list[tuple[int, int, int]] = []
    secured = None if route.tls is None else RequestorContext(route.tls)

    def received(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejections.append(_taken_from(event.pdu))

    def connected(event: evt.Event) -> None:
        seen.add("connected")
        send_without_delay(event)
        send_titles(event.assoc, titles)
        attend(event.assoc)

    started = time.monotonic()
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=[build_context(c.abstract_syntax_uid, list(c.transfer_syntax_uids)) for c in contexts],
        ae_title=printable(peer.ae_title),
        max_pdu=maximum_length,
        tls_args=cast(Any, secured and (secured, secured.peer_name(peer.host))),
        bind_address=(route.source, 0),
        ext_neg=[build_role(c.abstract_syntax_uid, scp_role=True) for c in contexts if c.role == "scp"],
        evt_handlers=[
            (evt.EVT_CONN_OPEN, connected),
            (evt.EVT_PDU_RECV, received),
            (evt.EVT_ACCEPTED, lambda _: seen.add("accepted")),
        ],
    )
    if association.is_established:
        return association
    if rejections:
        raise _refused(ae.ae_title, peer, *rejections[0])
    if secured is not None and secured.failure is not None:
        raise PeerAborted(f"no TLS with {peer}: {secured.failure}")
    if association.accepted_contexts:
        raise PeerAborted(_ENDED_AT_ONCE.format(peer=peer))
    if "accepted" in seen:
        names = dict.fromkeys(c.abstract_syntax_uid for c in contexts)
        told = ", ".join(sorted(UID(uid).name + refusals(association, uid) for uid in names))
        words = f"{peer} accepted the association but no presentation context for {told}"
        raise ContextNotAccepted(words, answers(association))
    if "connected" not in seen:
        raise PeerUnreachable(f"nothing listens on {peer.host}:{peer.port}, or it cannot be reached from here")
    if time.monotonic() - started >= (ae.acse_timeout or 0):
        raise PeerSilent(f"{peer} took the connection but did not answer within {ae.acse_timeout:g} s")
    raise PeerAborted(f"{peer} ended the connection instead of answering the association request")


def _taken_from(rejection: A_ASSOCIATE_RJ) -> tuple[int, int, int]:
    """Return result, source and reason as received, and leave in the PDU what pynetdicom can bear.

    At a value that the standard does not define its thread ends, and the association seems silent.
    """
    fields = int(rejection.result or 0), int(rejection.source or 0), int(rejection.reason_diagnostic or 0)
    if fields[0] not in (1, 2) or fields[1:] not in REJECT_REASONS:
        rejection.result, rejection.source, rejection.reason_diagnostic = 1, 1, 1
    return fields


def _refused(calling_ae_title: str, peer: Address, result: int, source: int, reason: int) -> PeerRefused:
    kind = "permanently" if result == 1 else "for now"
    words = REJECT_REASONS.get((source, reason), "a reason that the standard does not define")
    return PeerRefused(
        f"{peer} rejected the association of {calling_ae_title} {kind}: {words} "
        f"(result {result}, source {source}, reason {reason})",
        result,
        source,
        reason,
    )


def send_without_delay(event: evt.Event) -> None:
    """Turn Nagle's algorithm off: with it on, each small instance waits for a delayed TCP acknowledgement."""
    wrapped = event.assoc.dul.socket
    if wrapped is not None and wrapped.socket is not None:
        wrapped.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
