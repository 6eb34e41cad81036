"""Sends what the queue holds: a thread for each destination, so that none of them holds up another.

A destination that cannot take something is tried again after a while that doubles, up to the site's number of
attempts; meanwhile its other studies have their turn. What the destination stored is never sent again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from simulator.gateway.forward_queue import Dispatch, ForwardQueue, Selection
from simulator.gateway.forwarding import Forwarder
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.safekeeping import Asked, Progress, Safekeeping
from simulator.gateway.store import Store
from simulator.rules import masking
from simulator.site import Destination, Forwarding, Site

_PATIENCE_WITH_DESTINATIONS = 3.0
"""Seconds that a stop waits for the answer to the instance in hand, and once more for the association to end."""

_PAUSE_AFTER_A_FAULT = 1.0
"""Seconds to leave an index alone that could not be read or written."""

_LOG = logging.getLogger(__name__)


class Outbox:
    """Everything that leaves the gateway. `ended` is called with a study when something of it was sent, or failed."""

    def __init__(self, site: Site, index: Index, store: Store, ended: Callable[[str], None]) -> None:
        self.queue = ForwardQueue(index)
        self._index = index
        self._forwarding = site.forwarding
        self._ended = ended
        self.safekeeping = Safekeeping(site, index, self._come_back)
        self._lines = {
            each.ae_title: _Line(
                site.forwarding, each, self.queue, Forwarder(site, each, index, store), self.safekeeping, index, ended
            )
            for each in site.forwarding.destinations
        }

    @property
    def destinations(self) -> Collection[str]:
        """The AE titles of all destinations."""
        return self._lines.keys()

    def recover(self) -> None:
        """Go on where the last run stopped."""
        for cut_off in self.queue.recover(time.time() + self._forwarding.retry_at_most):
            _LOG.warning(
                "study %s was being sent to %s when the last run ended; the instance in hand may arrive twice",
                cut_off.selection.study_instance_uid,
                cut_off.destination,
            )
        for unknown in self.queue.unfinished():
            if unknown.destination not in self._lines:
                self.queue.end(unknown, "failed", unknown.due, "the site profile does not name this destination")
                _LOG.error("%s is no destination any more; what waited for it is failed", unknown.destination)

    def start(self) -> None:
        """Start to send."""
        for line in self._lines.values():
            line.start()

    def _come_back(self, asked: Asked, problem: str) -> None:
        """Take in a storage commitment report that came when nobody waited at the association any more."""
        attempts = self.queue.attempts(asked.dispatch)
        state = "done" if not problem else "waiting" if attempts < self._forwarding.attempts else "failed"
        due = time.time() + _wait_after(self._forwarding, max(1, attempts))
        self.queue.come_back(asked.dispatch, state, due, problem)
        self.look()
        self._ended(asked.study_instance_uid)

    def stop(self) -> None:
        """Finish the instances in hand and stop; what is left is found again at the next start."""
        self.safekeeping.stop()
        for line in self._lines.values():
            line.stop()
        deadline = time.monotonic() + _PATIENCE_WITH_DESTINATIONS
        silent = [line for line in self._lines.values() if not line.ended(deadline)]
        for line in silent:
            line.hang_up()
        deadline = time.monotonic() + _PATIENCE_WITH_DESTINATIONS
        for line in silent:
            line.ended(deadline)

    def forward_matched(self, study_instance_uid: str) -> None:
        """Queue a matched study by the site's rules: for each destination that gets such studies by itself."""
        rows = self._index.instances(study_instance_uid)
        for destination in self._forwarding.destinations:
            wanted = destination.sop_class_uids()
            chosen = [row for row in rows if not wanted or row.sop_class_uid in wanted]
            if destination.forward == "matched" and chosen:
                self.forward(Selection(study_instance_uid), destination.ae_title, chosen)

    def forward(self, selection: Selection, destination: str, rows: Collection[InstanceRow]) -> Dispatch:
        """Queue instances for a destination, due now."""
        put = self.queue.put(selection, destination, (row.sop_instance_uid for row in rows), time.time())
        self._lines[destination].look()
        return put

    def look(self) -> None:
        """Have every destination look at its queue: a study may be sent that could not be before."""
        for line in self._lines.values():
            line.look()


