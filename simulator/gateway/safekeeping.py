"""The gateway as SCU of storage commitment: a destination answers for what it stored before it counts as forwarded.

Asked over an association of its own, which is kept for a moment: many a destination reports on it. Else the report
comes on an association that the destination opens, minutes or hours later, or after a restart. What a destination
does not have (0112) is sent again; for anything else that it does not commit to it is asked again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.errors import PeerError
from simulator.events import CommitmentAnswered, CommitmentReported, CommitmentRequested
from simulator.gateway import access, statuses
from simulator.gateway.forward_queue import Dispatch
from simulator.gateway.index import Index
from simulator.site import Destination, Site
from simulator.wire import commitment
from simulator.wire.association import Address, Association, Context, Response
from simulator.wire.commitment import PUSH_MODEL, TRANSFER_SYNTAXES, Notice, Reference, Report, Request
from simulator.wire.dialogue import Dialogue, ReportService

HOLD = 5.0
"""Seconds that the association of a request is kept for the report."""

_POLL_SECONDS = 0.05
_NO_SUCH_INSTANCE = 0x0112  # PS3.3 C.14.1.1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far safekeeping got: all committed, or a problem in words; `waits` where only the report is missing."""

    problem: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made and not reported yet: by which dispatch, of which study, and its instances."""

    destination: str
    dispatch: int
    study_instance_uid: str
    sop_instance_uids: frozenset[str]


class Safekeeping:
    """Asks destinations to commit, and takes their reports. Safe for use from several threads."""

    def __init__(self, site: Site, index: Index, late: Callable[[Asked, str], None]) -> None:
        """late: called with a request that nobody waits for any more when its report comes, and what was wrong."""
        self._site = site
        self._index = index
        self._late = late
        self._grown = threading.Condition()
        self._outcomes: dict[str, str | None] = {}  # by Transaction UID, while the association is kept
        self._stopping = False

    def stop(self) -> None:
        """Keep no association any more."""
        self._stopping = True

    def secure(self, dispatch: Dispatch, destination: Destination, *, may_ask: bool) -> Progress:
        """Have the destination commit to all instances of the dispatch; without `may_ask`, only look whether it has."""
        left = self._left(dispatch)
        if not left:
            return Progress()
        if not may_ask:
            return Progress(self._silence(destination))
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        study = dispatch.selection.study_instance_uid
        uids = tuple(each.sop_instance_uid for each in left)
        self._write_down(transaction_uid, Asked(destination.ae_title, dispatch.number, study, frozenset(uids)), uids)
        with self._grown:
            self._outcomes[transaction_uid] = None
        try:
            problem = self._ask(destination, study, Request(transaction_uid, left))
        except PeerError as error:
            problem = str(error)
        with self._grown:
            outcome = self._outcomes.pop(transaction_uid)
        if outcome is not None:
            return Progress(outcome)
        if problem:
            self._forget(transaction_uid)
            return Progress(problem)
        if not self._left(dispatch):  # by the report to an earlier request
            return Progress()
        return Progress(f"{destination.ae_title} was asked for storage commitment and has not reported yet", waits=True)

    def by(self, via: str) -> ReportService:
        """Return what takes reports `via` the `same` association or a `new` one."""
        return lambda notice: self._take(notice, via)

    # --- asking --------------------------------------------------------------------------------------

    def _ask(self, destination: Destination, study: str, request: Request) -> str:
        """Send the request and keep the association for the report; return what was wrong with the request."""
        peer = Address(destination.ae_title, destination.host, destination.port)
        with Association.request(
            self._site.gateway.ae_title,
            peer,
            [Context(PUSH_MODEL, TRANSFER_SYNTAXES)],
            access.time_outs(self._site),
            tls=access.credentials(self._site, destination),
            attend=lambda library: Dialogue(library, on_report=self.by("same")),
        ) as association:
            answer = commitment.ask(association, request)
            self._index.add_event(
                CommitmentAnswered(
                    observer="gateway",
                    study_instance_uid=study,
                    transaction_uid=request.transaction_uid,
                    status=answer.status_text,
                    error_comment=answer.error_comment,
                )
            )
            if answer.status:
                refused = f"{answer.status_text} {answer.error_comment}".rstrip()
                return f"{peer} refused the request for storage commitment with {refused}"
            self._keep(association, request.transaction_uid)
        return ""

    def _keep(self, association: Association, transaction_uid: str) -> None:
        end = time.monotonic() + min(HOLD, self._site.forwarding.report_within)
        with self._grown:
            while self._outcomes[transaction_uid] is None and association.stands and not self._stopping:
                if time.monotonic() > end:
                    return
                self._grown.wait(_POLL_SECONDS)

    def _silence(self, destination: Destination) -> str:
        """Return the words for a report that did not come, with what may keep it away."""
        callers, name = self._site.callers, destination.ae_title
        within = f"{name} sent no storage commitment report within {self._site.forwarding.report_within:g} s"
        if callers != "any" and name not in [caller.ae_title for caller in callers]:
            return f"{within}; it may not call: add {name} to 'callers' in the site profile"
        here = self._site.gateway
        return f"{within}; it needs the address of {here.ae_title} and a way to its port {here.dicom_port}"

    # --- reports -------------------------------------------------------------------------------------

    def _take(self, notice: Notice, via: str) -> Response:
        if notice.report is None:
            return statuses.REPORT_UNREADABLE.response(notice.problem)
        asked = self._asked(notice.report.transaction_uid)
        response = _verdict(notice, asked)
        event = _reported(notice.report, notice.event_type or 0, via, response)
        if asked is None or response.status:
            _LOG.warning("storage commitment report of %s refused: %s", notice.peer_ae_title, response.error_comment)
            self._index.add_event(event)
            return response
        problem = self._note(asked, notice.report, event)
        if problem:
            _LOG.warning("study %s: %s", asked.study_instance_uid, problem)
        with self._grown:
            late = notice.report.transaction_uid not in self._outcomes
            if not late:
                self._outcomes[notice.report.transaction_uid] = problem
                self._grown.notify_all()
        if late:
            self._late(asked, problem)
        return response

    def _note(self, asked: Asked, report: Report, event: CommitmentReported) -> str:
        """Write down what is committed, and that what the destination lacks is not there; return what is wrong."""
        failed = {each.reference.sop_instance_uid: each for each in report.failed}
        committed = {each.sop_instance_uid for each in report.committed} & asked.sop_instance_uids - failed.keys()
        lacking = [uid for uid in failed.keys() & asked.sop_instance_uids if failed[uid].reason == _NO_SUCH_INSTANCE]
        with self._index.transaction([event]) as db:
            keys = [(uid, asked.destination) for uid in sorted(committed)]
            db.executemany("INSERT OR IGNORE INTO delivery_commitment VALUES (?,?)", keys)
            lost = [(uid, asked.destination) for uid in lacking]
            db.executemany("DELETE FROM delivery WHERE sop_instance_uid = ? AND destination = ?", lost)
            db.execute("DELETE FROM commitment_asked WHERE transaction_uid = ?", (report.transaction_uid,))
        left = asked.sop_instance_uids - committed
        if not left:
            return ""
        reasons = Counter(failed[uid].reason_text if uid in failed else "not a word about it" for uid in left)
        told = ", ".join(f"{number} with {reason}" for reason, number in sorted(reasons.items()))
        return f"{asked.destination} does not commit to {len(left)} of {len(asked.sop_instance_uids)} instances: {told}"

    # --- tables --------------------------------------------------------------------------------------

    def _left(self, dispatch: Dispatch) -> tuple[Reference, ...]:
        """Return the instances of the dispatch to which its destination has not committed."""
        query = """
            SELECT sop_class_uid, sop_instance_uid FROM dispatch_instance JOIN instance USING (sop_instance_uid)
            WHERE dispatch = ?1 AND sop_instance_uid NOT IN (
                SELECT sop_instance_uid FROM delivery_commitment WHERE destination = ?2
            ) ORDER BY instance.rowid
        """
        return tuple(Reference(*row) for row in self._index.rows(query, dispatch.number, dispatch.destination))

    def _write_down(self, transaction_uid: str, asked: Asked, uids: Sequence[str]) -> None:
        event = CommitmentRequested(
            observer="gateway",
            study_instance_uid=asked.study_instance_uid,
            transaction_uid=transaction_uid,
            sop_instance_uids=tuple(uids),
        )
        values = (transaction_uid, asked.destination, asked.dispatch, asked.study_instance_uid, json.dumps(uids))
        with self._index.transaction([event]) as db:
            db.execute("INSERT INTO commitment_asked VALUES (?,?,?,?,?)", values)

    def _asked(self, transaction_uid: str) -> Asked | None:
        query = "SELECT destination, dispatch, study_instance_uid, instances FROM commitment_asked "
        rows = self._index.rows(query + "WHERE transaction_uid = ?", transaction_uid)
        return Asked(rows[0][0], rows[0][1], rows[0][2], frozenset(json.loads(rows[0][3]))) if rows else None

    def _forget(self, transaction_uid: str) -> None:
        with self._index.transaction(()) as db:
            db.execute("DELETE FROM commitment_asked WHERE transaction_uid = ?", (transaction_uid,))


def _verdict(notice: Notice, asked: Asked | None) -> Response:
    """Return how a report is answered (PS3.7 10.1.1.1.8)."""
    if notice.sop_class_uid != PUSH_MODEL or notice.sop_instance_uid != commitment.PUSH_MODEL_INSTANCE:
        return statuses.NO_SUCH_INSTANCE.response("not the well-known instance of storage commitment")
    if notice.event_type not in (commitment.ALL_COMMITTED, commitment.FAILURES_EXIST):
        return statuses.NO_SUCH_EVENT.response(f"Event Type ID {notice.event_type} is neither 1 nor 2")
    if asked is None:
        return statuses.REPORT_UNASKED.response("no request is open under this Transaction UID")
    if notice.peer_ae_title != asked.destination:
        return statuses.REPORT_UNASKED.response("another AE was asked under this Transaction UID")
    return statuses.REPORT_TAKEN.response()


def _reported(report: Report, event_type: int, via: str, response: Response) -> CommitmentReported:
    return CommitmentReported(
        observer="gateway",
        transaction_uid=report.transaction_uid,
        event_type=event_type,
        committed=tuple(each.sop_instance_uid for each in report.committed),
        failed=tuple(each.reference.sop_instance_uid for each in report.failed),
        reasons=tuple(each.reason_text for each in report.failed),
        via=via,
        status=response.status_text,
    )
