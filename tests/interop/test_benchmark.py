"""The benchmark beside peers: it writes what it found, and passes over with a word what is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests import processes
from tests.interop import dcmtk, peers

pytestmark = pytest.mark.interop

ECHOED = {"gateway", "gateway, plane off (stock pynetdicom)", "storescp"}
RECEIVED = ECHOED | {"dcmrecv +B", "Orthanc", "raw TCP + write"}
SECONDS = 240.0  # what a loaded machine needs for what takes half a minute


def measured(folder: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    """Run parts of the benchmark, quickly, with all of its files in `folder`."""
    options = ("--quick", "--folder", folder, "--disk", folder, "--out", folder / "out")
    command = [sys.executable, processes.ROOT / "benchmarks" / "side_by_side.py", *options, "--only", *parts]
    return processes.run(command, folder, SECONDS)


def record(folder: Path) -> dict[str, Any]:
    """Return what was written, after a look whether page and plot show all of it."""
    found: dict[str, Any] = json.loads((folder / "out" / "side-by-side.json").read_text(encoding="utf-8"))
    page = (folder / "out" / "side-by-side.md").read_text(encoding="utf-8")
    plot = "".join(ElementTree.parse(folder / "out" / "side-by-side.svg").getroot().itertext())
    assert found["machine"]["processor"] in page
    for part, why in found["passed over"].items():
        assert f"{part}: passed over, since {why}" in page
    for figure in found["figures"]:
        assert figure["name"] in page
        assert figure["name"] in plot
        for peer, values in figure["values"].items():
            assert f"| {peer} |" in page
            assert peer in plot
            assert len(values) == found["scale"]["rounds"]
            assert min(values) > 0
        for peer, why in figure["skipped"].items():
            assert f"| {peer} | skipped: {why} |" in page
    return found


@dcmtk.installed
def test_every_peer_that_is_installed_has_its_figures(tmp_path: Path) -> None:
    done = measured(tmp_path, "echo", "receive")
    assert done.returncode == 0, done.stdout + done.stderr
    found = record(tmp_path)
    machine = found["machine"]
    assert all(machine[name] for name in ("date", "processor", "memory", "system", "files on", "Python", "pynetdicom"))
    assert len(found["figures"]) == 5
    for figure in found["figures"]:
        asked = ECHOED if "C-ECHO" in figure["name"] else RECEIVED
        assert figure["values"].keys() | figure["skipped"].keys() == asked
        assert figure["values"].keys() >= {"gateway", "storescp"}
        assert not (figure["skipped"] and peers.DEMANDED)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_what_needs_a_peer_that_is_not_installed_is_passed_over_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCMTK_FOLDER", str(tmp_path))
    done = measured(tmp_path, "receive", "send", "echo", "growth", "whole", "commitment")
    assert done.returncode == 0, done.stdout + done.stderr
    found = record(tmp_path)
    needed = {"receive": "dcmsend", "send": "dcmrecv", "echo": "echoscu", "growth": "dcmsend"}
    missing = {part: f"{tmp_path / program} is not installed" for part, program in needed.items()}
    assert found["passed over"] == missing
    for part, why in missing.items():
        assert f"{part}: passed over, since {why}\n" in done.stdout
    whole, commitment = found["figures"]
    assert list(whole["values"]) == ["simulate --scenario"]
    assert list(whole["skipped"].values()) == [f"{tmp_path / 'dcmrecv'} is not installed"]
    assert list(commitment["values"]) == ["gateway, from request to report", "fsync of the files"]


def test_where_nothing_can_be_measured_it_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCMTK_FOLDER", str(tmp_path))
    done = measured(tmp_path, "echo", "growth")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "echo: passed over, since" in done.stdout
    assert "growth: passed over, since" in done.stdout
    assert done.stdout.endswith("nothing can be measured here: nothing is written\n")
    assert not list(tmp_path.iterdir())
