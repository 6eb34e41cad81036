"""A disk that is full, an index that is locked or damaged, files that are gone: served on, said, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.errors import StartError
from simulator.gateway.capacity import Capacity
from simulator.gateway.health import Health
from simulator.gateway.index import Index
from simulator.gateway.rebuild import rebuild
from simulator.gateway.server import Gateway
from simulator.quantities import size_text
from simulator.wire import data_set, part10
from simulator.wire.association import Address, Association, Outgoing, Response
from tests import processes
from tests.gateway.made import a_message, a_site, contexts_of, events, outgoing, remote, running, states, to
from tests.processes import SIMULATE, RunningGateway, await_file, end, gateway, gateway_under, run, simulate
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST, PATIENCE

STUDY = a_study(instances=3)
OTHER = a_study("other")
ORDER = an_order()
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]
STORED = Response(0x0000)


def health(url: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"{url}/health", timeout=PATIENCE, trust_env=False)
    document: dict[str, Any] = answer.json()
    return answer.status_code, document


def files(folder: Path) -> list[Path]:
    return sorted((folder / "instances").rglob("*.dcm"))


# --- one gateway a folder ----------------------------------------------------------------------------


def test_a_second_gateway_on_the_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        half = tmp_path / "instances" / "half.dcm.01234567.part"
        half.write_bytes(b"being written")
        with pytest.raises(StartError, match=rf"in use by another gateway \(process {os.getpid()}\)") as refused:
            Gateway(a_site(), tmp_path)
        assert "--data" in refused.value.hint
        assert half.read_bytes() == b"being written"
        assert first.store(STUDY.instances[0]) == [STORED]
    with running(tmp_path) as second:
        assert not half.exists()
        assert second.store(STUDY.instances[0]) == [STORED]


def test_a_gateway_that_could_not_start_leaves_the_folder_free(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StartError, match="not a database"):
        Gateway(a_site(), tmp_path)
    (tmp_path / "index.sqlite").unlink()
    with socket.create_server((HOST, 0)) as taken:
        site = a_site(gateway={"dicom_port": taken.getsockname()[1]})
        with pytest.raises(StartError, match="cannot listen"), running(tmp_path, site):
            pass
    with running(tmp_path) as started:
        assert started.store(STUDY.instances[0]) == [STORED]


# --- the disk ----------------------------------------------------------------------------------------


def test_room_is_kept_free_and_said_once_each_way(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    with running(tmp_path, a_site(storage={"keep_free": free * 2})) as full:
        answers = full.store(*STUDY.instances)
        assert {answer.status for answer in answers} == {0xA700}
        assert answers[0].error_comment == f"disk nearly full: {size_text(free * 2)} kept free"
        assert full.send([_garbled()])[0].status == 0xC000  # its own reason, though nothing can be kept aside
        status = simulate("status", "--url", full.url, folder=tmp_path)
        assert status.stdout.startswith("storage: disk nearly full: ")
        code, told = health(full.url)
        assert (code, told["healthy"]) == (503, False)
        [problem] = told["problems"]
        assert problem["part"] == "storage"
        assert "refused with A700" in problem["problem"]
        assert len(events(full.index, "HealthChanged")) == 1
        refused = events(full.index, "InstanceRefused")
        assert [event["kept_as"] for event in refused] == [""] * 4
        assert not list((tmp_path / "refused").iterdir())
        assert full.order(a_message(ORDER)).code == "AA"
        full.gateway._capacity = Capacity(tmp_path, 0, full.gateway.health)  # as if somebody had made room
        assert full.store(*STUDY.instances) == [STORED] * 3
        assert health(full.url) == (200, {"healthy": True, "problems": []})
        assert [event["problem"] == "" for event in events(full.index, "HealthChanged")] == [False, True]
        full.await_state(STUDY, "matched")
    with running(tmp_path, a_site(storage={"keep_free": free * 2})) as full:
        assert full.store(*STUDY.instances) == [STORED] * 3  # they are held, and need no room


def _garbled() -> Outgoing:
    instance = STUDY.instances[0]
    cut = instance.data_set[:-10]
    return Outgoing(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, cut)


def test_what_cannot_be_kept_aside_is_answered_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as gateway_:
        shutil.rmtree(tmp_path / "refused")
        (tmp_path / "refused").write_bytes(b"")
        [answer] = gateway_.send([_garbled()])
        assert answer.status == 0xC000
        assert gateway_.order(b"MSH|^~\\&|no message").code == "AR"
        assert events(gateway_.index, "InstanceRefused")[0]["kept_as"] == ""
        assert events(gateway_.index, "MessageRefused")[0]["kept_as"] == ""
        assert health(gateway_.url)[0] == 503


def send(gateway_: RunningGateway, instances: list[Outgoing]) -> list[Response]:
    address = Address(gateway_.ae_title, HOST, gateway_.dicom_port)
    with Association.request("MODALITY", address, contexts_of(instances)) as association:
        return [association.store(instance) for instance in instances]


def test_a_file_that_grows_too_large_for_the_disk_is_refused(tmp_path: Path) -> None:
    """A limit of the system's on what a process may write: for a file, the same as a full disk."""
    small = [outgoing(instance) for instance in STUDY.instances]
    large = [outgoing(instance) for instance in a_study("large", size=2048).instances]
    with gateway_under(["prlimit", "--fsize=6000000"], tmp_path) as limited:
        answers = send(limited, [small[0], large[0], *small[1:]])
        assert [answer.status for answer in answers] == [0, 0xA700, 0, 0]
        assert answers[1].error_comment == "the data folder cannot be written: File too large"
        limited.await_states(1)
    assert len(files(tmp_path / "data")) == 3
    assert not list((tmp_path / "data").rglob("*.part"))


