from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints

import pytest

from simulator import events
from simulator.events import (
    CasePlanned,
    CommitmentAnswered,
    CommitmentDecided,
    CommitmentDelivered,
    CommitmentFailed,
    CommitmentReceived,
    CommitmentReported,
    CommitmentRequested,
    CommitmentUndelivered,
    Event,
    WaitEnded,
)
from simulator.report import story
from simulator.scenario.history import History
from tests.report import made


def lines(*seen: Event) -> list[str]:
    return [sentence for _, _, sentence in story.tell(made.history("case", *seen))]


def test_the_whole_story_in_its_order() -> None:
    assert story.tell(made.history("matched", *made.good())) == [
        (0.0, "runner", f"planned from seed {made.SEED}; the order is message {made.CONTROL_ID}; "
                        f"the study is {made.STUDY} (2 instances)"),
        (0.01, "runner", "gateway HAGATEWAY started: its DICOM and HL7 ports listen"),
        (0.02, "order-placer", f"the order (accession number {made.ACCESSION}) sent and acknowledged AA"),
        (0.03, "modality", "association accepted: MODALITY1 calling HAGATEWAY at 127.0.0.1:11112; "
                           "its presentation context accepted"),
        (0.04, "modality", "2 instances of the study answered 0000"),
        (0.06, "gateway", "the study is receiving"),
        (0.07, "gateway", "2 instances of the study stored"),
        (0.09, "gateway", "the study is matched"),
        (0.1, "gateway", "the study is forwarding"),
        (0.11, "remote", "2 instances of the study arrived from HAGATEWAY, answered 0000"),
        (0.13, "gateway", "2 instances of the study forwarded to REMOTE1, answered 0000"),
        (0.15, "gateway", "the study is forwarded"),
        (0.16, "runner", "gateway stopped"),
    ]  # fmt: skip


def test_1001_instances_are_one_line_however_the_observers_alternate() -> None:
    seen: list[Event] = [made.planned(1001)]
    for number in range(1, 1001):
        seen += [made.answered(number), made.stored(number), made.received(number)]
        if number == 1:
            seen.append(made.changed("receiving"))
    seen += [made.answered(1001, "A700", "more than 1000 images in this study"), made.refused(1001)]
    assert lines(*seen)[1:] == [
        "1000 instances of the study answered 0000; "
        "1 answered A700 (Error Comment: more than 1000 images in this study); in 30.0 s",
        "1000 instances of the study stored; "
        "1 refused with A700 (Error Comment: more than 1000 images in this study) and kept aside; in 30.0 s",
        "1000 instances of the study arrived from HAGATEWAY, answered 0000; in 30.0 s",
        "the study is receiving",
    ]


def test_a_study_that_is_sent_again_has_a_line_for_each_time() -> None:
    told = lines(made.planned(), made.association(), made.answered(1), made.association(), made.answered(1))
    assert [line for line in told if "answered" in line] == ["1 instance of the study answered 0000"] * 2


def test_another_state_ends_the_line_of_the_instances_that_came_before_it() -> None:
    told = lines(made.planned(), made.stored(1), made.changed("unmatched", "order.not-found"), made.stored(2))
    assert told[1:] == [
        "1 instance of the study stored",
        "the study is unmatched: order.not-found",
        "1 instance of the study stored",
    ]


def test_two_destinations_are_two_lines() -> None:
    told = lines(*(made.forwarded(number, name) for number in (1, 2) for name in ("REMOTE1", "REMOTE2")))
    assert [line.split(" forwarded ")[1] for line in told] == ["to REMOTE1, answered 0000", "to REMOTE2, answered 0000"]


def test_two_studies_that_alternate_are_two_lines() -> None:
    told = lines(*(made.answered(number, study=study) for number in (1, 2) for study in ("1.2.1", "1.2.2")))
    assert told == ["2 instances of study 1.2.1 answered 0000", "2 instances of study 1.2.2 answered 0000"]


def test_no_answer_is_told_with_its_reasons_each_once() -> None:
    failures = [made.unanswered(number, f"problem {number % 5}") for number in range(2, 20)]
    assert lines(made.planned(), made.answered(1), *failures)[1] == (
        "1 instance of the study answered 0000; 18 got no answer: problem 2; problem 3; problem 4; and 2 more"
    )
    assert lines(made.planned(), *failures)[1].startswith("18 instances of the study got no answer: ")


def test_what_arrives_more_than_once_is_said() -> None:
    told = lines(made.planned(), made.received(1), made.received(2), made.received(1))
    assert told[1] == "3 instances of the study arrived from HAGATEWAY, answered 0000 (1 of them more than once)"


def test_a_rejection_is_told_in_words_and_numbers() -> None:
    assert lines(made.rejection()) == [
        "association rejected: MODALITY1 calling HAGATEWAY at 127.0.0.1:11112; called AE title not recognised; "
        "result 1 (permanent), source 1 (service-user), reason 7"
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "gateway stopped"),
        (3, "gateway ended with code 3; its log says why"),
        (-9, "gateway was ended by signal 9 (SIGKILL)"),
        (-200, "gateway was ended by signal 200"),
    ],
)
def test_how_the_gateway_ended(code: int, words: str) -> None:
    assert lines(made.gateway_stopped(code)) == [words]


