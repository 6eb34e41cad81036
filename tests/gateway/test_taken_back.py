"""What is on its way to a destination when something takes it back, or changes what it says."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import httpx
from pydicom import Dataset, dcmread

from simulator.synthesis import compression
from simulator.synthesis.lies import LIES
from simulator.wire import part10
from simulator.wire.association import Outgoing, StoreRequest
from tests.gateway.made import (
    Running,
    a_message,
    a_site,
    accepting,
    remote,
    running,
    to,
)
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import PATIENCE, closed_port

ORDER = an_order()
STUDY = a_study(instances=3)
UID = STUDY.study_instance_uid
A_LIMIT_OF_TWO = {"limit": 2, "mode": "reject", "status": "A700"}


def parsed(request: StoreRequest) -> Dataset:
    uids = request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid
    held = Outgoing(*uids, bytes(request.data_set))
    return dcmread(BytesIO(part10.build(held, "TEST")))


def waiting(port: int) -> dict[str, object]:
    return {"destinations": [to(port)], "retry_after": 60}


def statuses(run: Running, *numbers: int) -> list[str]:
    return [each.status_text for each in run.store(*(STUDY.instances[number] for number in numbers))]


def told(run: Running) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    study = run.index.study(UID)
    assert study is not None
    return study.state, study.reasons, study.warnings


# --- corrected copies --------------------------------------------------------------------------------


def test_a_corrected_study_that_waits_goes_with_what_its_order_says_by_then(tmp_path: Path) -> None:
    study = a_study(instances=2, lies=[LIES["another-name"]])
    with closed_port() as port:
        pass  # nobody listens there yet
    site = a_site(
        unmatched="correct",
        forwarding={"destinations": [to(port)], "attempts": 1000, "retry_after": 0.1, "retry_at_most": 0.2},
    )
    with running(tmp_path, site) as run:
        run.order(a_message(ORDER))
        run.store(*study.instances)
        run.await_state(study, "forwarding")
        assert run.order(a_message(ORDER, order_control="XO", patient_name="NEW^NAME")).code == "AA"
        after = run.last
        with remote(port) as (taking, _):
            run.await_state(study, "forwarded", after=after)
            assert {str(parsed(each).PatientName) for each in taking.taken} == {"NEW^NAME"}
        assert told(run)[2] == ("name.mismatch",)


def test_what_went_under_other_keys_before_is_said(tmp_path: Path) -> None:
    study = a_study(instances=3, lies=[LIES["another-name"]])
    with remote() as (taking, port):
        with running(tmp_path, a_site(unmatched="correct", forwarding={"destinations": [to(port)]})) as run:
            run.order(a_message(ORDER))
            run.store(*study.instances[:2])
            run.await_state(study, "forwarded")
            run.order(a_message(ORDER, order_control="XO", patient_name="NEW^NAME"))
            after = run.last
            run.store(study.instances[2])
            changed = run.await_state(study, "forwarded", after=after)
        assert "forwarded.before" in changed["warnings"]
        assert [str(parsed(each).PatientName) for each in taking.taken] == [ORDER.person.name] * 2 + ["NEW^NAME"]


# --- the image limit ---------------------------------------------------------------------------------


def test_nothing_waits_of_a_study_that_exceeds_the_limit(tmp_path: Path) -> None:
    with closed_port() as port, running(tmp_path, a_site(image_limit=A_LIMIT_OF_TWO, forwarding=waiting(port))) as run:
        run.order(a_message(ORDER))
        assert statuses(run, 0, 1) == ["0000", "0000"]
        run.await_event("DispatchChanged", state="waiting", attempts=1)
        assert statuses(run, 2) == ["A700"]
        assert told(run) == ("rejected", ("image-count.exceeded",), ())
        assert run.await_event("DispatchChanged", state="withdrawn")["missing"] == 2
        told_of = httpx.get(f"{run.url}/destinations", timeout=PATIENCE, trust_env=False).json()["destinations"]
        assert [each["waiting"] for each in told_of] == [0]


def test_an_instance_that_was_in_hand_is_the_last_and_is_said(tmp_path: Path) -> None:
    in_hand, let_go = threading.Event(), threading.Event()

    def hold(_: StoreRequest) -> None:
        in_hand.set()
        let_go.wait(PATIENCE)

    with remote() as (taking, port):
        taking.on_store = hold
        site = a_site(image_limit=A_LIMIT_OF_TWO, forwarding={"destinations": [to(port)]})
        with running(tmp_path, site) as run:
            run.order(a_message(ORDER))
            statuses(run, 0, 1)
            assert in_hand.wait(PATIENCE)
            assert statuses(run, 2) == ["A700"]
            let_go.set()
            run.await_event("StudyChanged", state="rejected", warnings=["forwarded.before"])
            assert told(run) == ("rejected", ("image-count.exceeded",), ("forwarded.before",))
        assert len(taking.taken) == 1


def test_the_limit_counts_what_was_purged_once(tmp_path: Path) -> None:
    with remote() as (taking, port):
        site = a_site(
            image_limit=A_LIMIT_OF_TWO,
            forwarding={"destinations": [to(port)]},
            storage={"retention": "0.1 s"},
        )
        with running(tmp_path, site) as run:
            run.order(a_message(ORDER))
            assert statuses(run, 0, 1) == ["0000", "0000"]
            run.await_event("StudyPurged")
            after = run.last
            assert statuses(run, 1) == ["0000"]
            run.await_event("StudyPurged", after=after)
            assert statuses(run, 2) == ["A700"]
        assert len(taking.taken) == 2


# --- what cannot be decoded --------------------------------------------------------------------------


def test_an_instance_whose_pixels_cannot_be_decoded_is_purged_and_known_again(tmp_path: Path) -> None:
    instance = a_study(instances=1, transfer_syntax="JPEG2000Lossless").instances[0]
    codestream = instance.data_set.index(b"\xff\x4f\xff\x51")
    broken = instance.data_set[: codestream + 4] + bytes(64) + instance.data_set[codestream + 68 :]
    other = broken[: codestream + 4] + bytes([1]) + broken[codestream + 5 :]
    assert broken != other
    sent = Outgoing(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, broken)
    again = Outgoing(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, other)
    with accepting((compression.by_name("JPEG2000Lossless").uid,)) as (taking, port):
        site = a_site(forwarding={"destinations": [to(port)]}, storage={"retention": "0.1 s"})
        with running(tmp_path, site) as run:
            run.order(a_message(ORDER))
            assert [each.status_text for each in run.send([sent])] == ["0000"]
            run.await_event("StudyPurged")
            assert [each.status_text for each in run.send([again, sent])] == ["C001", "0000"]
        assert len(taking.taken) == 1


# --- sites that reject -------------------------------------------------------------------------------


def test_what_a_site_rejected_for_want_of_an_order_may_be_bound_to_one(tmp_path: Path) -> None:
    with remote() as (taking, port):
        with running(tmp_path, a_site(unmatched="reject", forwarding={"destinations": [to(port)]})) as run:
            run.store(*STUDY.instances)
            run.await_state(STUDY, "rejected")
            run.order(a_message(ORDER))
            ruling = {"order": ORDER.accession_number, "by": "somebody"}
            url = f"{run.url}/studies/{UID}/reconcile"
            assert httpx.post(url, json=ruling, timeout=PATIENCE, trust_env=False).status_code == 200
            run.await_state(STUDY, "forwarded")
        assert len(taking.taken) == 3
