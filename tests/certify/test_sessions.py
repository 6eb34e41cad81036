"""Whole sessions, end to end and without a person: a clean one, and each broken facility with the card meant for it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from simulator.certify import broken, bundle, catalogue, handover, session
from simulator.certify.conduct import Conduct
from simulator.certify.declaration import Declaration
from simulator.certify.desk import Look, Progress
from simulator.certify.outcome import SessionOutcome
from simulator.certify.programme import Test
from simulator.certify.rehearsal import Facility
from simulator.certify.rig import Play, Rig
from simulator.errors import UsageError
from simulator.events import InstanceStored
from tests.certify import played
from tests.certify.played import TODAY, answered, begin, play

TESTS = ["echo[CT01]", "order", "study[CT01,CTImage]", "unmatched[CT01]", "commitment[CT01]", "receive[PACS1]"]
FACILITIES = broken.facilities()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a session that was gone through once, and well."""
    folder = begin(tmp_path_factory.mktemp("clean"))
    assert set(play(folder).verdicts().values()) == {"pass"}
    return folder


@pytest.fixture
def passed(clean: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(clean, tmp_path / "session")
    return tmp_path / "session"


def test_a_clean_session_is_certifiable_and_its_bundle_verifies(passed: Path) -> None:
    told = answered(passed)
    assert told.certifiable, told.against
    assert [test.id for test in told.tests if test.verdict == "pass"] == TESTS
    assert [card.id for test in told.tests for card in test.cards] == []
    with session.Session(passed) as opened:
        written = handover.write(opened, TODAY)
    assert {file.name for file in written.files} == {"report.html", "report.pdf", "certification.json", "junit.xml"}
    found = bundle.verify(written.bundle)
    assert found.verified, found.problems
    kinds = {Path(name).suffix for name in found.files}
    assert {".pcap", ".hl7", ".jsonl", ".log", ".png", ".html", ".pdf", ".json", ".xml", ".yaml"} <= kinds
    SessionOutcome.model_validate_json((passed / "certification.json").read_bytes())


def test_no_patient_is_named_in_what_is_handed_over(passed: Path) -> None:
    with session.Session(passed) as opened:
        people = [entry.order.person for test in opened.tests if (entry := test.entry)]
        written = handover.write(opened, TODAY)
    content = written.bundle.read_bytes()
    assert people
    for person in people:
        for value in (person.name, person.name.replace("^", " "), person.hkid):
            assert value.encode() not in content, value


def test_one_byte_changed_and_the_bundle_does_not_verify(passed: Path) -> None:
    """`test_bundle` changes every byte of a small one; here it is a real one."""
    with session.Session(passed) as opened:
        file = handover.write(opened, TODAY).bundle
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(changed)
        assert not bundle.verify(file).verified, place


@pytest.mark.scenario
@pytest.mark.parametrize("name", FACILITIES)
def test_a_broken_facility_gets_the_card_meant_for_it_and_no_other_red(name: str, tmp_path: Path) -> None:
    how = FACILITIES[name]
    folder = begin(tmp_path, how.minutes or 0.5, how)
    seen = play(folder, how)
    if how.note:
        assert how.card in seen.cards("note") | seen.cards("should"), seen.verdicts()
        assert seen.cards() == set()
        assert set(seen.verdicts().values()) == {"pass"}
        return
    assert seen.cards() == {how.card}, seen.verdicts()
    assert "fail" in seen.verdicts().values()
    assert "error" not in seen.verdicts().values()
    assert not answered(folder).certifiable


def test_a_preflight_goes_both_ways(tmp_path: Path) -> None:
    folder = begin(tmp_path)
    with session.Session(folder) as opened, ExitStack() as stack:
        facility = stack.enter_context(Facility(opened.declared, broken.WELL))
        conduct = Conduct(opened, stack.enter_context(Rig(opened.declared, played.PACE)), facility)
        outcomes = conduct.preflight(both_ways=True)
    assert [(outcome.id, outcome.verdict) for outcome in outcomes][-1] == ("echo[CT01]", "pass")
    [context] = outcomes[-1].contexts
    assert (context.abstract_syntax, context.accepted, context.needed) == ("Verification SOP Class", True, True)
    assert "echo[CT01]: was not tested (it was not reached)" in answered(folder).against


def test_each_broken_facility_has_a_card_of_the_catalogue() -> None:
    assert {how.card for how in FACILITIES.values()} <= set(catalogue.read())


def test_what_failed_is_tried_again_and_a_certificate_needs_one_clean_pass(tmp_path: Path) -> None:
    folder = begin(tmp_path)
    wrong = play(folder, FACILITIES["sex-of-another"])
    failed = sorted(identity for identity, verdict in wrong.verdicts().items() if verdict == "fail")
    assert failed == ["commitment[CT01]", "study[CT01,CTImage]", "unmatched[CT01]"]
    again = play(folder, only=failed)
    assert {again.verdicts()[each] for each in failed} == {"pass"}
    told = answered(folder)
    assert {test.verdict for test in told.tests} == {"pass"}
    assert not told.certifiable
    assert "a certificate needs one complete clean pass" in told.against[0]
    assert set(play(folder).verdicts().values()) == {"pass"}
    assert answered(folder).certifiable


def test_a_session_that_was_cut_off_goes_on_with_what_is_missing(passed: Path) -> None:
    """As after a crash in the midst of a test: it had begun, and nothing came of it."""
    with sqlite3.connect(passed / session.DATABASE) as database:
        database.execute("UPDATE attempt SET outcome = NULL, ended = NULL WHERE test LIKE 'receive%'")
    told = answered(passed)
    assert [sentence for sentence in told.against if "receive[PACS1]" in sentence]
    assert list(play(passed).verdicts())[-1:] == ["receive[PACS1]"]
    assert answered(passed).certifiable


def test_a_pass_that_was_begun_and_left_is_no_complete_one(passed: Path) -> None:
    """Though each test has passed before."""
    with session.Session(passed) as opened:
        whole = opened.last_pass()
        assert whole is not None
        opened.begin_pass("whole", whole.fingerprint)
    told = answered(passed)
    assert {test.verdict for test in told.tests} == {"pass"}
    [against] = told.against
    assert against.startswith("the last pass through all tests is not complete: echo[CT01], order,")
    assert set(play(passed).verdicts().values()) == {"pass"}
    assert answered(passed).certifiable


@pytest.mark.parametrize("how", ["left", "interrupted", "killed"])
def test_nothing_of_a_patient_lies_about_where_a_test_was_cut_off(how: str, tmp_path: Path) -> None:
    """And what came is kept, unless nobody was left to keep it."""
    folder = begin(tmp_path)
    with session.Session(folder) as opened, ExitStack() as stack:
        facility = stack.enter_context(CutOff(opened.declared, how))
        conduct = Conduct(opened, stack.enter_context(Rig(opened.declared, played.PACE)), facility)
        if how == "left":
            conduct.again([opened.test("order"), opened.test("study[CT01,CTImage]")])
        else:
            with pytest.raises(KeyboardInterrupt):
                conduct.again([opened.test("order"), opened.test("study[CT01,CTImage]")])
        if how == "killed":  # as the folder of a gateway is while it goes on
            left = folder / "evidence" / "0099" / "gateway" / "data"
            left.mkdir(parents=True)
            [entry, *_] = [entry for test in opened.tests if (entry := test.entry)]
            (left / "index.sqlite").write_text(entry.order.person.hkid)
        people = [entry.order.person for test in opened.tests if (entry := test.entry)]
        written = handover.write(opened, TODAY)
    content = written.bundle.read_bytes()
    for person in people:
        for value in (person.name, person.hkid, person.birth_date):
            assert value.encode() not in content, value
    assert len(list((folder / "evidence" / "0002").glob("*.pcap"))) >= 2
    assert not (folder / "evidence" / "0002" / "gateway").exists()
    assert bundle.verify(written.bundle).verified


class CutOff(Facility):
    """A facility whose session ends once its study has come."""

    def __init__(self, declared: Declaration, how: str) -> None:
        super().__init__(declared, broken.WELL)
        self._ends = how

    def look(self, test: Test, play: Play, progress: Progress) -> Look:
        """End it where a study was stored."""
        if test.kind == "study" and any(isinstance(event, InstanceStored) for event in play.history().events):
            if self._ends != "left":
                raise KeyboardInterrupt
            return "stop"
        return super().look(test, play, progress)


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"minutes": 0.75}, True),
        ({"orders": {"sent_by": "tool"}}, True),
        ({"waivers": [{"test": "order", "owner": "A", "reason": "b", "expires": "2026-12-31"}]}, False),
    ],
)
def test_what_was_declared_beside_names_and_addresses_counts_but_for_waivers(
    changed: dict[str, Any], counts: bool, passed: Path, tmp_path: Path
) -> None:
    content = YAML(typ="safe").load(passed / session.DECLARATION)
    assert {key: content.get(key) for key in changed} != changed
    with (tmp_path / "now.yaml").open("w", encoding="utf-8") as out:
        YAML().dump(content | changed, out)
    with session.Session(passed) as opened:
        opened.declare(tmp_path / "now.yaml")
    told = answered(passed).against
    assert ("since that pass: the declaration has changed beside names and addresses" in told) is counts
    assert counts or not told


