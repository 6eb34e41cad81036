"""The gateway's index in SQLite: instances, studies, orders, deliveries, and every event in its order.

What is still to be sent stands in `dispatch`, see `forward_queue`.

Each change and the event that tells of it are one transaction: nothing happens that the history does not say.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.events import Event, InstanceLost
from simulator.gateway import acts
from simulator.gateway.acts import Correction, Ruling
from simulator.gateway.audit import Act
from simulator.gateway.backlog import Backlog
from simulator.gateway.database import Database
from simulator.gateway.rows import InstanceRow, StudyRow
from simulator.gateway.steps import Stored
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys

_INSERT_INSTANCE = "INSERT INTO instance VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
_JUDGED = frozenset(("matched", "unmatched", "rejected"))  # the states that a decision ends in

_LOG = logging.getLogger(__name__)


class Index(Database):
    """The index in one file. Safe for use from several threads."""

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        """Open the index, making it when it is new. Raises `StartError` when it cannot be used."""
        super().__init__(file, read_only=read_only)
        self._backlog = Backlog(self._lock, self._add_rows)
        self._ever_held: dict[str, int] = {}  # by study; of those that instances came for since the start
        self._studies: dict[str, StudyRow] = {}

    def close(self) -> None:
        """Write what waits, as far as the file takes it, and close it; nothing may be asked afterwards."""
        self._backlog.stop()
        with self._lock:
            try:
                self._catch_up()
            except sqlite3.Error as error:
                _LOG.error("instances are stored and not indexed: %s; the next start finds them", error)
            super().close()

    def _catch_up(self) -> None:
        self._backlog.flush()

    # --- instances -----------------------------------------------------------------------------------

    def instance(self, sop_instance_uid: str) -> InstanceRow | None:
        """Return the instance, or None."""
        with self._lock:
            waiting = self._backlog.get(sop_instance_uid)
            if waiting is not None:
                return waiting.row
            rows = self._found("SELECT * FROM instance WHERE sop_instance_uid = ?", sop_instance_uid)
        return _instance(rows[0]) if rows else None

    def traces(self, sop_instance_uid: str) -> tuple[bool, str | None]:
        """Return whether the instance is held, and the digest of its content if it was purged."""
        query = """
            SELECT EXISTS (SELECT 1 FROM instance WHERE sop_instance_uid = ?1),
                (SELECT content_digest FROM purged_instance WHERE sop_instance_uid = ?1)
        """
        with self._lock:
            [(held, purged)] = self._found(query, sop_instance_uid)
            return bool(held) or self._backlog.get(sop_instance_uid) is not None, purged

    def instances(self, study_instance_uid: str) -> tuple[InstanceRow, ...]:
        """Return the instances of a study in the order in which they came."""
        query = "SELECT * FROM instance WHERE study_instance_uid = ? ORDER BY rowid"
        return tuple(_instance(row) for row in self.rows(query, study_instance_uid))

    def sizes(self, study_instance_uid: str) -> tuple[int, int]:
        """Return how many instances and how many series of the study are held."""
        query = "SELECT count(*), count(DISTINCT series_instance_uid) FROM instance WHERE study_instance_uid = ?"
        instances, series = self.rows(query, study_instance_uid)[0]
        return int(instances), int(series)

    def ever_held(self, study_instance_uid: str) -> int:
        """Return how many distinct instances of the study are held or were purged."""
        with self._lock:
            if study_instance_uid not in self._ever_held:
                self._ever_held[study_instance_uid] = self._count(study_instance_uid)
            return self._ever_held[study_instance_uid]

    def _count(self, study_instance_uid: str) -> int:
        query = """
            SELECT count(*) FROM (
                SELECT sop_instance_uid FROM instance WHERE study_instance_uid = ?1 UNION
                SELECT sop_instance_uid FROM purged_instance WHERE study_instance_uid = ?1
            )
        """
        return int(self.rows(query, study_instance_uid)[0][0])

    def files(self) -> frozenset[str]:
        """Return the store's names of all instances that are indexed."""
        return frozenset(row[0] for row in self.rows("SELECT file FROM instance"))

    def add_instance(self, row: InstanceRow, events: Sequence[Event], study: StudyRow | None) -> None:
        """Index an instance and, where it changes its study, the study too."""
        with self.transaction(events):
            self._db.execute(_INSERT_INSTANCE, _values(row))
            if study is not None:
                self._put_study(study)
            self._ever_held.pop(row.study_instance_uid, None)

    def add_later(self, kept: Stored) -> None:
        """Have an instance indexed soon that is new and changes nothing of its study; see `backlog`.

        Whoever asks finds it from now on. Raises `sqlite3.Error` where it cannot wait, and the index does not take it.
        """
        with self._lock:
            self._backlog.add(kept, at_once=self._failing)
            if kept.row.study_instance_uid in self._ever_held:
                self._ever_held[kept.row.study_instance_uid] += not kept.was_held

    def _add_rows(self, rows: Sequence[InstanceRow], events: Sequence[Event]) -> None:
        with self.transaction(events):
            self._db.executemany(_INSERT_INSTANCE, [_values(row) for row in rows])

    def instances_in(self, file: str) -> tuple[InstanceRow, ...]:
        """Return the instance whose file this is, if there is one."""
        return tuple(_instance(row) for row in self.rows("SELECT * FROM instance WHERE file = ?", file))

    def lose(self, rows: Sequence[InstanceRow]) -> None:
        """Take instances out of the index whose files are gone, and tell of each: sent again, they are taken anew."""
        events = [
            InstanceLost(
                observer="gateway",
                study_instance_uid=row.study_instance_uid,
                sop_instance_uid=row.sop_instance_uid,
                problem=f"its file {row.file} is gone",
            )
            for row in rows
        ]
        with self.transaction(events):
            uids = [(row.sop_instance_uid,) for row in rows]
            self._db.executemany("DELETE FROM instance WHERE sop_instance_uid = ?", uids)
            self._ever_held.clear()

    # --- studies -------------------------------------------------------------------------------------

    def study(self, study_instance_uid: str) -> StudyRow | None:
        """Return the study, or None."""
        with self._lock:
            found = self._studies.get(study_instance_uid)
            if found is None:
                rows = self._found("SELECT * FROM study WHERE study_instance_uid = ?", study_instance_uid)
                found = _study(rows[0]) if rows else None
                if found is not None and not self._db.in_transaction:
                    self._studies = {study_instance_uid: found}  # the one that is being received
            return found

    def studies(self) -> tuple[StudyRow, ...]:
        """Return all studies in the order in which they came."""
        return tuple(_study(row) for row in self.rows("SELECT * FROM study ORDER BY rowid"))

    def studies_under(self, accession_number: str) -> tuple[StudyRow, ...]:
        """Return the studies that came with this accession number, or matched the order under it."""
        query = "SELECT * FROM study WHERE accession_number = ?1 OR order_accession = ?1 ORDER BY rowid"
        return tuple(_study(row) for row in self.rows(query, accession_number))

    def is_sent(self, study_instance_uid: str) -> bool:
        """Tell whether a destination has stored anything of the study."""
        query = "SELECT 1 FROM delivery JOIN instance USING (sop_instance_uid) WHERE study_instance_uid = ? LIMIT 1"
        return bool(self.rows(query, study_instance_uid))

    def study_keys(self, study_instance_uid: str) -> tuple[StudyKeys, ...]:
        """Return the distinct keys over the instances of the study, those of the first instance first."""
        query = (
            "SELECT accession_number, hkid, name, birth_date, sex FROM instance WHERE study_instance_uid = ? "
            "GROUP BY accession_number, hkid, name, birth_date, sex ORDER BY min(rowid)"
        )
        return tuple(StudyKeys(row[0], MajorKeys(*row[1:])) for row in self.rows(query, study_instance_uid))

    def matched_by_another(self, accession_number: str, study_instance_uid: str) -> bool:
        """Tell whether another study matched the order under this accession number, or was sent on under it."""
        query = """
            SELECT 1 FROM study AS other WHERE other.study_instance_uid != ?1 AND (
                other.order_accession = ?2 OR EXISTS (
                    SELECT 1 FROM delivery JOIN instance USING (sop_instance_uid)
                    WHERE instance.study_instance_uid = other.study_instance_uid
                ) AND coalesce((
                    SELECT nullif(order_accession, '') FROM ruling
                    WHERE ruling.study_instance_uid = other.study_instance_uid
                ), other.accession_number) = ?2
            ) LIMIT 1
        """
        return bool(accession_number and self.rows(query, study_instance_uid, accession_number))

    def change_study(
        self,
        study: StudyRow,
        event: Event,
        correction: Correction | None = None,
        ruling: Ruling | None = None,
        act: Act | None = None,
    ) -> None:
        """Write the study's new state together with the event that tells of it, and the act that brought it about.

        correction: what its forwarded copies say, from a decision on; other changes leave that as it is.
        """
        with self.transaction([event], act):
            self._put_study(study)
            if study.state in _JUDGED:
                acts.put_correction(self._db, study.study_instance_uid, correction)
            if ruling is not None:
                acts.put_ruling(self._db, study.study_instance_uid, ruling)

    def ruling(self, study_instance_uid: str) -> Ruling | None:
        """Return what an operator ruled about the study, or None."""
        with self._lock:
            return acts.ruling(self._db, study_instance_uid)

    def correction(self, study_instance_uid: str) -> Correction | None:
        """Return what the forwarded copies of the study say in place of what it said, or None."""
        with self._lock:
            return acts.correction(self._db, study_instance_uid)

    def purged_at(self, study_instance_uid: str) -> str:
        """Return when the study was purged (ISO 8601, UTC), empty where something of it is held, or never was."""
        query = """
            SELECT purged_at FROM retention WHERE study_instance_uid = ?1
            AND NOT EXISTS (SELECT 1 FROM instance WHERE study_instance_uid = ?1)
        """
        rows = self.rows(query, study_instance_uid)
        return str(rows[0][0]) if rows else ""

    # --- orders --------------------------------------------------------------------------------------

    def order(self, accession_number: str) -> OrderKeys | None:
        """Return the order under the accession number, or None."""
        query = "SELECT accession_number, hkid, name, birth_date, sex, cancelled FROM orders WHERE accession_number = ?"
        rows = self.rows(query, accession_number)
        return OrderKeys(rows[0][0], MajorKeys(*rows[0][1:5]), bool(rows[0][5])) if rows else None

    def orders(self) -> tuple[OrderKeys, ...]:
        """Return all orders in the order in which they first came."""
        query = "SELECT accession_number, hkid, name, birth_date, sex, cancelled FROM orders ORDER BY rowid"
        return tuple(OrderKeys(row[0], MajorKeys(*row[1:5]), bool(row[5])) for row in self.rows(query))

    # --- deliveries ----------------------------------------------------------------------------------

    def delivered(self, study_instance_uid: str, destination: str) -> frozenset[str]:
        """Return the SOP instance UIDs of the study that the destination has stored."""
        query = (
            "SELECT sop_instance_uid FROM delivery JOIN instance USING (sop_instance_uid) "
            "WHERE study_instance_uid = ? AND destination = ?"
        )
        return frozenset(row[0] for row in self.rows(query, study_instance_uid, destination))

    def add_delivery(self, sop_instance_uid: str, destination: str, status: str, event: Event) -> None:
        """Note that the destination stored the instance."""
        with self.transaction([event]):
            self._db.execute("INSERT OR REPLACE INTO delivery VALUES (?,?,?)", (sop_instance_uid, destination, status))

    def _put_study(self, study: StudyRow) -> None:
        self._studies = {}
        values = (
            study.study_instance_uid,
            study.accession_number,
            study.state,
            json.dumps(study.reasons),
            json.dumps(study.warnings),
            study.order_accession,
        )
        self._db.execute(
            """
            INSERT INTO study VALUES (?,?,?,?,?,?) ON CONFLICT (study_instance_uid) DO UPDATE SET
                accession_number = excluded.accession_number, state = excluded.state, reasons = excluded.reasons,
                warnings = excluded.warnings, order_accession = excluded.order_accession
            """,
            values,
        )


def _values(row: InstanceRow) -> tuple[str, ...]:
    keys = row.keys.keys
    return (
        row.sop_instance_uid,
        row.study_instance_uid,
        row.series_instance_uid,
        row.sop_class_uid,
        row.transfer_syntax_uid,
        row.data_set_digest,
        row.file,
        row.calling_ae_title,
        row.keys.accession_number,
        keys.hkid,
        keys.name,
        keys.birth_date,
        keys.sex,
    )


def _instance(row: Sequence[Any]) -> InstanceRow:
    return InstanceRow(
        sop_instance_uid=row[0],
        study_instance_uid=row[1],
        series_instance_uid=row[2],
        sop_class_uid=row[3],
        transfer_syntax_uid=row[4],
        data_set_digest=row[5],
        file=row[6],
        calling_ae_title=row[7],
        keys=StudyKeys(row[8], MajorKeys(*row[9:])),
    )


def _study(row: Sequence[Any]) -> StudyRow:
    return StudyRow(row[0], row[1], row[2], tuple(json.loads(row[3])), tuple(json.loads(row[4])), row[5])
