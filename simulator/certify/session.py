"""A session on disk: what was declared, what was tried and what came of it, from the first second on.

A folder with `session.sqlite`, the declaration, the session's key and the evidence. Everything is written before
anybody is told of it, so that a crash, a lost connection or Ctrl-C loses nothing: the attempt in hand is the one that
is tried again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from simulator import __version__
from simulator.certify import bundle, declaration
from simulator.certify.declaration import Declaration
from simulator.certify.evidence import EVIDENCE
from simulator.certify.outcome import TestOutcome
from simulator.certify.programme import Test, programme
from simulator.errors import HarnessError, UsageError
from simulator.events import now
from simulator.strict_yaml import nearest
from simulator.wire.conversation import Side

FORMAT = 2
DATABASE, DECLARATION = "session.sqlite", "declaration.yaml"

Whole = Literal["whole", "part"]
"""whole: a pass through every test. part: some tests once more, which no certificate stands on."""

_SCHEMA = """
CREATE TABLE session (format INTEGER, version TEXT, created TEXT, seed INTEGER, rehearsal TEXT);
CREATE TABLE pass (number INTEGER PRIMARY KEY, extent TEXT, began TEXT, fingerprint TEXT);
CREATE TABLE attempt (
    number INTEGER PRIMARY KEY, pass INTEGER REFERENCES pass, test TEXT, began TEXT, ended TEXT, outcome TEXT
);
CREATE TABLE note (number INTEGER PRIMARY KEY, test TEXT, text TEXT, at TEXT);
CREATE TABLE seen (
    system TEXT, side TEXT, implementation_class_uid TEXT, implementation_version_name TEXT, at TEXT,
    PRIMARY KEY (system, side)
);
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A test that was tried: in which pass, and what came of it; None where it was cut off."""

    number: int
    pass_number: int
    test: str
    began: str
    outcome: TestOutcome | None


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass through the tests. fingerprint: the digest of the configuration under which it was begun."""

    number: int
    extent: Whole
    began: str
    fingerprint: str


class Session:
    """One session, open. A context manager.

    rehearsal: who plays the facility; empty where it is the facility itself.
    """

    def __init__(self, folder: Path) -> None:
        """Open the session in `folder`. Raises `UsageError` where there is none, or one of another version."""
        self.folder = folder
        file = folder / DATABASE
        if not file.is_file():
            raise UsageError(f"there is no session in {folder}", "`simulate certify new` begins one")
        self._db = sqlite3.connect(file, isolation_level=None)
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            found, self.version, self.created, self.seed, self.rehearsal = self._db.execute(
                "SELECT format, version, created, seed, rehearsal FROM session"
            ).fetchone()
        except (sqlite3.Error, TypeError) as error:
            self._db.close()
            raise UsageError(f"{file} is no session that can be read ({error})", _BEGIN_ANEW) from error
        if found != FORMAT:
            self._db.close()
            raise UsageError(
                f"the session in {folder} was written by version {self.version}, in format {found}; this is "
                f"version {__version__}, which reads format {FORMAT}",
                _BEGIN_ANEW,
            )
        # Names were looked up when it was declared; they are looked up again by the preflight.
        self.declared: Declaration = declaration.load(folder / DECLARATION, resolve=lambda _: None, files=False)
        self.tests: tuple[Test, ...] = programme(self.declared, self.seed)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def applicable(self) -> tuple[Test, ...]:
        """The session's tests."""
        return tuple(test for test in self.tests if test.applies)

    def test(self, identity: str) -> Test:
        """Return the test of this id. Raises `UsageError` with the nearest."""
        for test in self.tests:
            if test.id == identity and test.applies:
                return test
            if test.id == identity:
                raise UsageError(f"the test {identity} does not apply: {test.why_not}")
        advice = nearest(identity, [test.id for test in self.applicable]) or "`simulate certify status` lists them"
        raise UsageError(f"the session has no test {identity!r}", advice)

    # --- passes and attempts ---------------------------------------------------------------------------

    def begin_pass(self, extent: Whole, fingerprint: str) -> Pass:
        """Begin a pass, and return it."""
        began = now()
        row = self._db.execute(
            "INSERT INTO pass (extent, began, fingerprint) VALUES (?, ?, ?)", (extent, began, fingerprint)
        )
        return Pass(int(row.lastrowid or 0), extent, began, fingerprint)

    def last_pass(self, extent: Whole = "whole") -> Pass | None:
        """Return the last pass of this extent."""
        row = self._db.execute(
            "SELECT number, extent, began, fingerprint FROM pass WHERE extent = ? ORDER BY number DESC LIMIT 1",
            (extent,),
        ).fetchone()
        return Pass(*row) if row else None

    def passes(self) -> tuple[Pass, ...]:
        """Return all of them, the first one first."""
        rows = self._db.execute("SELECT number, extent, began, fingerprint FROM pass ORDER BY number")
        return tuple(Pass(*row) for row in rows)

    @contextmanager
    def attempt(self, in_pass: Pass, test: str) -> Iterator[_Trying]:
        """Try a test: written down before it begins; what came of it when `ended` is called."""
        row = self._db.execute(
            "INSERT INTO attempt (pass, test, began) VALUES (?, ?, ?)", (in_pass.number, test, now())
        )
        yield _Trying(self._db, int(row.lastrowid or 0), self.folder)

    def attempts(self, test: str = "") -> tuple[Attempt, ...]:
        """Return what was tried of one test, or of all of them."""
        rows = self._db.execute(
            "SELECT number, pass, test, began, outcome FROM attempt WHERE ? IN ('', test) ORDER BY number", (test,)
        )
        return tuple(_attempt(*row) for row in rows)

    def missing(self, in_pass: Pass) -> tuple[Test, ...]:
        """Return the tests of which the pass has no outcome yet."""
        done = {each.test for each in self.attempts() if each.pass_number == in_pass.number and each.outcome}
        return tuple(test for test in self.applicable if test.id not in done)

    # --- what people say, and what systems show ------------------------------------------------------------

    def note(self, test: str, text: str) -> None:
        """Add a note to a test."""
        self._db.execute("INSERT INTO note (test, text, at) VALUES (?, ?, ?)", (test, text, now()))

    def notes(self, test: str) -> tuple[str, ...]:
        """Return the notes of a test."""
        rows = self._db.execute("SELECT text FROM note WHERE test = ? ORDER BY number", (test,))
        return tuple(str(row[0]) for row in rows)

    def saw(self, system: str, side: Side, implementation: tuple[str, str]) -> None:
        """Keep the Implementation Class UID and Version Name that a system has shown on a side (PS3.7 D.3.3.2)."""
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", (system, side, *implementation, now()))

    def seen(self) -> Mapping[tuple[str, Side], tuple[str, str]]:
        """Return what each system has shown last on each side: its programs for the two may differ."""
        rows = self._db.execute("SELECT system, side, implementation_class_uid, implementation_version_name FROM seen")
        return {(str(system), side): (str(uid), str(name)) for system, side, uid, name in rows}

    def declare(self, file: Path) -> None:
        """Take another declaration from now on. Raises `LoadError` or `UsageError`, and then nothing has changed."""
        _check_waivers(declaration.load(file))
        declaration.copy(file, self.folder / DECLARATION)
        self.declared = declaration.load(self.folder / DECLARATION, resolve=lambda _: None, files=False)
        self.tests = programme(self.declared, self.seed)


