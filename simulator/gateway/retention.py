"""Temporary storage (slide: store and forward): a forwarded study is purged after the site's retention time.

Only a study that is `forwarded` is ever purged; what is unmatched, rejected or failed waits for a person. Of a purged
study its row, its deliveries and the digest of each instance's content stay, so that an instance that comes again is
taken anew, is forwarded to nobody who has it, and is refused when it says something else than before.

A purge is three steps: it is noted, the files go, the rows go. A start finishes what was noted, before anything
else could take rows without files, or files without rows, for something lost or found.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from simulator.errors import NotDicom
from simulator.events import StudyPurged, now
from simulator.gateway import audit, duplicates
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.store import Store
from simulator.gateway.study_queue import StudyQueue
from simulator.wire import content, part10

_LOG = logging.getLogger(__name__)


class Retention:
    """Purges studies of one gateway. `seconds`: how long after it was forwarded a study is kept; None: for ever.

    `taking` is held while a study is purged, so that no instance comes in between. `busy` tells of a study that
    something is still to be sent of.
    """

    def __init__(
        self,
        seconds: float | None,
        index: Index,
        store: Store,
        taking: AbstractContextManager[object],
        busy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._seconds = seconds
        self._index = index
        self._store = store
        self._taking = taking
        self._busy = busy
        self._queue = StudyQueue("retention", self._purge_when_due, seconds or 0.0)

    def recover(self) -> None:
        """Finish the purges that the last run noted, and see what is due when."""
        for (study,) in self._index.rows("SELECT study_instance_uid FROM retention WHERE purging"):
            _LOG.warning("study %s was being purged when the last run ended; that is finished now", study)
            self._finish(study)
        # One that was purged, came again and was forwarded again, too.
        unnoted = """
            SELECT study_instance_uid FROM study WHERE state = 'forwarded'
            AND study_instance_uid NOT IN (SELECT study_instance_uid FROM retention WHERE purged_at = '')
            AND EXISTS (SELECT 1 FROM instance WHERE instance.study_instance_uid = study.study_instance_uid)
        """
        for (study,) in self._index.rows(unnoted):
            self.begin(study)
        for study, forwarded_at in self._index.rows(
            "SELECT study_instance_uid, forwarded_at FROM retention WHERE purged_at = ''"
        ):
            self._await(study, forwarded_at)

    def start(self) -> None:
        """Start to purge."""
        self._queue.start()

    def stop(self) -> None:
        """Finish the study in hand and stop."""
        self._queue.stop()

    def begin(self, study_instance_uid: str) -> None:
        """Note that the study was forwarded just now."""
        forwarded_at = time.time()
        with self._index.transaction(()) as db:
            db.execute("INSERT OR REPLACE INTO retention VALUES (?, ?, 0, '')", (study_instance_uid, forwarded_at))
        self._await(study_instance_uid, forwarded_at)

    def _await(self, study_instance_uid: str, forwarded_at: float) -> None:
        if self._seconds is not None:
            self._queue.postpone(study_instance_uid, forwarded_at + self._seconds - time.time())

    def _purge_when_due(self, study_instance_uid: str) -> None:
        if not self._is_due(study_instance_uid):
            return  # it will be forwarded again, and looked at then
        # Files are read before others are made to wait.
        rows = self._index.instances(study_instance_uid)
        said = {row.sop_instance_uid: self._said(row) for row in rows}
        with self._taking:
            if not self._is_due(study_instance_uid) or said.keys() != self._held(study_instance_uid):
                return
            if self._busy(study_instance_uid):
                self._queue.postpone(study_instance_uid)
                return
            self._note(study_instance_uid, said)
            self._finish(study_instance_uid)

    def _is_due(self, study_instance_uid: str) -> bool:
        query = """
            SELECT forwarded_at FROM retention JOIN study USING (study_instance_uid)
            WHERE study_instance_uid = ? AND state = 'forwarded'
        """
        rows = self._index.rows(query, study_instance_uid)
        return bool(rows) and float(rows[0][0]) + (self._seconds or 0.0) <= time.time()

    def _held(self, study_instance_uid: str) -> set[str]:
        return {row.sop_instance_uid for row in self._index.instances(study_instance_uid)}

    def _said(self, row: InstanceRow) -> str:
        try:
            instance = part10.read(self._store.read(row.file))
            return content.digest(instance.data_set, instance.transfer_syntax_uid)
        except NotDicom:  # its pixels cannot be decoded
            return duplicates.as_bytes(row.data_set_digest)

    def _note(self, study_instance_uid: str, said: dict[str, str]) -> None:
        with self._index.transaction(()) as db:
            db.execute("UPDATE retention SET purging = 1 WHERE study_instance_uid = ?", (study_instance_uid,))
            db.executemany(
                "INSERT OR REPLACE INTO purged_instance VALUES (?, ?, ?)",
                [(uid, study_instance_uid, digest) for uid, digest in said.items()],
            )

    def _finish(self, study_instance_uid: str) -> None:
        rows = self._index.instances(study_instance_uid)
        self._store.remove(row.file for row in rows)
        event = StudyPurged(observer="gateway", study_instance_uid=study_instance_uid, instances=len(rows))
        with self._index.transaction([event]) as db:
            _forget(db, study_instance_uid)
            act = Act("purge", study_instance_uid=study_instance_uid, before={"instances": str(len(rows))})
            entry = audit.append(db, act)
        audit.tell(entry)
        _LOG.info("study %s purged: %d instances", study_instance_uid, len(rows))


def _forget(db: sqlite3.Connection, study_instance_uid: str) -> None:
    db.execute("DELETE FROM instance WHERE study_instance_uid = ?", (study_instance_uid,))
    db.execute(
        "UPDATE retention SET purging = 0, purged_at = ? WHERE study_instance_uid = ?", (now(), study_instance_uid)
    )
