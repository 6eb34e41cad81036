"""Storage SCPs that write files, each in a process of its own on a free port, and how many instances they took."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from simulator.gateway.index import Index
from simulator.gateway.tables import FILE_NAME
from simulator.wire.store_plane import SWITCH

HOST = "127.0.0.1"
DCMTK = Path(os.environ.get("DCMTK_FOLDER", "/usr/bin"))
ORTHANC = Path("/usr/sbin/Orthanc")
STORAGE_PROFILE = Path("/etc/dcmtk/storescp.cfg")
PATIENCE = 120.0
HELD = 100_000  # instances in a store that is full
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
# Without it each response of DCMTK waits for a delayed TCP acknowledgement.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}

SITE = """\
site: benchmark
gateway: {ae_title: SCP, host: 127.0.0.1, dicom_port: 0, hl7_port: 0, http_port: 0, quiet_period: 600}
callers: any
image_limit: {limit: 1000000}
"""


@dataclass(frozen=True)
class Running:
    """A receiver that listens; `taken` counts what it keeps."""

    port: int
    taken: Callable[[], int]
    process: subprocess.Popen[bytes]

    def memory(self) -> float:
        """Return the largest resident set that the process had so far (VmHWM), in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

    def processor_seconds(self) -> float:
        """Return the processor time that the process took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Receiver:
    """A kind of receiver; `missing` says why it cannot run here."""

    name: str
    run: Callable[[Path], AbstractContextManager[Running]]
    missing: str = ""


@contextmanager
def _process(command: Sequence[object], folder: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, stdout=log, stderr=log, env=ENVIRONMENT | more
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await(so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{process.args!r} does not listen")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _gateway(folder: Path, plane: str) -> Iterator[Running]:
    ready, site = folder / "ready.json", folder / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    command = [sys.executable, "-m", "simulator", "gateway", "--site", site, "--data", folder / "data"]
    with _process([*command, "--ready-file", ready], folder, **{SWITCH: plane}) as process:
        _await(ready.exists, process)
        port = json.loads(ready.read_text(encoding="utf-8"))["dicom_port"]
        yield Running(port, lambda: _files(folder / "data" / "instances"), process)


@contextmanager
def _full(folder: Path) -> Iterator[Running]:
    """Run a gateway over a store that holds much already: rows by SQL, and for each a name of one small file."""
    data = folder / "data"
    fill(data, HELD)
    with _gateway(folder, "on") as running:
        yield replace(running, taken=lambda: _files(data / "instances") - HELD)


def fill(data: Path, instances: int, a_study: int = 1000) -> None:
    """Make a data folder of forwarded studies with so many instances."""
    (data / "instances").mkdir(parents=True)
    index = Index(data / FILE_NAME)
    one = data / "one.dcm"
    one.write_bytes(b"")
    with index.transaction() as db:
        for study in range(instances // a_study):
            uid, name = f"1.2.{study}", f"{study:032x}"
            (data / "instances" / name).mkdir()
            files = [f"{name}/{number:032x}.dcm" for number in range(a_study)]
            for file in files:
                (data / "instances" / file).hardlink_to(one)
            db.execute("INSERT INTO study VALUES (?, ?, 'forwarded', '[]', '[]', ?)", (uid, uid, uid))
            rows = [
                (
                    f"{uid}.{number}",
                    uid,
                    f"{uid}.1",
                    CT,
                    EXPLICIT,
                    "0" * 64,
                    file,
                    "AE",
                    uid,
                    "Q1234563",
                    "A^B",
                    "",
                    "O",
                )
                for number, file in enumerate(files)
            ]
            db.executemany(f"INSERT INTO instance VALUES ({','.join('?' * 13)})", rows)  # noqa: S608
            events = [(json.dumps({"event": "InstanceStored", "sop_instance_uid": row[0]}),) for row in rows]
            db.executemany("INSERT INTO event (record) VALUES (?)", events)
    index.close()
    one.unlink()


@contextmanager
def _dcmtk(folder: Path, program: str, *options: object) -> Iterator[Running]:
    port, out = _free_port(), folder / "out"
    out.mkdir()
    with _process([DCMTK / program, *options, "-od", out, port], folder) as process:
        _await(lambda: _listens(port), process)
        yield Running(port, lambda: _files(out), process)


@contextmanager
def _orthanc(folder: Path) -> Iterator[Running]:
    port, http = _free_port(), _free_port()
    storage, file = folder / "storage", folder / "orthanc.json"
    settings = {"StorageDirectory": str(storage), "IndexDirectory": str(storage), "Plugins": [], "DicomAet": "SCP"}
    settings |= {"DicomPort": port, "HttpPort": http, "DicomAlwaysAllowStore": True, "AuthenticationEnabled": False}
    file.write_text(json.dumps(settings), encoding="utf-8")
    with _process([ORTHANC, file], folder) as process:
        _await(lambda: _listens(port), process)
        yield Running(port, lambda: _counted(http), process)


def _counted(port: int) -> int:
    document = httpx.get(f"http://{HOST}:{port}/statistics", trust_env=False).json()
    return int(document["CountInstances"])


@contextmanager
def _raw(folder: Path) -> Iterator[Running]:
    port, out = _free_port(), folder / "out"
    out.mkdir()
    with _process([sys.executable, Path(__file__).with_name("raw.py"), "receive", port, out], folder) as process:
        _await(lambda: _listens(port), process)
        yield Running(port, lambda: _files(out), process)


def _files(folder: Path) -> int:
    return sum(1 for file in folder.rglob("*") if file.is_file())


def _dcmrecv(folder: Path, *options: object) -> AbstractContextManager[Running]:
    return _dcmtk(folder, "dcmrecv", "--max-pdu", 131072, "-xf", STORAGE_PROFILE, "Default", "-aet", "SCP", *options)


def lacks(*files: Path) -> str:
    """Say which of these files are not here; empty when all are."""
    return ", ".join(f"{file} is not installed" for file in files if not file.is_file())


GATEWAY = Receiver("gateway", lambda folder: _gateway(folder, "on"))
FULL = Receiver(f"gateway over a store of {HELD}", _full)
WITHOUT_PLANE = Receiver("gateway, plane off (stock pynetdicom)", lambda folder: _gateway(folder, "off"))
DCMRECV = Receiver("dcmrecv +B", lambda folder: _dcmrecv(folder, "+B"), lacks(DCMTK / "dcmrecv", STORAGE_PROFILE))
SINK = Receiver("dcmrecv --ignore", lambda folder: _dcmrecv(folder, "--ignore"), DCMRECV.missing)
STORESCP = Receiver("storescp", lambda folder: _dcmtk(folder, "storescp"), lacks(DCMTK / "storescp"))
ORTHANC_SCP = Receiver("Orthanc", _orthanc, lacks(ORTHANC))
RAW = Receiver("raw TCP + write", _raw)
RECEIVERS = (GATEWAY, WITHOUT_PLANE, DCMRECV, STORESCP, ORTHANC_SCP, RAW)


@contextmanager
def started(receiver: Receiver, folder: Path) -> Iterator[Running]:
    """Run a receiver over a new folder, which is gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with receiver.run(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)