class _Line:
    """The thread that works through one destination's queue."""

    def __init__(
        self,
        forwarding: Forwarding,
        destination: Destination,
        queue: ForwardQueue,
        forwarder: Forwarder,
        safekeeping: Safekeeping,
        index: Index,
        ended: Callable[[str], None],
    ) -> None:
        self._forwarding = forwarding
        self._destination = destination
        self._ae_title = destination.ae_title
        self._safekeeping = safekeeping
        self._queue = queue
        self._forwarder = forwarder
        self._index = index
        self._ended = ended
        self._grown = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"outbox-{destination.ae_title}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        self._grown.set()

    def stop(self) -> None:
        self._stopping = True
        self._grown.set()
        self._forwarder.stop()

    def ended(self, deadline: float) -> bool:
        """Wait for the end of the thread, up to a moment of the monotonic clock; tell whether it came."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def hang_up(self) -> None:
        _LOG.warning("%s does not answer; what it was being sent is sent again", self._ae_title)
        self._forwarder.hang_up()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - one study that cannot be sent must not hold up the others
                if not self._stopping or not isinstance(error, sqlite3.Error):
                    _LOG.exception("sending to %s failed; it is tried again", self._ae_title)
                self._grown.wait(_PAUSE_AFTER_A_FAULT)

    def _turn(self) -> None:
        """Send what is due, or wait until something is."""
        self._grown.clear()
        dispatch = self._queue.next(self._ae_title)
        wait = None if dispatch is None else dispatch.due - time.time()
        if dispatch is None or (wait is not None and wait > 0):
            if not self._stopping:
                self._grown.wait(wait)
        elif self._queue.begin(dispatch):
            self._attempt(replace(dispatch, attempts=dispatch.attempts + 1))

    def _attempt(self, dispatch: Dispatch) -> None:
        study = dispatch.selection.study_instance_uid
        progress = self._bring(dispatch)
        problem = progress.problem
        if problem and self._stopping and not progress.waits:  # given up by us: not the destination's fault
            self._queue.end(
                replace(dispatch, attempts=dispatch.attempts - 1), "waiting", dispatch.due, dispatch.problem
            )
            return
        # To look whether the report of the last attempt came is no attempt of its own.
        dispatch = replace(dispatch, attempts=min(dispatch.attempts, self._forwarding.attempts))
        wait = _wait_after(self._forwarding, dispatch.attempts)
        state = "done" if not problem else "waiting" if dispatch.attempts < self._forwarding.attempts else "failed"
        if progress.waits:
            state, wait = "waiting", self._forwarding.report_within
        self._queue.end(dispatch, state, time.time() + wait, problem)
        if problem:
            level = logging.ERROR if state == "failed" else logging.INFO if progress.waits else logging.WARNING
            told = masking.comment(problem)
            _LOG.log(level, "study %s, %s, attempt %d: %s", study, self._ae_title, dispatch.attempts, told)
        self._ended(study)

    def _bring(self, dispatch: Dispatch) -> Progress:
        """Send what the destination lacks and, where the site asks for it, have it commit to all."""
        missing = self._queue.missing(dispatch)
        study = dispatch.selection.study_instance_uid
        rows = [row for row in self._index.instances(study) if row.sop_instance_uid in missing]
        problem = self._forwarder.send(rows, lambda: self._queue.stands(dispatch))
        if problem or not self._destination.commitment:
            return Progress(problem)
        may_ask = dispatch.attempts <= self._forwarding.attempts
        return self._safekeeping.secure(dispatch, self._destination, may_ask=may_ask)


def _wait_after(forwarding: Forwarding, attempts: int) -> float:
    doubled = forwarding.retry_after * float(2 ** min(attempts - 1, 60))
    return min(doubled, forwarding.retry_at_most)
