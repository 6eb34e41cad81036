"""What an operator does with unmatched studies: looks at what differs, binds one to an order, or rejects it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal

from simulator.gateway import audit, correction, pipeline
from simulator.gateway.acts import Correction, Ruling
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.gateway.rows import StudyRow
from simulator.gateway.steps import Inspected, Verdict
from simulator.rules import accession, correcting, image_count, masking, nearest
from simulator.rules.correcting import OPERATOR_REJECTED
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.site import Site

Code = Literal[
    "study.not-found", "study.not-unmatched", "order.not-found", "order.cancelled", "order.taken", "order.unusable"
]
Change = Callable[[str, Verdict, Ruling | None, Act | None], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operator's act was not done: a stable id, and words for him."""

    code: Code
    words: str


def ruled(study: Inspected, index: Index) -> Inspected:
    """Return the study as an operator ruled about it, if he did and it is still what he saw."""
    ruling = index.ruling(study.study_instance_uid)
    if ruling is None or not ruling.holds_for(study.keys):
        return study
    number = ruling.order_accession
    return replace(
        study,
        ruling=ruling,
        order=index.order(number) if number else None,
        accession_taken=index.matched_by_another(number, study.study_instance_uid),
    )


def policy_act(study: Inspected, verdict: Verdict, held: Correction | None, site: Site) -> Act | None:
    """Return the act of a decision that corrects a study by the site's policy; None for any other decision.

    held: how it is corrected already. A decision that is taken again, as after a restart, is no new act.
    """
    if verdict.correction is None or study.ruling is not None:
        return None
    if held is not None and held.order == verdict.correction.order:
        return None
    order = verdict.correction.order
    before, after = audit.changes(study.keys[0], StudyKeys(order.accession_number, order.keys), site.logs.mask)
    return Act(
        "correct",
        study_instance_uid=study.study_instance_uid,
        accession_number=order.accession_number,
        why="unmatched: correct",
        before=before,
        after=after,
    )