MOUNTING = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)


@pytest.mark.skipif(MOUNTING.returncode != 0, reason="this machine lets nobody mount a file system of his own")
def test_a_disk_that_is_full_to_the_last_byte(tmp_path: Path) -> None:
    """A disk of 4 MiB of the gateway's own, on which nothing is kept free, so that the index runs full as well."""
    studies = (a_study("large", instances=8, size=512), a_study("small", instances=200))
    instances = [outgoing(instance) for study in studies for instance in study.instances]
    (tmp_path / "data").mkdir()
    mount = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
    before = ["unshare", "-rm", "sh", "-c", mount, tmp_path / "data"]
    with gateway_under(before, tmp_path, storage={"keep_free": 0}) as full:
        seen = Path(f"/proc/{full.pid}/root{tmp_path / 'data'}")
        answers = send(full, instances)
        refused = [instance for instance, answer in zip(instances, answers, strict=True) if answer.status]
        assert {answer.status for answer in answers} == {0x0000, 0xA700}
        comments = {answer.error_comment for answer in answers if answer.status}
        # Which of them runs full first depends on how large the index is just then.
        known = ("disk nearly full: ", "the data folder cannot be written: No space", "the index cannot be used: ")
        assert all(comment.startswith(known) for comment in comments)
        assert health(full.http_url)[0] == 503
        remount = ["nsenter", "-t", str(full.pid), "-U", "-m", "--preserve-credentials"]
        run([*remount, "mount", "-o", "remount,size=64m", "tmpfs", tmp_path / "data"], tmp_path).check_returncode()
        assert {answer.status for answer in send(full, refused)} == {0x0000}
        assert health(full.http_url) == (200, {"healthy": True, "problems": []})
        assert [study["instances"] for study in full.await_states(2)] == [8, 200]
        held = [part10.read(file.read_bytes()) for file in files(seen)]
        assert {i.sop_instance_uid: i.data_set for i in held} == {i.sop_instance_uid: i.data_set for i in instances}
        assert end(full.process) == 0, (tmp_path / "gateway.log").read_text()


