"""One SQLite file behind a lock: changes that are all or nothing, each with the events that tell of it.

Write-ahead logging, so that a committed row survives a killed process; a `durable` change survives a power cut.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from simulator.errors import StartError
from simulator.events import Event, to_record
from simulator.gateway import audit, tables
from simulator.gateway.audit import Act, Entry

_PATIENCE = 2000  # milliseconds to wait for another program that holds the file, while associations wait too


class Database:
    """The file, its events and its audit log. Safe for use from several threads."""

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        """Open the index, making it when it is new. Raises `StartError` when it cannot be used."""
        self._lock = threading.RLock()
        self._failing = False  # the last change was not taken
        self._watcher: Callable[[sqlite3.Error | None], None] = lambda _: None
        self._followers: set[Callable[[], object]] = set()
        self._finished = False
        try:
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, check_same_thread=False)
            self._db.isolation_level = None
            if not read_only:
                self._prepare()
            if self._version() != tables.VERSION:
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

    # --- rows ----------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query, once what waits to be written is written."""
        with self._lock:
            self._catch_up()
            return self._found(query, *values)

    def _catch_up(self) -> None:
        """Write what waits to be written."""

    def _found(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query over what is written."""
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._watcher(error)
            raise

    @contextmanager
    def transaction(
        self, events: Iterable[Event] = (), act: Act | None = None, *, durable: bool = False
    ) -> Iterator[sqlite3.Connection]:
        """Change tables, append events and an act: all of it happens, or nothing.

        durable: at the end this change and every one before it survive a power cut, not only a killed process.
        """
        records = [(json.dumps(to_record(event)),) for event in events]
        entry = None
        try:
            with self._lock, self._synchronous(durable):
                self._catch_up()
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.executemany("INSERT INTO event (record) VALUES (?)", records)
                    entry = None if act is None else audit.append(self._db, act)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # a full disk has ended it already
                        self._db.execute("ROLLBACK")
                    raise
                self._tell_followers()
        except sqlite3.Error as error:
            self._failing = True
            self._watcher(error)
            raise
        self._failing = False
        self._watcher(None)
        if entry is not None:
            audit.tell(entry)

    @contextmanager
    def _synchronous(self, durable: bool) -> Iterator[None]:
        """The commit of a transaction in this mode fsyncs the write-ahead log, with all that stands in it."""
        if durable:
            self._db.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            if durable:
                self._db.execute("PRAGMA synchronous = NORMAL")

    # --- the audit log -------------------------------------------------------------------------------

    def record(self, act: Act) -> None:
        """Append an act that changes nothing else here."""
        with self.transaction([], act):
            pass

    def audit_log(self) -> tuple[tuple[Entry, ...], int]:
        """Return the audit log, and how many entries its counter knows of."""
        with self._lock:
            return audit.entries(self._db), audit.counted(self._db)

    # --- events --------------------------------------------------------------------------------------

    def add_event(self, event: Event) -> None:
        """Append an event that changes nothing else."""
        with self.transaction([event]):
            pass

    def events(self, after: int = 0, limit: int = 1000) -> tuple[tuple[int, dict[str, Any]], ...]:
        """Return up to `limit` events behind number `after`, each with its number."""
        query = "SELECT sequence, record FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return tuple((row[0], json.loads(row[1])) for row in self.rows(query, after, limit))

    async def follow(self, after: int = 0) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """Yield events behind number `after` as they come, until the index is finished and all were told.

        No thread waits meanwhile, however many follow.
        """
        loop, grown = asyncio.get_running_loop(), asyncio.Event()

        def follower() -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it who followed
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

    # --- inside --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        if self._version() == 0:
            self._db.executescript(f"BEGIN; {tables.SCHEMA} PRAGMA user_version = {tables.VERSION}; COMMIT;")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _tell_followers(self) -> None:
        for follower in self._followers:
            follower()


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
