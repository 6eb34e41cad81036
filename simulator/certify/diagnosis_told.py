"""What nobody but the gateway could see: why a study is held, where its bytes went over TLS; why forwarding failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.certify.findings import Finding, Rule
from simulator.certify.received import instances
from simulator.certify.seeing import Seen
from simulator.events import DispatchChanged, StudyChanged

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
    if instances(seen) or seen.scene.met:
        return
    for event in _last_of_each(seen):
        for reason in event.reasons:
            if reason in _REASONS:
                yield Finding(_REASONS[reason], {"told": f"the gateway says: {reason}"})
            elif reason.startswith("accession.malformed."):
                yield Finding("accession.not-the-ordered", {"told": f"the gateway says: {reason}"})


def _not_forwarded(seen: Seen) -> Iterator[Finding]:
    """The gateway could not bring a study to its destination."""
    if seen.scene.wanted.kind != "receive" or seen.scene.met:
        return
    problems = [event for event in seen.events(DispatchChanged) if event.problem]
    if problems:
        values = {"destination": problems[-1].destination, "problem": problems[-1].problem}
        values["attempts"] = str(problems[-1].attempts)
        yield Finding("forward.failed", values)


def _last_of_each(seen: Seen) -> tuple[StudyChanged, ...]:
    last = {event.study_instance_uid: event for event in seen.events(StudyChanged)}
    return tuple(last.values())


RULES: tuple[Rule, ...] = (_held, _not_forwarded)
