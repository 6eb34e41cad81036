"""Instances that wait for the index: found by whoever asks, written whole, and never lost to an index in trouble."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.gateway import backlog
from simulator.gateway.index import Index
from simulator.gateway.steps import Stored
from tests.gateway.test_index import STUDY, a_row, add, changed
from tests.wire.sockets import PATIENCE, no_thread_beside


def taken(number: int, *, was_held: bool = False) -> Stored:
    return Stored(a_row(number), was_held)


def indexed(file: Path) -> list[str]:
    """Return what another program finds in the file."""
    with sqlite3.connect(file) as other:
        found = [row[0] for row in other.execute("SELECT sop_instance_uid FROM instance ORDER BY rowid")]
    other.close()
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index whose backlog is written when it is asked for, not after a while."""
    monkeypatch.setattr(backlog, "_GATHER_SECONDS", 3600)
    before = set(threading.enumerate())
    opened = Index(file)
    add(opened, a_row(0))
    yield opened
    opened.close()
    assert no_thread_beside(before)


def test_what_waits_is_found_and_written_by_the_first_who_reads(index: Index, file: Path) -> None:
    index.add_later(taken(1))
    assert index.traces(a_row(1).sop_instance_uid) == (True, None)
    assert index.instance(a_row(1).sop_instance_uid) == a_row(1)
    assert index.ever_held("1.2") == 2
    assert indexed(file) == ["1.2.9.0", "1.2.9.1"]  # counted once, from the file
    index.add_later(taken(2))
    assert index.ever_held("1.2") == 3
    assert indexed(file) == ["1.2.9.0", "1.2.9.1"]
    assert index.instances("1.2") == (a_row(0), a_row(1), a_row(2))
    assert indexed(file) == ["1.2.9.0", "1.2.9.1", "1.2.9.2"]


def test_a_change_comes_behind_what_waits(index: Index) -> None:
    index.add_later(taken(1))
    index.change_study(replace(STUDY, state="matched"), changed(STUDY))
    told = [event["event"] for _, event in index.events()]
    assert told == ["InstanceStored", "InstanceStored", "StudyChanged"]


def test_the_moment_of_the_event_is_when_the_instance_came(index: Index) -> None:
    one = taken(1)
    index.add_later(one)
    index.add_later(taken(2))
    moments = {event["sop_instance_uid"]: event["at"] for _, event in index.events()}
    assert moments["1.2.9.1"] == one.at


def test_it_is_written_after_a_while_without_anybody_asking(file: Path) -> None:
    index = Index(file)
    add(index, a_row(0))
    written = threading.Event()
    index.watch(lambda error: None if error else written.set())
    index.add_later(taken(1))
    assert written.wait(PATIENCE)
    index.close()
    assert indexed(file) == ["1.2.9.0", "1.2.9.1"]


def test_what_waits_is_written_at_the_end(file: Path, index: Index) -> None:
    index.add_later(taken(1))
    index.close()
    assert indexed(file) == ["1.2.9.0", "1.2.9.1"]


def test_too_much_does_not_wait(index: Index, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_MOST", 2)
    for number in (1, 2):
        index.add_later(taken(number))
    assert indexed(file) == ["1.2.9.0"]
    index.add_later(taken(3))
    assert indexed(file) == [f"1.2.9.{number}" for number in range(4)]


def test_what_the_index_does_not_take_goes_on_waiting_and_the_next_is_refused(
    index: Index, file: Path, tmp_path: Path
) -> None:
    index._db.execute("PRAGMA busy_timeout = 1")
    index.add_later(taken(1))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        index.instances("1.2")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        index.add_later(taken(2))
    assert index.instance(a_row(1).sop_instance_uid) == a_row(1)
    assert index.instance(a_row(2).sop_instance_uid) is None
    other.execute("ROLLBACK")
    other.close()
    index.add_later(taken(2))
    assert indexed(file) == ["1.2.9.0", "1.2.9.1", "1.2.9.2"]
    assert index.ever_held("1.2") == 3


def test_one_that_was_purged_counts_once(index: Index) -> None:
    with index.transaction(()) as db:
        db.execute("INSERT INTO purged_instance VALUES ('1.2.9.7', '1.2', 'digest')")
    assert index.ever_held("1.2") == 2
    assert index.traces("1.2.9.7") == (False, "digest")
    index.add_later(taken(7, was_held=True))
    assert index.ever_held("1.2") == 2
    index.lose([a_row(7)])
    assert index.ever_held("1.2") == 2


@pytest.mark.parametrize("where", ["clear", "wait"])
def test_a_stop_in_the_middle_of_a_turn_ends_it(where: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(file)
    add(index, a_row(0))
    waiting = index._backlog
    turn = getattr(waiting._work, where)

    def stopped_meanwhile() -> None:
        waiting._stop.set()
        waiting._work.set()
        turn()

    monkeypatch.setattr(waiting._work, where, stopped_meanwhile)
    index.add_later(taken(1))
    thread = waiting._thread
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()
    index.close()
    assert indexed(file) == ["1.2.9.0", "1.2.9.1"]


def test_who_followed_and_is_gone_holds_up_nothing(index: Index) -> None:
    loop = asyncio.new_event_loop()
    following = index.follow()
    assert loop.run_until_complete(anext(following))[1]["event"] == "InstanceStored"
    loop.close()  # without a word, as a reader's loop does that dies
    index.add_later(taken(1))
    assert [row.sop_instance_uid for row in index.instances("1.2")] == ["1.2.9.0", "1.2.9.1"]
    index.add_later(taken(2))
    assert [row.sop_instance_uid for row in index.instances("1.2")] == ["1.2.9.0", "1.2.9.1", "1.2.9.2"]
