"""The whole story of a run: start everyone, do the steps, watch, stop, look, judge.

For each case: plan (pure) -> put up the remote SCPs and start the gateway, each on a free port (`stage`) -> do the
steps one by one (`steps`) -> wait until what is expected was seen, or nothing more happens (`waiting`) -> stop
everyone, and look at the gateway's folder -> check (pure). Only this module puts up a stage. Nothing sleeps: waits
are for events, and end when no event came for `PATIENCE` seconds.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.errors import SimulatorError
from simulator.events import Event, HarnessFailed, NotCarriedOut
from simulator.scenario import audit_trail, gateway_process, instance_files
from simulator.scenario.binding import Bindings, obstacles, of_case
from simulator.scenario.checks import check
from simulator.scenario.findings import Finding, Verdict, worst
from simulator.scenario.history import History, Recorder
from simulator.scenario.model import Case, Scenario
from simulator.scenario.model_steps import PlacedStep
from simulator.scenario.nursery import Nursery, Process, start_plainly
from simulator.scenario.plan import Picture, Plan, case_id, pictures, plan
from simulator.scenario.stage import Stage
from simulator.scenario.steps import Steps
from simulator.scenario.waiting import Waiting
from simulator.site import Site

PATIENCE = 20.0
"""Seconds without any event after which a wait is given up."""

PATIENCE_WITH_PEOPLE = 300.0
"""The same where a real system, and the person at it, has to do something."""

THUMBNAIL = 128
"""Pixels of the longer side of a picture in the report."""

_LAST_WRITES_SECONDS = 5.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is given: the seed, the site profile, a folder to work in, and how to start the gateway.

    bound: real systems by the role that they play (`binding`).
    """

    seed: int
    site: Site
    folder: Path
    gateway_command: Sequence[str] = gateway_process.COMMAND
    patience: float = PATIENCE
    bound: Bindings = field(default_factory=dict)
    nursery: Nursery | None = None

    def launch(self, options: Sequence[str], log: Path) -> Process:
        """Start a gateway: in the nursery, where there is one."""
        start = self.nursery.start if self.nursery is not None else start_plainly
        return start([*self.gateway_command, *options], log)


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A case that was run: what was seen, what it amounts to, how long it took in seconds, and what was sent."""

    id: str
    case: Case
    history: History
    findings: tuple[Finding, ...]
    seconds: float
    pictures: tuple[Picture, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its checks."""
        return worst([finding.verdict for finding in self.findings])


