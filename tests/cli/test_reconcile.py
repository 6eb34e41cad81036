"""`simulate reconcile` and `simulate audit`, as an operator types them."""

from __future__ import annotations

import getpass
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from simulator.synthesis.character_sets import UTF_8
from simulator.synthesis.lies import LIES
from simulator.synthesis.studies import Study
from tests import processes
from tests.processes import ROOT, SIMULATE, RunningGateway, simulate
from tests.synthesis import made

ORDER = made.an_order("operator")
STUDY = made.a_study("operator", instances=3, lies=[LIES["another-name"]], character_set=UTF_8)
STRAY = made.a_study("stray", lies=[LIES["empty-keys"], LIES["17-character-accession"]])
UID = STUDY.study_instance_uid


@contextmanager
def desk(folder: Path, *studies: Study) -> Iterator[tuple[RunningGateway, tuple[str, str]]]:
    """Run a gateway that holds the studies and the order."""
    for number, study in enumerate(studies):
        processes.written(study, folder / "studies" / str(number))
    with processes.gateway(folder) as gateway:
        options = processes.order_options(ORDER)
        assert simulate("order", "--to", gateway.hl7, *options, folder=folder).returncode == 0
        assert simulate("send", "studies", "--to", gateway.address, folder=folder).returncode == 0
        gateway.await_states(len(studies))
        yield gateway, ("--url", gateway.http_url)


