"""The relays of one case: where a story does something to a message, both peers speak through one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simulator.actors.fault_relay import FaultRelay
from simulator.events import Event
from simulator.scenario.model_given import FaultSpec
from simulator.wire.faults import Fault

ORDERS = "orders"
"""What the order placer is called in `fault.on`."""

Link = tuple[str, str]


class Relays:
    """A relay for each two peers between whom something is done to a message; all others speak to each other."""

    def __init__(self, faults: Iterable[FaultSpec], seed: int, observe: Callable[[Event], None]) -> None:
        by_link: dict[Link, list[Fault]] = {}
        for fault in faults:
            by_link.setdefault(fault.link, []).append(Fault.parse(fault.at, fault.do))
        self._relays = {
            link: FaultRelay(
                "->".join(link), "", 0, asked, observe, protocol="HL7" if ORDERS in link else "DICOM", seed=seed
            )
            for link, asked in by_link.items()
        }
        self._ports: dict[Link, int] = {}

    def start(self) -> None:
        """Let every relay listen. Raises `StartError`."""
        for link, relay in self._relays.items():
            self._ports[link] = relay.start()

    def stop(self) -> None:
        """Stop them; each tells of a fault whose message never came."""
        for relay in self._relays.values():
            relay.stop()

    def way(self, link: Link, host: str, port: int) -> tuple[str, int]:
        """Return where the first peer of a link connects to reach the second, which listens on `host` and `port`."""
        if link not in self._ports:
            return host, port
        self._relays[link].target = (host, port)
        return "127.0.0.1", self._ports[link]
