"""The result of a run as one model: what `result.json` holds and every other report is made from.

The JSON schema of `Result` is in docs/schemas/result.schema.json (`simulate schema result`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

import simulator
from simulator.report import story
from simulator.report.steady import Steady
from simulator.scenario import requirements
from simulator.scenario.findings import Finding, Verdict, worst
from simulator.scenario.model import Scenario
from simulator.scenario.run import CaseOutcome, ScenarioOutcome

FORMAT = "ha-dicom-gateway-simulator/result/1"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckResult(_Shape):
    """One check. `expected` and `observed` are JSON; `because` says it in a sentence."""

    check: str
    verdict: Verdict
    expected: Any
    observed: Any
    because: str


class Step(_Shape):
    """One line of what happened, for the reader: when (seconds from the start), who saw it, what."""

    at: float
    observer: str
    text: str


class CaseResult(_Shape):
    """One case."""

    id: str
    verdict: Verdict
    seconds: float
    checks: tuple[CheckResult, ...]
    steps: tuple[Step, ...] = Field(description="What happened, instances of a kind drawn together.")


class RequirementResult(_Shape):
    """A requirement that the scenario verifies."""

    id: str
    source: str = Field(description="The slide by its title, or the standard by part and section.")
    text: str
    level: str = Field(description="How binding it is: `must`, `recommended` or `future`.")


class ScenarioResult(_Shape):
    """One scenario."""

    scenario: str
    title: str
    explain: str
    level: str
    tags: tuple[str, ...]
    verifies: tuple[RequirementResult, ...]
    verdict: Verdict
    cases: tuple[CaseResult, ...]


class Result(_Shape):
    """One run."""

    format: str = FORMAT
    name: str
    version: str
    started: str = Field(description="ISO 8601, UTC.")
    seconds: float
    seed: int = Field(description="Reproduces every byte that was sent.")
    site: str
    verdict: Verdict
    exit_code: int
    counts: dict[Verdict, int] = Field(description="Checks by verdict.")
    scenarios: tuple[ScenarioResult, ...]


EXIT_CODES: dict[Verdict, int] = {
    "error": 3,
    "fail": 1,
    "inconclusive": 3,
    "waived": 0,
    "not-applicable": 0,
    "pass": 0,
}
"""Exit code by the worst verdict: 1 something failed, 3 inconclusive or an error of the harness itself."""


def result(
    name: str, started: str, seconds: float, seed: int, site: str, outcomes: Sequence[ScenarioOutcome]
) -> Result:
    """Return the result of a run from what was seen and judged."""
    scenarios = tuple(_scenario(outcome) for outcome in outcomes)
    verdict = worst([scenario.verdict for scenario in scenarios])
    checks = [check.verdict for scenario in scenarios for case in scenario.cases for check in case.checks]
    return Result(
        name=name,
        version=simulator.__version__,
        started=started,
        seconds=round(seconds, 3),
        seed=seed,
        site=site,
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        counts={v: checks.count(v) for v in EXIT_CODES if v in checks},
        scenarios=scenarios,
    )


def _scenario(outcome: ScenarioOutcome) -> ScenarioResult:
    scenario: Scenario = outcome.scenario
    return ScenarioResult(
        scenario=scenario.name,
        title=scenario.title,
        explain=scenario.explain,
        level=scenario.level,
        tags=scenario.tags,
        verifies=tuple(_requirement(identifier) for identifier in scenario.verifies),
        verdict=outcome.verdict,
        cases=tuple(_case(case) for case in outcome.cases),
    )


def _requirement(identifier: str) -> RequirementResult:
    row = requirements.register()[identifier]
    return RequirementResult(id=row.id, source=row.source, text=row.text, level=row.level)


def _case(outcome: CaseOutcome) -> CaseResult:
    steady = Steady.of(outcome.history)
    return CaseResult(
        id=outcome.id,
        verdict=outcome.verdict,
        seconds=round(outcome.seconds, 3),
        checks=tuple(_check(finding, steady) for finding in outcome.findings),
        steps=tuple(Step(at=at, observer=who, text=steady.said(text)) for at, who, text in story.tell(outcome.history)),
    )


def _check(finding: Finding, steady: Steady) -> CheckResult:
    return CheckResult(
        check=finding.check,
        verdict=finding.verdict,
        expected=finding.expected,
        observed=steady.said(finding.observed),
        because=steady.said(finding.because),
    )