class _Trying:
    """An attempt that is under way. number: unique in the session."""

    def __init__(self, database: sqlite3.Connection, number: int, folder: Path) -> None:
        self._db = database
        self.number = number
        self.evidence = folder / EVIDENCE / f"{number:04d}"

    def ended(self, outcome: TestOutcome) -> None:
        """Write down what came of it."""
        self._db.execute(
            "UPDATE attempt SET ended = ?, outcome = ? WHERE number = ?",
            (now(), outcome.model_dump_json(by_alias=True), self.number),
        )


_BEGIN_ANEW = "begin another by `simulate certify new --reports DIR`; this one stays as it is"


def begin(folder: Path, file: Path, seed: int, rehearsal: str = "") -> None:
    """Make a session in `folder` from the declaration in `file`, which was loaded before.

    Raises `UsageError` where there is one, or a waiver is of no test, and `HarnessError` for a folder that cannot be
    written.
    """
    refuse_another(folder)
    _check_waivers(declaration.load(file, resolve=lambda _: None, files=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        declaration.copy(file, folder / DECLARATION)
        bundle.new_key(folder)
        part = folder / (DATABASE + ".part")
        part.unlink(missing_ok=True)
        database = sqlite3.connect(part, isolation_level=None)
        database.executescript(_SCHEMA)
        database.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?)", (FORMAT, __version__, now(), seed, rehearsal))
        database.close()
        part.replace(folder / DATABASE)
    except (OSError, sqlite3.Error) as error:
        raise HarnessError(f"a session cannot be written to {folder}: {error}") from error


def _check_waivers(declared: Declaration) -> None:
    tests = [test.id for test in programme(declared, 0)]
    for waiver in declared.waivers:
        if waiver.test not in tests:
            advice = nearest(waiver.test, tests) or f"the tests are: {', '.join(tests)}"
            raise UsageError(f"a waiver is of {waiver.test!r}, which is no test of this facility", advice)


def refuse_another(folder: Path) -> None:
    """Raise `UsageError` where there is a session in `folder`."""
    if (folder / DATABASE).exists():
        raise UsageError(f"there is a session in {folder} already", "go on by `simulate certify run`, or name another")


def _attempt(number: int, in_pass: int, test: str, began: str, outcome: str | None) -> Attempt:
    told: dict[str, Any] | None = json.loads(outcome) if outcome else None
    return Attempt(number, in_pass, test, began, TestOutcome.model_validate(told) if told else None)
