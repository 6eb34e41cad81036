"""Programs that are forked instead of started: they end as others do, and nobody outlives who wanted them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.errors import HarnessError
from simulator.scenario.nursery import Nursery, Process, start_plainly
from tests.processes import DEADLINE, ROOT, await_end, environment

STAYS = "import os, signal; print('pid', os.getpid(), flush=True); signal.pause()"
RUNNER = """
import sys
from pathlib import Path
from simulator.scenario.nursery import Nursery
with Nursery(preloaded=()) as nursery:
    nursery.start([sys.executable, "-m", "timeit", "-n1", "-r1", sys.argv[1]], Path(sys.argv[2])).wait()
"""


def program(statement: str) -> list[str]:
    """Return the command of a module that does this."""
    return [sys.executable, "-m", "timeit", "-n1", "-r1", statement]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(preloaded=("json",)) as opened:
        yield opened


def pid_in(log: Path) -> int:
    """Return the process number that a program that stays has printed."""
    deadline = time.monotonic() + DEADLINE
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.005)  # no event tells of another process's file
    return int(log.read_text().split()[-1])


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (program("pass"), 0, "per loop"),
        ([sys.executable, "-m", "json.tool", "--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (program("1 / 0"), 1, "ZeroDivisionError"),
        (program("import os; os.kill(os.getpid(), 9)"), -signal.SIGKILL, ""),
    ],
)
def test_a_program_ends_as_it_would_by_itself(
    nursery: Nursery, tmp_path: Path, command: list[str], code: int, says: str
) -> None:
    plain, forked = tmp_path / "plain", tmp_path / "forked"
    assert start_plainly(command, plain).wait(DEADLINE) == code
    process = nursery.start(command, forked)
    assert process.wait(DEADLINE) == code
    assert process.wait(0) == code
    assert says in plain.read_text()
    assert says in forked.read_text()
    process.kill()  # of one that has ended: nothing happens, to nobody


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_the_program_it_is_for(nursery: Nursery, tmp_path: Path, number: signal.Signals) -> None:
    one, other = (nursery.start(program(STAYS), tmp_path / name) for name in ("one", "other"))
    pids = [pid_in(tmp_path / name) for name in ("one", "other")]
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    send: dict[signal.Signals, str] = {signal.SIGTERM: "terminate", signal.SIGKILL: "kill"}
    getattr(one, send[number])()
    assert one.wait(DEADLINE) == -number
    os.kill(pids[1], 0)  # the other one runs on
    other.kill()
    assert other.wait(DEADLINE) == -signal.SIGKILL


def test_what_is_forked_is_a_process_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    """It has no file of the nursery's or the runner's, the folder of who asked, and SIGTERM as it was."""
    statement = (
        "import os, signal; print(sorted(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)), "
        "[n for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}') and int(n) > 2], "
        "os.getcwd(), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "
        "signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)"
    )
    log = tmp_path / "log"
    assert nursery.start(program(statement), log).wait(DEADLINE) == 0
    outputs = sorted(["/dev/null", str(log), str(log)])
    assert log.read_text().splitlines()[0] == f"{outputs} [] {Path.cwd()} True True"


def test_a_runner_that_is_killed_leaves_nobody_standing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, STAYS, str(log)], cwd=ROOT, env=environment())
    pid = pid_in(log)
    runner.kill()
    runner.wait(DEADLINE)
    await_end(pid)


def test_a_nursery_that_is_killed_takes_its_programs_along_and_the_next_start_has_another(tmp_path: Path) -> None:
    with Nursery(preloaded=()) as nursery:
        process: Process = nursery.start(program(STAYS), tmp_path / "log")
        pid = pid_in(tmp_path / "log")
        os.kill(nursery.pid, signal.SIGKILL)
        with pytest.raises(HarnessError, match="the process that starts gateways ended"):
            process.wait(DEADLINE)
        await_end(pid)
        assert nursery.start(program("pass"), tmp_path / "again").wait(DEADLINE) == 0


def test_the_end_of_a_nursery_is_the_end_of_its_programs(tmp_path: Path) -> None:
    with Nursery(preloaded=()) as nursery:
        process = nursery.start(program(STAYS), tmp_path / "log")
        pid = pid_in(tmp_path / "log")
    await_end(pid)
    assert process.wait(DEADLINE) == -signal.SIGKILL


def test_what_cannot_be_imported_beforehand_is_left_to_the_programs(tmp_path: Path) -> None:
    with Nursery(preloaded=("no.such.module",)) as nursery:
        assert nursery.start(program("pass"), tmp_path / "log").wait(DEADLINE) == 0


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_nursery_that_ends_by_itself_says_why(
    unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Nursery(preloaded=("this",)) as nursery, pytest.raises(HarnessError, match="Beautiful is better than ugly"):
        nursery.start(program("import os, signal; os.kill(os.getppid(), 9)"), tmp_path / "log").wait(DEADLINE)


def test_an_interrupt_in_the_middle_of_a_start_holds_up_nobody(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(told: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(json, "dumps", interrupt)
        with pytest.raises(KeyboardInterrupt) as interrupted:  # whose traceback keeps what the start had in hand
            nursery.start(program("pass"), tmp_path / "log")
    assert nursery.start(program("pass"), tmp_path / "log").wait(DEADLINE) == 0
    assert interrupted.value.__traceback__ is not None


def test_a_nursery_that_nobody_asked_for_anything_ends_at_once() -> None:
    with Nursery() as nursery:
        process = nursery._process
    assert process is not None
    assert process.returncode == -signal.SIGKILL
