"""What the judge asks of a history: who saw what, by the names that the story uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.events import (
    AssociationFailed,
    AssociationRejected,
    CasePlanned,
    CommitmentReported,
    CommitmentRequested,
    GatewayStarted,
    RoleBound,
    StoreAnswered,
    StudyRecognised,
)
from simulator.scenario.history import History, Seen


@dataclass(frozen=True, slots=True)
class Evidence:
    """The history of one case, and its plan: which UIDs and message control ids the names stand for."""

    history: History
    plan: CasePlanned

    @property
    def gateway_unseen(self) -> str:
        """Why nobody sees into the gateway; empty where it tells what it does. A real one has no such API."""
        return "" if self.of(GatewayStarted) else "the gateway is a real system without the simulator's HTTP API"

    @property
    def sending_unseen(self) -> str:
        """Why nobody knows what the modality sent, and how it was answered; empty where it is simulated."""
        return "the modality is a real system" if "modality" in self._bound else ""

    def arrivals_unseen(self, remote: str) -> str:
        """Return why nobody sees what arrives at a remote SCP (empty: at all of them); empty where it is seen."""
        return arrivals_unseen(self._bound, remote)

    @property
    def absence_unseen(self) -> str:
        """Why nothing is proven by what did not arrive; empty where it would have arrived in time."""
        return "a real gateway may still send it, or know another destination" if "gateway" in self._bound else ""

    def ae_title(self, remote: str) -> str:
        """Return the AE title of a remote SCP of the story: its name in capital letters, or that of the real one."""
        return self._bound[remote].ae_title if remote in self._bound else remote.upper()

    @property
    def _bound(self) -> Mapping[str, RoleBound]:
        return {event.role: event for event in self.of(RoleBound)}

    def of(self, kind: type[Seen]) -> tuple[Seen, ...]:
        """Return the events of one kind."""
        return self.history.of(kind)

    def uid(self, study: str) -> str:
        """Return the Study Instance UID of a study of the story; of one that a real modality sent, its own."""
        recognised = [e.study_instance_uid for e in self.of(StudyRecognised) if e.study == study]
        return recognised[0] if recognised else self.plan.studies[study]

    def about(self, kind: type[Seen], study: str) -> list[Seen]:
        """Return the events of one kind, which names a study, that are about this one."""
        events: tuple[Any, ...] = self.of(kind)
        uid = self.uid(study)
        return [event for event in events if event.study_instance_uid == uid]

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


def arrivals_unseen(bound: Mapping[str, RoleBound], remote: str) -> str:
    """Return why nobody sees what arrives at a remote SCP (empty: at all of them), with these real systems."""
    real = [role for role in bound if role not in ("gateway", "modality") and remote in ("", role)]
    if real:
        return f"{real[0]} is a real system"
    gateway = bound.get("gateway")
    if gateway is not None and not (remote in gateway.reaches if remote else gateway.reaches):
        return "the site profile names no destination that is a simulated remote SCP, so the gateway knows none"
    return ""
