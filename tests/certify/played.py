"""Sessions whose facility is played on this machine, in this process: real sockets, a real gateway, no person."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from simulator.certify import session
from simulator.certify.answer import answer
from simulator.certify.broken import WELL, Broken
from simulator.certify.conduct import Conduct
from simulator.certify.outcome import SessionOutcome, TestOutcome
from simulator.certify.rehearsal import Facility
from simulator.certify.rig import Pace, Rig
from simulator.cli.certify_rehearse import facility_here, secure

PACE = Pace(quiet_period=0.3, settle=0.8, after=0.2, retry_after=0.2)
TODAY = date(2026, 11, 28)
SEED = 3


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a session."""

    preflight: tuple[TestOutcome, ...]
    tests: tuple[TestOutcome, ...]

    def cards(self, level: str = "must") -> set[str]:
        """Return the ids of the cards of a level."""
        return {card.id for outcome in (*self.preflight, *self.tests) for card in outcome.cards if card.level == level}

    def verdicts(self) -> dict[str, str]:
        """Return the verdict of each test."""
        return {outcome.id: outcome.verdict for outcome in (*self.preflight, *self.tests)}


def declare(folder: Path, minutes: float = 0.5, how: Broken = WELL, **changes: Any) -> Path:
    """Write the rehearsal's declaration, on free ports of this machine, with changes; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    content = facility_here(folder, minutes) | changes
    secure(content, how, folder / "certificates")
    file = folder / "played.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(content, out)
    return file


def begin(folder: Path, minutes: float = 0.5, how: Broken = WELL, **changes: Any) -> Path:
    """Begin a session as the facility itself would; return its folder. how: of the facility, where it needs TLS."""
    session.begin(folder / "session", declare(folder, minutes, how, **changes), SEED)
    return folder / "session"


def play(folder: Path, how: Broken = WELL, only: Sequence[str] = ()) -> Played:
    """Play the facility through the preflight, and through all tests (or these once more) where that was clear."""
    with session.Session(folder) as opened, ExitStack() as stack:
        facility = stack.enter_context(Facility(opened.declared, how))
        conduct = Conduct(opened, stack.enter_context(Rig(opened.declared, PACE)), facility)
        probes = conduct.preflight()
        if any(each.verdict != "pass" for each in probes):
            return Played(probes, ())
        again = [opened.test(identity) for identity in only]
        return Played(probes, conduct.again(again) if again else conduct.go_on())


def answered(folder: Path, today: date = TODAY) -> SessionOutcome:
    """Return what the session has come to."""
    with session.Session(folder) as opened:
        return answer(opened, today)
