"""`simulate list` and `simulate schema`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from simulator.cli import terminal
from simulator.cli.requirement_list import print_requirements
from tests.cli import stories
from tests.cli.schemas import schema
from tests.processes import ROOT, simulate

STORIES = sorted((ROOT / "scenarios").rglob("*.yaml"))
SITES = sorted((ROOT / "fixtures" / "sites").glob("*.yaml"))


def plain(file: Path) -> Any:
    return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))


def test_list_has_every_scenario_on_a_line_of_its_own(tmp_path: Path) -> None:
    done = simulate("list", folder=tmp_path)
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == {file.stem for file in STORIES}
    titles = {file.stem: plain(file)["title"] for file in STORIES}
    for line in done.stdout.splitlines()[1:]:
        assert line.rstrip().endswith(titles[line.split()[0]]), "a title is cut or folded"


def test_list_as_json(tmp_path: Path) -> None:
    done = simulate("list", "--json", folder=tmp_path)
    assert done.returncode == 0
    listed = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert set(listed) == {file.stem for file in STORIES}
    for file in STORIES:
        entry, written = listed[file.stem], plain(file)
        assert (entry["title"], entry["tags"]) == (written["title"], written["tags"])
        assert Path(entry["file"]) == file
        assert len(entry["cases"]) == len(set(entry["cases"])) > 0
    assert listed["echo"]["cases"] == ["echo"]
    assert listed["matched"]["cases"] == ["matched[ORM^O01]", "matched[OMI^O23]", "matched[ORU^R01]"]


def test_a_folder_of_ones_own_wins(tmp_path: Path) -> None:
    stories.write(tmp_path, ("title: A story of my own", 'title: "[red] A [/] story"'))
    done = simulate("list", folder=tmp_path)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["Scenario", "mine"]
    assert "[red] A [/] story" in done.stdout, "what a user wrote was taken for markup"


def test_lies(tmp_path: Path) -> None:
    listed = json.loads(simulate("list", "--lies", "--json", folder=tmp_path).stdout)
    table = simulate("list", "--lies", folder=tmp_path).stdout.splitlines()[1:]
    assert [line.split()[0] for line in table] == [lie["name"] for lie in listed]
    told = {
        lie for file in STORIES for row in rows(plain(file)) for lies in row.get("mutate", {}).values() for lie in lies
    }
    names = {lie["name"] for lie in listed}
    assert {lie for lie in told if not lie.startswith("$")} <= names
    assert {"another-hkid", "another-name", "another-birth-date", "another-sex", "unknown-accession"} <= names


def register() -> list[dict[str, str]]:
    with (ROOT / "fixtures" / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_requirements_as_json(tmp_path: Path) -> None:
    done = simulate("list", "--requirements", "--json", folder=tmp_path)
    assert done.returncode == 0
    listed = json.loads(done.stdout)
    for entry, row in zip(listed, register(), strict=True):
        assert {key: entry[key] for key in ("id", "level", "text", "source", "why_not_tested")} == {
            key: row[key] for key in ("id", "level", "text", "source", "why_not_tested")
        }
        assert entry["scenarios"] == row["tested_by"].split()


def test_requirements_on_a_line_each_and_how_many_are_verified(tmp_path: Path) -> None:
    lines = simulate("list", "--requirements", folder=tmp_path).stdout.splitlines()
    written = register()
    verified = sum(bool(row["tested_by"]) for row in written)
    reasoned = f"{verified} verified, {len(written) - verified} not tested with reason"
    assert lines[-1] == f"{len(written)} requirements, {reasoned}"
    for line, row in zip(lines[1:-1], written, strict=True):
        assert line.split()[:2] == [row["id"], row["level"]]
        assert row["text"] in line
        assert line.rstrip().endswith(row["tested_by"] or f"not tested: {row['why_not_tested']}")


@pytest.mark.parametrize("width", [80, 50])
def test_in_a_narrow_terminal_requirements_are_wrapped_between_words(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(terminal, "out", Console(force_terminal=True, width=width, color_system=None, highlight=False))
    print_requirements(None, as_json=False)
    printed = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= width
    words = printed.split()
    for row in register():
        for word in f"{row['text']} {row['tested_by']}".split():
            assert word in words, "a word was cut"


def test_with_scenarios_of_ones_own_the_requirements_are_verified_by_those(tmp_path: Path) -> None:
    stories.write(tmp_path)
    lines = simulate("list", "--requirements", folder=tmp_path).stdout.splitlines()
    mine = {line.split()[0] for line in lines if line.rstrip().endswith(" mine")}
    assert mine == set(plain(tmp_path / "scenarios" / "mine.yaml")["verifies"])
    assert lines[-1].startswith(f"{len(register())} requirements, {len(mine)} verified, ")
    assert lines[-1].endswith(" by no scenario of this folder")


def rows(story: Any) -> list[Any]:
    return [story, *(row for row in story.get("for_each", []) if isinstance(row, dict))]


@pytest.mark.parametrize("subject", ["scenario", "site", "result", "status", "load"])
def test_every_schema_is_one_and_refuses_what_is_none(subject: str) -> None:
    assert not schema(subject).is_valid({"nonesuch": 1})


def test_the_scenario_schema_takes_every_file_of_the_catalogue() -> None:
    validator = schema("scenario")
    assert STORIES
    for file in STORIES:
        assert [error.message for error in validator.iter_errors(plain(file))] == [], file


@pytest.mark.parametrize(
    "change",
    [
        ("tags: [own]", "tag: [own]"),
        ("instances: 2}]", "instance: 2}]"),
        ("instances: 2}]", "instances: two}]"),
        ("store: study", "stor: study"),
        ("unmatched", "unmatchd"),
        ("explain: For a person.\n", ""),
    ],
    ids=lambda change: change[1],
)
def test_the_scenario_schema_shows_an_editor_the_mistake(change: tuple[str, str], tmp_path: Path) -> None:
    validator = schema("scenario")
    assert validator.is_valid(plain(stories.write(tmp_path)))
    assert not validator.is_valid(plain(stories.write(tmp_path, change)))


def test_the_site_schema() -> None:
    validator = schema("site")
    for file in SITES:
        assert [error.message for error in validator.iter_errors(plain(file))] == [], file
    assert validator.is_valid({})
    assert validator.is_valid({"gateway": {"dicom_port": 0}, "callers": [{"ae_title": "CT1"}]})
    assert not validator.is_valid({"gateway": {"dicom_prot": 0}})
    assert not validator.is_valid({"callers": "all"})
    assert not validator.is_valid({"unmatched": "holt"})


def test_a_folder_of_ones_own_is_listed_and_no_other(tmp_path: Path) -> None:
    own = tmp_path / "mine" / "echo-here.yaml"
    own.parent.mkdir()
    text = (ROOT / "scenarios" / "association" / "echo.yaml").read_text(encoding="utf-8")
    own.write_text(text.replace("scenario: echo", "scenario: echo-here"), encoding="utf-8")
    done = simulate("list", "--scenarios", "mine", "--json", folder=tmp_path)
    assert [each["name"] for each in json.loads(done.stdout)] == ["echo-here"]
    ran = simulate("--scenario", "echo-here", "--scenarios", "mine", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    unknown = simulate("--scenario", "unmatched", "--scenarios", "mine", folder=tmp_path)
    assert unknown.returncode == 2
    assert "there is no scenario 'unmatched'" in unknown.stderr
    (tmp_path / "empty").mkdir()
    none = simulate("--all", "--scenarios", "empty", folder=tmp_path)
    assert none.returncode == 2
    assert "there is no scenario in empty" in none.stderr


def test_explain_says_what_an_id_means_and_lists_them(tmp_path: Path) -> None:
    told = simulate("explain", "hkid.mismatch", folder=tmp_path)
    assert told.returncode == 0
    assert "Who mends it: The modality's patient registration" in " ".join(told.stdout.split())
    listed = simulate("explain", "--list", folder=tmp_path)
    assert "unmatched[sex]  (case)" in listed.stdout.splitlines()
    unknown = simulate("explain", "hkid.mismatc", folder=tmp_path)
    assert unknown.returncode == 2
    assert "did you mean 'hkid.mismatch'?" in unknown.stderr
    assert simulate("explain", folder=tmp_path).returncode == 2
