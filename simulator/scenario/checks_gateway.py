"""The judge of what is seen in the gateway: what it tells of itself, and what lies in its folder afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulator.events import (
    ActFound,
    AssociationRejected,
    ConnectionBroken,
    DispatchChanged,
    FileFound,
    GatewayStopped,
    InstanceRefused,
    InstanceStored,
    StudyChanged,
    StudyPurged,
    VerificationAnswered,
)
from simulator.scenario.evidence import Evidence
from simulator.scenario.findings import Finding, called, finding, words
from simulator.scenario.model_expectations import DestinationExpectation, GatewayExpectation, StudyExpectation


def findings(expected: GatewayExpectation, evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for every check under `then.gateway`."""
    for name, study in expected.studies.items():
        yield from _study(name, study, evidence)
    if expected.audit is not None:
        yield _audit(expected.audit, evidence)
    if expected.verifications is not None:
        yield from _verifications(expected.verifications, evidence)
    yield from _refusals(expected, evidence)


def endings(evidence: Evidence) -> Iterator[Finding]:
    """Yield a check that no file states: a gateway process that was started ends cleanly, each time.

    One that the story kills has no exit code of its own.
    """
    codes = [ended.exit_code for ended in evidence.of(GatewayStopped)]
    if codes:
        code = next((code for code in codes if code), 0)
        because = f"the gateway process ended with code {code}{'; its log says why' if code else ''}"
        yield finding("gateway.process.exit_code", 0, code, because)


def _study(name: str, expected: StudyExpectation, evidence: Evidence) -> Iterator[Finding]:
    changes = evidence.about(StudyChanged, name)
    last = changes[-1] if changes else None
    seen: dict[str, Callable[[], Any]] = {
        "state": lambda: last.state if last else None,
        "states": lambda: [change.state for change in changes],
        "reasons": lambda: list(last.reasons) if last else None,
        "warnings": lambda: list(last.warnings) if last else None,
        "instances": lambda: len({e.sop_instance_uid for e in evidence.about(InstanceStored, name)}),
        "refused": lambda: len({e.sop_instance_uid for e in evidence.about(InstanceRefused, name)}),
        "purged": lambda: sum(e.instances for e in evidence.about(StudyPurged, name)),
        "files": lambda: len(evidence.about(FileFound, name)),
        "held": lambda: _held(name, evidence),
        "originals": lambda: _originals(name, evidence),
        "acts": lambda: [act.act for act in evidence.about(ActFound, name)],
    }
    for key, value in expected.model_dump(mode="json", exclude_none=True, exclude={"destinations"}).items():
        observed = seen[key]()
        because = f"of {called('study', name)} the gateway says: {key} {words(observed)}"
        if key == "files":
            because = f"instance files of {called('study', name)} in the gateway's folder: {observed}"
        elif key == "held":
            because = f"committed instances of {called('study', name)} that lie there as they were sent: {observed}"
        elif key in ("state", "reasons") and last is not None:
            why = f": {', '.join(last.reasons)}" if last.reasons else ""
            because = f"{called('study', name)} is {last.state}{why}"
        unseen = evidence.sending_unseen if key in ("held", "originals") else ""
        yield finding(f"gateway.studies.{name}.{key}", value, observed, because, evidence.gateway_unseen or unseen)
    for remote, there in expected.destinations.items():
        yield from _destination(name, remote, there, evidence)


def _destination(name: str, remote: str, expected: DestinationExpectation, evidence: Evidence) -> Iterator[Finding]:
    told = evidence.about(DispatchChanged, name)
    last = next((e for e in reversed(told) if e.destination == evidence.ae_title(remote)), None)
    for key, value in expected.model_dump(mode="json", exclude_none=True).items():
        observed = getattr(last, key) if last is not None else None
        because = f"of {called('study', name)} at {remote} the gateway says: {key} {words(observed)}"
        if key == "problem" and value and observed and value in observed:
            observed = value  # words of it were expected, and they are there
        check = f"gateway.studies.{name}.destinations.{remote}.{key}"
        yield finding(check, value, observed, because, evidence.gateway_unseen)


def _verifications(expected: Mapping[str, str], evidence: Evidence) -> Iterator[Finding]:
    for remote, wanted in expected.items():
        asked = [e for e in evidence.of(VerificationAnswered) if e.destination == evidence.ae_title(remote)]
        observed = (asked[-1].status or "unanswered") if asked else None
        because = f"the gateway says that {remote} answered C-ECHO {observed or 'never, since it was not asked'}"
        because += f": {asked[-1].problem}" if asked and asked[-1].problem else ""
        yield finding(f"gateway.verifications.{remote}", wanted, observed, because, evidence.gateway_unseen)


def _refusals(expected: GatewayExpectation, evidence: Evidence) -> Iterator[Finding]:
    """What the gateway says of those it rejected or broke off: all of them count, whoever they were."""
    rejected = [e for e in evidence.of(AssociationRejected) if e.observer == "gateway"]
    broken = evidence.of(ConnectionBroken)
    told = {
        "rejected": (expected.rejected, Counter(e.field for e in rejected), [e.meaning for e in rejected]),
        "broken": (expected.broken, Counter(e.problem for e in broken), [e.words for e in broken]),
    }
    for key, (wanted, observed, meanings) in told.items():
        if wanted is not None:
            because = "; ".join(dict.fromkeys(meanings)) or f"the gateway says of none that it was {key}"
            yield finding(f"gateway.{key}", wanted, dict(sorted(observed.items())), because, evidence.gateway_unseen)


def _held(name: str, evidence: Evidence) -> int:
    """Return how many instances that were committed lie in the gateway's folder with the content that was sent."""
    committed = {uid for report in evidence.commitment_reports(name) for uid in report.committed}
    sent = evidence.digests_sent()
    files = {(e.sop_instance_uid, e.data_set_digest) for e in evidence.of(FileFound)}
    return sum((uid, sent.get(uid)) in files for uid in committed)


def _originals(name: str, evidence: Evidence) -> str:
    """Tell whether every file of the study holds, byte for byte, what was sent of its instance."""
    sent = evidence.digests_sent()
    files = evidence.about(FileFound, name)
    changed = [file for file in files if sent.get(file.sop_instance_uid) != file.data_set_digest]
    return "no file" if not files else "changed" if changed else "identical"


def _audit(expected: str, evidence: Evidence) -> Finding:
    entries = evidence.of(ActFound)
    broken = [entry.number for entry in entries if not entry.intact]
    observed = "no entry" if not entries else "broken" if broken else "intact"
    because = f"the audit log in the gateway's folder has {len(entries)} entries"
    because += f"; entry {broken[0]} does not follow upon the one before it" if broken else ""
    return finding("gateway.audit", expected, observed, because, evidence.gateway_unseen)
