"""Cases side by side: in processes of their own, told in their order, and never passed when a worker is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from simulator.scenario import load, workers
from simulator.scenario.run import CaseOutcome, Listener, Settings
from simulator.site import Site
from tests import running
from tests.processes import await_end

pytestmark = pytest.mark.scenario


def settings(folder: Path) -> Settings:
    return Settings(seed=running.SEED, site=Site(), folder=folder)


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Watcher:
    """Notes what a run tells as it goes on."""

    def __init__(self) -> None:
        self.most = 0
        self.ended: list[str] = []
        self.told: list[str] = []

    def running(self, cases: Sequence[str]) -> None:
        self.most = max(self.most, len(cases))

    def listener(self) -> Listener:
        return Listener(
            ended=lambda outcome: self.ended.append(outcome.id),
            told=lambda outcome: self.told.append(outcome.id),
            running=self.running,
        )


def test_cases_side_by_side_pass_and_are_told_in_their_order(tmp_path: Path) -> None:
    scenarios = [load.named("access-control"), load.named("echo"), load.named("unmatched")]
    watcher = Watcher()
    outcomes = workers.run(scenarios, settings(tmp_path), 3, watcher.listener())
    assert watcher.most == 3
    assert [outcome.scenario.name for outcome in outcomes] == ["access-control", "echo", "unmatched"]
    ids = [case.id for outcome in outcomes for case in outcome.cases]
    assert len(ids) == 16
    assert watcher.told == ids
    assert sorted(watcher.ended) == sorted(ids)
    assert {case.verdict for outcome in outcomes for case in outcome.cases} == {"pass"}
    pids = {
        path: int(path.read_text().partition('"pid":')[2].partition(",")[0]) for path in tmp_path.rglob("ready.json")
    }
    assert len(set(pids.values())) == 16
    for pid in pids.values():
        await_end(pid)


def test_a_worker_that_dies_is_an_error_of_its_case_and_of_no_other(tmp_path: Path) -> None:
    """Every worker is killed before its first case; each case has another one, and none of them passes or fails."""
    [outcome] = workers.run([load.named("unmatched")], settings(tmp_path), 2, Listener(), kill_oneself)
    for case in outcome.cases:
        assert [(finding.check, finding.verdict) for finding in case.findings] == [("harness", "error")]
        assert "the worker process ended with code -9" in case.findings[0].because


def test_what_came_before_a_worker_died_stays(tmp_path: Path) -> None:
    kept: list[CaseOutcome] = []

    def kill_the_gateway_and_its_worker(cases: Sequence[str]) -> None:
        """Kill the worker at the third case, by the parent of its nursery."""
        if cases == ["unmatched[birth-date]"]:
            os.kill(worker_of_this_process(), signal.SIGKILL)

    listener = Listener(ended=kept.append, running=kill_the_gateway_and_its_worker)
    [outcome] = workers.run([load.named("unmatched")], settings(tmp_path), 1, listener)
    assert [case.verdict for case in outcome.cases] == ["pass", "pass", "error", "pass", "pass", "pass"]
    assert [case.id for case in kept] == [case.id for case in outcome.cases]


def worker_of_this_process() -> int:
    """Return the number of the child that is a worker: `multiprocessing` starts it with this module's parent."""
    [worker] = multiprocessing.active_children()
    assert worker.pid is not None
    return worker.pid
