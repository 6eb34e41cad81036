"""The gateway and its modality beside real peers: the same files, one after the other, in turns.

    python benchmarks/side_by_side.py [--quick] [--rounds 5] [--only receive send ...] [--out FOLDER] [--folder FOLDER]
        [--disk FOLDER]

Every figure is a median over the rounds; in a round each peer has its turn, so that what else the machine does meets
all alike. Read the ratios. Writes `side-by-side.json`, `side-by-side.md` (tables) and `side-by-side.svg` (a plot) to
`--out`. A peer that is not installed is passed over with a word, and so is a part that needs it (`DCMTK_FOLDER` in the
environment: where DCMTK's programs are, if not in /usr/bin). `--folder`: where files are made and received
(default: the system's temporary folder); `--disk`: the same for storage commitment, of which the files must not lie in
memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import chain, chart, material, receivers, relays, safekeeping, senders
from benchmarks.material import Lot
from benchmarks.receivers import DCMTK, HOST, Receiver, started

ECHOSCU, ECHOES = DCMTK / "echoscu", 2000


@dataclass
class Figure:
    """One comparison: values by peer, one a round, in `unit`; `more` is better unless it is told otherwise."""

    name: str
    unit: str
    against: tuple[str, ...]
    values: dict[str, list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    more: bool = True

    def note(self, peer: str, value: float) -> None:
        """Take in the value of one round."""
        self.values.setdefault(peer, []).append(value)

    def medians(self) -> dict[str, float]:
        """Return the median of each peer."""
        return {peer: statistics.median(values) for peer, values in self.values.items()}

    def ratios(self) -> dict[str, dict[str, float]]:
        """Return ours against each peer that it is measured against: the median of the rounds' own ratios."""
        found: dict[str, dict[str, float]] = {}
        for ours in list(self.values)[:1]:
            for other in self.against:
                if other in self.values:
                    pairs = zip(self.values[ours], self.values[other], strict=True)
                    found.setdefault(ours, {})[other] = statistics.median(a / b for a, b in pairs)
        return found


@dataclass(frozen=True)
class Scale:
    """How much is sent, and how often."""

    rounds: int
    ct: int
    tiny: int
    big: int
    many: int
    sinks: int = 2
    echoes: int = 10


FULL, QUICK = Scale(5, 1001, 1001, 20, 5000), Scale(1, 100, 200, 2, 400, sinks=1, echoes=3)


