"""The judge of what is seen downstream: what of a study arrived at the remote SCPs, and whether it is what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from pydicom.uid import UID

from simulator.events import InstanceReceived, LengthsMeasured, PixelsPlanned, StoreAnswered
from simulator.scenario.evidence import Evidence
from simulator.scenario.findings import Finding, called, finding, longest_pdu
from simulator.scenario.model_expectations import ArrivalExpectation, ComparedKey, DownstreamExpectation

_Arrived = list[InstanceReceived]
_Sent = dict[str, StoreAnswered]


def findings(expected: DownstreamExpectation, evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for every check under `then.downstream`."""
    for remote, name, arrival in expected.arrivals():
        for found in _arrival(remote, name, arrival, evidence):
            unseen = evidence.arrivals_unseen(remote) or _unknown(found, evidence)
            yield finding(found.check, found.expected, found.observed, found.because, unseen)
    for remote, there in expected.remotes.items():
        if there.longest_pdu is not None:
            measured = [e for e in evidence.of(LengthsMeasured) if e.observer == remote]
            unseen = evidence.arrivals_unseen(remote)
            yield longest_pdu(f"downstream.remotes.{remote}", there.longest_pdu, measured, unseen)


# What is compared with what the modality sent.
_AS_SENT = ("pixel_data", "data_set", "pixel_values", "keys", "original_attributes")


def _unknown(found: Finding, evidence: Evidence) -> str:
    """Return why nothing is known of what this check compares with, or of what has not arrived; empty if it is."""
    key = found.check.rpartition(".")[2]
    if key in _AS_SENT or (key, found.expected) == ("transfer_syntax", "identical"):
        return evidence.sending_unseen
    return evidence.absence_unseen if found.expected == 0 and found.observed == 0 else ""


def _arrival(remote: str, name: str, expected: ArrivalExpectation, evidence: Evidence) -> Iterator[Finding]:
    arrived = [e for e in evidence.about(InstanceReceived, name) if remote in ("", e.observer)]
    sent: _Sent = {}
    for each in evidence.about(StoreAnswered, name):
        sent.setdefault(each.sop_instance_uid, each)  # of an instance that is sent again the first stays
    where = f"downstream.remotes.{remote}.studies.{name}" if remote else f"downstream.studies.{name}"
    study, there = called("study", name), remote or "the remote SCP"
    yield from _counts(where, study, there, expected, arrived)
    if expected.pixel_values is not None:
        yield _pixel_values(f"{where}.pixel_values", expected.pixel_values, arrived, sent, evidence)
    if expected.transfer_syntax not in (None, "identical"):
        names = sorted({UID(event.transfer_syntax_uid).keyword for event in arrived})
        because = f"{study} reached {there} in {', '.join(names) or 'no transfer syntax at all'}"
        observed = names[0] if len(names) == 1 else names or None
        yield finding(f"{where}.transfer_syntax", expected.transfer_syntax, observed, because)
    if expected.pixel_data is not None:
        wanted = expected.pixel_data
        yield _as_sent(f"{where}.pixel_data", wanted, "pixel_data_digest", "Pixel Data", arrived, sent)
    if expected.data_set is not None:
        yield _as_sent(f"{where}.data_set", expected.data_set, "data_set_digest", "the data set", arrived, sent)
    if expected.transfer_syntax == "identical":
        wanted = expected.transfer_syntax
        yield _as_sent(f"{where}.transfer_syntax", wanted, "transfer_syntax_uid", "transfer syntax", arrived, sent)
    if expected.keys is not None:
        yield _keys_that_arrived(f"{where}.keys", study, expected.keys, arrived, sent, evidence.plan.order_keys)
    if expected.original_attributes is not None:
        yield _kept(f"{where}.original_attributes", expected.original_attributes, arrived, sent)


def _counts(where: str, study: str, there: str, expected: ArrivalExpectation, arrived: _Arrived) -> Iterator[Finding]:
    distinct = len({event.sop_instance_uid for event in arrived})
    if expected.instances is not None:
        because = f"distinct instances of {study} that reached {there}: {distinct}"
        yield finding(f"{where}.instances", expected.instances, distinct, because)
    if expected.stored is not None:
        stored = len({event.sop_instance_uid for event in arrived if _is_stored(event.status)})
        because = f"distinct instances of {study} that {there} stored: {stored}"
        yield finding(f"{where}.stored", expected.stored, stored, because)
    if expected.repeated is not None:
        repeated = len(arrived) - distinct
        because = f"{repeated} of {len(arrived)} arrivals of {study} were of what had arrived before"
        yield finding(f"{where}.repeated", expected.repeated, repeated, because)


