"""The whole gateway in this process, from the wire to the wire."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from simulator.errors import ContextNotAccepted, PeerRefused, StartError
from simulator.events import StudyChanged
from simulator.gateway.index import Index
from simulator.gateway.server import Gateway, Ready
from simulator.gateway.steps import Matched, Unmatched, Verdict
from simulator.gateway.store import Store
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, by_name
from simulator.site import Site
from simulator.synthesis.studies import Study
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import VERIFICATION, Address, Association, Context, Outgoing, Response, StoreRequest
from tests.gateway.made import (
    Running,
    Serving,
    a_message,
    a_site,
    contexts_of,
    events,
    opened,
    outgoing,
    remote,
    running,
    states,
    to,
)
from tests.synthesis.made import CT, EXPLICIT, a_study, an_order
from tests.wire.sockets import HOST, PATIENCE, no_thread_beside

STUDY = a_study(instances=3)
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]
ORDER = an_order()
STORED = Response(0x0000)


def held_files(folder: Path) -> list[Path]:
    return sorted((folder / "instances").rglob("*.dcm"))


def change(instance: Outgoing) -> Outgoing:
    """Return the instance with its last pixel changed."""
    return replace(instance, data_set=instance.data_set[:-1] + bytes([instance.data_set[-1] ^ 1]))


# --- from the modality to the destination ------------------------------------------------------------


def test_a_study_with_an_order_is_forwarded(tmp_path: Path) -> None:
    with remote() as (taking, port):
        site = a_site(forwarding={"destinations": [to(port)]})
        with running(tmp_path, site) as gateway:
            assert gateway.order(a_message(ORDER)).code == "AA"
            assert gateway.store(*STUDY.instances) == [STORED] * 3
            gateway.await_state(STUDY, "forwarded")
            assert states(gateway.index, UID) == ["receiving", "matched", "forwarding", "forwarded"]
    assert taking.uids() == UIDS
    assert [request.data_set for request in taking.taken] == [instance.data_set for instance in STUDY.instances]


def test_an_order_that_comes_late_heals_a_held_study(tmp_path: Path) -> None:
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
        assert gateway.store(*STUDY.instances) == [STORED] * 3
        assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["order.not-found"]
        assert taking.taken == []
        assert gateway.order(a_message(ORDER)).code == "AA"
        gateway.await_state(STUDY, "forwarded")
        assert taking.uids() == UIDS


@pytest.mark.parametrize("control", ["NW", "XO"])
def test_an_order_that_is_mended_heals_a_held_study(tmp_path: Path, control: str) -> None:
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER, patient_sex="O"))
        gateway.store(*STUDY.instances)
        assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["sex.mismatch"]
        gateway.order(a_message(ORDER, order_control=control))
        gateway.await_state(STUDY, "matched")


def test_a_cancelled_order_matches_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER))
        gateway.order(a_message(ORDER, order_control="CA"))
        gateway.store(*STUDY.instances)
        assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["order.cancelled"]


def test_an_order_that_comes_while_a_study_is_decided_is_not_overlooked(tmp_path: Path) -> None:
    """The moment between looking for the order and writing down that there is none."""
    looked, go_on = threading.Event(), threading.Event()

    class Slow(Gateway):
        def policy(self, outcome: Matched | Unmatched) -> Verdict:
            verdict = super().policy(outcome)
            if not looked.is_set():
                looked.set()
                go_on.wait(PATIENCE)
            return verdict

    serving = Serving(Slow(a_site(), tmp_path))
    try:
        gateway = Running(serving, serving.start())
        gateway.store(*STUDY.instances)
        assert looked.wait(PATIENCE)
        with ThreadPoolExecutor(1) as beside:
            ordering = beside.submit(gateway.order, a_message(ORDER))
            gateway.await_event("OrderReceived")
            go_on.set()
            assert ordering.result(PATIENCE).code == "AA"
            gateway.await_state(STUDY, "matched")
        gateway.stop()
    finally:
        go_on.set()
        serving.close()


def test_the_site_may_reject_what_is_unmatched(tmp_path: Path) -> None:
    with running(tmp_path, a_site(unmatched="reject")) as gateway:
        gateway.store(*STUDY.instances)
        assert gateway.await_state(STUDY, "rejected")["reasons"] == ["order.not-found"]
        gateway.order(a_message(ORDER))
        gateway.await_event("OrderReceived")
    assert states(Index(tmp_path / "index.sqlite"), UID) == ["receiving", "rejected"]


def test_instances_that_come_after_the_study_was_forwarded_follow_it(tmp_path: Path) -> None:
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances[:2])
        gateway.await_state(STUDY, "forwarded")
        last = gateway.last
        gateway.store(STUDY.instances[2])
        gateway.await_state(STUDY, "forwarded", after=last)
        assert taking.uids() == UIDS


def test_an_instance_that_comes_while_the_study_is_forwarded_is_decided_first(tmp_path: Path) -> None:
    """It disagrees with the others, so nothing more of the study may leave, though the destination lacks some of it."""
    begun, go_on = threading.Event(), threading.Event()
    told = a_study(lies={"PatientSex": "O"}, instances=3).instances[2]
    with remote() as (taking, port):

        def refuse_the_first(request: object) -> None:
            taking.answers = {UIDS[0]: Response(0xA700)} if not begun.is_set() else {}
            begun.set()
            go_on.wait(PATIENCE)

        taking.on_store = refuse_the_first
        forwarding = {"destinations": [to(port)], "attempts": 2, "retry_after": 0}
        with running(tmp_path, a_site(forwarding=forwarding)) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances[:2])
            assert begun.wait(PATIENCE)
            gateway.store(told)
            go_on.set()
            assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["study.inconsistent"]
        assert taking.uids() == UIDS[1:2]


def test_a_destination_that_is_down_fails_the_study(tmp_path: Path) -> None:
    with socket.socket() as down:
        down.bind((HOST, 0))
        forwarding = {"destinations": [to(down.getsockname()[1])], "attempts": 2, "retry_after": 0}
        with running(tmp_path, a_site(forwarding=forwarding)) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances)
            gateway.await_state(STUDY, "failed")


def test_a_second_study_under_the_same_number_is_a_duplicate(tmp_path: Path) -> None:
    second = a_study("second", lies=truth_of(STUDY))
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances)
        gateway.await_state(STUDY, "matched")
        gateway.store(*second.instances)
        assert gateway.await_state(second, "unmatched")["reasons"] == ["accession.duplicate"]


def test_a_number_that_was_sent_on_under_stays_taken(tmp_path: Path) -> None:
    """Even when the first study does not match any more: the destination holds a study under that number."""
    second = a_study("second", lies=truth_of(STUDY))
    stranger = outgoing(STUDY.instances[2])
    name = ORDER.person.name.encode()
    stranger = replace(stranger, data_set=stranger.data_set.replace(name, name[:-1] + b"?"))
    with remote() as (_, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances[:2])
        gateway.await_state(STUDY, "forwarded")
        gateway.send([stranger])
        assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["study.inconsistent"]
        gateway.store(*second.instances)
        assert gateway.await_state(second, "unmatched")["reasons"] == ["accession.duplicate"]


def test_a_cancelled_order_takes_back_a_study_that_was_not_sent_on(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances)
        gateway.await_state(STUDY, "matched")
        gateway.order(a_message(ORDER, order_control="CA"))
        assert gateway.await_state(STUDY, "unmatched")["reasons"] == ["order.cancelled"]


def test_a_study_that_receives_again_keeps_its_order_from_others(tmp_path: Path) -> None:
    second = a_study("second", lies=truth_of(STUDY))
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances[:2])
        gateway.await_state(STUDY, "matched")
        last = gateway.last
        # The second study is due first, while the first receives again.
        gateway.send([outgoing(second.instances[0]), outgoing(STUDY.instances[2])])
        assert gateway.await_state(second, "unmatched")["reasons"] == ["accession.duplicate"]
        gateway.await_state(STUDY, "matched", after=last)
        study = gateway.index.study(UID)
        assert study is not None
        assert study.order_accession == ORDER.accession_number


def truth_of(study: Study) -> dict[str, str]:
    """Return the lies by which another study tells of the same patient and number."""
    person = ORDER.person
    return {
        "PatientID": person.hkid,
        "PatientName": person.name,
        "PatientBirthDate": person.birth_date,
        "PatientSex": person.sex,
        "AccessionNumber": study.accession_number,
    }


def test_every_class_of_the_slide_goes_through(tmp_path: Path) -> None:
    studies = [a_study(sop_class.keyword, sop_class) for sop_class in SEED_IMAGE_CLASSES]
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
        for sop_class in SEED_IMAGE_CLASSES:
            assert gateway.order(a_message(an_order(sop_class.keyword))).code == "AA"
        sent = [instance for study in studies for instance in study.instances]
        assert gateway.store(*sent) == [STORED] * 13
        for study in studies:
            gateway.await_state(study, "forwarded")
        assert {request.sop_class_uid for request in taking.taken} == {each.uid for each in SEED_IMAGE_CLASSES}


def test_four_modalities_at_once(tmp_path: Path) -> None:
    studies = [a_study(seed, instances=20) for seed in "abcd"]
    with running(tmp_path) as gateway, ThreadPoolExecutor(4) as modalities:
        for seed in "abcd":
            gateway.order(a_message(an_order(seed)))
        answers = list(modalities.map(lambda study: gateway.store(*study.instances), studies))
        assert answers == [[STORED] * 20] * 4
        for study in studies:
            assert gateway.await_state(study, "matched")["instances"] == 20


def test_two_studies_in_one_association_do_not_mix(tmp_path: Path) -> None:
    other = a_study("other", instances=2)
    with running(tmp_path) as gateway:
        assert gateway.store(STUDY.instances[0], *other.instances, STUDY.instances[1]) == [STORED] * 4
        assert gateway.await_state(STUDY, "unmatched")["instances"] == 2
        assert gateway.await_state(other, "unmatched")["instances"] == 2


# --- what is refused ---------------------------------------------------------------------------------


def test_a_truncated_data_set_is_answered_and_kept_aside(tmp_path: Path) -> None:
    cut = replace(outgoing(STUDY.instances[0]), data_set=STUDY.instances[0].data_set[:-10])
    with running(tmp_path) as gateway:
        [answer, good] = gateway.send([cut, outgoing(STUDY.instances[1])])
        assert answer.status == 0xC000
        assert answer.error_comment.startswith("truncated: (7FE0,0010) needs 512 bytes, 502 are left")
        assert good == STORED
        [event] = events(gateway.index, "InstanceRefused")
    assert (event["status"], event["sop_instance_uid"], event["calling_ae_title"]) == ("C000", UIDS[0], "MODALITY")
    kept = tmp_path / event["kept_as"]
    assert kept.read_bytes() == cut.data_set
    why = json.loads(kept.with_suffix(".json").read_bytes())
    assert why["status"] == "C000"
    assert why["comment"] == event["error_comment"]
    assert (why["from"], why["sop_class_uid"], why["sop_instance_uid"]) == ("MODALITY", CT.uid, UIDS[0])
    assert why["transfer_syntax_uid"] == EXPLICIT
    assert len(held_files(tmp_path)) == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_a_path_harms_nothing(tmp_path: Path) -> None:
    true = outgoing(STUDY.instances[0])
    evil_uid = ("../" * 20)[: len(true.sop_instance_uid) - 4] + "evil"
    in_data_set = true.data_set.replace(true.sop_instance_uid.encode(), evil_uid.encode())
    with running(tmp_path / "a" / "b" / "data") as gateway:
        answers = gateway.send(
            [replace(true, sop_instance_uid=evil_uid), replace(true, sop_instance_uid=evil_uid, data_set=in_data_set)]
        )
        assert [answer.status for answer in answers] == [0xA900, 0xA900]
        assert answers[1].error_comment == "(0008,0018) SOP Instance UID is not a UID"
        assert gateway.index.instance(evil_uid) is None
    assert not list(tmp_path.rglob("*evil*"))
    assert {file.name for file in (tmp_path / "a").rglob("*") if not file.is_relative_to(tmp_path / "a/b/data")} == {
        "b"
    }
    assert held_files(tmp_path / "a" / "b" / "data") == []
    assert len(list((tmp_path / "a" / "b" / "data" / "refused").glob("*.dataset"))) == 2


def test_the_same_again_is_a_success_and_other_content_is_not(tmp_path: Path) -> None:
    first = outgoing(STUDY.instances[0])
    with running(tmp_path) as gateway:
        answers = gateway.send([first, first, change(first), first])
        assert [answer.status for answer in answers] == [0, 0, 0xC001, 0]
        assert len(events(gateway.index, "InstanceStored")) == 1
    [file] = held_files(tmp_path)
    assert file.read_bytes().endswith(first.data_set)


def test_the_first_image_over_the_limit_is_refused_and_the_study_rejected(tmp_path: Path) -> None:
    site = a_site(image_limit={"limit": 2, "mode": "reject", "status": "A7AB"})
    with running(tmp_path, site) as gateway:
        gateway.order(a_message(ORDER))
        answers = gateway.store(*STUDY.instances, STUDY.instances[0])
        assert [answer.status_text for answer in answers] == ["0000", "0000", "A7AB", "0000"]
        assert answers[2].error_comment == "more than 2 images in this study"
        assert gateway.await_state(STUDY, "rejected")["reasons"] == ["image-count.exceeded"]
        assert len(held_files(tmp_path)) == 2
        # A study that comes later is decided after this one would have been.
        other = a_study("other")
        gateway.store(*other.instances)
        gateway.await_state(other, "unmatched")
        assert states(gateway.index, UID) == ["receiving", "rejected"]


def test_a_study_over_the_recommendation_is_forwarded_with_a_warning(tmp_path: Path) -> None:
    site = a_site(image_limit={"limit": 2})
    with running(tmp_path, site) as gateway:
        gateway.order(a_message(ORDER))
        assert gateway.store(*STUDY.instances) == [STORED] * 3
        event = gateway.await_state(STUDY, "matched")
        assert (event["warnings"], event["instances"]) == (["image-count.exceeded"], 3)


def test_a_file_system_that_fails_is_answered_as_such(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(STUDY.instances[0])
        shutil.rmtree(tmp_path / "instances")
        [answer] = gateway.store(STUDY.instances[1])
        assert answer.status == 0xA700
        assert answer.error_comment == "the data folder cannot be written: No such file or directory"
        (tmp_path / "instances").mkdir()
        assert gateway.store(STUDY.instances[2]) == [STORED]
        assert [event["sop_instance_uid"] for event in events(gateway.index, "InstanceStored")] == [UIDS[0], UIDS[2]]


def test_an_index_that_fails_is_answered_as_such(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        with sqlite3.connect(tmp_path / "index.sqlite") as other:
            other.execute("ALTER TABLE instance RENAME TO gone")
        other.close()
        [answer] = gateway.store(STUDY.instances[1])
        assert answer.status == 0xA700


def test_only_known_callers_are_let_in(tmp_path: Path) -> None:
    with running(tmp_path, a_site(callers=[{"ae_title": "KNOWN"}])) as gateway:
        assert gateway.store(STUDY.instances[0], ae_title="KNOWN") == [STORED]
        with pytest.raises(PeerRefused, match="calling AE title not recognised"):
            gateway.store(STUDY.instances[1], ae_title="STRANGER")


def test_it_answers_to_its_own_title_alone(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"ae_title": "HAG1"})) as gateway:
        assert gateway.ready.ae_title == "HAG1"
        assert gateway.store(STUDY.instances[0]) == [STORED]
        with pytest.raises(PeerRefused, match="called AE title not recognised"):
            Association.request(
                "M", Address("HAGATEWAY", HOST, gateway.ready.dicom_port), [Context(CT.uid, (EXPLICIT,))]
            )


@pytest.mark.parametrize(("sop_classes", "taken"), [("seed", False), ("extended", True)])
def test_further_classes_are_taken_where_the_site_asks_for_them(tmp_path: Path, sop_classes: str, taken: bool) -> None:
    further = [Context(by_name("Secondary Capture Image").uid, (EXPLICIT,))]
    with running(tmp_path, a_site(sop_classes=sop_classes)) as gateway:
        if taken:
            with Association.request("M", gateway.address, further) as association:
                assert association.answers == (EXPLICIT,)
        else:
            with pytest.raises(ContextNotAccepted):
                Association.request("M", gateway.address, further)


def test_it_verifies(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        context = [Context(VERIFICATION, ("1.2.840.10008.1.2",))]
        with Association.request("M", gateway.address, context) as association:
            assert association.echo() == STORED


def test_bytes_on_the_hl7_port_that_are_no_message_are_kept_aside(tmp_path: Path) -> None:
    garbage = b"GET / HTTP/1.1\r\n\r\n\x1c\r"
    with running(tmp_path) as gateway:
        with socket.create_connection((HOST, gateway.ready.hl7_port), PATIENCE) as connection:
            connection.sendall(garbage)
            event = gateway.await_event("MessageRefused", code="AR")
        assert (tmp_path / event["kept_as"]).read_bytes() == garbage
        assert gateway.order(a_message(ORDER)).code == "AA"


# --- start, stop and start again ---------------------------------------------------------------------


def test_a_restart_goes_on_with_a_study_that_was_being_received(tmp_path: Path) -> None:
    with remote() as (taking, port):
        site = a_site(forwarding={"destinations": [to(port)]}, gateway={"quiet_period": 3600})
        with running(tmp_path, site) as gateway:
            gateway.order(a_message(ORDER))
            assert gateway.store(*STUDY.instances) == [STORED] * 3
        assert taking.taken == []
        with running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
            gateway.await_state(STUDY, "forwarded")
            assert taking.uids() == UIDS
            assert states(gateway.index, UID) == ["receiving", "matched", "forwarding", "forwarded"]


def test_a_restart_finds_a_file_that_the_index_lacks(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.order(a_message(ORDER))
        gateway.store(*STUDY.instances)
        gateway.await_state(STUDY, "matched")
        row, last = gateway.index.instance(UIDS[1]), gateway.last
    assert row is not None
    with sqlite3.connect(tmp_path / "index.sqlite") as other:  # as if killed between the file and the row
        other.execute("DELETE FROM instance WHERE sop_instance_uid = ?", (UIDS[1],))
    other.close()
    with running(tmp_path) as gateway:
        gateway.await_event("InstanceStored", after=last, sop_instance_uid=UIDS[1])
        gateway.await_state(STUDY, "matched", after=last)
        assert gateway.index.instance(UIDS[1]) == row
        assert gateway.index.sizes(UID) == (3, 1)
        assert gateway.store(*STUDY.instances) == [STORED] * 3  # all are repeats
        assert len(events(gateway.index, "InstanceStored")) == 4


def test_a_restart_without_an_index_finds_every_instance(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
    for file in tmp_path.glob("index.sqlite*"):
        file.unlink()
    with running(tmp_path) as gateway:
        assert gateway.await_state(STUDY, "unmatched")["instances"] == 3
        assert {row.sop_instance_uid for row in gateway.index.instances(UID)} == set(UIDS)


def test_a_restart_passes_over_files_that_are_no_instances_or_second_copies(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        gateway.await_state(STUDY, "unmatched")
    [first, second, _] = held_files(tmp_path)
    strange = tmp_path / "instances" / ("0" * 32)
    strange.mkdir()
    (strange / "copy.dcm").write_bytes(first.read_bytes())
    (strange / "cut.dcm").write_bytes(second.read_bytes()[:-10])
    (strange / "rubbish.dcm").write_bytes(b"rubbish")
    (strange / "folder.dcm").mkdir()
    with running(tmp_path) as gateway:
        assert gateway.index.sizes(UID) == (3, 1)
        assert gateway.store(*STUDY.instances) == [STORED] * 3


def test_a_stop_gives_up_no_study_that_is_being_forwarded(tmp_path: Path) -> None:
    with socket.socket() as down:
        down.bind((HOST, 0))
        forwarding = {"destinations": [to(down.getsockname()[1])], "attempts": 5, "retry_after": 3600}
        with running(tmp_path, a_site(forwarding=forwarding)) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances)
            gateway.await_state(STUDY, "forwarding")
    with opened(tmp_path) as (_, index):
        study = index.study(UID)
        assert study is not None
        assert study.state == "forwarding"
    with remote() as (taking, port), running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway:
        gateway.await_state(STUDY, "forwarded")
        assert taking.uids() == UIDS


def test_a_restart_takes_in_what_became_of_a_study_at_its_destinations(tmp_path: Path) -> None:
    """The last run sent it, and was killed before it said so."""
    with remote() as (_, port):
        site = a_site(forwarding={"destinations": [to(port)]})
        with running(tmp_path, site) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances)
            gateway.await_state(STUDY, "forwarded")
            study = gateway.index.study(UID)
            assert study is not None
            told = StudyChanged(observer="gateway", study_instance_uid=UID, accession_number="", state="forwarding")
            gateway.index.change_study(replace(study, state="forwarding"), told)
            last = gateway.last
        with running(tmp_path, site) as gateway:
            gateway.await_state(STUDY, "forwarded", after=last)


def test_a_stop_in_the_middle_of_an_association_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        association = Association.request("M", gateway.address, contexts_of([outgoing(STUDY.instances[0])]))
        assert association.store(outgoing(STUDY.instances[0])) == STORED
        gateway.stop()
        association.abort()
    with opened(tmp_path) as (store, index):
        row = index.instance(UIDS[0])
        assert row is not None
        assert store.read(row.file).endswith(STUDY.instances[0].data_set)


def test_a_stop_leaves_no_thread_and_no_port_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        gateway.order(a_message(ORDER))
        ready = gateway.ready
    assert no_thread_beside(before)
    http_port = int(ready.http_url.rpartition(":")[2])
    for port in (ready.dicom_port, ready.hl7_port, http_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), PATIENCE)


def taken_by_dicom(port: int) -> Site:
    return a_site(gateway={"dicom_port": port})


def taken_by_hl7(port: int) -> Site:
    return a_site(gateway={"hl7_port": port})


def taken_by_http(port: int) -> Site:
    return a_site(gateway={"http_port": port})


@pytest.mark.parametrize(
    ("site", "words"),
    [(taken_by_dicom, "listen on"), (taken_by_hl7, "listen for HL7 on"), (taken_by_http, "listen for HTTP on")],
)
def test_a_port_in_use_is_named_and_nothing_stays_open(tmp_path: Path, site: Callable[[int], Site], words: str) -> None:
    before = set(threading.enumerate())
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        serving = Serving(Gateway(site(port), tmp_path))
        try:
            with pytest.raises(StartError, match=f"cannot {words} {HOST}:{port}") as failed:
                serving.start()
            assert "another program uses the port" in failed.value.hint
        finally:
            serving.close()
    assert no_thread_beside(before)
    with running(tmp_path) as gateway:  # the folder can be used at once
        assert gateway.store(STUDY.instances[0]) == [STORED]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(StartError, match="the data folder"):
        Gateway(a_site(), tmp_path / "data")


def test_the_ready_file_appears_whole(tmp_path: Path) -> None:
    ready = Ready(12345, "HAGATEWAY", 11112, 2575, "http://127.0.0.1:8104")
    file = tmp_path / "ready.json"
    file.write_text("{", encoding="utf-8")
    ready.write(file)
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "pid": 12345,
        "ae_title": "HAGATEWAY",
        "dicom_port": 11112,
        "hl7_port": 2575,
        "http_url": "http://127.0.0.1:8104",
        "dicom_tls_port": 0,
    }
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_held_is_read_by_others(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
    found = [dcmread(file) for file in held_files(tmp_path)]
    assert {data_set.SOPInstanceUID for data_set in found} == set(UIDS)
    assert {str(data_set.PatientName) for data_set in found} == {ORDER.person.name}
    assert list(Store(tmp_path).names())


def test_a_destination_that_asks_for_another_title_is_told_which_is_ours(tmp_path: Path) -> None:
    callers: list[str] = []

    def take(request: StoreRequest) -> Response:
        callers.append(request.calling_ae_title)
        return STORED

    acceptor = Acceptor("REMOTE", HOST, 0, [Context(CT.uid, (EXPLICIT,))], take, calling_ae_titles=["HAG1"])
    port = acceptor.start()
    try:
        site = a_site(gateway={"ae_title": "HAG1"}, forwarding={"destinations": [to(port)]})
        with running(tmp_path, site) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(STUDY.instances[0])
            gateway.await_state(STUDY, "forwarded")
    finally:
        acceptor.stop()
    assert callers == ["HAG1"]
