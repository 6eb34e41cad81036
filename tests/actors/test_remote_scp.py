from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import pytest
from pydicom import dcmread

from simulator.actors.remote_scp import Behaviour, RemoteSCP, WrongAnswer
from simulator.errors import ContextNotAccepted, PeerAborted, PeerRefused, PeerSilent, PeerUnreachable, StartError
from simulator.events import Event, InstanceReceived, LengthsMeasured
from simulator.wire import data_set
from simulator.wire.association import Address, Association, Context, Outgoing, Response, TimeOuts
from tests.synthesis.made import CT, EXPLICIT, a_study
from tests.wire import pdus
from tests.wire.sockets import HOST, PATIENCE, connected, silent_peer

CONTEXTS = [Context(CT.uid, (EXPLICIT,))]
STUDY = a_study(instances=2)
INSTANCES = [Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in STUDY.instances]


@contextmanager
def a_remote(out: Path | None = None) -> Iterator[tuple[Address, list[InstanceReceived]]]:
    events: list[InstanceReceived] = []

    def observe(event: Event) -> None:
        assert isinstance(event, InstanceReceived)
        events.append(event)

    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, observe, out=out, observer="the-remote")
    port = remote.start()
    try:
        yield Address("PACS", HOST, port), events
    finally:
        remote.stop()


def send(address: Address, *instances: Outgoing) -> list[Response]:
    with Association.request("GATEWAY", address, CONTEXTS) as association:
        return [association.store(instance) for instance in instances]


def test_what_arrives_is_told_with_its_digests() -> None:
    with a_remote() as (address, events):
        assert send(address, *INSTANCES) == [Response(0x0000)] * 2
    for event, instance in zip(events, INSTANCES, strict=True):
        assert (event.observer, event.calling_ae_title, event.status) == ("the-remote", "GATEWAY", "0000")
        assert (event.sop_instance_uid, event.sop_class_uid) == (instance.sop_instance_uid, CT.uid)
        assert (event.study_instance_uid, event.transfer_syntax_uid) == (STUDY.study_instance_uid, EXPLICIT)
        assert event.data_set_digest == data_set.digest(instance.data_set)
        assert event.pixel_data_digest == data_set.pixel_data_digest(instance.data_set, EXPLICIT)


def test_files_are_written_that_others_can_read(tmp_path: Path) -> None:
    out = tmp_path / "made" / "when needed"
    with a_remote(out) as (address, _):
        send(address, *INSTANCES, INSTANCES[0])
    files = list(out.iterdir())
    assert len(files) == 2
    found = {str(read.SOPInstanceUID): file.read_bytes() for file in files for read in [dcmread(file)]}
    for instance in INSTANCES:
        assert found[instance.sop_instance_uid].endswith(instance.data_set)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_no_uid_becomes_a_path(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with a_remote(out) as (address, _):
        evil = Outgoing(CT.uid, "../../evil", EXPLICIT, INSTANCES[0].data_set)
        assert send(address, evil) == [Response(0x0000)]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == list(out.iterdir())


def test_a_folder_that_is_gone_is_answered_as_such(tmp_path: Path) -> None:
    with a_remote(tmp_path / "out") as (address, events):
        shutil.rmtree(tmp_path / "out")
        [answer] = send(address, INSTANCES[0])
    assert answer == Response(0xA700, "cannot be written: No such file or directory")
    assert events[0].status == "A700"


def test_what_is_broken_is_taken_as_it_is() -> None:
    cut = Outgoing(CT.uid, "1.2.3", EXPLICIT, INSTANCES[0].data_set[:-10])
    with a_remote() as (address, events):
        assert send(address, cut) == [Response(0x0000)]
    assert (events[0].study_instance_uid, events[0].pixel_data_digest) == ("", "")
    assert events[0].data_set_digest == data_set.digest(cut.data_set)


def test_another_title_is_rejected() -> None:
    with a_remote() as (address, events), pytest.raises(PeerRefused):
        send(Address("OTHER", HOST, address.port), INSTANCES[0])
    assert events == []


def test_a_port_in_use_is_named() -> None:
    with silent_peer() as port, pytest.raises(StartError, match=f"cannot listen on {HOST}:{port}"):
        RemoteSCP("PACS", HOST, port, CONTEXTS, lambda _: None).start()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(StartError, match="cannot be written to"):
        RemoteSCP("PACS", HOST, 0, CONTEXTS, lambda _: None, out=tmp_path / "out").start()


@contextmanager
def behaving(behaviour: Behaviour) -> Iterator[tuple[Address, list[Event]]]:
    events: list[Event] = []
    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, events.append, behaviour=behaviour)
    try:
        yield Address("PACS", HOST, remote.start()), events
    finally:
        remote.stop()


def statuses(events: list[Event]) -> list[str]:
    return [event.status for event in events if isinstance(event, InstanceReceived)]


def test_it_answers_as_told_so_many_times_and_then_stores() -> None:
    with behaving(Behaviour(status=0xA700, times=3)) as (address, events):
        answers = [*send(address, *INSTANCES), *send(address, *INSTANCES)]  # requests count over associations
    assert [answer.status_text for answer in answers] == ["A700", "A700", "A700", "0000"]
    assert statuses(events) == ["A700", "A700", "A700", "0000"]


def test_it_answers_so_for_ever() -> None:
    with behaving(Behaviour(status=0xB000)) as (address, _):
        assert [answer.status_text for answer in send(address, *INSTANCES * 2)] == ["B000"] * 4


