"""The audit log: every act of a person or a policy on what the gateway holds; it only ever grows.

A table of the index, written in the transaction of the act itself, so that neither is there without the other.
Triggers refuse to change or delete an entry, and each entry holds the digest of the one before: who gets round the
triggers and alters an entry breaks the chain behind it. Entries cut off at the end leave the counter of the table
behind; who mends that too is found out by anyone who noted the last digest elsewhere (each stands in the log).
Names, HKIDs and dates of birth are masked here where they are in the log. Behind each stands a mark, a digest keyed
with a secret of the data folder (`C***^T*** [3fa91c02]`): equal values have equal marks, so that a change can be seen.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from simulator.events import now
from simulator.rules import identity, masking
from simulator.rules.matching import OrderKeys, StudyKeys

_LOG = logging.getLogger(__name__)

GATEWAY = "gateway"
"""Who acts when nobody told it to: the site's policy, a rule, the process itself."""

SCHEMA = """
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    act TEXT NOT NULL,
    who TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    why TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_appended BEFORE INSERT ON audit
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
# Made when it is first needed; whoever reads it from the index reads the keys themselves there.
_MARKING = """
CREATE TABLE IF NOT EXISTS audit_secret (number INTEGER PRIMARY KEY CHECK (number = 1), secret TEXT NOT NULL) STRICT
"""
_MARK = 8  # hexadecimal digits
_COLUMNS = "number, at, act, who, study_instance_uid, accession_number, why, before, after, digest"


@dataclass(frozen=True, slots=True)
class Act:
    """What was done: `start`, `stop`, `order`, `reconcile`, `reject`, `correct`, `forward`, `purge`, ...

    who: an operator's name, the sender of a message, or `GATEWAY`. why: in words, may be empty. before, after: what
    changed, by name.
    """

    act: str
    who: str = GATEWAY
    study_instance_uid: str = ""
    accession_number: str = ""
    why: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An act in the log: its number from 1 on, its moment (as events record it), and the digest that chains it."""

    number: int
    at: str
    act: Act
    digest: str


class _Masked(str):
    """A key under its mask, with what its mark is made of until it is written."""

    __slots__ = ("full",)
    full: str


def append(db: sqlite3.Connection, act: Act) -> Entry:
    """Append an act inside the transaction that is open."""
    act = replace(act, before=_marked(db, act.before), after=_marked(db, act.after))
    row = db.execute("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    number, previous = (row[0] + 1, row[1]) if row else (1, "")
    at = now()
    digest = _digest(number, at, act, previous)
    texts = (json.dumps(dict(act.before), sort_keys=True), json.dumps(dict(act.after), sort_keys=True))
    values = (number, at, act.act, act.who, act.study_instance_uid, act.accession_number, act.why, *texts, digest)
    db.execute("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?)", values)
    return Entry(number, at, act, digest)


def tell(entry: Entry) -> None:
    """Write into the log that an act was written here; call it once the transaction has ended."""
    _LOG.info("audit %d: %s by %s, %s", entry.number, entry.act.act, entry.act.who, entry.digest)


def entries(db: sqlite3.Connection) -> tuple[Entry, ...]:
    """Return the whole log, the oldest entry first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY number")  # noqa: S608 - a constant
    return tuple(
        Entry(r[0], r[1], Act(r[2], r[3], r[4], r[5], r[6], json.loads(r[7]), json.loads(r[8])), r[9]) for r in rows
    )


def counted(db: sqlite3.Connection) -> int:
    """Return how many entries the table's counter knows of."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    return int(row[0]) if row else 0


def problem(log: Sequence[Entry], count: int) -> str:
    """Return where the log is not what was written, in words; empty when it is whole. count: as `counted` says."""
    previous = ""
    for number, entry in enumerate(log, start=1):
        if entry.number != number:
            return f"entry {number} is missing"
        if entry.digest != _digest(entry.number, entry.at, entry.act, previous):
            return f"entry {number} was changed, or one before it"
        previous = entry.digest
    return f"entries behind {len(log)} are missing: there were {count}" if count != len(log) else ""


def document(log: Sequence[Entry], count: int) -> dict[str, Any]:
    """Return the log as `simulate audit --json` and `GET /audit` tell it."""
    complaint = problem(log, count)
    told = [{"number": e.number, "at": e.at} | asdict(e.act) | {"digest": e.digest} for e in log]
    return {"intact": not complaint, "problem": complaint, "entries": told}


def changes(
    before: StudyKeys | OrderKeys | None, after: StudyKeys | OrderKeys, mask: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what stood before and what stands now, by name and only where they differ; masked where logs are.

    What differs is found before it is masked: two names that look alike under the mask are still two.
    """
    old, new = _by_name(before), _by_name(after)
    differ = [name for name in new if old.get(name) != new[name]]
    shown = [{name: _shown(name, each[name], mask) for name in differ if name in each} for each in (old, new)]
    return shown[0], shown[1]


def _by_name(of: StudyKeys | OrderKeys | None) -> dict[str, str]:
    if of is None:
        return {}
    keys = of.keys
    values = dict(zip(identity.STEMS, (keys.hkid, keys.name, keys.birth_date, keys.sex), strict=True))
    cancelled = {"cancelled": "yes" if of.cancelled else "no"} if isinstance(of, OrderKeys) else {}
    return {"accession": of.accession_number} | values | cancelled


def _shown(name: str, value: str, mask: bool) -> str:
    if not mask or name not in identity.STEMS:
        return value
    masked = _Masked(masking.key(name, value))
    masked.full = f"{name}/{value}"
    return masked if value and name != "sex" else str(masked)


def _marked(db: sqlite3.Connection, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values with a mark behind each that is masked."""
    return {name: f"{v} [{_mark(db, v.full)}]" if isinstance(v, _Masked) else v for name, v in values.items()}


def _mark(db: sqlite3.Connection, full: str) -> str:
    db.execute(_MARKING)
    db.execute("INSERT OR IGNORE INTO audit_secret VALUES (1, ?)", (secrets.token_hex(32),))
    (secret,) = db.execute("SELECT secret FROM audit_secret").fetchone()
    return hmac.new(bytes.fromhex(secret), full.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_MARK]


def _digest(number: int, at: str, act: Act, previous: str) -> str:
    """Return the SHA-256 of the entry and of the digest before it, in hexadecimal."""
    content = json.dumps([number, at, asdict(act), previous], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
