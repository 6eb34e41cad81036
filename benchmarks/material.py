"""What the benchmarks send: synthetic CT series as files, made once for a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulator.rules.sop_classes import by_name
from simulator.synthesis import orders, people, studies
from simulator.wire.association import Outgoing
from simulator.wire.part10 import build

_LARGEST_PAINTED = 1024  # pixels along an edge


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
    whole = folder / name / "whole"
    shares = tuple(folder / name / f"part-{number}" for number in range(parts))
    for each in (whole, *shares):
        each.mkdir(parents=True)
    for number, outgoing in enumerate(_instances(f"benchmark-{name}", instances, edge)):
        file = whole / f"{number:05}.dcm"
        file.write_bytes(build(outgoing, "BENCHMARK"))
        (shares[number % parts] / file.name).hardlink_to(file)
    return Lot(name, f"{instances} x CT {edge}x{edge}x16", instances, whole, shares)


def _instances(seed: str, instances: int, edge: int) -> Iterator[Outgoing]:
    """Yield the instances of a series; of large ones one is painted, and the others differ from it by their UID."""
    order = orders.order(seed, people.person(seed), modality="CT")
    painted = instances if edge <= _LARGEST_PAINTED else 1
    spec = studies.SeriesSpec(by_name("CTImageStorage"), painted, edge, edge)
    for instance in studies.study(seed, order, [spec]).instances:
        for number in range(instances // painted):
            uid = instance.sop_instance_uid
            own = uid[:-4] + f"{number:04}" if painted < instances else uid
            encoded = instance.data_set.replace(uid.encode(), own.encode())
            yield Outgoing(instance.sop_class_uid, own, instance.transfer_syntax_uid, encoded)
