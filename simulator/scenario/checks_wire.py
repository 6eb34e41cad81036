"""The judge of what is seen on the wire: by the modality and by the order placer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pydicom.uid import UID

from simulator.events import (
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentReported,
    CommitmentRequested,
    ConnectionEnded,
    EchoAnswered,
    LengthsMeasured,
    OrderAcknowledged,
    OrderFailed,
    OrderUnanswered,
    ScriptEnded,
    StoreAnswered,
    StoreFailed,
)
from simulator.scenario.evidence import Evidence
from simulator.scenario.findings import Finding, called, finding, longest_pdu, words
from simulator.scenario.model_expectations import (
    AnswersExpectation,
    AssociationExpectation,
    CommitmentExpectation,
    OrderExpectation,
    PeerExpectation,
    WireExpectation,
)


def findings(expected: WireExpectation, evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for every check under `then.wire`."""
    if expected.echo is not None and expected.echo.status is not None:
        yield _echo(expected.echo.status, evidence)
    for name, order in expected.orders.items():
        yield from _order(name, order, evidence)
    for name, answers in expected.studies.items():
        yield from _answers(name, answers, evidence)
    for name, association in expected.associations.items():
        yield from _association(name, association, evidence)
    for name, commitment in expected.commitments.items():
        yield from _commitment(name, commitment, evidence)
    for name, peer in expected.peers.items():
        yield from _peer(name, peer, evidence)


def _echo(expected: str, evidence: Evidence) -> Finding:
    answers = evidence.of(EchoAnswered)
    observed = answers[-1].status if answers else None
    because = f"C-ECHO was answered {observed}" if answers else evidence.without_association("C-ECHO got no answer")
    return finding("wire.echo.status", expected, observed, because)


def _order(name: str, expected: OrderExpectation, evidence: Evidence) -> Iterator[Finding]:
    if expected.acknowledgements is not None:
        yield _acknowledgements(name, list(expected.acknowledgements), evidence)
    if expected.acknowledgement is None:
        return
    control_id = evidence.plan.orders[name]
    answers = [e for e in evidence.of(OrderAcknowledged) if e.message_control_id == control_id and e.code[:1] == "A"]
    lost = [e.problem for e in evidence.of(OrderFailed) if e.message_control_id == control_id]
    observed = answers[-1].code if answers else None
    because = f"{called('order', name)} got no acknowledgement: {'; '.join(lost) or 'it was never sent'}"
    if answers:
        because = f"{called('order', name)} was acknowledged {observed} {answers[-1].text}".strip()
    yield finding(f"wire.orders.{name}.acknowledgement", expected.acknowledgement, observed, because)


def _acknowledgements(name: str, expected: list[str], evidence: Evidence) -> Finding:
    """Compare everything that was answered to messages about an order; what is due and did not come is missing."""
    plan = evidence.plan
    about = {plan.orders[name], *(i for i, order in plan.messages.items() if order == name)}
    kinds = (OrderAcknowledged, OrderUnanswered, OrderFailed)
    told = [e for e in evidence.history.events if isinstance(e, kinds) and e.message_control_id in about]
    answers = [e for e in told if not isinstance(e, OrderUnanswered)]
    observed = [e.code if isinstance(e, OrderAcknowledged) else "missing" for e in answers]
    because = f"messages about {called('order', name)} were acknowledged {', '.join(observed) or 'not at all'}"
    lost = [e.problem for e in told if isinstance(e, OrderFailed)]
    because += f"; {'; '.join(lost)}" if lost else ""
    return finding(f"wire.orders.{name}.acknowledgements", expected, observed if told else None, because)


def _answers(name: str, expected: AnswersExpectation, evidence: Evidence) -> Iterator[Finding]:
    answers, lost = evidence.about(StoreAnswered, name), evidence.about(StoreFailed, name)
    observed = _by_status(answers)
    told = ", ".join(f"{status} for {count}" for status, count in observed.items()) or "not at all"
    because = f"C-STORE of {called('study', name)} was answered {told}"
    comments = _comments(answers)
    because += f" ({'; '.join(comments)})" if comments else ""
    because += f"; {len(lost)} instances got no answer: {lost[0].problem}" if lost else ""
    because = evidence.without_association(because)
    where, unseen = f"wire.studies.{name}", evidence.sending_unseen
    if expected.answers is not None:
        yield finding(f"{where}.answers", expected.answers, observed, because, unseen)
    if expected.error_comments is not None:
        said = {status: _said(words, status, answers) for status, words in expected.error_comments.items()}
        yield finding(f"{where}.error_comments", expected.error_comments, said, because, unseen)


def _said(words: str, status: str, answers: list[StoreAnswered]) -> str:
    """Return the words where they stand in every comment that came with the status, else the comments."""
    comments = {answer.error_comment for answer in answers if answer.status == status}
    return words if comments and all(words in comment for comment in comments) else "; ".join(sorted(comments))


