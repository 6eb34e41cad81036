"""The story's words for what the modality, the order placer and the operator saw, and the gateway where it calls."""

from __future__ import annotations

from collections import Counter
from functools import singledispatch

from simulator.events import (
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentReported,
    CommitmentRequested,
    EchoAnswered,
    Event,
    LengthsMeasured,
    OrderAcknowledged,
    OrderFailed,
    OrderUnanswered,
    ReconcileAnswered,
)
from simulator.report.naming import Names, instances, transaction, way

# PS3.8 9.3.4, table 9-21: the first two fields of A-ASSOCIATE-RJ.
_RESULTS = {1: "permanent", 2: "transient"}
_SOURCES = {1: "service-user", 2: "service-provider, ACSE", 3: "service-provider, presentation"}


@singledispatch
def told(event: Event, names: Names) -> str:
    """Return the sentence of an event, or nothing for one that is told elsewhere."""
    return ""


@told.register
def _(event: AssociationAccepted, names: Names) -> str:
    refused = event.proposed - event.accepted
    contexts = f"{event.accepted} of {event.proposed} presentation contexts accepted"
    contexts = "its presentation context accepted" if event.proposed == event.accepted == 1 else contexts
    why = sorted({each.replace("-", " ") for each in event.contexts if not each[:1].isdigit()})
    told = f", {refused} not" + (f" ({', '.join(why)})" if why else "") if refused else ""
    return f"association accepted: {_between(event)}; {contexts}{told}"


@told.register
def _(event: AssociationRejected, names: Names) -> str:
    numbers = f"(result {event.result}, source {event.source}, reason {event.reason})"
    meaning = event.meaning.removesuffix(numbers).rstrip()
    result, source = _RESULTS.get(event.result, "unknown"), _SOURCES.get(event.source, "unknown")
    fields = f"result {event.result} ({result}), source {event.source} ({source}), reason {event.reason}"
    return f"association rejected: {_between(event)}; {meaning}; {fields}"


@told.register
def _(event: AssociationFailed, names: Names) -> str:
    return f"association failed: {_between(event)}; {event.problem}"


@told.register
def _(event: LengthsMeasured, names: Names) -> str:
    limit = f"{event.announced} announced" if event.announced else "no limit announced"
    longest = f"the longest P-DATA-TF that came had {event.longest} bytes" if event.longest else "no P-DATA-TF came"
    return f"association ended at {event.observer}: {longest}, {limit}"


@told.register
def _(event: EchoAnswered, names: Names) -> str:
    return f"C-ECHO answered {event.status}"


@told.register
def _(event: OrderAcknowledged, names: Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent and acknowledged {event.code}" + (f": {event.text}" if event.text else "")


@told.register
def _(event: OrderFailed, names: Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent, but not acknowledged: {event.problem}"


@told.register
def _(event: OrderUnanswered, names: Names) -> str:
    order = names.order(event.message_control_id, event.accession_number)
    return f"{order} sent; no acknowledgement is due, and none came"


@told.register
def _(event: CommitmentRequested, names: Names) -> str:
    named = instances(len(event.sop_instance_uids))
    return f"commitment asked for {named} of {names.study(event.study_instance_uid)}, {transaction(event)}"


@told.register
def _(event: CommitmentAnswered, names: Names) -> str:
    comment = f" (Error Comment: {event.error_comment})" if event.error_comment else ""
    return f"commitment request answered {event.status}{comment}, {transaction(event)}"


@told.register
def _(event: CommitmentFailed, names: Names) -> str:
    return f"commitment request not answered: {event.problem}, {transaction(event)}"


@told.register
def _(event: CommitmentReported, names: Names) -> str:
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(Counter(event.reasons).items()))
    failed = f", {len(event.failed)} failed ({reasons})" if event.failed else ""
    told = f"{len(event.committed)} committed{failed}"
    return f"commitment report came {way(event)}: {told}; answered {event.status}, {transaction(event)}"


@told.register
def _(event: ReconcileAnswered, names: Names) -> str:
    what = f"bound to order {event.accession_number}" if event.accession_number else "rejected"
    study = names.study(event.study_instance_uid)
    if event.answer == "done":
        return f"{study} {what} by the operator"
    return f"{study} not {what}: {event.answer}, {event.words}"


def _between(event: AssociationAccepted | AssociationRejected | AssociationFailed) -> str:
    return f"{event.calling_ae_title} calling {event.called_ae_title} at {event.peer}"
