"""Runs to report on: a small scenario, and histories made by hand that the judge has judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator import events
from simulator.events import CasePlanned, Event, GatewayStarted, GatewayStopped, StudyChanged
from simulator.report.model import CheckResult, Result, result
from simulator.scenario.checks import check
from simulator.scenario.findings import Verdict
from simulator.scenario.history import History
from simulator.scenario.model import Case, Scenario
from simulator.scenario.plan import case_id
from simulator.scenario.run import CaseOutcome, ScenarioOutcome

STUDY = "1.2.826.0.1.3680043.10.1.1001"
CLASS = "1.2.840.10008.5.1.4.1.1.2"
SYNTAX = "1.2.840.10008.1.2.1"
STARTED = "2026-11-23T01:15:00.000000Z"
SEED = 20261123
CONTROL_ID = "MPLACER1"
ACCESSION = "XXXXR0700000101H"

MATCHED: dict[str, Any] = {
    "given": {"orders": {"order": {}}, "studies": {"study": {}}},
    "when": ({"send_order": "order"}, {"store": "study"}),
    "then": {
        "wire": {"orders": {"order": {"acknowledgement": "AA"}}, "studies": {"study": {"answers": {"0000": 2}}}},
        "gateway": {"studies": {"study": {"state": "forwarded", "reasons": (), "instances": 2}}},
        "downstream": {"studies": {"study": {"instances": 2, "pixel_data": "identical"}}},
    },
}
ECHO: dict[str, Any] = {"when": ({"echo": "gateway"},), "then": {"wire": {"echo": {"status": "0000"}}}}


def scenario(
    name: str, cases: Sequence[Case], title: str = "A study that agrees with its order is forwarded"
) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        explain="Correct the value where it was entered: at the modality's registration screen, or in the RIS.",
        level="must",
        tags=("identity",),
        applies_to=(),
        verifies=("SCP-1", "SCP-2"),
        cases=tuple(cases),
        file=f"{name}.yaml",
    )


def case(content: dict[str, Any], name: str = "") -> Case:
    return Case.model_validate({"name": name, **content})


def timed(seen: Sequence[Event], step: float = 0.01) -> tuple[Event, ...]:
    """Return the events, one `step` of seconds after the other."""
    start = datetime(2026, 11, 23, 1, 15, tzinfo=UTC)
    moments = (
        (start + timedelta(seconds=number * step)).isoformat(timespec="microseconds") for number in range(len(seen))
    )
    return tuple(dataclasses.replace(event, at=at) for event, at in zip(seen, moments, strict=True))


def history(identity: str, *seen: Event) -> History:
    return History(identity, timed(seen))


def planned(instances: int = 2) -> CasePlanned:
    return CasePlanned(
        observer="runner",
        seed=SEED,
        studies={"study": STUDY},
        instances={"study": instances},
        orders={"order": CONTROL_ID},
    )


def gateway_started() -> GatewayStarted:
    return GatewayStarted(
        observer="runner",
        pid=4711,
        ae_title="HAGATEWAY",
        dicom_port=11112,
        hl7_port=2575,
        http_url="http://127.0.0.1:8080",
    )


def gateway_stopped(exit_code: int = 0) -> GatewayStopped:
    return GatewayStopped(observer="runner", exit_code=exit_code)


def association() -> events.AssociationAccepted:
    return events.AssociationAccepted(
        observer="modality",
        calling_ae_title="MODALITY1",
        called_ae_title="HAGATEWAY",
        peer="127.0.0.1:11112",
        proposed=1,
        accepted=1,
    )


def rejection() -> events.AssociationRejected:
    return events.AssociationRejected(
        observer="modality",
        calling_ae_title="MODALITY1",
        called_ae_title="HAGATEWAY",
        peer="127.0.0.1:11112",
        result=1,
        source=1,
        reason=7,
        meaning="called AE title not recognised (result 1, source 1, reason 7)",
    )


def acknowledged(code: str = "AA", text: str = "") -> events.OrderAcknowledged:
    return events.OrderAcknowledged(
        observer="order-placer", accession_number=ACCESSION, message_control_id=CONTROL_ID, code=code, text=text
    )


def answered(number: int, status: str = "0000", comment: str = "", study: str = STUDY) -> events.StoreAnswered:
    return events.StoreAnswered(
        observer="modality",
        study_instance_uid=study,
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid=CLASS,
        transfer_syntax_uid=SYNTAX,
        status=status,
        error_comment=comment,
        data_set_digest=f"d{number}",
        pixel_data_digest=f"p{number}",
    )


def unanswered(number: int, problem: str) -> events.StoreFailed:
    return events.StoreFailed(
        observer="modality",
        study_instance_uid=STUDY,
        sop_instance_uid=f"{STUDY}.{number}",
        sop_class_uid=CLASS,
        problem=problem,
    )


def stored(number: int) -> events.InstanceStored:
    return events.InstanceStored(
        observer="gateway",
        study_instance_uid=STUDY,
        series_instance_uid=f"{STUDY}.0",
        sop_instance_uid=f"{STUDY}.{number}",
        sop_class_uid=CLASS,
        transfer_syntax_uid=SYNTAX,
        data_set_digest=f"d{number}",
        calling_ae_title="MODALITY1",
    )


def refused(
    number: int, status: str = "A700", comment: str = "more than 1000 images in this study"
) -> events.InstanceRefused:
    return events.InstanceRefused(
        observer="gateway",
        study_instance_uid=STUDY,
        sop_instance_uid=f"{STUDY}.{number}",
        sop_class_uid=CLASS,
        calling_ae_title="MODALITY1",
        status=status,
        error_comment=comment,
        kept_as="refused/1.dcm",
    )


def changed(state: str, *reasons: str, warnings: tuple[str, ...] = ()) -> StudyChanged:
    return StudyChanged(
        observer="gateway",
        study_instance_uid=STUDY,
        accession_number=ACCESSION,
        state=state,
        reasons=reasons,
        warnings=warnings,
    )


def forwarded(number: int, destination: str = "REMOTE1") -> events.InstanceForwarded:
    return events.InstanceForwarded(
        observer="gateway",
        study_instance_uid=STUDY,
        sop_instance_uid=f"{STUDY}.{number}",
        destination=destination,
        status="0000",
    )


def received(number: int) -> events.InstanceReceived:
    return events.InstanceReceived(
        observer="remote",
        study_instance_uid=STUDY,
        sop_instance_uid=f"{STUDY}.{number}",
        sop_class_uid=CLASS,
        transfer_syntax_uid=SYNTAX,
        calling_ae_title="HAGATEWAY",
        status="0000",
        data_set_digest=f"d{number}",
        pixel_data_digest=f"p{number}",
    )


def good() -> tuple[Event, ...]:
    """A study of two instances that goes all the way."""
    two = (1, 2)
    return (
        planned(),
        gateway_started(),
        acknowledged(),
        association(),
        *(answered(n) for n in two),
        changed("receiving"),
        *(stored(n) for n in two),
        changed("matched"),
        changed("forwarding"),
        *(received(n) for n in two),
        *(forwarded(n) for n in two),
        changed("forwarded"),
        gateway_stopped(),
    )


def bad(comment: str = "out of resources") -> tuple[Event, ...]:
    """The same study, but one instance is refused and the other does not match."""
    return (
        planned(),
        gateway_started(),
        acknowledged(),
        association(),
        answered(1),
        answered(2, "A700", comment),
        changed("receiving"),
        stored(1),
        refused(2, "A700", comment),
        changed("unmatched", "hkid.mismatch", "birth-date.mismatch"),
        gateway_stopped(),
    )


def unseen() -> tuple[Event, ...]:
    """The same study at a real gateway, which tells nobody what it does."""
    return planned(), acknowledged(), association(), answered(1), answered(2), received(1), received(2)


def broken() -> tuple[Event, ...]:
    return planned(), events.HarnessFailed(observer="runner", problem="the gateway ended with code 1\nAddress in use")


def outcome(told: Scenario, number: int, *seen: Event, seconds: float = 1.25) -> CaseOutcome:
    one = told.cases[number]
    what = history(case_id(told, one), *seen)
    return CaseOutcome(what.case, one, what, check(one, what), seconds)


def mixed() -> Result:
    """A run in which one case passed, one failed, one is inconclusive, and the harness failed in one."""
    names = ("passes", "fails", "unseen", "breaks")
    told = scenario("matched", [case(MATCHED, name) for name in names])
    cases = [outcome(told, n, *seen) for n, seen in enumerate((good(), bad(), unseen(), broken()))]
    return run("mixed", ScenarioOutcome(told, tuple(cases)))


def passed() -> Result:
    told = scenario("matched", [case(MATCHED)])
    return run("matched", ScenarioOutcome(told, (outcome(told, 0, *good()),)))


def failed(comment: str = "out of resources") -> Result:
    told = scenario("matched", [case(MATCHED)])
    return run("matched", ScenarioOutcome(told, (outcome(told, 0, *bad(comment)),)))


def run(name: str, *outcomes: ScenarioOutcome) -> Result:
    return result(name, STARTED, 4.2, SEED, "default", outcomes)


def with_verdicts(base: Result, *verdicts: Verdict) -> Result:
    """Return `base` with one case that has a check of each verdict."""
    checks = tuple(
        CheckResult(check=f"a.{v}", verdict=v, expected="x", observed=None, because=f"so {v}") for v in verdicts
    )
    one = base.scenarios[0].cases[0].model_copy(update={"checks": checks})
    told = base.scenarios[0].model_copy(update={"cases": (one,)})
    counts = {verdict: verdicts.count(verdict) for verdict in verdicts}
    return base.model_copy(update={"scenarios": (told,), "counts": counts})