def _association(name: str, expected: AssociationExpectation, evidence: Evidence) -> Iterator[Finding]:
    accepted = [e for e in evidence.of(AssociationAccepted) if e.association == name]
    rejected = [e for e in evidence.of(AssociationRejected) if e.association == name]
    failed = [e for e in evidence.of(AssociationFailed) if e.association == name]
    outcome = "failed" if failed else "rejected" if rejected else "accepted" if accepted else None
    why = [*(e.meaning for e in rejected), *(e.problem for e in failed)]
    because = "; ".join([f"association {name} was {outcome or 'never asked for'}", *why])
    for key in ("outcome", "result", "source", "reason"):
        if (value := getattr(expected, key)) is not None:
            observed = outcome if key == "outcome" else getattr(rejected[-1], key) if rejected else None
            yield finding(f"wire.associations.{name}.{key}", value, observed, because)
    last = accepted[-1] if accepted else None
    yield from _contexts(f"wire.associations.{name}", expected, last, because)
    if expected.longest_pdu is not None:
        measured = [e for e in evidence.of(LengthsMeasured) if e.association == name]
        yield longest_pdu(f"wire.associations.{name}", expected.longest_pdu, measured)


def _contexts(
    where: str, expected: AssociationExpectation, accepted: AssociationAccepted | None, because: str
) -> Iterator[Finding]:
    """Compare how each context was answered, as the standard and the story name it, and how many were accepted."""
    answers = [UID(each).keyword if each[:1].isdigit() else each for each in accepted.contexts] if accepted else None
    if accepted is not None:
        because = f"{accepted.accepted} of {accepted.proposed} presentation contexts were accepted"
        refused = [f"{number}: {each}" for number, each in enumerate(answers or (), 1) if each[:1].islower()]
        because += f"; not accepted: {', '.join(refused)}" if refused else ""
    if expected.contexts is not None:
        yield finding(f"{where}.contexts", list(expected.contexts), answers, because)
    if expected.accepted is not None:
        yield finding(f"{where}.accepted", expected.accepted, accepted.accepted if accepted else None, because)


def _commitment(name: str, expected: CommitmentExpectation, evidence: Evidence) -> Iterator[Finding]:
    uid = evidence.uid(name)
    asked = [e for e in evidence.modality(CommitmentRequested) if e.study_instance_uid == uid]
    lost = [e for e in evidence.modality(CommitmentFailed) if e.study_instance_uid == uid]
    answers = [e for e in evidence.modality(CommitmentAnswered) if e.study_instance_uid == uid]
    reports = evidence.commitment_reports(name)
    last = reports[-1] if reports else None
    seen: dict[str, Callable[[], Any]] = {
        "answers": lambda: _by_status(answers),
        "reports": lambda: len(reports),
        "event_type": lambda: last.event_type if last else None,
        "committed": lambda: len(last.committed) if last else None,
        "failed": lambda: len(last.failed) if last else None,
        "failure_reasons": lambda: dict(sorted(Counter(last.reasons).items())) if last else None,
        "references": lambda: _complete(asked[-1], last) if last and asked else None,
        "via": lambda: last.via if last else None,
        "ae_title": lambda: last.peer_ae_title if last else None,
    }
    for key, value in expected.model_dump(mode="json", exclude_none=True).items():
        observed = seen[key]()
        because = f"of the storage commitment of {called('study', name)} the modality saw: {key} {words(observed)}"
        if key == "answers":
            because = "; ".join([because, *_comments(answers), *(each.problem for each in lost)])
            because = evidence.without_association(because) if lost else because
        elif last is None:
            because = f"no commitment report about {called('study', name)} came{_strangers(evidence)}"
        yield finding(f"wire.commitments.{name}.{key}", value, observed, because)


def _peer(name: str, expected: PeerExpectation, evidence: Evidence) -> Iterator[Finding]:
    played = [e for e in evidence.of(ScriptEnded) if e.observer == name]
    ended = [e for e in evidence.of(ConnectionEnded) if e.observer == name]
    problem = next((e.problem for e in played if e.problem), "")
    because = f"{name} {f'did not get through its script: {problem}' if problem else 'played its whole script'}"
    if not played:
        because = f"{name} never played its script: nobody connected"
    if expected.script is not None:
        observed = None if not played else problem or "complete"
        yield finding(f"wire.peers.{name}.script", expected.script, observed, because)
    if expected.ended is not None:
        observed = ended[-1].how if ended else None
        because = f"the connection of {name} ended: {observed or 'there was none'}"
        yield finding(f"wire.peers.{name}.ended", expected.ended, observed, because)


def _strangers(evidence: Evidence) -> str:
    asked = {e.transaction_uid for e in evidence.modality(CommitmentRequested)}
    unknown = {e.transaction_uid for e in evidence.modality(CommitmentReported)} - asked
    told = ", ".join(sorted(unknown))
    return f"; what came has a Transaction UID that nobody asked under: {told}" if unknown else ""


def _complete(asked: CommitmentRequested, report: CommitmentReported) -> str:
    """Return `complete` when each instance that was named stands in exactly one of the two sequences."""
    told = Counter([*report.committed, *report.failed])
    wrong = [uid for uid in {*told, *asked.sop_instance_uids} if told[uid] != 1 or uid not in asked.sop_instance_uids]
    return f"{len(wrong)} missing, twice or not asked for" if wrong else "complete"


def _by_status(answers: list[StoreAnswered] | list[CommitmentAnswered]) -> dict[str, int]:
    return dict(sorted(Counter(answer.status for answer in answers).items()))


def _comments(answers: list[StoreAnswered] | list[CommitmentAnswered]) -> list[str]:
    return sorted({answer.error_comment for answer in answers if answer.error_comment})