def receive(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure receivers: instances a second, from the start of the senders to their end."""
    cases = (
        (material.make(folder, "ct", scale.ct, 512), 1),
        (material.make(folder, "ct-4", scale.ct, 512), 4),
        (material.make(folder, "tiny", scale.tiny, 64), 1),
        (material.make(folder, "tiny-4", scale.tiny, 64), 4),
        (material.make(folder, "big", scale.big, 4096), 1),
    )
    against = (receivers.DCMRECV.name, receivers.ORTHANC_SCP.name, receivers.RAW.name)
    for lot, associations in cases if scale.rounds > 1 else cases[::2]:
        name = f"receive, {lot.title}, {associations} association{'s' * (associations > 1)}"
        figure = Figure(name, "instances/s", against)
        for _ in range(scale.rounds):
            for receiver in receivers.RECEIVERS:
                if receiver.missing:
                    figure.skipped[receiver.name] = receiver.missing
                else:
                    figure.note(receiver.name, lot.instances / _received(receiver, lot, associations, folder / "scp"))
        yield figure


def _received(receiver: Receiver, lot: Lot, associations: int, folder: Path) -> float:
    """Return the seconds that a lot took; every instance must have arrived."""
    command = senders.raw if receiver is receivers.RAW else senders.dcmsend
    parts = [lot.folder] if associations == 1 else lot.parts
    with started(receiver, folder) as running:
        seconds = senders.together([command(running.port, part) for part in parts])
        _await_all(running.taken, lot.instances, receiver.name)
    return seconds


def _await_all(taken: Callable[[], int], expected: int, name: str) -> None:
    deadline = time.monotonic() + receivers.PATIENCE
    while (found := taken()) != expected:
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} holds {found} of {expected} instances")
        time.sleep(0.05)


def send(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure senders over one association, to the same receiver."""
    lots = material.make(folder, "ct", scale.ct, 512), material.make(folder, "tiny", scale.tiny, 64)
    for receiver in (receivers.DCMRECV, receivers.SINK)[: scale.sinks]:
        for lot in lots:
            figure = Figure(f"send, {lot.title}, to {receiver.name}", "instances/s", ("dcmsend", "storescu"))
            for _ in range(scale.rounds):
                for sender in senders.SENDERS:
                    if sender.missing:
                        figure.skipped[sender.name] = sender.missing
                        continue
                    with started(receiver, folder / "scp") as running:
                        figure.note(sender.name, lot.instances / sender.send(running.port, lot.folder))
            yield figure


def echo(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure an association with one C-ECHO, and one C-ECHO more, by `echoscu`."""
    setup = Figure("association with one C-ECHO, by echoscu", "ms", (receivers.STORESCP.name,), more=False)
    trip = Figure("C-ECHO round trip, by echoscu", "ms", (receivers.STORESCP.name,), more=False)
    for _ in range(scale.rounds):
        for receiver in (receivers.GATEWAY, receivers.WITHOUT_PLANE, receivers.STORESCP):
            if receiver.missing:
                setup.skipped[receiver.name] = trip.skipped[receiver.name] = receiver.missing
                continue
            with started(receiver, folder / "scp") as running:
                asks = [ECHOSCU, "-aec", "SCP", HOST, running.port]
                senders.together([asks])
                one = statistics.median(senders.together([asks]) for _ in range(scale.echoes))
                many = senders.together([[*asks, "--repeat", ECHOES + 1]])
            setup.note(receiver.name, one * 1000)
            trip.note(receiver.name, (many - one) / ECHOES * 1000)
    yield setup
    yield trip


def growth(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure the gateway against itself: memory, and the cost of an instance, as one study grows."""
    lot = material.make(folder, "many", scale.many, 64)
    memory = Figure(f"memory of the gateway, {lot.title}, 4 associations", "MB", ("after 100",), more=False)
    name = f"processor time of the gateway for an instance, {lot.title} of one study"
    cost = Figure(name, "us", ("the second tenth",), more=False)
    tenth, first = scale.many // 10, material.make(folder, "first", 100, 64)
    for _ in range(scale.rounds):
        with started(receivers.GATEWAY, folder / "scp") as running:
            senders.together([senders.dcmsend(running.port, part) for part in first.parts])
            _await_all(running.taken, first.instances, "gateway")
            peaks, seconds = [running.memory()], []
            for number, share in enumerate(_shares(lot, folder / "shares", tenth), 1):
                senders.together([senders.dcmsend(running.port, part) for part in share])
                _await_all(running.taken, first.instances + number * tenth, "gateway")
                peaks.append(running.memory())
                seconds.append(running.processor_seconds())
        memory.note("after all", peaks[-1])
        memory.note("after 100", peaks[0])
        cost.note("the last tenth", (seconds[-1] - seconds[-2]) / tenth * 1e6)
        cost.note("the second tenth", (seconds[1] - seconds[0]) / tenth * 1e6)  # in the first, modules are loaded
    yield memory
    yield cost
    yield _in_a_full_store(
        scale, first if scale.rounds == 1 else material.make(folder, "more", 4000, 64), folder / "scp"
    )


def _in_a_full_store(scale: Scale, lot: Lot, folder: Path) -> Figure:
    """Measure the cost of an instance in a store that holds much, against an empty one."""
    name = f"processor time of the gateway for an instance, {lot.title}, in a store of {receivers.HELD}"
    figure = Figure(name, "us", ("gateway",), more=False)
    for _ in range(scale.rounds):
        for receiver in (receivers.FULL, receivers.GATEWAY):
            with started(receiver, folder) as running:
                senders.together([senders.dcmsend(running.port, lot.parts[0])])  # has modules loaded
                before = running.processor_seconds()
                senders.together([senders.dcmsend(running.port, part) for part in lot.parts[1:]])
                _await_all(running.taken, lot.instances, receiver.name)
                seconds = running.processor_seconds() - before
            figure.note(receiver.name, seconds / (lot.instances * 3 / 4) * 1e6)
    return figure


def whole(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure a study from the order to the destination; the files of the others lie on the disk already."""
    lot = material.make(folder, "ct", scale.ct, 512)
    other = "dcmsend, dcmrecv, dcmsend, dcmrecv"
    figure = Figure(f"{lot.title}: order, synthesis, send, match, forward, checks", "s", (other,), more=False)
    for _ in range(scale.rounds):
        figure.note("simulate --scenario", chain.ours(scale.ct, folder / "chain"))
        if chain.MISSING:
            figure.skipped[other] = chain.MISSING
        else:
            figure.note(other, chain.of_dcmtk(lot, folder / "scp"))
    yield figure


def commitment(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure storage commitment against an fsync of the same files, where files outlive a power cut."""
    lot = material.make(folder, "ct", scale.ct, 512)
    figure = Figure(f"storage commitment of {lot.title}", "s", ("fsync of the files",), more=False)
    for _ in range(scale.rounds):
        figure.note("gateway, from request to report", safekeeping.committed(lot, folder / "scp"))
        figure.note("fsync of the files", safekeeping.synced(lot, folder / "copies"))
    yield figure


def capture(scale: Scale, _: Path) -> Iterator[Figure]:
    """Measure what recording every connection costs, in relays that a facility's systems speak through."""
    figure = Figure("C-STORE of CT 512x512x16 through relays, nothing written", "instances/s", relays.WAYS[1:])
    stream = relays.a_stream(131072)
    for _ in range(scale.rounds):
        for way in relays.WAYS:
            figure.note(way, relays.measured(stream, scale.ct, way))
    yield figure


def _shares(lot: Lot, folder: Path, size: int) -> Iterator[list[Path]]:
    """Yield tenths of a lot, each as four folders."""
    for number in range(10):
        parts = [folder / f"{number}-{part}" for part in range(4)]
        for part in parts:
            part.mkdir(parents=True, exist_ok=True)
        for at, file in enumerate(lot.files[number * size : (number + 1) * size]):
            link = parts[at % 4] / file.name
            if not link.exists():
                link.hardlink_to(file)
        yield parts


@dataclass(frozen=True)
class Part:
    """What `--only` names; `missing` says why nothing of it can be measured here."""

    measure: Callable[[Scale, Path], Iterator[Figure]]
    missing: str = ""


PARTS = {
    "receive": Part(receive, senders.DCMSEND.missing),
    "send": Part(send, receivers.DCMRECV.missing),
    "echo": Part(echo, receivers.lacks(ECHOSCU)),
    "growth": Part(growth, senders.DCMSEND.missing),
    "whole": Part(whole),
    "commitment": Part(commitment),
    "capture": Part(capture),
}


def machine(folder: Path) -> dict[str, str]:
    """Describe what it was measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{os.cpu_count()} x {model}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "files on": _file_system(folder),
        "Python": platform.python_version(),
        "pynetdicom": version("pynetdicom"),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _file_system(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    there = [(len(at), kind) for at, kind in mounts if folder.resolve().is_relative_to(at)]
    return max(there)[1] if there else "?"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small round, in under a minute")
    parser.add_argument("--rounds", type=int, help="turns of each peer (default 5)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--folder", type=Path, help="where files are made and received")
    parser.add_argument("--disk", type=Path, help="the same for storage commitment: a file system on a disk")
    given = parser.parse_args(arguments)
    scale = QUICK if given.quick else FULL
    if given.rounds:
        scale = Scale(given.rounds, *list(asdict(scale).values())[1:])
    passed_over = {name: PARTS[name].missing for name in given.only if PARTS[name].missing}
    for name, why in passed_over.items():
        print(f"{name}: passed over, since {why}", flush=True)
    figures = []
    prefix = "side-by-side-"
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=given.folder) as there,
        tempfile.TemporaryDirectory(prefix=prefix, dir=given.disk) as disk,
    ):
        here = machine(Path(there)) | {"files of storage commitment on": _file_system(Path(disk))}
        for part in given.only:
            if part in passed_over:
                continue
            place = Path(disk if part == "commitment" else there)
            for figure in PARTS[part].measure(scale, place / part):
                figures.append(figure)
                print(chart.table([figure]), flush=True)
    if not figures:
        print("nothing can be measured here: nothing is written")
        return
    given.out.mkdir(parents=True, exist_ok=True)
    shown = [_record(figure) for figure in figures]
    record = {"machine": here, "scale": asdict(scale), "figures": shown, "passed over": passed_over}
    (given.out / "side-by-side.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (given.out / "side-by-side.md").write_text(chart.document(here, figures, passed_over), encoding="utf-8")
    (given.out / "side-by-side.svg").write_text(chart.plot(figures), encoding="utf-8")
    print(f"written: {given.out}/side-by-side.json, .md, .svg")


def _record(figure: Figure) -> dict[str, object]:
    return asdict(figure) | {"medians": figure.medians(), "ratios": figure.ratios()}


if __name__ == "__main__":
    main()
