"""What the judge asks of a history: who saw what, by the names that the story uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.events import (
    AssociationFailed,
    AssociationRejected,
    CasePlanned,
    CommitmentReported,
    CommitmentRequested,
    GatewayStarted,
    StoreAnswered,
)
from simulator.scenario.history import History, Seen


@dataclass(frozen=True, slots=True)
class Evidence:
    """The history of one case, and its plan: which UIDs and message control ids the names stand for."""

    history: History
    plan: CasePlanned

    @property
    def gateway_tells(self) -> bool:
        """Whether the gateway tells what it does; a real one has no such API."""
        return bool(self.of(GatewayStarted))

    def of(self, kind: type[Seen]) -> tuple[Seen, ...]:
        """Return the events of one kind."""
        return self.history.of(kind)

    def uid(self, study: str) -> str:
        """Return the Study Instance UID of a study of the story."""
        return self.plan.studies[study]

    def about(self, kind: type[Seen], study: str) -> list[Seen]:
        """Return the events of one kind, which names a study, that are about this one."""
        events: tuple[Any, ...] = self.of(kind)
        return [event for event in events if event.study_instance_uid == self.uid(study)]

    def modality(self, kind: type[Seen]) -> list[Seen]:
        """Return what the modalities saw; the gateway tells of the same things where it is the SCU itself."""
        return [event for event in self.of(kind) if event.observer != "gateway"]

    def commitment_reports(self, study: str) -> list[CommitmentReported]:
        """Return the reports about the study that the modality took."""
        uid = self.uid(study)
        asked = {e.transaction_uid for e in self.modality(CommitmentRequested) if e.study_instance_uid == uid}
        taken = [e for e in self.modality(CommitmentReported) if e.status == "0000"]
        return [each for each in taken if each.transaction_uid in asked]

    def digests_sent(self) -> dict[str, str]:
        """Return the digest of each data set by its SOP Instance UID, as it was last sent."""
        return {e.sop_instance_uid: e.data_set_digest for e in self.of(StoreAnswered)}

    def without_association(self, because: str) -> str:
        """Return the sentence with why associations were rejected or failed, as those who asked for them saw it."""
        refused = [e.meaning for e in self.of(AssociationRejected) if e.observer != "gateway"]
        failed = [e.problem for e in self.of(AssociationFailed)]
        return "; ".join([because, *refused, *failed])
