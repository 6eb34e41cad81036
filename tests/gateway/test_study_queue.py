from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from simulator.gateway import study_queue
from simulator.gateway.study_queue import StudyQueue
from tests.wire.sockets import PATIENCE


@contextmanager
def working(act: Callable[[str], object], delay: float = 0.0) -> Iterator[StudyQueue]:
    def acted(study: str) -> None:
        act(study)

    studies = StudyQueue("tests", acted, delay)
    studies.start()
    try:
        yield studies
    finally:
        studies.stop()


def test_a_study_is_due_once() -> None:
    done: queue.Queue[str] = queue.Queue()
    with working(done.put) as studies:
        for study in ("one", "two"):
            studies.hasten(study)
            assert done.get(timeout=PATIENCE) == study
    assert done.empty()


def test_a_postponed_study_is_due_after_the_quiet_period() -> None:
    done: queue.Queue[float] = queue.Queue()
    with working(lambda _: done.put(time.monotonic()), 0.2) as studies:
        started = time.monotonic()
        studies.postpone("one")
        assert done.get(timeout=PATIENCE) - started >= 0.2


def test_each_postponement_starts_the_quiet_period_anew() -> None:
    done: queue.Queue[float] = queue.Queue()
    with working(lambda _: done.put(time.monotonic()), 0.6) as studies:
        for _ in range(16):
            studies.postpone("one")
            with pytest.raises(queue.Empty):
                done.get(timeout=0.05)
        last = time.monotonic()
        assert done.get(timeout=PATIENCE) - last >= 0.5
    assert done.empty()


def test_to_hasten_a_postponed_study_changes_nothing() -> None:
    done: queue.Queue[float] = queue.Queue()
    with working(lambda _: done.put(time.monotonic()), 0.2) as studies:
        started = time.monotonic()
        studies.postpone("one")
        studies.hasten("one")
        assert done.get(timeout=PATIENCE) - started >= 0.2
    assert done.empty()


def test_studies_are_worked_on_one_after_the_other() -> None:
    busy = threading.Lock()
    done: queue.Queue[bool] = queue.Queue()

    def act(_: str) -> None:
        alone = busy.acquire(blocking=False)
        done.put(alone)
        if alone:
            busy.release()

    with working(act) as studies:
        for number in range(50):
            studies.hasten(str(number))
        assert [done.get(timeout=PATIENCE) for _ in range(50)] == [True] * 50


def test_a_study_that_fails_holds_up_no_other() -> None:
    done: queue.Queue[str] = queue.Queue()

    def act(study: str) -> None:
        done.put(study)
        if study == "bad":
            raise RuntimeError("a bug")

    with working(act) as studies:
        studies.hasten("bad")
        assert done.get(timeout=PATIENCE) == "bad"
        studies.hasten("good")
        assert done.get(timeout=PATIENCE) == "good"


def test_a_stop_finishes_the_study_in_hand_and_begins_no_other() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def act(study: str) -> None:
        begun.set()
        go_on.wait(PATIENCE)
        done.append(study)

    with working(act) as studies:
        studies.hasten("one")
        assert begun.wait(PATIENCE)
        studies.hasten("two")
        stopping = threading.Thread(target=studies.stop)
        stopping.start()
        go_on.set()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
    assert done == ["one"]


def test_a_stop_does_not_wait_for_what_is_postponed() -> None:
    done: list[str] = []
    started = time.monotonic()
    with working(done.append, 3600) as studies:
        studies.postpone("one")
    assert time.monotonic() - started < PATIENCE
    assert done == []


def test_a_study_that_fails_is_tried_again_until_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_queue, "_RETRY_AFTER", 0.05)
    tried: queue.Queue[float] = queue.Queue()

    def act(_: str) -> None:
        tried.put(time.monotonic())
        if tries < 3:
            raise ValueError("the index is locked")

    with working(act) as studies:
        tries = 1
        studies.hasten("one")
        first = tried.get(timeout=PATIENCE)
        tries = 2
        second = tried.get(timeout=PATIENCE)
        tries = 3
        third = tried.get(timeout=PATIENCE)
        assert second - first >= 0.05
        assert third - second >= 0.1
        with pytest.raises(queue.Empty):
            tried.get(timeout=0.4)
