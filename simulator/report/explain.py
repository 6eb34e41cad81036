"""What an id means, who mends it and where: from the register, the catalogue and `fixtures/explanations.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from simulator import resources, strict_yaml
from simulator.errors import UsageError
from simulator.scenario import load, requirements
from simulator.scenario.model import Scenario
from simulator.scenario.plan import case_id
from simulator.strict_yaml import nearest

FILE_NAME = "explanations.yaml"


class _Written(BaseModel):
    """An entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    means: str
    mend: str = ""
    see: str = ""


class Explanation(_Written):
    """What `id` means, of which kind it is, who mends it and where, and how to see that it is mended."""

    id: str


def everything() -> tuple[Explanation, ...]:
    """Return every explanation. Raises `LoadError` for a file that does not load."""
    return (*_written(), *_requirements(), *_scenarios())


def explanations(identifier: str, known: Sequence[Explanation] | None = None) -> tuple[Explanation, ...]:
    """Return all that `identifier` means (`unmatched`: a state, a scenario) among what is `known`, else `everything`.

    Raises `UsageError` with near misses.
    """
    known = everything() if known is None else known
    found = tuple(each for each in known if each.id == identifier)
    if not found:
        advice = nearest(identifier, [each.id for each in known]) or "`simulate explain --list` shows every id"
        raise UsageError(f"nothing is called {identifier!r}", advice)
    return found


def _written() -> Iterator[Explanation]:
    file = resources.folder("fixtures", FILE_NAME) / FILE_NAME
    document = strict_yaml.read(file)
    for identifier in document:
        written = strict_yaml.validate(_Written, document[identifier], file, [(document, (identifier,))])
        yield Explanation(id=str(identifier), **written.model_dump())


def _requirements() -> Iterator[Explanation]:
    for row in requirements.register().values():
        shown = f"scenarios: {', '.join(row.tested_by)}" if row.tested_by else f"not tested: {row.why_not_tested}"
        yield Explanation(id=row.id, kind="requirement", means=f"{row.text} ({row.source}; {row.level})", see=shown)


def _scenarios() -> Iterator[Explanation]:
    for scenario in load.everything():
        yield _of_scenario(scenario, scenario.name, "scenario")
        for case in scenario.cases:
            if case.name:
                yield _of_scenario(scenario, case_id(scenario, case), "case")


def _of_scenario(scenario: Scenario, identifier: str, kind: str) -> Explanation:
    verified = f"verifies {', '.join(scenario.verifies)}; {Path(scenario.file).name}"
    return Explanation(id=identifier, kind=kind, means=f"{scenario.title}. {scenario.explain}", see=verified)
