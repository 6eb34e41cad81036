"""The gateway of a run as a process of its own: started on free ports, listened to, and stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.errors import HarnessError, PeerError, StartError
from simulator.events import Event, GatewayKilled, GatewayStarted, GatewayStopped, HarnessFailed, from_record
from simulator.scenario.nursery import Process
from simulator.site import Site
from simulator.wire.gateway_api import GatewayApi

COMMAND: tuple[str, ...] = (sys.executable, "-m", "simulator", "gateway")
"""How the reference gateway is started; tests put wrong gateways in its place."""

Launch = Callable[[Sequence[str], Path], Process]
"""Starts a gateway with these options; the file takes what it prints."""

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.005


class GatewayProcess:
    """One gateway over one folder, started as often as the story asks.

    Its log is `gateway.log` there; its events go to `observe`. Without `follows` what it tells itself does not: to read
    an event of every instance costs what a measurement may not.
    """

    def __init__(self, folder: Path, observe: Callable[[Event], None], launch: Launch, *, follows: bool = True) -> None:
        self._folder = folder
        self._follows = follows
        self._observe = observe
        self._launch = launch
        self._process: Process | None = None
        self._listener: threading.Thread | None = None
        self._told = 0  # the number of the last event that was taken in
        self._lost = ""

    @property
    def data(self) -> Path:
        """The folder in which the gateway keeps its files."""
        return self._folder / "data"

    def start(self, site: Site) -> GatewayStarted:
        """Start the process with this profile and wait until all its ports listen.

        After a stop or a kill its events go on where they were. Raises `StartError` with the end of its log.
        """
        site_file, ready_file = self._folder / "site.yaml", self._folder / "ready.json"
        # JSON is YAML: the gateway reads the very profile that a user would write.
        site_file.write_text(site.model_dump_json(indent=2), encoding="utf-8")
        options = ["--site", str(site_file), "--data", str(self.data), "--ready-file", str(ready_file)]
        ready_file.unlink(missing_ok=True)
        self._lost = ""
        self._process = self._launch(options, self._folder / "gateway.log")
        self._wait_for(ready_file)
        started = GatewayStarted(observer="runner", **json.loads(ready_file.read_text(encoding="utf-8")))
        self._observe(started)
        if self._follows:
            self._follow(started.http_url)
        return started

    def stop(self) -> None:
        """Ask the process to end, take in the last events, and observe how it ended."""
        if self._process is None:
            return
        self._process.terminate()
        code = self._ended(_STOP_SECONDS)
        if code is None:
            return
        self._observe(GatewayStopped(observer="runner", exit_code=code))
        # A gateway that died has said so by its exit code, and answers for it; one that did not is our problem.
        if self._lost and code == 0:
            self._observe(HarnessFailed(observer="runner", problem=self._lost))

    def kill(self) -> None:
        """Kill the process (SIGKILL). What it told nobody is told by the next one: it is in its folder."""
        if self._process is None:
            return
        self._process.kill()
        code = self._ended(None)
        if code is None:
            return
        if code == -signal.SIGKILL:
            self._observe(GatewayKilled(observer="runner"))
        else:  # it had died of its own before, and answers for it
            self._observe(GatewayStopped(observer="runner", exit_code=code))

    def _ended(self, seconds: float | None) -> int | None:
        """Wait for the end, which is forced after so many seconds; return the exit code, None when nobody knows it."""
        assert self._process is not None
        code = None
        try:
            code = _exit_code(self._process, seconds)
        except HarnessError as error:
            self._observe(HarnessFailed(observer="runner", problem=str(error)))
        if self._listener is not None:
            self._listener.join(_STOP_SECONDS)
        self._process = self._listener = None
        return code

    def _follow(self, url: str) -> None:
        # A story may be over before a thread has connected, and nothing that the gateway tells may be missed.
        following = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(url, following), daemon=True)
        self._listener.start()
        following.wait(_START_SECONDS)

    def _listen(self, url: str, following: threading.Event) -> None:
        try:
            for record in GatewayApi(url).events(self._told, following.set):
                self._told = record.pop("sequence")
                self._observe(from_record(record))
        except PeerError as error:
            self._lost = str(error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours is not charged to the gateway
            self._lost = f"{type(error).__name__}: {error}"
        finally:
            following.set()  # nobody need wait for what will not come

    def _wait_for(self, ready_file: Path) -> None:
        """Wait for the file; there is no event for a file of another process, so look often, up to a deadline."""
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while not ready_file.exists():
            try:
                code = self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                self._process.kill()
                self._process.wait()
                raise StartError(f"the gateway was not ready after {_START_SECONDS:g} s\n{self._log()}") from None
            if not ready_file.exists():
                raise StartError(f"the gateway ended with code {code} instead of starting\n{self._log()}")

    def _log(self) -> str:
        return (self._folder / "gateway.log").read_text(encoding="utf-8", errors="replace")[-2000:]


def _exit_code(process: Process, seconds: float | None) -> int:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
