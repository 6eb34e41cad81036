"""Before anybody walks to a modality: names, TCP, TLS, AE titles, contexts, and the way back for commitment reports.

Each probe calls a system as the gateway would, through the same door, so that what is wrong has its bytes and its
card. A probe that rests on another one is not tried when that one failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.certify import evidence
from simulator.certify.declaration import Resolve, System, unresolved
from simulator.certify.diagnosis import diagnose
from simulator.certify.evidence import EVIDENCE
from simulator.certify.outcome import CheckOutcome, TestOutcome
from simulator.certify.rig import Rig
from simulator.certify.scene import Scene, Wanted
from simulator.errors import PeerError
from simulator.events import ConnectionBroken, Event, now
from simulator.rules.sop_classes import by_name
from simulator.scenario.history import Recorder
from simulator.synthesis import compression
from simulator.wire import commitment
from simulator.wire.association import VERIFICATION, Association, Context, TimeOuts
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

_TIME_OUTS = TimeOuts(acse=8.0, dimse=8.0)  # half a minute is all that a preflight has
_VERIFICATION = Context(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))


@dataclass(frozen=True, slots=True)
class _Probe:
    """What is tried at a system: an id, words, and how; it raises `PeerError`, or returns checks beside."""

    id: str
    title: str
    verifies: tuple[str, ...]
    act: Callable[[], tuple[CheckOutcome, ...]]


class Preflight:
    """The probes of a session's systems. root: the session's folder. resolve: raises `OSError` for an unknown host."""

    def __init__(self, rig: Rig, root: Path, resolve: Resolve | None = None) -> None:
        self._rig = rig
        self._root = root
        self._resolve = resolve

    def run(self) -> Iterator[TestOutcome]:
        """Try everything, system by system; yield each outcome as it comes."""
        for system in self._rig.declared.systems:
            failed = ""
            for probe in self._probes(system):
                outcome = _not_tried(probe, failed) if failed else self._tried(probe, system)
                if outcome.verdict == "fail":
                    failed = outcome.id
                yield outcome

    def _probes(self, system: System) -> Iterator[_Probe]:
        name = system.name
        yield _Probe(
            f"resolve[{name}]",
            f"the host of {name}, {system.host}, has an address",
            ("COM-3",),
            lambda: self._name(system),
        )
        if system.port is None:
            return
        yield _Probe(
            f"verify[{name}]",
            f"{name} takes an association at {system.host}:{system.port}, and answers C-ECHO",
            ("COM-1", "COM-2"),
            lambda: self._verify(system),
        )
        if "receives" in system.does:
            yield _Probe(
                f"contexts[{name}]",
                f"{name} accepts a presentation context for each SOP class that it is to receive",
                ("SCU-5",),
                lambda: self._matrix(system),
            )
        if "commitment" in system.does:
            yield _Probe(
                f"way-back[{name}]",
                f"storage commitment reports find their way back to {name}",
                ("CMT-8",),
                lambda: self._way_back(system),
            )

    def _tried(self, probe: _Probe, system: System) -> TestOutcome:
        before, began = self._rig.counts(), time.monotonic()
        problem = ""
        checks: tuple[CheckOutcome, ...] = ()
        recorder = Recorder(probe.id)
        try:
            with self._rig.observed(recorder.observe):
                checks = probe.act()
        except PeerError as error:
            problem = _handshake(system, recorder.history().events) or str(error)
        if any(each.verdict == "fail" for each in checks):
            problem = next(each.because for each in checks if each.verdict == "fail")
        conversations = self._rig.conversations(before)
        seen = recorder.history()
        folder = self._root / EVIDENCE / "preflight" / _plain(probe.id)
        kept = evidence.keep(self._root, folder, conversations, seen)
        scene = Scene(
            declared=self._rig.declared,
            wanted=Wanted(probe.id, "preflight", system),
            conversations=conversations,
            events=seen.events,
            met=not problem,
            seconds=time.monotonic() - began,
            moment=now(),
            captures=kept.captures,
        )
        reached = CheckOutcome(
            check=probe.id,
            verdict="fail" if problem else "pass",
            expected=True,
            observed=not problem,
            because=problem or probe.title,
        )
        return TestOutcome(
            id=probe.id,
            title=probe.title,
            level="must",
            verifies=probe.verifies,
            verdict="fail" if problem else "pass",
            attempts=1,
            seconds=round(scene.seconds, 3),
            checks=(reached, *checks),
            cards=diagnose(scene),
            captures=kept.files,
        )

    # --- what is tried ---------------------------------------------------------------------------------

    def _name(self, system: System) -> tuple[CheckOutcome, ...]:
        if problem := unresolved(system.host, self._resolve):
            raise PeerError(problem)
        return ()

    def _verify(self, system: System) -> tuple[CheckOutcome, ...]:
        with self._associate(system, [_VERIFICATION]) as association:
            response = association.echo()
        if response.status:
            raise PeerError(f"C-ECHO was answered {response.status_text}")
        return ()

    def _matrix(self, system: System) -> tuple[CheckOutcome, ...]:
        """Return a check for each SOP class: proposed with each transfer syntax that was declared, one a context."""
        classes = [by_name(name) for name in system.sop_classes]
        syntaxes = [compression.by_name(name) for name in system.transfer_syntaxes]
        pairs = [(each, syntax) for each in classes for syntax in syntaxes]
        contexts = [Context(each.uid, (syntax.uid,)) for each, syntax in pairs]
        found = []
        with self._associate(system, contexts) as association:
            for each in classes:
                accepted = association.accepted_syntaxes(each.uid)
                names = [syntax.keyword for syntax in syntaxes if syntax.uid in accepted]
                told = (
                    f"accepted in {', '.join(names)}" if names else f"refused {association.refusal(each.uid)}".strip()
                )
                found.append(
                    CheckOutcome(
                        check=f"context.{each.name}",
                        verdict="pass" if names else "fail",
                        expected=[syntax.keyword for syntax in syntaxes],
                        observed=names,
                        because=f"{each.name}: {told}",
                    )
                )
        return tuple(found)

    def _way_back(self, system: System) -> tuple[CheckOutcome, ...]:
        here = self._rig.declared.gateway.ae_title
        commitment.report_association(here, self._rig.way_out(system), _TIME_OUTS).release()
        return ()

    def _associate(self, system: System, contexts: list[Context]) -> Association:
        here = self._rig.declared.gateway.ae_title
        return Association.request(here, self._rig.way_out(system), contexts, _TIME_OUTS)


def _handshake(system: System, events: Sequence[Event]) -> str:
    """Return why there was no TLS with the system, in words; empty where that was not what failed."""
    broken = [each for each in events if isinstance(each, ConnectionBroken) and each.peer.endswith(f":{system.port}")]
    return f"no TLS with {broken[-1].peer}: {broken[-1].words}" if broken else ""


def _not_tried(probe: _Probe, failed: str) -> TestOutcome:
    why = f"it rests on {failed}, which failed"
    return TestOutcome(
        id=probe.id, title=probe.title, level="must", verifies=probe.verifies, verdict="not-tested", why=why
    )


def _plain(identity: str) -> str:
    return identity.replace("[", "-").replace("]", "")
