"""Runs the command line as processes of their own: one command to its end, or a gateway on free ports.

Nothing sleeps: a wait is for a file, an event or a line, each with a deadline.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import PeerError
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import Study
from simulator.wire.gateway_api import GatewayApi

ROOT = Path(__file__).resolve().parents[1]
SIMULATE = (sys.executable, "-m", "simulator")
DEADLINE = 30.0
FREE_PORTS = {"dicom_port": 0, "hl7_port": 0, "http_port": 0, "quiet_period": 0.3}

_POLL_SECONDS = 0.01
# Variables by which libraries take a pipe for a terminal, or fold lines.
_MISLEADING = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "CLICOLOR_FORCE")


def environment() -> dict[str, str]:
    """Return the environment in which this checkout's `simulator` is found from any folder."""
    return {k: v for k, v in os.environ.items() if k not in _MISLEADING} | {"PYTHONPATH": str(ROOT)}


def run(command: Sequence[object], folder: Path, time_out: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in `folder`."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=time_out,
        check=False,
    )


def simulate(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `simulate` with `arguments` in `folder`."""
    return run([*SIMULATE, *arguments], folder)


@contextmanager
def running(command: Sequence[object], folder: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background, its error stream in `log`; what is left of it at the end is killed."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> int:
    """Send a signal and return the exit code."""
    process.send_signal(number)
    return process.wait(DEADLINE)


def await_end(pid: int) -> None:
    """Wait until a process, which need not be a child, is no more."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], DEADLINE)[0], f"process {pid} still runs"
    finally:
        os.close(watched)


def await_file(file: Path, process: subprocess.Popen[str], log: Path) -> str:
    """Return the content of `file` as it first appears, while `process` runs."""
    deadline = time.monotonic() + DEADLINE
    while not file.exists():
        try:
            code = process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, f"no {file.name} after {DEADLINE:g} s\n{log.read_text()}"
        else:
            assert file.exists(), f"ended with code {code} before {file.name} was there\n{log.read_text()}"
    return file.read_text(encoding="utf-8")


def await_port(port: int, process: subprocess.Popen[str], log: Path) -> None:
    """Wait until something takes connections on a port of this machine, while `process` runs."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), DEADLINE).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nothing listens on {port}\n{log.read_text()}"
        try:
            code = process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"ended with code {code}\n{log.read_text()}")


def written(study: Study, folder: Path) -> list[Path]:
    """Write a study as DICOM files into `folder`, and return them in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.dcm" for number in range(1, len(study.instances) + 1)]
    for file, instance in zip(files, study.instances, strict=True):
        file.write_bytes(instance.part10())
    return files


def order_options(order: Order) -> list[str]:
    """Return the options by which `simulate order` sends this order's accession number and keys."""
    person = order.person
    keys = ["--hkid", person.hkid, "--name", person.name, "--birth-date", person.birth_date, "--sex", person.sex]
    return ["--accession", order.accession_number, *keys]


def free_port() -> int:
    """Return a port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class RunningGateway:
    """A gateway process, and what its ready file says."""

    process: subprocess.Popen[str]
    folder: Path
    pid: int
    ae_title: str
    dicom_port: int
    hl7_port: int
    http_url: str
    dicom_tls_port: int = 0

    @property
    def data(self) -> Path:
        """The folder in which it keeps its files."""
        return self.folder / "data"

    @property
    def address(self) -> str:
        """Where `send` finds it."""
        return f"{self.ae_title}@127.0.0.1:{self.dicom_port}"

    @property
    def hl7(self) -> str:
        """Where `order` finds it."""
        return f"127.0.0.1:{self.hl7_port}"

    def studies(self) -> list[dict[str, Any]]:
        """Return what it says of its studies now."""
        found: list[dict[str, Any]] = GatewayApi(self.http_url).status()["studies"]
        return found

    def await_states(self, studies: int, states: Collection[str] = ("unmatched",)) -> list[dict[str, Any]]:
        """Return all studies once so many of them are in one of `states`."""
        now: dict[str, str] = {}
        for event in self._events():
            if event["event"] == "StudyChanged":
                now[event["study_instance_uid"]] = event["state"]
                if sum(state in states for state in now.values()) == studies:
                    return self.studies()
        raise AssertionError(f"after {DEADLINE:g} s: {now}")

    def await_event(self, name: str, **fields: object) -> Mapping[str, Any]:
        """Return the first event of this class with these fields."""
        for event in self._events():
            if event["event"] == name and fields.items() <= event.items():
                return event
        raise AssertionError(f"no {name} {fields} after {DEADLINE:g} s")

    def _events(self) -> Iterator[Mapping[str, Any]]:
        """Yield its events from the first on, until the deadline."""
        arriving: queue.Queue[Mapping[str, Any]] = queue.Queue()

        def listen() -> None:
            try:
                for event in GatewayApi(self.http_url).events():
                    arriving.put(event)
            except PeerError:  # it ended; the deadline tells
                return

        threading.Thread(target=listen, daemon=True).start()
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                yield arriving.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return


@contextmanager
def gateway(folder: Path, **site: Any) -> Iterator[RunningGateway]:
    """Run a gateway on free ports over `folder`; `site` is laid over the default profile."""
    with gateway_under((), folder, **site) as started:
        yield started


@contextmanager
def gateway_under(before: Sequence[object], folder: Path, **site: Any) -> Iterator[RunningGateway]:
    """Run a gateway by the command `before`, such as one that limits what it may do."""
    folder.mkdir(parents=True, exist_ok=True)
    profile, ready, log = folder / "site.yaml", folder / "ready.json", folder / "gateway.log"
    here = {**FREE_PORTS, **site.pop("gateway", {})}
    profile.write_text(json.dumps({"gateway": here, **site}), encoding="utf-8")
    ready.unlink(missing_ok=True)
    options = ["--site", profile, "--data", folder / "data", "--ready-file", ready]
    with running([*before, *SIMULATE, "gateway", *options], folder, log) as process:
        told = json.loads(await_file(ready, process, log))
        yield RunningGateway(process=process, folder=folder, **told)
        if process.poll() is None:
            assert end(process) == 0, log.read_text(encoding="utf-8")


@contextmanager
def remote(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Run `simulate remote` on a free port: its process, its port, and where its files are written."""
    out = folder / "arrived"
    command = [*SIMULATE, "remote", "--port", "0", "--out", out, *options]
    with running(command, folder, folder / "remote.log") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert "@127.0.0.1:" in first, first + (folder / "remote.log").read_text(encoding="utf-8")
        yield process, int(first.partition("@127.0.0.1:")[2].partition(",")[0]), out
