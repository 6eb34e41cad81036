"""One attempt to bring instances to a destination."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.actors.raw_peer import RawPeer
from simulator.events import Event, ScriptEnded
from simulator.gateway import pipeline
from simulator.gateway.forwarding import Forwarder
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow, StudyRow
from simulator.gateway.steps import Received
from simulator.gateway.store import Store
from simulator.rules.sop_classes import by_name
from simulator.site import Site
from simulator.synthesis.classes import CLASSES
from simulator.synthesis.studies import Study
from simulator.wire import transcoding
from simulator.wire.association import Response
from simulator.wire.pdu_script import script
from tests.gateway.made import a_site, accepting, events, opened, outgoing, received, remote, to
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study
from tests.wire.pdus import ABORT, read_pdu
from tests.wire.sockets import PATIENCE, closed_port, peer

STUDY = a_study(instances=4)
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG_LS, JPEG_BASELINE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.50"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Store, Index]]:
    with opened(tmp_path) as (store, index):
        keep(STUDY, store, index)
        yield store, index


def keep(study: Study, store: Store, index: Index) -> tuple[InstanceRow, ...]:
    for instance in study.instances:
        taken = pipeline.receive(received(instance), Site(), index, store)
        assert isinstance(taken, Received)
        row = pipeline.persist(taken, store).row
        index.add_instance(row, [], StudyRow(row.study_instance_uid, "", "matched"))
    return index.instances(study.study_instance_uid)


def forwarder(parts: tuple[Store, Index], port: int, **time_outs: float) -> Forwarder:
    store, index = parts
    site = a_site(forwarding={"destinations": [to(port)]}, gateway={"time_outs": time_outs})
    return Forwarder(site, site.forwarding.destinations[0], index, store)


def send(parts: tuple[Store, Index], port: int) -> str:
    return forwarder(parts, port).send(parts[1].instances(UID))


def test_instances_are_sent_unharmed(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port):
        assert send(parts, port) == ""
    assert taking.uids() == UIDS
    assert [request.data_set for request in taking.taken] == [instance.data_set for instance in STUDY.instances]
    assert {request.calling_ae_title for request in taking.taken} == {"HAGATEWAY"}
    assert parts[1].delivered(UID, "REMOTE") == set(UIDS)
    assert [
        (told["sop_instance_uid"], told["status"], told["destination"], told["transfer_syntax_uid"])
        for told in events(parts[1], "InstanceForwarded")
    ] == [(uid, "0000", "REMOTE", EXPLICIT) for uid in UIDS]


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(parts: tuple[Store, Index], status: int) -> None:
    with remote() as (taking, port):
        taking.answers = dict.fromkeys(UIDS, Response(status))
        assert send(parts, port) == ""
    assert parts[1].delivered(UID, "REMOTE") == set(UIDS)
    assert {event["status"] for event in events(parts[1], "InstanceForwarded")} == {f"{status:04X}"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, "out of resources"),
        (0xA900, "data set does not match SOP class"),
        (0xC000, "cannot understand"),
        (0x0122, "SOP class not supported"),
        (0x0110, "no status of C-STORE"),
    ],
)
def test_a_failure_does_not_and_the_rest_is_sent(parts: tuple[Store, Index], status: int, words: str) -> None:
    with remote() as (taking, port):
        taking.answers = {UIDS[1]: Response(status, "no room")}
        problem = send(parts, port)
    said = f'{UIDS[1]}: answered {status:04X} ({words}) "no room"'
    assert problem == f"1 of 4 instances were not stored; the first: {said}"
    assert parts[1].delivered(UID, "REMOTE") == {UIDS[0], UIDS[2], UIDS[3]}


def test_nobody_is_there(parts: tuple[Store, Index]) -> None:
    with closed_port() as down:
        assert send(parts, down) == f"nothing listens on 127.0.0.1:{down}, or it cannot be reached from here"
    assert parts[1].delivered(UID, "REMOTE") == frozenset()


def test_a_destination_that_rejects_is_named_with_its_reason(parts: tuple[Store, Index]) -> None:
    with remote(ae_title="SOMEONE") as (_, port):
        problem = send(parts, port)
    assert "rejected the association of HAGATEWAY permanently: called AE title not recognised" in problem


def test_a_destination_that_aborts(parts: tuple[Store, Index]) -> None:
    def abort(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(ABORT)
        connection.recv(1)

    with peer(abort) as port:
        problem = send(parts, port)
    assert f"REMOTE@127.0.0.1:{port} ended the connection" in problem


def test_a_destination_that_takes_the_connection_and_says_nothing(parts: tuple[Store, Index]) -> None:
    def listen(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.recv(1)

    with peer(listen) as port:
        problem = forwarder(parts, port, acse=0.3).send(parts[1].instances(UID))
    assert problem == f"REMOTE@127.0.0.1:{port} took the connection but did not answer within 0.3 s"


@contextmanager
def playing(*steps: dict[str, Any]) -> Iterator[int]:
    """Hold the port of a remote SCP that plays a script, all of which must go as written."""
    told: list[Event] = []
    scripted = RawPeer(script(steps), told.append)
    try:
        yield scripted.listen()
        assert scripted.join(PATIENCE)
    finally:
        scripted.stop()
    assert [event.problem for event in told if isinstance(event, ScriptEnded)] == [""]


ASSOCIATED = ({"recv": "A-ASSOCIATE-RQ"}, {"send": {"pdu": "A-ASSOCIATE-AC"}})
STORED = ({"recv": "C-STORE-RQ"}, {"send": {"message": "C-STORE-RSP"}})
HALF_A_PDU = {"send": {"hex": "04 00 0000 0064 0000 0060 01 03"}}
END = {"await_end": "any", "within": PATIENCE}


@pytest.mark.parametrize("limit", ["acse", "pdu"])
def test_half_an_acceptance_is_not_waited_for(parts: tuple[Store, Index], limit: str) -> None:
    with playing(ASSOCIATED[0], {"send": {"hex": "02 00 0000 00b4 0001"}}, END) as port:
        problem = forwarder(parts, port, **{limit: 0.3}).send(parts[1].instances(UID))
    assert problem.endswith("in time: the beginning of A-ASSOCIATE-AC announced with 180 bytes came")


@pytest.mark.parametrize("limit", ["dimse", "pdu"])
def test_half_a_response_is_not_waited_for_and_what_was_stored_before_counts(
    parts: tuple[Store, Index], limit: str
) -> None:
    with playing(*ASSOCIATED, *STORED, {"recv": "C-STORE-RQ"}, HALF_A_PDU, END) as port:
        problem = forwarder(parts, port, **{limit: 0.3}).send(parts[1].instances(UID))
    assert problem.endswith("gave no whole answer in time: the beginning of P-DATA-TF announced with 100 bytes came")
    assert parts[1].delivered(UID, "REMOTE") == {UIDS[0]}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"command_field": 0x8030}, "answered another message than the one it was sent"),
        ({"command_field": 0x8130}, "answered another message than the one it was sent"),
        ({"message_id_being_responded_to": 1}, "answered another message than the one it was sent"),
        ({"context_id": 3}, "answered in presentation context 3; it was asked in 1"),
        ({"context_id": 99}, "presentation context ID 99 at byte 10 is none accepted (1, 3)"),
        ({"affected_sop_class_uid": "1.9"}, "answered about another SOP class (1.9)"),
        ({"affected_sop_instance_uid": "1.9"}, "answered about another SOP instance (1.9)"),
    ],
)
def test_a_success_of_something_else_is_none(parts: tuple[Store, Index], answer: dict[str, Any], words: str) -> None:
    wrong = {"send": {"message": "C-STORE-RSP", **answer}}
    with playing(*ASSOCIATED, *STORED, {"recv": "C-STORE-RQ"}, wrong, {"recv": "A-ABORT"}, END) as port:
        assert words in send(parts, port)
    assert parts[1].delivered(UID, "REMOTE") == {UIDS[0]}
    assert [told["sop_instance_uid"] for told in events(parts[1], "InstanceForwarded")] == UIDS[:1]


def test_a_file_that_is_gone_fails_and_the_rest_is_sent(parts: tuple[Store, Index], tmp_path: Path) -> None:
    rows = parts[1].instances(UID)
    (tmp_path / "instances" / rows[0].file).unlink()
    (tmp_path / "instances" / rows[1].file).write_bytes(b"no longer a DICOM file")
    with remote() as (taking, port):
        assert send(parts, port).startswith(f"2 of 4 instances were not stored; the first: {UIDS[0]}: ")
    assert taking.uids() == UIDS[2:]


@pytest.mark.parametrize("held", [IMPLICIT, BIG_ENDIAN, JPEG_LS])
def test_what_the_destination_does_not_take_as_it_is_held_goes_uncompressed(
    held: str, parts: tuple[Store, Index]
) -> None:
    other = a_study("other", transfer_syntax=held)
    rows = keep(other, *parts)
    with remote() as (taking, port):  # takes Explicit VR Little Endian alone
        assert forwarder(parts, port).send(rows) == ""
    assert [request.transfer_syntax_uid for request in taking.taken] == [EXPLICIT]
    assert taking.taken[0].data_set == transcoding.transcoded(outgoing(other.instances[0]), EXPLICIT).data_set
    assert [told["transfer_syntax_uid"] for told in events(parts[1], "InstanceForwarded")] == [EXPLICIT]


def test_what_is_compressed_stays_so_where_the_destination_takes_that(parts: tuple[Store, Index]) -> None:
    other = a_study("other", transfer_syntax=JPEG_LS)
    rows = keep(other, *parts)
    with accepting((EXPLICIT, JPEG_LS, IMPLICIT)) as (taking, port):
        assert forwarder(parts, port).send(rows) == ""
    assert [(got.transfer_syntax_uid, got.data_set) for got in taking.taken] == [(JPEG_LS, other.instances[0].data_set)]


def test_a_syntax_that_cannot_be_reached_fails_with_both_names_and_the_rest_is_sent(
    parts: tuple[Store, Index],
) -> None:
    ultrasound = a_study("colour", by_name("Ultrasound Image"), transfer_syntax=JPEG_BASELINE)
    rows = (*keep(ultrasound, *parts), *parts[1].instances(UID))
    with accepting((JPEG_BASELINE,)) as (taking, port):
        problem = forwarder(parts, port).send(rows)
    assert taking.uids() == [ultrasound.instances[0].sop_instance_uid]
    assert problem.startswith(f"4 of 5 instances were not stored; the first: {UIDS[0]}: ")
    assert "it is held in Explicit VR Little Endian, and REMOTE@127.0.0.1" in problem
    offered = "Explicit VR Little Endian, Implicit VR Little Endian"
    assert problem.endswith(f"takes CT Image Storage in none of {offered} (transfer syntaxes not supported)")


def test_what_cannot_be_decoded_fails_with_the_reason(parts: tuple[Store, Index], tmp_path: Path) -> None:
    other = a_study("broken", transfer_syntax=JPEG_LS)
    rows = keep(other, *parts)
    file = tmp_path / "instances" / rows[0].file
    content = file.read_bytes()
    file.write_bytes(content.replace(b"\xff\xd8\xff", b"\0\0\0", 1))
    with remote() as (taking, port):
        problem = forwarder(parts, port).send(rows)
    assert taking.taken == []
    assert "it is held in JPEG-LS Lossless Image Compression, REMOTE@127.0.0.1" in problem
    assert "takes it in Explicit VR Little Endian, and it cannot be brought there without loss: frame 1" in problem


def test_more_contexts_than_an_association_proposes_make_several(parts: tuple[Store, Index]) -> None:
    """Each class needs one for every transfer syntax that is held, and one for each uncompressed syntax."""
    syntaxes = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, RLE)
    rows: list[InstanceRow] = []
    classes = [keyword for keyword, kind in CLASSES.items() if kind.pixels.bits_allocated > 1]  # as RLE wants
    for keyword in classes:
        for syntax in syntaxes:
            rows += keep(a_study(f"{keyword}/{syntax}", by_name(keyword), transfer_syntax=syntax), *parts)
    assert len(rows) > 128
    with accepting(syntaxes, extended=True) as (taking, port):
        assert forwarder(parts, port).send(rows) == ""
    assert sorted(taking.uids()) == sorted(row.sop_instance_uid for row in rows)
    assert [request.transfer_syntax_uid for request in taking.taken].count(RLE) == len(classes)


def test_a_stop_breaks_off_after_the_instance_in_hand(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    with remote() as (taking, port), ThreadPoolExecutor(1) as beside:
        taking.on_store = wait
        sending = forwarder(parts, port)
        broken_off = beside.submit(sending.send, parts[1].instances(UID))
        assert begun.wait(PATIENCE)
        sending.stop()
        go_on.set()
        assert broken_off.result(PATIENCE) == "3 of 4 instances were not stored; the first: the gateway stops"
    assert taking.uids() == UIDS[:1]
    assert parts[1].delivered(UID, "REMOTE") == {UIDS[0]}


def test_hanging_up_ends_the_wait_for_an_answer(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    with remote() as (taking, port), ThreadPoolExecutor(1) as beside:
        taking.on_store = hang
        sending = forwarder(parts, port)
        waiting = beside.submit(sending.send, parts[1].instances(UID))
        assert begun.wait(PATIENCE)
        sending.hang_up()
        assert f"REMOTE@127.0.0.1:{port} ended the association" in waiting.result(PATIENCE)
        go_on.set()
    assert parts[1].delivered(UID, "REMOTE") == frozenset()
