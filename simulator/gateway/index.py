"""The gateway's index in SQLite: instances, studies, orders, deliveries, and every event in its order.

What is still to be sent stands in `dispatch`, see `forward_queue`.

One connection behind a lock; write-ahead logging, so that a committed row survives a killed process. Each
change and the event that tells of it are one transaction: nothing happens that the history does not say.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import StartError
from simulator.events import Event, InstanceLost, to_record
from simulator.gateway import acts, audit
from simulator.gateway.acts import Correction, Ruling
from simulator.gateway.audit import Act, Entry
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys

FILE_NAME = "index.sqlite"

_VERSION = 2
_PATIENCE = 2000  # milliseconds to wait for another program that holds the file, while associations wait too
_SCHEMA = """
CREATE TABLE instance (
    sop_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    data_set_digest TEXT NOT NULL,
    file TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    hkid TEXT NOT NULL,
    name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL
) STRICT;
CREATE INDEX instance_study ON instance (study_instance_uid);
CREATE TABLE study (
    study_instance_uid TEXT PRIMARY KEY,
    accession_number TEXT NOT NULL,
    state TEXT NOT NULL,
    reasons TEXT NOT NULL,
    warnings TEXT NOT NULL,
    order_accession TEXT NOT NULL
) STRICT;
CREATE INDEX study_accession ON study (accession_number);
CREATE INDEX study_order ON study (order_accession);
CREATE TABLE orders (
    accession_number TEXT PRIMARY KEY,
    hkid TEXT NOT NULL,
    name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL,
    cancelled INTEGER NOT NULL,
    patient TEXT NOT NULL,
    to_match INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_patient ON orders (patient);
CREATE TABLE order_message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    accession_number TEXT NOT NULL,
    at TEXT NOT NULL,
    control_id TEXT NOT NULL,
    message_type TEXT NOT NULL,
    order_control TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX order_message_order ON order_message (accession_number);
CREATE TABLE delivery (
    sop_instance_uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (sop_instance_uid, destination)
) STRICT;
CREATE TABLE commitment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_uid TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    state TEXT NOT NULL,
    instances TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE commitment_asked (
    transaction_uid TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    dispatch INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    instances TEXT NOT NULL
) STRICT;
CREATE TABLE delivery_commitment (
    sop_instance_uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    PRIMARY KEY (sop_instance_uid, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX commitment_transaction ON commitment (transaction_uid);
CREATE TABLE dispatch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    problem TEXT NOT NULL,
    UNIQUE (destination, study_instance_uid, series_instance_uid, sop_instance_uid)
) STRICT;
CREATE INDEX dispatch_study ON dispatch (study_instance_uid);
CREATE TABLE dispatch_instance (
    dispatch INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    PRIMARY KEY (dispatch, sop_instance_uid)
) STRICT, WITHOUT ROWID;
CREATE TABLE retention (
    study_instance_uid TEXT PRIMARY KEY,
    forwarded_at REAL NOT NULL,
    purging INTEGER NOT NULL,
    purged_at TEXT NOT NULL
) STRICT;
CREATE TABLE purged_instance (
    sop_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    content_digest TEXT NOT NULL
) STRICT;
CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL) STRICT;
"""
_WHOLE_SCHEMA = "".join((_SCHEMA, acts.SCHEMA, audit.SCHEMA))
_JUDGED = frozenset(("matched", "unmatched", "rejected"))  # the states that a decision ends in


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance as it is indexed; `file` is the store's name for it."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    data_set_digest: str
    file: str
    calling_ae_title: str
    keys: StudyKeys


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study: its state and why; `order_accession` is empty until it matched an order."""

    study_instance_uid: str
    accession_number: str
    state: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    order_accession: str = ""


class Index:
    """The index in one file. Safe for use from several threads."""

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        """Open the index, making it when it is new. Raises `StartError` when it cannot be used."""
        self._lock = threading.RLock()
        self._watcher: Callable[[sqlite3.Error | None], None] = lambda _: None
        self._followers: set[Callable[[], object]] = set()
        self._finished = False
        try:
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, check_same_thread=False)
            self._db.isolation_level = None
            if not read_only:
                self._prepare()
            if self._version() != _VERSION:
                raise StartError(f"{file} was written by another version", "start with an empty data folder")
        except sqlite3.Error as error:
            raise StartError(f"the index {file} cannot be used: {error}", _advice(error)) from error

    def watch(self, watcher: Callable[[sqlite3.Error | None], None]) -> None:
        """Have `watcher` called with each error, and with None after each change that was taken."""
        self._watcher = watcher

    def finish(self) -> None:
        """Tell those who follow the events that no more will come."""
        with self._lock:
            self._finished = True
            self._tell_followers()

    def close(self) -> None:
        """Close the file; nothing may be asked afterwards."""
        with self._lock:
            self._db.close()

    # --- instances -----------------------------------------------------------------------------------

    def instance(self, sop_instance_uid: str) -> InstanceRow | None:
        """Return the instance, or None."""
        rows = self._rows("SELECT * FROM instance WHERE sop_instance_uid = ?", sop_instance_uid)
        return _instance(rows[0]) if rows else None

    def instances(self, study_instance_uid: str) -> tuple[InstanceRow, ...]:
        """Return the instances of a study in the order in which they came."""
        query = "SELECT * FROM instance WHERE study_instance_uid = ? ORDER BY rowid"
        return tuple(_instance(row) for row in self._rows(query, study_instance_uid))

    def sizes(self, study_instance_uid: str) -> tuple[int, int]:
        """Return how many instances and how many series of the study are held."""
        query = "SELECT count(*), count(DISTINCT series_instance_uid) FROM instance WHERE study_instance_uid = ?"
        instances, series = self._rows(query, study_instance_uid)[0]
        return int(instances), int(series)

    def files(self) -> frozenset[str]:
        """Return the store's names of all instances that are indexed."""
        return frozenset(row[0] for row in self._rows("SELECT file FROM instance"))

    def add_instance(self, row: InstanceRow, events: Sequence[Event], study: StudyRow | None) -> None:
        """Index an instance and, where it changes its study, the study too."""
        keys = row.keys.keys
        values = (
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
        with self._transaction(events):
            self._db.execute("INSERT INTO instance VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", values)
            if study is not None:
                self._put_study(study)

    def instances_in(self, file: str) -> tuple[InstanceRow, ...]:
        """Return the instance whose file this is, if there is one."""
        return tuple(_instance(row) for row in self._rows("SELECT * FROM instance WHERE file = ?", file))

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
        with self._transaction(events):
            uids = [(row.sop_instance_uid,) for row in rows]
            self._db.executemany("DELETE FROM instance WHERE sop_instance_uid = ?", uids)

    # --- studies -------------------------------------------------------------------------------------

    def study(self, study_instance_uid: str) -> StudyRow | None:
        """Return the study, or None."""
        rows = self._rows("SELECT * FROM study WHERE study_instance_uid = ?", study_instance_uid)
        return _study(rows[0]) if rows else None

    def studies(self) -> tuple[StudyRow, ...]:
        """Return all studies in the order in which they came."""
        return tuple(_study(row) for row in self._rows("SELECT * FROM study ORDER BY rowid"))

    def studies_under(self, accession_number: str) -> tuple[StudyRow, ...]:
        """Return the studies that came with this accession number, or matched the order under it."""
        query = "SELECT * FROM study WHERE accession_number = ?1 OR order_accession = ?1 ORDER BY rowid"
        return tuple(_study(row) for row in self._rows(query, accession_number))

    def is_sent(self, study_instance_uid: str) -> bool:
        """Tell whether a destination has stored anything of the study."""
        query = "SELECT 1 FROM delivery JOIN instance USING (sop_instance_uid) WHERE study_instance_uid = ? LIMIT 1"
        return bool(self._rows(query, study_instance_uid))

    def study_keys(self, study_instance_uid: str) -> tuple[StudyKeys, ...]:
        """Return the distinct keys over the instances of the study, those of the first instance first."""
        query = (
            "SELECT accession_number, hkid, name, birth_date, sex FROM instance WHERE study_instance_uid = ? "
            "GROUP BY accession_number, hkid, name, birth_date, sex ORDER BY min(rowid)"
        )
        return tuple(StudyKeys(row[0], MajorKeys(*row[1:])) for row in self._rows(query, study_instance_uid))

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
        return bool(accession_number and self._rows(query, study_instance_uid, accession_number))

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
        with self._transaction([event], act):
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

    # --- the audit log -------------------------------------------------------------------------------

    def record(self, act: Act) -> None:
        """Append an act that changes nothing else here."""
        with self._transaction([], act):
            pass

    def audit_log(self) -> tuple[tuple[Entry, ...], int]:
        """Return the audit log, and how many entries its counter knows of."""
        with self._lock:
            return audit.entries(self._db), audit.counted(self._db)

    def purged_at(self, study_instance_uid: str) -> str:
        """Return when the study was purged (ISO 8601, UTC), empty where something of it is held, or never was."""
        query = """
            SELECT purged_at FROM retention WHERE study_instance_uid = ?1
            AND NOT EXISTS (SELECT 1 FROM instance WHERE study_instance_uid = ?1)
        """
        rows = self._rows(query, study_instance_uid)
        return str(rows[0][0]) if rows else ""

    # --- orders --------------------------------------------------------------------------------------

    def order(self, accession_number: str) -> OrderKeys | None:
        """Return the order under the accession number, or None."""
        query = "SELECT accession_number, hkid, name, birth_date, sex, cancelled FROM orders WHERE accession_number = ?"
        rows = self._rows(query, accession_number)
        return OrderKeys(rows[0][0], MajorKeys(*rows[0][1:5]), bool(rows[0][5])) if rows else None

    def orders(self) -> tuple[OrderKeys, ...]:
        """Return all orders in the order in which they first came."""
        query = "SELECT accession_number, hkid, name, birth_date, sex, cancelled FROM orders ORDER BY rowid"
        return tuple(OrderKeys(row[0], MajorKeys(*row[1:5]), bool(row[5])) for row in self._rows(query))

    # --- deliveries ----------------------------------------------------------------------------------

    def delivered(self, study_instance_uid: str, destination: str) -> frozenset[str]:
        """Return the SOP instance UIDs of the study that the destination has stored."""
        query = (
            "SELECT sop_instance_uid FROM delivery JOIN instance USING (sop_instance_uid) "
            "WHERE study_instance_uid = ? AND destination = ?"
        )
        return frozenset(row[0] for row in self._rows(query, study_instance_uid, destination))

    def add_delivery(self, sop_instance_uid: str, destination: str, status: str, event: Event) -> None:
        """Note that the destination stored the instance."""
        with self._transaction([event]):
            self._db.execute("INSERT OR REPLACE INTO delivery VALUES (?,?,?)", (sop_instance_uid, destination, status))

    # --- events --------------------------------------------------------------------------------------

    def add_event(self, event: Event) -> None:
        """Append an event that changes nothing else."""
        with self._transaction([event]):
            pass

    def events(self, after: int = 0, limit: int = 1000) -> tuple[tuple[int, dict[str, Any]], ...]:
        """Return up to `limit` events behind number `after`, each with its number."""
        query = "SELECT sequence, record FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return tuple((row[0], json.loads(row[1])) for row in self._rows(query, after, limit))

    async def follow(self, after: int = 0) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """Yield events behind number `after` as they come, until the index is finished and all were told.

        No thread waits meanwhile, however many follow.
        """
        loop, grown = asyncio.get_running_loop(), asyncio.Event()

        def follower() -> None:
            loop.call_soon_threadsafe(grown.set)

        with self._lock:
            self._followers.add(follower)
        try:
            while True:
                grown.clear()
                finished = self._finished
                batch = await asyncio.to_thread(self.events, after)
                for number, record in batch:
                    yield number, record
                    after = number
                if not batch and finished:
                    return
                if not batch:
                    await grown.wait()
        finally:
            with self._lock:
                self._followers.discard(follower)

    # --- for tables that are kept elsewhere ----------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._rows(query, *values)

    @contextmanager
    def transaction(self, events: Iterable[Event], *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Change tables and append events, all or nothing.

        durable: at the end this change and every one before it survive a power cut, not only a killed process.
        """
        with self._lock:
            # The commit of a transaction in this mode fsyncs the write-ahead log, with all that stands in it.
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            try:
                with self._transaction(events):
                    yield self._db
            finally:
                self._db.execute("PRAGMA synchronous = NORMAL")

    # --- inside --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        if self._version() == 0:
            self._db.executescript(f"BEGIN; {_WHOLE_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._watcher(error)
            raise

    @contextmanager
    def _transaction(self, events: Iterable[Event], act: Act | None = None) -> Iterator[None]:
        records = [(json.dumps(to_record(event)),) for event in events]
        entry = None
        try:
            with self._lock:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._db.executemany("INSERT INTO event (record) VALUES (?)", records)
                    entry = None if act is None else audit.append(self._db, act)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # a full disk has ended it already
                        self._db.execute("ROLLBACK")
                    raise
                self._tell_followers()
        except sqlite3.Error as error:
            self._watcher(error)
            raise
        self._watcher(None)
        if entry is not None:
            audit.tell(entry)

    def _tell_followers(self) -> None:
        for follower in self._followers:
            follower()

    def _put_study(self, study: StudyRow) -> None:
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


def _advice(error: sqlite3.Error) -> str:
    """Return what a person can do about an index that cannot be opened."""
    if not isinstance(error, sqlite3.OperationalError):  # not a database, or a malformed one
        return (
            "it is damaged: restore it from a copy, or start once with --rebuild-index, which sets it aside and makes "
            "a new one from what can be read of it and from the instance files"
        )
    if "locked" in str(error):
        return "another program holds it (a backup, or somebody looking into it): end that, and start again"
    return "the gateway must be able to read and write it, and its folder"


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
