"""`simulate certify` as a person, or CI, runs it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator.certify import broken
from simulator.certify.rehearsal import Facility
from simulator.certify.session import Session
from tests.certify.played import declare
from tests.processes import SIMULATE, environment, simulate

PATIENCE = 60.0


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    """The declaration of a facility with a CT that only sends: nothing of it listens."""
    ct = {
        "name": "CT01",
        "ae_title": "CT01",
        "host": "127.0.0.1",
        "does": ["sends"],
        "sop_classes": ["CT Image Storage"],
    }
    return declare(tmp_path, systems=[ct], orders={"sent_by": "tool"})


def begun(folder: Path, declared: Path) -> None:
    done = simulate("certify", "new", "--site", declared, "--seed", "3", folder=folder)
    assert done.returncode == 0, done.stderr


def test_new_prints_the_tests_and_why_others_do_not_apply(tmp_path: Path, declared: Path) -> None:
    done = simulate("certify", "new", "--site", declared, "--seed", "3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seed 3\nYour 3 tests:\n  echo[CT01]  CT01 asks the gateway for Verification\n" in done.stdout
    assert "commitment  no system of the declaration asks for storage commitment" in done.stdout
    again = simulate("certify", "new", "--site", declared, folder=tmp_path)
    assert again.returncode == 2
    assert "there is a session in reports/certify already" in again.stderr


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ae_title": "A" * 17}, "systems.0.ae_title: an AE title is 1 to 16 printable ASCII characters"),
        ({"port": 0}, "systems.0.port: input should be greater than or equal to 1"),
        ({"host": "no-such-host.invalid"}, "systems.0.host: the host 'no-such-host.invalid' does not resolve"),
        ({"does": ["commitment"]}, "name the `port` on which CT01 listens: the gateway calls it for that"),
        ({"sop_classes": []}, "name the `sop_classes` of the images that CT01 sends or receives"),
        ({"sop_classes": ["CT Imag"]}, "systems.0.sop_classes.0: "),
        ({"transfer_syntaxes": ["MPEG2"]}, "systems.0.transfer_syntaxes.0: "),
    ],
)
def test_a_declaration_that_lies_is_told_with_its_field(
    wrong: dict[str, object], told: str, tmp_path: Path, declared: Path
) -> None:
    content = YAML(typ="safe").load(declared)
    content["systems"][0] |= wrong
    with declared.open("w", encoding="utf-8") as out:
        YAML().dump(content, out)
    done = simulate("certify", "new", "--site", declared, folder=tmp_path)
    assert done.returncode == 2
    assert re.search(r"played\.yaml:\d+:\d+: ", done.stderr), done.stderr
    assert told in done.stderr
    assert not (tmp_path / "reports" / "certify").exists()


def test_questions_make_a_declaration(tmp_path: Path) -> None:
    answers = ["Small Centre", "SML", "HAGATEWAY", "127.0.0.1", "11112", "2575"]
    answers += ["US01", "US01", "127.0.0.1", "y", "n", "n", "Ultrasound Image Storage", "", "n", "n", "n"]
    done = subprocess.run(
        [*SIMULATE, "certify", "new", "--seed", "1"],
        input="\n".join(answers) + "\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "study[US01,UltrasoundImage]" in done.stdout


def test_steps_without_a_session_say_how_to_begin(tmp_path: Path) -> None:
    for step in ("preflight", "run", "status", "report", "recheck", "worksheet"):
        done = simulate("certify", step, folder=tmp_path)
        assert done.returncode == 2, step
        assert "`simulate certify new` begins one" in done.stderr


def test_the_worksheet_is_written(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    assert simulate("certify", "worksheet", folder=tmp_path).returncode == 0
    assert (tmp_path / "reports" / "certify" / "worksheet.pdf").read_bytes().startswith(b"%PDF")
    page = (tmp_path / "reports" / "certify" / "worksheet.html").read_text(encoding="utf-8")
    with Session(tmp_path / "reports" / "certify") as session:
        numbers = [entry.order.accession_number for test in session.tests if (entry := test.entry)]
    assert numbers
    assert all(number in page for number in numbers)


def test_red_in_the_preflight_stops_with_a_card(tmp_path: Path) -> None:
    begun(tmp_path, declare(tmp_path))
    done = simulate("certify", "preflight", folder=tmp_path)
    assert done.returncode == 1
    assert "Connection refused (tcp.refused)" in done.stdout
    assert "who mends it" in done.stdout


def test_without_a_person_or_answers_nothing_is_run(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    done = simulate("certify", "run", folder=tmp_path)
    assert done.returncode == 2
    assert "nobody is at the keyboard" in done.stderr


def test_answers_skip_and_note_and_exit_codes_tell(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    answers = tmp_path / "answers.yaml"
    answers.write_text("by: A. Chan\nothers: {skip: the CT is in use, note: asked twice}\n", encoding="utf-8")
    done = simulate("certify", "run", "--answers", answers, folder=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "echo[CT01]: was skipped (the CT is in use)" in done.stdout
    status = simulate("certify", "status", folder=tmp_path)
    assert status.returncode == 1
    assert "skipped" in status.stdout
    report = simulate("certify", "report", folder=tmp_path)
    assert report.returncode == 1
    page = (tmp_path / "reports" / "certify" / "report.html").read_text(encoding="utf-8")
    assert "asked twice" in page
    verified = simulate("certify", "verify", "reports/certify/evidence.zip", folder=tmp_path)
    assert verified.returncode == 0, verified.stdout


def test_answers_about_a_test_that_is_none_are_a_mistake(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    answers = tmp_path / "answers.yaml"
    answers.write_text("by: A. Chan\ntests: {'ecko[CT01]': {skip: no}}\n", encoding="utf-8")
    done = simulate("certify", "run", "--answers", answers, folder=tmp_path)
    assert done.returncode == 2
    assert "the session has no test 'ecko[CT01]'" in done.stderr
    assert "did you mean 'echo[CT01]'?" in done.stderr


def test_a_bundle_with_a_byte_changed_does_not_verify(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    simulate("certify", "report", folder=tmp_path)
    bundle = tmp_path / "reports" / "certify" / "evidence.zip"
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    done = simulate("certify", "verify", bundle, folder=tmp_path)
    assert done.returncode == 1
    assert "The bundle does NOT verify." in done.stdout


def test_ctrl_c_loses_nothing_and_the_next_run_goes_on(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    answers = tmp_path / "answers.yaml"
    answers.write_text("by: A. Chan\n", encoding="utf-8")
    with subprocess.Popen(
        [*SIMULATE, "certify", "run", "--answers", str(answers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(),
    ) as running:
        assert running.stdout is not None
        assert any("echo[CT01]: At CT01" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 3
    assert "`simulate certify run` goes on where this was left" in told
    with Session(tmp_path / "reports" / "certify") as session:
        [attempt] = session.attempts("echo[CT01]")
        assert attempt.outcome is None
        whole = session.last_pass("whole")
        assert whole is not None
        assert session.missing(whole) == session.applicable


def test_a_person_at_a_terminal_is_shown_what_to_do_and_stops_by_a_key(tmp_path: Path, declared: Path) -> None:
    begun(tmp_path, declared)
    code, shown = _at_a_terminal(tmp_path, ["certify", "run"], wait_for="left", key=b"q")
    assert code == 3, shown
    assert "Test 1 of 3: echo[CT01]" in shown
    assert "At CT01, send a C-ECHO to HAGATEWAY@127.0.0.1" in shown
    assert "CERTIFIABLE: no" in shown


@pytest.mark.parametrize(("named", "code"), [("well", 0), ("broken:called-title-wrong", 1)])
def test_a_rehearsal_goes_through_everything(named: str, code: int, tmp_path: Path) -> None:
    done = simulate("certify", "run", "--as-facility", named, "--seed", "3", folder=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.startswith("seed 3\n")
    assert ("ae-title.called.wrong" in done.stdout) is (code == 1)
    assert "this was a rehearsal" in done.stdout
    [page] = (tmp_path / "reports").glob("*/report.html")
    assert "CERTIFIABLE: no" in page.read_text(encoding="utf-8")


def test_a_facility_that_cannot_be_played_is_a_mistake(tmp_path: Path) -> None:
    done = simulate("certify", "run", "--as-facility", "broken:called-title-wron", folder=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'called-title-wrong'?" in done.stderr


def test_recheck_tells_what_has_changed(tmp_path: Path) -> None:
    begun(tmp_path, declare(tmp_path))
    answers = tmp_path / "answers.yaml"
    answers.write_text("by: A. Chan\nothers: {skip: not now}\n", encoding="utf-8")
    with Session(tmp_path / "reports" / "certify") as session, Facility(session.declared, broken.WELL):
        simulate("certify", "run", "--answers", answers, folder=tmp_path)
        done = simulate("certify", "recheck", folder=tmp_path)
    assert done.returncode == 1
    assert "The certificate does not stand (any more):" in done.stdout
    assert "pass  verify[CT01]" in done.stdout


def _at_a_terminal(folder: Path, command: list[str], wait_for: str, key: bytes) -> tuple[int, str]:
    """Run a command at a terminal of its own; press a key once a text was shown; return exit code and all output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*SIMULATE, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment() | {"TERM": "xterm"},
    ) as running:
        os.close(theirs)
        shown, pressed, deadline = b"", False, time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            shown += piece
            if not pressed and wait_for.encode() in shown:
                os.write(ours, key)
                pressed = True
            if not piece:
                break
        code = running.wait(PATIENCE)
    os.close(ours)
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))
