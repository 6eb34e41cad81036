"""Who is told what to do in a test, and says how to go on: a person at a screen, a file of answers, a rehearsal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from simulator.certify.cards import Card
from simulator.certify.outcome import Attestation, TestOutcome
from simulator.certify.programme import Test
from simulator.certify.rig import Play
from simulator.scenario.findings import Finding

Next = Literal["go-on", "retry", "skip", "stop"]
"""What is done after a test: the next one, the same again, the next one without this, or nothing for now."""


Look = Literal["on", "end", "stop"]
"""What is done while a test is watched: watch on, end and judge it, or leave it off as if it had not begun."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a test stands. left: seconds. findings: of what is expected. cards: what was diagnosed so far."""

    left: float
    findings: Sequence[Finding]
    cards: Sequence[Card]


@dataclass(frozen=True, slots=True)
class Decision:
    """How to go on after a test. reason: of a skip. note: to be kept with the test."""

    next: Next = "go-on"
    reason: str = ""
    note: str = ""


class Desk(Protocol):
    """Where a session is driven from."""

    def begin(self, test: Test, play: Play, minutes: float) -> None:
        """A test has begun, and everything stands: say what is to be done."""

    def say(self, test: Test, what: str) -> None:
        """Something more is to be done, or was."""

    def look(self, test: Test, play: Play, progress: Progress) -> Look:
        """Something was seen, or a moment has passed. Return whether to watch on, end the test, or stop for now."""

    def attest(self, test: Test) -> Attestation | None:
        """Ask what nobody can observe; None where nobody answers."""

    def judged(self, test: Test, outcome: TestOutcome) -> Decision:
        """A test has ended. Return how to go on."""
