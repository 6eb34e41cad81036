"""Scenarios as tests: `pytest scenarios/` collects each case of each file. pytest loads this module by its entry point.

A YAML file is a scenario if it begins with the key `scenario` and is named on the command line or lies below a folder
`scenarios`; no other file is looked at. The gateway, its peers and the judge are those of `simulate`. A case that is
`inconclusive` fails, since nothing is proven; an error of the simulator itself is pytest's *error*, not a failure; one
that is not about the site's facility is skipped with that reason.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.scenario.model import Case, Scenario
    from simulator.scenario.nursery import Nursery
    from simulator.scenario.run import CaseOutcome, Settings

FOLDER = "scenarios"
_BEGINS = re.compile(r"^scenario\s*:", re.MULTILINE)
_SEED = "simulate_seed"
_NURSERY: pytest.StashKey[Nursery] = pytest.StashKey()


class Hooks:
    """What a conftest.py may add."""

    def pytest_simulate_outcome(self, item: ScenarioItem, outcome: CaseOutcome) -> None:
        """Look at the outcome of a case that passed: its history, its findings. Raise to have it fail."""


class NotProven(Exception):
    """A case failed, or nobody could see whether it did."""


class CaseError(Exception):
    """The simulator itself could not carry the case out."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run that tests need."""
    group = parser.getgroup("simulate", "scenarios of the HA DICOM Gateway simulator")
    group.addoption("--simulate-seed", type=int, metavar="N", help="Reproduce the bytes of an earlier run.")
    group.addoption("--simulate-site", type=Path, metavar="FILE", help="Site profile. Default: the embedded one.")


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed; a worker of pytest-xdist has that of the process which started it."""
    given = getattr(config, "workerinput", {}).get(_SEED, config.option.simulate_seed)
    config.option.simulate_seed = secrets.randbits(32) if given is None else given


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed on to a worker of pytest-xdist."""
    node.workerinput[_SEED] = node.config.option.simulate_seed


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say the seed first, where scenarios are asked for."""
    asked = any(FOLDER in Path(each.partition("::")[0]).parts or ".yaml" in each for each in config.args)
    return [f"simulate: seed {config.option.simulate_seed}"] if asked else []


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process that starts gateways."""
    if nursery := config.stash.get(_NURSERY, None):
        nursery.close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a scenario file."""
    if file_path.suffix != ".yaml":
        return None
    if FOLDER not in file_path.parts and not parent.session.isinitpath(file_path):
        return None
    try:
        if not _BEGINS.search(file_path.read_text(encoding="utf-8")):
            return None
    except (OSError, UnicodeDecodeError):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """One scenario; its cases are the tests."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield each case. A file that does not load is an error of the collection, with every mistake in it."""
        from simulator.errors import LoadError
        from simulator.scenario import load
        from simulator.scenario.plan import case_id

        try:
            scenario = load.load(self.path)
        except LoadError as error:
            raise self.CollectError(str(error)) from None
        for case in scenario.cases:
            yield ScenarioItem.from_parent(self, name=case_id(scenario, case), scenario=scenario, case=case)


class ScenarioItem(pytest.Item):
    """One case. It is played in the set-up, so that what the simulator cannot carry out is pytest's error."""

    def __init__(self, *, scenario: Scenario, case: Case, **others: Any) -> None:
        super().__init__(**others)
        self.scenario = scenario
        self.case = case
        self.folder: Path | None = None
        self.outcome: CaseOutcome | None = None
        for mark in ("scenario", scenario.level, *scenario.tags):
            # A mark that pytest does not know is a mistake under --strict-markers; tags are those of the files.
            self.config.addinivalue_line("markers", f"{mark}: scenarios of this tag or level")
            self.add_marker(mark)

    def setup(self) -> None:
        """Play the case, and judge it."""
        from simulator.scenario.run import Listener, run_case

        self.folder = Path(tempfile.mkdtemp(prefix="simulate-"))
        self.outcome = run_case(self.scenario, self.case, self._settings(self.folder), Listener())
        self._keep_history(self.folder, self.outcome)
        if self.outcome.verdict == "error":
            raise CaseError("\n".join(self._told(self.outcome)))

    def runtest(self) -> None:
        """Pass where everything that is expected was seen."""
        outcome = self.outcome
        assert outcome is not None
        if outcome.verdict == "not-applicable":
            pytest.skip(outcome.findings[0].because)
        if outcome.verdict != "pass":
            raise NotProven
        self.ihook.pytest_simulate_outcome(item=self, outcome=outcome)

    def teardown(self) -> None:
        """Remove the folder of a case that passed."""
        if self.folder is not None and self.outcome is not None and self.outcome.verdict in ("pass", "not-applicable"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *others: Any, **named: Any) -> Any:
        """Return expected against observed of each check that was not met, and whose screen to edit."""
        if self.outcome is None or not isinstance(excinfo.value, NotProven):
            return super().repr_failure(excinfo, *others, **named)
        return "\n".join(self._told(self.outcome))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the case stands."""
        return self.path, None, self.name

    def _told(self, outcome: CaseOutcome) -> Iterator[str]:
        from simulator.report import words

        yield f"{outcome.id}: {self.scenario.title}"
        for finding in outcome.findings:
            if finding.verdict in words.UNPROVEN:
                yield f"{words.VERDICT_WORDS[finding.verdict]}: {finding.check}"
                yield f"  expected  {words.value(finding.expected)}"
                yield f"  observed  {words.value(finding.observed)}"
                yield f"  because   {finding.because}"
        yield self.scenario.explain
        yield f"what was seen: {self.folder}"
        yield f"again: --simulate-seed {self.config.option.simulate_seed}"

    def _settings(self, folder: Path) -> Settings:
        from simulator import site as profile
        from simulator.scenario.nursery import Nursery
        from simulator.scenario.run import Settings

        if _NURSERY not in self.config.stash:
            nursery = self.config.stash[_NURSERY] = Nursery()
            nursery.open()
        file = self.config.option.simulate_site
        site = profile.load(file) if file is not None else profile.Site()
        return Settings(
            seed=self.config.option.simulate_seed,
            site=site,
            folder=folder / "cases",
            nursery=self.config.stash[_NURSERY],
        )

    def _keep_history(self, folder: Path, outcome: CaseOutcome) -> None:
        from simulator.scenario.history import Writer

        header = {"name": outcome.id, "seed": self.config.option.simulate_seed}
        with Writer(folder / "history.jsonl", header) as writer:
            writer.append(outcome.history)
