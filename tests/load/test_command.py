"""`simulate load`: what it counts is what the gateway holds, what fails is told, and nobody is left standing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from simulator.wire.gateway_api import GatewayApi
from tests import processes
from tests.cli.schemas import schema
from tests.processes import SIMULATE, RunningGateway, await_end, await_file, simulate

SMALL = ("--modalities", "2", "--images", "5", "--size", "64x64", "--seed", "7")
SECONDS_TO_END = 15.0  # what a loaded machine needs for what takes two


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def found_in(folder: Path) -> dict[str, Any]:
    """Return load.json of the only run in a folder, after a look whether it adds up."""
    [file] = (folder / "reports").glob("*-load/load.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(found, schema("load").schema)
    counts = found["instances"]
    assert counts["stored"] == sum(moment["stored"] for moment in found["timeline"])
    assert counts["stored"] == sum(each["stored"] for each in found["modalities"])
    assert counts["bytes"] == sum(moment["bytes"] for moment in found["timeline"])
    assert counts["answered"] == sum(bar["count"] for bar in found["histogram"]) == sum(found["statuses"].values())
    assert counts["answered"] == found["c_store"]["count"]
    store = found["c_store"]
    assert store["p50"] <= store["p90"] <= store["p99"] <= store["max"]
    page = (file.parent / "report.html").read_text(encoding="utf-8")
    assert f"{counts['stored']} instances stored" in page
    return found


def failures(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    told: dict[tuple[str, str], int] = {}
    for each in found["failures"]:
        key = each["what"], each["status"]
        told[key] = told.get(key, 0) + each["count"]
    return told


def quick_site(folder: Path) -> Path:
    file = folder / "site.yaml"
    file.write_text("gateway: {quiet_period: 0.3}\naccession: {check_digit: hkid-style}\n", encoding="utf-8")
    return file


def test_two_modalities_for_two_seconds_and_what_the_gateway_of_the_run_holds(tmp_path: Path) -> None:
    done = simulate("load", *SMALL, "--for", "2s", "--site", quick_site(tmp_path), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = found_in(tmp_path)
    held = found["gateway"]
    assert found["verdict"] == "pass"
    assert held["instances"] == found["instances"]["stored"] == found["instances"]["answered"] > 10
    assert (
        found["studies"] <= held["studies"] <= found["association"]["count"] <= held["studies"] + 2
    )  # at the end, none
    assert held["states"] == {"matched": held["studies"]}
    assert held["exit_code"] == 0
    assert found["statuses"] == {"0000": held["instances"]}
    assert found["order"]["count"] >= held["studies"]
    assert 2.0 <= found["duration"] < 2.0 + SECONDS_TO_END
    assert f"the gateway holds {held['instances']} instances of {held['studies']} studies" in done.stdout
    [folder] = (tmp_path / "reports").iterdir()
    assert {file.name for file in folder.iterdir()} >= {"load.json", "report.html", "gateway"}
    assert not (folder / "gateway" / "data").exists()


def test_so_many_studies_go_to_a_gateway_that_runs_and_match_there(gateway: RunningGateway, tmp_path: Path) -> None:
    before = len(gateway.studies())
    options = ("--studies", "3", "--to", gateway.address, "--orders", gateway.hl7, "--json")
    done = simulate("load", *SMALL, *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = found_in(tmp_path)
    assert json.loads(done.stdout) == found
    assert found["gateway"] is None
    assert [each["studies"] for each in found["modalities"]] == [3, 3]
    assert found["studies"] == 6
    assert found["order"]["count"] == 6
    assert found["instances"]["stored"] == 30
    studies = gateway.await_states(before + 6, ("matched",))
    assert sum(study["instances"] for study in studies) == 30
    assert {study["state"] for study in studies} == {"matched"}


def test_a_gateway_that_rejects_every_association_is_1_and_each_is_counted(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    wrong = gateway.address.replace(gateway.ae_title, "SOMEBODY")
    done = simulate("load", *SMALL, "--studies", "2", "--to", wrong, folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    found = found_in(tmp_path)
    assert found["verdict"] == "fail"
    assert failures(found) == {("association", ""): 4}
    assert "called AE title" in found["failures"][0]["words"]
    assert found["instances"] == {"answered": 0, "stored": 0, "failed": 0, "bytes": 0}
    assert "failed: association" in done.stdout


def test_instances_that_are_answered_with_a_failure_are_counted_by_status(tmp_path: Path) -> None:
    limit = {"limit": 3, "mode": "reject", "status": "A7FF"}
    with processes.gateway(tmp_path / "gateway", image_limit=limit) as gateway:
        done = simulate("load", *SMALL, "--studies", "2", "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    found = found_in(tmp_path)
    assert found["statuses"] == {"0000": 12, "A7FF": 8}
    assert failures(found) == {("C-STORE", "A7FF"): 8}
    assert found["instances"]["stored"] == 12
    assert found["instances"]["failed"] == 8
    assert found["studies"] == 0


def test_a_gateway_that_is_killed_in_the_midst_holds_what_was_counted(tmp_path: Path) -> None:
    with processes.gateway(tmp_path / "gateway") as gateway:
        options = (*SMALL, "--for", "3s", "--to", gateway.address)
        with processes.running([*SIMULATE, "load", *options], tmp_path, tmp_path / "log") as load:
            gateway.await_event("InstanceStored")
            gateway.process.kill()
            gateway.process.wait(SECONDS_TO_END)
            assert load.wait(SECONDS_TO_END) == 1, (tmp_path / "log").read_text()
    found = found_in(tmp_path)
    told = failures(found)
    assert found["instances"]["stored"] > 0
    assert set(told) <= {("association", ""), ("C-STORE", "")}
    assert any("nothing listens" in each["words"] for each in found["failures"])
    with processes.gateway(tmp_path / "gateway") as again:
        held = sum(study["instances"] for study in again.studies())
    in_doubt = told.get(("C-STORE", ""), 0)
    assert found["instances"]["stored"] <= held <= found["instances"]["stored"] + in_doubt


@contextmanager
def endless(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a load without an end; give it, and who stands for it, once its gateway has stored something."""
    command = [*SIMULATE, "load", *SMALL, "--studies", "10000", "--site", quick_site(folder)]
    with processes.running(command, folder, folder / "log") as load:
        deadline = time.monotonic() + processes.DEADLINE
        while not (ready := list((folder / "reports").glob("*-load/gateway/ready.json"))):
            assert load.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
        told = json.loads(await_file(ready[0], load, folder / "log"))
        for event in GatewayApi(told["http_url"]).events():
            if event["event"] == "InstanceStored":
                break
        yield load, [told["pid"], *below(load.pid)]


