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
