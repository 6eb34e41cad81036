"""What sentences of the story call studies, orders, instances and transactions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.events import (
    CasePlanned,
    CommitmentDelivered,
    CommitmentReported,
    DispatchChanged,
    ForwardAsked,
    StudyRecognised,
)
from simulator.scenario.findings import called
from simulator.scenario.history import History


@dataclass(frozen=True, slots=True)
class Names:
    """What the story calls a study (by its UID) and an order (by its message control id)."""

    studies: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, history: History) -> Names:
        """Return the names that the plan of a case gives."""
        names = cls()
        for plan in history.of(CasePlanned):
            for name, uid in plan.studies.items():  # what is sent again goes by its first name
                names.studies.setdefault(uid, called("study", name))
            names.orders.update({control_id: called("order", name) for name, control_id in plan.orders.items()})
            names.orders.update({i: f"message {i} about {called('order', n)}" for i, n in plan.messages.items()})
        for recognised in history.of(StudyRecognised):
            names.studies.setdefault(recognised.study_instance_uid, called("study", recognised.study))
        return names

    def study(self, uid: str) -> str:
        """Return what a sentence calls the study of this Study Instance UID."""
        return self.studies.get(uid, f"study {uid}" if uid else "a study whose UID cannot be read")

    def part(self, event: DispatchChanged | ForwardAsked) -> str:
        """Return what a sentence calls what is forwarded: a study, a series of it or an instance of it."""
        part = "an instance of " if event.sop_instance_uid else "a series of " if event.series_instance_uid else ""
        return f"{part}{self.study(event.study_instance_uid)}"

    def order(self, control_id: str, accession_number: str = "") -> str:
        """Return what a sentence calls the order, or the message about one, of this message control id."""
        unknown = f"the message {control_id}" if control_id else "a message without a control id"
        name = self.orders.get(control_id, unknown)
        return f"{name} (accession number {accession_number})" if accession_number else name


def instances(number: int, short: bool = False) -> str:
    """Return `1 instance`, `2 instances`; the number alone once the line has said of what."""
    return str(number) if short else f"{number} instance" if number == 1 else f"{number} instances"


def transaction(event: Any) -> str:
    """Return `transaction` with the Transaction UID of an event of storage commitment."""
    return f"transaction {event.transaction_uid}" if event.transaction_uid else "no Transaction UID"


def way(event: CommitmentReported | CommitmentDelivered) -> str:
    """Return on which association a commitment report came."""
    return "on the association of the request" if event.via == "same" else "on a new association"
