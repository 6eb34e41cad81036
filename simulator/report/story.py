"""What happened in a case, told for a PACS administrator: a line for each thing that matters, in its order.

Events of a kind that one observer saw of one study are drawn together into one line, however much others saw in
between; another event of that observer about the study ends the line. Studies and orders go by the names of the
story where its plan names them. Events hold no patient's name and no HKID, and so neither do the lines.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatch
from typing import Any

from simulator.events import (
    ActFound,
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    CasePlanned,
    CommitmentAnswered,
    CommitmentDecided,
    CommitmentDelivered,
    CommitmentFailed,
    CommitmentReceived,
    CommitmentReported,
    CommitmentRequested,
    CommitmentUndelivered,
    ConnectionBroken,
    DispatchChanged,
    EchoAnswered,
    Event,
    FileFound,
    ForwardAsked,
    GatewayKilled,
    GatewayStarted,
    GatewayStopped,
    HarnessFailed,
    HealthChanged,
    InstanceForwarded,
    InstanceLost,
    InstanceReceived,
    InstanceRefused,
    InstanceStored,
    MessageRefused,
    OrderAcknowledged,
    OrderFailed,
    OrderReceived,
    OrderUnanswered,
    PatientChanged,
    PixelsPlanned,
    ReconcileAnswered,
    StoreAnswered,
    StoreFailed,
    StudyChanged,
    StudyPurged,
    VerificationAnswered,
    WaitEnded,
)
from simulator.report import fault_words
from simulator.scenario.history import History

_Key = tuple[str, ...]
_COMMENTS_SHOWN = 3
_WORTH_TELLING = 1.0
"""Seconds from the first to the last event of a line from which on the line says how long it took."""

# PS3.8 9.3.4, table 9-21: the first two fields of A-ASSOCIATE-RJ.
_RESULTS = {1: "permanent", 2: "transient"}
_SOURCES = {1: "service-user", 2: "service-provider, ACSE", 3: "service-provider, presentation"}


@dataclass(frozen=True, slots=True)
class _Names:
    """What the story calls a study (by its UID) and an order (by its message control id)."""

    studies: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, history: History) -> _Names:
        names = cls()
        for plan in history.of(CasePlanned):
            for name, uid in plan.studies.items():  # what is sent again goes by its first name
                names.studies.setdefault(uid, _called("study", name))
            names.orders.update({control_id: _called("order", name) for name, control_id in plan.orders.items()})
            names.orders.update({i: f"message {i} about {_called('order', n)}" for i, n in plan.messages.items()})
        return names

    def study(self, uid: str) -> str:
        return self.studies.get(uid, f"study {uid}" if uid else "a study whose UID cannot be read")

    def order(self, control_id: str, accession_number: str = "") -> str:
        unknown = f"the message {control_id}" if control_id else "a message without a control id"
        name = self.orders.get(control_id, unknown)
        return f"{name} (accession number {accession_number})" if accession_number else name


def tell(history: History) -> list[tuple[float, str, str]]:
    """Return what happened as (seconds from the first event, observer, sentence), in the order of time.

    Raises `ValueError` for an event whose moment is not ISO 8601.
    """
    moments = {id(event): datetime.fromisoformat(event.at) for event in history.events}
    # The gateway's events arrive late by its API; its clock is the runner's, so the moments give the order.
    events = sorted(history.events, key=lambda event: moments[id(event)])
    names = _Names.of(history)
    told = []
    for line in _drawn_together(events):
        seconds = (moments[id(line[0])] - moments[id(events[0])]).total_seconds()
        took = (moments[id(line[-1])] - moments[id(line[0])]).total_seconds()
        sentence = _sentence(line, names) + (f"; in {took:.1f} s" if took >= _WORTH_TELLING else "")
        told.append((round(seconds, 3), line[0].observer, sentence))
    return told


# --- which events are one line ---------------------------------------------------------------------


def _drawn_together(events: Iterable[Event]) -> list[list[Event]]:
    lines: list[list[Event]] = []
    open_lines: dict[_Key, list[Event]] = {}
    for event in events:
        key = _key(event)
        if key is not None and key in open_lines:
            open_lines[key].append(event)
            continue
        for ended in [other for other in open_lines if _ends(event, key, other)]:
            del open_lines[ended]
        lines.append([event])
        if key is not None:
            open_lines[key] = lines[-1]
    return lines


def _key(event: Event) -> _Key | None:
    """Return what events of one line share: observer, study, kind and peer; None for an event told by itself."""
    match event:
        case StoreAnswered() | StoreFailed():
            return event.observer, event.study_instance_uid, "sent"
        case InstanceStored() | InstanceRefused():
            return event.observer, event.study_instance_uid, "taken", event.calling_ae_title
        case InstanceForwarded():
            return event.observer, event.study_instance_uid, "forwarded", event.destination
        case InstanceReceived():
            return event.observer, event.study_instance_uid, "arrived", event.calling_ae_title
        case FileFound():
            return event.observer, event.study_instance_uid, "found"
    return None


def _ends(event: Event, key: _Key | None, other: _Key) -> bool:
    """Tell whether `event` ends the line `other`: same observer, and another thing about the study, or no study."""
    observer, study, kind = other[:3]
    if event.observer != observer or (key is not None and key[2] == kind):
        return False
    if isinstance(event, StudyChanged) and event.state == "receiving" and kind == "taken":
        return False  # The first instance opens the study, so this state is entered amid the instances.
    about = getattr(event, "study_instance_uid", None)
    return about is None or about == study


# --- a line's sentence -----------------------------------------------------------------------------


def _sentence(events: Sequence[Event], names: _Names) -> str:
    first: Any = events[0]
    tellers: dict[str, Callable[[Sequence[Any], str], str]] = {
        "sent": _sent,
        "taken": _taken,
        "forwarded": _forwarded,
        "arrived": _arrived,
        "found": _found,
    }
    key = _key(first)
    if key is None:
        return _single(first, names)
    return tellers[key[2]](events, names.study(first.study_instance_uid))


def _sent(events: Sequence[StoreAnswered | StoreFailed], study: str) -> str:
    answers = [event for event in events if isinstance(event, StoreAnswered)]
    lost = [event for event in events if isinstance(event, StoreFailed)]
    parts = _by_status(answers, study, "answered")
    if lost:
        of = "" if parts else f" of {study}"
        parts.append(f"{_instances(len(lost), bool(parts))}{of} got no answer: {_distinct(e.problem for e in lost)}")
    return "; ".join(parts)


def _taken(events: Sequence[InstanceStored | InstanceRefused], study: str) -> str:
    stored = [event for event in events if isinstance(event, InstanceStored)]
    refused = [event for event in events if isinstance(event, InstanceRefused)]
    parts = [f"{_instances(len(stored))} of {study} stored"] if stored else []
    of = "" if parts else f" of {study}"
    for status, some in _groups(refused).items():
        many = _instances(len(some), bool(parts))
        kept = "and kept aside" if all(event.kept_as for event in some) else "and not all kept aside"
        parts.append(f"{many}{of} refused with {status}{_comments(some)} {kept}")
        of = ""
    return "; ".join(parts)


def _forwarded(events: Sequence[InstanceForwarded], study: str) -> str:
    return "; ".join(_by_status(events, study, f"forwarded to {events[0].destination}, answered"))


def _arrived(events: Sequence[InstanceReceived], study: str) -> str:
    again = len(events) - len({event.sop_instance_uid for event in events})
    sentence = "; ".join(_by_status(events, study, f"arrived from {events[0].calling_ae_title}, answered"))
    return f"{sentence} ({again} of them more than once)" if again else sentence


def _found(events: Sequence[FileFound], study: str) -> str:
    files = "file lies" if len(events) == 1 else "files lie"
    return f"{len(events)} instance {files} in the gateway's folder for {study}"


@singledispatch
def _single(event: Event, names: _Names) -> str:
    """Return the sentence of an event that is told by itself."""
    return fault_words.told(event)


@_single.register
def _(event: CasePlanned, names: _Names) -> str:
    orders = [f"{names.order(control_id)} is message {control_id}" for control_id in event.orders.values()]
    studies = [
        f"{names.study(uid)} is {uid} ({_instances(event.instances.get(name, 0))})"
        for name, uid in event.studies.items()
    ]
    return "; ".join([f"planned from seed {event.seed}", *orders, *studies])


@_single.register
def _(event: GatewayStarted, names: _Names) -> str:
    return f"gateway {event.ae_title} started: it listens on port {event.dicom_port} (DICOM) and {event.hl7_port} (HL7)"


@_single.register
def _(event: GatewayStopped, names: _Names) -> str:
    if event.exit_code == 0:
        return "gateway stopped"
    if event.exit_code > 0:
        return f"gateway ended with code {event.exit_code}; its log says why"
    return f"gateway was ended by signal {_signal(-event.exit_code)}"


@_single.register
def _(event: GatewayKilled, names: _Names) -> str:
    return "gateway killed, as the story says"


@_single.register
def _(event: AssociationAccepted, names: _Names) -> str:
    refused = event.proposed - event.accepted
    contexts = f"{event.accepted} of {event.proposed} presentation contexts accepted"
    contexts = "its presentation context accepted" if event.proposed == event.accepted == 1 else contexts
    return f"association accepted: {_between(event)}; {contexts}" + (f", {refused} not" if refused else "")


@_single.register
def _(event: AssociationRejected, names: _Names) -> str:
    numbers = f"(result {event.result}, source {event.source}, reason {event.reason})"
    meaning = event.meaning.removesuffix(numbers).rstrip()
    result, source = _RESULTS.get(event.result, "unknown"), _SOURCES.get(event.source, "unknown")
    fields = f"result {event.result} ({result}), source {event.source} ({source}), reason {event.reason}"
    return f"association rejected: {_between(event)}; {meaning}; {fields}"


@_single.register
def _(event: AssociationFailed, names: _Names) -> str:
    return f"association failed: {_between(event)}; {event.problem}"


@_single.register
def _(event: ConnectionBroken, names: _Names) -> str:
    who = f"{event.calling_ae_title} at {event.peer}" if event.calling_ae_title else event.peer
    return f"connection of {who} broken off ({event.problem}): {event.words}; answered by {event.answer}"


@_single.register
def _(event: EchoAnswered, names: _Names) -> str:
    return f"C-ECHO answered {event.status}"


@_single.register
def _(event: VerificationAnswered, names: _Names) -> str:
    return f"{event.destination} asked for Verification: {event.problem or f'answered {event.status}'}"


@_single.register
def _(event: OrderAcknowledged, names: _Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent and acknowledged {event.code}" + (f": {event.text}" if event.text else "")


@_single.register
def _(event: OrderFailed, names: _Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent, but not acknowledged: {event.problem}"


@_single.register
def _(event: OrderUnanswered, names: _Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent; no acknowledgement is due, and none came"


@_single.register
def _(event: PatientChanged, names: _Names) -> str:
    message = f"{names.order(event.message_control_id)} received: {event.message_type}"
    if not event.orders:
        return f"{message}; it changes no order"
    return f"{message}; it changes order {', '.join(event.orders)}"


@_single.register
def _(event: OrderReceived, names: _Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} received: {event.message_type}, order control {event.order_control}"


@_single.register
def _(event: MessageRefused, names: _Names) -> str:
    return f"{names.order(event.message_control_id)} refused {event.code}: {event.text}; kept aside as {event.kept_as}"


@_single.register
def _(event: StudyChanged, names: _Names) -> str:
    reasons = f": {', '.join(event.reasons)}" if event.reasons else ""
    warnings = f"; warning {', '.join(event.warnings)}" if event.warnings else ""
    return f"{names.study(event.study_instance_uid)} is {event.state}{reasons}{warnings}"


@_single.register
def _(event: CommitmentRequested, names: _Names) -> str:
    named = _instances(len(event.sop_instance_uids))
    return f"commitment asked for {named} of {names.study(event.study_instance_uid)}, {_transaction(event)}"


@_single.register
def _(event: CommitmentAnswered, names: _Names) -> str:
    comment = f" (Error Comment: {event.error_comment})" if event.error_comment else ""
    return f"commitment request answered {event.status}{comment}, {_transaction(event)}"


@_single.register
def _(event: CommitmentFailed, names: _Names) -> str:
    return f"commitment request not answered: {event.problem}, {_transaction(event)}"


@_single.register
def _(event: CommitmentReported, names: _Names) -> str:
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(Counter(event.reasons).items()))
    failed = f", {len(event.failed)} failed ({reasons})" if event.failed else ""
    way = "on the association of the request" if event.via == "same" else "on a new association"
    told = f"{len(event.committed)} committed{failed}"
    return f"commitment report came {way}: {told}; answered {event.status}, {_transaction(event)}"


@_single.register
def _(event: CommitmentReceived, names: _Names) -> str:
    comment = f": {event.error_comment}" if event.error_comment else ""
    asked = f"{event.calling_ae_title} asked for commitment of {_instances(event.instances)}"
    return f"{asked}, answered {event.status}{comment}, {_transaction(event)}"


@_single.register
def _(event: CommitmentDecided, names: _Names) -> str:
    return f"commitment decided: {event.committed} committed, {event.failed} failed, {_transaction(event)}"


@_single.register
def _(event: CommitmentDelivered, names: _Names) -> str:
    way = "on the association of the request" if event.via == "same" else "on a new association"
    return f"commitment report delivered to {event.calling_ae_title} {way}, {_transaction(event)}"


@_single.register
def _(event: CommitmentUndelivered, names: _Names) -> str:
    end = "abandoned after" if event.abandoned else "not delivered at"
    what = f"commitment report to {event.calling_ae_title} {end} attempt {event.attempt}"
    return f"{what}: {event.problem}, {_transaction(event)}"


@_single.register
def _(event: ReconcileAnswered, names: _Names) -> str:
    what = f"bound to order {event.accession_number}" if event.accession_number else "rejected"
    study = names.study(event.study_instance_uid)
    if event.answer == "done":
        return f"{study} {what} by the operator"
    return f"{study} not {what}: {event.answer}, {event.words}"


@_single.register
def _(event: ActFound, names: _Names) -> str:
    about = f" {names.study(event.study_instance_uid)}" if event.study_instance_uid else ""
    broken = "" if event.intact else "; the chain of the log is broken here"
    return f"entry {event.number} of the gateway's audit log: {event.act}{about}, by {event.who}{broken}"


@_single.register
def _(event: DispatchChanged, names: _Names) -> str:
    part = "an instance of " if event.sop_instance_uid else "a series of " if event.series_instance_uid else ""
    what = f"{part}{names.study(event.study_instance_uid)} for {event.destination}: {event.state}"
    lacks = f", {_instances(event.missing)} missing" if event.missing and event.state != "done" else ""
    tries = f", attempt {event.attempts}" if event.attempts else ""
    return f"{what}{lacks}{tries}{f': {event.problem}' if event.problem else ''}"


@_single.register
def _(event: ForwardAsked, names: _Names) -> str:
    part = "an instance of " if event.sop_instance_uid else "a series of " if event.series_instance_uid else ""
    answer = "queued" if event.status_code == 202 else f"refused with {event.status_code}: {event.text}"
    return f"asked to forward {part}{names.study(event.study_instance_uid)} to {event.destination}: {answer}"


@_single.register
def _(event: PixelsPlanned, names: _Names) -> str:
    return (
        f"noted the pixels of {_instances(len(event.digests))} of {names.study(event.study_instance_uid)} uncompressed"
    )


@_single.register
def _(event: StudyPurged, names: _Names) -> str:
    return f"{_instances(event.instances)} of {names.study(event.study_instance_uid)} purged"


@_single.register
def _(event: InstanceLost, names: _Names) -> str:
    return f"instance {event.sop_instance_uid} of {names.study(event.study_instance_uid)} lost: {event.problem}"


@_single.register
def _(event: HealthChanged, names: _Names) -> str:
    return f"{event.part}: {event.problem or 'works again'}"


@_single.register
def _(event: WaitEnded, names: _Names) -> str:
    return f"waited for {event.waited_for}: {'seen' if event.met else 'in vain, the deadline passed'}"


@_single.register
def _(event: HarnessFailed, names: _Names) -> str:
    return f"the harness could not carry on: {event.problem}"


# --- words -----------------------------------------------------------------------------------------


def _called(kind: str, name: str) -> str:
    """Return `the study` for a study that is named just so, else `study late`."""
    return f"the {kind}" if name == kind else f"{kind} {name}"


def _instances(number: int, short: bool = False) -> str:
    """Return `1 instance`, `2 instances`; the number alone once the line has said of what."""
    return str(number) if short else f"{number} instance" if number == 1 else f"{number} instances"


def _between(event: AssociationAccepted | AssociationRejected | AssociationFailed) -> str:
    return f"{event.calling_ae_title} calling {event.called_ae_title} at {event.peer}"


def _groups(events: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the events by status, the most frequent first."""
    order = [status for status, _ in Counter(event.status for event in events).most_common()]
    return {status: [event for event in events if event.status == status] for status in order}


def _by_status(events: Sequence[Any], study: str, verb: str) -> list[str]:
    """Return a part for each status: `1000 instances of the study answered 0000`, `1 answered A700 (...)`."""
    parts: list[str] = []
    for status, some in _groups(events).items():
        of = "" if parts else f" of {study}"
        parts.append(f"{_instances(len(some), bool(parts))}{of} {verb} {status or 'by nothing'}{_comments(some)}")
    return parts


def _transaction(event: Any) -> str:
    return f"transaction {event.transaction_uid}" if event.transaction_uid else "no Transaction UID"


def _comments(events: Sequence[Any]) -> str:
    comments = _distinct(getattr(event, "error_comment", "") for event in events)
    return f" (Error Comment: {comments})" if comments else ""


def _distinct(texts: Iterable[str]) -> str:
    """Return the different texts, each once; beyond a few only how many more there are."""
    different = list(dict.fromkeys(text for text in texts if text))
    more = len(different) - _COMMENTS_SHOWN
    return "; ".join(different[:_COMMENTS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
