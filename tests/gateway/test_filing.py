"""Large instances lie on the disk before they are whole, and under no instance's name until they are."""

from __future__ import annotations

import queue
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.gateway.store import Part, Store
from simulator.wire import data_set, part10, store_plane
from simulator.wire.association import Outgoing, Response
from simulator.wire.pdu_builders import message
from tests.gateway.made import a_site, contexts_of, events, outgoing, running
from tests.synthesis.made import a_study
from tests.wire import pdus
from tests.wire.listening import to_the_end
from tests.wire.sockets import PATIENCE, connected

pytestmark = pytest.mark.skipif(not store_plane.is_on(), reason="the data planes are switched off")

STUDY = a_study("large", instances=3, size=512)
INSTANCES = [outgoing(instance) for instance in STUDY.instances]
STORED = Response(0x0000)


def everything(folder: Path) -> list[Path]:
    return [file for place in ("instances", "refused") for file in (folder / place).rglob("*") if file.is_file()]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """The files that were begun before their data set was whole."""
    parts: list[Part] = []
    begin = Store.begin

    def noted(store: Store, head: bytes) -> Part:
        parts.append(begin(store, head))
        return parts[-1]

    monkeypatch.setattr(Store, "begin", noted)
    return parts


def test_the_file_is_the_same_as_if_it_were_written_at_once(tmp_path: Path, begun: list[Part]) -> None:
    with running(tmp_path) as serving:
        assert serving.send(INSTANCES) == [STORED] * 3
        rows = {row.sop_instance_uid: row for row in serving.index.instances(STUDY.study_instance_uid)}
    assert len(begun) == 3
    assert all(65536 <= part.size == len(each.data_set) for part, each in zip(begun, INSTANCES, strict=True))
    for each in INSTANCES:
        row = rows[each.sop_instance_uid]
        assert (tmp_path / "instances" / row.file).read_bytes() == part10.build(each, "MODALITY")
        assert row.data_set_digest == data_set.digest(each.data_set)
    assert len(everything(tmp_path)) == 3


def test_what_is_refused_in_the_end_is_kept_aside_whole_and_no_part_of_it_stays(
    tmp_path: Path, begun: list[Part]
) -> None:
    cut = replace(INSTANCES[0], data_set=INSTANCES[0].data_set[:-100])
    with running(tmp_path) as serving:
        assert serving.send([cut])[0].status == 0xC000
        [told] = events(serving.index, "InstanceRefused")
    assert len(begun) == 1
    assert (tmp_path / told["kept_as"]).read_bytes() == cut.data_set
    assert len(everything(tmp_path)) == 2  # and the reason why


def test_the_same_again_leaves_one_file(tmp_path: Path, begun: list[Part]) -> None:
    with running(tmp_path) as serving:
        assert serving.send([*INSTANCES, *INSTANCES]) == [STORED] * 6
    assert len(begun) == 6
    assert len(everything(tmp_path)) == 3


def test_nothing_of_a_person_is_written_before_it_is_known_who_it_is(tmp_path: Path, begun: list[Part]) -> None:
    theirs = a_study("theirs", lies={"PatientID": "A1234563"}, instances=1, size=512)
    with running(tmp_path, a_site(only_hkid_prefixes=["Q", "QX"])) as serving:
        assert serving.store(*theirs.instances)[0].status == 0x0124
        assert serving.send(INSTANCES) == [STORED] * 3
    assert not begun
    assert len(everything(tmp_path)) == 3


def test_what_does_not_come_to_its_end_is_gone(
    tmp_path: Path, begun: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: queue.Queue[Part] = queue.Queue()
    drop = Part.drop

    def noted(part: Part) -> None:
        drop(part)
        dropped.put(part)

    monkeypatch.setattr(Part, "drop", noted)
    instance = INSTANCES[0]
    [context] = contexts_of([instance])
    request = pdus.request(
        b"HAGATEWAY", b"MODALITY", proposed=((1, context.abstract_syntax_uid, context.transfer_syntax_uids[0]),)
    )
    with running(tmp_path) as serving:
        with connected(serving.ready.dicom_port) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(request)
            assert pdus.read_pdu(connection)[0] == 0x02
            connection.sendall(sent(instance)[:300_000])
            connection.shutdown(socket.SHUT_WR)
            to_the_end(connection)
        assert dropped.get(timeout=PATIENCE) is begun[0]
        assert everything(tmp_path) == []
        assert serving.send(INSTANCES) == [STORED] * 3


def sent(instance: Outgoing) -> bytes:
    """Return the instance as a C-STORE-RQ on presentation context 1."""
    request = store_plane.store_request(1, instance.sop_class_uid, instance.sop_instance_uid)
    return message(1, request, instance.data_set, maximum_length=65536)