def below(pid: int) -> list[int]:
    """Return the processes that a process started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]


def test_ctrl_c_ends_a_load_within_seconds_with_its_report_and_nobody_is_left(tmp_path: Path) -> None:
    with endless(tmp_path) as (load, others):
        assert len(others) >= 4  # two modalities, the gateway, and who forked it
        began = time.monotonic()
        load.send_signal(signal.SIGINT)
        assert load.wait(SECONDS_TO_END) == 3, (tmp_path / "log").read_text()
        assert time.monotonic() - began < SECONDS_TO_END
    found = found_in(tmp_path)
    assert (found["interrupted"], found["verdict"], found["failures"]) == (True, "inconclusive", [])
    assert found["instances"]["stored"] == found["gateway"]["instances"] > 0
    for pid in others:
        await_end(pid)


def test_a_load_that_is_killed_leaves_nobody_standing(tmp_path: Path) -> None:
    with endless(tmp_path) as (load, others):
        load.kill()
        load.wait(SECONDS_TO_END)
    for pid in others:
        await_end(pid)


def test_a_gateway_of_the_run_that_dies_answers_for_it(tmp_path: Path) -> None:
    with endless(tmp_path) as (load, (gateway, *_)):
        os.kill(gateway, signal.SIGKILL)
        await_end(gateway)
        load.send_signal(signal.SIGINT)
        assert load.wait(SECONDS_TO_END) == 1, (tmp_path / "log").read_text()
    found = found_in(tmp_path)
    assert found["verdict"] == "fail"
    assert found["gateway"] == {"studies": None, "instances": None, "states": {}, "exit_code": -signal.SIGKILL}


def test_a_modality_that_dies_is_our_own_error(tmp_path: Path) -> None:
    with endless(tmp_path) as (load, others):
        playing = [pid for pid in others if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(playing) == 2
        os.kill(playing[0], signal.SIGKILL)
        await_end(playing[0])
        load.send_signal(signal.SIGINT)
        assert load.wait(SECONDS_TO_END) == 3, (tmp_path / "log").read_text()
    found = found_in(tmp_path)
    assert found["verdict"] == "error"
    [problem] = found["problems"]
    assert problem.endswith("the process ended with code -9")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--for", "soon"), "--for 'soon' is no time"),
        (("--for", "0s"), "--for 0 sends nothing"),
        (("--size", "big"), "--size 'big' is no size"),
        (("--size", "8x8"), "16 to 65535 rows and columns"),
        (("--sop-class", "CTImageStorag"), "CTImageStorag"),
        (("--to", "HAGW"), "'HAGW' is not an address"),
        (("--to", "HAGW@192.0.2.7:104"), "192.0.2.7:104 is not on this machine"),
        (("--to", "HAGW@127.0.0.1:104", "--orders", "192.0.2.7:2575"), "192.0.2.7:2575 is not on this machine"),
        (("--orders", "127.0.0.1:2575"), "--orders is for a gateway of --to"),
        (("--calling", "A" * 17), "is not an AE title"),
        (("--studies", "100001"), "--studies is 100000 at most"),
        (("--site", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_bad_usage_is_2_and_nothing_is_written(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = simulate("load", *options, folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_path_for_locust_is_a_file(tmp_path: Path) -> None:
    done = simulate("load", "--locust-file", folder=tmp_path)
    assert Path(done.stdout.strip()).is_file()
