"""`simulate --step`: a pause before each step, what is done next, and what was seen since."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.processes import DEADLINE, SIMULATE, environment, simulate

STEP = ("--scenario", "own", "--scenarios", "scenarios", "--step", "--seed", "7")
STORY = """\
scenario: own
title: Two orders at once, and a study
explain: For a person.
tags: [own]
verifies: [COM-1]
given:
  site: {gateway: {quiet_period: 0.3}}
  orders: {order: {}, other: {}}
  studies: {study: {series: [{instances: 2}]}}
when:
  - together: [{send_order: order}, {send_order: other}]
  - store: study
  - wait: {study: study, state: forwarded}
then:
  gateway: {studies: {study: {state: forwarded}}}
"""


def stepped(folder: Path, typed: str) -> subprocess.CompletedProcess[str]:
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "own.yaml").write_text(STORY, encoding="utf-8")
    return subprocess.run(
        [*SIMULATE, *STEP],
        cwd=folder,
        env=environment(),
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=2 * DEADLINE,
        check=False,
    )


def test_each_step_waits_for_enter_and_what_was_seen_is_told(tmp_path: Path) -> None:
    done = stepped(tmp_path, "\n\n\n")
    assert (done.returncode, done.stderr) == (0, "")
    parts = done.stdout.split("Enter: ")
    assert len(parts) == 4
    begun, ordered, stored, ended = parts
    assert "runner: gateway HAGATEWAY started: its DICOM and HL7 ports listen" in begun
    assert "0.together.0  send_order: order\n     The order placer sends this order by MLLP.\n" in begun
    assert "0.together.1  send_order: other\n" in begun
    assert ordered.startswith("these at the same time · q: end the run")
    assert ordered.count("sent and acknowledged AA") == 2
    assert "  1  store: study\n     The modality sends this study by C-STORE.\n" in ordered
    assert stored.startswith("do it · q: end the run")
    assert "sent and acknowledged" not in stored  # it was told at the pause before
    assert "modality: 2 instances of the study answered 0000" in stored
    assert "  2  wait: {study: study, state: forwarded}\n" in stored
    assert "runner: waited for study study forwarded: seen" in ended
    assert "Passed: all of 3 checks." in ended  # the state, the wait, and that the gateway ended well


def test_q_and_the_end_of_the_input_end_the_run_without_a_result(tmp_path: Path) -> None:
    for number, typed in enumerate(("\nq\n", "\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = stepped(folder, typed)
        assert done.returncode == 3
        assert done.stdout.count("Enter: ") == 2
        assert "error: interrupted: this run has no result" in done.stderr
        [run] = (folder / "reports").iterdir()
        assert not (run / "result.json").exists()


def test_without_anybody_to_press_enter_nothing_runs(tmp_path: Path) -> None:
    done = simulate("--scenario", "echo", "--step", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: --step waits for Enter, and standard input is empty" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_side_by_side_nobody_can_step(tmp_path: Path) -> None:
    done = simulate("--scenario", "echo", "--step", "-j", "2", folder=tmp_path)
    assert done.returncode == 2
    assert "leave -j out" in done.stderr
