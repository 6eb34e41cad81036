from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simulator.gateway import pipeline
from simulator.gateway.forwarding import Forwarder
from simulator.gateway.index import Index, StudyRow
from simulator.gateway.steps import Received
from simulator.gateway.store import Store
from simulator.site import Site
from simulator.synthesis.studies import Study
from simulator.wire.association import Response
from tests.gateway.made import a_site, events, opened, received, remote, to
from tests.synthesis.made import IMPLICIT, a_study
from tests.wire.pdus import ABORT, read_pdu
from tests.wire.sockets import PATIENCE, closed_port, peer

STUDY = a_study(instances=4)
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Store, Index]]:
    with opened(tmp_path) as (store, index):
        keep(STUDY, store, index)
        yield store, index


def keep(study: Study, store: Store, index: Index) -> None:
    for instance in study.instances:
        taken = pipeline.receive(received(instance), Site(), index, store)
        assert isinstance(taken, Received)
        row = pipeline.persist(taken, store).row
        index.add_instance(row, [], StudyRow(row.study_instance_uid, "", "matched"))


def forwarder(parts: tuple[Store, Index], *ports: dict[str, Any], attempts: int = 1, wait: float = 0.0) -> Forwarder:
    store, index = parts
    forwarding = {"destinations": list(ports), "attempts": attempts, "retry_after": wait}
    return Forwarder(a_site(forwarding=forwarding), index, store)


def test_a_study_is_sent_whole_and_unharmed(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        assert forwarder(parts, to(port)).forward(UID) == ()
    assert taking.uids() == UIDS
    assert [request.data_set for request in taking.taken] == [instance.data_set for instance in STUDY.instances]
    assert {request.calling_ae_title for request in taking.taken} == {"HAGATEWAY"}
    assert parts[1].delivered(UID, "REMOTE") == set(UIDS)
    told = events(parts[1], "InstanceForwarded")
    assert [(event["sop_instance_uid"], event["status"], event["destination"]) for event in told] == [
        (uid, "0000", "REMOTE") for uid in UIDS
    ]


def test_nowhere_to_send_is_no_problem(parts: tuple[Store, Index]) -> None:
    assert forwarder(parts).forward(UID) == ()


def test_every_destination_gets_the_study(parts: tuple[Store, Index]) -> None:
    with remote() as (one, first), remote(ae_title="OTHER") as (two, second):
        assert forwarder(parts, to(first), to(second, "OTHER")).forward(UID) == ()
    assert one.uids() == two.uids() == UIDS
    assert parts[1].delivered(UID, "OTHER") == set(UIDS)


def test_only_what_is_missing_is_sent(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        sending = forwarder(parts, to(port))
        taking.answers = {UIDS[2]: Response(0xA700, "out of resources")}
        assert sending.forward(UID) == ("1 of 4 instances were not stored",)
        assert taking.uids() == [UIDS[0], UIDS[1], UIDS[3]]
        taking.answers = {}
        assert sending.forward(UID) == ()
        assert taking.uids() == [UIDS[0], UIDS[1], UIDS[3], UIDS[2]]
        assert sending.forward(UID) == ()
        assert len(taking.taken) == 4
    statuses = [event["status"] for event in events(parts[1], "InstanceForwarded")]
    assert statuses == ["0000", "0000", "A700", "0000", "0000"]


def test_one_destination_that_is_down_holds_up_no_other(parts: tuple[Store, Index]) -> None:
    with closed_port() as down, remote(ae_title="OTHER") as (taking, port):
        problems = forwarder(parts, to(down), to(port, "OTHER")).forward(UID)
    assert problems == (f"nothing listens on 127.0.0.1:{down}, or it cannot be reached from here",)
    assert taking.uids() == UIDS
    assert parts[1].delivered(UID, "REMOTE") == frozenset()


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(parts: tuple[Store, Index], status: int) -> None:
    with remote() as (taking, port):
        taking.answers = dict.fromkeys(UIDS, Response(status))
        assert forwarder(parts, to(port)).forward(UID) == ()
    assert parts[1].delivered(UID, "REMOTE") == set(UIDS)
    assert {event["status"] for event in events(parts[1], "InstanceForwarded")} == {f"{status:04X}"}


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000, 0x0122, 0x0110])
def test_a_failure_does_not(parts: tuple[Store, Index], status: int) -> None:
    with remote() as (taking, port):
        taking.answers = dict.fromkeys(UIDS, Response(status))
        assert forwarder(parts, to(port)).forward(UID) == ("4 of 4 instances were not stored",)
    assert parts[1].delivered(UID, "REMOTE") == frozenset()


