"""Scenarios as tests of pytest, in projects of their own: what is collected, passes, fails, errs and is skipped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import processes

pytestmark = pytest.mark.scenario

ECHO = """\
scenario: echo-here
title: The gateway answers
explain: Look at the port.
verifies: [SOP-1]
tags: [quick-one]
applies_to: [sends]
when:
  - echo: gateway
then:
  wire: {echo: {status: "0000"}}
for_each:
  - with: {which: right}
  - with: {which: wrong}
    then: {wire: {echo: {status: "0122"}}}
"""
UNSEEN = """\
scenario: unseen
title: A fault that never comes
explain: Nothing was shown.
verifies: [SOP-1]
fault: {on: modality->gateway, at: "C-ECHO-RQ#9", do: abort}
when:
  - echo: gateway
then:
  wire: {echo: {status: "0000"}}
"""
ORDERS = """\
scenario: orders
title: An order is acknowledged
explain: Look at the RIS.
verifies: [HL7-1]
given: {orders: {order: {}}}
when:
  - send_order: order
then:
  wire: {orders: {order: {acknowledgement: AA}}}
for_each:
  - with: {which: one}
  - with: {which: another}
"""
STRICT = "[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The folders of cases that fail are kept, and go with the project.
    (tmp_path / "kept").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "kept"))
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "pytest.ini").write_text(STRICT, encoding="utf-8")
    (tmp_path / "scenarios" / "echo-here.yaml").write_text(ECHO, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], folder)


def ended(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return the counts of pytest's last line."""
    last = done.stdout.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error|skipped|deselected)", last)}


def test_each_case_is_a_test_and_a_failure_says_what_was_expected_and_observed(project: Path) -> None:
    done = run(project, "scenarios", "-v", "--simulate-seed", "5")
    assert ended(done) == {"passed": 1, "failed": 1}, done.stdout + done.stderr
    assert done.returncode == 1
    for words in (
        "simulate: seed 5",
        "scenarios/echo-here.yaml::echo-here[right] PASSED",
        "wire.echo.status (failed): C-ECHO was answered 0000",
        "expected  0122",
        "observed  0000",
        "Look at the port.",
        "again: pytest 'scenarios/echo-here.yaml::echo-here[wrong]' --simulate-seed 5",
    ):
        assert words in done.stdout, words
    kept = re.search(r"what was seen: (\S+)", done.stdout)
    assert kept is not None
    written = {"history.jsonl", "result.json", "junit.xml", "report.html"}
    assert written <= {file.name for file in Path(kept[1]).iterdir()}


def test_tags_and_levels_are_marks_and_names_select(project: Path) -> None:
    assert ended(run(project, "scenarios", "-m", "quick-one and must", "-k", "right")) == {"passed": 1, "deselected": 1}
    assert ended(run(project, "scenarios", "-m", "not quick-one")) == {"deselected": 2}
    assert ended(run(project, "scenarios/echo-here.yaml::echo-here[right]")) == {"passed": 1}


TELLS_WHAT_WAS_SENT = """\
from pathlib import Path

from simulator.events import OrderAcknowledged

def pytest_simulate_outcome(item, outcome):
    acknowledged = [event.accession_number for event in outcome.history.of(OrderAcknowledged)]
    with Path("told").open("a") as told:
        told.write(f"{item.name} {item.config.option.simulate_seed} {acknowledged}\\n")
"""


def told(project: Path, *arguments: str) -> list[list[str]]:
    """Run the orders of the project; return for each case its id, the seed in its process, and what was sent."""
    (project / "told").unlink(missing_ok=True)
    done = run(project, "scenarios/orders.yaml", *arguments)
    assert ended(done) == {"passed": 2}, done.stdout + done.stderr
    lines = (project / "told").read_text(encoding="utf-8").splitlines()
    return sorted(line.split(" ", 2) for line in lines)


