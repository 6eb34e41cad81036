"""The runner's side of a process that starts gateways by fork, so that a start costs no imports (`cradle`)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Protocol

from simulator.errors import HarnessError, StartError
from simulator.scenario import cradle

PRELOADED = (
    "simulator.cli",
    "simulator.cli.gateway_command",
    "simulator.gateway.server",
    # What libraries import only when the gateway's HTTP API is first used.
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "anyio._backends._asyncio",
    "encodings.idna",
)
"""What every gateway needs: named and not imported, since this room does not know the gateway."""

# OpenBLAS starts threads when it is loaded, and a process with threads must not fork.
_WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1"}


class Process(Protocol):
    """A program that runs, as far as `subprocess.Popen` has it."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal. Raises `subprocess.TimeoutExpired`."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""


def start_plainly(command: Sequence[str], log: Path) -> Process:
    """Start a program as a child of this process; what it prints is appended to `log`."""
    with log.open("ab") as printed:
        return subprocess.Popen(  # noqa: S603 - the command is ours or a test's
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )


class Nursery:
    """Starts programs, one after the other or side by side. A context manager; its end kills what still runs.

    Programs are forked by a process that has imported `preloaded`; plainly started are those that are no Python
    module, and all of them on a platform without fork.
    """

    def __init__(self, preloaded: Sequence[str] = PRELOADED) -> None:
        self._preloaded = preloaded
        self._process: subprocess.Popen[bytes] | None = None
        self._asking: socket.socket | None = None
        self._printed: IO[bytes] | None = None
        self._has_started = False

    def __enter__(self) -> Nursery:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The number of the process that forks; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def open(self) -> None:
        """Start the process that forks: it imports while the runner does something else."""
        if not hasattr(os, "fork"):
            return
        self._asking, theirs = socket.socketpair()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", cradle.__name__, str(theirs.fileno()), *self._preloaded],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                env=os.environ | _WITHOUT_THREADS,
                start_new_session=True,  # Ctrl-C in a terminal is the runner's affair
            )

    def close(self) -> None:
        """End the process that forks, and with it every program that it started."""
        if self._process is None or self._asking is None or self._printed is None:
            return
        self._asking.close()
        if not self._has_started:  # it may import still, for nobody
            self._process.kill()
        self._process.wait()
        self._printed.close()
        self._process = self._asking = self._printed = None
        self._has_started = False

    def start(self, command: Sequence[str], log: Path) -> Process:
        """Start a program; what it prints is appended to `log`. Raises `StartError` when nobody is there to fork it."""
        if not hasattr(os, "fork") or list(command[:2]) != [sys.executable, "-m"]:
            return start_plainly(command, log)
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.open()
        assert self._asking is not None
        ours, theirs = socket.socketpair()
        program = cradle.Program(command[2], tuple(command[3:]), str(Path.cwd()), str(log.absolute()))
        try:
            self._has_started = True
            with theirs:
                socket.send_fds(self._asking, [b"+"], [theirs.fileno()])
            ours.sendall(json.dumps(asdict(program)).encode() + b"\n")
        except BaseException as error:
            ours.close()  # after an interrupt too: the process that forks waits for what comes on this line
            if not isinstance(error, OSError):
                raise
            raise StartError(f"the process that starts gateways has ended ({error})\n{self._said()}") from error
        return _Forked(command, ours, self._said)

    def _said(self) -> str:
        if self._printed is None:
            return ""
        self._printed.seek(0)
        return self._printed.read()[-2000:].decode(errors="replace")


class _Forked:
    """A program that was forked, at the end of its line (`cradle`)."""

    def __init__(self, command: Sequence[str], line: socket.socket, said: Callable[[], str]) -> None:
        self._command = command
        self._line = line
        self._said = said  # what stands on the error stream of the process that forked it
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return as `Process` does. Raises `HarnessError` too, when who forked it ended, and the program with it."""
        if self._code is None:
            self._code = self._ending(timeout)
            self._line.close()
        return self._code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send(signal.SIGKILL)

    def _ending(self, timeout: float | None) -> int:
        self._line.settimeout(timeout)
        try:
            told = self._line.recv(cradle.ENDED.size)
        except TimeoutError:
            raise subprocess.TimeoutExpired(self._command, timeout or 0.0) from None
        except OSError:
            told = b""
        if not told:
            raise HarnessError(f"the process that starts gateways ended, and the gateway with it\n{self._said()}")
        return int(cradle.ENDED.unpack(told)[0])

    def _send(self, number: signal.Signals) -> None:
        try:
            self._line.sendall(bytes([number]))
        except OSError:
            return  # it has ended, as `wait` tells
