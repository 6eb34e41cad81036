"""The judge: a case's expectations against its history, and nothing else.

It is pure, it imports nothing of the gateway or its rules, and it computes no answer that the gateway could
have computed: expectations are the literals of the scenario file. Each leaf under `then`, and each `wait`, is
one check with the path in the file as its id. What nobody could see is inconclusive, never passed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydicom.uid import UID

from simulator.events import (
    ActFound,
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    CasePlanned,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentReported,
    CommitmentRequested,
    ConnectionBroken,
    DispatchChanged,
    EchoAnswered,
    FileFound,
    ForwardAsked,
    GatewayStarted,
    GatewayStopped,
    HarnessFailed,
    InstanceReceived,
    InstanceRefused,
    InstanceStored,
    OrderAcknowledged,
    OrderFailed,
    OrderUnanswered,
    PixelsPlanned,
    ReconcileAnswered,
    StoreAnswered,
    StoreFailed,
    StudyChanged,
    StudyPurged,
    WaitEnded,
)
from simulator.scenario.history import History, Seen
from simulator.scenario.model import (
    AnswersExpectation,
    ArrivalExpectation,
    AssociationExpectation,
    Case,
    CommitmentExpectation,
    DestinationExpectation,
    OrderExpectation,
    StudyExpectation,
)

Verdict = Literal["error", "fail", "inconclusive", "waived", "not-applicable", "pass"]
VERDICTS: tuple[Verdict, ...] = ("error", "fail", "inconclusive", "waived", "not-applicable", "pass")
"""All verdicts, worst first."""


_KEYS = ("accession", "hkid", "name", "birth-date", "sex")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: what was expected, what was observed, and what it means in a sentence.

    Both values are JSON; `observed` is None when nothing was.
    """

    check: str
    verdict: Verdict
    expected: Any
    observed: Any
    because: str


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst of the verdicts; none at all is an `error`, since nothing was proven."""
    return min(verdicts, key=VERDICTS.index, default="error")


def check(case: Case, history: History) -> tuple[Finding, ...]:
    """Return a finding for every check of the case, in the order of the file."""
    failures = history.of(HarnessFailed)
    if failures:
        return (Finding("harness", "error", "the case runs to its end", failures[0].problem, failures[0].problem),)
    planned = history.of(CasePlanned)
    if not planned:
        return (Finding("harness", "error", "a plan", None, "the history does not begin with the plan of the case"),)
    findings = tuple(_Judge(case, history, planned[0]).findings())
    return findings or (Finding("harness", "error", "at least one check", 0, "the case has no checks"),)


class _Judge:
    """Reads one history for one case."""

    def __init__(self, case: Case, history: History, plan: CasePlanned) -> None:
        self._case = case
        self._history = history
        self._plan = plan
        self._gateway_tells = bool(history.of(GatewayStarted))

    def findings(self) -> Iterator[Finding]:
        yield from self._waits()
        yield from self._forwards()
        wire, gateway, downstream = self._case.then.wire, self._case.then.gateway, self._case.then.downstream
        if wire.echo is not None and wire.echo.status is not None:
            yield self._echo(wire.echo.status)
        for name, order in wire.orders.items():
            yield from self._order(name, order)
        for name, answers in wire.studies.items():
            yield from self._answers(name, answers)
        for name, association in wire.associations.items():
            yield from self._association(name, association)
        for name, commitment in wire.commitments.items():
            yield from self._commitment(name, commitment)
        if self._case.then.operator.answers is not None:
            yield self._operator(self._case.then.operator.answers)
        for name, study in gateway.studies.items():
            yield from self._study(name, study)
        if gateway.audit is not None:
            yield self._audit(gateway.audit)
        yield from self._refusals()
        for remote, name, arrival in downstream.arrivals():
            yield from self._arrival(remote, name, arrival)
        yield from self._process()

    # --- steps ---------------------------------------------------------------------------------------

    def _waits(self) -> Iterator[Finding]:
        ended = iter(self._history.of(WaitEnded))
        for number, step in enumerate(self._case.when):
            if step.wait is None:
                continue
            wanted = step.wait.words
            outcome = next(ended, None)
            met = outcome is not None and outcome.met and outcome.waited_for == wanted
            because = f"the gateway said so: {wanted}" if met else f"the story waited in vain: {wanted}"
            yield _finding(f"when.{number}.wait", wanted, wanted if met else None, because, self._gateway_tells)

    def _forwards(self) -> Iterator[Finding]:
        asked = iter(self._history.of(ForwardAsked))
        for number, step in enumerate(self._case.when):
            if step.forward is None:
                continue
            answer = next(asked, None)
            observed = None if answer is None else "queued" if answer.status_code == 202 else "refused"
            because = "the gateway was not asked" if answer is None else f"the gateway answered {answer.status_code}"
            because += f": {answer.text}" if answer is not None and answer.text else ""
            yield _finding(f"when.{number}.forward", step.forward.answer, observed, because, self._gateway_tells)

    # --- wire ----------------------------------------------------------------------------------------

    def _echo(self, expected: str) -> Finding:
        answers = self._history.of(EchoAnswered)
        observed = answers[-1].status if answers else None
        because = f"C-ECHO was answered {observed}" if answers else self._no_association("C-ECHO got no answer")
        return _finding("wire.echo.status", expected, observed, because)

    def _order(self, name: str, expected: OrderExpectation) -> Iterator[Finding]:
        if expected.acknowledgements is not None:
            yield self._acknowledgements(name, list(expected.acknowledgements))
        if expected.acknowledgement is None:
            return
        control_id = self._plan.orders[name]
        answers = [
            e for e in self._history.of(OrderAcknowledged) if e.message_control_id == control_id and e.code[:1] == "A"
        ]
        lost = [e.problem for e in self._history.of(OrderFailed) if e.message_control_id == control_id]
        observed = answers[-1].code if answers else None
        because = f"{_called('order', name)} got no acknowledgement: {'; '.join(lost) or 'it was never sent'}"
        if answers:
            because = f"{_called('order', name)} was acknowledged {observed} {answers[-1].text}".strip()
        yield _finding(f"wire.orders.{name}.acknowledgement", expected.acknowledgement, observed, because)

    def _acknowledgements(self, name: str, expected: list[str]) -> Finding:
        """Compare everything that was answered to messages about an order; what is due and did not come is missing."""
        about = {self._plan.orders[name], *(i for i, order in self._plan.messages.items() if order == name)}
        kinds = (OrderAcknowledged, OrderUnanswered, OrderFailed)
        told = [e for e in self._history.events if isinstance(e, kinds) and e.message_control_id in about]
        answers = [e for e in told if not isinstance(e, OrderUnanswered)]
        observed = [e.code if isinstance(e, OrderAcknowledged) else "missing" for e in answers]
        because = f"messages about {_called('order', name)} were acknowledged {', '.join(observed) or 'not at all'}"
        lost = [e.problem for e in told if isinstance(e, OrderFailed)]
        because += f"; {'; '.join(lost)}" if lost else ""
        return _finding(f"wire.orders.{name}.acknowledgements", expected, observed if told else None, because)

    def _answers(self, name: str, expected: AnswersExpectation) -> Iterator[Finding]:
        if expected.answers is None:
            return
        answers = [e for e in self._history.of(StoreAnswered) if e.study_instance_uid == self._uid(name)]
        lost = [e for e in self._history.of(StoreFailed) if e.study_instance_uid == self._uid(name)]
        observed = dict(sorted(Counter(answer.status for answer in answers).items()))
        words = ", ".join(f"{status} for {count}" for status, count in observed.items()) or "not at all"
        because = f"C-STORE of {_called('study', name)} was answered {words}"
        comments = sorted({answer.error_comment for answer in answers if answer.error_comment})
        because += f" ({'; '.join(comments)})" if comments else ""
        because += f"; {len(lost)} instances got no answer: {lost[0].problem}" if lost else ""
        yield _finding(f"wire.studies.{name}.answers", expected.answers, observed, self._no_association(because))

    def _association(self, name: str, expected: AssociationExpectation) -> Iterator[Finding]:
        accepted = [e for e in self._history.of(AssociationAccepted) if e.association == name]
        rejected = [e for e in self._history.of(AssociationRejected) if e.association == name]
        failed = [e for e in self._history.of(AssociationFailed) if e.association == name]
        outcome = "failed" if failed else "rejected" if rejected else "accepted" if accepted else None
        why = [*(e.meaning for e in rejected), *(e.problem for e in failed)]
        because = "; ".join([f"association {name} was {outcome or 'never asked for'}", *why])
        for key, value in expected.model_dump(exclude_none=True).items():
            observed = outcome if key == "outcome" else getattr(rejected[-1], key) if rejected else None
            yield _finding(f"wire.associations.{name}.{key}", value, observed, because)

    def _no_association(self, because: str) -> str:
        refused = [e.meaning for e in self._history.of(AssociationRejected) if e.observer != "gateway"]
        failed = [e.problem for e in self._history.of(AssociationFailed)]
        return "; ".join([because, *refused, *failed])

    def _commitment(self, name: str, expected: CommitmentExpectation) -> Iterator[Finding]:
        asked = [e for e in self._modality(CommitmentRequested) if e.study_instance_uid == self._uid(name)]
        lost = [e for e in self._modality(CommitmentFailed) if e.study_instance_uid == self._uid(name)]
        answers = [e for e in self._modality(CommitmentAnswered) if e.study_instance_uid == self._uid(name)]
        reports = self._reports(name)
        last = reports[-1] if reports else None
        seen: dict[str, Callable[[], Any]] = {
            "answers": lambda: dict(sorted(Counter(answer.status for answer in answers).items())),
            "reports": lambda: len(reports),
            "event_type": lambda: last.event_type if last else None,
            "committed": lambda: len(last.committed) if last else None,
            "failed": lambda: len(last.failed) if last else None,
            "failure_reasons": lambda: dict(sorted(Counter(last.reasons).items())) if last else None,
            "references": lambda: _complete(asked[-1], last) if last and asked else None,
            "via": lambda: last.via if last else None,
        }
        for key, value in expected.model_dump(mode="json", exclude_none=True).items():
            observed = seen[key]()
            because = (
                f"of the storage commitment of {_called('study', name)} the modality saw: {key} {_words(observed)}"
            )
            if last is None and key != "answers":
                because = f"no commitment report about {_called('study', name)} came{self._strangers()}"
            elif key == "answers":
                comments = sorted({answer.error_comment for answer in answers if answer.error_comment})
                problems = [*comments, *(each.problem for each in lost)]
                because = (
                    self._no_association("; ".join([because, *problems])) if lost else "; ".join([because, *comments])
                )
            yield _finding(f"wire.commitments.{name}.{key}", value, observed, because)

    def _modality(self, kind: type[Seen]) -> list[Seen]:
        """Return what the modality saw; the gateway tells of the same things where it is the SCU itself."""
        return [event for event in self._history.of(kind) if event.observer == "modality"]

    def _reports(self, name: str) -> list[CommitmentReported]:
        """Return the reports about the study that the modality took."""
        asked = [e for e in self._modality(CommitmentRequested) if e.study_instance_uid == self._uid(name)]
        uids = {each.transaction_uid for each in asked}
        taken = [e for e in self._modality(CommitmentReported) if e.status == "0000"]
        return [each for each in taken if each.transaction_uid in uids]

    def _strangers(self) -> str:
        asked = {e.transaction_uid for e in self._modality(CommitmentRequested)}
        unknown = {e.transaction_uid for e in self._modality(CommitmentReported)} - asked
        return (
            f"; what came has a Transaction UID that nobody asked under: {', '.join(sorted(unknown))}"
            if unknown
            else ""
        )

    # --- operator ------------------------------------------------------------------------------------

    def _operator(self, expected: tuple[str, ...]) -> Finding:
        answers = self._history.of(ReconcileAnswered)
        told = [f"{answer.answer} ({answer.words})" if answer.words else answer.answer for answer in answers]
        because = f"the gateway answered the operator: {'; '.join(told) or 'never'}"
        observed = [answer.answer for answer in answers]
        return _finding("operator.answers", list(expected), observed, because, self._gateway_tells)

    # --- gateway -------------------------------------------------------------------------------------

    def _study(self, name: str, expected: StudyExpectation) -> Iterator[Finding]:
        uid = self._uid(name)
        changes = [e for e in self._history.of(StudyChanged) if e.study_instance_uid == uid]
        last = changes[-1] if changes else None
        seen: dict[str, Callable[[], Any]] = {
            "state": lambda: last.state if last else None,
            "states": lambda: [change.state for change in changes],
            "reasons": lambda: list(last.reasons) if last else None,
            "warnings": lambda: list(last.warnings) if last else None,
            "instances": lambda: _distinct(self._history.of(InstanceStored), uid),
            "refused": lambda: _distinct(self._history.of(InstanceRefused), uid),
            "purged": lambda: sum(e.instances for e in self._history.of(StudyPurged) if e.study_instance_uid == uid),
            "files": lambda: sum(e.study_instance_uid == uid for e in self._history.of(FileFound)),
            "held": lambda: self._held(name),
            "originals": lambda: self._originals(uid),
            "acts": lambda: [act.act for act in self._history.of(ActFound) if act.study_instance_uid == uid],
        }
        for key, value in expected.model_dump(mode="json", exclude_none=True, exclude={"destinations"}).items():
            observed = seen[key]()
            because = f"of {_called('study', name)} the gateway says: {key} {_words(observed)}"
            if key == "files":
                because = f"instance files of {_called('study', name)} in the gateway's folder: {observed}"
            elif key == "held":
                because = (
                    f"committed instances of {_called('study', name)} that lie there as they were sent: {observed}"
                )
            elif key in ("state", "reasons") and last is not None:
                why = f": {', '.join(last.reasons)}" if last.reasons else ""
                because = f"{_called('study', name)} is {last.state}{why}"
            yield _finding(f"gateway.studies.{name}.{key}", value, observed, because, self._gateway_tells)

        for remote, there in expected.destinations.items():
            yield from self._destination(name, remote, there)

    def _destination(self, name: str, remote: str, expected: DestinationExpectation) -> Iterator[Finding]:
        told = [e for e in self._history.of(DispatchChanged) if e.study_instance_uid == self._uid(name)]
        last = next((e for e in reversed(told) if e.destination == remote.upper()), None)
        for key, value in expected.model_dump(mode="json", exclude_none=True).items():
            observed = getattr(last, key) if last is not None else None
            because = f"of {_called('study', name)} at {remote} the gateway says: {key} {_words(observed)}"
            if key == "problem" and value and observed and value in observed:
                observed = value  # words of it were expected, and they are there
            check = f"gateway.studies.{name}.destinations.{remote}.{key}"
            yield _finding(check, value, observed, because, self._gateway_tells)

    def _refusals(self) -> Iterator[Finding]:
        """What the gateway says of those it rejected or broke off: all of them count, whoever they were."""
        expected = self._case.then.gateway
        rejected = [e for e in self._history.of(AssociationRejected) if e.observer == "gateway"]
        broken = self._history.of(ConnectionBroken)
        told = {
            "rejected": (expected.rejected, Counter(e.field for e in rejected), [e.meaning for e in rejected]),
            "broken": (expected.broken, Counter(e.problem for e in broken), [e.words for e in broken]),
        }
        for key, (wanted, observed, words) in told.items():
            if wanted is not None:
                because = "; ".join(dict.fromkeys(words)) or f"the gateway says of none that it was {key}"
                yield _finding(f"gateway.{key}", wanted, dict(sorted(observed.items())), because, self._gateway_tells)

    def _held(self, name: str) -> int:
        """Return how many instances that were committed lie in the gateway's folder with the content that was sent."""
        committed = {uid for report in self._reports(name) for uid in report.committed}
        sent = {e.sop_instance_uid: e.data_set_digest for e in self._history.of(StoreAnswered)}
        files = {(e.sop_instance_uid, e.data_set_digest) for e in self._history.of(FileFound)}
        return sum((uid, sent.get(uid)) in files for uid in committed)

    def _originals(self, uid: str) -> str:
        """Tell whether every file of the study holds, byte for byte, what was sent of its instance."""
        sent = {e.sop_instance_uid: e.data_set_digest for e in self._history.of(StoreAnswered)}
        mine = [file for file in self._history.of(FileFound) if file.study_instance_uid == uid]
        changed = [file for file in mine if sent.get(file.sop_instance_uid) != file.data_set_digest]
        return "no file" if not mine else "changed" if changed else "identical"

    def _audit(self, expected: str) -> Finding:
        entries = self._history.of(ActFound)
        broken = [entry.number for entry in entries if not entry.intact]
        observed = "no entry" if not entries else "broken" if broken else "intact"
        because = f"the audit log in the gateway's folder has {len(entries)} entries"
        because += f"; entry {broken[0]} does not follow upon the one before it" if broken else ""
        return _finding("gateway.audit", expected, observed, because, self._gateway_tells)

    def _process(self) -> Iterator[Finding]:
        """A gateway process that was started must also end cleanly, whatever the file says, and each time.

        One that the story kills has no exit code of its own.
        """
        codes = [ended.exit_code for ended in self._history.of(GatewayStopped)]
        if codes:
            code = next((code for code in codes if code), 0)
            because = f"the gateway process ended with code {code}{'; its log says why' if code else ''}"
            yield _finding("gateway.process.exit_code", 0, code, because)

    # --- downstream ----------------------------------------------------------------------------------

    def _arrival(self, remote: str, name: str, expected: ArrivalExpectation) -> Iterator[Finding]:
        uid = self._uid(name)
        arrived = [
            e for e in self._history.of(InstanceReceived) if e.study_instance_uid == uid and remote in ("", e.observer)
        ]
        sent: dict[str, StoreAnswered] = {}
        for each in self._history.of(StoreAnswered):
            if each.study_instance_uid == uid:
                sent.setdefault(each.sop_instance_uid, each)  # of an instance that is sent again the first stays
        where = f"downstream.remotes.{remote}.studies.{name}" if remote else f"downstream.studies.{name}"
        there = remote or "the remote SCP"
        if expected.instances is not None:
            count = len({event.sop_instance_uid for event in arrived})
            because = f"distinct instances of {_called('study', name)} that reached {there}: {count}"
            yield _finding(f"{where}.instances", expected.instances, count, because)
        if expected.stored is not None:
            count = len({event.sop_instance_uid for event in arrived if _stored(event.status)})
            because = f"distinct instances of {_called('study', name)} that {there} stored: {count}"
            yield _finding(f"{where}.stored", expected.stored, count, because)
        if expected.repeated is not None:
            repeated = len(arrived) - len({event.sop_instance_uid for event in arrived})
            because = (
                f"{repeated} of {len(arrived)} arrivals of {_called('study', name)} were of what had arrived before"
            )
            yield _finding(f"{where}.repeated", expected.repeated, repeated, because)
        if expected.pixel_values is not None:
            yield self._pixel_values(f"{where}.pixel_values", expected.pixel_values, arrived, sent)
        syntax = expected.transfer_syntax
        if syntax is not None and syntax != "identical":
            names = sorted({UID(event.transfer_syntax_uid).keyword for event in arrived})
            because = f"{_called('study', name)} reached {there} in {', '.join(names) or 'no transfer syntax at all'}"
            yield _finding(f"{where}.transfer_syntax", syntax, names[0] if len(names) == 1 else names or None, because)
            syntax = None
        compared = {
            "pixel_data": (expected.pixel_data, "pixel_data_digest", "Pixel Data"),
            "transfer_syntax": (syntax, "transfer_syntax_uid", "transfer syntax"),
        }
        for key, (wanted, field, words) in compared.items():
            if wanted is None:
                continue
            changed = [e for e in arrived if _differs(e, sent.get(e.sop_instance_uid), field)]
            observed = "nothing arrived" if not arrived else "changed" if changed else "identical"
            because = f"{words} of {len(arrived) - len(changed)} of {len(arrived)} instances is as it was sent"
            because += f"; changed: {_listed(changed, sent)}" if changed else ""
            yield _finding(f"{where}.{key}", wanted, observed, because)

        if expected.keys is not None:
            yield self._keys_that_arrived(f"{where}.keys", name, expected.keys, arrived, sent)
        if expected.original_attributes is not None:
            yield _kept(f"{where}.original_attributes", expected.original_attributes, arrived, sent)

    def _keys_that_arrived(
        self, where: str, name: str, expected: str, arrived: list[InstanceReceived], sent: dict[str, StoreAnswered]
    ) -> Finding:
        """Tell whose keys the instances carry: the study's own as they were sent, an order's, or nobody's."""
        owners = {_owner(event, sent.get(event.sop_instance_uid), self._plan.order_keys, expected) for event in arrived}
        observed = "nothing arrived" if not arrived else " and ".join(sorted(owners))
        because = (
            f"accession number and major keys of what arrived of {_called('study', name)} are those of: {observed}"
        )
        return _finding(where, expected, observed, because)

    @staticmethod
    def _compressed_as_sent(event: InstanceReceived, sent: StoreAnswered | None) -> bool:
        return not _differs(event, sent, "transfer_syntax_uid") and not _differs(event, sent, "pixel_data_digest")

    def _pixel_values(
        self, where: str, wanted: str, arrived: list[InstanceReceived], sent: dict[str, StoreAnswered]
    ) -> Finding:
        """Compare samples without a decoder: what was planned before it was compressed is there, byte for byte."""
        planned = {uid: digest for event in self._history.of(PixelsPlanned) for uid, digest in event.digests.items()}
        changed = [
            e
            for e in arrived
            if planned.get(e.sop_instance_uid) != e.pixel_data_digest
            and not self._compressed_as_sent(e, sent.get(e.sop_instance_uid))
        ]
        observed = "nothing arrived" if not arrived else "changed" if changed else "identical"
        because = f"samples of {len(arrived) - len(changed)} of {len(arrived)} instances are those that were planned"
        because += f"; changed: {_listed(changed, sent)}" if changed else ""
        return _finding(where, wanted, observed, because)

    def _uid(self, name: str) -> str:
        return self._plan.studies[name]


