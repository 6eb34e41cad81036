"""Mistakes of a scenario file about what is done at once, on the way between two peers, and by peers with a script."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from simulator.scenario import load
from simulator.scenario.model_words import Part
from simulator.site import Part as PartOfSite
from tests.scenario.test_load import problems

GOOD = """\
scenario: story
title: A story
explain: What it means.
verifies: [MAT-1]
given:
  people: {mrs: {name: CHAN^TAI MAN}}
  orders: {order: {person: mrs}}
  studies: {study: {order: order}}
  modalities: {ct01: {}}
  remotes: {far: {}, odd: {script: [{recv: A-ASSOCIATE-RQ}]}}
  peers: {rude: {script: [{close: rst}]}}
fault: {on: gateway->far, at: C-STORE-RQ#2, do: abort}
when:
  - together: [{send_order: order}, [{echo: gateway}, {store: {study: study, by: ct01}}]]
  - play: rude
then:
  wire: {peers: {rude: {script: complete}, odd: {script: complete}}}
"""


def test_a_good_story_loads_and_knows_the_places_of_its_steps(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(GOOD, encoding="utf-8")
    [case] = load.load(file).cases
    assert [(placed.id, placed.number, placed.step.key) for placed in case.steps] == [
        ("0.together.0", 0, "send_order"),
        ("0.together.1.0", 1, "echo"),
        ("0.together.1.1", 2, "store"),
        ("1", 3, "play"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("on: gateway->far", "on: gateway->fa", "12:9: nobody speaks on 'gateway->fa' (did you mean 'gateway->far'?)"),
        ("on: gateway->far", "on: odd->gateway", "12:9: nobody speaks on 'odd->gateway' (did you mean"),
        ("at: C-STORE-RQ#2", "at: C-STORE-RQ", "12:1: 'C-STORE-RQ' does not say which one; write C-STORE-RQ#1"),
        ("at: C-STORE-RQ#2", "at: HL7#1", "12:1: 'abort' cannot be done at HL7#1"),
        (
            "at: C-STORE-RQ#2, do: abort",
            "at: HL7#1, do: drop",
            "12:27: gateway->far speaks DICOM; there will be no HL7#1",
        ),
        (
            "on: gateway->far, at",
            "on: orders->gateway, at",
            "12:30: orders->gateway speaks HL7; there will be no C-STORE-RQ#2",
        ),
        ("do: abort", "do: abrot", "12:1: 'abrot' is nothing that can be done (near: abort)"),
        ("do: abort", "doo: abort", "12:45: unknown key 'doo' (did you mean 'do'?)"),
        (
            "{on: gateway->far, at: C-STORE-RQ#2, do: abort}",
            "[{on: gateway->far, at: C-STORE-RQ#2, do: drop}, {on: gateway -> far, at: C-STORE-RQ#2, do: abort}]",
            "12:78: two faults are at C-STORE-RQ#2 of gateway->far",
        ),
        ("{ct01: {}}", "{ct01: {address: 127.0.0.2}}", None),
        ("{close: rst}", "{clos: rst}", "11:27: there is no step 'clos' (near: close)"),
        ("{recv: A-ASSOCIATE-RQ}", "{recv: A-ASSOCIATE}", "10:37: there is no PDU or message 'A-ASSOCIATE' (near"),
        ("odd: {script", "odd: {rejects: true, script", "10:28: remote 'odd' plays a script and cannot behave in"),
        ("name: CHAN^TAI MAN", "name: CHAN=X", "6:18: name: the name in English alone stands here"),
        (
            "name: CHAN^TAI MAN",
            "hkid: A1234563",
            "6:18: hkid: an HKID of the range of made-up people begins with Q or QX",
        ),
        ("name: CHAN^TAI MAN", "birth_date: '19900230'", "6:18: birth_date: a date of birth is a day of the calendar"),
        ("person: mrs", "person: mr", "7:20: no person 'mr' (did you mean 'mrs'?)"),
        ("by: ct01", "by: ct02", "14:78: no modality 'ct02' (did you mean 'ct01'?)"),
        ("study: study, by", "studies: [study, other], by", "14:81: no study 'other'"),
        (
            "study: study, by",
            "study: study, at_once: true, by",
            "14:56: when.0.together.1.1.store: at_once is for several",
        ),
        ("study: study, by", "study: study, associations: 3, by", "14:78: there are 2 instances to send over 3"),
        ("study: study, by", "by", "14:56: when.0.together.1.1.store: give study, or studies for several"),
        ("{echo: gateway}", "{kill: gateway}", "14:39: kill cannot be done together with other steps"),
        ("[{send_order: order}, [", "[[", "14:5: when.0.together: tuple should have at least 2 items"),
        ("play: rude", "play: rud", "15:5: no peer 'rud' (did you mean 'rude'?)"),
        ("  - play: rude\n", "", "16:18: no step lets 'rude' play its script"),
        ("odd: {script: complete}}", "far: {script: complete}}", "17:44: no scripted peer 'far'"),
        ("verifies:", "applies_to: [send]\nverifies:", "4:14: applies_to.0: input should be 'sends'"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str | None) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if expected is None:  # an address is wrong only where a fault is on the modality's way
        text = text.replace("on: gateway->far", "on: ct01->gateway")
        expected = "9:23: ct01 has a fault on its way and cannot have an address"
    found = problems(tmp_path, text)
    assert any(problem.startswith(f"story.yaml:{expected}") for problem in found), found


def test_a_facility_does_what_stories_may_be_about() -> None:
    assert get_args(Part) == get_args(PartOfSite)