def test_it_is_tried_again_until_all_is_stored(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        seen: list[str] = []

        def refuse_each_once(request: Any) -> None:
            again = request.sop_instance_uid in seen
            seen.append(request.sop_instance_uid)
            taking.answers = {} if again else {request.sop_instance_uid: Response(0xA700)}

        taking.on_store = refuse_each_once
        assert forwarder(parts, to(port), attempts=2).forward(UID) == ()
    assert seen == UIDS * 2


def test_it_is_tried_as_often_as_the_site_says(parts: tuple[Store, Index]) -> None:
    calls: list[str] = []
    with remote() as (taking, port):
        taking.answers = dict.fromkeys(UIDS, Response(0xA700))
        taking.on_store = lambda request: calls.append(request.sop_instance_uid)
        assert forwarder(parts, to(port), attempts=3).forward(UID) == ("4 of 4 instances were not stored",)
    assert calls == UIDS * 3


def test_the_waits_between_tries_double(parts: tuple[Store, Index]) -> None:
    with closed_port() as down:
        started = time.monotonic()
        assert forwarder(parts, to(down), attempts=3, wait=0.1).forward(UID)
        assert 0.3 <= time.monotonic() - started < PATIENCE


def test_a_destination_that_rejects_is_named_with_its_reason(parts: tuple[Store, Index]) -> None:
    with remote(ae_title="SOMEONE") as (_, port):
        [problem] = forwarder(parts, to(port)).forward(UID)
    assert "rejected the association of HAGATEWAY permanently: called AE title not recognised" in problem


def test_a_destination_that_aborts(parts: tuple[Store, Index]) -> None:
    def abort(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(ABORT)
        connection.recv(1)

    with peer(abort) as port:
        [problem] = forwarder(parts, to(port)).forward(UID)
    assert f"REMOTE@127.0.0.1:{port} ended the connection" in problem


def test_what_a_destination_took_before_it_went_down_is_not_sent_again(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        taking.answers = {UIDS[1]: Response(0xA700)}
        sending = forwarder(parts, to(port))
        assert sending.forward(UID)
    assert sending.forward(UID)  # nobody is there
    with remote(port) as (later, _):
        assert sending.forward(UID) == ()
        assert later.uids() == [UIDS[1]]


def test_a_class_that_the_destination_does_not_take_fails_and_the_rest_is_sent(parts: tuple[Store, Index]) -> None:
    store, index = parts
    other = a_study(instances=1, transfer_syntax=IMPLICIT, seed="implicit")
    keep(other, store, index)
    rows = [*index.instances(other.study_instance_uid), *index.instances(UID)]
    with remote() as (taking, port):  # takes Explicit VR alone
        assert forwarder(parts, to(port)).forward(UID, rows) == ("1 of 5 instances were not stored",)
    assert taking.uids() == UIDS


def test_a_file_that_is_gone_fails_and_the_rest_is_sent(parts: tuple[Store, Index], tmp_path: Path) -> None:
    rows = parts[1].instances(UID)
    (tmp_path / "instances" / rows[0].file).unlink()
    (tmp_path / "instances" / rows[1].file).write_bytes(b"no longer a DICOM file")
    with remote() as (taking, port):
        assert forwarder(parts, to(port)).forward(UID) == ("2 of 4 instances were not stored",)
    assert taking.uids() == UIDS[2:]


def test_only_what_was_decided_upon_is_sent(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        assert forwarder(parts, to(port)).forward(UID, parts[1].instances(UID)[:2]) == ()
    assert taking.uids() == UIDS[:2]


def test_a_stop_ends_the_wait_for_a_destination(parts: tuple[Store, Index]) -> None:
    with closed_port() as down, ThreadPoolExecutor(1) as beside:
        sending = forwarder(parts, to(down), attempts=2, wait=3600)
        assert not sending.stopping
        waiting = beside.submit(sending.forward, UID)
        sending.stop()
        assert sending.stopping
        assert waiting.result(PATIENCE) == (f"nothing listens on 127.0.0.1:{down}, or it cannot be reached from here",)


def test_a_stop_breaks_off_after_the_instance_in_hand(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    with remote() as (taking, port), ThreadPoolExecutor(1) as beside:
        taking.on_store = wait
        sending = forwarder(parts, to(port))
        broken_off = beside.submit(sending.forward, UID)
        assert begun.wait(PATIENCE)
        sending.stop()
        go_on.set()
        assert broken_off.result(PATIENCE) == ("3 of 4 instances were not stored",)
    assert taking.uids() == UIDS[:1]
    assert parts[1].delivered(UID, "REMOTE") == {UIDS[0]}
