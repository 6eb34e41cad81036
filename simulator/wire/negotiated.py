"""What the requestor of an association makes of A-ASSOCIATE-AC, and of what comes after it: contexts and lengths."""

from __future__ import annotations

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association

from simulator.wire.pdus import HEAD, P_DATA_TF

# PS3.8 9.3.3.2: why a presentation context is not accepted, by its result.
RESULTS = {
    1: "user-rejection",
    2: "no-reason",
    3: "abstract-syntax-not-supported",
    4: "transfer-syntaxes-not-supported",
}


def answers(association: Association) -> tuple[str, ...]:
    """Return how each context was answered, in the order proposed; one that was left out has result 2."""
    answered = {each.context_id: each for each in (*association.accepted_contexts, *association.rejected_contexts)}
    contexts = [answered[proposed.context_id] for proposed in association.requestor.requested_contexts]
    return tuple(
        str(each.transfer_syntax[0]) if each.result == 0 else RESULTS.get(each.result or 2, "no-reason")
        for each in contexts
    )


def refusals(association: Association) -> str:
    """Return the names of the SOP classes that were refused, those of each result together, and its words."""
    by_result: dict[str, set[str]] = {}
    for proposed, answer in zip(association.requestor.requested_contexts, answers(association), strict=True):
        by_result.setdefault(answer, set()).add(UID(proposed.abstract_syntax or "").name)
    return "; ".join(f"{', '.join(sorted(names))}: {said(answer)}" for answer, names in by_result.items())


def said(answer: str) -> str:
    """Return the words of an answer that is no acceptance."""
    return answer.replace("-", " ")


class Lengths:
    """The lengths of P-DATA-TF (PS3.8 9.3.5) that came on an association: `longest`, in bytes, 0 before one came."""

    def __init__(self) -> None:
        self.longest = 0

    def take(self, event: evt.Event) -> None:
        """Take in a PDU that came (a handler of EVT_DATA_RECV)."""
        if event.data[0] == P_DATA_TF:
            self.longest = max(self.longest, len(event.data) - HEAD)
