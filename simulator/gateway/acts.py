"""What was decided about a study beyond plain matching, as the index keeps it: an operator's ruling, a correction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys

SCHEMA = """
CREATE TABLE ruling (
    study_instance_uid TEXT PRIMARY KEY,
    order_accession TEXT NOT NULL,
    seen TEXT NOT NULL
) STRICT;
CREATE TABLE correction (
    study_instance_uid TEXT PRIMARY KEY,
    accession_number TEXT NOT NULL,
    hkid TEXT NOT NULL,
    name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an operator ruled: the study belongs to this order, or (empty) to none and is rejected.

    seen: the distinct keys that the study had then. Instances that say something else were not ruled upon.
    """

    order_accession: str
    seen: frozenset[StudyKeys]

    def holds_for(self, keys: Sequence[StudyKeys]) -> bool:
        """Tell whether a study with these keys is still the one that was ruled upon."""
        return set(keys) <= self.seen


@dataclass(frozen=True, slots=True)
class Correction:
    """What the forwarded copies of a study say in place of what it said: its order's number and keys.

    reason: `COERCE` by the site's policy, `CORRECT` by an operator (PS3.3 C.12.1, (0400,0565)). at: when it was
    decided, as events record it.
    """

    order: OrderKeys
    reason: str
    at: str


def ruling(db: sqlite3.Connection, study_instance_uid: str) -> Ruling | None:
    """Return the ruling on the study, or None."""
    query = "SELECT order_accession, seen FROM ruling WHERE study_instance_uid = ?"
    row = db.execute(query, (study_instance_uid,)).fetchone()
    if row is None:
        return None
    return Ruling(row[0], frozenset(StudyKeys(each[0], MajorKeys(*each[1:])) for each in json.loads(row[1])))


def put_ruling(db: sqlite3.Connection, study_instance_uid: str, new: Ruling) -> None:
    """Write a ruling in place of an earlier one."""
    seen = sorted([k.accession_number, k.keys.hkid, k.keys.name, k.keys.birth_date, k.keys.sex] for k in new.seen)
    values = (study_instance_uid, new.order_accession, json.dumps(seen))
    db.execute("INSERT OR REPLACE INTO ruling VALUES (?,?,?)", values)


def correction(db: sqlite3.Connection, study_instance_uid: str) -> Correction | None:
    """Return the correction of the study, or None."""
    query = (
        "SELECT accession_number, hkid, name, birth_date, sex, reason, at FROM correction WHERE study_instance_uid = ?"
    )
    row = db.execute(query, (study_instance_uid,)).fetchone()
    return Correction(OrderKeys(row[0], MajorKeys(*row[1:5])), row[5], row[6]) if row else None


def put_correction(db: sqlite3.Connection, study_instance_uid: str, new: Correction | None) -> None:
    """Write the correction of the study; None: it has none (any more).

    One that is decided again keeps its moment, so that what is sent after a restart is what was sent before it.
    """
    old = correction(db, study_instance_uid)
    if old and new and (old.order, old.reason) == (new.order, new.reason):
        return
    db.execute("DELETE FROM correction WHERE study_instance_uid = ?", (study_instance_uid,))
    if new is not None:
        keys = new.order.keys
        values = (new.order.accession_number, keys.hkid, keys.name, keys.birth_date, keys.sex, new.reason, new.at)
        db.execute("INSERT INTO correction VALUES (?,?,?,?,?,?,?,?)", (study_instance_uid, *values))
