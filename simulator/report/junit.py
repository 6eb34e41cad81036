"""A result as JUnit XML, for CI: a test suite for each case, a test case for each check.

What was not proven is never a skip: `inconclusive` and `error` are JUnit errors, and a scenario or case in which
nothing was checked is one too. Only what was waived or does not apply, with a reason, is skipped.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from simulator.report import words
from simulator.report.model import CheckResult, Result, ScenarioResult

_NO_CHECK = CheckResult(
    check="harness", verdict="error", expected="at least one check", observed=0, because="nothing was checked"
)


def render(result: Result) -> bytes:
    """Return the document, in UTF-8."""
    document = JUnitXml(words.printable(result.name))
    for scenario in result.scenarios:
        for case in scenario.cases:
            document.add_testsuite(_suite(result, scenario, case.id, case.checks, case.seconds))
        if not scenario.cases:
            document.add_testsuite(_suite(result, scenario, scenario.scenario, (), 0.0))
    if not result.scenarios:
        document.add_testsuite(_suite(result, None, result.name, (), 0.0))
    _count(document, result)
    target = io.BytesIO()
    document.write(target, pretty=True)
    return target.getvalue()


def _suite(
    result: Result, scenario: ScenarioResult | None, name: str, checks: Sequence[CheckResult], seconds: float
) -> TestSuite:
    suite = TestSuite(words.printable(name))
    for key in ("seed", "version", "site"):
        suite.add_property(key, words.printable(str(getattr(result, key))))
    for check in checks or (_NO_CHECK,):
        suite.add_testcase(_test_case(name, check, scenario.explain if scenario else ""))
    # Set last: adding a check adds up the times of all checks, which have none of their own.
    suite.time = seconds
    return suite


def _test_case(case: str, check: CheckResult, explain: str) -> TestCase:
    test = TestCase(words.printable(check.check), classname=words.printable(case))
    if check.verdict == "pass":
        return test
    because = words.printable(check.because)
    if check.verdict in ("waived", "not-applicable"):
        test.result = Skipped(f"{words.VERDICT_WORDS[check.verdict]}: {because}", check.verdict)
        return test
    expected, observed = words.value(check.expected), words.value(check.observed)
    kind = Failure if check.verdict == "fail" else Error
    outcome = kind(f"expected {expected}, observed {observed}", check.verdict)
    lines = [f"Expected: {expected}", f"Observed: {observed}", f"Because:  {because}", "", words.printable(explain)]
    outcome.text = "\n".join(lines).strip()
    test.result = outcome
    return test


def _count(document: JUnitXml, result: Result) -> None:
    suites: list[TestSuite] = list(document)
    document.tests = sum(suite.tests for suite in suites)
    document.failures = sum(suite.failures for suite in suites)
    document.errors = sum(suite.errors for suite in suites)
    document.skipped = sum(suite.skipped for suite in suites)
    document.time = result.seconds
