"""What a message about an order or its patient does to its studies, at every moment of theirs, over real sockets."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.events import OrderReceived
from simulator.gateway.order_book import OrderBook, OrderMessageRow
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.wire import hl7_acknowledgements, hl7_patients, mllp
from simulator.wire.hl7_messages import Envelope
from simulator.wire.hl7_patients import MERGE, UPDATE, PatientData, PatientMessage
from tests.gateway.made import SENT_AT, Running, a_message, a_site, opened, remote, running, states, to
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST, PATIENCE, closed_port

STUDY = a_study(instances=3)
ORDER = an_order()
UID = STUDY.study_instance_uid
ANOTHER = "TP1490258"


def an_adt(kind: str, *patients: PatientData) -> bytes:
    return hl7_patients.build_patients(
        PatientMessage(kind, "2.3.1", "ADT1", "REG|FACILITY", patients), Envelope(SENT_AT)
    )


CANCEL = a_message(ORDER, order_control="CA")
CHANGE_BACK = a_message(ORDER, order_control="XO")
MOVE = an_adt(MERGE, PatientData(ANOTHER, prior_id=ORDER.person.hkid))
MOVE_BACK = an_adt(MERGE, PatientData(ORDER.person.hkid, prior_id=ANOTHER))
RENAME = an_adt(UPDATE, PatientData(ORDER.person.hkid, "NEW^NAME"))
NAME_BACK = an_adt(UPDATE, PatientData(ORDER.person.hkid, ORDER.person.name))

# What is sent, what the study says of it, and what takes it back.
CHANGES = {
    "cancel": (CANCEL, "order.cancelled", a_message(ORDER)),
    "merge": (MOVE, "hkid.mismatch", MOVE_BACK),
    "update": (RENAME, "name.mismatch", NAME_BACK),
    "change": (
        a_message(ORDER, order_control="XO", patient_sex="U"),
        "sex.mismatch",
        a_message(ORDER, order_control="XO"),
    ),
}
each_change = pytest.mark.parametrize(("change", "reason", "back"), CHANGES.values(), ids=CHANGES)


def told(run: Running) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return state, reasons and warnings of the study as they are this moment."""
    study = run.index.study(UID)
    assert study is not None
    return study.state, study.reasons, study.warnings


def accepted(run: Running, message: bytes) -> None:
    assert run.order(message).code == "AA"


# --- held --------------------------------------------------------------------------------------------


@each_change
def test_a_matched_study_that_was_not_sent_is_decided_again_before_the_answer(
    change: bytes, reason: str, back: bytes, tmp_path: Path
) -> None:
    """There is no destination, so it stays matched; AA means that the change is done."""
    with running(tmp_path) as run:
        accepted(run, a_message(ORDER))
        run.store(*STUDY.instances)
        run.await_state(STUDY, "matched")
        accepted(run, change)
        assert told(run) == ("unmatched", (reason,), ())
        accepted(run, back)
        assert told(run) == ("matched", (), ())
        assert states(run.index, UID) == ["receiving", "matched", "unmatched", "matched"]


@each_change
def test_a_study_that_comes_later_is_matched_against_the_order_as_it_is(
    change: bytes, reason: str, back: bytes, tmp_path: Path
) -> None:
    with running(tmp_path) as run:
        accepted(run, a_message(ORDER))
        accepted(run, change)
        run.store(*STUDY.instances)
        run.await_state(STUDY, "unmatched")
        assert told(run) == ("unmatched", (reason,), ())
        accepted(run, back)
        assert told(run) == ("matched", (), ())


def test_two_studies_of_one_patient_are_both_decided_again(tmp_path: Path) -> None:
    other = an_order("other")
    second = a_study("other", lies={"PatientID": ORDER.person.hkid, "PatientName": "NEW^NAME"})
    keys = {"patient_id": ORDER.person.hkid, "patient_name": "NEW^NAME"}
    with running(tmp_path) as run:
        accepted(run, a_message(ORDER))
        accepted(run, a_message(other, **keys))
        run.store(*STUDY.instances, *second.instances)
        run.await_state(STUDY, "matched")
        run.await_state(second, "matched")
        accepted(run, RENAME)
        assert [study.state for study in run.index.studies()] == ["unmatched", "matched"]
        accepted(run, NAME_BACK)
        assert [study.state for study in run.index.studies()] == ["matched", "unmatched"]


def test_a_study_that_was_rejected_stays_so(tmp_path: Path) -> None:
    with running(tmp_path, a_site(unmatched="reject")) as run:
        run.store(*STUDY.instances)
        run.await_state(STUDY, "rejected")
        accepted(run, a_message(ORDER))
        assert told(run)[0] == "rejected"


# --- sent --------------------------------------------------------------------------------------------


@each_change
def test_a_forwarded_study_stays_forwarded_and_says_what_does_not_agree(
    change: bytes, reason: str, back: bytes, tmp_path: Path
) -> None:
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as run:
        accepted(run, a_message(ORDER))
        run.store(*STUDY.instances)
        run.await_state(STUDY, "forwarded")
        accepted(run, change)
        assert told(run) == ("forwarded", (), (reason,))
        accepted(run, back)
        assert told(run) == ("forwarded", (), ())
        assert len(taking.taken) == 3


