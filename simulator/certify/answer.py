"""Puts together what a session has come to: the answer, what counts against it, and every test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from simulator.certify.fingerprint import differences, fingerprint
from simulator.certify.outcome import Fingerprint, SessionOutcome, TestOutcome, Waived
from simulator.certify.programme import Test
from simulator.certify.session import Attempt, Pass, Session
from simulator.events import now

PREFLIGHT = "preflight"
"""Under this name the outcomes of the preflight are kept, each before its id."""

_COUNTS_FOR = frozenset(("pass", "waived", "not-applicable"))


def answer(session: Session, today: date) -> SessionOutcome:
    """Return the outcome of a session as it stands. today: for waivers that have expired."""
    whole = session.last_pass("whole")
    configuration = fingerprint(session)
    tests = tuple(_outcome(session, test, whole, today) for test in session.tests)
    preflight = tuple(_preflight(session))
    against = tuple(_against(session, whole, tests, preflight, configuration, today))
    return SessionOutcome(
        facility=session.declared.facility.name,
        started=session.created,
        reported=now(),
        certifiable=not against,
        against=against,
        changed=tuple(_changed(session, whole, configuration)),
        rehearsal=session.rehearsal,
        fingerprint=configuration,
        preflight=preflight,
        tests=tests,
    )


def _outcome(session: Session, test: Test, whole: Pass | None, today: date) -> TestOutcome:
    """Return the last outcome of a test, of whatever pass; with its waiver, where one counts."""
    bare = TestOutcome(
        id=test.id, title=test.title, level=test.level, verifies=test.verifies, verdict="not-tested", why=_NOT_YET
    )
    if not test.applies:
        return bare.model_copy(update={"verdict": "not-applicable", "why": test.why_not})
    tried = [each for each in session.attempts(test.id) if each.outcome is not None]
    found = tried[-1].outcome if tried else None
    shown = (found or bare).model_copy(update={"notes": session.notes(test.id), "attempts": len(tried)})
    waiver = next((each for each in session.declared.waivers if each.test == test.id), None)
    if waiver is None or shown.verdict == "pass":
        return shown
    told = Waived(owner=waiver.owner, reason=waiver.reason, expires=waiver.expires)
    if waiver.expires < today:
        return shown.model_copy(update={"waiver": told, "why": f"its waiver expired on {waiver.expires}"})
    return shown.model_copy(update={"waiver": told, "verdict": "waived", "why": waiver.reason})


_NOT_YET = "it was not reached"


def _preflight(session: Session) -> Iterator[TestOutcome]:
    """Yield the last outcome of each probe, unless it is of what is not declared any more."""
    last: dict[str, TestOutcome] = {}
    for attempt in session.attempts():
        if attempt.test.startswith(f"{PREFLIGHT}/") and attempt.outcome is not None:
            last[attempt.test] = attempt.outcome
    yield from (outcome for outcome in last.values() if _is_declared(session, outcome.id))


def _is_declared(session: Session, probe: str) -> bool:
    kind, _, name = probe.removesuffix("]").partition("[")
    role = _ROLES_PROBED.get(kind)
    return any(each.name == name and (role is None or role in each.does) for each in session.declared.systems)


_ROLES_PROBED = {"contexts": "receives", "way-back": "commitment", "echo": "sends"}


def _against(
    session: Session,
    whole: Pass | None,
    tests: tuple[TestOutcome, ...],
    preflight: tuple[TestOutcome, ...],
    configuration: Fingerprint,
    today: date,
) -> Iterator[str]:
    """Yield a sentence for each thing that stands in the way of yes."""
    if session.rehearsal:
        yield f"this was a rehearsal: {session.rehearsal} played the facility"
    for probe in preflight:
        if probe.verdict != "pass":
            yield f"preflight {probe.id}: {_VERDICTS.get(probe.verdict, probe.verdict)}"
    for test in tests:
        if test.verdict not in _COUNTS_FOR and test.level == "must":
            yield f"{test.id}: {_VERDICTS.get(test.verdict, test.verdict)}" + (f" ({test.why})" if test.why else "")
    if whole is None:
        yield "there was no pass through all tests"
        return
    waived = {each.test for each in session.declared.waivers if each.expires >= today}
    missing = [test.id for test in session.missing(whole) if test.id not in waived]
    if missing:
        yield (
            "the last pass through all tests is not complete: "
            f"{', '.join(missing)} not reached in it; `simulate certify run` goes on with it"
        )
    unclean = sorted({each.test for each in _unclean(session, whole) if each.test not in waived})
    if unclean:
        yield (
            "the last pass through all tests was not clean: "
            f"{', '.join(unclean)} did not pass at once; a certificate needs one complete clean pass"
        )
    before = _under(session, whole)
    if before is not None:
        yield from (f"since that pass: {words}" for words in differences(before, configuration))


_VERDICTS = {
    "fail": "failed",
    "error": "the simulator itself failed",
    "inconclusive": "nobody could see it",
    "skipped": "was skipped",
    "not-tested": "was not tested",
}


def _unclean(session: Session, whole: Pass) -> list[Attempt]:
    """Return the attempts of a pass that came to an end, and to anything but a pass."""
    return [
        each
        for each in session.attempts()
        if each.pass_number == whole.number
        and each.outcome is not None
        and each.outcome.verdict != "pass"
        and not each.test.startswith(f"{PREFLIGHT}/")
    ]


def _under(session: Session, whole: Pass) -> Fingerprint | None:
    return Fingerprint.model_validate_json(whole.fingerprint) if whole.fingerprint else None


def _changed(session: Session, whole: Pass | None, configuration: Fingerprint) -> Iterator[str]:
    """Yield what has changed since the last pass before this one that was complete and clean."""
    if whole is None:
        return
    earlier = [
        each
        for each in session.passes()
        if each.extent == "whole"
        and each.number < whole.number
        and not session.missing(each)
        and not _unclean(session, each)
    ]
    if earlier and (before := _under(session, earlier[-1])) is not None:
        yield from differences(before, configuration)
