"""The catalogue of diagnoses as a whole: each has its scene, and what is right has no card."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.certify import broken, catalogue, diagnosis
from simulator.certify.diagnosis import diagnose
from simulator.certify.scene import Scene
from simulator.cli.app import app
from simulator.errors import LoadError
from simulator.report import explain
from simulator.resources import folder
from simulator.scenario import requirements
from simulator.wire.conversation import Segment
from simulator.wire.pdu_builders import Proposed
from tests.certify import (
    test_diagnosis_association,
    test_diagnosis_connection,
    test_diagnosis_contexts,
    test_diagnosis_data,
    test_diagnosis_orders,
)
from tests.certify.scenes import (
    CT,
    EXPLICIT,
    MR,
    VERIFICATION,
    Case,
    Talking,
    called,
    declaration,
    echoed,
    images,
    ordered,
    scene,
    sent,
)
from tests.wire.made import steady

CASES: tuple[Case, ...] = (
    *test_diagnosis_association.CASES,
    *test_diagnosis_connection.CASES,
    *test_diagnosis_contexts.CASES,
    *test_diagnosis_data.CASES,
    *test_diagnosis_orders.CASES,
)
FACILITY = declaration(orders="facility")


def test_every_diagnosis_of_the_catalogue_has_a_scene_that_provokes_it() -> None:
    assert {case.id for case in CASES} == set(catalogue.read())
    assert len(catalogue.read()) >= 40


def test_every_facility_of_a_rehearsal_is_to_get_a_card_of_the_catalogue() -> None:
    assert {each.card for each in broken.facilities().values()} <= set(catalogue.read())


def test_every_diagnosis_names_requirements_of_the_register() -> None:
    named = {identifier for each in catalogue.read().values() for identifier in each.requirements}
    assert named <= set(requirements.register())
    without = {identifier for identifier, each in catalogue.read().items() if not each.requirements}
    assert without == {"clock.off"}


def test_every_card_has_the_names_that_the_catalogue_promises() -> None:
    assert set(diagnosis._common(scene("study"))) == catalogue.COMMON


def test_no_two_cards_take_each_other_away() -> None:
    known = catalogue.read()

    def explains(identifier: str, path: tuple[str, ...] = ()) -> None:
        assert identifier not in path, f"{' -> '.join((*path, identifier))}"
        for gone in known[identifier].instead_of:
            explains(gone, (*path, identifier))

    for identifier in known:
        explains(identifier)


def test_every_proof_is_a_command_of_this_tool() -> None:
    commands = {command.name or "" for command in app.registered_commands}
    commands |= {group.name or "" for group in app.registered_groups} | {"certify"}
    for each in catalogue.read().values():
        tool, command, *_ = shlex.split(each.prove)
        assert (tool, command in commands) == ("simulate", True), each.prove


CLEAN = (
    scene("preflight", [echoed(), called().asks(Proposed(1, VERIFICATION)).accepts().echoes().releases()], met=True),
    scene("echo", [echoed()], met=True),
    scene("study", [sent(images(3))], met=True),
    scene("study", [ordered(), sent(images(3))], met=True, declared=FACILITY),
    scene("study", [sent(images(2)), sent(images(3)[2:])], met=True),
    scene("unmatched", [sent(images(3))], met=True, declared=FACILITY),
    scene("order", [ordered()], system="", met=True, declared=FACILITY),
    scene(
        "commitment",
        [test_diagnosis_orders.asking(), test_diagnosis_orders.reporting()],
        met=True,
    ),
    scene(
        "receive",
        [called().asks(Proposed(1, CT, (EXPLICIT,)), Proposed(3, MR)).accepts().stores(images()[0]).releases()],
        met=True,
        system="PACS",
    ),
)


@pytest.mark.parametrize("clean", CLEAN, ids=lambda clean: clean.wanted.test)
def test_what_is_right_has_no_card(clean: Scene) -> None:
    assert diagnose(clean) == ()


@pytest.mark.parametrize("case", [case for case in CASES if case.beside == ()], ids=str)
def test_pieces_in_which_bytes_come_do_not_count(case: Case) -> None:
    """Every segment cut in two: the same cards."""

    def halved(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        cut = []
        for each in segments:
            at = len(each.data) // 2
            rest = Segment(each.at, each.by, each.data[at:], each.length - at)
            cut += [Segment(each.at, each.by, each.data[:at], at), rest] if at else [each]
        return tuple(cut)

    talks = tuple(replace(each, segments=halved(each.segments)) for each in case.scene.conversations)
    again = replace(case.scene, conversations=talks)
    assert diagnose(again) == diagnose(case.scene)


@steady
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=6), st.booleans(), st.booleans())
def test_it_takes_any_bytes(pieces: list[tuple[bool, bytes]], is_hl7: bool, met: bool) -> None:
    talk = Talking("RIS->gateway", "HL7") if is_hl7 else Talking()
    for by_requestor, data in pieces:
        talk.says("requestor" if by_requestor else "acceptor", data)
    seen = scene("study", [talk], declared=FACILITY, met=met)
    assert met or diagnose(seen)


@steady
@given(st.integers(0, 5000), st.integers(0, 255))
def test_it_takes_a_study_in_which_any_byte_is_another(at: int, byte: int) -> None:
    whole = sent(images(1))
    stream = b"".join(segment.data for segment in whole.segments if segment.by == "requestor")
    where = at % len(stream)
    talk = Talking()
    for segment in whole.segments:
        data = segment.data
        if segment.by == "requestor":
            if 0 <= where < len(data):
                data = data[:where] + bytes((byte,)) + data[where + 1 :]
            where -= len(data)
        talk.says(segment.by, data)
    diagnose(scene("study", [talk]))


def test_a_catalogue_that_is_wrong_is_told_with_its_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder("fixtures", catalogue.FILE_NAME) / catalogue.FILE_NAME).read_text(encoding="utf-8")
    (tmp_path / "fixtures").mkdir()
    file = tmp_path / "fixtures" / catalogue.FILE_NAME
    text = text.replace("instead_of: [hl7.no-order]", "instead_of: [hl7.no-oder]")
    text = text.replace("\n  level: must", "\n  level: red", 1)
    file.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError) as wrong:
        catalogue.read()
    assert wrong.value.problems[0].line == 10
    file.write_text(text.replace("level: red", "level: must"), encoding="utf-8")
    catalogue._read.cache_clear()
    with pytest.raises(LoadError, match=r"did you mean 'hl7\.no-order'"):
        catalogue.read()
    catalogue._read.cache_clear()


def test_a_proof_can_be_typed_as_it_stands() -> None:
    """Ids of tests have brackets, which a shell would take for a pattern."""
    seen = scene("study")
    seen = replace(seen, wanted=replace(seen.wanted, test="study[CT01,CTImage]"))
    (card,) = diagnose(seen)
    assert card.prove == "simulate certify run --test 'study[CT01,CTImage]'"
    assert shlex.split(card.prove)[-1] == "study[CT01,CTImage]"


def test_what_is_said_of_every_case_names_nobody() -> None:
    """Braces belong into the texts that are filled in."""
    for each in catalogue.read().values():
        assert "{" not in each.title + each.means
    told = next(each for each in catalogue.explanations() if each.id == "tcp.refused")
    assert told.means.startswith("Connection refused. The machine is there and says no")
    assert "<system> > system configuration" in told.mend
    assert told.kind == "diagnosis"
    assert "{" not in f"{told.means}{told.mend}{told.see}"


def test_explain_finds_a_diagnosis_beside_what_else_has_its_id() -> None:
    known = (*explain.everything(), *catalogue.explanations())
    kinds = [each.kind for each in explain.explanations("hkid.mismatch", known)]
    assert kinds == ["reason", "diagnosis"]