def test_what_comes_after_a_cancel_to_a_forwarded_study_is_held(tmp_path: Path) -> None:
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as run:
        accepted(run, a_message(ORDER))
        run.store(*STUDY.instances[:2])
        run.await_state(STUDY, "forwarded")
        accepted(run, CANCEL)
        run.store(STUDY.instances[2])
        run.await_state(STUDY, "unmatched")
        assert told(run) == ("unmatched", ("order.cancelled",), ("forwarded.before",))
        assert len(taking.taken) == 2


def test_a_study_that_failed_is_decided_again(tmp_path: Path) -> None:
    with closed_port() as port:
        forwarding: dict[str, Any] = {"destinations": [to(port)], "attempts": 1}
        with running(tmp_path, a_site(forwarding=forwarding)) as run:
            accepted(run, a_message(ORDER))
            run.store(*STUDY.instances)
            run.await_state(STUDY, "failed")
            accepted(run, CANCEL)
            assert told(run) == ("unmatched", ("order.cancelled",), ())


@pytest.mark.parametrize(
    ("change", "after"), [(CANCEL, "unmatched"), (a_message(ORDER, order_control="XO"), "forwarded")]
)
def test_a_study_that_is_being_sent(change: bytes, after: str, tmp_path: Path) -> None:
    """A change that leaves it matched disturbs nothing; after any other it is not `forwarded` when the sending ends."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        reached.set()
        assert go_on.wait(PATIENCE)

    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as run:
        taking.on_store = hold
        accepted(run, a_message(ORDER))
        run.store(*STUDY.instances)
        assert reached.wait(PATIENCE)
        accepted(run, change)
        assert told(run)[0] == ("unmatched" if after == "unmatched" else "forwarding")
        go_on.set()
        run.await_event("InstanceForwarded", study_instance_uid=UID)
        if after == "forwarded":
            run.await_state(STUDY, "forwarded")
        run.stop()
    with opened(tmp_path) as (_, index):
        assert states(index, UID)[-1] == after


# --- what is never lost ------------------------------------------------------------------------------


def test_an_order_that_was_kept_just_before_a_kill_is_matched_at_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        run.store(*STUDY.instances)
        run.await_state(STUDY, "unmatched")
    person = ORDER.person
    keys = MajorKeys(person.hkid, person.name, person.birth_date, person.sex)
    event = OrderReceived(
        observer="gateway",
        accession_number=ORDER.accession_number,
        message_control_id="MSG1",
        message_type="ORM^O01",
        order_control="NW",
    )
    with opened(tmp_path) as (_, index):
        OrderBook(index).put([OrderKeys(ORDER.accession_number, keys)], OrderMessageRow("MSH|"), event)
    with running(tmp_path) as run:
        assert told(run)[0] == "matched"
        assert OrderBook(run.index).to_match() == ()


def test_history_and_cancellation_outlive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        accepted(run, a_message(ORDER))
        accepted(run, CANCEL)
    with running(tmp_path) as run:
        assert [row.order_control for row in OrderBook(run.index).history(ORDER.accession_number)] == ["NW", "CA"]
        run.store(*STUDY.instances)
        run.await_state(STUDY, "unmatched")
        assert told(run)[1] == ("order.cancelled",)


# --- acknowledgements on the wire --------------------------------------------------------------------


def test_both_acknowledgements_come_on_the_connection_of_the_message(tmp_path: Path) -> None:
    answers: list[str] = []

    def take(raw: bytes) -> float:
        answers.append(hl7_acknowledgements.read_acknowledgement(raw).code)
        return PATIENCE if len(answers) < 2 else 0.0

    message = PatientMessage(UPDATE, "2.5.1", "ADT1", "REG|F", (PatientData(ANOTHER, "X"),))
    raw = hl7_patients.build_patients(message, Envelope(SENT_AT, "AL", "AL"))
    with running(tmp_path) as run:
        mllp.converse(HOST, run.ready.hl7_port, raw, take, PATIENCE)
    assert answers == ["CA", "AA"]


def test_what_asks_for_no_acknowledgement_is_applied_all_the_same(tmp_path: Path) -> None:
    patient = PatientData(ORDER.person.hkid, "NEW^NAME")
    raw = hl7_patients.build_patients(
        PatientMessage(UPDATE, "2.3.1", "ADT1", "REG|F", (patient,)), Envelope(SENT_AT, "NE", "NE")
    )
    with running(tmp_path) as run:
        accepted(run, a_message(ORDER))
        mllp.converse(HOST, run.ready.hl7_port, raw, lambda _: 0.0, 0.0)
        run.await_event("PatientChanged", message_control_id="ADT1", orders=[ORDER.accession_number])
        order = run.index.order(ORDER.accession_number)
        assert order is not None
        assert order.keys == replace(order.keys, name="NEW^NAME")
