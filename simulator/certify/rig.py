"""What stands on this machine during a session: front doors on the declared ports, and a gateway behind them.

The doors stand as long as somebody works on the session; the gateway is another one for each attempt at a test, over a
folder of its own, so that no attempt is judged by what an earlier one left. Between two the doors say "not now". TLS
ends at the doors: the gateway behind speaks none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.actors.front_door import FrontDoor
from simulator.actors.modality import Modality
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.tls_end import TlsEnd, TlsStart
from simulator.certify.declaration import Declaration, System
from simulator.certify.programme import Test
from simulator.certify.pulse import Pulse
from simulator.events import Event
from simulator.scenario import gateway_process
from simulator.scenario.gateway_process import GatewayProcess
from simulator.scenario.history import History, Recorder
from simulator.scenario.messages import order_message
from simulator.scenario.nursery import Nursery
from simulator.scenario.real_gateway import Whereabouts
from simulator.site import Site, Tls, is_loopback
from simulator.synthesis import studies
from simulator.synthesis.orders import Order
from simulator.synthesis.people import SYNTHETIC_PREFIXES
from simulator.wire import tls
from simulator.wire.association import Address, Outgoing
from simulator.wire.conversation import Conversation
from simulator.wire.recording import Tell, Told, What
from simulator.wire.tls import Credentials

TO_GATEWAY, ORDERS_TO_GATEWAY = "facility->gateway", "orders->gateway"
TLS_TO_GATEWAY, WITHIN_TLS_TO_GATEWAY = "facility-tls->gateway", "facility-inside-tls->gateway"
"""What comes over TLS: its bytes, and what is said within."""

OUR_MODALITY = "HASIMULATOR"
"""Who sends the studies that the gateway is to forward."""

_LOOPBACK = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - the facility's systems are to reach it, on whatever network they are
_SLICES = 3  # images of a study that the tool sends itself


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited for what. quiet_period: seconds without an instance after which a study is complete.

    settle: seconds without anything after which a red card is believed. after: seconds without anything after which a
    test in which everything was seen is over: the last association ends then. retry_after: of reports and forwarding.
    """

    quiet_period: float = 3.0
    settle: float = 4.0
    after: float = 1.0
    retry_after: float = 5.0


