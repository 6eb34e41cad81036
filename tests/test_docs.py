"""What the documents say is what the product does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from simulator import site
from simulator.cli.app import app
from simulator.cli.schema_command import Subject, schema
from simulator.events import EVENT_TYPES
from simulator.scenario import load
from simulator.scenario.model import Case, Story
from simulator.scenario.model_expectations import Then
from simulator.scenario.model_given import (
    Enhanced,
    FaultSpec,
    Given,
    ModalitySpec,
    OrderSpec,
    PeerSpec,
    PersonSpec,
    RemoteSpec,
    SeriesSpec,
    StudySpec,
)
from simulator.scenario.model_steps import Change, Commit, Ending, Forward, Reconcile, Step, Store, Wait
from tests import processes

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCENARIOS = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", SCENARIOS, re.DOTALL)


@pytest.mark.parametrize("subject", get_args(Subject))
def test_the_schemas_in_the_repository_are_the_programs(subject: Subject) -> None:
    """When this fails: `simulate schema SUBJECT > docs/schemas/SUBJECT.schema.json`, and look at the difference."""
    file = ROOT / "docs" / "schemas" / f"{subject}.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == schema(subject)


def test_the_conformance_statement_in_the_repository_is_the_programs(tmp_path: Path) -> None:
    """When this fails, look at the difference after this command:

    simulate conformance --site fixtures/sites/imaging-centre.yaml --out docs/conformance-statement.md
    """
    site, out = ROOT / "fixtures" / "sites" / "imaging-centre.yaml", tmp_path / "statement.md"
    done = processes.simulate("conformance", "--site", site, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = ROOT / "docs" / "conformance-statement.md"
    assert out.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")


def test_every_command_is_in_the_readme() -> None:
    for command in app.registered_commands:
        assert f"simulate {command.name}" in README, command.name


def test_every_scenario_is_in_the_readme() -> None:
    for name in load.files():
        assert f"| `{name}` |" in README, name


def test_the_readmes_two_commands_are_the_ones_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ".venv/bin/pip install tox && .venv/bin/tox" in README
    assert [line for line in ci.splitlines() if "tox" in line][-2:] == [
        ".venv/bin/pip install --quiet tox",
        ".venv/bin/tox",
    ]


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


def name_of(block: str) -> str:
    found = re.match(r"scenario: (\S+)", block)
    return found[1] if found else ""


@pytest.mark.parametrize("block", [block for block in BLOCKS if name_of(block)], ids=name_of)
def test_an_example_of_the_scenario_page_runs_and_passes(block: str, tmp_path: Path) -> None:
    """A stranger saves an example as the page says, and runs it."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / f"{name_of(block)}.yaml").write_text(block, encoding="utf-8")
    done = processes.simulate("--scenario", name_of(block), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", [block for block in BLOCKS if not name_of(block)])
def test_the_examples_of_cases_load_under_the_first(block: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong-birth-date.yaml"
    file.write_text(BLOCKS[0] + block, encoding="utf-8")
    assert len(load.load(file).cases) == len(re.findall(r"with:", block)) or 3


MODELS = [Story, Given, PersonSpec, OrderSpec, Enhanced, StudySpec, SeriesSpec, ModalitySpec, RemoteSpec, PeerSpec]
MODELS += [FaultSpec, Case, Step, Change, Commit, Ending, Forward, Reconcile, Store, Wait, Then]


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_a_scenario_is_on_the_page(model: type[Story]) -> None:
    for name, field in model.model_fields.items():
        word = field.alias or name
        assert word == "name" or re.search(rf"\b{word}\b", SCENARIOS), word


def test_every_expectation_is_on_the_page() -> None:
    definitions = schema("scenario")["$defs"]
    for name, definition in definitions.items():
        if name.endswith("Expectation"):
            for key in definition["properties"]:
                assert re.search(rf"\b{key}\b", SCENARIOS), f"{name}.{key}"


@pytest.mark.parametrize("file", sorted((ROOT / "fixtures" / "sites").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_site_profile_loads_and_is_named_as_its_file(file: Path) -> None:
    assert site.load(file).site == file.stem


def test_the_default_profile_is_the_one_that_is_spelled_out() -> None:
    assert site.load(ROOT / "fixtures" / "sites" / "default.yaml") == site.Site()


def test_every_event_says_what_it_is() -> None:
    assert [name for name, kind in EVENT_TYPES.items() if not kind.__doc__] == []