def said(*arguments: str | Path, folder: Path) -> str:
    done = simulate(*arguments, folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def on_a_terminal(width: int, *arguments: str, folder: Path) -> list[str]:
    """Return the lines that a terminal of this width shows, without colours."""
    environment = processes.environment() | {"COLUMNS": str(width), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [*SIMULATE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in done.stdout.splitlines()]


def test_an_operators_way_from_the_list_to_the_audit_log(tmp_path: Path) -> None:
    with desk(tmp_path, STUDY, STRAY) as (gateway, url):
        listed = said("reconcile", *url, folder=tmp_path).splitlines()
        assert listed[1].split() == [ORDER.accession_number, "unmatched", "3", "name.mismatch", UID]
        assert STRAY.study_instance_uid in listed[2]
        document = json.loads(said("reconcile", *url, "--json", folder=tmp_path))
        assert [each["study_instance_uid"] for each in document["studies"]] == [UID, STRAY.study_instance_uid]

        shown = said("reconcile", UID, *url, folder=tmp_path)
        rows = [line.split() for line in shown.splitlines()]
        assert f"Study {UID}, 3 images, is unmatched: name.mismatch" in shown
        assert f"Order {ORDER.accession_number} (same accession number, same HKID)" in shown
        number, person = ORDER.accession_number, ORDER.person
        assert ["Accession", number, number, "=", "same"] in rows
        assert ["HKID", person.hkid, person.hkid, "=", "same"] in rows
        (name,) = [row for row in rows if row[:1] == ["Name"]]
        assert name[-2:] == ["!", "differs"]
        assert person.name.split()[0] in name
        assert ["Birth", "date", person.birth_date, person.birth_date, "=", "same"] in rows
        assert ["Sex", person.sex, person.sex, "=", "same"] in rows
        assert json.loads(said("reconcile", UID, *url, "--json", folder=tmp_path))["orders"][0]["name"] == person.name

        nothing = said("reconcile", STRAY.study_instance_uid, *url, folder=tmp_path)
        assert "! missing" in nothing or "No order is near it" in nothing

        done = said("reconcile", UID, "--order", number, "--by", "Dr Wong", "--reason", "typed", *url, folder=tmp_path)
        assert done == f"Study {UID} is bound to order {number}; what is sent carries its keys.\n"
        uid = STRAY.study_instance_uid
        assert said("reconcile", uid, "--reject", *url, folder=tmp_path) == f"Study {uid} is rejected; it stays held.\n"
        assert said("reconcile", *url, folder=tmp_path) == "No study is unmatched.\n"
        assert {each["state"] for each in gateway.studies()} == {"matched", "rejected"}

        log = said("audit", *url, folder=tmp_path)
        assert said("audit", "--data", gateway.data, folder=tmp_path) == log
        assert "reconcile by Dr Wong" in log
        assert f"reject by {getpass.getuser()}" in log
        assert "because: typed" in log
        assert "state: unmatched -> matched" in log
        assert person.name not in log
        assert person.hkid not in log
        entries = json.loads(said("audit", *url, "--json", folder=tmp_path))
        assert entries["intact"] is True
        assert entries["entries"][-1]["digest"] in log
        assert "The audit log is whole: 4 entries" in log

    with closing(sqlite3.connect(gateway.data / "index.sqlite")) as db:
        db.execute("DROP TRIGGER audit_is_never_changed")
        db.execute("UPDATE audit SET who = 'nobody' WHERE act = 'reject'")
        db.commit()
    told = simulate("audit", "--data", gateway.data, folder=tmp_path)
    assert told.returncode == 1
    assert "The audit log is NOT whole: entry 4 was changed, or one before it." in told.stderr
    machine = simulate("audit", "--data", gateway.data, "--json", folder=tmp_path)
    assert (machine.returncode, json.loads(machine.stdout)["intact"]) == (1, False)


def test_the_five_rows_fit_a_narrow_and_a_wide_terminal_and_need_no_colour(tmp_path: Path) -> None:
    with desk(tmp_path, STUDY) as (_, url):
        for width in (60, 120):
            lines = on_a_terminal(width, "reconcile", UID, *url, folder=tmp_path)
            start = next(number for number, line in enumerate(lines) if line.startswith("Accession"))
            table = lines[start:]
            assert max(len(line) for line in lines[start - 1 : start + 5]) <= width
            assert ORDER.accession_number in table[0]
            assert table[0].rstrip().endswith("= same")
            assert [line.split()[0] for line in table if line[:1].isupper()][:5] == [
                "Accession", "HKID", "Name", "Birth", "Sex",
            ]  # fmt: skip
            assert any(line.rstrip().endswith("! differs") for line in table)


def test_a_study_whose_instances_disagree_is_shown_with_each_set_of_keys(tmp_path: Path) -> None:
    mixed = made.a_study("operator", instances=2, lies=[LIES["two-patients"]])
    with desk(tmp_path, mixed) as (_, url):
        shown = said("reconcile", UID, *url, folder=tmp_path)
    assert "they carry 2 sets of keys" in shown
    assert shown.count("Birth date") == 2


def test_what_is_refused_is_1_with_words(tmp_path: Path) -> None:
    with desk(tmp_path, STUDY) as (_, url):
        for arguments, words in (
            (("1.2.3",), "the gateway holds no study 1.2.3"),
            (("1.2.3", "--reject"), "the gateway holds no study 1.2.3"),
            ((UID, "--order", "NONE"), "no order under accession number NONE"),
        ):
            done = simulate("reconcile", *arguments, *url, folder=tmp_path)
            assert (done.returncode, done.stdout) == (1, "")
            assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reconcile", "--order", "A"), "which study?"),
        (("reconcile", "--reject"), "which study?"),
        (("reconcile", "1.2", "--order", "A", "--reject"), "two rulings"),
        (("reconcile", "a/../b?c", "--reject"), "is not a Study Instance UID"),
        (("reconcile", "1.2", "--order", " "), "--order needs the accession number"),
        (("reconcile", "1.2", "--reason", "x"), "belong to a ruling"),
        (("reconcile", "1.2", "--by", "x"), "belong to a ruling"),
        (("audit", "--url", "http://127.0.0.1:1", "--data", "."), "give one"),
        (("audit", "--data", "."), "not a gateway's data folder"),
    ],
)
def test_a_slip_on_the_command_line_is_2(arguments: tuple[str, ...], words: str) -> None:
    done = simulate(*arguments, folder=ROOT)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize("command", ["reconcile", "audit"])
def test_without_a_gateway_it_is_1(command: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{processes.free_port()}"
    done = simulate(command, "--url", url, folder=tmp_path)
    assert done.returncode == 1
    assert f"no gateway answers at {url}" in done.stderr
