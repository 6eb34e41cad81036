"""The audit log: what stands in it, that it only grows, and that tampering shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simulator.events import StudyChanged
from simulator.gateway import audit
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.gateway.rows import StudyRow
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.scenario import audit_trail
from simulator.synthesis.lies import LIES
from tests.gateway.made import a_message, a_site, remote, running, to
from tests.synthesis.made import a_study, an_order

KEYS = MajorKeys("A1234563", "CHAN^TAI MAN", "19700131", "M")
TRIGGERS = ("audit_is_never_changed", "audit_is_never_deleted", "audit_is_appended")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder whose audit log has five entries."""
    index = Index(tmp_path / "index.sqlite")
    for number in range(5):
        index.record(Act("forward", f"operator {number}", "1.2.3", "A", "by hand", {"state": "x"}, {"state": "y"}))
    index.close()
    return tmp_path


@pytest.fixture
def tampering(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "index.sqlite", isolation_level=None)) as db:
        yield db


def problem(folder: Path) -> str:
    index = Index(folder / "index.sqlite", read_only=True)
    try:
        return audit.problem(*index.audit_log())
    finally:
        index.close()


def found_broken(folder: Path) -> list[int]:
    """Return the entries that a reader of its own finds broken."""
    return [entry.number for entry in audit_trail.found(folder) if not entry.intact]


def test_an_act_is_read_back_in_its_place(folder: Path) -> None:
    index = Index(folder / "index.sqlite")
    entries, count = index.audit_log()
    index.close()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert count == 5
    assert entries[2].act == Act("forward", "operator 2", "1.2.3", "A", "by hand", {"state": "x"}, {"state": "y"})
    assert sorted(entry.at for entry in entries) == [entry.at for entry in entries]
    assert (problem(folder), found_broken(folder)) == ("", [])
    assert [(entry.act, entry.who) for entry in audit_trail.found(folder)][4] == ("forward", "operator 4")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'me'",
        "UPDATE audit SET who = 'me' WHERE number = 3",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 5",
        "INSERT OR REPLACE INTO audit SELECT number, at, act, 'me', '', '', '', '{}', '{}', digest FROM audit",
        "INSERT INTO audit SELECT 9, at, act, who, '', '', '', '{}', '{}', digest FROM audit WHERE number = 1",
        "REPLACE INTO audit SELECT 5, at, act, 'me', '', '', '', '{}', '{}', digest FROM audit WHERE number = 5",
    ],
)
def test_the_table_takes_nothing_but_the_next_entry(
    folder: Path, tampering: sqlite3.Connection, statement: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="the audit log is append-only"):
        tampering.execute(statement)
    assert problem(folder) == ""


@pytest.mark.parametrize(
    ("statement", "words", "broken"),
    [
        *(
            (f"UPDATE audit SET {column} = '{value}' WHERE number = 3", "entry 3 was changed", [3])
            for column, value in {
                "at": "2020-01-01T00:00:00.000000Z",
                "act": "purge",
                "who": "me",
                "study_instance_uid": "1.9",
                "accession_number": "B",
                "why": "",
                "before": "{}",
                "after": '{"state": "z"}',
            }.items()
        ),
        ("UPDATE audit SET digest = 'x' WHERE number = 3", "entry 3 was changed", [3, 4]),
        ("DELETE FROM audit WHERE number = 3", "entry 3 is missing", [4, 5]),
        ("DELETE FROM audit WHERE number = 1", "entry 1 is missing", [2, 3, 4, 5]),
        ("DELETE FROM audit WHERE number > 3", "entries behind 3 are missing: there were 5", []),
        ("DELETE FROM audit", "entries behind 0 are missing: there were 5", []),
        ("UPDATE audit SET number = 9 WHERE number = 5", "entry 5 is missing", [9]),
    ],
)
def test_who_gets_round_the_triggers_is_found_out(
    folder: Path, tampering: sqlite3.Connection, statement: str, words: str, broken: list[int]
) -> None:
    for trigger in TRIGGERS:
        tampering.execute(f"DROP TRIGGER {trigger}")
    tampering.execute(statement)
    assert words in problem(folder)
    assert found_broken(folder) == broken


