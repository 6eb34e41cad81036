"""Scenarios as tests: `pytest scenarios/` collects each case of each file. pytest loads this module by its entry point.

A YAML file is taken for a scenario if it has two of the keys of one, and is named on the command line or lies below a
folder `scenarios`; no other file is looked at. The gateway, its peers and the judge are those of `simulate`. A case
that is `inconclusive` fails, since nothing is proven; an error of the simulator itself is pytest's *error*, not a
failure; one that is not about the site's facility is skipped with that reason.
"""

from __future__ import annotations

import argparse
import re
import secrets
import shlex
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
    from simulator.site import Site

FOLDER = "scenarios"
_SEED = "simulate_seed"
# Two of them, and not the first alone: a slip in one key must not make a story vanish from the tests.
_KEYS = re.compile(rb"^(scenario|explain|verifies|when|then)\s*:", re.MULTILINE)
# How pytest and its plugins register a mark that takes arguments, which is one that does something: `skip(reason)`.
_ACTS = re.compile(r"\s*([\w-]+)\(")
_NURSERY: pytest.StashKey[Nursery] = pytest.StashKey()
_SITE: pytest.StashKey[Site] = pytest.StashKey()


class Hooks:
    """What a conftest.py may add."""

    def pytest_simulate_outcome(self, item: ScenarioItem, outcome: CaseOutcome) -> None:
        """Look at the outcome of a case that passed: its history, its findings. Raise to have it fail."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run that tests need."""
    group = parser.getgroup("simulate", "scenarios of the HA DICOM Gateway simulator")
    group.addoption("--simulate-seed", type=_seed, metavar="N", help="Reproduce the bytes of an earlier run.")
    group.addoption("--simulate-site", type=Path, metavar="FILE", help="Site profile. Default: the embedded one.")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 on; found {text!r}")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed, or have that of the run as a worker of pytest-xdist; load the site profile, or end the run."""
    given = getattr(config, "workerinput", {}).get(_SEED, config.option.simulate_seed)
    config.option.simulate_seed = secrets.randbits(32) if given is None else given
    if config.option.simulate_site is not None:
        from simulator import site
        from simulator.errors import LoadError

        try:
            config.stash[_SITE] = site.load_named(config.option.simulate_site)
        except LoadError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed on to a worker of pytest-xdist."""
    node.workerinput[_SEED] = node.config.option.simulate_seed


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say the seed first, where scenarios are asked for."""
    asked = [Path(each.partition("::")[0]) for each in config.args]
    if any(FOLDER in path.parts or path.suffix == ".yaml" for path in asked):
        return [f"simulate: seed {config.option.simulate_seed}"]
    return []


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
        content = file_path.read_bytes()
    except OSError:  # nobody can tell whose it is
        return None
    if len(set(_KEYS.findall(content))) < 2:
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
            self._register_marks(scenario)
        except LoadError as error:
            raise self.CollectError(str(error)) from None
        for case in scenario.cases:
            yield ScenarioItem.from_parent(self, name=case_id(scenario, case), scenario=scenario, case=case)

    def _register_marks(self, scenario: Scenario) -> None:
        """Have pytest know the marks, also under --strict-markers. Raises `LoadError` for a tag that would act."""
        from simulator import strict_yaml
        from simulator.errors import LoadError, Problem

        lines = self.config.getini("markers")
        acting = {found[1] for line in lines if (found := _ACTS.match(line))}
        for number, tag in enumerate(scenario.tags):
            if tag in acting:
                # `xfail` would make a failure green, and `skip` hide it.
                line, column = strict_yaml.place([(strict_yaml.read(self.path), ())], ("tags", number))
                message = f"the tag {tag!r} is a mark by which pytest does something"
                raise LoadError([Problem(str(self.path), line, column, message, "call the tag something else")])
        for mark in marks(scenario):
            told = f"{mark}: scenarios of this tag or level"
            if told not in lines:
                self.config.addinivalue_line("markers", told)


