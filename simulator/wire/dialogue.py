"""What storage commitment adds to one of pynetdicom's associations: both sides may ask at the same time.

pynetdicom sends from several threads at once, and takes every response that its reactor meets for an unexpected
message. A `Dialogue` serves N-ACTION and N-EVENT-REPORT itself, gives the response to a report to who waits for it,
and lets one message out after the other, so that the fragments of two never mix (PS3.8 Annex E).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

from pynetdicom.association import Association as _LibraryAssociation
from pynetdicom.dimse_primitives import C_STORE, N_ACTION, N_EVENT_REPORT
from pynetdicom.presentation import PresentationContext as _LibraryContext

from simulator.errors import ContextNotAccepted, NotDicom, PeerAborted, PeerSilent
from simulator.wire import commitment
from simulator.wire.commitment import PUSH_MODEL, Action, Notice, Report
from simulator.wire.terms import Response

QUIET = 0.1
"""Seconds since the last message of the peer after which it is taken to wait for a report."""

_POLL_SECONDS = 0.02
_PATIENCE = 5.0  # seconds that a release waits for who serves a request
_UNRECOGNIZED_OPERATION = 0x0211  # PS3.7 Annex C: not one of those agreed upon, here by the roles
_FIRST_MESSAGE_ID = 32768  # of reports; responses are told apart by who asks, so any would do

ActionService = Callable[[Action, "Dialogue"], Response]
ReportService = Callable[[Notice], Response]


class Dialogue:
    """An association on which N-ACTION goes to `on_action`, and N-EVENT-REPORT to `on_report`."""

    def __init__(
        self,
        library: _LibraryAssociation,
        *,
        on_action: ActionService | None = None,
        on_report: ReportService | None = None,
    ) -> None:
        self._library = library
        self._on_action = on_action
        self._on_report = on_report
        self._serve_other = library._serve_request
        self._send = library.dimse.send_msg
        self._sending = threading.Lock()
        self._answered = threading.Condition()
        self._answers: dict[int, Response] = {}
        self._message_id = _FIRST_MESSAGE_ID
        self._serving = 0
        self._last_served = time.monotonic()
        self._goes_on = False
        library._serve_request = self._serve  # type: ignore[method-assign]
        library.dimse.send_msg = self._send_whole  # type: ignore[method-assign]

    # --- what the peer asks --------------------------------------------------------------------------

    def _serve(self, msg: Any, context_id: int) -> None:
        """Serve one message, in the reactor's thread (an N-EVENT-REPORT-RQ in one of its own)."""
        with self._answered:
            self._serving += 1
        try:
            if isinstance(msg, N_EVENT_REPORT) and msg.MessageIDBeingRespondedTo is not None:
                self._take_answer(msg)
            elif isinstance(msg, N_ACTION | N_EVENT_REPORT) and self._is_commitment(context_id):
                self._answer(msg, context_id)
            else:
                self._goes_on = self._goes_on or isinstance(msg, C_STORE)
                self._serve_other(msg, context_id)
        finally:
            self._served()

    def store_begins(self) -> None:
        """Note that the peer is busy with a C-STORE of which the library knows nothing."""
        with self._answered:
            self._goes_on = True
            self._serving += 1

    def store_ends(self) -> None:
        """Note that it was answered, or handed over to the library."""
        self._served()

    def _served(self) -> None:
        with self._answered:
            self._last_served = time.monotonic()
            self._serving -= 1
            self._answered.notify_all()

    def _is_commitment(self, context_id: int) -> bool:
        context = self._library._accepted_cx.get(context_id)
        return context is not None and context.abstract_syntax == PUSH_MODEL

    def _answer(self, message: N_ACTION | N_EVENT_REPORT, context_id: int) -> None:
        """Answer as PS3.7 10.1.1 and 10.1.4 say: class, instance and type go back as they came.

        The class and the instance are the responder's to leave out, but Orthanc takes no response without them.
        """
        context = self._library._accepted_cx[context_id]
        answer: N_ACTION | N_EVENT_REPORT
        if isinstance(message, N_ACTION):
            response = self._act(message, context)
            answer = N_ACTION()
            answer.ActionTypeID = message.ActionTypeID
            class_uid, instance_uid = message.RequestedSOPClassUID, message.RequestedSOPInstanceUID
        else:
            response = self._note(message, context)
            answer = N_EVENT_REPORT()
            answer.EventTypeID = message.EventTypeID
            class_uid, instance_uid = message.AffectedSOPClassUID, message.AffectedSOPInstanceUID
        answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = class_uid, instance_uid
        answer.MessageIDBeingRespondedTo = message.MessageID or 0
        answer.Status = response.status
        if response.error_comment:
            answer.ErrorComment = long_string(response.error_comment)  # type: ignore[assignment]
        if self.stands and not self._library._sent_release:
            self._library.dimse.send_msg(answer, context_id)

    def _act(self, message: N_ACTION, context: _LibraryContext) -> Response:
        if self._on_action is None or not context.as_scp:
            return Response(_UNRECOGNIZED_OPERATION, "this side is not SCP of storage commitment")
        request, problem = None, ""
        try:
            request = commitment.read_request(_bytes(message.ActionInformation), str(context.transfer_syntax[0]))
        except NotDicom as error:
            problem = str(error)
        self._goes_on = False
        action = Action(
            calling_ae_title=self._library.requestor.ae_title,
            peer=str(self._library.requestor.address),
            sop_class_uid=str(message.RequestedSOPClassUID or ""),
            sop_instance_uid=str(message.RequestedSOPInstanceUID or ""),
            action_type=message.ActionTypeID,
            request=request,
            problem=problem,
        )
        return self._on_action(action, self)

    def _note(self, message: N_EVENT_REPORT, context: _LibraryContext) -> Response:
        if self._on_report is None or not context.as_scu:
            return Response(_UNRECOGNIZED_OPERATION, "this side is not SCU of storage commitment")
        report, problem = None, ""
        try:
            report = commitment.read_report(_bytes(message.EventInformation), str(context.transfer_syntax[0]))
        except NotDicom as error:
            problem = str(error)
        peer = self._library.acceptor if self._library.is_requestor else self._library.requestor
        notice = Notice(
            peer_ae_title=peer.ae_title,
            sop_class_uid=str(message.AffectedSOPClassUID or ""),
            sop_instance_uid=str(message.AffectedSOPInstanceUID or ""),
            event_type=message.EventTypeID,
            report=report,
            problem=problem,
        )
        return self._on_report(notice)

    def _take_answer(self, message: N_EVENT_REPORT) -> None:
        with self._answered:
            comment = str(getattr(message, "ErrorComment", None) or "")
            number = cast(int, message.MessageIDBeingRespondedTo)
            self._answers[number] = Response(int(message.Status or 0), comment)
            self._answered.notify_all()

    # --- what this side tells ------------------------------------------------------------------------

    def settle(self) -> None:
        """Return once the requests of the peer that came so far are answered: a release would cut the answers off."""
        with self._answered:
            self._answered.wait_for(lambda: not self._serving or not self.stands, _PATIENCE)

    @property
    def stands(self) -> bool:
        """Whether the association has neither been released nor aborted."""
        return bool(self._library.is_established)

    @property
    def goes_on(self) -> bool:
        """Whether the peer has sent C-STORE-RQ after its last request for commitment.

        It is busy then, and not few of them take a report for the response that they wait for.
        """
        return self._goes_on

    def report(self, report: Report, patience: float) -> Response:
        """Send a report over this association once the peer is quiet; return its response.

        Raises `ContextNotAccepted` without the SCP role, `PeerAborted` when the association ends before the
        response, `PeerSilent` when `patience` seconds pass.
        """
        contexts = [c for c in self._library.accepted_contexts if c.abstract_syntax == PUSH_MODEL and c.as_scp]
        if not contexts:
            raise ContextNotAccepted("this side has not the SCP role for storage commitment on the association")
        message = commitment.report_message(report, str(contexts[0].transfer_syntax[0]))
        deadline = time.monotonic() + patience
        with self._answered:
            self._message_id = self._message_id % 65535 + 1
            number = message.MessageID = self._message_id
            while not self._is_quiet():
                self._pause(deadline, "was never quiet")
        self._library.dimse.send_msg(message, cast(int, contexts[0].context_id))
        with self._answered:
            while number not in self._answers:
                self._pause(deadline, "gave no answer to the report")
            return self._answers.pop(number)

    def _pause(self, deadline: float, silence: str) -> None:
        """Wait for an answer or a moment; raises when the association has ended or the time is up."""
        if not self.stands:
            raise PeerAborted("the peer ended the association")
        if time.monotonic() > deadline:
            raise PeerSilent(f"the peer {silence}")
        self._answered.wait(_POLL_SECONDS)

    def _is_quiet(self) -> bool:
        """Tell whether no request of the peer is coming in or being served, and none was for a moment."""
        dimse = self._library.dimse
        idle = self._serving == 0 and dimse.message is None and dimse.msg_queue.empty()
        return idle and time.monotonic() - self._last_served >= QUIET

    def _send_whole(self, primitive: Any, context_id: int) -> None:
        with self._sending:
            self._send(primitive, context_id)


def long_string(text: str) -> str:
    """Return `text` as a value of VR LO in the default repertoire: 64 characters, no backslash (PS3.5 6.2)."""
    return "".join("?" if not " " <= c <= "~" else "/" if c == "\\" else c for c in text[:64])


def _bytes(value: Any) -> bytes:
    return value.getvalue() if value is not None else b""
