"""Instances that lie in the store and are not indexed yet: written in batches, off the associations' threads.

C-STORE 0000 stands on the file, complete under its final name; a gateway that is killed before a batch is written finds
the files that the index lacks at its next start (`recovery`).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence

from simulator.events import Event, InstanceStored
from simulator.gateway.rows import InstanceRow
from simulator.gateway.steps import Stored

_GATHER_SECONDS = 0.02
_RETRY_SECONDS = 1.0  # after the index did not take a batch
_MOST = 2000  # instances that wait

_LOG = logging.getLogger(__name__)


def stored(row: InstanceRow, at: str) -> InstanceStored:
    """Return the event that tells of an instance."""
    return InstanceStored(
        observer="gateway",
        at=at,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        data_set_digest=row.data_set_digest,
        calling_ae_title=row.calling_ae_title,
    )


Write = Callable[[Sequence[InstanceRow], Sequence[Event]], None]
"""Puts rows and the events that tell of them into the index, all or nothing. Raises `sqlite3.Error`."""


class Backlog:
    """What waits for the index; `lock` is the index's own, and whoever reads the index writes what waits first."""

    def __init__(self, lock: threading.RLock, write: Write) -> None:
        self._lock, self._write = lock, write
        self._waiting: dict[str, Stored] = {}
        self._work, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, kept: Stored, *, at_once: bool) -> None:
        """Have an instance indexed soon; `at_once` too where too much waits.

        Raises `sqlite3.Error`, and the instance does not wait then.
        """
        with self._lock:
            self._waiting[kept.row.sop_instance_uid] = kept
            if at_once or len(self._waiting) > _MOST:
                try:
                    self.flush()
                except sqlite3.Error:
                    self._drop(kept)
                    raise
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name="index-backlog", daemon=True)
                self._thread.start()
        self._work.set()

    def get(self, sop_instance_uid: str) -> Stored | None:
        """Return an instance that waits."""
        return self._waiting.get(sop_instance_uid)

    def flush(self) -> None:
        """Write everything that waits. Raises `sqlite3.Error`, and it goes on waiting."""
        with self._lock:
            some, self._waiting = list(self._waiting.values()), {}  # the write itself must find nothing to write first
            if not some:
                return
            try:
                self._write([kept.row for kept in some], [stored(kept.row, kept.at) for kept in some])
            except BaseException:
                self._waiting = {kept.row.sop_instance_uid: kept for kept in some}
                raise

    def stop(self) -> None:
        """Write nothing more of itself."""
        self._stop.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def _drop(self, kept: Stored) -> None:
        self._waiting.pop(kept.row.sop_instance_uid, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.wait()
            self._work.clear()  # before it looks whether to stop, or this could be the bell that tells of it
            if self._stop.wait(_GATHER_SECONDS):
                return
            try:
                self.flush()
            except sqlite3.Error:
                _LOG.exception("%d instances are stored and not indexed yet", len(self._waiting))
                self._work.set()
                self._stop.wait(_RETRY_SECONDS)
