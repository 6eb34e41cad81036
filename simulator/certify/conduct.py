"""The whole story of a session's work: preflight, then test after test, each written down before the next.

`certify run` goes through all tests (a whole pass) or on with the pass that was cut off; `--failed` and `--test` try
some of them once more (a part). Whoever drives it (`desk`) is asked after each test how to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simulator.certify.answer import PREFLIGHT
from simulator.certify.attempt import Attempt
from simulator.certify.desk import Desk, Next
from simulator.certify.fingerprint import fingerprint
from simulator.certify.judging import calling_ae_title
from simulator.certify.outcome import TestOutcome
from simulator.certify.preflight import Preflight
from simulator.certify.programme import Test
from simulator.certify.rig import Counts, Rig
from simulator.certify.session import Pass, Session, Whole
from simulator.wire import negotiation, transcript
from simulator.wire.conversation import Side

PREFLIGHT_MINUTES = 0.5
"""For each call of a system in a preflight."""


class Conduct:
    """Works on an open session over a rig that stands."""

    def __init__(self, session: Session, rig: Rig, desk: Desk) -> None:
        self._session = session
        self._rig = rig
        self._desk = desk
        self._looked_at: Counts = {}

    def preflight(self, *, both_ways: bool = False) -> tuple[TestOutcome, ...]:
        """Probe every system, and return what came of it.

        both_ways: where that is clear, have each system that sends call too, which somebody has to do there.
        """
        under = self._pass("part")
        outcomes = []
        for outcome in Preflight(self._rig, self._session.folder).run():
            with self._session.attempt(under, f"{PREFLIGHT}/{outcome.id}") as trying:
                trying.ended(outcome)
            outcomes.append(outcome)
        if both_ways and all(outcome.verdict == "pass" for outcome in outcomes):
            outcomes += self._called(under)
        self._remember()
        return tuple(outcomes)

    def _called(self, under: Pass) -> Iterator[TestOutcome]:
        """Have each system that sends call the gateway; yield what came of it."""
        for test in self._session.applicable:
            if test.kind != "echo":
                continue
            with self._session.attempt(under, f"{PREFLIGHT}/{test.id}") as trying:
                root = self._session.folder
                attempt = Attempt(test, self._rig, self._desk, root, trying.evidence, PREFLIGHT_MINUTES)
                if (outcome := attempt.run(1)) is None:
                    return
                trying.ended(outcome)
                yield outcome

    def go_on(self) -> tuple[TestOutcome, ...]:
        """Go on with the pass that was cut off, or begin a new one; return what was tried now."""
        under = self._session.last_pass("whole")
        if under is None or not self._session.missing(under):
            under = self._pass("whole")
        return self._try(under, self._session.missing(under))

    def again(self, tests: Sequence[Test]) -> tuple[TestOutcome, ...]:
        """Try some tests once more; return what came of it."""
        return self._try(self._pass("part"), tests)

    def _try(self, under: Pass, tests: Iterable[Test]) -> tuple[TestOutcome, ...]:
        outcomes: list[TestOutcome] = []
        for test in tests:
            next_ = self._until_done(under, test, outcomes)
            if next_ == "stop":
                break
        return tuple(outcomes)

    def _until_done(self, under: Pass, test: Test, outcomes: list[TestOutcome]) -> Next:
        """Try a test as often as the desk says."""
        while True:
            number = len(self._session.attempts(test.id)) + 1
            with self._session.attempt(under, test.id) as trying:
                outcome = Attempt(test, self._rig, self._desk, self._session.folder, trying.evidence).run(number)
                if outcome is None:
                    return "stop"
                trying.ended(outcome)
                self._remember()
                decision = self._desk.judged(test, outcome)
                if decision.note:
                    self._session.note(test.id, decision.note)
                if decision.next == "skip":
                    outcome = outcome.model_copy(update={"verdict": "skipped", "why": decision.reason})
                    trying.ended(outcome)
            outcomes.append(outcome)
            if decision.next != "retry":
                return decision.next

    def _pass(self, extent: Whole) -> Pass:
        return self._session.begin_pass(extent, fingerprint(self._session).model_dump_json())

    def _remember(self) -> None:
        """Keep how each system has shown itself (PS3.7 D.3.3.2)."""
        names = {system.ae_title: system.name for system in self._session.declared.systems}
        since, self._looked_at = self._looked_at, self._rig.counts()
        for conversation in self._rig.conversations(since):
            said = transcript.read(conversation)
            called = conversation.link.removeprefix("gateway->")
            side: Side = "acceptor" if called in names.values() else "requestor"
            system = called if side == "acceptor" else names.get(calling_ae_title(conversation), "")
            shown = negotiation.implementation(said, side)
            if system and shown.class_uid:
                self._session.saw(system, side, shown)