def test_workers_of_xdist_share_the_seed_and_a_seed_sends_the_same_again(project: Path) -> None:
    (project / "conftest.py").write_text(TELLS_WHAT_WAS_SENT, encoding="utf-8")
    (project / "scenarios" / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    drawn = told(project, "-n", "2")
    (seed,) = {seed for _, seed, _ in drawn}
    assert told(project, "--simulate-seed", seed) == drawn
    other = told(project, "--simulate-seed", str(int(seed) ^ 1))
    assert [sent for *_, sent in other] != [sent for *_, sent in drawn]


def test_what_is_not_proven_fails_and_what_is_not_about_the_facility_is_skipped(project: Path) -> None:
    (project / "scenarios" / "unseen.yaml").write_text(UNSEEN, encoding="utf-8")
    (project / "clinic.yaml").write_text("facility: {does: [receives]}\n", encoding="utf-8")
    done = run(project, "scenarios", "-rs", "--simulate-site", "clinic.yaml")
    assert ended(done) == {"failed": 1, "skipped": 2}, done.stdout + done.stderr
    assert "fault (inconclusive): " in done.stdout
    assert "does not do this: sends" in done.stdout


def test_what_the_simulator_cannot_carry_out_is_an_error_and_no_failure(project: Path) -> None:
    # The certificate that the story asks for is not among those that a run makes.
    broken = ECHO.replace("when:", "given: {site: {gateway: {tls: {certificate: no.pem, key: no.key}}}}\nwhen:")
    (project / "scenarios" / "echo-here.yaml").write_text(broken, encoding="utf-8")
    done = run(project, "scenarios", "-k", "right")
    assert ended(done) == {"error": 1, "deselected": 1}, done.stdout + done.stderr
    assert "harness (error): the gateway ended" in done.stdout
    assert "pytest_plugin.py" not in done.stdout


def test_a_file_that_does_not_load_is_an_error_with_its_place(project: Path) -> None:
    text = ECHO.replace("title:", "titel:")
    (project / "scenarios" / "echo-here.yaml").write_text(text, encoding="utf-8")
    done = run(project, "scenarios")
    assert done.returncode == 2
    assert "echo-here.yaml:2:1: unknown key 'titel' (did you mean 'title'?)" in done.stdout


def test_a_slip_in_the_first_key_is_an_error_too(project: Path) -> None:
    (project / "scenarios" / "echo-here.yaml").write_text(ECHO.replace("scenario:", "scenaro:"), encoding="utf-8")
    done = run(project, "scenarios")
    assert done.returncode == 2
    assert "unknown key 'scenaro' (did you mean 'scenario'?)" in done.stdout


@pytest.mark.parametrize("mark", ["skip", "xfail", "timeout"])
def test_a_tag_by_which_pytest_would_do_something_is_refused(mark: str, project: Path) -> None:
    (project / "scenarios" / "echo-here.yaml").write_text(ECHO.replace("quick-one", mark), encoding="utf-8")
    done = run(project, "scenarios")
    assert done.returncode == 2
    assert f"echo-here.yaml:5:8: the tag '{mark}' is a mark by which pytest does something" in done.stdout


def test_a_site_profile_that_does_not_load_ends_the_run_at_once(project: Path) -> None:
    (project / "clinic.yaml").write_text("facilty: {does: [receives]}\n", encoding="utf-8")
    done = run(project, "scenarios", "--simulate-site", "clinic.yaml")
    assert done.returncode == 4
    assert done.stderr.strip() == "ERROR: clinic.yaml:1:1: unknown key 'facilty' (did you mean 'facility'?)"


def test_a_seed_that_is_none_ends_the_run_at_once(project: Path) -> None:
    done = run(project, "scenarios", "--simulate-seed=-1")
    assert done.returncode == 4
    assert "a seed is a whole number from 0 on; found '-1'" in done.stderr


def test_who_only_has_the_package_installed_imports_nothing_of_it_but_the_plugin(tmp_path: Path) -> None:
    lists = """\
import sys

def pytest_unconfigure():
    print("loaded:", sorted(name for name in sys.modules if name.partition(".")[0] in ("simulator", "pydantic")))
"""
    (tmp_path / "conftest.py").write_text(lists, encoding="utf-8")
    assert "loaded: ['simulator', 'simulator.pytest_plugin']" in run(tmp_path, "--collect-only").stdout


def test_other_peoples_yaml_is_left_alone(project: Path) -> None:
    (project / "scenarios" / "echo-here.yaml").write_text("services: {web: {}}\n", encoding="utf-8")
    elsewhere = project / "ci" / "echo-here.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(ECHO, encoding="utf-8")
    done = run(project)
    assert done.returncode == 5
    assert "simulate" not in done.stdout
    assert "echo-here[right]" in run(project, "ci/echo-here.yaml", "--collect-only", "-q").stdout


def test_a_conftest_may_look_at_what_passed(project: Path) -> None:
    looks = "def pytest_simulate_outcome(item, outcome):\n    assert len(outcome.findings) == 99, outcome.id\n"
    (project / "conftest.py").write_text(looks, encoding="utf-8")
    done = run(project, "scenarios", "-k", "right")
    assert ended(done) == {"failed": 1, "deselected": 1}
    assert "AssertionError: echo-here[right]" in done.stdout
    kept = re.search(r"what was seen: (\S+)", done.stdout)
    assert kept is not None
    assert (Path(kept[1]) / "history.jsonl").is_file()