def _owner(
    event: InstanceReceived, sent: StoreAnswered | None, orders: Mapping[str, Mapping[str, str]], expected: str
) -> str:
    """Return whose keys an instance carries; of several that are alike, the one that is expected."""
    owners = [name for name, keys in orders.items() if keys and keys == event.keys]
    owners += ["study"] if sent is not None and sent.keys == event.keys else []
    return expected if expected in owners else next(iter(owners), "nobody")


def _kept(
    check: str, expected: tuple[str, ...], arrived: list[InstanceReceived], sent: dict[str, StoreAnswered]
) -> Finding:
    """Tell which keys every instance keeps as they were sent; one that keeps something else is told as altered."""
    observed: list[str] = []
    for key in _KEYS:
        kept = [event.original.get(key) for event in arrived]
        was = [sent[e.sop_instance_uid].keys.get(key) if e.sop_instance_uid in sent else None for e in arrived]
        if any(each is not None for each in kept):
            observed.append(key if kept == was else f"{key} altered")
    because = f"Original Attributes Sequence of {len(arrived)} instances keeps: {', '.join(observed) or 'nothing'}"
    return _finding(check, list(expected), observed if arrived else None, because)


def _stored(status: str) -> bool:
    """Tell whether a status of C-STORE says that the instance was stored (PS3.4 B.2.3)."""
    return status == "0000" or status.startswith("B")


