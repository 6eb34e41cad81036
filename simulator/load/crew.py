"""The processes that play modalities: started, told when to begin, listened to, and ended; nobody is left standing.

Processes and not threads, since a modality is busy in Python. A process whose runner is gone ends at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Literal

from simulator.errors import HarnessError
from simulator.load.modality import Assignment, Sender
from simulator.load.tally import Tally

_STOP_SECONDS = 6.0
_GONE = 3  # the exit code of a process without a runner, which nobody reads


@dataclass(frozen=True, slots=True)
class Ready:
    """The pictures of a modality are made."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A modality begins to wait for the order of a study, by its number."""

    study: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a modality found in one tick of its clock."""

    tick: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Ended:
    """A modality has done what it was to do. problem: what our own error was, if that ended it."""

    problem: str = ""


Report = Ready | Begun | Told | Ended
_Word = Literal["go", "stop"] | int
"""What the runner says: begin; end soon; so many orders were acknowledged."""


class Crew:
    """The modalities of a run. A context manager; its end is theirs."""

    def __init__(self, assignments: Sequence[Assignment], *, with_orders: bool) -> None:
        """Prepare. with_orders: a modality sends a study only after it was told that the order was acknowledged."""
        self._assignments = assignments
        self._with_orders = with_orders
        self._members: list[_Member] = []

    def __enter__(self) -> Crew:
        try:
            for each in self._assignments:
                self._members.append(_Member(each, with_orders=self._with_orders))
        except BaseException:  # an interrupt too must leave no process behind
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.dismiss()
        deadline = time.monotonic() + _STOP_SECONDS
        for member in self._members:
            member.await_end(max(0.0, deadline - time.monotonic()))

    def await_ready(self) -> None:
        """Return once all pictures are made. Raises `HarnessError` when they cannot be."""
        waiting = set(range(len(self._members)))
        while waiting:
            for number, report in self.reports(None):
                if isinstance(report, Ended):
                    raise HarnessError(f"modality {number + 1}: {report.problem}")
                waiting.discard(number)

    def begin(self) -> None:
        """Have all of them send, from now on."""
        for member in self._members:
            member.say("go")

    def stop(self) -> None:
        """Have all of them end soon."""
        for member in self._members:
            member.say("stop")

    def ordered(self, number: int, count: int) -> None:
        """Tell a modality that the orders of its first `count` studies were acknowledged; from any thread."""
        self._members[number].say(count)

    @property
    def is_busy(self) -> bool:
        """Whether any of them has not ended."""
        return any(not member.has_ended for member in self._members)

    def reports(self, seconds: float | None) -> Iterator[tuple[int, Report]]:
        """Yield what they tell within so many seconds (None: until one tells), with the number of who tells it."""
        lines = {member.line: number for number, member in enumerate(self._members) if not member.has_ended}
        for line in wait(list(lines), seconds):
            number = lines[line]  # type: ignore[index] # `wait` returns what it was given
            yield number, self._members[number].report()


class _Member:
    """One process that plays a modality."""

    def __init__(self, assignment: Assignment, *, with_orders: bool) -> None:
        # Not forked: the runner's libraries have threads.
        spawning = multiprocessing.get_context("spawn")
        self.line, theirs = spawning.Pipe()
        self.has_ended = False
        self._saying = threading.Lock()
        self._process: BaseProcess = spawning.Process(target=_work, args=(theirs, assignment, with_orders))
        self._process.start()
        theirs.close()

    def say(self, word: _Word) -> None:
        """Say something, from any thread; one that has ended does not hear it."""
        with self._saying:
            try:
                self.line.send(word)
            except OSError:
                return

    def report(self) -> Report:
        """Return what it tells next; that it has ended, when it died."""
        try:
            report: Report = self.line.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_SECONDS)
            report = Ended(f"the process ended with code {self._process.exitcode}")
        self.has_ended = isinstance(report, Ended)
        return report

    def dismiss(self) -> None:
        """Close the line, and end the process unless it has said that it does so itself."""
        self.line.close()
        if not self.has_ended:
            self._process.terminate()

    def await_end(self, seconds: float) -> None:
        """Wait for its end, which is forced after so many seconds."""
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


# --- in the process of a modality ----------------------------------------------------------------------


class _Part:
    """What one process does between its runner and its modality."""

    def __init__(self, line: Connection, assignment: Assignment, *, with_orders: bool) -> None:
        self._line = line
        self._with_orders = with_orders
        self._news = threading.Condition()
        self._ordered = 0
        self._may_begin = self._is_stopped = False
        self._sender = Sender(assignment, self._tell, self._await_order)

    def play(self) -> None:
        """Wait for the word to begin, and send."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._line.send(Ready())
        with self._news:
            self._news.wait_for(lambda: self._may_begin or self._is_stopped)
        if not self._is_stopped:
            self._sender.run()

    def _listen(self) -> None:
        while True:
            try:
                word: _Word = self._line.recv()
            except (EOFError, OSError):
                os._exit(_GONE)  # the runner is not interested any more
            with self._news:
                if isinstance(word, int):
                    self._ordered = word
                self._may_begin |= word == "go"
                self._is_stopped |= word == "stop"
                self._news.notify_all()
            if word == "stop":
                self._sender.stop()

    def _await_order(self, study: int, seconds: float | None) -> bool:
        if not self._with_orders:
            return not self._is_stopped
        self._line.send(Begun(study))
        with self._news:
            self._news.wait_for(lambda: self._ordered > study or self._is_stopped, seconds)
            return self._ordered > study and not self._is_stopped

    def _tell(self, tick: int, tally: Tally) -> None:
        self._line.send(Told(tick, tally))


def _work(line: Connection, assignment: Assignment, with_orders: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner says what it means
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    problem = ""
    try:
        _Part(line, assignment, with_orders=with_orders).play()
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - it must be told, and charged to nobody else
        problem = f"{type(error).__name__}: {error}"
    line.send(Ended(problem))


def _end_with_the_runner() -> None:
    runner = parent_process()
    assert runner is not None
    runner.join()
    os._exit(_GONE)
