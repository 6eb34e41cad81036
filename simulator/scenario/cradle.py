"""The process that a `Nursery` starts: `python -m simulator.scenario.cradle SOCKET MODULE...` forks programs.

It has imported what they need, and has no thread. For each program it is sent one end of a socket pair, its *line*:
on it come what to run (a line of JSON), and then a byte for each signal; once, how the program ended goes back. A
line that the runner has closed, in whatever way the runner ended, kills its program: nobody is left standing.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

ENDED = struct.Struct("i")
"""How a program ended, as it goes back on its line: the exit code, or the negative number of a signal."""

_LONGEST = 1024 * 1024
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Program:
    """What is run as `python -m module` would: its arguments, in which folder, and the file that takes its output."""

    module: str
    arguments: Sequence[str]
    folder: str
    log: str


class Cradle:
    """Forks what is asked for, passes signals on, and tells how each program ended."""

    def __init__(self, asking: socket.socket) -> None:
        self._asking = asking
        self._lines: dict[int, socket.socket] = {}  # by process number
        self._ready = selectors.DefaultSelector()
        self._woken, self._waking = socket.socketpair()
        self._waking.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        for end in (self._woken, asking):
            self._ready.register(end, selectors.EVENT_READ)

    def serve(self) -> Program | None:
        """Return None once the runner is gone and every program has ended; in a process just forked, its program."""
        while self._lines or self._asking.fileno() >= 0:
            for key, _ in self._ready.select():
                if key.fileobj is self._woken:
                    self._reap()
                elif key.fileobj is not self._asking:
                    self._pass_on(key.data)
                elif program := self._take():
                    return program
        return None

    def _take(self) -> Program | None:
        """Take a new line and fork what it asks for; or, when the runner is gone, kill whatever runs."""
        _, files, _, _ = socket.recv_fds(self._asking, 1, 1)
        if not files:
            self._ready.unregister(self._asking)
            self._asking.close()
            for pid in self._lines:
                os.kill(pid, signal.SIGKILL)
            return None
        line = socket.socket(fileno=files[0])
        with line.makefile("rb", buffering=0) as asked:
            told = asked.readline(_LONGEST)
        if not told.endswith(b"\n"):  # the runner was killed while it asked
            line.close()
            return None
        pid = os.fork()
        if pid == 0:
            self._leave(line)
            return Program(**json.loads(told))
        self._lines[pid] = line
        self._ready.register(line, selectors.EVENT_READ, pid)
        return None

    def _pass_on(self, pid: int) -> None:
        """Pass signals on. The process was not waited for yet, so its number is still its own."""
        if pid not in self._lines:
            return  # it ended at the same moment
        told = _read(self._lines[pid])
        for number in told or (signal.SIGKILL,):
            os.kill(pid, number)
        if not told:
            self._ready.unregister(self._lines[pid])

    def _reap(self) -> None:
        """Tell of every program that has ended."""
        _read(self._woken)
        for pid in list(self._lines):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self._lines.pop(pid) as line:
                    if line in self._ready.get_map():
                        self._ready.unregister(line)
                    _tell(line, ENDED.pack(os.waitstatus_to_exitcode(status)))

    def _leave(self, line: socket.socket) -> None:
        """In a process just forked: put away what is the cradle's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._ready.close()
        for end in (line, self._woken, self._waking, self._asking, *self._lines.values()):
            end.close()


def become(program: Program, forked_by: int) -> None:
    """Be this program, to its end. The process `forked_by` takes it along if it is killed, where Linux sees to it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != forked_by:
            os.kill(os.getpid(), signal.SIGKILL)
    log = os.open(program.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.chdir(program.folder)
    sys.argv = [program.module, *program.arguments]
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import the modules named on the command line, and fork until the runner is gone.

    One that cannot be imported is left to the programs: who needs it will say so.
    """
    asking, cradle = socket.socket(fileno=int(sys.argv[1])), os.getpid()
    for module in sys.argv[2:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    sys.stdout.flush()  # or each program would print it again, and the runner never read it
    gc.collect()
    gc.freeze()  # what was imported is shared with every program, and a collection would copy it
    if program := Cradle(asking).serve():
        become(program, cradle)


def _read(line: socket.socket) -> bytes:
    try:
        return line.recv(4096)
    except ConnectionError:
        return b""


def _tell(line: socket.socket, told: bytes) -> None:
    try:
        line.sendall(told)
    except OSError:
        return  # the runner is gone


if __name__ == "__main__":
    main()