class Reconciliation:
    """The operator's desk. Safe for use from several threads.

    taking: held while something is received or decided. change: writes a verdict, the ruling and the act at once.
    bound: called with each study that now belongs to an order.
    """

    def __init__(
        self,
        site: Site,
        index: Index,
        taking: AbstractContextManager[object],
        change: Change,
        bound: Callable[[str], None],
    ) -> None:
        self._site = site
        self._index = index
        self._taking = taking
        self._change = change
        self._bound = bound

    def candidates(self, study_instance_uid: str, order: str = "") -> dict[str, Any] | Refusal:
        """Return the study's keys, those of the order under its number, and of the nearest orders.

        order: an accession number that is shown as well. All in full: this is for the operator's own screen.
        """
        with self._taking:
            row = self._index.study(study_instance_uid)
            if row is None:
                return Refusal("study.not-found", f"the gateway holds no study {study_instance_uid}")
            study = pipeline.inspect(study_instance_uid, self._index)
        wanted = self._index.order(accession.canonical(order)) if order else None
        if order and wanted is None:
            return _no_order(order)
        near = nearest.suggestions(study.keys[0], self._index.orders())
        shown = {each.order.accession_number: each.because for each in near}
        orders = {each.order.accession_number: each.order for each in near}
        for each, why in ((study.order, "accession.exact"), (wanted, "asked-for")):
            if each is not None and each.accession_number not in orders:
                orders[each.accession_number], shown[each.accession_number] = each, (why,)
        if wanted is not None:
            orders = {wanted.accession_number: wanted} | orders
        return {
            "study_instance_uid": row.study_instance_uid,
            "state": row.state,
            "reasons": list(row.reasons),
            "instances": study.instances,
            "keys": [_shown(each) for each in study.keys],
            "orders": [self._candidate(each, shown[number], study) for number, each in orders.items()],
        }

    def bind(self, study_instance_uid: str, order: str, who: str, why: str) -> Refusal | None:
        """Bind an unmatched study to an order: it is matched, and forwarded with the order's keys."""
        number = accession.canonical(order)
        with self._taking:
            row = self._index.study(study_instance_uid)
            refusal = self._refusal(study_instance_uid, row) or self._order_refusal(study_instance_uid, number)
            if refusal is not None or row is None:
                return refusal
            study = self._inspected(study_instance_uid, number)
            verdict = pipeline.policy(pipeline.match(study, self._site), self._site)
            assert study.order is not None
            keys = StudyKeys(number, study.order.keys)
            before, after = audit.changes(study.keys[0], keys, self._site.logs.mask)
            act = Act(
                "reconcile",
                who,
                study_instance_uid,
                number,
                self._masked(why),
                before={"state": row.state} | before,
                after={"state": verdict.state} | after,
            )
            self._change(study_instance_uid, verdict, study.ruling, act)
        if verdict.state == "matched":
            self._bound(study_instance_uid)
        return None

    def reject(self, study_instance_uid: str, who: str, why: str) -> Refusal | None:
        """Reject an unmatched study: nothing of it is forwarded, and it stays held."""
        with self._taking:
            row = self._index.study(study_instance_uid)
            refusal = self._refusal(study_instance_uid, row)
            if refusal is not None or row is None:
                return refusal
            study = self._inspected(study_instance_uid, "")
            states = {"state": row.state}, {"state": "rejected"}
            act = Act("reject", who, study_instance_uid, row.accession_number, self._masked(why), *states)
            verdict = Verdict("rejected", (OPERATOR_REJECTED,), row.warnings, "")
            self._change(study_instance_uid, verdict, study.ruling, act)
        return None

    def _masked(self, words: str) -> str:
        """Return an operator's words as the audit log has them: he may well name the patient."""
        return masking.line(words) if self._site.logs.mask else words

    def _inspected(self, study_instance_uid: str, number: str) -> Inspected:
        """Return the study as though the ruling were there already."""
        study = pipeline.inspect(study_instance_uid, self._index)
        return replace(
            study,
            ruling=Ruling(number, frozenset(study.keys)),
            order=self._index.order(number) if number else None,
            accession_taken=self._index.matched_by_another(number, study_instance_uid),
        )

    @staticmethod
    def _refusal(study_instance_uid: str, row: StudyRow | None) -> Refusal | None:
        if row is None:
            return Refusal("study.not-found", f"the gateway holds no study {study_instance_uid}")
        # What was rejected for want of an order may still get one; what has too many images may not.
        if row.state == "unmatched" or (row.state == "rejected" and image_count.EXCEEDED not in row.reasons):
            return None
        why = f" ({', '.join(row.reasons)})" if row.reasons else ""
        return Refusal("study.not-unmatched", f"the study is {row.state}{why}; only an unmatched study is reconciled")

    def _order_refusal(self, study_instance_uid: str, number: str) -> Refusal | None:
        order = self._index.order(number)
        if order is None:
            return _no_order(number)
        if order.cancelled:
            return Refusal("order.cancelled", f"order {number} is cancelled")
        if self._index.matched_by_another(number, study_instance_uid):
            return Refusal("order.taken", f"order {number} has another study already")
        if faults := correcting.unwritable(order):
            return Refusal("order.unusable", f"the keys of order {number} cannot be written: {', '.join(faults)}")
        return None

    def _candidate(self, order: OrderKeys, because: tuple[str, ...], study: Inspected) -> dict[str, Any]:
        taken = self._index.matched_by_another(order.accession_number, study.study_instance_uid)
        keys = StudyKeys(order.accession_number, order.keys)
        return _shown(keys) | {
            "because": list(because),
            "differences": list(correction.under(order, replace(study, accession_taken=False), self._site)),
            "cancelled": order.cancelled,
            "taken": taken,
        }


def _no_order(number: str) -> Refusal:
    return Refusal("order.not-found", f"the gateway has no order under accession number {number or '(none)'}")


def _shown(study: StudyKeys) -> dict[str, str]:
    keys = study.keys
    return {
        "accession_number": study.accession_number,
        "hkid": keys.hkid,
        "name": keys.name,
        "birth_date": keys.birth_date,
        "sex": keys.sex,
    }
