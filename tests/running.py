"""Runs a case of the catalogue in a folder of its own, for tests of scenarios and of wrong gateways."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from simulator.scenario import load
from simulator.scenario.binding import Bindings
from simulator.scenario.gateway_process import COMMAND
from simulator.scenario.history import History, Writer
from simulator.scenario.model import Case, Scenario
from simulator.scenario.nursery import PRELOADED, Nursery
from simulator.scenario.plan import case_id
from simulator.scenario.run import CaseOutcome, Listener, Settings, run_case
from simulator.site import Site

SEED = 20100901
IMPOSTOR = (sys.executable, "-m", "tests.impostors")


@cache
def _nursery() -> Nursery:
    """Return the one nursery of these tests; it ends with their process."""
    return Nursery(preloaded=(*PRELOADED, "tests.impostors"))


def catalogue() -> list[tuple[Scenario, Case]]:
    return [(scenario, case) for scenario in load.everything() for case in scenario.cases]


def named(identity: str) -> tuple[Scenario, Case]:
    return next((scenario, case) for scenario, case in catalogue() if case_id(scenario, case) == identity)


def run(
    scenario: Scenario,
    case: Case,
    folder: Path,
    *,
    command: Sequence[str] = COMMAND,
    patience: float = 20.0,
    site: Site | None = None,
    bound: Bindings = MappingProxyType({}),
    asked: Callable[[str], None] = lambda _: None,
) -> CaseOutcome:
    settings = Settings(
        seed=SEED,
        site=site or Site(),
        folder=folder,
        gateway_command=command,
        patience=patience,
        bound=bound,
        nursery=_nursery(),
    )
    return run_case(scenario, case, settings, Listener(asked=asked))


def failures(outcome: CaseOutcome) -> dict[str, tuple[object, object]]:
    """Return expected and observed of every check that did not pass, by its id."""
    return {f.check: (f.expected, f.observed) for f in outcome.findings if f.verdict != "pass"}


def save(file: Path, histories: Sequence[History], header: Mapping[str, Any]) -> None:
    """Write the histories of a run that came to its end."""
    with Writer(file, header) as writer:
        for history in histories:
            writer.append(history)