def _is_stored(status: str) -> bool:
    """Tell whether a status of C-STORE says that the instance was stored (PS3.4 B.2.3)."""
    return status == "0000" or status.startswith("B")


def _as_sent(check: str, wanted: str, field: str, words: str, arrived: _Arrived, sent: _Sent) -> Finding:
    changed = [e for e in arrived if _differs(e, sent.get(e.sop_instance_uid), field)]
    because = f"{words} of {len(arrived) - len(changed)} of {len(arrived)} instances is as it was sent"
    return _identical(check, wanted, because, arrived, changed, sent)


def _pixel_values(check: str, wanted: str, arrived: _Arrived, sent: _Sent, evidence: Evidence) -> Finding:
    """Compare samples without a decoder: what was planned before it was compressed is there, byte for byte."""
    planned = {uid: digest for event in evidence.of(PixelsPlanned) for uid, digest in event.digests.items()}
    changed = [
        e
        for e in arrived
        if planned.get(e.sop_instance_uid) != e.pixel_data_digest
        and not _is_compressed_as_sent(e, sent.get(e.sop_instance_uid))
    ]
    because = f"samples of {len(arrived) - len(changed)} of {len(arrived)} instances are those that were planned"
    return _identical(check, wanted, because, arrived, changed, sent)


def _identical(check: str, wanted: str, because: str, arrived: _Arrived, changed: _Arrived, sent: _Sent) -> Finding:
    observed = "nothing arrived" if not arrived else "changed" if changed else "identical"
    because += f"; changed: {_listed(changed, sent)}" if changed else ""
    return finding(check, wanted, observed, because)


def _is_compressed_as_sent(event: InstanceReceived, sent: StoreAnswered | None) -> bool:
    return not _differs(event, sent, "transfer_syntax_uid") and not _differs(event, sent, "pixel_data_digest")


def _differs(arrived: InstanceReceived, sent: StoreAnswered | None, field: str) -> bool:
    return sent is None or not getattr(sent, field) or getattr(sent, field) != getattr(arrived, field)


def _listed(changed: _Arrived, sent: _Sent) -> str:
    """Return the first few instances that are not as they were sent, with the transfer syntax that each left in."""
    known = [(e.sop_instance_uid, sent.get(e.sop_instance_uid)) for e in changed[:3]]
    told = [f"{uid} sent in {was.transfer_syntax_uid}" if was else f"{uid}, which was not sent" for uid, was in known]
    return "; ".join([*told, *(["..."] if len(changed) > 3 else [])])


def _keys_that_arrived(
    check: str, study: str, expected: str, arrived: _Arrived, sent: _Sent, orders: Mapping[str, Mapping[str, str]]
) -> Finding:
    """Tell whose keys the instances carry: the study's own as they were sent, an order's, or nobody's."""
    owners = {_owner(event, sent.get(event.sop_instance_uid), orders, expected) for event in arrived}
    observed = "nothing arrived" if not arrived else " and ".join(sorted(owners))
    because = f"accession number and major keys of what arrived of {study} are those of: {observed}"
    return finding(check, expected, observed, because)


def _owner(
    event: InstanceReceived, sent: StoreAnswered | None, orders: Mapping[str, Mapping[str, str]], expected: str
) -> str:
    """Return whose keys an instance carries; of several that are alike, the one that is expected."""
    owners = [name for name, keys in orders.items() if keys and keys == event.keys]
    owners += ["study"] if sent is not None and sent.keys == event.keys else []
    return expected if expected in owners else next(iter(owners), "nobody")


def _kept(check: str, expected: tuple[str, ...], arrived: _Arrived, sent: _Sent) -> Finding:
    """Tell which keys every instance keeps as they were sent; one that keeps something else is told as altered."""
    observed: list[str] = []
    for key in get_args(ComparedKey):
        kept = [event.original.get(key) for event in arrived]
        was = [sent[e.sop_instance_uid].keys.get(key) if e.sop_instance_uid in sent else None for e in arrived]
        if any(each is not None for each in kept):
            observed.append(key if kept == was else f"{key} altered")
    because = f"Original Attributes Sequence of {len(arrived)} instances keeps: {', '.join(observed) or 'nothing'}"
    return finding(check, list(expected), observed if arrived else None, because)
