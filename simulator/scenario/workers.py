"""Runs cases side by side, each in one of several worker processes, with its own ports and its own folder.

Processes and not threads, since whoever plays in a case is busy in Python. A worker is given one case at a time and
gives back its outcome. One that dies makes its case an `error`, and another takes its place. A worker whose runner is
gone ends at once, and with it its nursery and its gateway.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process

from simulator.scenario.model import Case, Scenario
from simulator.scenario.nursery import Nursery
from simulator.scenario.plan import case_id
from simulator.scenario.run import CaseOutcome, Listener, ScenarioOutcome, Settings, forget, lost, run_case

_STOP_SECONDS = 30.0
_GONE = 3  # the exit code of a worker without a runner, which nobody reads


def run(
    scenarios: Sequence[Scenario],
    settings: Settings,
    count: int,
    listener: Listener,
    prepare: Callable[[], object] = bool,
) -> list[ScenarioOutcome]:
    """Run the scenarios with `count` workers; return the outcomes in the order of the scenarios.

    prepare: called in each worker before its first case; it must be one that can be pickled. What is seen stays in
    the worker until the case has ended, so `listener.begun` and `listener.seen` are not called.
    """
    cases = [(scenario, case) for scenario in scenarios for case in scenario.cases]
    tasks = [_Task(number, *entry) for number, entry in enumerate(cases)]
    ended: dict[int, CaseOutcome] = {}
    told = 0
    with _Crew(min(count, len(tasks)), settings, prepare) as crew:
        for number, outcome in crew.outcomes(tasks, listener.running):
            ended[number] = outcome
            listener.ended(outcome)
            while told in ended:
                listener.told(ended[told])
                told += 1
    outcomes = iter(ended[number] for number in range(len(tasks)))
    return [ScenarioOutcome(each, tuple(islice(outcomes, len(each.cases)))) for each in scenarios]


@dataclass(frozen=True, slots=True)
class _Task:
    """One case to run, and where it stands among all that are."""

    number: int
    scenario: Scenario
    case: Case

    @property
    def id(self) -> str:
        return case_id(self.scenario, self.case)


class _Crew:
    """The workers of a run. A context manager; its end is theirs."""

    def __init__(self, count: int, settings: Settings, prepare: Callable[[], object]) -> None:
        self._count = count
        self._folder = settings.folder
        self._another = partial(_Worker, settings, prepare)
        self._workers: list[_Worker] = []

    def __enter__(self) -> _Crew:
        try:
            for _ in range(self._count):
                self._workers.append(self._another())
        except BaseException:  # an interrupt too must leave no process behind
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.await_end()
            if worker.task is not None:
                forget(worker.task.id, self._folder)

    def outcomes(
        self, tasks: Sequence[_Task], running: Callable[[Sequence[str]], None]
    ) -> Iterator[tuple[int, CaseOutcome]]:
        """Yield the number of each task with its outcome, as they end; `running` hears which are under way."""
        waiting = deque(tasks)
        while True:
            for place in range(len(self._workers)):
                if waiting and self._workers[place].task is None:
                    self._able(place).give(waiting.popleft())
            busy = {worker.line: worker.task for worker in self._workers if worker.task is not None}
            if not busy:
                return
            running([task.id for task in busy.values()])
            ready = wait(list(busy))
            for worker in self._workers:
                if worker.line in ready:
                    yield busy[worker.line].number, worker.outcome()

    def _able(self, place: int) -> _Worker:
        """Return the worker at this place, or another in place of one that died."""
        if not self._workers[place].lives:
            self._workers[place] = self._another()
        return self._workers[place]


class _Worker:
    """One process, and the task it is at; None while it waits for one."""

    def __init__(self, settings: Settings, prepare: Callable[[], object]) -> None:
        # Not forked: the runner's libraries have threads.
        spawning = multiprocessing.get_context("spawn")
        self.line, theirs = spawning.Pipe()
        self.task: _Task | None = None
        self._process: BaseProcess = spawning.Process(target=_work, args=(theirs, settings, prepare))
        self._process.start()
        theirs.close()

    @property
    def lives(self) -> bool:
        return self._process.is_alive()

    def give(self, task: _Task) -> None:
        """Have it run a case."""
        self.task = task
        try:
            self.line.send((task.scenario, task.case))
        except OSError:
            return  # it has died, as `outcome` tells

    def outcome(self) -> CaseOutcome:
        """Return what came of its task: an error when the process died over it."""
        assert self.task is not None
        task, self.task = self.task, None
        try:
            outcome: CaseOutcome = self.line.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_SECONDS)
            return lost(task.scenario, task.case, f"the worker process ended with code {self._process.exitcode}")
        return outcome

    def dismiss(self) -> None:
        """Tell it to end; over a case it ends at once, and its nursery and its gateway with it."""
        self.line.close()
        if self.task is not None:
            self._process.terminate()

    def await_end(self) -> None:
        """Wait for its end."""
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


# --- in a worker ---------------------------------------------------------------------------------------


def _work(line: Connection, settings: Settings, prepare: Callable[[], object]) -> None:
    """Run case after case until the line ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner says what it means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at once: nobody wants to know any more what came of the case
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    prepare()
    try:
        with Nursery() as nursery:
            here = replace(settings, nursery=nursery)
            while True:
                scenario, case = line.recv()
                line.send(run_case(scenario, case, here, Listener()))
    except (EOFError, BrokenPipeError):
        return


def _end_with_the_runner() -> None:
    runner = parent_process()
    assert runner is not None
    runner.join()
    os._exit(_GONE)
