"""What the judge says: verdicts, and the finding of each check."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from simulator.events import LengthsMeasured

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


def longest_pdu(where: str, expected: str, measured: Sequence[LengthsMeasured], unseen: str = "") -> Finding:
    """Return whether P-DATA-TF came, and all were as short as had been announced: `within`, else `beyond`."""
    worst_first = sorted(measured, key=lambda e: e.longest - (e.announced or e.longest), reverse=True)
    if not any(each.longest for each in measured):
        return finding(f"{where}.longest_pdu", expected, None, "no P-DATA-TF came", unseen)
    announced, longest = worst_first[0].announced, worst_first[0].longest
    observed = "beyond" if announced and longest > announced else "within"
    limit = f"{announced} had been announced" if announced else "no limit had been announced"
    because = f"the longest P-DATA-TF that came had {longest} bytes; {limit}"
    return finding(f"{where}.longest_pdu", expected, observed, because, unseen)


def called(kind: str, name: str) -> str:
    """Return how a sentence names a study or order: `the study` where the story has no other name for it."""
    return f"the {kind}" if name == kind else f"{kind} {name}"


def words(value: Any) -> str:
    """Return a value of a check as a sentence holds it: `nothing` for none, JSON for what is no text."""
    return "nothing" if value in (None, []) else json.dumps(value) if not isinstance(value, str) else value
