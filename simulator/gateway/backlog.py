"""Instances that lie in the store and are not indexed yet: written in batches, off the associations' threads.

C-STORE 0000 stands on the file, complete under its final name; a gateway that is killed before a batch is written finds
the files that the index lacks at its next start (`recovery`). The digest of a data set that is not small is made here
too, of its file.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from simulator.events import Event, InstanceStored, now
from simulator.gateway.rows import InstanceRow

_GATHER_SECONDS = 0.02
_RETRY_SECONDS = 1.0  # after the index did not take a batch
_MOST = 2000  # instances that wait

_LOG = logging.getLogger(__name__)


class Taken:
    """An instance that lies in the store.

    was_held: it was held before, and purged, so that it counts among its study's already. digest: reads the digest of
    its data set, where the `row` it is made with lacks it; raises `OSError`.
    """

    __slots__ = ("_digest", "_digesting", "_row", "at", "was_held")

    def __init__(self, row: InstanceRow, was_held: bool, digest: Callable[[], str] | None = None) -> None:
        self.was_held = was_held
        self._row = row
        self._digest = digest
        self._digesting = threading.Lock()
        self.at = now()

    @property
    def row(self) -> InstanceRow:
        """The row with its digest. Raises `OSError` where the file cannot be read."""
        if self._digest is not None:
            with self._digesting:
                if self._digest is not None:  # as long as it fails it stays, and is tried again
                    self._row = replace(self._row, data_set_digest=self._digest())
                    self._digest = None
        return self._row

    @property
    def study_instance_uid(self) -> str:
        """The study that it belongs to."""
        return self._row.study_instance_uid

    @property
    def sop_instance_uid(self) -> str:
        """Which instance it is."""
        return self._row.sop_instance_uid


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
        self._waiting: dict[str, Taken] = {}
        self._work, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, taken: Taken, *, at_once: bool) -> None:
        """Have an instance indexed soon; `at_once` too where too much waits.

        Raises `sqlite3.Error` or `OSError`, and the instance does not wait then.
        """
        with self._lock:
            self._waiting[taken.sop_instance_uid] = taken
            if at_once or len(self._waiting) > _MOST:
                try:
                    self.flush()
                except (sqlite3.Error, OSError):
                    self._drop(taken)
                    raise
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name="index-backlog", daemon=True)
                self._thread.start()
        self._work.set()

    def get(self, sop_instance_uid: str) -> Taken | None:
        """Return an instance that waits."""
        return self._waiting.get(sop_instance_uid)

    def flush(self) -> None:
        """Write everything that waits. Raises `sqlite3.Error` or `OSError`, and it goes on waiting."""
        if self._waiting:
            self._put(list(self._waiting.values()))

    def stop(self) -> None:
        """Write nothing more of itself."""
        self._stop.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def _put(self, some: Sequence[Taken]) -> None:
        with self._lock:
            left = [taken for taken in some if taken.sop_instance_uid in self._waiting]
            if not left:
                return
            rows = [taken.row for taken in left]
            held, self._waiting = self._waiting, {}  # the write itself must find nothing to write first
            try:
                self._write(rows, [stored(row, taken.at) for row, taken in zip(rows, left, strict=True)])
            except BaseException:
                self._waiting = held
                raise
            self._waiting = held
            for taken in left:
                self._drop(taken)

    def _drop(self, taken: Taken) -> None:
        self._waiting.pop(taken.sop_instance_uid, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.wait()
            self._work.clear()  # before it looks whether to stop, or this could be the bell that tells of it
            if self._stop.wait(_GATHER_SECONDS):
                return
            some = list(self._waiting.values())
            try:
                for taken in some:
                    taken.row  # noqa: B018 - its digest is made here, without the lock
                self._put(some)
            except (sqlite3.Error, OSError):
                _LOG.exception("%d instances are stored and not indexed yet", len(self._waiting))
                self._work.set()
                self._stop.wait(_RETRY_SECONDS)
