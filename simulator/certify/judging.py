"""Judges a test: what its literals expect against what was seen on the wire and told by the gateway. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from simulator.certify.programme import Expectation
from simulator.certify.scene import Scene
from simulator.events import (
    CommitmentDelivered,
    CommitmentReceived,
    CommitmentUndelivered,
    DispatchChanged,
    Event,
    HarnessFailed,
    InstanceForwarded,
    InstanceRefused,
    InstanceStored,
    MessageRefused,
    OrderReceived,
    StudyChanged,
)
from simulator.scenario.findings import Finding, finding
from simulator.wire import command_set, pdus, transcript
from simulator.wire.conversation import Conversation

Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was observed of one expectation, and what that means in a sentence."""

    observed: Any
    because: str


def judge(expected: Expectation, scene: Scene) -> tuple[Finding, ...]:
    """Return a finding for each literal; where our own side failed, that one error alone."""
    if failed := _of(scene, HarnessFailed):
        return (Finding("harness", "error", "the test runs to its end", failed[0].problem, failed[0].problem),)
    found = []
    for name, literal in expected.entries():
        seen = _OBSERVERS[name](scene)
        observed = _within(literal, seen.observed) if name == "states" else seen.observed
        found.append(finding(f"{scene.wanted.kind}.{name}", literal, observed, seen.because))
    return tuple(found)


def study_uid(scene: Scene) -> str:
    """Return the Study Instance UID of the study that the test is about, empty before it came.

    It is the one under the accession number of the worksheet; else the last one that came from the system.
    """
    changed = _of(scene, StudyChanged)
    under = [each.study_instance_uid for each in changed if each.accession_number == scene.wanted.accession_number]
    if under:
        return under[0]
    system = scene.wanted.system
    came = [
        each.study_instance_uid
        for each in _of(scene, InstanceStored)
        if system is None or each.calling_ae_title == system.ae_title
    ]
    return came[-1] if came else ""


def from_system(scene: Scene) -> tuple[Conversation, ...]:
    """Return the DICOM connections to the gateway in which the test's system gave its AE title."""
    system = scene.wanted.system
    return tuple(
        each
        for each in scene.conversations
        if each.protocol == "DICOM"
        and each.link.endswith("->gateway")
        and (system is None or calling_ae_title(each) == system.ae_title)
    )


def calling_ae_title(conversation: Conversation) -> str:
    """Return the calling AE title of a conversation that begins with an A-ASSOCIATE-RQ; empty for any other."""
    said = conversation.said("requestor")[:42]
    return pdus.title(said[26:42]) if len(said) == 42 and said[0] == pdus.ASSOCIATE_RQ else ""


def _verification(scene: Scene) -> _Seen:
    statuses = []
    for conversation in from_system(scene):
        for message in transcript.read(conversation).messages:
            if message.by == "acceptor" and message.command.kind == "C-ECHO-RSP":
                statuses.append(f"{message.command.number(command_set.STATUS, 0xFFFF):04X}")
    if not statuses:
        return _Seen(None, "no C-ECHO came")
    return _Seen(statuses[-1], f"C-ECHO was answered {statuses[-1]}")


def _order(scene: Scene) -> _Seen:
    number = scene.wanted.accession_number
    if any(each.accession_number == number for each in _of(scene, OrderReceived)):
        return _Seen("AA", f"the order {number} was taken")
    if refused := _of(scene, MessageRefused):
        return _Seen(refused[-1].code, f"a message was answered {refused[-1].code}: {refused[-1].text}")
    others = sorted({each.accession_number for each in _of(scene, OrderReceived)})
    if others:
        return _Seen(None, f"no order {number} came; what came was {', '.join(others)}")
    return _Seen(None, f"no order {number} came")


def _answers(scene: Scene) -> _Seen:
    uid = study_uid(scene)
    stored = [each for each in _of(scene, InstanceStored) if each.study_instance_uid == uid]
    refused = [each for each in _of(scene, InstanceRefused) if each.study_instance_uid in (uid, "")]
    statuses = sorted({"0000"} if stored else set()) + sorted({each.status for each in refused})
    if not statuses:
        return _Seen([], "no instance came")
    words = f"{len(stored)} stored"
    if refused:
        words += f", {len(refused)} refused: {refused[0].status} {refused[0].error_comment}"
    return _Seen(statuses, words)