def test_it_writes_no_file_of_what_it_refuses(tmp_path: Path) -> None:
    behaviour = Behaviour(status=0xA700, times=1)
    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, lambda _: None, out=tmp_path, behaviour=behaviour)
    try:
        send(Address("PACS", HOST, remote.start()), *INSTANCES)
    finally:
        remote.stop()
    assert [dcmread(file).SOPInstanceUID for file in tmp_path.iterdir()] == [INSTANCES[1].sop_instance_uid]


def test_it_aborts_at_a_request_and_takes_the_next_association() -> None:
    with behaving(Behaviour(aborts_at=2)) as (address, events):
        with pytest.raises(PeerAborted):
            send(address, *INSTANCES)
        assert [answer.status for answer in send(address, *INSTANCES)] == [0x0000] * 2
    assert statuses(events) == ["0000", "", "0000", "0000"]


def test_it_never_answers_a_request_until_it_is_stopped() -> None:
    with behaving(Behaviour(hangs_at=1)) as (address, events):
        impatient = TimeOuts(dimse=0.3)
        with (
            pytest.raises(PeerSilent),
            Association.request("GATEWAY", address, CONTEXTS, impatient) as association,
        ):
            association.store(INSTANCES[0])
        assert [answer.status for answer in send(address, *INSTANCES)] == [0x0000] * 2
    assert statuses(events) == ["", "0000", "0000"]


def test_it_rejects_every_association() -> None:
    with behaving(Behaviour(rejects=(1, 1, 3))) as (address, events), pytest.raises(PeerRefused):
        send(address, *INSTANCES)
    assert events == []


def test_it_rejects_as_told_so_many_times_and_then_takes() -> None:
    with behaving(Behaviour(rejects=(2, 3, 1), rejections=2)) as (address, events):
        for _ in range(2):
            with pytest.raises(PeerRefused) as refused:
                send(address, *INSTANCES)
            assert (refused.value.result, refused.value.source, refused.value.reason) == (2, 3, 1)
        assert [answer.status for answer in send(address, *INSTANCES)] == [0x0000] * 2
    assert statuses(events) == ["0000", "0000"]


@pytest.mark.parametrize(("result", "words"), [(1, "user-rejection"), (2, "no-reason")])
def test_it_accepts_the_association_and_no_context(result: Literal[1, 2], words: str) -> None:
    refusing = behaving(Behaviour(context_result=result))
    with refusing as (address, events), pytest.raises(ContextNotAccepted) as refused:
        send(address, *INSTANCES)
    assert refused.value.answers == (words,)
    assert events == []


@pytest.mark.parametrize("announced", [64, 1024, 0])
def test_it_tells_of_the_longest_that_came(announced: int) -> None:
    events: queue.Queue[Event] = queue.Queue()
    remote = RemoteSCP(
        "PACS", HOST, 0, CONTEXTS, events.put, observer="pacs", behaviour=Behaviour(maximum_length=announced)
    )
    try:
        send(Address("PACS", HOST, remote.start()), INSTANCES[0])
        told = [events.get(timeout=PATIENCE) for _ in range(2)]
    finally:
        remote.stop()
    assert isinstance(told[0], InstanceReceived)
    measured = told[1]
    assert isinstance(measured, LengthsMeasured)
    longest = announced or len(INSTANCES[0].data_set) + 6
    assert (measured.observer, measured.announced, measured.longest) == ("pacs", announced, longest)


def test_longer_ones_are_taken_and_told() -> None:
    events: queue.Queue[Event] = queue.Queue()
    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, events.put, behaviour=Behaviour(maximum_length=64))
    try:
        with connected(remote.start()) as connection:
            connection.sendall(pdus.request(called=b"PACS"))
            assert pdus.read_pdu(connection)[0] == 0x02
            connection.sendall(pdus.data(1, 3, pdus.echo()))
            assert pdus.read_pdu(connection)[0] == 0x04
            connection.sendall(pdus.RELEASE_REQUEST)
            assert pdus.read_pdu(connection)[0] == 0x06
        measured = events.get(timeout=PATIENCE)
    finally:
        remote.stop()
    assert isinstance(measured, LengthsMeasured)
    assert (measured.announced, measured.longest) == (64, len(pdus.data(1, 3, pdus.echo())) - 6)
    assert measured.longest > 64


@pytest.mark.parametrize("wrongly", get_args(WrongAnswer))
def test_it_answers_wrongly_and_stores(wrongly: WrongAnswer) -> None:
    answering = behaving(Behaviour(answers_wrongly=wrongly))
    with answering as (address, events), pytest.raises(PeerAborted, match="answered"):
        send(address, INSTANCES[0])
    assert statuses(events) == ["0000"]


def test_nobody_listens_on_a_reserved_port_until_it_is_started() -> None:
    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, lambda _: None)
    port = remote.reserve()
    try:
        with pytest.raises(PeerUnreachable):
            send(Address("PACS", HOST, port), *INSTANCES)
        assert remote.start() == port
        assert [answer.status for answer in send(Address("PACS", HOST, port), *INSTANCES)] == [0x0000] * 2
    finally:
        remote.stop()


def test_a_reserved_port_is_given_back() -> None:
    remote = RemoteSCP("PACS", HOST, 0, CONTEXTS, lambda _: None)
    port = remote.reserve()
    remote.stop()
    another = RemoteSCP("PACS", HOST, port, CONTEXTS, lambda _: None)
    assert another.start() == port
    another.stop()
