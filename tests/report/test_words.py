from __future__ import annotations

from typing import Any

import pytest

from simulator.report import words
from simulator.report.model import Result
from simulator.scenario.findings import VERDICTS
from tests.report import made


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "nothing at all"),
        ([], "none"),
        ({}, "none"),
        ("", '""'),
        ("AA", "AA"),
        (2, "2"),
        (["receiving", "unmatched"], "receiving, unmatched"),
        ({"0000": 1000, "A700": 1}, "1000 × 0000, 1 × A700"),
        ({"a": ["b", 1]}, '{"a": ["b", 1]}'),
        ([1, "陳"], '[1, "陳"]'),
        ("\x1b[31mred", "\\x1b[31mred"),
    ],
)
def test_values_are_told_without_the_dress_of_json(content: Any, text: str) -> None:
    assert words.value(content) == text


def test_nothing_seen_and_an_empty_list_are_told_apart() -> None:
    assert words.value(None) != words.value([])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 陳大文, line\nbreak\tand tab", "plain, 陳大文, line\nbreak\tand tab"),
        ("bell\x07 return\r nul\x00", "bell\\x07 return\\r nul\\x00"),
        ("turned \u202eround", "turned \\u202eround"),
        ("not XML \ufffe", "not XML \\ufffe"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_invisible_characters_become_escapes(text: str, shown: str) -> None:
    assert words.printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.413, "0.41 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 0 s"),
        (125.2, "2 min 5 s"),
        (3600, "60 min 0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_moments_are_told_in_utc_and_in_hong_kong() -> None:
    assert words.moment(made.STARTED) == "2026-11-23 01:15:00 UTC (09:15 in Hong Kong)"
    assert words.moment("2026-11-23T01:15:00") == words.moment(made.STARTED)
    assert words.moment("some day") == "some day"


@pytest.mark.parametrize(
    ("made_result", "sentence"),
    [
        (made.passed(), "Passed: all of 8 checks."),
        (made.failed(), "Failed: 6 of 8 checks."),
        (made.mixed(), "Error of the harness itself in 1 of 24 checks, not charged to the system under test."),
        (made.run("none"), "Error: nothing was checked, so nothing is proven."),
        (
            made.passed().model_copy(update={"verdict": "inconclusive", "counts": {"inconclusive": 1, "pass": 2}}),
            "Inconclusive: nobody could see the answer to 1 of 3 checks.",
        ),
        (
            made.passed().model_copy(
                update={"verdict": "waived", "counts": {"waived": 1, "not-applicable": 2, "pass": 3}}
            ),
            "Passed: 3 of 6 checks; 1 waived, 2 not applicable.",
        ),
    ],
    ids=lambda value: value.verdict if isinstance(value, Result) else "",
)
def test_headlines(made_result: Result, sentence: str) -> None:
    assert words.headline(made_result) == sentence


def test_every_verdict_has_a_word_and_a_mark_of_its_own() -> None:
    for table in (words.VERDICT_WORDS, words.VERDICT_MARKS):
        assert set(table) == set(VERDICTS)
        assert len(set(table.values())) == len(VERDICTS)


def test_the_command_repeats_a_run_or_one_scenario_of_it() -> None:
    result = made.passed()
    two = result.model_copy(update={"scenarios": result.scenarios * 2})
    one = f"simulate --scenario matched --seed {made.SEED}"
    assert words.command(result) == one
    assert words.command(two) == f"simulate --scenario matched --scenario matched --seed {made.SEED}"
    assert words.command(two.model_copy(update={"name": "all"})) == f"simulate --all --seed {made.SEED}"
    assert words.command(two, result.scenarios[0]) == one
    assert words.command(result.model_copy(update={"site": "st-x"})) == f"{one} --site FILE"
