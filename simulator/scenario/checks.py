"""The judge: a case's expectations against its history, and nothing else.

It is pure, it imports nothing of the gateway or its rules, and it computes no answer that the gateway could
have computed: expectations are the literals of the scenario file. Each leaf under `then`, each `wait`, `forward`
and `fault` is one check with the path in the file as its id. What nobody could see is inconclusive, never passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.events import (
    CasePlanned,
    FaultInjected,
    ForwardAsked,
    HarnessFailed,
    NotCarriedOut,
    ReconcileAnswered,
    RelayBlind,
    WaitEnded,
)
from simulator.scenario import checks_downstream, checks_gateway, checks_wire
from simulator.scenario.evidence import Evidence
from simulator.scenario.findings import Finding, finding
from simulator.scenario.history import History
from simulator.scenario.model import Case


def check(case: Case, history: History) -> tuple[Finding, ...]:
    """Return a finding for every check of the case, in the order of the file."""
    failures = history.of(HarnessFailed)
    if failures:
        return (Finding("harness", "error", "the case runs to its end", failures[0].problem, failures[0].problem),)
    if obstacles := history.of(NotCarriedOut):
        why = "; ".join(event.reason for event in obstacles)
        return (Finding("bind", "inconclusive", "the case is carried out", None, why),)
    planned = history.of(CasePlanned)
    if not planned:
        return (Finding("harness", "error", "a plan", None, "the history does not begin with the plan of the case"),)
    findings = tuple(_findings(case, Evidence(history, planned[0])))
    return findings or (Finding("harness", "error", "at least one check", 0, "the case has no checks"),)


def _findings(case: Case, evidence: Evidence) -> Iterator[Finding]:
    yield from _waits(case, evidence)
    yield from _forwards(case, evidence)
    yield from _faults(case, evidence)
    yield from checks_wire.findings(case.then.wire, evidence)
    if case.then.operator.answers is not None:
        yield _operator(case, case.then.operator.answers, evidence)
    yield from checks_gateway.findings(case.then.gateway, evidence)
    yield from checks_downstream.findings(case.then.downstream, evidence)
    yield from checks_gateway.endings(evidence)


def _waits(case: Case, evidence: Evidence) -> Iterator[Finding]:
    ended = {event.step: event for event in evidence.of(WaitEnded)}
    for placed in case.steps:
        if placed.step.wait is None:
            continue
        wanted = placed.step.wait.words
        outcome = ended.get(placed.id)
        met = outcome is not None and outcome.met and outcome.waited_for == wanted
        because = f"the gateway said so: {wanted}" if met else f"the story waited in vain: {wanted}"
        yield finding(f"when.{placed.id}.wait", wanted, wanted if met else None, because, evidence.gateway_unseen)


def _forwards(case: Case, evidence: Evidence) -> Iterator[Finding]:
    asked = {event.step: event for event in evidence.of(ForwardAsked)}
    for placed in case.steps:
        if placed.step.forward is None:
            continue
        answer = asked.get(placed.id)
        observed = None if answer is None else "queued" if answer.status_code == 202 else "refused"
        because = "the gateway was not asked" if answer is None else f"the gateway answered {answer.status_code}"
        because += f": {answer.text}" if answer is not None and answer.text else ""
        wanted = placed.step.forward.answer
        yield finding(f"when.{placed.id}.forward", wanted, observed, because, evidence.gateway_unseen)


def _faults(case: Case, evidence: Evidence) -> Iterator[Finding]:
    """A fault whose message never came has shown nothing, so that what is green beside it proves nothing either."""
    injected = [(event.observer, event.fault_at) for event in evidence.of(FaultInjected)]
    unseen = [event.why for event in evidence.of(RelayBlind)]
    for number, fault in enumerate(case.faults):
        check = f"fault.{number}" if isinstance(case.fault, tuple) else "fault"
        wanted = f"{fault.do} at {fault.at}, {fault.on}"
        if (fault.on.replace(" ", ""), fault.at) in injected:
            yield Finding(check, "pass", wanted, wanted, f"it was done: {wanted}")
        else:
            because = "; ".join([f"the message {fault.at} never passed on {fault.on}", *unseen])
            yield Finding(check, "inconclusive", wanted, None, because)


def _operator(case: Case, expected: tuple[str, ...], evidence: Evidence) -> Finding:
    ruled = {event.step: event for event in evidence.of(ReconcileAnswered)}
    answers = [ruled[placed.id] for placed in case.steps if placed.step.reconcile and placed.id in ruled]
    told = [f"{answer.answer} ({answer.words})" if answer.words else answer.answer for answer in answers]
    because = f"the gateway answered the operator: {'; '.join(told) or 'never'}"
    observed = [answer.answer for answer in answers]
    return finding("operator.answers", list(expected), observed, because, evidence.gateway_unseen)