# --- the index ---------------------------------------------------------------------------------------


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the index as another program would that writes to it and does not end."""
    other = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_an_index_that_is_locked_refuses_and_then_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as gateway_:
        gateway_.order(a_message(ORDER))
        gateway_.store(STUDY.instances[0])
        with locked(tmp_path):
            [answer] = gateway_.store(OTHER.instances[0])
            assert answer == Response(0xA700, "the index cannot be used: database is locked")
            refused = gateway_.order(a_message(an_order("another")))
            assert (refused.code, refused.text) == ("AE", "the message cannot be kept: database is locked")
            code, told = health(gateway_.url)
            assert (code, [problem["part"] for problem in told["problems"]]) == (503, ["index"])
            assert httpx.get(f"{gateway_.url}/studies", timeout=PATIENCE, trust_env=False).status_code == 200
        assert gateway_.store(*STUDY.instances) == [STORED] * 3
        assert health(gateway_.url)[0] == 200
        gateway_.await_state(STUDY, "matched")  # though it could not be decided while it was locked


def test_an_instance_that_the_index_cannot_take_yet_is_stored_and_indexed_later(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"quiet_period": 3600})) as gateway_:
        assert gateway_.store(STUDY.instances[0]) == [STORED]
        with locked(tmp_path):
            assert gateway_.store(STUDY.instances[1]) == [STORED]  # its file is complete
            assert gateway_.store(STUDY.instances[2])[0].status in (0x0000, 0xA700)  # by whether it was noticed yet
            assert len(files(tmp_path)) >= 2
        assert gateway_.store(*STUDY.instances) == [STORED] * 3
        assert [event["sop_instance_uid"] for event in events(gateway_.index, "InstanceStored")] == UIDS
        assert health(gateway_.url)[0] == 200


def test_a_stop_while_the_index_is_locked_says_so_by_its_exit_code(tmp_path: Path) -> None:
    with gateway(tmp_path, gateway={"quiet_period": 3600}) as process:
        assert send(process, [outgoing(STUDY.instances[0])]) == [STORED]
        with locked(tmp_path / "data"):
            assert send(process, [outgoing(STUDY.instances[1])]) == [STORED]
            assert send(process, [outgoing(OTHER.instances[0])])[0].status == 0xA700
            assert end(process.process) == 3
    log = " ".join((tmp_path / "gateway.log").read_text(encoding="utf-8").split())
    assert "the gateway stopped while the index cannot be used: database is locked" in log
    with gateway(tmp_path) as again:
        again.await_states(1)
        assert send(again, [outgoing(instance) for instance in STUDY.instances]) == [STORED] * 3


def filled(folder: Path) -> None:
    """Leave a folder with a forwarded study, and an order that waits for its study."""
    with remote() as (_, port), running(folder, a_site(forwarding={"destinations": [to(port)]})) as gateway_:
        gateway_.order(a_message(an_order("waiting")))
        gateway_.order(a_message(ORDER))
        gateway_.store(*STUDY.instances)
        gateway_.await_state(STUDY, "forwarded")


def scratch(file: Path, place: int, length: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(os.urandom(length))


def start(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run([*SIMULATE, "gateway", "--data", folder, *options], folder)


@pytest.mark.parametrize("damage", ["beginning", "middle", "short"])
def test_a_damaged_index_is_refused_with_advice(tmp_path: Path, damage: str) -> None:
    filled(tmp_path)
    file = tmp_path / "index.sqlite"
    size = file.stat().st_size
    if damage == "short":
        os.truncate(file, size // 2)
    else:
        scratch(file, 0 if damage == "beginning" else 4096, 3000)
    before = file.read_bytes()
    done = start(tmp_path)
    assert done.returncode == 3
    said = " ".join(done.stderr.split())
    assert f"the index {file} cannot be used" in said
    assert "--rebuild-index" in said
    assert "Traceback" not in said
    assert file.read_bytes() == before


def test_an_index_that_is_locked_at_the_start_is_another_matter(tmp_path: Path) -> None:
    filled(tmp_path)
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    done = start(tmp_path)
    other.close()
    assert done.returncode == 3
    assert "another program holds it" in " ".join(done.stderr.split())
    assert "rebuild" not in done.stderr


def test_a_rebuilt_index_has_what_could_be_read_and_every_instance(tmp_path: Path) -> None:
    filled(tmp_path)
    with sqlite3.connect(tmp_path / "index.sqlite") as other:  # what was read of it is whole, but for the instances
        other.execute("DELETE FROM instance WHERE sop_instance_uid = ?", (UIDS[2],))
    other.close()
    done = rebuild(tmp_path)
    assert done.set_aside.is_file()
    assert done.cut_short == ()
    assert (done.rows["orders"], done.rows["instance"], done.rows["delivery"]) == (2, 2, 3)
    with remote() as (destination, port):
        with running(tmp_path, a_site(forwarding={"destinations": [to(port)]})) as gateway_:
            gateway_.await_event("InstanceStored", sop_instance_uid=UIDS[2])
            gateway_.await_state(STUDY, "forwarded", after=gateway_.last - 3)
            assert gateway_.index.sizes(UID) == (3, 1)
            assert [order.accession_number for order in gateway_.index.orders()] == [
                an_order("waiting").accession_number,
                ORDER.accession_number,
            ]
        assert destination.uids() == []  # its deliveries were read


def test_an_index_of_another_version_is_not_taken_over_and_stays_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path)
    file = tmp_path / "index.sqlite"
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 2")
    other.close()
    before = file.read_bytes()
    with pytest.raises(StartError, match="written by another version"):
        rebuild(tmp_path)
    assert not list(tmp_path.glob("*damaged*"))
    assert file.read_bytes() == before


def test_an_index_of_which_nothing_can_be_read_is_rebuilt_from_the_files(tmp_path: Path) -> None:
    filled(tmp_path)
    scratch(tmp_path / "index.sqlite", 0, (tmp_path / "index.sqlite").stat().st_size)
    site = tmp_path / "site.yaml"
    site.write_text(json.dumps({"gateway": {"dicom_port": 0, "hl7_port": 0, "http_port": 0, "quiet_period": 0.1}}))
    ready = tmp_path / "ready.json"
    options = ["--site", site, "--data", tmp_path, "--ready-file", ready, "--rebuild-index"]
    log = tmp_path / "log"
    with processes.running([*SIMULATE, "gateway", *options], tmp_path, log) as process:
        told = json.loads(await_file(ready, process, log))
        gateway_ = RunningGateway(process=process, folder=tmp_path, **told)
        [study] = gateway_.await_states(1)
        assert (study["instances"], study["reasons"]) == (3, ["order.not-found"])
        assert end(process) == 0
        assert process.stdout is not None
        said = process.stdout.read()
    assert "Read from it: nothing" in said
    assert "have orders sent again" in said


def test_there_is_nothing_to_rebuild_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="nothing to rebuild"):
        rebuild(tmp_path)
    filled(tmp_path)
    with running(tmp_path), pytest.raises(StartError, match="in use by another gateway"):
        rebuild(tmp_path)


# --- what a power cut may leave ----------------------------------------------------------------------


def test_an_instance_whose_file_is_gone_is_told_of_and_taken_anew(tmp_path: Path) -> None:
    with running(tmp_path) as gateway_:
        gateway_.order(a_message(ORDER))
        gateway_.store(*STUDY.instances)
        gateway_.await_state(STUDY, "matched")
        row = gateway_.index.instance(UIDS[1])
        assert row is not None
        (tmp_path / "instances" / row.file).unlink()
        # While it runs: 0000 must mean that it is there.
        assert gateway_.store(STUDY.instances[1]) == [STORED]
        assert (tmp_path / "instances" / row.file).is_file()
        assert [event["sop_instance_uid"] for event in events(gateway_.index, "InstanceLost")] == [UIDS[1]]
        gateway_.await_state(STUDY, "matched", after=gateway_.last - 3)
    for file in files(tmp_path):
        file.unlink()
    with running(tmp_path) as gateway_:
        assert sorted(e["sop_instance_uid"] for e in events(gateway_.index, "InstanceLost")[1:]) == sorted(UIDS)
        assert gateway_.index.sizes(UID) == (0, 0)
        assert gateway_.store(*STUDY.instances) == [STORED] * 3
        gateway_.await_event("StudyChanged", after=gateway_.last - 5, study_instance_uid=UID, state="matched")


def test_a_torn_file_that_is_not_indexed_is_moved_aside(tmp_path: Path) -> None:
    with running(tmp_path) as gateway_:
        gateway_.store(*STUDY.instances)
        gateway_.await_state(STUDY, "unmatched")
    torn = files(tmp_path)[0]
    instance = part10.read(torn.read_bytes())
    with sqlite3.connect(tmp_path / "index.sqlite") as other:
        other.execute("DELETE FROM instance WHERE sop_instance_uid = ?", (instance.sop_instance_uid,))
    other.close()
    torn.write_bytes(torn.read_bytes()[:-100])
    with running(tmp_path) as gateway_:
        assert gateway_.index.sizes(UID) == (2, 1)
        assert not torn.exists()
        [aside] = (tmp_path / "refused").glob("*.dcm-damaged")
        assert "truncated" in json.loads(aside.with_suffix(".json").read_text())["why"]
        assert gateway_.store(*STUDY.instances) == [STORED] * 3
        assert data_set.digest(part10.read(torn.read_bytes()).data_set) == data_set.digest(instance.data_set)


@pytest.mark.skipif(MOUNTING.returncode != 0, reason="this machine lets nobody mount a file system of his own")
def test_a_folder_that_can_only_be_read_stops_the_start_with_its_reason(tmp_path: Path) -> None:
    """A file system mounted read-only, since a folder's own mode keeps no root from writing."""
    mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    (tmp_path / "data").mkdir()
    before = ["unshare", "-rm", "sh", "-c", mount, tmp_path / "data"]
    ended = run([*before, *SIMULATE, "gateway", "--data", tmp_path / "data"], tmp_path)
    assert ended.returncode == 3
    assert f"the data folder {tmp_path / 'data'} cannot be used: Read-only file system" in ended.stderr


