"""What only the gateway could see: why a study is held that came over TLS, why forwarding failed; and the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Seen
from simulator.events import DispatchChanged, InstanceStored, OrderReceived, StudyChanged

# A reason of the gateway -> the diagnosis that would have been made from the bytes.
_REASONS: Mapping[str, str] = {
    "accession.missing": "accession.missing",
    "accession.malformed.length": "accession.length",
    "hkid.missing": "key.missing",
    "hkid.invalid": "hkid.check-digit",
    "hkid.mismatch": "hkid.mismatch",
    "name.missing": "key.missing",
    "name.invalid": "name.mismatch",
    "name.mismatch": "name.mismatch",
    "birth-date.missing": "key.missing",
    "birth-date.invalid": "birth-date.mismatch",
    "birth-date.mismatch": "birth-date.mismatch",
    "sex.missing": "key.missing",
    "sex.invalid": "sex.mismatch",
    "sex.mismatch": "sex.mismatch",
    "study.inconsistent": "study.inconsistent",
}


def _held(seen: Seen) -> Iterator[Finding]:
    """Why the gateway holds a study that nobody here could read."""
    if seen.instances or seen.scene.met:
        return
    reasons: dict[str, list[str]] = defaultdict(list)
    for event in _last_of_each(seen):
        for reason in event.reasons:
            malformed = "accession.not-the-ordered" if reason.startswith("accession.malformed.") else ""
            reasons[_REASONS.get(reason, malformed)].append(reason)
    for identifier, said in reasons.items():
        if identifier:
            words = f"The gateway says {', '.join(said)}; the bytes went over TLS, and were not seen"
            yield Finding(identifier, told=words)


def _not_forwarded(seen: Seen) -> Iterator[Finding]:
    """The gateway could not bring a study to its destination."""
    if seen.scene.wanted.kind != "receive" or seen.scene.met:
        return
    problems = [event for event in seen.events(DispatchChanged) if event.problem]
    if problems:
        values = {"destination": problems[-1].destination, "problem": problems[-1].problem}
        values["attempts"] = str(problems[-1].attempts)
        yield Finding("forward.failed", values)


def left(seen: Seen) -> Finding:
    """Return what is to be said where nothing explains why a test is not met: what was seen of it."""
    states = [
        f"a study is {event.state}" + (f" ({', '.join(event.reasons)})" if event.reasons else "")
        for event in _last_of_each(seen)
    ]
    counted = (
        (len(seen.incoming), "DICOM connection", "DICOM connections"),
        (len(seen.events(InstanceStored)), "image stored", "images stored"),
        (len(seen.events(OrderReceived)), "order", "orders"),
        (len(seen.outgoing), "call of the system", "calls of the system"),
    )
    said = [f"{count} {one if count == 1 else more}" for count, one, more in counted if count]
    seconds = f"within {seen.scene.seconds:.0f} s"
    return Finding("expected-not-seen", {"seen": f"{'; '.join([*said, *states]) or 'Nothing'} {seconds}."})


def _last_of_each(seen: Seen) -> tuple[StudyChanged, ...]:
    last = {event.study_instance_uid: event for event in seen.events(StudyChanged)}
    return tuple(last.values())


RULES: tuple[Rule, ...] = (_held, _not_forwarded)
