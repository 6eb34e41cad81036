from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from simulator.report import junit
from simulator.report.model import Result
from simulator.scenario.findings import VERDICTS, Verdict
from tests.report import made

OUTCOMES: dict[Verdict, tuple[type, ...]] = {
    "error": (Error,),
    "fail": (Failure,),
    "inconclusive": (Error,),
    "waived": (Skipped,),
    "not-applicable": (Skipped,),
    "pass": (),
}


def suites(result: Result) -> list[TestSuite]:
    return list(JUnitXml.fromstring(junit.render(result)))


def checks_of(suite: TestSuite) -> dict[str, TestCase]:
    return {str(test.name): test for test in suite}


def test_a_suite_for_each_case_and_a_test_for_each_check() -> None:
    result = made.mixed()
    (scenario,) = result.scenarios
    parsed = suites(result)
    assert [suite.name for suite in parsed] == [case.id for case in scenario.cases]
    for suite, case in zip(parsed, scenario.cases, strict=True):
        assert list(checks_of(suite)) == [check.check for check in case.checks]
        assert {test.classname for test in suite} == {case.id}
        assert suite.time == case.seconds


def test_each_suite_says_seed_version_and_site() -> None:
    result = made.mixed()
    for suite in ET.fromstring(junit.render(result)).iter("testsuite"):
        properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
        assert properties == {"seed": str(result.seed), "version": result.version, "site": result.site}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_has_its_junit_outcome(verdict: Verdict) -> None:
    (suite,) = suites(made.with_verdicts(made.passed(), verdict))
    (test,) = checks_of(suite).values()
    assert tuple(type(outcome) for outcome in test.result) == OUTCOMES[verdict]


@pytest.mark.parametrize("verdict", [v for v in VERDICTS if OUTCOMES[v] in ((Error,), (Failure,))])
def test_what_is_not_proven_says_expected_observed_and_because(verdict: Verdict) -> None:
    (suite,) = suites(made.with_verdicts(made.passed(), verdict))
    (outcome,) = checks_of(suite)[f"a.{verdict}"].result
    assert outcome.message == "expected x, observed nothing at all"
    assert outcome.type == verdict
    assert outcome.text.splitlines()[:3] == ["Expected: x", "Observed: nothing at all", f"Because:  so {verdict}"]
    assert "registration screen" in outcome.text


@pytest.mark.parametrize(("verdict", "word"), [("waived", "waived"), ("not-applicable", "not applicable")])
def test_what_is_skipped_says_why(verdict: Verdict, word: str) -> None:
    (suite,) = suites(made.with_verdicts(made.passed(), verdict))
    (outcome,) = checks_of(suite)[f"a.{verdict}"].result
    assert outcome.message == f"{word}: so {verdict}"


def test_the_counts_agree_with_the_verdicts() -> None:
    document = JUnitXml.fromstring(junit.render(made.with_verdicts(made.passed(), *VERDICTS)))
    (suite,) = document
    for counted in (document, suite):
        assert (counted.tests, counted.failures, counted.errors, counted.skipped) == (6, 1, 2, 2)


def test_where_nothing_was_checked_there_is_an_error() -> None:
    result = made.passed()
    (scenario,) = result.scenarios
    no_case = result.model_copy(update={"scenarios": (scenario.model_copy(update={"cases": ()}),)})
    no_check = made.with_verdicts(result)
    for empty in (no_case, no_check, made.run("none")):
        (suite,) = suites(empty)
        assert (suite.tests, suite.errors) == (1, 1)


def test_control_characters_of_a_peer_do_not_spoil_the_file() -> None:
    root = ET.fromstring(junit.render(made.failed("bad \x00\x1b[2J <x> & \ufffe")))
    (failure,) = root.findall(".//testcase[@name='wire.studies.study.answers']/failure")
    assert "bad \\x00\\x1b[2J <x> & \\ufffe" in (failure.text or "")
