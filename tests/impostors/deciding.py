"""Wrong gateways that do not decide as they should whether a study is MATCHED, or do not do what an operator says."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from simulator.events import Event
from simulator.gateway.correction import Copy
from simulator.gateway.rows import StudyRow
from simulator.gateway.server import Gateway
from simulator.gateway.steps import Matched, Unmatched, Verdict
from simulator.site import Site
from simulator.wire import part10, rewriting
from tests.impostors.caught import Caught
from tests.impostors.sending import send_all


class MatchesEveryone(Gateway):
    """Finds every study matched, whatever its keys say."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        return dataclasses.replace(super().policy(outcome), state="matched", reasons=())


class ForwardsUnmatched(Gateway):
    """Says `unmatched`, keeps to it, and forwards the study all the same."""

    def decide(self, study_instance_uid: str) -> None:
        super().decide(study_instance_uid)
        send_all(self, study_instance_uid)


class GivesOneReasonForAll(Gateway):
    """Finds out that a study is unmatched, and always says that it has no order."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        verdict = super().policy(outcome)
        return dataclasses.replace(verdict, reasons=("order.not-found",)) if verdict.reasons else verdict


class CorrectsWithoutKeeping(Gateway):
    """Writes the order's keys and keeps nothing of what stood there before."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        rewriting._originals = lambda *_: b""


class ForwardsUncorrected(Gateway):
    """Says that the study is matched and corrected, and sends it as it came."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.index.correction = lambda study_instance_uid: None  # type: ignore[method-assign]


class AltersTheStoredOriginal(Gateway):
    """Puts the corrected copy in the place of what was received."""

    def sent(self, study_instance_uid: str) -> None:
        super().sent(study_instance_uid)
        copy = Copy(self.index.correction(study_instance_uid), "IMPOSTOR")
        for row in self.index.instances(study_instance_uid):
            sent = copy.as_sent(part10.read(self.store.read(row.file)), "")
            self.store.write(row.study_instance_uid, row.sop_instance_uid, part10.build(sent, ""))


class ForgetsToAudit(Gateway):
    """Does what an operator says, and writes nothing of it into the audit log."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        change = self.index.change_study

        def silently(study: StudyRow, event: Event, *decided: Any) -> None:
            change(study, event, *decided[:2])

        self.index.change_study = silently  # type: ignore[method-assign,assignment]


class EditsItsAuditLog(Gateway):
    """Gets round the triggers and puts another name under an operator's act."""

    def _finish(self) -> None:
        super()._finish()
        with closing(sqlite3.connect(self.data / "index.sqlite")) as db:
            db.execute("DROP TRIGGER audit_is_never_changed")
            db.execute("UPDATE audit SET who = 'somebody else' WHERE act = 'reconcile'")
            db.commit()

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


CAUGHT = (
    Caught(
        "matches-everyone",
        MatchesEveryone,
        "unmatched[name]",
        {
            "gateway.studies.study.state": ("unmatched", "forwarded"),
            "gateway.studies.study.states": (
                ["receiving", "unmatched"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.reasons": (["name.mismatch"], []),
            "downstream.studies.study.instances": (0, 2),
        },
    ),
    Caught(
        "matches-everyone",
        MatchesEveryone,
        "rejected[sex]",
        {
            "gateway.studies.study.state": ("rejected", "forwarded"),
            "gateway.studies.study.states": (
                ["receiving", "rejected"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.reasons": (["sex.mismatch"], []),
            "downstream.studies.study.instances": (0, 2),
        },
    ),
    Caught(
        "forwards-unmatched",
        ForwardsUnmatched,
        "unmatched[unknown-accession]",
        {"downstream.studies.study.instances": (0, 2)},
    ),
    Caught(
        "gives-one-reason-for-all",
        GivesOneReasonForAll,
        "malformed-accession[17-characters]",
        {"gateway.studies.study.reasons": (["accession.malformed.length"], ["order.not-found"])},
    ),
    Caught(
        "corrects-without-keeping",
        CorrectsWithoutKeeping,
        "correct[ISO 2022 IR 58]",
        {"downstream.studies.study.original_attributes": (["name"], [])},
    ),
    Caught(
        "forwards-uncorrected",
        ForwardsUncorrected,
        "reconcile[unknown-accession]",
        {
            "downstream.studies.study.keys": ("order", "study"),
            "downstream.studies.study.original_attributes": (["accession"], []),
        },
    ),
    Caught(
        "alters-the-stored-original",
        AltersTheStoredOriginal,
        "correct[hkid]",
        {"gateway.studies.study.originals": ("identical", "changed")},
    ),
    Caught("forgets-to-audit", ForgetsToAudit, "reconcile[rejected]", {"gateway.studies.study.acts": (["reject"], [])}),
    Caught(
        "edits-its-audit-log", EditsItsAuditLog, "reconcile[to-another-order]", {"gateway.audit": ("intact", "broken")}
    ),
)
