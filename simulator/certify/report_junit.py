"""A session as JUnit XML, for CI: a test suite for the preflight and one for the tests, a test case for each.

What was not proven is never a skip: `inconclusive`, `not-tested`, `error`, and what a person skipped are JUnit
errors, and so is a session without any test. Only what was waived or does not apply, with a reason, is skipped.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from simulator.certify import report_words
from simulator.certify.outcome import SessionOutcome, TestOutcome
from simulator.report import words
from simulator.report.words import printable

_NO_TEST = TestOutcome(id="session", title="", level="must", verdict="error", why="no test was run")


def render(outcome: SessionOutcome) -> bytes:
    """Return the document of an outcome, which is shown as it is, in UTF-8."""
    document = JUnitXml(printable(f"certification of {outcome.facility}"))
    if outcome.preflight:
        document.add_testsuite(_suite("preflight", outcome, outcome.preflight))
    document.add_testsuite(_suite("tests", outcome, outcome.tests or (_NO_TEST,)))
    suites: list[TestSuite] = list(document)
    document.tests = sum(suite.tests for suite in suites)
    document.failures = sum(suite.failures for suite in suites)
    document.errors = sum(suite.errors for suite in suites)
    document.skipped = sum(suite.skipped for suite in suites)
    document.time = round(sum(test.seconds for test in report_words.everything(outcome)), 3)
    target = io.BytesIO()
    document.write(target, pretty=True)
    return target.getvalue()


def _suite(name: str, outcome: SessionOutcome, tests: Sequence[TestOutcome]) -> TestSuite:
    suite = TestSuite(name)
    properties = {
        "facility": outcome.facility,
        "certifiable": "yes" if outcome.certifiable else "no",
        "rehearsal": outcome.rehearsal,
        "seed": str(outcome.fingerprint.seed),
        "version": outcome.fingerprint.tool_version,
        "fingerprint": outcome.fingerprint.digest,
    }
    for key, content in properties.items():
        suite.add_property(key, printable(content))
    for test in tests:
        suite.add_testcase(_test_case(name, test))
    return suite


def _test_case(suite: str, test: TestOutcome) -> TestCase:
    case = TestCase(printable(test.id), classname=f"certify.{suite}", time=round(test.seconds, 3))
    if test.verdict == "pass":
        return case
    told = f"{report_words.VERDICT_WORDS[test.verdict]}: {printable(_why(test))}"
    if test.verdict in ("waived", "not-applicable"):
        case.result = Skipped(told, test.verdict)
        return case
    outcome = (Failure if test.verdict == "fail" else Error)(told, test.verdict)
    outcome.text = printable("\n".join(_lines(test)))
    case.result = outcome
    return case


def _why(test: TestOutcome) -> str:
    if test.waiver is not None and test.verdict == "waived":
        return f"{test.waiver.reason} ({test.waiver.owner}, until {test.waiver.expires.isoformat()})"
    titles = [card.title for card in test.cards if card.level == "must"]
    unproven = [check.because for check in test.checks if check.verdict in words.UNPROVEN]
    return "; ".join(titles or unproven) or test.why or "it was not reached"


def _lines(test: TestOutcome) -> list[str]:
    """Return everything that helps to mend it."""
    lines = [test.title]
    for card in test.cards:
        lines += ["", f"{card.id} ({card.level}, {card.where}): {card.title}"]
        lines += [f"Expected: {card.expected}", f"Got:      {card.got}", f"Because:  {card.because}"]
        lines += [f"Who:      {card.who}, {card.screen}", f"Prove:    {card.prove}"]
    for check in test.checks:
        if check.verdict in words.UNPROVEN:
            lines += [
                "",
                f"{check.check}: expected {words.value(check.expected)}, observed {words.value(check.observed)}",
            ]
            lines.append(f"Because:  {check.because}")
    return lines
