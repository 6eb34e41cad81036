"""Brings storage commitment reports back to who asked (PS3.4 J.3.3).

A report goes over the association of the request while that stands, else over a new one to the address that the
site profile has for the requester. Each requester has a thread of its own, so that none waits for another; what
does not arrive is tried again, each time after twice as long, until the site's attempts are used up.
"""

from __future__ import annotations

import logging
import sqlite3
import threading

from simulator.errors import PeerError
from simulator.events import CommitmentDelivered, CommitmentUndelivered
from simulator.gateway import access
from simulator.gateway.study_queue import StudyQueue
from simulator.gateway.transactions import Transaction, Transactions
from simulator.site import Site
from simulator.wire import commitment
from simulator.wire.association import Address, Association, Response, TimeOuts
from simulator.wire.dialogue import Dialogue

PAUSE_AFTER_A_FAULT = 1.0
"""Seconds to leave an index alone that could not be read or written."""

_PATIENCE_AT_A_STOP = 3.0
"""Seconds that a stop waits for a requester to answer a report."""

LONGEST_WAIT = 3600.0
TIME_OUTS = TimeOuts(connection=5.0, acse=10.0, dimse=15.0)

_LOG = logging.getLogger(__name__)


class Reporter:
    """Tries every decided transaction until it is reported or abandoned."""

    def __init__(self, site: Site, transactions: Transactions) -> None:
        self._here = site.gateway.ae_title
        self._policy = site.commitment
        callers = () if site.callers == "any" else site.callers
        self._addresses = {
            caller.ae_title: Address(caller.ae_title, caller.host, caller.port)
            for caller in callers
            if caller.host is not None and caller.port is not None
        }
        self._credentials = {caller.ae_title: access.credentials(site, caller) for caller in callers}
        self._transactions = transactions
        self._dialogues: dict[int, Dialogue] = {}
        self._queues: dict[str, StudyQueue] = {}
        self._open: dict[str, Association] = {}
        self._changing = threading.Lock()
        self._stopping = False

    def remember(self, number: int, dialogue: Dialogue) -> None:
        """Note over which association the request of a transaction came."""
        self._dialogues[number] = dialogue

    def bring(self, transaction: Transaction) -> None:
        """Report a transaction that is decided."""
        with self._changing:
            if self._stopping:
                return
            queue = self._queues.get(transaction.calling_ae_title)
            if queue is None:
                name = transaction.calling_ae_title
                queue = StudyQueue(f"reports-{name}", lambda number: self._try(number, name))
                self._queues[name] = queue
                queue.start()
            queue.hasten(str(transaction.number))

    def stop(self) -> None:
        """Finish the reports in hand, but wait for no requester for long."""
        with self._changing:
            self._stopping = True
        # Who does not answer is hung up on after a while, and told again after the next start.
        impatience = threading.Timer(_PATIENCE_AT_A_STOP, self._hang_up)
        impatience.start()
        for queue in self._queues.values():
            queue.stop()
        impatience.cancel()

    def _hang_up(self) -> None:
        for association in list(self._open.values()):
            association.hang_up()

    def _try(self, number: str, calling_ae_title: str) -> None:
        try:
            self._report(self._transactions.get(int(number)))
        except sqlite3.Error as error:
            _LOG.error("commitment report %s waits: the index cannot be used: %s", number, error)
            self._queues[calling_ae_title].postpone(number, PAUSE_AFTER_A_FAULT)

    def _report(self, transaction: Transaction) -> None:
        via, problem = self._delivered(transaction)
        if via:
            event = CommitmentDelivered(
                observer="gateway",
                transaction_uid=transaction.transaction_uid,
                calling_ae_title=transaction.calling_ae_title,
                via=via,
            )
            self._transactions.end(transaction.number, "reported", event)
            self._dialogues.pop(transaction.number, None)
        elif not self._stopping:
            self._put_off(transaction, problem)

    def _put_off(self, transaction: Transaction, problem: str) -> None:
        attempt = transaction.attempts + 1
        abandoned = attempt >= self._policy.attempts
        event = CommitmentUndelivered(
            observer="gateway",
            transaction_uid=transaction.transaction_uid,
            calling_ae_title=transaction.calling_ae_title,
            attempt=attempt,
            problem=problem,
            abandoned=abandoned,
        )
        what = f"commitment report {transaction.transaction_uid} to {transaction.calling_ae_title}"
        if abandoned:
            self._dialogues.pop(transaction.number, None)
            _LOG.error("%s is abandoned after %s attempts: %s", what, attempt, problem)
            self._transactions.end(transaction.number, "abandoned", event)
            return
        _LOG.warning("%s did not arrive at attempt %s: %s", what, attempt, problem)
        self._transactions.count_attempt(transaction.number, event)
        dialogue = self._dialogues.get(transaction.number)
        stands = dialogue is not None and dialogue.stands
        if not stands:
            self._dialogues.pop(transaction.number, None)
        if (
            stands or transaction.calling_ae_title in self._addresses
        ):  # else only a restart with another site profile can help
            wait = min(self._policy.retry_after * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
            self._queues[transaction.calling_ae_title].postpone(str(transaction.number), wait)

    def _delivered(self, transaction: Transaction) -> tuple[str, str]:
        """Return by which way the report was taken, else an empty text and the problem."""
        problems = []
        dialogue = self._dialogues.get(transaction.number)
        address = self._addresses.get(transaction.calling_ae_title)
        # A peer that stores on is left alone with it as long as there is another way.
        if dialogue is not None and dialogue.stands and not (dialogue.goes_on and address):
            try:
                response = dialogue.report(transaction.report(), TIME_OUTS.dimse)
                if response.status == 0:
                    return "same", ""
                problems.append(_answered(response))
            except PeerError as error:
                problems.append(f"on the association of the request: {error}")
        if address is None:
            problems.append(
                "the association of the request is over and the site profile has no address for the requester; "
                f"give {transaction.calling_ae_title} a host and a port under 'callers'"
            )
            return "", "; ".join(problems)
        try:
            secured = self._credentials[address.ae_title]
            with commitment.report_association(self._here, address, TIME_OUTS, tls=secured) as association:
                self._open[address.ae_title] = association
                response = commitment.tell(association, transaction.report())
            if response.status == 0:
                return "new", ""
            problems.append(_answered(response))
        except PeerError as error:
            problems.append(str(error))
        finally:
            self._open.pop(address.ae_title, None)
        return "", "; ".join(problems)


def _answered(response: Response) -> str:
    return f"the report was answered {response.status_text} {response.error_comment}".strip()
