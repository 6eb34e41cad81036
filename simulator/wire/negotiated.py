"""What the requestor of an association makes of A-ASSOCIATE-AC, and of what comes after it: contexts and lengths."""

from __future__ import annotations

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

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
        str(each.transfer_syntax[0])
        if each.result == 0 and usable(each)
        else RESULTS.get(each.result or 2, "no-reason")
        for each in contexts
    )


def usable(context: PresentationContext) -> bool:
    """Tell whether a context that was accepted names the transfer syntax in which it was."""
    return bool(context.transfer_syntax)


def refusals(association: Association, sop_class_uid: str) -> str:
    """Return in brackets why contexts of a SOP class were refused; empty where none was."""
    proposed = zip(association.requestor.requested_contexts, answers(association), strict=True)
    said = [answer for each, answer in proposed if each.abstract_syntax == sop_class_uid]
    told = ", ".join(answer.replace("-", " ") for answer in dict.fromkeys(said) if answer in RESULTS.values())
    return f" ({told})" if told else ""


class Lengths:
    """The lengths of P-DATA-TF (PS3.8 9.3.5) that came on an association: `longest`, in bytes, 0 before one came."""

    def __init__(self) -> None:
        self.longest = 0

    def take(self, event: evt.Event) -> None:
        """Take in a PDU that came (a handler of EVT_DATA_RECV)."""
        if event.data[0] == P_DATA_TF:
            self.longest = max(self.longest, len(event.data) - HEAD)