def _ended(scene: Scene) -> _Seen:
    """How the last association with C-STORE ended: an image may be missing where it was not released (PS3.8 9.3.6)."""
    read = [transcript.read(each) for each in from_system(scene)]
    storing = [each for each in read if any(message.command.kind == "C-STORE-RQ" for message in each.messages)]
    if not storing:
        return _Seen(None, "no association brought images")
    kinds = {pdu.kind: pdu.by for pdu in storing[-1].pdus}
    if pdus.RELEASE_RP in kinds:
        return _Seen("released", "the last association that brought images was released")
    if pdus.ABORT in kinds:
        who = "the gateway" if kinds[pdus.ABORT] == "acceptor" else "the system"
        return _Seen("aborted", f"the last association that brought images was aborted by {who}")
    if storing[-1].conversation.endings:
        return _Seen("broken off", "the last association that brought images ended without a release")
    return _Seen("open", "the last association that brought images is open still")


def _state(scene: Scene) -> _Seen:
    states = _states_of(scene)
    if not states:
        return _Seen(None, f"no study {scene.wanted.accession_number} came")
    last = states[-1]
    reasons = f" ({', '.join(last.reasons)})" if last.reasons else ""
    return _Seen(last.state, f"the study is {last.state}{reasons}")


def _states(scene: Scene) -> _Seen:
    states = [each.state for each in _states_of(scene)]
    return _Seen(states, f"the study went through {', '.join(states)}" if states else "no study came")


def _states_of(scene: Scene) -> list[StudyChanged]:
    uid = study_uid(scene)
    return [each for each in _of(scene, StudyChanged) if each.study_instance_uid == uid]


def _request(scene: Scene) -> _Seen:
    system = scene.wanted.system
    asked = [each for each in _of(scene, CommitmentReceived) if system and each.calling_ae_title == system.ae_title]
    if not asked:
        return _Seen(None, "no request for storage commitment came")
    return _Seen(asked[-1].status, f"the request about {asked[-1].instances} instances was answered {asked[-1].status}")


def _report(scene: Scene) -> _Seen:
    system = scene.wanted.system
    title = system.ae_title if system else ""
    delivered = [each for each in _of(scene, CommitmentDelivered) if each.calling_ae_title == title]
    if delivered:
        return _Seen("delivered", f"the report was taken, on {_ASSOCIATIONS[delivered[-1].via]}")
    missed = [each for each in _of(scene, CommitmentUndelivered) if each.calling_ae_title == title]
    if missed:
        return _Seen("undelivered", f"attempt {missed[-1].attempt}: {missed[-1].problem}")
    return _Seen(None, "no report was due")


_ASSOCIATIONS: Mapping[str, str] = {"same": "the association of the request", "new": "an association of its own"}


def _arrivals(scene: Scene) -> _Seen:
    sent = _of(scene, InstanceForwarded)
    if not sent:
        problems = [each.problem for each in _of(scene, DispatchChanged) if each.problem]
        return _Seen([], problems[-1] if problems else "nothing was sent")
    statuses = sorted({each.status for each in sent})
    return _Seen(statuses, f"{len(sent)} instances were answered {', '.join(statuses)}")


def _dispatch(scene: Scene) -> _Seen:
    changed = _of(scene, DispatchChanged)
    if not changed:
        return _Seen(None, "nothing was to be sent")
    last = changed[-1]
    return _Seen(last.state, f"what was to be sent is {last.state}" + (f": {last.problem}" if last.problem else ""))


_OBSERVERS: Mapping[str, Callable[[Scene], _Seen]] = {
    "verification": _verification,
    "order": _order,
    "answers": _answers,
    "ended": _ended,
    "state": _state,
    "states": _states,
    "request": _request,
    "report": _report,
    "arrivals": _arrivals,
    "dispatch": _dispatch,
}


def _within(wanted: Sequence[str], seen: Sequence[str]) -> list[str]:
    """Return what is wanted where all of it was seen in this order, with anything between; else all that was seen."""
    left: Iterator[str] = iter(seen)
    return list(wanted) if all(any(each == state for state in left) for each in wanted) else list(seen)


def _of(scene: Scene, kind: type[Kind]) -> list[Kind]:
    return [event for event in scene.events if isinstance(event, kind)]
