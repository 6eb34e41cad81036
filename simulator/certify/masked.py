"""An outcome in which nobody can be recognised: masked once, before any of its faces is made.

What is masked are letters and digits: `Q123456(3)` becomes `*******(*)`, so that a card about the parentheses still
shows them. Names of staff (who attests, who answers for a waiver) are theirs to give, and stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from simulator.certify.cards import Card, Evidence
from simulator.certify.outcome import Attestation, CheckOutcome, SessionOutcome, TestOutcome
from simulator.rules import masking
from simulator.synthesis.people import Person


def outcome(seen: SessionOutcome, people: Iterable[Person] = ()) -> SessionOutcome:
    """Return the outcome with everything masked that names a patient, or looks as if it did.

    people: those of the worksheet, who are known by name; a name of one word looks like any other word.
    """
    known = sorted({spelling for person in people for spelling in spellings(person)})
    told = _Masks(known)
    return seen.model_copy(
        update={
            "against": told.texts(seen.against),
            "changed": told.texts(seen.changed),
            "preflight": tuple(told.test(test) for test in seen.preflight),
            "tests": tuple(told.test(test) for test in seen.tests),
        }
    )


def spellings(person: Person) -> tuple[str, ...]:
    """Return how the keys of a person may be written, beside what is recognised by its form."""
    names = {person.name, person.ideographic, person.simplified}
    written = set()
    for name in filter(None, names):
        family, _, given = name.partition("^")
        words = [part for part in (family, given) if part]
        written |= {name, " ".join(words), ", ".join(words), " ".join(reversed(words))}
        written |= set() if name.isascii() else {"".join(words)}
    return (*sorted(written), person.hkid, *_dates(person.birth_date))


def _dates(birth_date: str) -> tuple[str, ...]:
    try:
        day = datetime.strptime(birth_date, "%Y%m%d")
    except ValueError:
        return (birth_date,) if birth_date else ()
    return (birth_date, f"{day:%Y-%m-%d}", f"{day.day} {day:%B %Y}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Masks:
    """Masks each part of an outcome. known: values of people that are masked wherever they stand."""

    known: Collection[str]

    def text(self, text: str) -> str:
        return masking.shape(text, self.known)

    def texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.text(text) for text in texts)

    def value(self, value: Any) -> Any:
        """Mask the texts in a value that JSON can hold; the keys of its objects too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.value(each) for each in value)
        return value

    def test(self, test: TestOutcome) -> TestOutcome:
        return test.model_copy(
            update={
                "why": self.text(test.why),
                "checks": tuple(self.check(check) for check in test.checks),
                "cards": tuple(self.card(card) for card in test.cards),
                "notes": self.texts(test.notes),
                "attestation": test.attestation and self.attestation(test.attestation),
                "steps": tuple(step.model_copy(update={"text": self.text(step.text)}) for step in test.steps),
            }
        )

    def attestation(self, said: Attestation) -> Attestation:
        return said.model_copy(update={"question": self.text(said.question)})

    def check(self, check: CheckOutcome) -> CheckOutcome:
        return check.model_copy(
            update={
                "expected": self.value(check.expected),
                "observed": self.value(check.observed),
                "because": self.text(check.because),
            }
        )

    def card(self, card: Card) -> Card:
        return dataclasses.replace(
            card,
            title=self.text(card.title),
            expected=self.text(card.expected),
            got=self.text(card.got),
            because=self.text(card.because),
            prove=self.text(card.prove),
            evidence=tuple(self.evidence(each) for each in card.evidence),
        )

    def evidence(self, evidence: Evidence) -> Evidence:
        data = masking.shape_of_bytes(evidence.data, self.known)
        return dataclasses.replace(evidence, words=self.text(evidence.words), data=data)