def test_a_changed_configuration_makes_the_certificate_stale(passed: Path, tmp_path: Path) -> None:
    changed = (passed / session.DECLARATION).read_text(encoding="utf-8").replace("ae_title: CT01", "ae_title: CT02")
    (tmp_path / "now.yaml").write_text(changed, encoding="utf-8")
    with session.Session(passed) as opened:
        opened.declare(tmp_path / "now.yaml")
    told = answered(passed)
    assert not told.certifiable
    assert told.against == ("since that pass: CT01: its AE title was CT01, and is CT02",)


def test_a_waiver_counts_until_it_expires(tmp_path: Path) -> None:
    waiver = {"test": "commitment[CT01]", "owner": "A. Chan", "reason": "bought in March", "expires": "2026-12-31"}
    folder = begin(tmp_path, waivers=[waiver])
    play(folder, FACILITIES["no-commitment"])
    assert answered(folder, date(2026, 12, 31)).certifiable
    late = answered(folder, date(2027, 1, 1))
    assert not late.certifiable
    assert any("its waiver expired on 2026-12-31" in sentence for sentence in late.against)


def test_what_is_mended_under_a_waiver_stays_certifiable(tmp_path: Path) -> None:
    waiver = {"test": "commitment[CT01]", "owner": "A. Chan", "reason": "bought in March", "expires": "2026-12-31"}
    folder = begin(tmp_path, waivers=[waiver])
    play(folder, FACILITIES["no-commitment"])
    assert set(play(folder, only=["commitment[CT01]"]).verdicts().values()) == {"pass"}
    assert answered(folder).certifiable


