"""What it means that a wrong gateway is caught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.gateway.server import Gateway

Red = Mapping[str, tuple[object, object]]
"""By the id of each check that goes red: what it expects, and what it observes."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A wrong gateway by its name, the case that is meant for it, and exactly the checks that go red there."""

    name: str
    gateway: type[Gateway]
    case: str
    red: Red


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Equal to any count from `least` on: a run ends at the first thing that must not happen, with more on the way."""

    least: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and other >= self.least

    def __hash__(self) -> int:
        return hash(self.least)


@dataclass(frozen=True, slots=True)
class Begins:
    """Equal to any list that begins so, for the same reason."""

    first: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and tuple(other[: len(self.first)]) == self.first

    def __hash__(self) -> int:
        return hash(self.first)
