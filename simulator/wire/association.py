"""Associations that this side requests, as SCU: messages and their responses.

pynetdicom speaks the upper layer; `requesting` negotiates, `hearing` reads. This module gives it what the project needs
beside: instances sent as the encoded bytes they are, and responses that are believed only when they are to what was
asked. The other side is `acceptor`.

Sending goes around pynetdicom's `send_c_store`. That method asks the association's reactor thread to pause for
each message, and takes the reactor's word from the message before: a reactor that is just waking reads the
C-STORE response off the queue in its stead, and the sender waits until the network time-out. `Association`
parks the reactor once, for good, by a handshake that cannot be missed (see `_ParkingPlace`).
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from types import TracebackType
from typing import Any, Protocol, cast

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_ECHO, C_STORE, N_ACTION, N_EVENT_REPORT
from pynetdicom.presentation import PresentationContext as _LibraryContext

from simulator.errors import ContextNotAccepted, NotDicom, PeerAborted, PeerSilent, UsageError
from simulator.wire import command_set, requesting, store_plane
from simulator.wire.asked import Asked, Request
from simulator.wire.command_set import CommandSet
from simulator.wire.hearing import Hearing
from simulator.wire.negotiated import Lengths, answers, refusals, usable
from simulator.wire.pdus import SHORTEST_DATA
from simulator.wire.requesting import ENDED_AT_ONCE, Proposal
from simulator.wire.send_plane import SendPlane
from simulator.wire.terms import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAXIMUM_CONTEXTS,
    MAXIMUM_PDU,
    VERIFICATION,
    Address,
    Context,
    Outgoing,
    Response,
    StoreRequest,
    TimeOuts,
)
from simulator.wire.tls import Credentials

__all__ = [  # the terms are as public here as where they stand
    "IMPLEMENTATION_CLASS_UID",
    "IMPLEMENTATION_VERSION_NAME",
    "MAXIMUM_CONTEXTS",
    "MAXIMUM_PDU",
    "VERIFICATION",
    "Address",
    "Association",
    "Attendant",
    "Context",
    "Outgoing",
    "Response",
    "StoreRequest",
    "TimeOuts",
]

_POLL_SECONDS = 0.05
_NO_ROOM = "{peer} takes P-DATA-TF of {length} bytes at most, and no message has room in that (PS3.8 D.1)"


class Attendant(Protocol):
    """Who serves what the peer asks on an association that this side requested."""

    def settle(self) -> None:
        """Return once nothing is being served any more."""


class Association:
    """An accepted association on which this side is SCU; a context manager that releases at the end.

    Not for use from several threads at once, but for `hang_up`.
    """

    def __init__(
        self, proposal: Proposal, time_outs: TimeOuts, attend: Callable[[Any], Attendant] | None = None
    ) -> None:
        """Request an association. Use `request`."""
        self.peer = proposal.peer
        self._message_id = 0
        self._left = False  # it was this side that ended the association
        self._patience = time_outs.dimse
        self._attendants: list[Attendant] = []
        self._lengths = Lengths()
        self._plane: SendPlane | None = None

        def attended(library: Any, hearing: Hearing) -> None:
            # A peer that may ask something itself is pynetdicom's to listen to.
            if attend is not None:
                self._attendants.append(attend(library))
            elif store_plane.is_on():
                self._plane = SendPlane(library, hearing)
            if proposal.maximum_length != MAXIMUM_PDU:
                library.bind(evt.EVT_DATA_RECV, self._lengths.take)

        self._library, self._hearing = requesting.request(proposal, time_outs, attended)
        self._parking_place = _ParkingPlace()
        self._library._reactor_checkpoint = self._parking_place
        if not self._parking_place.wait_until_parked(self._library, time_outs.acse):
            self._library.abort()
            raise PeerAborted(ENDED_AT_ONCE.format(peer=self.peer))
        if 0 < (length := self.maximum_length) < SHORTEST_DATA:
            self._library.abort()
            raise PeerAborted(_NO_ROOM.format(peer=self.peer, length=length))

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
        proposal = Proposal(calling_ae_title, peer, contexts, tls, source, maximum_length)
        return cls(proposal, time_outs or TimeOuts(), attend)

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
        return tuple(str(c.transfer_syntax[0]) for c in self._contexts(sop_class_uid))

    def refusal(self, sop_class_uid: str) -> str:
        """Return in brackets why contexts of the SOP class were refused (PS3.8 9.3.3.2); empty where none was."""
        return refusals(self._library, sop_class_uid)

    def echo(self) -> Response:
        """Send C-ECHO-RQ and return the response. Raises `PeerError` when none comes."""
        request = C_ECHO()
        request.MessageID = self._next_message_id()
        request.AffectedSOPClassUID = UID(VERIFICATION)
        contexts = self._contexts(VERIFICATION)
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
            asked = store_plane.store_request(number, outgoing.sop_class_uid, outgoing.sop_instance_uid)
            return self._past_library(asked, context, outgoing.data_set)
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
        contexts = self._contexts(abstract_syntax_uid)
        if not contexts:
            raise ContextNotAccepted(f"{self.peer} accepted no context for {UID(abstract_syntax_uid).name}")
        request.MessageID = self._next_message_id()
        return self._exchange(request, contexts[0])

    def is_scp_of(self, abstract_syntax_uid: str) -> bool:
        """Tell whether the peer accepted the SCP role of this side for the SOP class."""
        return any(context.as_scp for context in self._contexts(abstract_syntax_uid))

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
        found = (c for c in self._contexts(sop_class_uid) if c.transfer_syntax[0] == transfer_syntax_uid)
        return next(found, None)

    def _contexts(self, abstract_syntax_uid: str) -> list[_LibraryContext]:
        accepted = self._library.accepted_contexts
        return [context for context in accepted if context.abstract_syntax == abstract_syntax_uid and usable(context)]

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

    def _past_library(self, request: CommandSet, context: _LibraryContext, data: bytes = b"") -> Response:
        assert self._plane is not None
        asked = Asked.by(request, cast(int, context.context_id))
        try:
            answer = self._plane.exchange(asked.context_id, request, data, self._patience)
        except TimeoutError:
            raise self._no_response() from None
        except NotDicom as error:
            self.abort()
            raise PeerAborted(f"{self.peer} answered what cannot be read: {error}") from error
        if answer is None:
            return self._answer(asked)
        named = answer.text(command_set.AFFECTED_SOP_CLASS_UID), answer.text(command_set.AFFECTED_SOP_INSTANCE_UID)
        self._expect(asked.differs(*named))
        return Response(answer.number(command_set.STATUS) or 0, answer.text(command_set.ERROR_COMMENT))

    def _exchange(self, request: Request, context: _LibraryContext) -> Response:
        self._hand_back()
        if not self._library.is_established or self._has_ended():
            raise self._no_association()
        context_id = cast(int, context.context_id)
        self._library.dimse.send_msg(request, context_id)
        return self._answer(Asked.of(request, context_id))

    def _answer(self, asked: Asked) -> Response:
        """Wait for the response that pynetdicom gets."""
        context_id, response = self._next_message()
        if response is None:
            raise self._no_response()
        self._expect(asked.misses(context_id, response))
        return Response(int(response.Status), str(getattr(response, "ErrorComment", None) or ""))

    def _next_message(self) -> tuple[int | None, Any]:
        """Return the next message and its context; None when the association ends, or the time is up."""
        messages = self._library.dimse.msg_queue
        deadline = time.monotonic() + self._patience
        while not self._has_ended() and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return messages.get(timeout=_POLL_SECONDS)
        with contextlib.suppress(queue.Empty):
            return messages.get_nowait()
        return None, None

    def _expect(self, wrong: str) -> None:
        """Raise `PeerAborted` when something is wrong with a response."""
        if wrong:
            self.abort()
            raise PeerAborted(f"{self.peer} answered {wrong}")

    def _has_ended(self) -> bool:
        # An ended association leaves its primitive on the user queue; a silent peer leaves nothing there.
        dul = self._library.dul
        return self._hearing.is_closed or not dul.is_alive() or dul.peek_next_pdu() is not None

    def _no_association(self) -> PeerAborted | PeerSilent:
        """Return the same error whether the peer ended the association before a request or after it."""
        told = PeerAborted(f"the association with {self.peer} has ended") if self._left else self._ended()
        self.abort()
        return told

    def _no_response(self) -> PeerAborted | PeerSilent:
        has_ended = self._has_ended()
        told = self._ended() if has_ended else self._silence()
        self._left = not has_ended
        self._library.abort()
        return told

    def _ended(self) -> PeerAborted | PeerSilent:
        """Return how the association ended that this side did not leave."""
        heard = self._hearing
        if heard.is_late:
            return self._silence()
        if heard.fault:
            return PeerAborted(f"{self.peer} sent what cannot be taken: {heard.fault}")
        if heard.told and not (heard.is_closed or heard.is_ending):
            return PeerAborted(f"{self.peer} sent {heard.told} where a response was expected")
        how = f" ({heard.told})" if heard.is_ending else ""
        return PeerAborted(f"{self.peer} ended the association before it answered{how}")

    def _silence(self) -> PeerSilent:
        if came := self._hearing.unfinished:
            return PeerSilent(f"{self.peer} gave no whole answer in time: {came} came")
        return PeerSilent(f"{self.peer} gave no answer within {self._patience:g} s")


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
