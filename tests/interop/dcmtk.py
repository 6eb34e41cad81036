"""DCMTK, by absolute path: pynetdicom installs programs of the same names, which may come first on the PATH."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import processes
from tests.interop import peers

FOLDER = Path("/usr/bin")
PROGRAMS = ("echoscu", "storescu", "dcmsend", "storescp", "dcmdump", "dcmftest")
MISSING = [name for name in PROGRAMS if not (FOLDER / name).is_file()]

installed = pytest.mark.skipif(
    bool(MISSING) and not peers.DEMANDED, reason=f"DCMTK is not installed: no {', '.join(MISSING)} in {FOLDER}"
)
needed = [pytest.mark.interop, installed]


def run(program: str, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of DCMTK's programs to its end, verbose; its log is on either stream."""
    done = processes.run([FOLDER / program, *arguments], folder)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout + done.stderr)


@contextmanager
def storescp(folder: Path, *options: str, port: int | None = None) -> Iterator[tuple[int, Path]]:
    """Run `storescp` on a free port or the one given: the port, and where its files are written."""
    out, log = folder / "arrived", folder / "storescp.log"
    out.mkdir()
    port = port or processes.free_port()
    command = [FOLDER / "storescp", *options, "--output-directory", out, str(port)]
    with processes.running(command, folder, log) as process:
        deadline = time.monotonic() + processes.DEADLINE
        # It answers once it listens: accepts, or, told to, rejects.
        while "I: Association Accepted" not in (said := _asked(port, folder)) and "Rejected" not in said:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, f"storescp does not listen: {said}"
        yield port, out
        process.terminate()


def _asked(port: int, folder: Path) -> str:
    return run("echoscu", "-v", "127.0.0.1", str(port), folder=folder).stdout