@dataclass(frozen=True, slots=True)
class ScenarioOutcome:
    """A scenario that was run, with all its cases."""

    scenario: Scenario
    cases: tuple[CaseOutcome, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its cases."""
        return worst([case.verdict for case in self.cases])


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to know how a run goes on: called as cases begin, as events come, and as cases end.

    `told`: with each case that has ended, in the order of the scenarios. `running`: side by side, with the ids of the
    cases that are under way. `asked`: what a person is to do at a real system. `before`: with the steps that are done
    next, as `Case.turns` has them; they are done when it returns.
    """

    begun: Callable[[Plan], None] = lambda _: None
    seen: Callable[[Event], None] = lambda _: None
    ended: Callable[[CaseOutcome], None] = lambda _: None
    told: Callable[[CaseOutcome], None] = lambda _: None
    running: Callable[[Sequence[str]], None] = lambda _: None
    asked: Callable[[str], None] = lambda _: None
    before: Callable[[Sequence[Sequence[PlacedStep]]], None] = lambda _: None


def run(scenarios: Sequence[Scenario], settings: Settings, listener: Listener | None = None) -> list[ScenarioOutcome]:
    """Run the scenarios one after the other, and judge them.

    A failure of the harness itself becomes the verdict `error` of its case and does not end the run.
    """
    told = listener or Listener()
    return [
        ScenarioOutcome(scenario, tuple(run_case(scenario, case, settings, told) for case in scenario.cases))
        for scenario in scenarios
    ]


def run_case(scenario: Scenario, case: Case, settings: Settings, listener: Listener) -> CaseOutcome:
    """Run one case in a folder of its own, and judge it; one that is not about the site's facility is not run."""
    started = time.monotonic()
    if inapplicable := _not_applicable(scenario, case, settings.site):
        listener.ended(inapplicable)
        listener.told(inapplicable)
        return inapplicable
    recorder = Recorder(case_id(scenario, case))
    recorder.watch(listener.seen)
    shown: tuple[Picture, ...] = ()
    try:
        planned = plan(scenario, case, settings.seed, settings.site)
        listener.begun(planned)
        if not _has_obstacles(settings.bound, case, recorder):
            recorder.observe(planned.event())
            _play(planned, settings, recorder, listener)
            shown = pictures(planned, THUMBNAIL)
    except SimulatorError as error:
        recorder.observe(HarnessFailed(observer="runner", problem=str(error)))
    except Exception as error:  # noqa: BLE001 - a mistake of ours is this case's error, and not the end of the run
        _LOG.exception("%s could not be carried out", case_id(scenario, case))
        recorder.observe(HarnessFailed(observer="runner", problem=f"{type(error).__name__}: {error}"))
    history = recorder.history()
    findings = check(case, history)
    outcome = CaseOutcome(history.case, case, history, findings, time.monotonic() - started, shown)
    listener.ended(outcome)
    listener.told(outcome)
    return outcome


def judged(scenarios: Sequence[Scenario], histories: Sequence[History], site: Site) -> list[ScenarioOutcome]:
    """Judge a run again by what was seen in it; pure. A case of which nothing was kept is an error.

    Its seconds are those from the first event of a case to the last.
    """
    by_case = {history.case: history for history in histories}

    def outcome(scenario: Scenario, case: Case) -> CaseOutcome:
        seen = by_case.get(case_id(scenario, case))
        if seen is None:
            return _not_applicable(scenario, case, site) or lost(scenario, case, "the history has nothing of this case")
        return CaseOutcome(seen.case, case, seen, check(case, seen), seen.seconds)

    return [ScenarioOutcome(each, tuple(outcome(each, case) for case in each.cases)) for each in scenarios]


def _not_applicable(scenario: Scenario, case: Case, site: Site) -> CaseOutcome | None:
    """Return the outcome of a case that is about another facility, with the reason; None for one that is about this."""
    lacking = [part for part in scenario.applies_to if part not in site.facility.does]
    if not lacking:
        return None
    because = f"the facility of site {site.site} does not do this: {', '.join(lacking)}"
    found = Finding("applies_to", "not-applicable", list(scenario.applies_to), list(site.facility.does), because)
    identity = case_id(scenario, case)
    return CaseOutcome(identity, case, History(identity, ()), (found,), 0.0)


def _has_obstacles(bound: Bindings, case: Case, recorder: Recorder) -> bool:
    """Note why the case cannot be carried out with the real systems of the run; tell whether there is a reason."""
    found = list(obstacles(bound, case))
    for reason in found:
        recorder.observe(NotCarriedOut(observer="runner", reason=reason))
    return bool(found)


def lost(scenario: Scenario, case: Case, problem: str) -> CaseOutcome:
    """Return the outcome of a case of which nobody could tell what was seen: an error."""
    failed = HarnessFailed(observer="runner", problem=problem)
    history = History(case_id(scenario, case), (failed,))
    return CaseOutcome(history.case, case, history, check(case, history), 0.0)


def _play(planned: Plan, settings: Settings, recorder: Recorder, listener: Listener) -> None:
    """Play one case, from the start of everyone to what lies in the gateway's folder afterwards."""
    waiting = Waiting(planned)
    recorder.watch(waiting.count)
    folder = settings.folder / _folder_name(planned.id)
    bound = of_case(settings.bound, planned.case)
    stage = Stage(planned, folder, settings.launch, recorder.observe, bound)
    stage.start()
    try:
        _note_pixels(planned, recorder)
        Steps(planned, stage, recorder, waiting, settings.patience, listener.asked, listener.before).do_all()
        recorder.wait_until(waiting.is_settled, settings.patience)
        if waiting.must_not_happen():
            recorder.watch_quietly(waiting.watch(), waiting.has_happened)
    finally:
        stage.stop()
        _look(stage.data, recorder)


def _note_pixels(planned: Plan, recorder: Recorder) -> None:
    """Note the pixels of each study whose samples are compared, as they are before they are compressed."""
    arrivals = planned.case.then.downstream.arrivals()
    for name in sorted({study for _, study, arrival in arrivals if arrival.pixel_values}):
        recorder.observe(planned.studies[name].pixels())


def _look(folder: Path, recorder: Recorder) -> None:
    """Observe what lies in the folder of a gateway that has stopped, and remove it."""
    for found in (*instance_files.found(folder), *audit_trail.found(folder)):
        recorder.observe(found)
    shutil.rmtree(folder, ignore_errors=True)


def forget(identity: str, folder: Path) -> None:
    """Remove what the gateway of a case kept that was cut off: nobody looks at it any more."""
    data, deadline = folder / _folder_name(identity) / "data", time.monotonic() + _LAST_WRITES_SECONDS
    while data.exists() and time.monotonic() < deadline:  # the gateway is being killed, and may write still
        shutil.rmtree(data, ignore_errors=True)


def _folder_name(identity: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in identity).strip("-")
