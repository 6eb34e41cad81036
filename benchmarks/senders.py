"""Storage SCUs that send a folder of files, each in a process of its own; what is measured is one association's time.

`python senders.py PORT FOLDER` is this project's: it prints the seconds from the request of the association to its
release, files read included. Of other programs the whole process is timed, which begins in a few milliseconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.receivers import DCMTK, ENVIRONMENT, HOST, lacks
from simulator.wire import part10
from simulator.wire.association import Address, Association, Context
from simulator.wire.store_plane import SWITCH


@dataclass(frozen=True)
class Sender:
    """A kind of sender; `send` returns the seconds that it took; `missing` says why it cannot run here."""

    name: str
    send: Callable[[int, Path], float]
    missing: str = ""


def together(commands: Sequence[Sequence[object]]) -> float:
    """Run commands side by side and return the seconds until the last has ended. Raises when one failed."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [str(part) for part in command], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for command in commands
    ]
    said = [process.communicate()[1] for process in running]
    seconds = time.perf_counter() - began
    for process, words in zip(running, said, strict=True):
        if process.returncode:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}: {words.decode(errors='replace')}")
    return seconds


def dcmsend(port: int, folder: Path) -> list[object]:
    """Return the command that sends a folder by DCMTK's fast sender."""
    options = ["-aec", "SCP", "--no-uid-checks", "--max-send-pdu", 131072]
    return [DCMTK / "dcmsend", *options, HOST, port, "+sd", folder]


def raw(port: int, folder: Path) -> list[object]:
    """Return the command that sends a folder to the raw receiver."""
    return [sys.executable, Path(__file__).with_name("raw.py"), "send", port, folder]


def _own(plane: str) -> Callable[[int, Path], float]:
    def send(port: int, folder: Path) -> float:
        command = [sys.executable, __file__, str(port), str(folder)]
        done = subprocess.run(command, env=ENVIRONMENT | {SWITCH: plane}, capture_output=True, check=True)
        return float(done.stdout)

    return send


def _dcmsend(port: int, folder: Path) -> float:
    return together([dcmsend(port, folder)])


def _storescu(port: int, folder: Path) -> float:
    options = ["-aec", "SCP", "--max-send-pdu", 131072, "+sd"]
    return together([[DCMTK / "storescu", *options, HOST, port, folder]])


OWN = Sender("modality", _own("on"))
STOCK = Sender("modality, plane off (stock pynetdicom)", _own("off"))
DCMSEND = Sender("dcmsend", _dcmsend, lacks(DCMTK / "dcmsend"))
STORESCU = Sender("storescu", _storescu, lacks(DCMTK / "storescu"))
SENDERS = (OWN, STOCK, DCMSEND, STORESCU)


def main(port: int, folder: Path) -> None:
    """Send a folder over one association, as the modality and the forwarder do."""
    files = sorted(folder.iterdir())
    first = part10.read(files[0].read_bytes())
    began = time.perf_counter()
    contexts = [Context(first.sop_class_uid, (first.transfer_syntax_uid,))]
    with Association.request("BENCHMARK", Address("SCP", HOST, port), contexts) as association:
        for file in files:
            response = association.store(part10.read(file.read_bytes()))
            if not response.stored:
                raise SystemExit(f"{file}: {response.status_text}")
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
