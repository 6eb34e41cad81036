"""What the judge says: verdicts, and the finding of each check."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["error", "fail", "inconclusive", "waived", "not-applicable", "pass"]
VERDICTS: tuple[Verdict, ...] = ("error", "fail", "inconclusive", "waived", "not-applicable", "pass")
"""All verdicts, worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: what was expected, what was observed, and what it means in a sentence.

    Both values are JSON; `observed` is None when nothing was.
    """

    check: str
    verdict: Verdict
    expected: Any
    observed: Any
    because: str


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst of the verdicts; none at all is an `error`, since nothing was proven."""
    return min(verdicts, key=VERDICTS.index, default="error")


def finding(check: str, expected: Any, observed: Any, because: str, unseen: str = "") -> Finding:
    """Return `pass` where both are equal, else `fail`; `inconclusive` where nobody could see it, and why (`unseen`)."""
    if unseen:
        return Finding(check, "inconclusive", expected, None, f"nobody could see this: {unseen}")
    return Finding(check, "pass" if expected == observed else "fail", expected, observed, because)


def called(kind: str, name: str) -> str:
    """Return how a sentence names a study or order: `the study` where the story has no other name for it."""
    return f"the {kind}" if name == kind else f"{kind} {name}"


def words(value: Any) -> str:
    """Return a value of a check as a sentence holds it: `nothing` for none, JSON for what is no text."""
    return "nothing" if value in (None, []) else json.dumps(value) if not isinstance(value, str) else value
