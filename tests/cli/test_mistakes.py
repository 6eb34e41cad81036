"""Mistakes in a user's own scenario: told as file:line:column with a suggestion, and nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import stories
from tests.processes import simulate

MISTAKES = {
    "unknown key": (("tags: [own]", "tag: [own]"), "4:1: unknown key 'tag' (did you mean 'tags'?)"),
    "unknown key, deep": (
        ("instances: 2}]", "instance: 2}]"),
        "12:23: unknown key 'instance' (did you mean 'instances'?)",
    ),
    "unknown key of the site": (
        ("quiet_period", "quite_period"),
        "8:15: unknown key 'quite_period' (did you mean 'quiet_period'?)",
    ),
    "duplicate key": (("tags: [own]", "title: again"), '4:1: found duplicate key "title"'),
    "wrong type": (
        ("instances: 2}]", "instances: two}]"),
        "12:23: given.studies.study.series.0.instances: input should be a valid integer",
    ),
    "text without quotes": (("A story of my own", "00000101"), "2:1: title: input should be a valid string"),
    "unknown lie": (("another-sex", "another-sexx"), "14:11: no lie 'another-sexx' (did you mean 'another-sex'?)"),
    "unknown requirement": (("COM-1", "COM-11"), "5:12: no requirement 'COM-11' (did you mean 'COM-1'?)"),
    "unknown SOP class": (
        ("instances: 2}]", "sop_class: CTImageStorag}]"),
        "12:23: no SOP class 'CTImageStorag' (did you mean 'CTImageStorage'?)",
    ),
    "unknown state": (("unmatched", "unmatchd"), "found 'unmatchd' (did you mean 'unmatched'?)"),
    "unknown order": (("send_order: order", "send_order: ordr"), "16:5: no order 'ordr' (did you mean 'order'?)"),
    "unknown study": (("store: study", "store: studdy"), "17:5: no study 'studdy' (did you mean 'study'?)"),
    "two steps in one": (("store: study", "store: study\n    echo: gateway"), "17:5: when.1: a step is one thing"),
    "a restart after more": (
        ("store: study", "restart: {storing: study, after: 3}"),
        "17:31: the study has 2 instances",
    ),
    "a restart while nothing is sent": (("store: study", "kill: {after: 1}"), "storing and after go together"),
    "a restart with an unknown setting": (
        ("  - store: study", "  - store: study\n  - restart: {site: {unmatchd: hold}}"),
        "18:22: unknown key 'unmatchd'",
    ),
    "never stored": (("  - store: study\n", ""), "20:7: no step stores study 'study'"),
    "no checks": (("{state: unmatched, instances: 2}", "{}"), "18:1: nothing is expected"),
    "no verifies": (("verifies: [COM-1]\n", ""), "1:1: verifies is missing"),
    "another name": (("scenario: mine", "scenario: yours"), "1:1: the file of scenario 'yours' must be named so"),
    "not YAML": (("  - send_order", "   - send_order"), "17:3: "),
}  # fmt: skip


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what is said of a folder in which each file has one mistake: `simulate list` loads them all."""
    folder = tmp_path_factory.mktemp("mistakes")
    for kind, (change, _) in MISTAKES.items():
        stories.write(folder, change, name=_name(kind))
    done = simulate("list", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.replace(f"{folder}/scenarios/", "").splitlines()


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_told_with_its_place(kind: str, complaints: list[str]) -> None:
    said = [line for line in complaints if line.startswith(f"error: {_name(kind)}.yaml:")]
    assert any(MISTAKES[kind][1] in line for line in said), said


def test_nothing_else_is_complained_of(complaints: list[str]) -> None:
    assert {line.split(":")[1].strip() for line in complaints} == {f"{_name(kind)}.yaml" for kind in MISTAKES}


@pytest.mark.parametrize("kind", ["unknown key", "never stored", "no checks", "not YAML"])
def test_with_a_mistake_nothing_runs(kind: str, tmp_path: Path) -> None:
    change, said = MISTAKES[kind]
    file = stories.write(tmp_path, change)
    done = simulate("--scenario", "mine", folder=tmp_path)
    assert done.returncode == 2
    assert f"error: {file}:" in done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "reports").exists()


def _name(kind: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in kind.lower())


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    stories.write(
        tmp_path, ("COM-1", "COM-11"), ("another-sex", "another-sexx"), ("send_order: order", "send_order: x")
    )
    done = simulate("--scenario", "mine", folder=tmp_path)
    assert done.returncode == 2
    assert [line.split(":")[2:4] for line in done.stderr.splitlines()] == [["5", "12"], ["14", "11"], ["16", "5"]]


@pytest.mark.parametrize("arguments", [["--all"], ["--tag", "own"], ["list", "--json"]])
def test_one_broken_file_is_never_skipped(arguments: list[str], tmp_path: Path) -> None:
    """A run that leaves out a scenario because its file does not load would be green and mean nothing."""
    stories.write(tmp_path)
    broken = tmp_path / "scenarios" / "broken.yaml"
    broken.write_text(stories.STORY.replace("mine", "broken").replace("tags:", "tag:"), encoding="utf-8")
    done = simulate(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert f"{broken}:4:1: unknown key 'tag'" in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_empty_or_no_text(tmp_path: Path) -> None:
    file = stories.write(tmp_path)
    for content, said in ((b"", "is the file empty?"), (b"\xff\xfe\x00", "cannot be read"), (b"\x00", "mine.yaml")):
        file.write_bytes(content)
        done = simulate("--scenario", "mine", folder=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