def test_an_act_and_what_it_does_are_one_transaction(folder: Path) -> None:
    index = Index(folder / "index.sqlite")
    study = StudyRow("1.2.3", "A", "rejected")
    event = StudyChanged(observer="gateway", study_instance_uid="1.2.3", accession_number="A", state="rejected")
    unwritable = Act("reject", who=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        index.change_study(study, event, act=unwritable)
    assert index.study("1.2.3") is None
    assert index.events() == ()
    assert len(index.audit_log()[0]) == 5
    index.close()


def test_what_differs_is_told_and_masked() -> None:
    before = StudyKeys("A", MajorKeys("A1234563", "CHAN^TAI MAM", "19700131", "F"))
    told = audit.changes(before, StudyKeys("A", KEYS), mask=True)
    assert told == ({"name": "C***^T***", "sex": "F"}, {"name": "C***^T***", "sex": "M"})
    full = audit.changes(before, StudyKeys("A", KEYS), mask=False)
    assert full == ({"name": "CHAN^TAI MAM", "sex": "F"}, {"name": "CHAN^TAI MAN", "sex": "M"})
    assert audit.changes(OrderKeys("A", KEYS), OrderKeys("A", KEYS, cancelled=True), mask=True) == (
        {"cancelled": "no"}, {"cancelled": "yes"},
    )  # fmt: skip
    assert set(audit.changes(None, OrderKeys("A", KEYS), mask=True)[1]) == {
        "accession", "hkid", "name", "birth-date", "sex", "cancelled",
    }  # fmt: skip


def test_masked_values_are_told_apart_by_their_marks(folder: Path) -> None:
    other = MajorKeys("A1234563", "CHAN^TAI MAM", "19700130", "M")
    for _ in range(2):  # the second time as after a restart
        index = Index(folder / "index.sqlite")
        for one, two in ((KEYS, other), (other, KEYS)):
            before, after = audit.changes(StudyKeys("A", one), StudyKeys("A", two), mask=True)
            index.record(Act("correct", before=before, after=after))
        log, count = index.audit_log()
        index.close()
        assert audit.problem(log, count) == ""
    first, back, again, _ = (entry.act for entry in log[-4:])
    assert first.before["name"].startswith("C***^T*** [")
    assert first.before["birth-date"].startswith("*** [")
    for name in ("name", "birth-date"):
        assert first.before[name] != first.after[name]
        assert (first.before[name], first.after[name]) == (back.after[name], back.before[name])
    assert (first.before, first.after) == (again.before, again.after)
    assert "CHAN" not in str(log)


def test_a_day_of_a_gateway(tmp_path: Path) -> None:
    order = an_order("a")
    with remote() as (_, port):
        site = a_site(unmatched="correct", forwarding={"destinations": [to(port)]})
        with running(tmp_path, site) as run:
            run.order(a_message(order))
            run.order(a_message(order, order_control="XO", patient_name="NEW^NAME"))
            study = a_study("a", lies=[LIES["empty-birth-date"], LIES["another-name"], LIES["empty-sex"]])
            run.store(*study.instances)
            run.await_state(study, "unmatched")
            run.order(a_message(order, order_control="XO", patient_birth_date="19991231"))
            other = a_study("b", lies=[LIES["another-sex"]])
            run.order(a_message(an_order("b")))
            run.store(*other.instances)
            run.await_state(other, "forwarded")
    index = Index(tmp_path / "index.sqlite", read_only=True)
    entries, count = index.audit_log()
    index.close()
    assert audit.problem(entries, count) == ""
    acts = [(entry.act.act, entry.act.why, entry.act.who) for entry in entries]
    placer = "HL7 RIS|FACILITY"
    assert acts == [
        ("start", "", "gateway"),
        ("order", "NW", placer),
        ("order", "XO", placer),
        ("order", "XO", placer),
        ("order", "NW", placer),
        ("correct", "unmatched: correct", "gateway"),
        ("stop", "", "gateway"),
    ]
    assert set(entries[0].act.after) == {"site", "configuration"}
    assert set(entries[2].act.before) == set(entries[2].act.after) == {"name"}
    assert set(entries[5].act.after) == {"sex"}


def test_the_configuration_has_a_fingerprint(tmp_path: Path) -> None:
    fingerprints = []
    for number, changes in enumerate(({}, {}, {"unmatched": "correct"})):
        with running(tmp_path / str(number), a_site(**changes)) as run:
            fingerprints.append(run.index.audit_log()[0][0].act.after["configuration"])
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
