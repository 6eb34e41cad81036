"""The judge, on histories written by hand: what it may not see it does not pass."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from simulator.events import (
    AssociationRejected,
    CasePlanned,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentReported,
    CommitmentRequested,
    ConnectionEnded,
    DispatchChanged,
    EchoAnswered,
    Event,
    FaultInjected,
    FaultMissed,
    FileFound,
    ForwardAsked,
    GatewayKilled,
    GatewayStarted,
    GatewayStopped,
    HarnessFailed,
    InstanceReceived,
    OrderAcknowledged,
    OrderFailed,
    OrderUnanswered,
    PixelsPlanned,
    RelayBlind,
    ScriptEnded,
    StoreAnswered,
    StoreFailed,
    StudyChanged,
    WaitEnded,
)
from simulator.scenario.checks import check
from simulator.scenario.findings import VERDICTS, Finding, Verdict, worst
from simulator.scenario.history import History
from simulator.scenario.model import Case

PLANNED = CasePlanned(
    observer="runner",
    seed=1,
    studies={"study": "1.2"},
    instances={"study": 2},
    orders={"order": "M1"},
    messages={"M1-2": "order"},
)
STARTED = GatewayStarted(
    observer="runner", pid=1, ae_title="GW", dicom_port=1, hl7_port=2, http_url="http://127.0.0.1:3"
)


def case(then: dict[str, Any], when: list[dict[str, Any]] | None = None) -> Case:
    given: dict[str, Any] = {"orders": {"order": {}}, "studies": {"study": {}}}
    return Case.model_validate({"given": given, "when": when or [{"store": "study"}], "then": then})


def judged(then: dict[str, Any], *events: Event, when: list[dict[str, Any]] | None = None) -> dict[str, Finding]:
    findings = check(case(then, when), History("story", (PLANNED, *events)))
    return {finding.check: finding for finding in findings}


def answered(status: str, number: int, comment: str = "") -> StoreAnswered:
    return StoreAnswered(
        observer="modality",
        study_instance_uid="1.2",
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        status=status,
        error_comment=comment,
        data_set_digest="d",
        pixel_data_digest=f"p{number}",
    )


def received(number: int, pixels: str | None = None, syntax: str = "1.2.840.10008.1.2.1") -> InstanceReceived:
    return InstanceReceived(
        observer="remote",
        study_instance_uid="1.2",
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1",
        transfer_syntax_uid=syntax,
        calling_ae_title="GW",
        status="0000",
        data_set_digest="d",
        pixel_data_digest=pixels or f"p{number}",
    )


def changed(state: str, *reasons: str) -> StudyChanged:
    return StudyChanged(
        observer="gateway", study_instance_uid="1.2", accession_number="A", state=state, reasons=reasons, instances=2
    )


STATE = {"gateway": {"studies": {"study": {"state": "unmatched", "reasons": ["hkid.mismatch"]}}}}


def test_the_last_state_counts() -> None:
    findings = judged(STATE, STARTED, changed("receiving"), changed("unmatched", "hkid.mismatch"))
    assert {finding.verdict for finding in findings.values()} == {"pass"}
    findings = judged(STATE, STARTED, changed("unmatched", "hkid.mismatch"), changed("matched"))
    assert findings["gateway.studies.study.state"].observed == "matched"
    assert {finding.verdict for finding in findings.values()} == {"fail"}


def test_another_study_is_no_evidence() -> None:
    other = StudyChanged(observer="gateway", study_instance_uid="9", accession_number="", state="unmatched")
    finding = judged(STATE, STARTED, other)["gateway.studies.study.state"]
    assert (finding.verdict, finding.observed) == ("fail", None)


def test_what_nobody_could_see_is_inconclusive_and_never_passed() -> None:
    expected = STATE | {"downstream": {"studies": {"study": {"instances": 0}}}}
    wait: list[dict[str, Any]] = [{"store": "study"}, {"wait": {"study": "study", "state": "unmatched"}}]
    findings = judged(expected, when=wait)
    assert findings["gateway.studies.study.state"].verdict == "inconclusive"
    assert findings["when.1.wait"].verdict == "inconclusive"
    assert findings["downstream.studies.study.instances"].verdict == "pass"


def test_a_wait_in_vain_fails() -> None:
    wait: list[dict[str, Any]] = [{"store": "study"}, {"wait": {"study": "study", "state": "unmatched"}}]
    waited = WaitEnded(observer="runner", waited_for="study study unmatched", met=False, step="1")
    assert judged(STATE, STARTED, waited, when=wait)["when.1.wait"].verdict == "fail"
    met = WaitEnded(observer="runner", waited_for="study study unmatched", met=True, step="1")
    assert judged(STATE, STARTED, met, when=wait)["when.1.wait"].verdict == "pass"
    other = WaitEnded(observer="runner", waited_for="study study matched", met=True, step="1")
    assert judged(STATE, STARTED, other, when=wait)["when.1.wait"].verdict == "fail"


def test_waits_that_are_done_together_are_told_apart() -> None:
    waits = [{"wait": {"study": "study", "state": state}} for state in ("matched", "forwarded")]
    when: list[dict[str, Any]] = [{"store": "study"}, {"together": [waits[0], [{"echo": "gateway"}, waits[1]]]}]
    events = [
        WaitEnded(observer="runner", waited_for="study study forwarded", met=False, step="1.together.1.1"),
        WaitEnded(observer="runner", waited_for="study study matched", met=True, step="1.together.0"),
    ]
    findings = judged(STATE, STARTED, *events, when=when)
    assert findings["when.1.together.0.wait"].verdict == "pass"
    assert findings["when.1.together.1.1.wait"].verdict == "fail"


def test_a_fault_that_was_never_injected_leaves_the_case_inconclusive() -> None:
    fault = {"on": "modality->gateway", "at": "C-STORE-RQ#2", "do": "abort"}
    content = {
        "given": {"studies": {"study": {}}, "orders": {"order": {}}},
        "when": [{"store": "study"}],
        "then": STATE,
    }
    story = Case.model_validate({**content, "fault": fault})
    said = {"observer": "modality->gateway", "fault_at": "C-STORE-RQ#2", "do": "abort"}
    done = FaultInjected(**said, done="A-ABORT to both", connection=1, direction="requestor->acceptor", offset=200)
    missed = FaultMissed(**said, seen=1)
    blind = RelayBlind(observer="modality->gateway", connection=1, direction="requestor->acceptor", why="it is TLS")

    def found(*events: Event) -> Finding:
        return next(f for f in check(story, History("story", (PLANNED, *events))) if f.check == "fault")

    assert found(done).verdict == "pass"
    assert found(missed).verdict == "inconclusive"
    assert "it is TLS" in found(blind, missed).because
    elsewhere = dataclasses.replace(done, observer="gateway->remote1")
    assert found(elsewhere).verdict == "inconclusive"


def test_a_peer_answers_for_its_script() -> None:
    content = {
        "given": {"peers": {"odd": {"script": [{"close": "fin"}]}}},
        "when": [{"play": "odd"}],
        "then": {"wire": {"peers": {"odd": {"script": "complete", "ended": "fin"}}}},
    }
    story = Case.model_validate(content)
    played = ScriptEnded(observer="odd", done=1, steps=1)
    ended = ConnectionEnded(observer="odd", how="fin", by="script")

    def verdicts(*events: Event) -> list[tuple[str, object]]:
        return [(f.verdict, f.observed) for f in check(story, History("story", (PLANNED, *events)))]

    assert verdicts(played, ended) == [("pass", "complete"), ("pass", "fin")]
    astray = dataclasses.replace(played, done=0, problem="step 1: expected A-ABORT, got nothing")
    reset = dataclasses.replace(ended, how="rst", by="peer")
    assert verdicts(astray, reset) == [("fail", "step 1: expected A-ABORT, got nothing"), ("fail", "rst")]
    assert verdicts() == [("fail", None), ("fail", None)]
    assert verdicts(dataclasses.replace(played, observer="another")) == [("fail", None), ("fail", None)]


def test_statuses_are_counted_and_comments_told() -> None:
    expected = {"wire": {"studies": {"study": {"answers": {"0000": 1, "A700": 1}}}}}
    finding = judged(expected, answered("0000", 1), answered("A700", 2, "full"))["wire.studies.study.answers"]
    assert finding.verdict == "pass"
    finding = judged(expected, answered("0000", 1), answered("0000", 2))["wire.studies.study.answers"]
    assert (finding.verdict, finding.observed) == ("fail", {"0000": 2})


def test_instances_without_an_answer_are_told() -> None:
    lost = StoreFailed(
        observer="modality", study_instance_uid="1.2", sop_instance_uid="1.2.2", sop_class_uid="1", problem="aborted"
    )
    expected = {"wire": {"studies": {"study": {"answers": {"0000": 2}}}}}
    finding = judged(expected, answered("0000", 1), lost)["wire.studies.study.answers"]
    assert finding.verdict == "fail"
    assert finding.because.endswith("1 instances got no answer: aborted")


def test_a_rejection_is_told_with_its_reason() -> None:
    rejected = AssociationRejected(
        observer="modality",
        calling_ae_title="M",
        called_ae_title="X",
        peer="127.0.0.1:1",
        result=1,
        source=1,
        reason=7,
        meaning="called AE title not recognised",
    )
    finding = judged({"wire": {"echo": {"status": "0000"}}}, rejected, when=[{"echo": "gateway"}])["wire.echo.status"]
    assert (finding.verdict, finding.observed) == ("fail", None)
    assert "called AE title not recognised" in finding.because


def test_an_echo_is_judged_by_its_status() -> None:
    expected = {"wire": {"echo": {"status": "0000"}}}
    for status, verdict in (("0000", "pass"), ("0122", "fail")):
        answer = EchoAnswered(observer="modality", status=status)
        assert judged(expected, answer, when=[{"echo": "gateway"}])["wire.echo.status"].verdict == verdict


def test_an_order_without_an_acknowledgement_fails_with_the_reason() -> None:
    failed = OrderFailed(observer="order-placer", accession_number="A", message_control_id="M1", problem="closed")
    expected = {"wire": {"orders": {"order": {"acknowledgement": "AA"}}}}
    finding = judged(expected, failed)["wire.orders.order.acknowledgement"]
    assert (finding.verdict, finding.observed) == ("fail", None)
    assert finding.because.endswith("closed")


def acknowledged(code: str, control_id: str = "M1") -> OrderAcknowledged:
    return OrderAcknowledged(
        observer="order-placer", accession_number="A", message_control_id=control_id, code=code, text=""
    )


FAILED = OrderFailed(observer="order-placer", accession_number="A", message_control_id="M1-2", problem="silence")
UNANSWERED = OrderUnanswered(observer="order-placer", accession_number="A", message_control_id="M1")


@pytest.mark.parametrize(
    ("expected", "told", "verdict", "observed"),
    [
        (["AA"], [acknowledged("AA")], "pass", ["AA"]),
        (["CA", "AA"], [acknowledged("CA"), acknowledged("AA")], "pass", ["CA", "AA"]),
        (["CA", "AA"], [acknowledged("AA"), acknowledged("CA")], "fail", ["AA", "CA"]),
        (["AA", "AE"], [acknowledged("AA"), acknowledged("AE", "M1-2")], "pass", ["AA", "AE"]),
        (["AA", "CA"], [acknowledged("AA"), acknowledged("CA", "M1-2"), FAILED], "fail", ["AA", "CA", "missing"]),
        (["AA"], [acknowledged("AA"), acknowledged("AR", "of another order")], "pass", ["AA"]),
        ([], [UNANSWERED], "pass", []),
        ([], [], "fail", None),  # it was never sent
        ([], [FAILED], "fail", ["missing"]),
        (["AA"], [UNANSWERED], "fail", []),
    ],
)
def test_every_acknowledgement_about_an_order_counts(
    expected: list[str], told: list[Event], verdict: str, observed: list[str] | None
) -> None:
    findings = judged({"wire": {"orders": {"order": {"acknowledgements": expected}}}}, *told)
    finding = findings["wire.orders.order.acknowledgements"]
    assert (finding.verdict, finding.observed) == (verdict, observed)


def test_a_commit_acknowledgement_is_not_what_became_of_the_order() -> None:
    expected = {"wire": {"orders": {"order": {"acknowledgement": "AA"}}}}
    where = "wire.orders.order.acknowledgement"
    assert judged(expected, acknowledged("CA"))[where].observed is None
    assert judged(expected, acknowledged("AA"), acknowledged("CA"))[where].verdict == "pass"
    assert judged(expected, acknowledged("AA"), acknowledged("AE", "M1-2"))[where].verdict == "pass"


@pytest.mark.parametrize(
    ("arrived", "observed"),
    [
        ([received(1), received(2)], "identical"),
        ([received(1), received(2, "other")], "changed"),
        ([received(1), received(3)], "changed"),  # an instance that was never sent
        ([], "nothing arrived"),
    ],
)
def test_pixel_data_is_compared_with_what_was_sent(arrived: list[InstanceReceived], observed: str) -> None:
    expected = {"downstream": {"studies": {"study": {"pixel_data": "identical"}}}}
    events = (answered("0000", 1), answered("0000", 2), *arrived)
    finding = judged(expected, *events)["downstream.studies.study.pixel_data"]
    assert finding.observed == observed
    assert finding.verdict == ("pass" if observed == "identical" else "fail")


def test_the_same_instance_twice_counts_once() -> None:
    expected = {"downstream": {"studies": {"study": {"instances": 1}}}}
    assert judged(expected, received(1), received(1))["downstream.studies.study.instances"].verdict == "pass"


def test_a_changed_transfer_syntax_is_seen() -> None:
    expected = {"downstream": {"studies": {"study": {"transfer_syntax": "identical"}}}}
    arrived = received(1, syntax="1.2.840.10008.1.2")
    finding = judged(expected, answered("0000", 1), arrived)["downstream.studies.study.transfer_syntax"]
    assert (finding.verdict, finding.observed) == ("fail", "changed")


def test_a_gateway_that_died_fails_whatever_else_was_seen() -> None:
    events = (STARTED, changed("unmatched", "hkid.mismatch"), GatewayStopped(observer="runner", exit_code=-11))
    findings = judged(STATE, *events)
    assert findings["gateway.process.exit_code"].verdict == "fail"
    assert findings["gateway.studies.study.state"].verdict == "pass"


def test_each_end_of_a_gateway_must_be_clean_but_for_a_kill_of_the_storys() -> None:
    ends = (GatewayStopped(observer="runner", exit_code=0), GatewayKilled(observer="runner"))
    for codes, verdict in (((0,), "pass"), ((3, 0), "fail"), ((0, -11), "fail")):
        stopped = [GatewayStopped(observer="runner", exit_code=code) for code in codes]
        finding = judged(STATE, STARTED, *ends, STARTED, *stopped)["gateway.process.exit_code"]
        assert finding.verdict == verdict
    assert "gateway.process.exit_code" not in judged(STATE, STARTED, GatewayKilled(observer="runner"))


def test_what_arrives_again_is_counted() -> None:
    expected = {"downstream": {"studies": {"study": {"repeated": 0}}}}
    check_id = "downstream.studies.study.repeated"
    assert judged(expected, received(1), received(2))[check_id].verdict == "pass"
    again = judged(expected, received(1), received(2), received(1))[check_id]
    assert (again.verdict, again.observed) == ("fail", 1)


def test_each_remote_scp_is_judged_apart() -> None:
    there = [dataclasses.replace(received(1), observer="one"), dataclasses.replace(received(2), observer="two")]
    then = {
        "downstream": {
            "studies": {"study": {"instances": 2}},
            "remotes": {
                "one": {"studies": {"study": {"instances": 2}}},
                "two": {"studies": {"study": {"instances": 1}}},
            },
        }
    }
    found = judged(then, STARTED, *there)
    assert found["downstream.studies.study.instances"].verdict == "pass"
    assert found["downstream.remotes.one.studies.study.instances"].observed == 1
    assert found["downstream.remotes.one.studies.study.instances"].verdict == "fail"
    assert found["downstream.remotes.two.studies.study.instances"].verdict == "pass"


def test_keys_that_arrived_are_judged_at_each_remote_scp() -> None:
    then = {"downstream": {"remotes": {"one": {"studies": {"study": {"keys": "study"}}}}}}
    arrived = dataclasses.replace(received(1), observer="one")
    found = judged(then, answered("0000", 1), arrived)["downstream.remotes.one.studies.study.keys"]
    assert (found.observed, found.verdict) == ("study", "pass")


def test_what_was_refused_or_not_answered_is_not_stored() -> None:
    answers = ["A700", "", "B000", "0000", "C000"]
    arrived = [dataclasses.replace(received(n), status=status) for n, status in enumerate(answers)]
    then = {"downstream": {"studies": {"study": {"stored": 2, "instances": 5}}}}
    assert {f.verdict for f in judged(then, *arrived).values()} == {"pass"}


PLANNED_PIXELS = PixelsPlanned(observer="runner", study_instance_uid="1.2", digests={"1.2.1": "plain"})


@pytest.mark.parametrize(
    ("arrived", "observed"),
    [
        ([received(1, "plain", "1.2.840.10008.1.2")], "identical"),  # not compressed any more
        ([received(1)], "identical"),  # as it was sent
        ([received(1, syntax="1.2.840.10008.1.2")], "changed"),  # the bytes that were sent, in another syntax
        ([received(1, "other")], "changed"),
        ([received(2, "plain")], "changed"),  # the pixels of another instance
        ([], "nothing arrived"),
    ],
)
def test_samples_are_compared_with_what_was_planned(arrived: list[InstanceReceived], observed: str) -> None:
    then = {"downstream": {"studies": {"study": {"pixel_values": "identical"}}}}
    found = judged(then, PLANNED_PIXELS, answered("0000", 1), *arrived)["downstream.studies.study.pixel_values"]
    assert (found.observed, found.verdict) == (observed, "pass" if observed == "identical" else "fail")


@pytest.mark.parametrize(
    ("syntaxes", "observed"),
    [
        (["1.2.840.10008.1.2"], "ImplicitVRLittleEndian"),
        (["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"], ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian"]),
        ([], None),
    ],
)
def test_a_transfer_syntax_is_expected_by_name(syntaxes: list[str], observed: object) -> None:
    then = {"downstream": {"studies": {"study": {"transfer_syntax": "ImplicitVRLittleEndian"}}}}
    arrived = [received(number, syntax=syntax) for number, syntax in enumerate(syntaxes)]
    found = judged(then, *arrived)["downstream.studies.study.transfer_syntax"]
    assert (found.observed, found.verdict) == (observed, "pass" if len(syntaxes) == 1 else "fail")


def dispatched(destination: str, state: str, problem: str = "", attempts: int = 1) -> DispatchChanged:
    return DispatchChanged(
        observer="gateway",
        study_instance_uid="1.2",
        series_instance_uid="",
        sop_instance_uid="",
        destination=destination,
        state=state,
        attempts=attempts,
        missing=0 if state == "done" else 2,
        problem=problem,
    )


def test_the_last_word_about_a_destination_counts() -> None:
    there = {"pacs": {"state": "failed", "attempts": 2, "missing": 2, "problem": "A700"}, "other": {"state": "done"}}
    told = [
        dispatched("PACS", "waiting", "it answered A900"),
        dispatched("OTHER", "done"),
        dispatched("PACS", "failed", "it answered A700 and nothing else", 2),
    ]
    then = {"gateway": {"studies": {"study": {"destinations": there}}}}
    assert {f.verdict for f in judged(then, STARTED, *told).values()} == {"pass"}
    where = "gateway.studies.study.destinations"
    other = judged(then, STARTED, *told[:2])
    assert other[f"{where}.pacs.problem"].observed == "it answered A900"
    red = {check for check, finding in other.items() if finding.verdict == "fail"}
    assert red == {f"{where}.pacs.state", f"{where}.pacs.attempts", f"{where}.pacs.problem"}
    assert judged(then, STARTED)[f"{where}.other.state"].verdict == "fail"
    assert judged(then)[f"{where}.other.state"].verdict == "inconclusive"


@pytest.mark.parametrize(
    ("words", "problem", "verdict"),
    [("", "", "pass"), ("", "something", "fail"), ("some", "something", "pass"), ("some", "", "fail")],
)
def test_no_problem_is_expected_by_an_empty_text(words: str, problem: str, verdict: str) -> None:
    then = {"gateway": {"studies": {"study": {"destinations": {"pacs": {"problem": words}}}}}}
    found = judged(then, STARTED, dispatched("PACS", "waiting", problem))
    assert found["gateway.studies.study.destinations.pacs.problem"].verdict == verdict


@pytest.mark.parametrize(
    ("code", "wanted", "verdict"),
    [(202, "queued", "pass"), (409, "queued", "fail"), (409, "refused", "pass"), (202, "refused", "fail")],
)
def test_forwarding_by_hand_is_answered_as_expected(code: int, wanted: str, verdict: str) -> None:
    when: list[dict[str, Any]] = [
        {"store": "study"},
        {"forward": {"study": "study", "to": "remote1", "answer": wanted}},
    ]
    asked = ForwardAsked(
        observer="runner",
        study_instance_uid="1.2",
        series_instance_uid="",
        sop_instance_uid="",
        destination="REMOTE1",
        status_code=code,
        text="it is unmatched",
        step="1",
    )
    then = {"gateway": {"studies": {"study": {"state": "matched"}}}}
    found = judged(then, STARTED, asked, when=when)["when.1.forward"]
    assert found.verdict == verdict
    assert "it is unmatched" in found.because
    assert judged(then, STARTED, when=when)["when.1.forward"].verdict == "fail"


def test_a_failure_of_the_harness_is_an_error_and_charged_to_nobody() -> None:
    failed = HarnessFailed(observer="runner", problem="no room on the disk")
    findings = judged(STATE, STARTED, changed("matched"), failed)
    assert [(f.check, f.verdict) for f in findings.values()] == [("harness", "error")]


def test_no_checks_and_no_plan_are_errors() -> None:
    assert [f.verdict for f in check(case({}), History("story", (PLANNED,)))] == ["error"]
    assert [f.verdict for f in check(case(STATE), History("story", ()))] == ["error"]


def test_the_worst_verdict_wins_and_none_is_an_error() -> None:
    assert worst([]) == "error"
    expected: list[Verdict] = ["error", "fail", "inconclusive", "waived", "not-applicable", "pass"]
    assert list(VERDICTS) == expected
    for better, verdict in enumerate(expected):
        assert worst(list(reversed(expected[better:]))) == verdict


# --- storage commitment ------------------------------------------------------------------------------

ASKED = CommitmentRequested(
    observer="modality", study_instance_uid="1.2", transaction_uid="9.1", sop_instance_uids=("1.2.1", "1.2.2")
)
COMMITMENT: dict[str, Any] = {
    "answers": {"0000": 1},
    "reports": 1,
    "event_type": 2,
    "committed": 1,
    "failed": 1,
    "failure_reasons": {"0112": 1},
    "references": "complete",
    "via": "new",
}


def commitments(*events: Event, expected: dict[str, Any] | None = None) -> dict[str, Finding]:
    then = {"wire": {"commitments": {"study": expected or COMMITMENT}}}
    found = judged(then, *events, when=[{"store": "study"}, {"commit": {"study": "study"}}])
    return {name.removeprefix("wire.commitments.study."): finding for name, finding in found.items()}


def received_0000(status: str = "0000", comment: str = "") -> CommitmentAnswered:
    return CommitmentAnswered(
        observer="modality", study_instance_uid="1.2", transaction_uid="9.1", status=status, error_comment=comment
    )


def reported(
    committed: tuple[str, ...] = ("1.2.1",), failed: tuple[str, ...] = ("1.2.2",), **changes: Any
) -> CommitmentReported:
    fields: dict[str, Any] = {
        "observer": "modality",
        "transaction_uid": "9.1",
        "event_type": 2 if failed else 1,
        "committed": committed,
        "failed": failed,
        "reasons": ("0112",) * len(failed),
        "via": "new",
        "status": "0000",
    }
    return CommitmentReported(**fields | changes)


def red(findings: dict[str, Finding]) -> dict[str, Any]:
    return {name: finding.observed for name, finding in findings.items() if finding.verdict != "pass"}


def test_a_commitment_that_was_reported_as_expected_passes() -> None:
    assert red(commitments(ASKED, received_0000(), reported())) == {}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (reported(("1.2.1", "1.2.2"), ("1.2.2",)), {"committed": 2, "references": "1 missing, twice or not asked for"}),
        (reported(("1.2.1",), ("1.2.1",)), {"references": "2 missing, twice or not asked for"}),
        (reported(("1.2.1",), ("1.2.7",)), {"references": "2 missing, twice or not asked for"}),
        (reported(via="same"), {"via": "same"}),
        (reported(event_type=1), {"event_type": 1}),
        (reported(reasons=("0110",)), {"failure_reasons": {"0110": 1}}),
    ],
)
def test_a_report_that_is_otherwise_turns_its_checks_red(report: CommitmentReported, expected: dict[str, Any]) -> None:
    assert red(commitments(ASKED, received_0000(), report)) == expected


@pytest.mark.parametrize(
    ("events", "because"),
    [
        ((), "no commitment report about the study came"),
        ((reported(status="0211"),), "no commitment report about the study came"),
        ((reported(transaction_uid="6.6"),), "what came has a Transaction UID that nobody asked under: 6.6"),
    ],
)
def test_what_is_no_report_of_this_request_is_none(events: tuple[Event, ...], because: str) -> None:
    findings = commitments(ASKED, received_0000(), *events)
    assert set(red(findings)) == set(COMMITMENT) - {"answers"}
    assert because in findings["reports"].because


def test_of_several_reports_the_last_is_judged_and_all_are_counted() -> None:
    findings = commitments(ASKED, received_0000(), reported(), reported(via="same"))
    assert red(findings) == {"reports": 2, "via": "same"}


def test_an_answer_that_did_not_come_says_why() -> None:
    lost = CommitmentFailed(observer="modality", study_instance_uid="1.2", transaction_uid="9.1", problem="no contact")
    (finding,) = commitments(ASKED, lost, expected={"answers": {"0000": 1}}).values()
    assert (finding.verdict, finding.observed) == ("fail", {})
    assert "no contact" in finding.because
    refused = commitments(ASKED, received_0000("0115", "no UID"), expected={"answers": {"0000": 1}})
    assert "no UID" in refused["answers"].because


@pytest.mark.parametrize(("digest", "held"), [("d", 1), ("other", 0)])
def test_what_was_committed_must_lie_there_as_it_was_sent(digest: str, held: int) -> None:
    found = FileFound(observer="runner", study_instance_uid="1.2", sop_instance_uid="1.2.1", data_set_digest=digest)
    then = {"gateway": {"studies": {"study": {"held": 1}}}}
    finding = judged(then, STARTED, answered("0000", 1), ASKED, reported(), found)["gateway.studies.study.held"]
    assert finding.observed == held
    assert finding.verdict == ("pass" if held else "fail")
