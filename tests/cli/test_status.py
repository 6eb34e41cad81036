"""`simulate status`: from a running gateway and from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from simulator.cli import status_command, terminal
from tests import processes
from tests.cli.schemas import schema
from tests.processes import simulate
from tests.synthesis import made

ODD = "[bold] [/x] \\["


def status(*arguments: str | Path, folder: Path) -> str:
    done = simulate("status", *arguments, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_study_is_told_by_the_gateway_and_by_its_folder_alike(tmp_path: Path) -> None:
    study = made.a_study("status", instances=3)
    odd = made.a_study("odd", lies={"AccessionNumber": ODD})
    bare = made.a_study("bare", lies={"AccessionNumber": ""})
    for number, each in enumerate((study, odd, bare)):
        processes.written(each, tmp_path / "studies" / str(number))
    with processes.gateway(tmp_path) as gateway:
        url, data = ("--url", gateway.http_url), ("--data", gateway.data)
        assert status(*url, folder=tmp_path) == "The gateway holds no study.\n"
        assert status(*data, folder=tmp_path) == "The gateway holds no study.\n"
        assert json.loads(status(*data, "--json", folder=tmp_path)) == {"studies": []}
        assert simulate("send", "studies", "--to", gateway.address, folder=tmp_path).returncode == 0
        gateway.await_states(3)
        document: dict[str, Any] = json.loads(status(*url, "--json", folder=tmp_path))
        assert json.loads(status(*data, "--json", folder=tmp_path)) == document
        table = status(*url, folder=tmp_path)
        assert status(*data, folder=tmp_path) == table
    assert json.loads(status(*data, "--json", folder=tmp_path)) == document
    assert status(*data, folder=tmp_path) == table

    jsonschema.validate(document, schema("status").schema)
    assert document["studies"][0] == {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "state": "unmatched",
        "reasons": ["order.not-found"],
        "warnings": [],
        "instances": 3,
        "series": 1,
        "purged": None,
        "order": None,
        "forwarding": [],
        "answers": {},
    }
    assert document["studies"][2]["reasons"] == ["accession.missing"]

    # A pipe gets each study whole on a line of its own, and what the wire said as it was.
    lines = table.splitlines()
    assert lines[1].split() == [
        study.accession_number, "unmatched", "3", "1", "order.not-found", study.study_instance_uid,
    ]  # fmt: skip
    assert lines[2].startswith(ODD)
    assert lines[2].rstrip().endswith(odd.study_instance_uid)
    assert lines[3].startswith("(none)")


def test_in_a_narrow_terminal_nothing_that_is_copied_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = made.a_study("narrow")
    processes.written(study, tmp_path / "study")
    with processes.gateway(tmp_path) as gateway:
        assert simulate("send", "study", "--to", gateway.address, folder=tmp_path).returncode == 0
        gateway.await_states(1)
        monkeypatch.setattr(terminal, "out", Console(force_terminal=True, width=60, color_system=None))
        status_command.command(url=None, data=gateway.data, as_json=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        study.study_instance_uid,
        f"  Accession  {study.accession_number}",
        "  State      unmatched",
        "  Images     1 in 1 series",
        "  Why        order.not-found",
    ]


def test_another_web_server_is_not_a_gateway(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        done = simulate("status", "--url", f"{gateway.http_url}/orders", folder=tmp_path)
    assert done.returncode == 3
    assert "is no gateway of this simulator" in done.stderr
