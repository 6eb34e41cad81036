"""What goes wrong with storage commitment (PS3.4 Annex J): the request, what it names, and the report's way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.diagnosis_association import rejection_shown
from simulator.certify.diagnosis_contexts import both_shown, results_told
from simulator.certify.diagnosis_messages import status_shown
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Exchange, Seen, Talk
from simulator.errors import NotDicom
from simulator.events import CommitmentDelivered, CommitmentReceived, CommitmentUndelivered, InstanceStored
from simulator.rules.sop_classes import STORAGE_COMMITMENT
from simulator.wire import commitment, statuses
from simulator.wire.command_set import ERROR_COMMENT
from simulator.wire.incidents import rejection_told
from simulator.wire.pdus import HEAD
from simulator.wire.transcript import SaidPdu

_UID = STORAGE_COMMITMENT.uid
_UNREACHED = {
    "refused": "the connection was refused: nothing listens there",
    "silent": "nobody answered: a firewall, most of the time",
    "unresolved": "its host has no address",
    "unroutable": "there is no way to its network",
}
_UNKNOWN = 0x0112
# PS3.8 9.3.3.2: a context that is accepted without the role, or refused for no other reason (user rejection).
_ROLE_IS_THE_MATTER = frozenset((0, 1))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A try to bring a report back: how it failed, and the bytes that show it."""

    talk: Talk
    words: str
    evidence: tuple[Evidence, ...] = ()


def _not_requested(seen: Seen) -> Iterator[Finding]:
    """Images came, and no N-ACTION."""
    if seen.scene.wanted.kind != "commitment" or seen.scene.met or _was_requested(seen):
        return
    stored = sum(each.status == 0 for talk in seen.incoming for each in talk.exchanged("C-STORE-RQ"))
    stored = stored or len(seen.events(InstanceStored))
    if not stored:
        return
    offered = any(_UID in talk.offers_of for talk in seen.incoming)
    did = "it proposed the SOP class and did not use it" if offered else "it never proposed the SOP class"
    yield Finding("commitment.not-requested", {"count": str(stored), "did": did})


def _request_refused(seen: Seen) -> Iterator[Finding]:
    """The gateway answers N-ACTION with a failure."""
    for talk in seen.incoming:
        for exchange in talk.exchanged("N-ACTION-RQ"):
            if exchange.status:
                yield _status_finding("commitment.refused", seen, talk, exchange)


def _no_way_back(seen: Seen) -> Iterator[Finding]:
    """The report does not reach the system: nobody there, rejected, or the context is not accepted."""
    if seen.events(CommitmentDelivered) or not _is_about_commitment(seen):
        return
    failed = [attempt for talk in seen.outgoing for attempt in _failed(seen, talk)]
    if seen.scene.wanted.kind == "preflight":  # a call for another reason has a card of its own
        failed = [attempt for attempt in failed if _UID in attempt.talk.offers_of]
    if failed:
        how = failed[-1].words
        values = {"how": how, "times": _times(len(failed)), "called": _called(failed[-1].talk)}
        yield Finding("commitment.no-way-back", values, failed[-1].evidence)
        return
    undelivered = seen.events(CommitmentUndelivered)
    if undelivered and not any(_is_reported(talk) for talk in seen.talks):
        last = undelivered[-1]
        values = {"how": last.problem, "times": _times(last.attempt), "called": last.calling_ae_title}
        yield Finding("commitment.no-way-back", values)


def _role_missing(seen: Seen) -> Iterator[Finding]:
    """The system accepts the context and not the SCP role of the gateway (PS3.7 D.3.3.4)."""
    for talk in seen.outgoing:
        if talk.asked is None or talk.request is None or talk.answered is None or talk.acceptance is None:
            continue
        proposed = [role for role in talk.asked.roles if role.sop_class_uid == _UID and role.scp]
        accepted = [role for role in talk.answered.roles if role.sop_class_uid == _UID]
        results = {talk.result(offer) for offer in talk.offers_of.get(_UID, ())}
        if not proposed or any(role.scp for role in accepted) or not results & _ROLE_IS_THE_MATTER:
            continue
        mine = proposed[0].at
        shown = [_part_shown(seen, talk, talk.request, "role selection as proposed (54H)", mine.start, mine.end)]
        if accepted:
            at = accepted[0].at
            shown.append(_part_shown(seen, talk, talk.acceptance, "role selection as answered", at.start, at.end))
            did = "it answered the role selection with SCP role 0"
        else:
            capture = seen.capture(talk.conversation)
            shown.append(marking.of_pdu(capture, talk.acceptance, "A-ASSOCIATE-AC without an item 54H", start=74))
            did = "its A-ASSOCIATE-AC has no role selection (item 54H)"
        if 0 not in results:
            did += f", and refuses the context ({results_told(results)})"
        yield Finding("commitment.role-selection-missing", {"did": did}, tuple(shown))