def _differs(arrived: InstanceReceived, sent: StoreAnswered | None, field: str) -> bool:
    return sent is None or not getattr(sent, field) or getattr(sent, field) != getattr(arrived, field)


def _listed(changed: list[InstanceReceived], sent: dict[str, StoreAnswered]) -> str:
    """Return the first few instances that are not as they were sent, with the transfer syntax that each left in."""
    known = [(e.sop_instance_uid, sent.get(e.sop_instance_uid)) for e in changed[:3]]
    told = [f"{uid} sent in {was.transfer_syntax_uid}" if was else f"{uid}, which was not sent" for uid, was in known]
    return "; ".join([*told, *(["..."] if len(changed) > 3 else [])])


def _complete(asked: CommitmentRequested, report: CommitmentReported) -> str:
    """Return `complete` when each instance that was named stands in exactly one of the two sequences."""
    told = Counter([*report.committed, *report.failed])
    wrong = [uid for uid in {*told, *asked.sop_instance_uids} if told[uid] != 1 or uid not in asked.sop_instance_uids]
    return f"{len(wrong)} missing, twice or not asked for" if wrong else "complete"


def _distinct(events: tuple[Any, ...], study_instance_uid: str) -> int:
    return len({e.sop_instance_uid for e in events if e.study_instance_uid == study_instance_uid})


def _finding(check: str, expected: Any, observed: Any, because: str, visible: bool = True) -> Finding:
    if not visible:
        because = "nobody could see this: the gateway is a real system without the simulator's HTTP API"
        return Finding(check, "inconclusive", expected, None, because)
    return Finding(check, "pass" if expected == observed else "fail", expected, observed, because)


def _called(kind: str, name: str) -> str:
    """Return how a sentence names a study or order: `the study` where the story has no other name for it."""
    return f"the {kind}" if name == kind else f"{kind} {name}"


def _words(value: Any) -> str:
    return "nothing" if value in (None, []) else json.dumps(value) if not isinstance(value, str) else value