# --- purging -----------------------------------------------------------------------------------------


def test_a_purge_that_was_cut_off_is_finished_and_nothing_is_sent_again(tmp_path: Path) -> None:
    filled(tmp_path)
    with sqlite3.connect(tmp_path / "index.sqlite") as other:  # as if killed when one of three files was gone
        other.execute("UPDATE retention SET purging = 1")
    other.close()
    files(tmp_path)[0].unlink()
    with remote() as (destination, port):
        site = a_site(forwarding={"destinations": [to(port)]}, storage={"retention": "30 d"})
        with running(tmp_path, site) as gateway_:
            purged = gateway_.await_event("StudyPurged", study_instance_uid=UID)
            assert purged["instances"] == 3
            assert files(tmp_path) == []
            assert events(gateway_.index, "InstanceLost") == []
            assert gateway_.index.purged_at(UID)
            assert states(gateway_.index, UID)[-1] == "forwarded"
            assert gateway_.store(*STUDY.instances) == [STORED] * 3
            gateway_.await_state(STUDY, "forwarded", after=gateway_.last)
            assert len(files(tmp_path)) == 3
            assert not gateway_.index.purged_at(UID)
        assert destination.uids() == []


def test_health_outlives_an_index_that_cannot_tell() -> None:
    def failing(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    health_ = Health(failing)
    health_.index_works(sqlite3.OperationalError("disk I/O error"))
    assert [trouble.problem for trouble in health_.troubles()] == ["the index cannot be used: disk I/O error"]
    health_.index_works(None)
    assert health_.troubles() == ()


def test_a_lost_study_needs_no_decision(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"quiet_period": 3600})) as gateway_:
        gateway_.store(*STUDY.instances)
    for file in files(tmp_path):
        file.unlink()
    with running(tmp_path) as gateway_:
        gateway_.gateway.decide(UID)
        assert states(gateway_.index, UID) == ["receiving"]
    index = Index(tmp_path / "index.sqlite", read_only=True)
    assert index.sizes(UID) == (0, 0)
    index.close()


def test_a_kill_is_no_clean_end(tmp_path: Path) -> None:
    with gateway(tmp_path) as killed:
        assert send(killed, [outgoing(STUDY.instances[0])]) == [STORED]
        killed.process.kill()
        assert killed.process.wait(PATIENCE) == -signal.SIGKILL
    with gateway(tmp_path) as again:  # the lock went with the process
        again.await_states(1)
