"""Wrong gateways must be caught, each by the check that is meant for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import running
from tests.impostors import IMPOSTORS

pytestmark = pytest.mark.scenario

# what is seen of a study of three instances whose commitment is never reported
UNREPORTED: dict[str, object] = {
    "wire.commitments.study.reports": (1, 0),
    "wire.commitments.study.event_type": (1, None),
    "wire.commitments.study.committed": (3, None),
    "wire.commitments.study.failed": (0, None),
    "wire.commitments.study.references": ("complete", None),
    "gateway.studies.study.held": (3, 0),
}
# impostor, the case that must catch it, and the checks that go red with what they expected and observed
CAUGHT = [
    ("acknowledges-without-storing", "unmatched[hkid]", {"gateway.studies.study.files": (2, 0)}),
    (
        "drops-after-acknowledging",
        "unmatched[sex]",
        {
            "gateway.studies.study.state": ("unmatched", None),
            "gateway.studies.study.states": (["receiving", "unmatched"], []),
            "gateway.studies.study.reasons": (["sex.mismatch"], None),
            "gateway.studies.study.instances": (2, 0),
            "gateway.studies.study.files": (2, 0),
        },
    ),
    (
        "matches-everyone",
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
    (
        "matches-everyone",
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
    (
        "ignores-the-image-limit",
        "over-1000-images[1001-reject]",
        {
            "wire.studies.study.answers": ({"0000": 1000, "A700": 1}, {"0000": 1001}),
            "gateway.studies.study.state": ("rejected", "forwarded"),
            "gateway.studies.study.reasons": (["image-count.exceeded"], []),
            "gateway.studies.study.instances": (1000, 1001),
            "gateway.studies.study.refused": (1, 0),
            "gateway.studies.study.files": (1000, 1001),
            "downstream.studies.study.instances": (0, 1001),
        },
    ),
    (
        "warns-of-nothing",
        "over-1000-images[1001-recommend]",
        {"gateway.studies.study.warnings": (["image-count.exceeded"], [])},
    ),
    ("forwards-unmatched", "unmatched[unknown-accession]", {"downstream.studies.study.instances": (0, 2)}),
    (
        "alters-a-pixel",
        "every-sop-class[MRImageStorage-MR]",
        {"downstream.studies.study.pixel_data": ("identical", "changed")},
    ),
    ("loses-the-last-instance", "matched[ORM^O01]", {"downstream.studies.study.instances": (5, 4)}),
    (
        "forgets-orders",
        "matched[OMI^O23]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (5, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
            "downstream.studies.study.transfer_syntax": ("identical", "nothing arrived"),
        },
    ),
    (
        "never-looks-again",
        "late-order[ORM^O01]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    (
        "gives-one-reason-for-all",
        "malformed-accession[17-characters]",
        {"gateway.studies.study.reasons": (["accession.malformed.length"], ["order.not-found"])},
    ),
    (
        "cannot-take-hardcopy",
        "every-sop-class[HardcopyColorImageStorage-HC]",
        {
            "wire.studies.study.answers": ({"0000": 9}, {"C000": 9}),
            "gateway.studies.study.state": ("forwarded", None),
            "gateway.studies.study.reasons": ([], None),
            "gateway.studies.study.instances": (9, 0),
            "gateway.studies.study.files": (9, 0),
            "downstream.studies.study.instances": (9, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
            "downstream.studies.study.transfer_syntax": ("identical", "nothing arrived"),
        },
    ),
    (
        "lets-everyone-in",
        "access-control[from-another-address]",
        {
            "wire.associations.ct.outcome": ("rejected", "accepted"),
            "wire.associations.ct.result": (1, None),
            "wire.associations.ct.source": (1, None),
            "wire.associations.ct.reason": (3, None),
            "gateway.rejected": ({"address": 1}, {}),
        },
    ),
    (
        "gives-one-reason-to-reject",
        "access-control[one-too-many]",
        {
            "wire.associations.third.result": (2, 1),
            "wire.associations.third.source": (3, 1),
            "wire.associations.third.reason": (2, 3),
        },
    ),
    (
        "rejects-without-a-word",
        "access-control[calling-in-lower-case]",
        {"gateway.rejected": ({"called-ae-title": 1}, {})},
    ),
    (
        "asks-for-no-certificate",
        "tls[without-certificate]",
        {
            "wire.associations.peer.outcome": ("failed", "accepted"),
            "gateway.broken": ({"tls.no-certificate": 1}, {}),
        },
    ),
    (
        "commits-to-what-it-lacks",
        "storage-commitment[one-missing]",
        {
            "wire.commitments.study.event_type": (2, 1),
            "wire.commitments.study.committed": (3, 4),
            "wire.commitments.study.failed": (1, 0),
            "wire.commitments.study.failure_reasons": ({"0112": 1}, {}),
        },
    ),
    (
        "loses-what-it-committed-to",
        "storage-commitment[released-at-once]",
        {"gateway.studies.study.held": (3, 2)},
    ),
    (
        "reports-one-instance-twice",
        "storage-commitment[same-association]",
        {
            "wire.commitments.study.event_type": (1, 2),
            "wire.commitments.study.failed": (0, 1),
            "wire.commitments.study.references": ("complete", "1 missing, twice or not asked for"),
        },
    ),
    (
        "reports-under-another-transaction",
        "storage-commitment[new-association]",
        UNREPORTED | {"wire.commitments.study.via": ("new", None)},
    ),
    (
        "never-reports",
        "storage-commitment[same-association]",
        UNREPORTED | {"wire.commitments.study.via": ("same", None)},
    ),
    (
        "forgets-reports-when-killed",
        "storage-commitment[killed-with-the-report-outstanding]",
        UNREPORTED | {"wire.commitments.study.via": ("new", None)},
    ),
    (
        "always-calls-back",
        "storage-commitment[same-association]",
        {"wire.commitments.study.via": ("same", "new")},
    ),
    (
        "forwards-without-commitment",
        "destination-commitment[refused]",
        {
            "gateway.studies.study.state": ("failed", "forwarded"),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.archive.state": ("failed", "done"),
            "gateway.studies.study.destinations.archive.attempts": (3, 1),
            "gateway.studies.study.destinations.archive.problem": (
                "refused the request for storage commitment with 0213",
                "",
            ),
        },
    ),
    (
        "takes-any-report-for-a-commitment",
        "destination-commitment[one-lost]",
        {
            "gateway.studies.study.destinations.archive.attempts": (2, 1),
            "downstream.studies.study.repeated": (1, 0),
        },
    ),
    (
        "takes-every-commitment-request",
        "commitment-refused[transaction-missing]",
        {"wire.commitments.study.answers": ({"0115": 1}, {"0000": 1})},
    ),
    (
        "ignores-patient-updates",
        "patient-update[while-held]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["name.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    (
        "merges-nobody",
        "patient-merge[while-held]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["hkid.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    (
        "forwards-cancelled-orders",
        "order-cancelled[before-the-study]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.reasons": (["order.cancelled"], []),
            "downstream.studies.study.instances": (0, 2),
        },
    ),
    (
        "says-nothing-after-forwarding",
        "patient-update[after-forwarding]",
        {"gateway.studies.study.warnings": (["birth-date.mismatch"], [])},
    ),
    (
        "commits-and-says-no-more",
        "acknowledgement-modes[AL-AL]",
        {
            "wire.orders.order.acknowledgement": ("AA", None),
            "wire.orders.order.acknowledgements": (["CA", "AA"], ["CA", "missing"]),
        },
    ),
    (
        "knows-the-original-mode-alone",
        "acknowledgement-modes[AL-AL]",
        {"wire.orders.order.acknowledgements": (["CA", "AA"], ["AA", "missing"])},
    ),
    (
        "reads-the-usual-place-alone",
        "accession-location[ORM^O01-OBR-3]",
        {
            "wire.orders.order.acknowledgement": ("AA", "AE"),
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    ("dies-at-the-end", "echo", {"gateway.process.exit_code": (0, 70)}),
    (
        "acknowledges-before-writing",
        "restart[killed-before-the-study-is-complete]",
        {
            "gateway.studies.study.state": ("forwarded", None),
            "gateway.studies.study.reasons": ([], None),
            "gateway.studies.study.instances": (6, 0),
            "gateway.studies.study.files": (6, 0),
            "downstream.studies.study.instances": (6, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    (
        "stores-duplicates-twice",
        "duplicate-instances[the-same-bytes]",
        {"gateway.studies.study.files": (3, 6)},
    ),
    (
        "says-yes-to-other-content",
        "duplicate-instances[other-content]",
        {"wire.studies.study.answers": ({"0000": 3, "C001": 3}, {"0000": 6})},
    ),
    (
        "purges-what-is-unmatched",
        "retention[unmatched]",
        {
            "gateway.studies.study.purged": (0, 3),
            "gateway.studies.study.files": (3, 0),
        },
    ),
    (
        "fills-the-disk",
        "disk-full[full]",
        {
            "wire.studies.study.answers": ({"A700": 3}, {"0000": 3}),
            "gateway.studies.study.instances": (0, 3),
            "gateway.studies.study.refused": (3, 0),
            "gateway.studies.study.files": (0, 3),
        },
    ),
    (
        "forwards-again-after-a-restart",
        "restart[stopped-after-forwarding]",
        {"downstream.studies.study.repeated": (0, 6)},
    ),
    (
        "corrects-without-keeping",
        "correct[ISO 2022 IR 58]",
        {"downstream.studies.study.original_attributes": (["name"], [])},
    ),
    (
        "forwards-uncorrected",
        "reconcile[unknown-accession]",
        {
            "downstream.studies.study.keys": ("order", "study"),
            "downstream.studies.study.original_attributes": (["accession"], []),
        },
    ),
    ("alters-the-stored-original", "correct[hkid]", {"gateway.studies.study.originals": ("identical", "changed")}),
    ("forgets-to-audit", "reconcile[rejected]", {"gateway.studies.study.acts": (["reject"], [])}),
    ("edits-its-audit-log", "reconcile[to-another-order]", {"gateway.audit": ("intact", "broken")}),
    (
        "sends-all-again",
        "destination-down[aborts-in-the-middle]",
        {
            "gateway.studies.study.destinations.remote1.missing": (0, 5),
            "downstream.studies.study.repeated": (1, 3),
        },
    ),
    (
        "sends-the-whole-study",
        "forward-levels[series-by-hand]",
        {"downstream.remotes.remote2.studies.study.instances": (2, 6)},
    ),
    (
        "counts-failures-as-forwarded",
        "destination-down[out-of-resources-for-ever]",
        {
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.remote1.state": ("failed", "done"),
            "gateway.studies.study.destinations.remote1.attempts": (3, 1),
            "gateway.studies.study.destinations.remote1.problem": ("answered A700", ""),
            "downstream.studies.study.repeated": (10, 0),
        },
    ),
    (
        "alters-a-pixel-when-transcoding",
        "transcoding[JPEGLSLossless]",
        {
            "downstream.remotes.explicit.studies.study.pixel_values": ("identical", "changed"),
            "downstream.remotes.implicit.studies.study.pixel_values": ("identical", "changed"),
        },
    ),
    (
        "serves-destinations-in-turn",
        "destination-down[down-while-the-other-is-up]",
        {
            "gateway.studies.study.destinations.remote2.state": ("done", "waiting"),
            "gateway.studies.study.destinations.remote2.missing": (0, 5),
            "downstream.remotes.remote2.studies.study.instances": (5, 0),
            "downstream.remotes.remote2.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    (
        "forwards-what-is-unmatched-by-hand",
        "forward-levels[unmatched-by-hand]",
        {"when.2.forward": ("refused", "queued"), "downstream.studies.study.instances": (0, 6)},
    ),
]


def test_every_impostor_is_met() -> None:
    assert {name for name, _, _ in CAUGHT} == set(IMPOSTORS)


@pytest.mark.parametrize(("name", "case", "red"), CAUGHT, ids=[name for name, _, _ in CAUGHT])
def test_an_impostor_is_caught(name: str, case: str, red: dict[str, object], tmp_path: Path) -> None:
    # A wrong gateway often leaves the run waiting for what never comes, so be impatient; but a large study
    # must not be cut short by it.
    patience = 8.0 if "1001" in case else 2.0
    command = (*running.IMPOSTOR, name)
    outcome = running.run(*running.named(case), tmp_path / "cases", command=command, patience=patience)
    assert running.failures(outcome) == red
    assert outcome.verdict == "fail"
