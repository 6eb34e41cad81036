"""The operator of a gateway: rules about unmatched studies through its HTTP API."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.actors.observation import Observe
from simulator.errors import ActRefused, PeerError
from simulator.events import ReconcileAnswered
from simulator.wire.gateway_api import GatewayApi


@dataclass(frozen=True, slots=True)
class Operator:
    """Rules at one gateway under one name; tells `observe` of every answer, with the step of the story."""

    name: str
    url: str
    observe: Observe
    observer: str = "operator"
    step: str = ""

    def reconcile(self, study_instance_uid: str, accession_number: str, reason: str = "") -> bool:
        """Bind a study to the order under `accession_number`, or (empty) reject it; return whether it was done."""
        ruling = {"order": accession_number} if accession_number else {"reject": True}
        answer, words = "done", ""
        try:
            GatewayApi(self.url).reconcile(study_instance_uid, ruling | {"by": self.name, "reason": reason})
        except ActRefused as error:
            answer, words = error.code, str(error)
        except PeerError as error:
            answer, words = "no answer", str(error)
        self.observe(
            ReconcileAnswered(
                observer=self.observer,
                study_instance_uid=study_instance_uid,
                accession_number=accession_number,
                answer=answer,
                words=words,
                step=self.step,
            )
        )
        return answer == "done"
