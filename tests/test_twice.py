"""The same run twice from one seed: the results are equal but for times, whatever happened side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from simulator.events import StoreAnswered
from simulator.scenario import history
from tests.processes import SIMULATE, run

pytestmark = pytest.mark.scenario
# Ports, free room, modalities and associations at once, faults, peers with a script, what is cut off in the midst.
SCENARIOS = (
    "several-at-once",
    "disk-full",
    "destination-down",
    "correct",
    "modality-dies",
    "malformed-pdus",
    "order-placer-dies",
    "restart",
    "verification-of-destinations",
    "reconcile",
)


def but_for_times(file: Path) -> dict[str, Any]:
    """Return a result without its times, and without the steps, which are told in the order of time."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    del document["started"], document["seconds"]
    for scenario in document["scenarios"]:
        for case in scenario["cases"]:
            assert case["steps"]
            del case["seconds"], case["steps"]
    return document


def junit_but_for_times(file: Path) -> bytes:
    root = ElementTree.parse(file).getroot()
    for element in root.iter():
        element.attrib.pop("time", None)
    return ElementTree.tostring(root)


def sent(file: Path) -> set[tuple[str, str, str]]:
    _, cases = history.read(file)
    answered = [(case.case, event) for case in cases for event in case.of(StoreAnswered)]
    assert answered
    return {(case, event.sop_instance_uid, event.data_set_digest) for case, event in answered}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    chosen = [word for name in SCENARIOS for word in ("--scenario", name)]
    runs = []
    for folder in (tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")):
        done = run([*SIMULATE, *chosen, "--seed", "5", "-j", "2", "--reports", "out"], folder, time_out=400.0)
        assert done.returncode == 0, done.stdout
        runs.append(folder / "out" / "latest")
    first, second = runs
    return first, second


@pytest.mark.timeout(900)
def test_results_are_equal_but_for_times(two_runs: tuple[Path, Path]) -> None:
    first, second = (but_for_times(folder / "result.json") for folder in two_runs)
    assert first == second


def test_junit_is_equal_but_for_times(two_runs: tuple[Path, Path]) -> None:
    first, second = (junit_but_for_times(folder / "junit.xml") for folder in two_runs)
    assert first == second


def test_the_same_instances_were_sent_byte_for_byte(two_runs: tuple[Path, Path]) -> None:
    first, second = (sent(folder / "history.jsonl") for folder in two_runs)
    assert first == second
