"""How a session is put into words, the same on every face of its report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

from simulator.certify.cards import Card, Level, Where
from simulator.certify.outcome import SessionOutcome, TestOutcome, TestVerdict
from simulator.report import words
from simulator.scenario import requirements
from simulator.scenario.requirements import Requirement

VERDICT_WORDS: dict[TestVerdict, str] = {
    "error": "error",
    "fail": "failed",
    "inconclusive": "inconclusive",
    "not-tested": "not tested",
    "skipped": "skipped",
    "waived": "waived",
    "not-applicable": "not applicable",
    "pass": "passed",
}
VERDICT_MARKS: dict[TestVerdict, str] = {
    "error": "!",
    "fail": "✗",
    "inconclusive": "?",
    "not-tested": "·",
    "skipped": "»",
    "waived": "~",
    "not-applicable": "–",
    "pass": "✓",
}
LEVEL_WORDS: dict[Level, str] = {"must": "must be mended", "should": "should be mended", "note": "worth knowing"}
SYNTHETIC = (
    "All people in it are synthetic. Their names, identity card numbers and dates of birth were made from the seed."
)
PRODUCT = "Conformance simulator for the Hospital Authority DICOM Image Gateway"
MASKED = (
    "Letters and digits of what names a patient, or looks as if it did, are shown as *, in bytes as 2a. "
    "Text that is burned into a picture is not masked."
)

_NEEDS_A_LOOK: frozenset[TestVerdict] = frozenset(("error", "fail", "inconclusive"))
_UNTESTED: tuple[TestVerdict, ...] = ("not-tested", "skipped", "not-applicable")


def headline(outcome: SessionOutcome) -> str:
    """Return the answer."""
    return f"CERTIFIABLE: {'yes' if outcome.certifiable else 'no'}"


def sentence(outcome: SessionOutcome) -> str:
    """Return what the answer stands on, in a sentence."""
    if outcome.certifiable:
        return "Every test that applies passed in one complete pass, or is waived."
    number = len(outcome.against)
    if not number:
        return "There was no complete pass yet."
    return "One thing stands in the way." if number == 1 else f"{number} things stand in the way."


def rehearsal(outcome: SessionOutcome) -> str:
    """Return what is to be said of a rehearsal; empty for a session with the facility's own systems."""
    if not outcome.rehearsal:
        return ""
    played = f"This was a rehearsal: {outcome.rehearsal} played the facility."
    return f"{played} It says nothing about the facility's own systems."


def counts(outcome: SessionOutcome) -> list[tuple[TestVerdict, int]]:
    """Return how many tests, those of the preflight too, have each verdict; worst first."""
    verdicts = [test.verdict for test in everything(outcome)]
    return [(verdict, verdicts.count(verdict)) for verdict in VERDICT_WORDS if verdict in verdicts]


def everything(outcome: SessionOutcome) -> tuple[TestOutcome, ...]:
    """Return the tests of the preflight, and those of the session."""
    return (*outcome.preflight, *outcome.tests)


def waived(outcome: SessionOutcome) -> list[TestOutcome]:
    """Return the tests that somebody answers for."""
    return [test for test in everything(outcome) if test.waiver is not None]


def untested(outcome: SessionOutcome) -> list[TestOutcome]:
    """Return the tests that were not run to an end."""
    return [test for test in everything(outcome) if test.verdict in _UNTESTED]


def to_mend(outcome: SessionOutcome) -> list[tuple[TestOutcome, Card]]:
    """Return the cards that ask for something to be done, those first without which nothing is certified."""
    cards = [(test, card) for test in everything(outcome) for card in test.cards]
    return [(test, card) for level in ("must", "should") for test, card in cards if card.level == level]


def needs_a_look(test: TestOutcome) -> bool:
    """Tell whether a reader should find the test open."""
    return test.verdict in _NEEDS_A_LOOK or any(card.level != "note" for card in test.cards)


def anchor(outcome: SessionOutcome, test: TestOutcome) -> str:
    """Return the place of a test within the report."""
    return f"test-{everything(outcome).index(test) + 1}"


def ladder(card: Card) -> Iterator[tuple[str, str]]:
    """Yield every rung from the wire up, and whether it is `below` the one that broke, `broken`, or `above` it."""
    rungs = get_args(Where)
    broken = rungs.index(card.where)
    for number, rung in enumerate(rungs):
        yield rung, "below" if number < broken else "broken" if number == broken else "above"


def asked(card: Card) -> list[Requirement | str]:
    """Return the requirements that a card is about, from the register; what is not in it as its id."""
    register = requirements.register()
    return [register.get(identifier, identifier) for identifier in card.requirement]


def clock(at: str) -> str:
    """Return the time of day (UTC) of a moment; what is none comes back as it is."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def facts(test: TestOutcome) -> str:
    """Return level, attempts and time of a test in a line."""
    parts: list[str] = [test.level]
    if test.attempts:
        parts.append("1 attempt" if test.attempts == 1 else f"{test.attempts} attempts")
    if test.seconds:
        parts.append(words.duration(test.seconds))
    return " · ".join(parts)


def stands_on(outcome: SessionOutcome) -> list[tuple[str, str]]:
    """Return what the outcome stands on beside the systems: what it is, and its value."""
    found = outcome.fingerprint
    return [
        ("Gateway", found.gateway),
        ("Site profile", found.site_profile),
        ("Tool version", found.tool_version),
        ("Seed", str(found.seed)),
        ("Digest of all of it", found.digest),
    ]
