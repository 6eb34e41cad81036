"""What the benchmarks send: synthetic CT series as files, made once for a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simulator.rules.sop_classes import by_name
from simulator.synthesis import orders, people, studies
from simulator.wire.association import Outgoing
from simulator.wire.part10 import build


@dataclass(frozen=True)
class Lot:
    """One series as Part 10 files; `parts`: folders with a share of it each, for several associations at once."""

    name: str
    title: str
    instances: int
    folder: Path
    parts: tuple[Path, ...]

    @property
    def files(self) -> list[Path]:
        """The files, in order."""
        return sorted(self.folder.iterdir())


def make(folder: Path, name: str, instances: int, edge: int, parts: int = 4) -> Lot:
    """Write a CT series of `instances` images of `edge` x `edge` x 16 bit."""
    seed = f"benchmark-{name}"
    order = orders.order(seed, people.person(seed), modality="CT")
    spec = studies.SeriesSpec(by_name("CTImageStorage"), instances, edge, edge)
    whole = folder / name / "whole"
    shares = tuple(folder / name / f"part-{number}" for number in range(parts))
    for each in (whole, *shares):
        each.mkdir(parents=True)
    for number, instance in enumerate(studies.study(seed, order, [spec]).instances):
        uids = instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid
        file = whole / f"{number:05}.dcm"
        file.write_bytes(build(Outgoing(*uids, instance.data_set), "BENCHMARK"))
        (shares[number % parts] / file.name).hardlink_to(file)
    return Lot(name, f"{instances} x CT {edge}x{edge}x16", instances, whole, shares)
