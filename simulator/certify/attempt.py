"""One attempt at a test: everything stands, somebody is asked to do something, it is watched, judged and diagnosed.

`play -> Scene -> findings, cards -> TestOutcome`. What was seen goes into the evidence before anybody is told of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simulator.certify import evidence, matrix
from simulator.certify.cards import Card
from simulator.certify.desk import Desk, Look, Progress
from simulator.certify.diagnosis import diagnose
from simulator.certify.judging import judge, study_uid
from simulator.certify.outcome import CheckOutcome, ContextSeen, TestOutcome, TestVerdict
from simulator.certify.programme import Test
from simulator.certify.rig import Play, Rig
from simulator.certify.scene import Scene
from simulator.events import StudyChanged, now
from simulator.scenario.findings import Finding, Verdict, worst

_LOOK_SECONDS = 0.1
_RESTS = 4  # times as long as a look took
_MAY_STILL_COME = frozenset(("nothing-came", "expected-not-seen", "hl7.no-order"))
"""Cards that say that something did not come: until the time is over, it may."""


class Attempt:
    """One attempt at `test`, with the evidence in `folder`, somewhere in the session's folder `root`.

    minutes: for it, where they are not those of the declaration.
    """

    def __init__(
        self, test: Test, rig: Rig, desk: Desk, root: Path, folder: Path, minutes: float | None = None
    ) -> None:
        self._minutes = rig.declared.minutes if minutes is None else minutes
        self._root = root
        self._test = test
        self._rig = rig
        self._desk = desk
        self._folder = folder
        self._order_due = test.kind == "unmatched"

    def run(self, number: int) -> TestOutcome | None:
        """Run it to its end, and return what came of it; None where it is to be left off for now.

        number: which attempt at this test it is, from 1. Raises `StartError` when the gateway does not start.
        """
        began = time.monotonic()
        playing: list[Play] = []
        try:
            with self._rig.gateway(self._test, self._folder / evidence.GATEWAY) as play:
                playing.append(play)
                self._do_our_part(play)
                self._desk.begin(self._test, play, self._minutes)
                ended = self._watch(play, began)
        finally:  # after an interrupt too: of what came nothing is lost, and no patient lies about
            kept = [evidence.keep(self._root, self._folder, each.conversations(), each.history()) for each in playing]
        if ended == "stop":
            return None
        seconds = time.monotonic() - began
        scene, findings = self._scene(play, seconds, kept[0].captures)
        cards = diagnose(scene) if _verdict(findings) != "error" else ()
        shown = matrix.contexts(scene)
        why = "ended by hand" if ended == "end" else ""
        return self._outcome(number, seconds, findings, cards, shown, kept[0], why)

    def _do_our_part(self, play: Play) -> None:
        """Send what the tool sends itself before anybody does anything."""
        entry = self._test.entry
        if entry is None or entry.ordered_by != "tool":
            return
        play.send_order(entry.order)
        if self._test.kind == "receive":
            play.send_study(entry.order)

    def _watch(self, play: Play, began: float) -> Look:
        """Watch until everything was seen, a red card stands and nothing more happens, or the time is over.

        Return `end` or `stop` where the desk says so before.
        """
        seen, changed, seconds = 0, began, self._minutes * 60
        while (left := began + seconds - time.monotonic()) > 0:
            self._rig.pulse.wait(_LOOK_SECONDS)
            looked = time.monotonic()
            scene, findings = self._scene(play, seconds - left, {})
            self._order_what_came(scene, play)
            if self._rig.pulse.count != seen:
                seen, changed = self._rig.pulse.count, time.monotonic()
            quiet = time.monotonic() - changed
            cards = diagnose(scene) if not scene.met and quiet >= self._rig.pace.settle and seen else ()
            if self._is_over(findings, cards, quiet):
                return "on"
            if (said := self._desk.look(self._test, play, Progress(left, findings, cards))) != "on":
                return said
            # A thousand images are not read anew for each of them: most of the time is the sender's.
            self._rig.pulse.rest(_RESTS * (time.monotonic() - looked))
        return "on"

    def _is_over(self, findings: Sequence[Finding], cards: Sequence[Card], quiet: float) -> bool:
        """Tell whether nothing more is waited for: all was seen, or something red that will not heal by itself."""
        verdict = _verdict(findings)
        if verdict in ("error", "pass"):
            return verdict == "error" or quiet >= self._rig.pace.after
        return any(card.level == "must" and card.id not in _MAY_STILL_COME for card in cards)

    def _order_what_came(self, scene: Scene, play: Play) -> None:
        """Once a study without an order is held as unmatched, send its order, or have it sent."""
        entry, uid = self._test.entry, study_uid(scene)
        states = [e.state for e in scene.events if isinstance(e, StudyChanged) and e.study_instance_uid == uid]
        if not self._order_due or entry is None or "unmatched" not in states:
            return
        self._order_due = False
        if self._rig.declared.orders.sent_by == "tool":
            self._desk.say(self._test, "The study is held as unmatched, as it should be. Its order is sent now.")
            play.send_order(entry.order)
        else:
            self._desk.say(
                self._test,
                f"The study is held as unmatched, as it should be. Now send its order from "
                f"{self._rig.declared.orders.system}: accession number {entry.order.accession_number}.",
            )

    def _scene(
        self, play: Play, seconds: float, captures: dict[tuple[str, int], str]
    ) -> tuple[Scene, tuple[Finding, ...]]:
        """Return what was seen so far, and what the judge says of it."""
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
        findings = judge(self._test.expect, scene)
        return replace(scene, met=_verdict(findings) == "pass"), findings

    def _outcome(
        self,
        number: int,
        seconds: float,
        findings: tuple[Finding, ...],
        cards: tuple[Card, ...],
        shown: tuple[ContextSeen, ...],
        kept: evidence.Kept,
        why: str,
    ) -> TestOutcome:
        verdict: TestVerdict = _verdict(findings)
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
            contexts=shown,
            attestation=attestation,
            steps=kept.steps,
            captures=kept.files,
            pictures=kept.pictures,
        )


def _verdict(findings: Sequence[Finding]) -> Verdict:
    return worst([each.verdict for each in findings])


def _check(found: Finding) -> CheckOutcome:
    return CheckOutcome(
        check=found.check,
        verdict=found.verdict,
        expected=found.expected,
        observed=found.observed,
        because=found.because,
    )
