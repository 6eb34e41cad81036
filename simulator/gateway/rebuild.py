"""A new index in place of a damaged one: what can still be read of the old one is taken over, the rest from the files.

Instances come back whole, since each file says what it is. Orders, deliveries and the history stand in the index alone:
what cannot be read of them is gone, and whoever rebuilds is told so.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import StartError
from simulator.events import now
from simulator.gateway.folder_lock import FolderLock
from simulator.gateway.index import Index
from simulator.gateway.tables import FILE_NAME, VERSION


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Where the damaged index lies now, how many rows of each table were read, and which were not read to their end."""

    set_aside: Path
    rows: dict[str, int]
    cut_short: tuple[str, ...]


def rebuild(folder: Path) -> Rebuilt:
    """Set the index of a data folder aside, and make a new one. The gateway's next start adds what only files say.

    Raises `StartError` when a gateway uses the folder, or it has no index or one of another version, or cannot be
    written.
    """
    lock = FolderLock(folder)
    try:
        _refuse_another_version(folder / FILE_NAME)
        set_aside = _set_aside(folder / FILE_NAME)
        index = Index(folder / FILE_NAME)
        try:
            rows, cut_short = _take_over(set_aside, index)
        finally:
            index.close()
    except OSError as error:
        raise StartError(f"the index in {folder} cannot be rebuilt: {error.strerror}") from error
    finally:
        lock.release()
    return Rebuilt(set_aside, rows, cut_short)


def _refuse_another_version(file: Path) -> None:
    """Refuse an index whose rows mean something else than they do now; one too damaged to tell is read as it is."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as damaged:
            version = damaged.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return
    if version not in (0, VERSION):
        raise StartError(f"{file} was written by another version", "start with an empty data folder")


def _set_aside(file: Path) -> Path:
    if not file.exists():
        raise StartError(f"{file} does not exist: there is nothing to rebuild", "start without --rebuild-index")
    moment = now().replace(":", "").replace(".", "")
    set_aside = file.with_name(f"{file.name}.damaged-{moment}")
    for ending in ("-wal", "-shm", ""):  # the log belongs to the file, so that what it holds can be read
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(set_aside.with_name(set_aside.name + ending))
    return set_aside


def _take_over(file: Path, index: Index) -> tuple[dict[str, int], tuple[str, ...]]:
    own = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
    tables = [name for (name,) in index.rows(own)]
    rows: dict[str, int] = {}
    cut_short = []
    with sqlite3.connect(file) as damaged, index.transaction(()) as new:
        for table in tables:
            rows[table], whole = _copy(damaged, new, table)
            if not whole:
                cut_short.append(table)
    damaged.close()
    return rows, tuple(cut_short)


def _copy(damaged: sqlite3.Connection, new: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """Copy the rows of a table up to the first that cannot be read; return how many, and whether that is all."""
    copied = 0
    try:
        for row in damaged.execute(f"SELECT * FROM {table}"):  # noqa: S608 - the names are our schema's
            marks = ",".join("?" * len(row))
            try:
                copied += new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row).rowcount  # noqa: S608
            except sqlite3.Error:  # of another layout, or not what the column takes
                return copied, False
    except sqlite3.Error:
        return copied, False
    return copied, True
