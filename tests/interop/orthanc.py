"""Orthanc, an archive of its own make: run for one test over a folder of its own, on free ports, without a password."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes
from tests.interop import peers
from tests.processes import DEADLINE

# Debian's package puts it there; the service of that package is not used.
PROGRAM = Path("/usr/sbin/Orthanc")
AE_TITLE = "ORTHANC"

needed = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not PROGRAM.is_file() and not peers.DEMANDED, reason=f"Orthanc is not installed (package orthanc): no {PROGRAM}"
    ),
]

_POLL_SECONDS = 0.05
_TRIES = 5  # a port that was free a moment ago may be taken by the time that Orthanc listens


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc."""

    process: subprocess.Popen[str]
    dicom_port: int
    http: httpx.Client

    def get(self, path: str) -> Any:
        """Return what its REST API says at `path`."""
        answer = self.http.get(path)
        assert answer.status_code == 200, f"GET {path}: {answer.text}"
        return answer.json()

    def post(self, path: str, content: Any) -> Any:
        """Return what its REST API answers to `content`, JSON or the bytes of a file."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = self.http.post(path, content=body)
        assert answer.status_code == 200, f"POST {path}: {answer.text}"
        return answer.json()

    def know(self, name: str, ae_title: str, port: int) -> None:
        """Make a modality known under `name`: it may verify, store, and ask for storage commitment."""
        rights = {"AllowEcho": True, "AllowStore": True, "AllowStorageCommitment": True, "AllowTranscoding": False}
        modality = {"AET": ae_title, "Host": "127.0.0.1", "Port": port, **rights}
        answer = self.http.put(f"/modalities/{name}", content=json.dumps(modality))
        assert answer.status_code == 200, answer.text

    def instances(self) -> dict[str, str]:
        """Return Orthanc's identifiers of its instances by SOP Instance UID."""
        expanded = self.get("/instances?expand")
        return {each["MainDicomTags"]["SOPInstanceUID"]: each["ID"] for each in expanded}

    def file(self, identifier: str) -> bytes:
        """Return an instance as the file that Orthanc keeps."""
        return self.http.get(f"/instances/{identifier}/file").content

    def await_report(self, transaction_uid: str) -> Mapping[str, Any]:
        """Return the storage commitment report that came for a transaction."""
        deadline = time.monotonic() + DEADLINE
        while True:
            report: dict[str, Any] = self.get(f"/storage-commitment/{transaction_uid}")
            if report["Status"] != "Pending":
                return report
            assert time.monotonic() < deadline, f"no storage commitment report for {transaction_uid}"
            self.pause()

    def pause(self) -> None:
        """Let a moment pass, and fail when Orthanc ended in it."""
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"Orthanc ended with {self.process.wait(_POLL_SECONDS)}")


@contextmanager
def running(folder: Path, **configuration: Any) -> Iterator[Orthanc]:
    """Run Orthanc; `configuration` is laid over what every test needs."""
    for number in range(_TRIES):
        here = folder / f"orthanc-{number}"
        here.mkdir(parents=True)
        ports = processes.free_port(), processes.free_port()
        file, log = here / "orthanc.json", here / "orthanc.log"
        file.write_text(json.dumps(_configuration(here, ports) | configuration), encoding="utf-8")
        address = f"http://127.0.0.1:{ports[1]}"
        with (
            processes.running([PROGRAM, file], here, log) as process,
            httpx.Client(base_url=address, timeout=DEADLINE) as http,
        ):
            if not _answers(process, http):
                said = log.read_text(encoding="utf-8")
                assert "port" in said, said
                continue
            yield Orthanc(process, ports[0], http)
            process.terminate()
            assert process.wait(DEADLINE) == 0, log.read_text(encoding="utf-8")
            return
    raise AssertionError(f"Orthanc found no free ports in {_TRIES} tries")


def _answers(process: subprocess.Popen[str], http: httpx.Client) -> bool:
    """Wait until the REST API answers, which it does last of all; return False when the process ended instead."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            return http.get("/system").status_code == 200
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return False
    raise AssertionError("Orthanc does not answer")


def _configuration(folder: Path, ports: Sequence[int]) -> dict[str, Any]:
    dicom_port, http_port = ports
    return {
        "Name": "interop",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [],
        "DicomAet": AE_TITLE,
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": True,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "SslEnabled": False,
        "WebDavEnabled": False,
        # For the two classes that are retired; PS3.4 has them no more, and neither has Orthanc's list.
        "UnknownSopClassAccepted": True,
        "TranscodeDicomProtocol": False,
        "DicomScuTimeout": 20,
        "StorageCommitmentReportsSize": 100,
    }
