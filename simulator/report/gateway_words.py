"""The story's words for what the gateway tells of itself."""

from __future__ import annotations

from functools import singledispatch

from simulator.events import (
    CommitmentDecided,
    CommitmentDelivered,
    CommitmentReceived,
    CommitmentUndelivered,
    ConnectionBroken,
    DispatchChanged,
    Event,
    HealthChanged,
    InstanceLost,
    MessageRefused,
    OrderReceived,
    PatientChanged,
    StudyChanged,
    StudyPurged,
    VerificationAnswered,
)
from simulator.report.naming import Names, instances, transaction, way


@singledispatch
def told(event: Event, names: Names) -> str:
    """Return the sentence of an event, or nothing for one that is told elsewhere."""
    return ""


@told.register
def _(event: ConnectionBroken, names: Names) -> str:
    who = f"{event.calling_ae_title} at {event.peer}" if event.calling_ae_title else event.peer
    return f"connection of {who} broken off ({event.problem}): {event.words}; answered by {event.answer}"


@told.register
def _(event: OrderReceived, names: Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} received: {event.message_type}, order control {event.order_control}"


@told.register
def _(event: PatientChanged, names: Names) -> str:
    message = f"{names.order(event.message_control_id)} received: {event.message_type}"
    if not event.orders:
        return f"{message}; it changes no order"
    return f"{message}; it changes order {', '.join(event.orders)}"


@told.register
def _(event: MessageRefused, names: Names) -> str:
    return f"{names.order(event.message_control_id)} refused {event.code}: {event.text}; kept aside as {event.kept_as}"


@told.register
def _(event: StudyChanged, names: Names) -> str:
    reasons = f": {', '.join(event.reasons)}" if event.reasons else ""
    warnings = f"; warning {', '.join(event.warnings)}" if event.warnings else ""
    return f"{names.study(event.study_instance_uid)} is {event.state}{reasons}{warnings}"


@told.register
def _(event: DispatchChanged, names: Names) -> str:
    what = f"{names.part(event)} for {event.destination}: {event.state}"
    lacks = f", {instances(event.missing)} missing" if event.missing and event.state != "done" else ""
    tries = f", attempt {event.attempts}" if event.attempts else ""
    return f"{what}{lacks}{tries}{f': {event.problem}' if event.problem else ''}"


@told.register
def _(event: CommitmentReceived, names: Names) -> str:
    comment = f": {event.error_comment}" if event.error_comment else ""
    asked = f"{event.calling_ae_title} asked for commitment of {instances(event.instances)}"
    return f"{asked}, answered {event.status}{comment}, {transaction(event)}"


@told.register
def _(event: CommitmentDecided, names: Names) -> str:
    return f"commitment decided: {event.committed} committed, {event.failed} failed, {transaction(event)}"


@told.register
def _(event: CommitmentDelivered, names: Names) -> str:
    return f"commitment report delivered to {event.calling_ae_title} {way(event)}, {transaction(event)}"


@told.register
def _(event: CommitmentUndelivered, names: Names) -> str:
    end = "abandoned after" if event.abandoned else "not delivered at"
    what = f"commitment report to {event.calling_ae_title} {end} attempt {event.attempt}"
    return f"{what}: {event.problem}, {transaction(event)}"


@told.register
def _(event: StudyPurged, names: Names) -> str:
    return f"{instances(event.instances)} of {names.study(event.study_instance_uid)} purged"


@told.register
def _(event: InstanceLost, names: Names) -> str:
    return f"instance {event.sop_instance_uid} of {names.study(event.study_instance_uid)} lost: {event.problem}"


@told.register
def _(event: HealthChanged, names: Names) -> str:
    return f"{event.part}: {event.problem or 'works again'}"


@told.register
def _(event: VerificationAnswered, names: Names) -> str:
    return f"{event.destination} asked for Verification: {event.problem or f'answered {event.status}'}"