def test_waits_are_met_or_in_vain() -> None:
    waits = [WaitEnded(observer="runner", waited_for="study late matched", met=met) for met in (True, False)]
    assert lines(*waits) == [
        "waited for study late matched: seen",
        "waited for study late matched: in vain, the deadline passed",
    ]


def test_a_commitment_is_told_from_the_request_to_the_report() -> None:
    told = lines(
        made.planned(),
        CommitmentRequested(
            observer="modality", study_instance_uid=made.STUDY, transaction_uid="9.1", sop_instance_uids=("1", "2")
        ),
        CommitmentReceived(
            observer="gateway",
            transaction_uid="9.1",
            calling_ae_title="CT1",
            instances=2,
            status="0000",
            error_comment="",
        ),
        CommitmentAnswered(
            observer="modality",
            study_instance_uid=made.STUDY,
            transaction_uid="9.1",
            status="0115",
            error_comment="no UID",
        ),
        CommitmentFailed(
            observer="modality", study_instance_uid=made.STUDY, transaction_uid="9.1", problem="no association"
        ),
        CommitmentDecided(observer="gateway", transaction_uid="9.1", committed=1, failed=1),
        CommitmentUndelivered(
            observer="gateway",
            transaction_uid="9.1",
            calling_ae_title="CT1",
            attempt=1,
            problem="nothing listens",
            abandoned=False,
        ),
        CommitmentDelivered(observer="gateway", transaction_uid="9.1", calling_ae_title="CT1", via="new"),
        CommitmentReported(
            observer="modality",
            transaction_uid="9.1",
            event_type=2,
            committed=("1",),
            failed=("2",),
            reasons=("0112",),
            via="same",
            status="0000",
        ),
    )
    assert told[1:] == [
        "commitment asked for 2 instances of the study, transaction 9.1",
        "CT1 asked for commitment of 2 instances, answered 0000, transaction 9.1",
        "commitment request answered 0115 (Error Comment: no UID), transaction 9.1",
        "commitment request not answered: no association, transaction 9.1",
        "commitment decided: 1 committed, 1 failed, transaction 9.1",
        "commitment report to CT1 not delivered at attempt 1: nothing listens, transaction 9.1",
        "commitment report delivered to CT1 on a new association, transaction 9.1",
        "commitment report came on the association of the request: 1 committed, 1 failed (1 0112); answered 0000, "
        "transaction 9.1",
    ]


def test_warnings_and_names_that_are_not_the_kind() -> None:
    plan = CasePlanned(
        observer="runner",
        seed=1,
        studies={"late": made.STUDY},
        instances={"late": 1},
        orders={"second": made.CONTROL_ID},
    )
    told = lines(
        plan, made.acknowledged("AE", "no HKID"), made.changed("forwarded", warnings=("image-count.exceeded",))
    )
    assert told == [
        f"planned from seed 1; order second is message {made.CONTROL_ID}; study late is {made.STUDY} (1 instance)",
        f"order second (accession number {made.ACCESSION}) sent and acknowledged AE: no HKID",
        "study late is forwarded; warning image-count.exceeded",
    ]


def test_what_no_plan_names_goes_by_its_uid() -> None:
    assert lines(made.changed("receiving")) == [f"study {made.STUDY} is receiving"]
    assert lines(made.answered(1, study="")) == ["1 instance of a study whose UID cannot be read answered 0000"]


def test_events_that_come_late_stand_where_they_happened() -> None:
    first, second, third = made.timed([made.planned(), made.changed("receiving"), made.gateway_stopped()])
    shifted = dataclasses.replace(third, at=_later(second.at, -0.005))
    told = story.tell(History("case", (first, second, shifted)))
    assert [(at, sentence) for at, _, sentence in told[1:]] == [
        (0.005, "gateway stopped"),
        (0.01, "the study is receiving"),
    ]


def test_an_empty_history_has_no_story() -> None:
    assert story.tell(History("case", ())) == []


@pytest.mark.parametrize("kind", events.EVENT_TYPES.values(), ids=lambda kind: kind.__name__)
def test_every_kind_of_event_has_words(kind: type[Event]) -> None:
    (line,) = lines(_any(kind))
    assert line
    assert "None" not in line


def _any(kind: type[Event]) -> Event:
    """Return an event of this kind with some value in every field."""
    values: dict[type, Any] = {str: "1.2.3", int: 1, bool: True}
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name != "at"}
    return kind(**{name: values[hint] if hint in values else _empty(hint) for name, hint in hints.items()})


def _empty(hint: Any) -> Any:
    return () if get_args(hint)[-1] is Ellipsis else {}


def _later(at: str, seconds: float) -> str:
    return (datetime.fromisoformat(at) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
