"""The gateway as SCP of storage commitment (PS3.4 Annex J): what is asked, and what it commits to.

N-ACTION is answered once the request is written down: success means *received*. Off the association each instance
is looked up, its file and the index are made to survive a power cut, and its content is compared with the digest
that was taken when it came; only then it is committed. The report is brought back by `reporting`.
"""

from __future__ import annotations

import errno
import logging
import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from simulator.errors import NotDicom
from simulator.events import CommitmentDecided, CommitmentReceived
from simulator.gateway import statuses
from simulator.gateway.index import Index
from simulator.gateway.reporting import PAUSE_AFTER_A_FAULT, Reporter
from simulator.gateway.rows import InstanceRow
from simulator.gateway.store import Store
from simulator.gateway.study_queue import StudyQueue
from simulator.gateway.transactions import Transaction, Transactions
from simulator.site import Site
from simulator.wire import data_set, part10
from simulator.wire.association import Response
from simulator.wire.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST_ACTION, Action, Reference, Request
from simulator.wire.dialogue import Dialogue

_EXHAUSTED = frozenset((errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE))
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")  # PS3.5 9.1
_AT_ONCE = 4  # files that are brought to the disk and read: the disk takes several together
_Outcome = tuple[tuple[Reference, int | None], ...]

_LOG = logging.getLogger(__name__)


class Commitments:
    """Takes requests for commitment, decides them one after the other, and has them reported."""

    def __init__(self, site: Site, index: Index, store: Store, close_study: Callable[[str], None]) -> None:
        """close_study: called with the UID of each study that a request shows to be complete."""
        self._index = index
        self._store = store
        self._close_study = close_study
        self._supported = frozenset(sop_class.uid for sop_class in site.storage_classes())
        self._transactions = Transactions(index)
        self._reporter = Reporter(site, self._transactions)
        self._requests = StudyQueue("commitment", self._decide)

    def start(self) -> None:
        """Start deciding and reporting, with what the last run left under way."""
        for transaction in self._transactions.under_way():
            self._go_on(transaction)
        self._requests.start()

    def stop(self) -> None:
        """Finish what is in hand. What is still to do is found again at the next start."""
        self._requests.stop()
        self._reporter.stop()

    def answer(self, action: Action, dialogue: Dialogue) -> Response:
        """Answer one N-ACTION-RQ. Success means: written down, to be decided and reported."""
        request = action.request
        response = _refusal(action) or statuses.REQUEST_RECEIVED.response()
        event = CommitmentReceived(
            observer="gateway",
            transaction_uid=request.transaction_uid if request else "",
            calling_ae_title=action.calling_ae_title,
            instances=len(request.references) if request else 0,
            status=response.status_text,
            error_comment=response.error_comment,
        )
        try:
            if request is None or response.status:
                _LOG.warning("commitment request of %s refused: %s", action.calling_ae_title, response.error_comment)
                self._index.add_event(event)
                return response
            number = self._transactions.add(request, action.calling_ae_title, event)
        except sqlite3.Error as error:
            _LOG.error("commitment request of %s cannot be written down: %s", action.calling_ae_title, error)
            return statuses.REQUEST_NOT_KEPT.response(f"cannot be written down: {error}")
        self._reporter.remember(number, dialogue)
        self._requests.hasten(str(number))
        return response

    # --- off the association -------------------------------------------------------------------------

    def _go_on(self, transaction: Transaction) -> None:
        if transaction.state == "received":
            self._requests.hasten(str(transaction.number))
        else:
            self._reporter.bring(transaction)

    def _decide(self, number: str) -> None:
        try:
            self._decide_on(self._transactions.get(int(number)))
        except sqlite3.Error as error:
            _LOG.error("commitment request %s waits: the index cannot be used: %s", number, error)
            self._requests.postpone(number, PAUSE_AFTER_A_FAULT)

    def _decide_on(self, transaction: Transaction) -> None:
        if self._transactions.is_repeated(transaction):
            outcome: _Outcome = tuple(
                (each, statuses.REPEATED_TRANSACTION.code) for each in _distinct(transaction.references)
            )
        else:
            self._close_studies(transaction.references)
            outcome = self.outcome(transaction.references)
        failed = sum(reason is not None for _, reason in outcome)
        event = CommitmentDecided(
            observer="gateway",
            transaction_uid=transaction.transaction_uid,
            committed=len(outcome) - failed,
            failed=failed,
        )
        self._transactions.decide(transaction.number, outcome, event)
        _LOG.info("commitment %s: %s of %s held", transaction.transaction_uid, len(outcome) - failed, len(outcome))
        self._go_on(self._transactions.get(transaction.number))

    def _close_studies(self, references: Sequence[Reference]) -> None:
        """Close each study of which the request names every instance that is held, when it names none that is not.

        The requester has sent all of it then; otherwise the quiet period goes on.
        """
        named = {reference.sop_instance_uid for reference in references}
        rows = [self._index.instance(uid) for uid in named]
        for study in {row.study_instance_uid for row in rows if row is not None}:
            if None not in rows and named.issuperset(r.sop_instance_uid for r in self._index.instances(study)):
                self._close_study(study)

    def outcome(self, references: Sequence[Reference]) -> _Outcome:
        """Return each instance, once, with the reason why it is not committed, or None.

        What is committed is durable but for the index, which the decision itself makes so.
        """
        reasons: dict[Reference, int | None] = {}
        held: dict[Reference, InstanceRow] = {}
        for reference in _distinct(references):
            row = self._index.instance(reference.sop_instance_uid)
            reasons[reference] = self._mismatch(reference, row)
            if reasons[reference] is None and row is not None:
                held[reference] = row
        with ThreadPoolExecutor(_AT_ONCE, "commitment") as several:
            reasons |= zip(held, several.map(self._insecurity, held.values()), strict=True)
        try:
            self._store.sync_folders([row.file for row in held.values()])
        except OSError as error:
            _LOG.error("the folders of committed instances cannot be synced: %s", error)
            return tuple((reference, reason or _reason(error)) for reference, reason in reasons.items())
        return tuple(reasons.items())

    def _mismatch(self, reference: Reference, row: InstanceRow | None) -> int | None:
        if reference.sop_class_uid not in self._supported:
            return statuses.CLASS_NOT_SUPPORTED.code
        if row is None:
            return statuses.NOT_HELD.code
        return None if row.sop_class_uid == reference.sop_class_uid else statuses.HELD_UNDER_ANOTHER_CLASS.code

    def _insecurity(self, row: InstanceRow) -> int | None:
        """Make the file durable and look whether it is what came; return the reason why it is not, or None."""
        try:
            self._store.make_durable(row.file)
            found = part10.read(self._store.read(row.file))
        except (OSError, NotDicom) as error:
            _LOG.error("instance %s is not committed: %s", row.sop_instance_uid, error)
            return _reason(error)
        if data_set.digest(found.data_set) != row.data_set_digest:
            _LOG.error("instance %s is not committed: %s is not what came", row.sop_instance_uid, row.file)
            return statuses.NOT_AS_IT_CAME.code
        return None