class Rig:
    """Front doors, and a gateway for one test at a time. A context manager.

    tell: hears of what is said at the doors, as it is said (`wire.recording`).
    """

    def __init__(self, declared: Declaration, pace: Pace, tell: Tell = lambda *_: None) -> None:
        """Raises `StartError` for a certificate or key that cannot be read."""
        self.declared = declared
        self.pace = pace
        self.pulse = Pulse()
        self._nursery = Nursery()
        self._observe: Callable[[Event], None] = _unheard

        def heard(what: What, conversation: Conversation, said: Told) -> None:
            self.pulse.beat()
            tell(what, conversation, said)

        here = declared.gateway
        host = here.host if is_loopback(here.host) else _EVERYWHERE
        self._inward = {
            TO_GATEWAY: self._door(TO_GATEWAY, host, here.dicom_port, heard),
            ORDERS_TO_GATEWAY: FrontDoor(
                ORDERS_TO_GATEWAY, "HL7", self._hear, host=host, port=here.hl7_port, tell=heard
            ),
        }
        if here.tls is not None and here.tls.port != "off":
            self._inward[TLS_TO_GATEWAY] = self._tls_door(here.tls, host, here.tls.port, heard)
        self._outward = {
            system.name: self._out_door(system, (system.host, system.port), heard)
            for system in declared.systems
            if system.port is not None
        }
        self._outward_ports: dict[str, int] = {}

    def __enter__(self) -> Rig:
        """Open the doors. Raises `StartError` for a port that somebody else has; nobody is left standing then."""
        try:
            self._nursery.open()
            for door in self._inward.values():
                door.start()
            self._outward_ports = {name: door.start() for name, door in self._outward.items()}
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for door in (*self._inward.values(), *self._outward.values()):
            door.stop()
        self._nursery.close()

    def way_out(self, system: System) -> Address:
        """Return where the gateway, and whoever probes in its stead, calls a system that listens."""
        return Address(system.ae_title, _LOOPBACK, self._outward_ports[system.name])

    @contextlib.contextmanager
    def observed(self, observe: Callable[[Event], None]) -> Iterator[None]:
        """Let somebody hear what the doors observe: handshakes that fail, and what breaks of our own."""
        self._observe = observe
        try:
            yield
        finally:
            self._observe = _unheard

    def conversations(self, after: Counts | None = None) -> tuple[Conversation, ...]:
        """Return what was said at all doors after a moment, in the order in which the connections were opened."""
        counts = after or {}
        found = [
            conversation
            for door in (*self._inward.values(), *self._outward.values())
            for conversation in door.conversations(counts.get(door.link, 0))
        ]
        return tuple(sorted(found, key=lambda each: each.opened))

    def counts(self) -> Counts:
        """Return how many connections each door has seen: a moment, for `conversations`."""
        doors = (*self._inward.values(), *self._outward.values())
        return {door.link: door.connections for door in doors}

    @contextlib.contextmanager
    def gateway(self, test: Test, folder: Path) -> Iterator[Play]:
        """Put a gateway behind the doors for one attempt at a test, over `folder`. Raises `StartError`."""
        recorder = Recorder(test.id)
        recorder.watch(lambda _: self.pulse.beat())
        folder.mkdir(parents=True, exist_ok=True)
        process = GatewayProcess(folder, recorder.observe, self._launch)
        before = self.counts()
        with self.observed(recorder.observe):
            try:
                started = process.start(self.site(test))
                for name, door in self._inward.items():
                    door.target = (_LOOPBACK, started.hl7_port if name == ORDERS_TO_GATEWAY else started.dicom_port)
                yield Play(self, test, recorder, Whereabouts.of(started), before)
            finally:
                for door in self._inward.values():
                    door.target = None
                process.stop()

    def site(self, test: Test | None = None) -> Site:
        """Return the site profile of the gateway: its callers are the systems, and what a test is about it forwards."""
        here, declared = self.declared.gateway, self.declared
        gateway: dict[str, Any] = {
            "ae_title": here.ae_title,
            "dicom_port": 0,
            "hl7_port": 0,
            "http_port": 0,
            "quiet_period": self.pace.quiet_period,
        }
        callers = [self._caller(system) for system in declared.systems]
        destinations = []
        if test is not None and test.kind == "receive" and test.system is not None:
            destinations = [{**self._caller(test.system), "forward": "matched"}]
        return Site.model_validate(
            {
                "site": declared.facility.name,
                "gateway": gateway,
                "callers": [*callers, {"ae_title": OUR_MODALITY}],
                "forwarding": {"destinations": destinations, "attempts": 2, "retry_after": self.pace.retry_after},
                "commitment": {"attempts": 2, "retry_after": self.pace.retry_after},
                "only_hkid_prefixes": list(SYNTHETIC_PREFIXES),
            }
        )

    def _caller(self, system: System) -> dict[str, Any]:
        known: dict[str, Any] = {"ae_title": system.ae_title}
        if system.port is not None:
            known |= {"host": _LOOPBACK, "port": self._outward_ports.get(system.name, system.port)}
        return known

    def _door(self, link: str, host: str, port: int, tell: Tell) -> FrontDoor:
        return FrontDoor(link, "DICOM", self._hear, host=host, port=port, tell=tell)

    def _tls_door(self, here: Tls, host: str, port: int, tell: Tell) -> FrontDoor:
        context = tls.acceptor_context(
            Credentials(here.certificate, here.key, here.ca),
            require_certificate=here.client_certificates == "required",
        )
        return TlsEnd(WITHIN_TLS_TO_GATEWAY, TLS_TO_GATEWAY, context, self._hear, host=host, port=port, tell=tell)

    def _out_door(self, system: System, there: tuple[str, int], tell: Tell) -> FrontDoor:
        link, here = f"gateway->{system.name}", self.declared.gateway.tls
        if not system.tls or here is None:
            return FrontDoor(link, "DICOM", self._hear, target=there, outgoing=True, tell=tell)
        return TlsStart(
            link,
            f"gateway-tls->{system.name}",
            tls.requestor_context(Credentials(here.certificate, here.key, here.ca)),
            self._hear,
            target=there,
            peer_name=system.host,
            tell=tell,
        )

    def _hear(self, event: Event) -> None:
        self._observe(event)

    def _launch(self, options: Any, log: Path) -> Any:
        return self._nursery.start([*gateway_process.COMMAND, *options], log)


def _unheard(_: Event) -> None:
    """Hear nothing: nobody is at it."""


Counts = dict[str, int]
"""How many connections each door had seen at a moment, by its link."""


class Play:
    """One attempt at a test, with its gateway: what this side does in it, and what was seen."""

    def __init__(self, rig: Rig, test: Test, recorder: Recorder, at: Whereabouts, before: Counts) -> None:
        self.test = test
        self.recorder = recorder
        self.at = at
        self._rig = rig
        self._before = before

    def conversations(self) -> tuple[Conversation, ...]:
        """Return what was said at the doors since the attempt began."""
        return self._rig.conversations(self._before)

    def history(self) -> History:
        """Return what was seen so far."""
        return self.recorder.history()

    def send_order(self, order: Order) -> None:
        """Send the order of the test straight to the gateway, as the department's own system would."""
        planned = order_message(order, "ORM^O01")
        placer = OrderPlacer(_LOOPBACK, self.at.hl7_port, self.recorder.observe)
        placer.send(planned.message, planned.accession_number, planned.control_id)

    def send_study(self, order: Order) -> None:
        """Send the study of an order straight to the gateway, which is to forward it."""
        assert self.test.sop_class is not None
        made = studies.study(self.test.id, order, [studies.SeriesSpec(self.test.sop_class, _SLICES)])
        sent = [
            Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in made.instances
        ]
        there = Address(self.at.ae_title, _LOOPBACK, self.at.dicom_port)
        modality = Modality(OUR_MODALITY, there, self.recorder.observe, observer="tool")
        modality.store(sent)
