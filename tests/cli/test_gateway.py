"""`simulate gateway` as a process: when it is ready, how it ends, and what stands in its way."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests import processes
from tests.processes import FREE_PORTS, SIMULATE, simulate
from tests.synthesis import made

PORTS = ("dicom_port", "hl7_port", "http_port")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_ready_file_appears_whole_once_every_port_listens(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        told = json.loads((tmp_path / "ready.json").read_text(encoding="utf-8"))
        assert set(told) == {"pid", "ae_title", "dicom_port", "hl7_port", "http_url", "dicom_tls_port"}
        assert (told["pid"], told["ae_title"]) == (gateway.process.pid, "HAGATEWAY")
        assert told["http_url"].startswith("http://127.0.0.1:")
        assert listens(told["dicom_port"])
        assert listens(told["hl7_port"])
        assert httpx.get(f"{told['http_url']}/studies").json() == {"studies": []}
        assert [file.name for file in tmp_path.iterdir() if file.name.startswith("ready")] == ["ready.json"]
        assert gateway.process.stdout is not None
        printed = [gateway.process.stdout.readline().split(None, 1) for _ in range(4)]
        assert printed == [
            ["DICOM", f"HAGATEWAY@127.0.0.1:{told['dicom_port']}\n"],
            ["HL7", f"127.0.0.1:{told['hl7_port']} (MLLP)\n"],
            ["HTTP", f"{told['http_url']}/studies\n"],
            ["Data", f"{tmp_path / 'data'}\n"],
        ]


def test_a_ready_file_of_an_earlier_run_means_nothing(tmp_path: Path) -> None:
    """Whoever waits for the file must not be told the ports of a gateway that is gone."""
    (tmp_path / "site.yaml").write_text(json.dumps({"gateway": FREE_PORTS}), encoding="utf-8")
    ready, log = tmp_path / "new folder" / "ready", tmp_path / "log"
    ready.parent.mkdir()
    ready.write_text("{}", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = {"gateway": FREE_PORTS | {"dicom_port": other.getsockname()[1]}}
        (tmp_path / "busy.yaml").write_text(json.dumps(busy), encoding="utf-8")
        failed = simulate("gateway", "--site", "busy.yaml", "--data", "data", "--ready-file", ready, folder=tmp_path)
    assert failed.returncode == 3
    assert not ready.exists()
    command = [*SIMULATE, "gateway", "--site", "site.yaml", "--data", "data", "--ready-file", ready]
    with processes.running(command, tmp_path, log) as process:
        assert json.loads(processes.await_file(ready, process, log))["pid"] == process.pid
        assert processes.end(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_whoever_is_connected(number: signal.Signals, tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway, ExitStack() as peers:
        for port in (gateway.dicom_port, gateway.hl7_port, int(gateway.http_url.rpartition(":")[2])):
            peers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        stream = peers.enter_context(httpx.stream("GET", f"{gateway.http_url}/events/stream"))
        assert stream.status_code == 200
        assert processes.end(gateway.process, number) == 0
        assert not listens(gateway.dicom_port)
        assert not listens(gateway.hl7_port)


@pytest.mark.parametrize("port", PORTS)
def test_a_port_in_use_is_3_and_names_the_port(port: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (tmp_path / "site.yaml").write_text(json.dumps({"gateway": FREE_PORTS | {port: taken}}), encoding="utf-8")
        done = simulate("gateway", "--site", "site.yaml", "--data", "data", "--ready-file", "ready", folder=tmp_path)
    assert done.returncode == 3
    protocol = {"dicom_port": "", "hl7_port": " for HL7", "http_port": " for HTTP"}[port]
    assert f"error: cannot listen{protocol} on 127.0.0.1:{taken}: " in done.stderr
    assert "hint: another program uses the port" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ready").exists()


def test_what_it_holds_is_there_after_a_restart(tmp_path: Path) -> None:
    study = made.a_study("restart", instances=2)
    files = processes.written(study, tmp_path / "study")
    with processes.gateway(tmp_path) as gateway:
        assert simulate("send", *files, "--to", gateway.address, folder=tmp_path).returncode == 0
        before = gateway.await_states(1)
    options = processes.order_options(made.an_order("restart"))
    with processes.gateway(tmp_path) as gateway:
        assert gateway.studies() == before
        assert before[0]["study_instance_uid"] == study.study_instance_uid
        assert simulate("order", "--to", gateway.hl7, *options, folder=tmp_path).returncode == 0
        (healed,) = gateway.await_states(1, ["matched"])
        assert (healed["reasons"], healed["order"]) == ([], study.accession_number)
