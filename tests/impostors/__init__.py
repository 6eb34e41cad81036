"""Deliberately wrong gateways. Each is the reference gateway with one lie in it; the scenarios must catch them all.

Run as a program it is `simulate gateway` with its name in front: `python -m tests.impostors NAME --site F ...`.
"""

from __future__ import annotations

from simulator.gateway.server import Gateway
from tests.impostors import (
    associating,
    committing,
    comparing,
    deciding,
    forwarding,
    negotiating,
    orders,
    sending_on,
    storing,
    taking,
)
from tests.impostors.caught import Caught

CAUGHT: tuple[Caught, ...] = (
    *storing.CAUGHT,
    *taking.CAUGHT,
    *deciding.CAUGHT,
    *comparing.CAUGHT,
    *orders.CAUGHT,
    *associating.CAUGHT,
    *negotiating.CAUGHT,
    *committing.CAUGHT,
    *forwarding.CAUGHT,
    *sending_on.CAUGHT,
)
"""Every wrong gateway, with the case that must catch it; one may be caught by several."""

IMPOSTORS: dict[str, type[Gateway]] = {each.name: each.gateway for each in CAUGHT}
