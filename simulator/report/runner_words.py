"""The story's words for what the runner did, and for what it found in the gateway's folder."""

from __future__ import annotations

import signal
from functools import singledispatch

from simulator.events import (
    ActFound,
    CasePlanned,
    Event,
    ForwardAsked,
    GatewayKilled,
    GatewayStarted,
    GatewayStopped,
    HarnessFailed,
    NotCarriedOut,
    PixelsPlanned,
    RoleBound,
    StudyRecognised,
    WaitEnded,
)
from simulator.report.naming import Names, instances
from simulator.scenario.findings import called


@singledispatch
def told(event: Event, names: Names) -> str:
    """Return the sentence of an event, or nothing for one that is told elsewhere."""
    return ""


@told.register
def _(event: CasePlanned, names: Names) -> str:
    orders = [f"{names.order(control_id)} is message {control_id}" for control_id in event.orders.values()]
    studies = [
        f"{names.study(uid)} is {uid} ({instances(event.instances.get(name, 0))})"
        for name, uid in event.studies.items()
    ]
    return "; ".join([f"planned from seed {event.seed}", *orders, *studies])


@told.register
def _(event: RoleBound, names: Names) -> str:
    role = event.role if event.role in ("gateway", "modality") else f"remote SCP {event.role}"
    return f"the {role} is a real system: {event.ae_title} at {event.peer}"


@told.register
def _(event: NotCarriedOut, names: Names) -> str:
    return f"the case is not carried out: {event.reason}"


@told.register
def _(event: StudyRecognised, names: Names) -> str:
    return f"{called('study', event.study)} came from the real modality as study {event.study_instance_uid}"


@told.register
def _(event: GatewayStarted, names: Names) -> str:
    return f"gateway {event.ae_title} started: its DICOM and HL7 ports listen"


@told.register
def _(event: GatewayStopped, names: Names) -> str:
    if event.exit_code == 0:
        return "gateway stopped"
    if event.exit_code > 0:
        return f"gateway ended with code {event.exit_code}; its log says why"
    return f"gateway was ended by signal {_signal(-event.exit_code)}"


@told.register
def _(event: GatewayKilled, names: Names) -> str:
    return "gateway killed, as the story says"


@told.register
def _(event: ActFound, names: Names) -> str:
    about = f" {names.study(event.study_instance_uid)}" if event.study_instance_uid else ""
    broken = "" if event.intact else "; the chain of the log is broken here"
    return f"entry {event.number} of the gateway's audit log: {event.act}{about}, by {event.who}{broken}"


@told.register
def _(event: ForwardAsked, names: Names) -> str:
    answer = "queued" if event.status_code == 202 else f"refused with {event.status_code}: {event.text}"
    return f"asked to forward {names.part(event)} to {event.destination}: {answer}"


@told.register
def _(event: PixelsPlanned, names: Names) -> str:
    return (
        f"noted the pixels of {instances(len(event.digests))} of {names.study(event.study_instance_uid)} uncompressed"
    )


@told.register
def _(event: WaitEnded, names: Names) -> str:
    return f"waited for {event.waited_for}: {'seen' if event.met else 'in vain, the deadline passed'}"


@told.register
def _(event: HarnessFailed, names: Names) -> str:
    return f"the harness could not carry on: {event.problem}"


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
