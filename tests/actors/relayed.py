"""What the tests of relays share: a relay with faults, and peers played from scripts on both sides of it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from simulator.actors.fault_relay import FaultRelay
from simulator.actors.raw_peer import RawPeer
from simulator.events import Event, FaultInjected
from simulator.wire.association import Outgoing
from simulator.wire.faults import Fault, Protocol
from simulator.wire.pdu_script import script
from tests.wire.sockets import HOST, PATIENCE

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"

Steps = Sequence[Mapping[str, Any]]
ASK = {"send": {"pdu": "A-ASSOCIATE-RQ", "contexts": [{"context_id": 1, "abstract_syntax_uid": CT}]}}
ASKED: Steps = (ASK, {"recv": "A-ASSOCIATE-AC"})
ACCEPTED: Steps = ({"recv": "A-ASSOCIATE-RQ"}, {"send": {"pdu": "A-ASSOCIATE-AC"}})
RELEASED: Steps = (
    {"send": {"pdu": "A-RELEASE-RQ"}},
    {"recv": "A-RELEASE-RP"},
    {"close": "fin"},
)
RELEASING: Steps = ({"recv": "A-RELEASE-RQ"}, {"send": {"pdu": "A-RELEASE-RP"}}, {"await_end": "fin"})


def store(number: int, size: int = 1000) -> dict[str, Any]:
    """Return the step that sends a C-STORE-RQ."""
    content = {"affected_sop_class_uid": CT, "affected_sop_instance_uid": f"1.2.{number}", "message_id": number}
    return {"send": {"message": "C-STORE-RQ", "data_set": "ab" * size, **content}}


ANSWER: Steps = ({"recv": "C-STORE-RQ"}, {"send": {"message": "C-STORE-RSP"}})


class Relaying:
    """A relay that runs, and what it told."""

    def __init__(self, relay: FaultRelay, told: queue.Queue[Event]) -> None:
        self.relay = relay
        self.port = relay.start()
        self._told = told

    def next(self) -> Event:
        """Return the next event, as soon as it is there."""
        return self._told.get(timeout=PATIENCE)

    def rest(self) -> list[Event]:
        """Return the events that were told and not taken yet."""
        found = []
        while not self._told.empty():
            found.append(self._told.get())
        return found

    def injected(self) -> list[tuple[str, str]]:
        """Return where what was done."""
        return [(event.fault_at, event.do) for event in self.rest() if isinstance(event, FaultInjected)]


@contextmanager
def relaying(port: int, *faults: tuple[str, str], protocol: Protocol = "DICOM", seed: int = 1) -> Iterator[Relaying]:
    """Run a relay to `port` with these faults."""
    told: queue.Queue[Event] = queue.Queue()
    asked = [Fault.parse(at, do) for at, do in faults]
    relay = FaultRelay("here->there", HOST, port, asked, told.put, protocol=protocol, seed=seed)
    running = Relaying(relay, told)
    try:
        yield running
    finally:
        relay.stop()


class Played:
    """A peer played from a script, and what it told."""

    def __init__(self, steps: Steps, instances: Callable[[str], Outgoing] | None = None) -> None:
        self.events: list[Event] = []
        self.peer = RawPeer(script(steps), self.events.append, instances=instances)

    def of(self, kind: type[Event]) -> list[Any]:
        """Return its events of one class."""
        return [event for event in self.events if type(event) is kind]


@contextmanager
def listening(*steps: Mapping[str, Any]) -> Iterator[tuple[Played, int]]:
    """Play a script as acceptor, to its end."""
    played = Played(steps)
    try:
        yield played, played.peer.listen()
        assert played.peer.join(PATIENCE)
    finally:
        played.peer.stop()
