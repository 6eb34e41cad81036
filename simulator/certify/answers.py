"""A session driven by a file of answers instead of a person: what to attest, to skip, to note, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator import strict_yaml
from simulator.certify.desk import Decision, Look, Progress
from simulator.certify.outcome import Attestation, TestOutcome
from simulator.certify.programme import Test
from simulator.certify.rig import Play
from simulator.certify.session import Session
from simulator.events import now


class Answer(BaseModel):
    """What is answered about one test."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    attest: Literal["yes", "no"] | None = Field(default=None, description="What nobody can observe.")
    skip: str = Field(default="", description="Do not wait for it, for this reason.")
    note: str = Field(default="", description="To be kept with the test.")
    retries: int = Field(default=0, ge=0, le=10, description="Tries after one that failed.")


class Answers(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: str = Field(min_length=1, description="Who answers; it stands in the certificate.")
    tests: dict[str, Answer] = Field(default_factory=dict, description="By the id of the test.")
    others: Answer = Field(default=Answer(), description="About every test that is not named.")


def load(file: Path, session: Session) -> Answers:
    """Return the answers in `file`. Raises `LoadError`, and `UsageError` for a test that the session does not have."""
    answers = strict_yaml.validate(Answers, strict_yaml.read(file), file)
    for identity in answers.tests:
        session.test(identity)
    return answers


class AnswersDesk:
    """Asks the file. print: takes each line that a person would read."""

    def __init__(self, answers: Answers, print_: Callable[[str], None]) -> None:
        self._answers = answers
        self._print = print_
        self._tried: dict[str, int] = {}

    def begin(self, test: Test, play: Play, minutes: float) -> None:
        """Print what is to be done."""
        self._print(f"{test.id}: {test.do} ({minutes:g} minutes)")

    def say(self, test: Test, what: str) -> None:
        """Print it."""
        self._print(f"  {what}")

    def look(self, test: Test, play: Play, progress: Progress) -> Look:
        """End a test that is to be skipped."""
        return "end" if self._of(test).skip else "on"

    def attest(self, test: Test) -> Attestation | None:
        """Answer as the file does; None where it says nothing."""
        said = self._of(test).attest
        return None if said is None else Attestation(question=test.attest, answer=said, name=self._answers.by, at=now())

    def judged(self, test: Test, outcome: TestOutcome) -> Decision:
        """Go on; try again what failed, as often as the file says."""
        answer = self._of(test)
        if answer.skip:
            return Decision("skip", answer.skip, answer.note)
        tried = self._tried[test.id] = self._tried.get(test.id, 0) + 1
        again = outcome.verdict != "pass" and tried <= answer.retries
        return Decision("retry" if again else "go-on", note=answer.note)

    def _of(self, test: Test) -> Answer:
        return self._answers.tests.get(test.id, self._answers.others)
