"""The gateway as a process of its own: killed, stopped, started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from simulator.errors import PeerError
from simulator.gateway.index import Index
from simulator.gateway.store import Store
from simulator.wire import data_set, hl7_acknowledgements, mllp, part10
from simulator.wire.association import Address, Association, Outgoing
from tests.gateway.made import a_message, contexts_of, outgoing
from tests.processes import DEADLINE, SIMULATE, RunningGateway, end, gateway, run
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST

STUDY = a_study(instances=60)
ORDER = an_order()
INSTANCES = [outgoing(instance) for instance in STUDY.instances]


def association(running: RunningGateway) -> Association:
    address = Address(running.ae_title, HOST, running.dicom_port)
    return Association.request("MODALITY", address, contexts_of(INSTANCES))


def place_order(running: RunningGateway, message: bytes) -> str:
    answer = mllp.exchange(HOST, running.hl7_port, message)
    return hl7_acknowledgements.read_acknowledgement(answer).code


def kill(running: RunningGateway) -> None:
    running.process.kill()
    assert running.process.wait(DEADLINE) == -signal.SIGKILL


def held(folder: Path) -> dict[str, str]:
    """Return the data set digests of all files by their SOP Instance UIDs; each file must be whole."""
    store = Store(folder)
    found: dict[str, str] = {}
    for name in store.names():
        instance = part10.read(store.read(name))
        data_set.read(instance.data_set, instance.transfer_syntax_uid, ())
        found[instance.sop_instance_uid] = data_set.digest(instance.data_set)
    return found


def digests(instances: list[Outgoing]) -> dict[str, str]:
    return {instance.sop_instance_uid: data_set.digest(instance.data_set) for instance in instances}


# --- killed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [1, 33])
def test_everything_that_was_answered_survives_a_kill(tmp_path: Path, answered: int) -> None:
    with gateway(tmp_path, gateway={"quiet_period": 3600}) as running:
        assert place_order(running, a_message(ORDER)) == "AA"
        sending = association(running)
        for instance in INSTANCES[:answered]:
            assert sending.store(instance).status == 0x0000
        kill(running)
        with pytest.raises(PeerError):
            sending.store(INSTANCES[answered])
    expected = digests(INSTANCES[:answered])
    assert expected.items() <= held(tmp_path / "data").items()
    with gateway(tmp_path) as running:
        [study] = running.await_states(1, ("matched",))
        assert study["order"] == ORDER.accession_number
        assert answered <= study["instances"] <= answered + 1  # the one in hand may have been kept, unanswered
        with association(running) as again:
            assert {again.store(instance).status for instance in INSTANCES} == {0x0000}
    assert held(tmp_path / "data") == digests(INSTANCES)


def test_it_survives_one_kill_after_the_other(tmp_path: Path) -> None:
    sent = 0
    for _ in range(2):
        with gateway(tmp_path, gateway={"quiet_period": 3600}) as running, association(running) as sending:
            for instance in INSTANCES[sent : sent + 10]:
                assert sending.store(instance).status == 0x0000
            sent += 10
            kill(running)
    with gateway(tmp_path) as running:
        [study] = running.await_states(1)
        assert study["instances"] == sent
    index = Index(tmp_path / "data" / "index.sqlite", read_only=True)
    stored = Counter(r["sop_instance_uid"] for _, r in index.events() if r["event"] == "InstanceStored")
    assert stored == Counter(instance.sop_instance_uid for instance in INSTANCES[:sent])
    assert [r["state"] for _, r in index.events() if r["event"] == "StudyChanged"] == ["receiving", "unmatched"]
    index.close()


# --- stopped -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with gateway(tmp_path) as running:
        sending = association(running)
        assert sending.store(INSTANCES[0]).status == 0x0000
        with socket.create_connection((HOST, running.hl7_port), DEADLINE):
            assert end(running.process, number) == 0
        sending.abort()
    log = (tmp_path / "gateway.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert held(tmp_path / "data") == digests(INSTANCES[:1])
    assert not list((tmp_path / "data").glob("*-wal"))  # the index was closed


def test_it_stops_while_a_study_is_being_forwarded_and_goes_on(tmp_path: Path) -> None:
    with socket.socket() as down:
        down.bind((HOST, 0))
        destination = {"ae_title": "REMOTE", "port": down.getsockname()[1]}
        forwarding = {"destinations": [destination], "attempts": 9, "retry_after": 3600}
        with gateway(tmp_path, forwarding=forwarding) as running:
            place_order(running, a_message(ORDER))
            with association(running) as sending:
                sending.store(INSTANCES[0])
            running.await_states(1, ("forwarding",))
            assert end(running.process) == 0
        with gateway(tmp_path, forwarding=forwarding) as running:
            assert running.studies()[0]["state"] in ("forwarding", "matched")


# --- not started -------------------------------------------------------------------------------------


def start(folder: Path, site: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run a gateway that is expected to end by itself."""
    profile = folder / "site.yaml"
    profile.write_text(json.dumps(site), encoding="utf-8")
    ready = folder / "ready.json"
    command = [*SIMULATE, "gateway", "--site", profile, "--data", folder / "data", "--ready-file", ready]
    done = run(command, folder)
    assert not ready.exists()
    return done


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        number = listener.getsockname()[1]
        done = start(tmp_path, {"gateway": {"dicom_port": number, "hl7_port": 0, "http_port": 0}})
    assert done.returncode == 3
    assert f"127.0.0.1:{number}" in done.stderr
    assert "another program uses the port" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
