"""The story's words for what peers played from a script did, and for faults that were injected between two peers."""

from __future__ import annotations

from functools import singledispatch

from simulator.events import (
    ConnectionEnded,
    Event,
    FaultInjected,
    FaultMissed,
    PduReceived,
    PduSent,
    RelayBlind,
    RelayFailed,
    ScriptEnded,
)

_ENDS = {
    "fin": "closed the connection (FIN)",
    "rst": "reset the connection (RST)",
    "abort": "aborted the association (A-ABORT)",
    "timeout": "waited in vain, and gave up",
}


@singledispatch
def told(event: Event) -> str:
    """Return the sentence of an event. Raises `TypeError` for one that has no words here."""
    raise TypeError(f"no words for {type(event).__name__}")


@told.register
def _(event: PduSent) -> str:
    return _pdu(event, "sent")


@told.register
def _(event: PduReceived) -> str:
    return _pdu(event, f"received, status {event.status}" if event.status else "received")


@told.register
def _(event: ConnectionEnded) -> str:
    return f"the {event.by} {_ENDS.get(event.how, event.how)}"


@told.register
def _(event: ScriptEnded) -> str:
    if not event.problem:
        return f"all {event.steps} steps of the script went as written"
    return f"the script ended after {event.done} of {event.steps} steps: {event.problem}"


@told.register
def _(event: FaultInjected) -> str:
    where = f"connection {event.connection}, {event.direction}, byte {event.offset}"
    return f"fault {event.do!r} at {event.fault_at} ({where}): {event.done}"


@told.register
def _(event: FaultMissed) -> str:
    seen = "none came" if event.seen == 0 else f"{event.seen} came"
    return f"fault {event.do!r} at {event.fault_at} was not injected: of its kind {seen}"


@told.register
def _(event: RelayBlind) -> str:
    return f"connection {event.connection}, {event.direction}, passes without faults: {event.why}"


@told.register
def _(event: RelayFailed) -> str:
    return f"connection {event.connection} was reset: {event.problem}"


def _pdu(event: PduSent | PduReceived, done: str) -> str:
    named = " with ".join(filter(None, (event.kind, event.message))) or "bytes that are no whole PDU"
    return f"{named} {done} ({event.length} bytes: {event.head})"
