"""Runs what a command chose: puts the run's folder up, runs, judges, reports, and returns the exit code."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli import terminal
from simulator.errors import HarnessError, StartError, UsageError

if TYPE_CHECKING:
    from simulator.cli.stepping import Stepper
    from simulator.report.html import Tile
    from simulator.report.screen import Screen
    from simulator.scenario.binding import Bindings
    from simulator.scenario.model import Scenario
    from simulator.scenario.nursery import Nursery
    from simulator.scenario.run import CaseOutcome, ScenarioOutcome, Settings
    from simulator.site import Site


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be run, and how.

    name: of the run's folder, which is made below `reports`. workers: cases side by side; 1 runs them in this
    process. bound: real systems by their roles. origins: where the files of scenarios stand that are run from copies.
    by_step: a person presses Enter before each step. as_json: print result.json in place of the screen.
    """

    name: str
    scenarios: tuple[Scenario, ...]
    seed: int
    site: Site
    reports: Path
    workers: int = 1
    bound: Bindings = field(default_factory=dict)
    origins: Mapping[str, Path] = field(default_factory=dict)
    by_step: bool = False
    as_json: bool = False


@contextmanager
def nursery(workers: int) -> Iterator[Nursery | None]:
    """Begin to prepare for the start of gateways, while it is still made out what is run. SIGTERM is like Ctrl-C.

    Of workers side by side each has a nursery of its own. Raises `HarnessError` when it is interrupted.
    """
    from simulator.scenario.nursery import Nursery

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Nursery() if workers == 1 else nullcontext() as gateways:
            yield gateways
    except KeyboardInterrupt:
        raise HarnessError("interrupted: this run has no result") from None


def perform(chosen: Chosen, gateways: Nursery | None) -> int:
    """Run, judge and report; return the exit code. `gateways`: what `nursery` gave."""
    from simulator.cli.stepping import Stepper
    from simulator.events import now
    from simulator.report import files, model, screen
    from simulator.scenario import saved
    from simulator.scenario.run import PATIENCE, PATIENCE_WITH_PEOPLE, Settings

    started, clock = now(), time.monotonic()
    console = terminal.err if chosen.as_json else terminal.out
    stepper = Stepper(console) if chosen.by_step else None
    try:
        folder = files.run_folder(chosen.reports, chosen.name, started)
        saved.keep(folder, chosen.name, chosen.seed, chosen.site, chosen.scenarios, chosen.bound, chosen.origins)
    except OSError as error:
        raise StartError(
            f"reports cannot be written to {chosen.reports}: {error.strerror}", "choose a --reports DIR"
        ) from error
    log_to(folder / "runner.log")
    with screen.Screen(console) as face:
        face.start(chosen.name, chosen.seed, sum(len(scenario.cases) for scenario in chosen.scenarios))
        settings = Settings(
            seed=chosen.seed,
            site=chosen.site,
            folder=folder / "cases",
            patience=PATIENCE_WITH_PEOPLE if chosen.bound else PATIENCE,
            bound=chosen.bound,
            nursery=gateways,
        )
        try:
            outcomes = _run(chosen, settings, face, folder, started, stepper)
        except KeyboardInterrupt:
            raise HarnessError(
                "interrupted: this run has no result",
                f"what was seen until then is in {folder / 'history.jsonl'}; again: simulate replay {folder}",
            ) from None
    result = model.result(chosen.name, started, time.monotonic() - clock, chosen.seed, chosen.site.site, outcomes)
    files.write(folder, result, _sheet(outcomes))
    files.point_latest(chosen.reports, folder)
    face.end(result, folder)
    if chosen.as_json:
        terminal.print_json(result.model_dump(mode="json"))
    return result.exit_code


def refuse_workers(workers: int, bound: bool) -> None:
    """Refuse cases side by side with real systems: they do one thing after the other, as the person at them does."""
    if bound and workers > 1:
        raise UsageError("-j runs cases side by side, and a real system plays in one at a time", "leave -j out")


def log_to(file: Path) -> None:
    """Have what peers and libraries say in the log stand in a file, not across the progress of the run."""
    shown = logging.FileHandler(file, encoding="utf-8", delay=True)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[shown], force=True)
    logging.captureWarnings(True)


def _run(
    chosen: Chosen, settings: Settings, face: Screen, folder: Path, started: str, stepper: Stepper | None
) -> list[ScenarioOutcome]:
    """Run the scenarios; each case's history is on disk when it ends."""
    from simulator.scenario import history, run, workers

    header = {"name": chosen.name, "started": started, "seed": chosen.seed}
    with history.Writer(folder / "history.jsonl", header) as writer:

        def ended(outcome: CaseOutcome) -> None:
            writer.append(outcome.history)
            face.ended(outcome)
            if stepper is not None:
                stepper.tell()

        listener = run.Listener(face.begun, face.seen, ended, face.told, face.running, face.asked)
        if stepper is not None:
            listener = replace(listener, begun=stepper.begun, seen=stepper.seen, before=stepper.before)
        if chosen.workers > 1:
            prepare = partial(log_to, folder / "runner.log")
            return workers.run(chosen.scenarios, settings, chosen.workers, listener, prepare)
        return run.run(chosen.scenarios, settings, listener)


def _sheet(outcomes: list[ScenarioOutcome]) -> list[Tile]:
    from simulator.report.html import Tile

    return [Tile(case.id, picture) for outcome in outcomes for case in outcome.cases for picture in case.pictures]
