"""`simulate --scenario`: what it prints, what it writes, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from subprocess import PIPE
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from simulator.errors import HarnessError
from simulator.events import OrderAcknowledged, StoreAnswered
from simulator.scenario import history
from tests.cli import stories
from tests.cli.schemas import schema
from tests.processes import DEADLINE, SIMULATE, await_end, environment, simulate


def result(reports: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((reports / "latest" / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema("result").schema)
    return document


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    cases = [case for scenario in document["scenarios"] for case in scenario["cases"]]
    return {check["check"]: check["verdict"] for case in cases for check in case["checks"]}


def sent(reports: Path) -> list[tuple[str, ...]]:
    """Return the digests of every instance sent, and who was told of which order, from the saved history."""
    _, cases = history.read(reports / "latest" / "history.jsonl")
    stored = [
        (case.case, e.sop_instance_uid, e.data_set_digest, e.pixel_data_digest)
        for case in cases
        for e in case.of(StoreAnswered)
    ]
    ordered = [
        (case.case, e.accession_number, e.message_control_id) for case in cases for e in case.of(OrderAcknowledged)
    ]
    assert stored
    assert ordered
    return [*stored, *ordered]


def test_a_run_that_passes_is_0_and_writes_every_report(tmp_path: Path) -> None:
    done = simulate("--scenario", "echo", "--seed", "7", "--reports", "out", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "seed 7"
    assert "Again   simulate replay out/" in done.stdout

    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.name != "latest")
    assert folder.name.endswith("Z-echo")
    assert (tmp_path / "out" / "latest").resolve() == folder.resolve()
    assert {"result.json", "junit.xml", "report.html", "history.jsonl"} <= {file.name for file in folder.iterdir()}

    document = result(tmp_path / "out")
    assert (document["verdict"], document["exit_code"], document["seed"]) == ("pass", 0, 7)
    assert verdicts(document)["wire.echo.status"] == "pass"
    assert sum(document["counts"].values()) == len(verdicts(document)) > 0
    suites = ElementTree.parse(folder / "junit.xml").getroot()
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    assert int(suites.get("tests") or 0) > 0
    assert simulate("--scenario", "echo", "--scenario", "ecko", "--reports", "out", folder=tmp_path).returncode == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"latest", folder.name}, (
        "nothing ran, but was reported"
    )
    header, cases = history.read(folder / "history.jsonl")
    assert (header["name"], header["seed"], [case.case for case in cases]) == ("echo", 7, ["echo"])
    assert 'http-equiv="refresh"' not in (page := (folder / "report.html").read_text(encoding="utf-8"))
    assert "<html" in page
    assert 'src="http' not in page, "the report is not self-contained"


def test_json_alone_stands_on_stdout(tmp_path: Path) -> None:
    done = simulate("--scenario", "echo", "--seed", "7", "--json", folder=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == result(tmp_path / "reports")
    assert done.stderr.splitlines()[0] == "seed 7"


def test_a_new_run_has_a_seed_that_is_printed_and_enough_to_repeat_it(tmp_path: Path) -> None:
    stories.write(tmp_path)
    assert simulate("--scenario", "mine", "--reports", "first", folder=tmp_path).returncode == 0
    seed = str(result(tmp_path / "first")["seed"])
    again = simulate("--tag", "own", "--seed", seed, "--reports", "again", folder=tmp_path)
    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == f"seed {seed}"
    assert sent(tmp_path / "again") == sent(tmp_path / "first")


def test_a_wrong_expectation_is_1_and_exactly_that_check_is_named(tmp_path: Path) -> None:
    stories.write(tmp_path, ("state: unmatched, instances: 2}", "state: unmatched, instances: 1}"))
    done = simulate("--scenario", "mine", folder=tmp_path)
    assert done.returncode == 1
    document = result(tmp_path / "reports")
    assert (document["verdict"], document["exit_code"]) == ("fail", 1)
    assert [c for c, verdict in verdicts(document).items() if verdict != "pass"] == ["gateway.studies.study.instances"]
    (failed,) = (
        check for case in document["scenarios"][0]["cases"] for check in case["checks"] if check["verdict"] == "fail"
    )
    assert (failed["expected"], failed["observed"]) == (1, 2)
    assert "gateway.studies.study.instances" in done.stdout
    assert "gateway.studies.study.state" not in done.stdout
    suites = ElementTree.parse(tmp_path / "reports" / "latest" / "junit.xml").getroot()
    assert (suites.get("failures"), suites.get("errors")) == ("1", "0")


def test_a_site_profile_of_ones_own_holds_in_a_run(tmp_path: Path) -> None:
    """Under a profile that rejects what is unmatched, the same story ends in another state."""
    stories.write(tmp_path, ("state: unmatched, instances: 2}", "state: rejected}"))
    (tmp_path / "site.yaml").write_text("site: strict\nunmatched: reject\n", encoding="utf-8")
    done = simulate("--scenario", "mine", "--site", "site.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert result(tmp_path / "reports")["site"] == "strict"


def test_what_libraries_warn_of_stands_in_the_log_of_the_run(tmp_path: Path) -> None:
    """pydicom warns of a name that it cannot read, and the remote SCP of the run reads with it."""
    told = (("another-sex", "utf-8-name-undeclared"), ("state: unmatched", "state: forwarded"))
    stories.write(tmp_path, *told)
    done = simulate("--scenario", "mine", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (log,) = (tmp_path / "reports" / "latest").glob("*.log")
    assert "Failed to decode byte string" in log.read_text(encoding="utf-8")


def started(folder: Path, workers: int) -> subprocess.Popen[str]:
    """Start a run of several cases, and return it when its first case has ended."""
    command = [*SIMULATE, "--scenario", "unmatched", "--seed", "7", "-j", str(workers)]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "passed" in line:
            return process
    raise AssertionError("the run ended before its first case did")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_run_keeps_what_it_saw_and_leaves_no_gateway(
    number: signal.Signals, workers: int, tmp_path: Path
) -> None:
    process = started(tmp_path, workers)
    process.send_signal(number)
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    assert "error: interrupted: this run has no result" in said
    (folder,) = (tmp_path / "reports").iterdir()
    assert not (folder / "result.json").exists()
    with pytest.raises(HarnessError, match="no footer"):
        history.read(folder / "history.jsonl")
    assert '"case": "unmatched[hkid]"' in (folder / "history.jsonl").read_text(encoding="utf-8")
    for ready in folder.rglob("ready.json"):
        await_end(json.loads(ready.read_text(encoding="utf-8"))["pid"])
    assert not list(folder.glob("cases/*/data"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_while_the_story_is_read_leaves_nobody(number: signal.Signals, tmp_path: Path) -> None:
    profile = tmp_path / "site.yaml"
    os.mkfifo(profile)  # whose reader waits until something is written
    command = [*SIMULATE, "--scenario", "echo", "--site", str(profile)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE, text=True)
    with profile.open("wb"):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    assert "error: interrupted: this run has no result" in said
    assert children
    for pid in children:
        await_end(int(pid))


def test_a_reader_that_leaves_changes_neither_the_run_nor_its_exit_code(tmp_path: Path) -> None:
    command = [*SIMULATE, "--scenario", "echo", "--seed", "7"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "seed 7\n"
    process.stdout.close()
    assert process.wait(DEADLINE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert result(tmp_path / "reports")["verdict"] == "pass"


def test_a_report_names_the_profile_that_was_given_even_when_it_names_itself_by_default(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("gateway: {ae_title: MYGW}\n", encoding="utf-8")
    done = simulate("--scenario", "echo", "--site", "mine.yaml", "--seed", "7", folder=tmp_path)
    assert done.returncode == 0
    assert result(tmp_path / "reports")["site"] == "mine"
    page = (tmp_path / "reports" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "simulate --scenario echo --seed 7 --site FILE" in page


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_leaves_nobody_standing_and_a_history_that_is_unfinished(
    workers: int, tmp_path: Path
) -> None:
    process = started(tmp_path, workers)
    process.kill()
    process.communicate(timeout=DEADLINE)
    (folder,) = (tmp_path / "reports").iterdir()
    pids = [json.loads(ready.read_text(encoding="utf-8"))["pid"] for ready in folder.rglob("ready.json")]
    assert pids
    for pid in pids:
        await_end(pid)
    done = simulate("check", folder, folder=tmp_path)
    assert done.returncode == 3
    assert "the run that wrote it did not finish" in done.stderr
    assert simulate("replay", folder, "--case", "unmatched[sex]", folder=tmp_path).returncode == 0
