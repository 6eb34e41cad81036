"""Looks at each case of the catalogue that passed. It stands here since `tests/conftest.py` would not see `scenarios/`.

Its history says the same when it is saved and read again, and each expectation in it can fail.
"""

from __future__ import annotations

import signal

from simulator.pytest_plugin import ScenarioItem
from simulator.scenario import history
from simulator.scenario.checks import check
from simulator.scenario.run import CaseOutcome
from tests.perturbation import broken_expectations


def pytest_configure() -> None:
    """Have Ctrl-C mean something again where a shell has put the tests into the background: tests interrupt runs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_simulate_outcome(item: ScenarioItem, outcome: CaseOutcome) -> None:
    """Judge the saved history again, and then with each expectation broken in turn: exactly its check goes red."""
    assert item.folder is not None
    _, (again,) = history.read(item.folder / "history.jsonl")
    assert check(item.case, again) == outcome.findings
    broken = 0
    for expectation, broken_case in broken_expectations(item.case):
        red = [finding.check for finding in check(broken_case, again) if finding.verdict == "fail"]
        assert red == [expectation]
        broken += 1
    assert broken > 0
