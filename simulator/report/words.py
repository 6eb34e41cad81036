"""How a result is put into words, the same on every face: values, verdicts, times, and how to repeat a run."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from simulator.report.model import Result, ScenarioResult
from simulator.scenario.findings import VERDICTS, Verdict

VERDICT_WORDS: dict[Verdict, str] = {
    "error": "error",
    "fail": "failed",
    "inconclusive": "inconclusive",
    "waived": "waived",
    "not-applicable": "not applicable",
    "pass": "passed",
}
VERDICT_MARKS: dict[Verdict, str] = {
    "error": "!",
    "fail": "✗",
    "inconclusive": "?",
    "waived": "~",
    "not-applicable": "–",
    "pass": "✓",
}
UNPROVEN: frozenset[Verdict] = frozenset(("error", "fail", "inconclusive"))
"""The verdicts of a check that somebody must look at."""

_HONG_KONG = timezone(timedelta(hours=8))
_DEFAULT_SITE = "default"


def printable(text: str) -> str:
    """Return `text` with every invisible character but a line break or tab written as an escape.

    A peer chooses its Error Comment and its acknowledgement text: a control character must not reach a terminal,
    would make an XML file unreadable (XML 1.0 section 2.2), and could reverse the direction of what is read.
    """
    return "".join(letter if _is_visible(letter) else _escaped(letter) for letter in text)


def value(content: Any) -> str:
    """Return an expected or observed value for a reader: lists and counts without the dress of JSON.

    `nothing at all` is a value that nobody saw; `none` is an empty list that was seen.
    """
    if content is None:
        return "nothing at all"
    if isinstance(content, str):
        return printable(content) or '""'
    if isinstance(content, (list, tuple, dict)) and not content:
        return "none"
    if isinstance(content, (list, tuple)) and all(isinstance(part, str) for part in content):
        return printable(", ".join(content))
    if isinstance(content, dict) and all(type(part) is int for part in content.values()):
        return printable(", ".join(f"{number} × {key}" for key, number in content.items()))
    return printable(json.dumps(content, ensure_ascii=False))


def duration(seconds: float) -> str:
    """Return seconds for a reader: `0.41 s`, `12.3 s`, `2 min 5 s`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def moment(started: str) -> str:
    """Return a moment (ISO 8601) in UTC and in Hong Kong; what is no moment comes back as it is."""
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        return started
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({when.astimezone(_HONG_KONG):%H:%M} in Hong Kong)"


def count(number: int, singular: str) -> str:
    """Return `1 check`, `2 checks`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


def headline(result: Result) -> str:
    """Return the verdict of a run as one sentence."""
    total = count(sum(result.counts.values()), "check")
    found = result.counts.get(result.verdict, 0)
    if result.verdict == "error":
        if not found:
            return "Error: nothing was checked, so nothing is proven."
        return f"Error of the harness itself in {found} of {total}, not charged to the system under test."
    if result.verdict == "fail":
        return f"Failed: {found} of {total}."
    if result.verdict == "inconclusive":
        return f"Inconclusive: nobody could see the answer to {found} of {total}."
    passed = result.counts.get("pass", 0)
    if passed == sum(result.counts.values()):
        return f"Passed: all of {total}."
    rest = ", ".join(f"{n} {VERDICT_WORDS[v]}" for v, n in counts(result) if v != "pass")
    return f"Passed: {passed} of {total}; {rest}."


def counts(result: Result) -> list[tuple[Verdict, int]]:
    """Return how many checks have each verdict, worst first, without the verdicts that none has."""
    return [(verdict, result.counts[verdict]) for verdict in VERDICTS if result.counts.get(verdict)]


def command(result: Result, scenario: ScenarioResult | None = None) -> str:
    """Return the command that repeats a run, or one scenario of it, byte for byte.

    A result names the site profile but not the file that it stood in, so `FILE` is left to the reader.
    """
    chosen = [scenario] if scenario is not None else list(result.scenarios)
    names = [f"--scenario {one.scenario}" for one in chosen]
    if scenario is None and result.name == "all" and len(chosen) > 1:
        names = ["--all"]
    site = [] if result.site == _DEFAULT_SITE else ["--site FILE"]
    return " ".join(["simulate", *names, f"--seed {result.seed}", *site])


def _is_visible(letter: str) -> bool:
    # Category C: controls, format characters (direction, joiners), surrogates, private and unassigned ones.
    return letter in "\n\t" or unicodedata.category(letter)[0] != "C"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
