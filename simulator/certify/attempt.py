"""One attempt at a test: everything stands, somebody is asked to do something, it is watched, judged and diagnosed.

`play -> Scene -> findings, cards -> TestOutcome`. What was seen goes into the evidence before anybody is told of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.certify import evidence
from simulator.certify.cards import Card
from simulator.certify.desk import Desk, Progress
from simulator.certify.diagnosis import diagnose
from simulator.certify.judging import judge, study_uid
from simulator.certify.outcome import CheckOutcome, TestOutcome, TestVerdict
from simulator.certify.programme import Test
from simulator.certify.rig import Play, Rig
from simulator.certify.scene import Scene
from simulator.events import StudyChanged, now
from simulator.scenario.findings import Finding, worst

_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class _Watch:
    """How an attempt goes on."""

    began: float
    order_due: bool
    seen: int = 0
    changed: float = 0.0


class Attempt:
    """One attempt at `test`, with the evidence under `folder`."""

    def __init__(self, test: Test, rig: Rig, desk: Desk, folder: Path) -> None:
        self._test = test
        self._rig = rig
        self._desk = desk
        self._folder = folder

    def run(self, number: int) -> TestOutcome:
        """Run it to its end, and return what came of it; `number`: which attempt at this test it is, from 1.

        Raises `StartError` when the gateway does not start.
        """
        minutes = self._rig.declared.minutes
        began = time.monotonic()
        with self._rig.gateway(self._test, self._folder / "gateway") as play:
            self._do_our_part(play)
            self._desk.begin(self._test, play, minutes)
            ended_by_desk = self._watch(play, _Watch(began, self._test.kind == "unmatched"), minutes * 60)
        seconds = time.monotonic() - began
        kept = evidence.keep(self._folder, play.conversations(), play.history(), self._folder / "gateway" / "data")
        scene = self._scene(play, seconds, kept.captures)
        findings = judge(self._test.expect, scene)
        cards = diagnose(scene) if worst([f.verdict for f in findings]) != "error" else ()
        return self._outcome(number, seconds, findings, cards, kept, why="ended by hand" if ended_by_desk else "")

    def _do_our_part(self, play: Play) -> None:
        """Send what the tool sends itself before anybody does anything."""
        entry = self._test.entry
        if entry is None or entry.ordered_by != "tool":
            return
        play.send_order(entry.order)
        if self._test.kind == "receive":
            play.send_study(entry.order)

    def _watch(self, play: Play, watch: _Watch, seconds: float) -> bool:
        """Watch until everything was seen, a red card stands and nothing more happens, the time is over, or it is
        ended by hand; return whether it was that.
        """
        while (left := watch.began + seconds - time.monotonic()) > 0:
            self._rig.pulse.wait(_LOOK_SECONDS)
            scene = self._scene(play, seconds - left, {})
            findings = judge(self._test.expect, scene)
            if watch.order_due and self._is_unmatched(scene):
                watch.order_due = False
                self._order_what_came(play)
            heard = self._rig.pulse.count
            if heard != watch.seen or not watch.changed:
                watch.seen, watch.changed = heard, time.monotonic()
            quiet = time.monotonic() - watch.changed
            verdict = worst([each.verdict for each in findings])
            if verdict == "error" or (verdict == "pass" and quiet >= self._rig.pace.after):
                return False
            cards: tuple[Card, ...] = ()
            if verdict != "pass" and quiet >= self._rig.pace.settle and heard:
                cards = diagnose(scene)
                if any(card.level == "must" for card in cards) and not self._may_still_come(cards):
                    return False
            if self._desk.look(self._test, play, Progress(left, findings, cards)):
                return True
        return False

    @staticmethod
    def _may_still_come(cards: tuple[Card, ...]) -> bool:
        """Tell whether the only red is that something has not come yet."""
        return {card.id for card in cards if card.level == "must"} <= {
            "nothing-came",
            "expected-not-seen",
            "hl7.no-order",
        }

    def _is_unmatched(self, scene: Scene) -> bool:
        uid = study_uid(scene)
        states = [e.state for e in scene.events if isinstance(e, StudyChanged) and e.study_instance_uid == uid]
        return "unmatched" in states

    def _order_what_came(self, play: Play) -> None:
        entry = self._test.entry
        assert entry is not None
        if self._rig.declared.orders.sent_by == "tool":
            self._desk.say(self._test, "The study is held as unmatched, as it should be. Its order is sent now.")
            play.send_order(entry.order)
        else:
            self._desk.say(
                self._test,
                f"The study is held as unmatched, as it should be. Now send its order from {entry.system}: accession "
                f"number {entry.order.accession_number}.",
            )

    def _scene(self, play: Play, seconds: float, captures: dict[tuple[str, int], str]) -> Scene:
        scene = Scene(
            declared=self._rig.declared,
            wanted=self._test.wanted(),
            conversations=play.conversations(),
            events=play.history().events,
            met=False,
            seconds=seconds,
            moment=now(),
            captures=captures,
        )
        met = worst([each.verdict for each in judge(self._test.expect, scene)]) == "pass"
        return replace(scene, met=met)

    def _outcome(
        self,
        number: int,
        seconds: float,
        findings: tuple[Finding, ...],
        cards: tuple[Card, ...],
        kept: evidence.Kept,
        why: str,
    ) -> TestOutcome:
        verdict: TestVerdict = worst([each.verdict for each in findings])
        if verdict == "pass" and any(card.level == "must" for card in cards):
            verdict = "fail"
        attestation = None
        if verdict == "pass" and self._test.attest:
            attestation = self._desk.attest(self._test)
            if attestation is None:
                verdict, why = "inconclusive", "nobody said whether it was so"
            elif attestation.answer == "no":
                verdict, why = "fail", f"{attestation.name} said no: {attestation.question}"
        return TestOutcome(
            id=self._test.id,
            title=self._test.title,
            level=self._test.level,
            verifies=self._test.verifies,
            verdict=verdict,
            why=why,
            attempts=number,
            seconds=round(seconds, 3),
            checks=tuple(map(_check, findings)),
            cards=cards,
            attestation=attestation,
            steps=kept.steps,
            captures=kept.files,
            pictures=kept.pictures,
        )


def _check(found: Finding) -> CheckOutcome:
    return CheckOutcome(
        check=found.check,
        verdict=found.verdict,
        expected=found.expected,
        observed=found.observed,
        because=found.because,
    )