class ScenarioItem(pytest.Item):
    """One case. It is played in the set-up, so that what the simulator cannot carry out is pytest's error.

    folder: that of the run, with `history.jsonl`; it goes when the case passed, and has the whole report when not.
    """

    def __init__(self, *, scenario: Scenario, case: Case, **others: Any) -> None:
        super().__init__(**others)
        self.scenario = scenario
        self.case = case
        self.folder: Path | None = None
        self.outcome: CaseOutcome | None = None
        self._is_done_with = False
        for mark in marks(scenario):
            self.add_marker(mark)

    def setup(self) -> None:
        """Play the case, and judge it."""
        from simulator.events import now
        from simulator.scenario.run import Listener, run_case

        started = now()
        self.folder = Path(tempfile.mkdtemp(prefix="simulate-"))
        settings = self._settings(self.folder)
        self.outcome = run_case(self.scenario, self.case, settings, Listener())
        self._keep(self.folder, self.outcome, started, settings)
        if self.outcome.verdict == "error":
            pytest.fail(self._told(self.outcome), pytrace=False)

    def runtest(self) -> None:
        """Pass where everything that is expected was seen."""
        outcome = self.outcome
        assert outcome is not None
        if outcome.verdict == "not-applicable":
            self._is_done_with = True
            pytest.skip(outcome.findings[0].because)
        if outcome.verdict != "pass":
            pytest.fail(self._told(outcome), pytrace=False)
        try:
            self.ihook.pytest_simulate_outcome(item=self, outcome=outcome)
        except Exception:
            self.add_report_section("call", "scenario", self._where())
            raise
        self._is_done_with = True

    def teardown(self) -> None:
        """Remove the folder of a case that nobody needs to look at."""
        if self.folder is not None and self._is_done_with:
            shutil.rmtree(self.folder, ignore_errors=True)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the case stands."""
        return self.path, None, self.name

    def _told(self, outcome: CaseOutcome) -> str:
        """Return expected against observed of each check that was not met, and whose screen to edit."""
        from simulator.report import words

        lines: list[str] = []
        for finding in outcome.findings:
            if finding.verdict in words.UNPROVEN:
                because = words.printable(finding.because.strip())
                lines.append(f"{finding.check} ({words.VERDICT_WORDS[finding.verdict]}): {because}")
                lines.append(f"  expected  {words.value(finding.expected)}")
                if finding.observed != finding.because:
                    lines.append(f"  observed  {words.value(finding.observed)}")
        return "\n".join([*lines, "", self.scenario.title, self.scenario.explain, "", self._where()])

    def _where(self) -> str:
        option = self.config.option
        site = [] if option.simulate_site is None else ["--simulate-site", str(option.simulate_site)]
        again = shlex.join(["pytest", self.nodeid, "--simulate-seed", str(option.simulate_seed), *site])
        return f"what was seen: {self.folder}\nagain: {again}"

    def _settings(self, folder: Path) -> Settings:
        from simulator.scenario.nursery import Nursery
        from simulator.scenario.run import Settings
        from simulator.site import Site

        stash = self.config.stash
        if _NURSERY not in stash:
            stash[_NURSERY] = Nursery()
            stash[_NURSERY].open()
        return Settings(
            seed=self.config.option.simulate_seed,
            site=stash.get(_SITE, Site()),
            folder=folder / "cases",
            nursery=stash[_NURSERY],
        )

    def _keep(self, folder: Path, outcome: CaseOutcome, started: str, settings: Settings) -> None:
        """Write the history, and for a case that somebody must look at the whole report, as `simulate` does."""
        from simulator.report import files, model, words
        from simulator.report.html import Tile
        from simulator.scenario.history import Writer
        from simulator.scenario.run import ScenarioOutcome

        header = {"name": outcome.id, "started": started, "seed": settings.seed}
        with Writer(folder / "history.jsonl", header) as writer:
            writer.append(outcome.history)
        if outcome.verdict in words.UNPROVEN:
            seen = [ScenarioOutcome(self.scenario, (outcome,))]
            result = model.result(outcome.id, started, outcome.seconds, settings.seed, settings.site.site, seen)
            files.write(folder, result, [Tile(outcome.id, picture) for picture in outcome.pictures])


def marks(scenario: Scenario) -> tuple[str, ...]:
    """Return the marks of a scenario's cases: `scenario`, its level, its tags."""
    return tuple(dict.fromkeys(("scenario", scenario.level, *scenario.tags)))