def test_a_waiver_of_no_test_is_told_at_once(tmp_path: Path) -> None:
    waiver = {"test": "comitment[CT01]", "owner": "A. Chan", "reason": "bought in March", "expires": "2026-12-31"}
    with pytest.raises(UsageError, match=r"a waiver is of 'comitment\[CT01\]', which is no test") as told:
        begin(tmp_path, waivers=[waiver])
    assert "commitment[CT01]" in told.value.hint
    assert not (tmp_path / "session").exists()


def test_a_probe_of_a_system_that_is_not_declared_any_more_does_not_count(passed: Path) -> None:
    probe = answered(passed).preflight[0]
    gone = probe.model_copy(update={"id": "verify[GONE]", "verdict": "fail"})
    with session.Session(passed) as opened:
        under = opened.begin_pass("part", "")
        with opened.attempt(under, "preflight/verify[GONE]") as trying:
            trying.ended(gone)
    assert answered(passed).certifiable


def test_a_system_shows_itself_as_scu_and_as_scp_apart(passed: Path) -> None:
    """Its programs for the two may come from different makers."""
    with session.Session(passed) as opened:
        shown = {side: opened.seen()["CT01", side] for side in ("requestor", "acceptor")}
        opened.saw("CT01", "acceptor", (shown["acceptor"][0], "NEWER"))
        assert opened.seen()["CT01", "requestor"] == shown["requestor"]
    [against] = answered(passed).against
    assert against.startswith("since that pass: CT01: its Implementation Version Name as SCP was ")
    assert against.endswith("and is NEWER")


def test_a_session_of_another_version_is_left_as_it_is(passed: Path) -> None:
    with sqlite3.connect(passed / session.DATABASE) as database:
        database.execute("UPDATE session SET format = 99, version = '9.9'")
    with pytest.raises(UsageError, match=r"written by version 9\.9, in format 99") as told:
        session.Session(passed)
    assert "certify new --reports DIR" in told.value.hint


def test_a_session_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no session in"):
        session.Session(tmp_path)
    (tmp_path / session.DATABASE).write_bytes(b"no database")
    with pytest.raises(UsageError, match="no session that can be read"):
        session.Session(tmp_path)


def test_nothing_of_a_patient_outside_the_synthetic_range_is_kept(tmp_path: Path) -> None:
    folder = begin(tmp_path)
    seen = play(folder, FACILITIES["real-patient"])
    assert seen.cards() == {"person.not-synthetic"}
    held = [file for file in folder.rglob("*") if file.is_file() and b"A1234563" in file.read_bytes()]
    assert held == []


def test_a_rehearsal_is_no_certificate(tmp_path: Path) -> None:
    session.begin(tmp_path / "session", played.declare(tmp_path), played.SEED, "somebody")
    assert "this was a rehearsal: somebody played the facility" in answered(tmp_path / "session").against