def _refusal(action: Action) -> Response | None:
    """Return how the request is refused, or None when it is one that can be decided."""
    if action.sop_class_uid != PUSH_MODEL:
        return statuses.NO_SUCH_CLASS.response("not the Storage Commitment Push Model")
    if action.sop_instance_uid != PUSH_MODEL_INSTANCE:
        return statuses.NO_SUCH_INSTANCE.response(f"not the well-known instance {PUSH_MODEL_INSTANCE}")
    if action.action_type != REQUEST_ACTION:
        return statuses.NO_SUCH_ACTION.response(f"Action Type ID {action.action_type} is not 1")
    if action.request is None:
        return statuses.INVALID_ARGUMENT.response(action.problem)
    problem = _problem(action.request)
    return statuses.INVALID_ARGUMENT.response(problem) if problem else None


def _problem(request: Request) -> str:
    if not request.transaction_uid:
        return "Transaction UID (0008,1195) is missing"
    if not _UID.fullmatch(request.transaction_uid):
        return "Transaction UID (0008,1195) is not a UID"
    if not request.references:
        return "Referenced SOP Sequence (0008,1199) has no item"
    for number, reference in enumerate(request.references, 1):
        if not _UID.fullmatch(reference.sop_class_uid) or not _UID.fullmatch(reference.sop_instance_uid):
            return f"item {number} of (0008,1199) names no instance by UIDs"
    return ""


def _distinct(references: Sequence[Reference]) -> tuple[Reference, ...]:
    """Return each instance once, as it was first named: it may stand in one sequence of the report only."""
    named: dict[str, Reference] = {}
    for reference in references:
        named.setdefault(reference.sop_instance_uid, reference)
    return tuple(named.values())


def _reason(error: Exception) -> int:
    exhausted = getattr(error, "errno", None) in _EXHAUSTED
    return (statuses.NO_RESOURCES if exhausted else statuses.NOT_AS_IT_CAME).code