def _part_shown(seen: Seen, talk: Talk, pdu: SaidPdu, words: str, start: int, end: int) -> Evidence:
    """Return a role selection; its last byte is the SCP role."""
    return marking.of_pdu(seen.capture(talk.conversation), pdu, words, (end - 1, end), start=start, end=end)


def _report_refused(seen: Seen) -> Iterator[Finding]:
    """The system answers N-EVENT-REPORT with a failure."""
    for talk in seen.talks:
        for exchange in talk.exchanged("N-EVENT-REPORT-RQ"):
            if exchange.request.by == talk.ours and exchange.status:
                yield _status_finding("commitment.report-refused", seen, talk, exchange)


def _unknown(seen: Seen) -> Iterator[Finding]:
    """The report names instances that are not committed, and why (PS3.3 C.14.1.1)."""
    for talk in seen.talks:
        for exchange in talk.exchanged("N-EVENT-REPORT-RQ"):
            if exchange.request.by != talk.ours:
                continue
            report = _report(exchange)
            if report is None or not report.failed:
                continue
            first = report.failed[0]
            reasons = dict.fromkeys(failure.reason for failure in report.failed)
            values = {
                "count": str(len(report.failed)),
                "of": str(len(report.failed) + len(report.committed)),
                "uid": first.reference.sop_instance_uid,
                "told": ", ".join(statuses.told_failure_reason(reason) for reason in reasons),
            }
            data = first.reason.to_bytes(2, "little")
            element = b"\x08\x00\x97\x11"
            at = exchange.request.data_set.find(element)
            found = exchange.request.data_set[at : at + 10] if at >= 0 else data
            offset = marking.place(talk.conversation, exchange.request.by, found, exchange.request.offset)
            capture = seen.capture(talk.conversation)
            shown = marking.of_bytes(capture, offset, found, "Failure Reason (0008,1197)", (len(found) - 2, len(found)))
            identifier = "commitment.unknown-instance" if _UNKNOWN in reasons else "commitment.failed"
            yield Finding(identifier, values, (shown,))


def _failed(seen: Seen, talk: Talk) -> Iterator[_Attempt]:
    """Yield how a call of the system failed, where it did."""
    called = talk.conversation
    if called.unreached:
        yield _Attempt(talk, _UNREACHED.get(called.unreached, called.unreached))
        return
    offers = talk.offers_of.get(_UID, ())
    if not offers:
        return
    if talk.rejection is not None:
        words = rejection_told(*talk.rejection.raw[HEAD + 1 : HEAD + 4])
        yield _Attempt(talk, f"it rejected the association: {words}", (rejection_shown(seen, talk),))
    elif talk.answered is None:
        yield _Attempt(talk, "it took the connection and did not answer A-ASSOCIATE-RQ")
    elif 0 not in (results := {talk.result(offer) for offer in offers}):
        words = f"it does not accept the Storage Commitment Push Model ({results_told(results)})"
        yield _Attempt(talk, words, tuple(both_shown(seen, talk, offers)))


def _is_about_commitment(seen: Seen) -> bool:
    system, kind = seen.scene.wanted.system, seen.scene.wanted.kind
    does = system is not None and "commitment" in system.does
    return kind == "commitment" or (does and kind == "preflight")


def _was_requested(seen: Seen) -> bool:
    return any(talk.exchanged("N-ACTION-RQ") for talk in seen.incoming) or bool(seen.events(CommitmentReceived))


def _is_reported(talk: Talk) -> bool:
    return bool(talk.exchanged("N-EVENT-REPORT-RQ"))


def _report(exchange: Exchange) -> commitment.Report | None:
    try:
        return commitment.read_report(exchange.request.data_set, exchange.request.transfer_syntax_uid)
    except NotDicom:
        return None


def _status_finding(identifier: str, seen: Seen, talk: Talk, exchange: Exchange) -> Finding:
    assert exchange.response is not None
    comment = exchange.response.command.text(ERROR_COMMENT)
    values = {
        "told": statuses.told_of_normalised(exchange.status or 0),
        "comment": f'Error Comment: "{comment}"' if comment else "no Error Comment",
    }
    return Finding(identifier, values, (status_shown(seen, talk, exchange),))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _called(talk: Talk) -> str:
    host, port = talk.conversation.acceptor
    return f"{host}:{port}"


RULES: tuple[Rule, ...] = (
    _not_requested,
    _request_refused,
    _no_way_back,
    _role_missing,
    _report_refused,
    _unknown,
)
