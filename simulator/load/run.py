"""Runs a load: a gateway where none is given, orders, modalities side by side, and what came of it."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import Any, Literal, Protocol

import simulator
from simulator.errors import HarnessError, PeerError
from simulator.events import Event, GatewayStopped, now
from simulator.load import result
from simulator.load.crew import Begun, Crew, Ended, Told
from simulator.load.instances import STUDIES_AT_MOST, Orders, Recipe
from simulator.load.modality import TICK, Assignment
from simulator.load.order_source import OrderSource
from simulator.load.result import LoadResult
from simulator.load.tally import Tally
from simulator.rules.sop_classes import SopClass
from simulator.scenario.gateway_process import COMMAND, GatewayProcess
from simulator.scenario.nursery import Nursery
from simulator.site import Site, overridden
from simulator.wire.association import Address
from simulator.wire.gateway_api import GatewayApi

_LOOPBACK = "127.0.0.1"
_LISTEN_SECONDS = 0.25  # how long to wait for a modality before the face is told anew
_STOP_SECONDS = 5.0
_SETTLE_SECONDS = 30.0  # beyond the quiet period, for the gateway to match what it got
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for: so many modalities, each of them sends so many studies of so many images.

    studies: None: as many as the time allows. seconds: None: no limit. to: None: a gateway is started, with `site`.
    orders: host and port where a gateway at `to` takes HL7; None: it gets no orders, so nothing matches there. calling:
    AE title of all modalities; empty: those that the site takes, else one for each.
    """

    modalities: int
    studies: int | None
    images: int
    seconds: float | None
    sop_class: SopClass
    seed: int
    site: Site
    rows: int | None = None
    columns: int | None = None
    to: Address | None = None
    orders: tuple[str, int] | None = None
    calling: str = ""

    @property
    def studies_at_most(self) -> int:
        """How many studies a modality sends at most."""
        return STUDIES_AT_MOST if self.studies is None else self.studies

    @property
    def recipe(self) -> Recipe:
        """What each modality sends."""
        rules = self.site.accession_rules()
        return Recipe(self.seed, self.sop_class, self.images, self.rows, self.columns, rules)

    def titles(self) -> tuple[str, ...]:
        """Return the calling AE title of each modality."""
        callers = self.site.callers
        if self.calling:
            return (self.calling,) * self.modalities
        if callers != "any":
            return tuple(callers[number % len(callers)].ae_title for number in range(self.modalities))
        return tuple(f"MODALITY{number}" for number in range(1, self.modalities + 1))


class Face(Protocol):
    """Who is told how a load goes on, and shows it."""

    def making(self, load: Load, to: Address) -> None:
        """The modalities make their pictures, and are going to send there."""

    def goes_on(self, seconds: float, total: Tally) -> None:
        """So long after the start this is what was found."""


@dataclass(slots=True)
class _Seen:
    """What the modalities have told."""

    by_modality: list[Tally]
    by_tick: dict[int, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    problems: list[str] = field(default_factory=list)
    interrupted: bool = False
    duration: float = 0.0

    def take(self, number: int, told: Told) -> None:
        for tally in (self.by_modality[number], self.by_tick.setdefault(told.tick, Tally()), self.total):
            tally.merge(told.tally)


def run(load: Load, folder: Path, face: Face) -> LoadResult:
    """Run a load; a gateway that it starts has its log in `folder`/gateway. Ctrl-C ends it, and it still has a result.

    Raises `StartError` when the gateway does not start, `HarnessError` when there is nothing to send.
    """
    started = now()
    if load.to is not None:
        seen, source = _send(load, load.to, load.orders, face)
        return _result(load, started, load.to, load.orders, seen, source, None)
    with _gateway(load.site, folder / "gateway") as gateway:
        seen, source = _send(load, gateway.address, gateway.hl7, face)
        held = gateway.held(load.site.gateway.quiet_period, settles=not seen.interrupted)
    held = held.model_copy(update={"exit_code": gateway.exit_code})
    return _result(load, started, gateway.address, gateway.hl7, seen, source, held)


# --- sending -------------------------------------------------------------------------------------------


def _send(load: Load, to: Address, orders: tuple[str, int] | None, face: Face) -> tuple[_Seen, OrderSource | None]:
    """Have every modality send; return what they told, and who placed the orders."""
    face.making(load, to)
    assignments = [
        Assignment(number, title, to, load.recipe, load.studies_at_most, load.seconds)
        for number, title in enumerate(load.titles())
    ]
    seen = _Seen([Tally() for _ in assignments])
    try:
        with Crew(assignments, with_orders=orders is not None) as crew:
            crew.await_ready()
            source = _order_source(load, orders, crew)
            began = time.monotonic()
            crew.begin()
            with _Interruption() as interruption:
                _watch(crew, source, seen, lambda: face.goes_on(time.monotonic() - began, seen.total), interruption)
            seen.interrupted = interruption.came
            seen.duration = time.monotonic() - began
            if source is not None:
                source.stop(0.0 if seen.interrupted else _STOP_SECONDS)
    except KeyboardInterrupt:
        raise HarnessError("interrupted: this run has no result") from None
    face.goes_on(seen.duration, seen.total)
    return seen, source


def _order_source(load: Load, orders: tuple[str, int] | None, crew: Crew) -> OrderSource | None:
    """Return who places orders, once those of the first studies are placed."""
    if orders is None:
        return None
    own = [Orders(load.recipe, number) for number in range(load.modalities)]
    source = OrderSource(*orders, own, load.studies_at_most, crew.ordered)
    source.start()
    return source


def _watch(
    crew: Crew, source: OrderSource | None, seen: _Seen, show: Callable[[], object], interruption: _Interruption
) -> None:
    """Take in what the modalities tell, until all have ended; once interrupted, for a few seconds more."""
    until = math.inf
    while crew.is_busy and time.monotonic() < until:
        if interruption.came and until == math.inf:
            crew.stop()
            until = time.monotonic() + _STOP_SECONDS
        for number, report in crew.reports(_LISTEN_SECONDS):
            if isinstance(report, Told):
                seen.take(number, report)
            elif isinstance(report, Begun) and source is not None:
                source.begun(number, report.study)
            elif isinstance(report, Ended) and report.problem:
                seen.problems.append(f"modality {number + 1}: {report.problem}")
        show()


class _Interruption:
    """Ctrl-C and SIGTERM while modalities send: noted, so that none cuts a report in two; the second one interrupts.

    A context manager, for the main thread.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interruption:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True


# --- the gateway ---------------------------------------------------------------------------------------


class _Gateway:
    """The gateway that a load starts for itself, over a folder of its own; what it took is not kept."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        folder.mkdir()
        self.exit_code: int | None = None
        self._process = GatewayProcess(
            folder,
            self._observe,
            lambda options, log: nursery.start([*COMMAND, *options], log),
            follows=False,
        )

    def start(self, site: Site) -> None:
        started = self._process.start(_on_free_ports(site))
        self.address = Address(started.ae_title, _LOOPBACK, started.dicom_port)
        self.hl7 = _LOOPBACK, started.hl7_port
        self._api = GatewayApi(started.http_url)

    def stop(self) -> None:
        self._process.stop()
        rmtree(self._process.data, ignore_errors=True)

    def held(self, quiet_period: float, *, settles: bool) -> result.Held:
        """Return what it says that it holds; `settles`: once it has judged every study."""
        deadline = time.monotonic() + quiet_period + _SETTLE_SECONDS
        try:
            studies = self._api.status()["studies"]
            while settles and any(study["state"] == "receiving" for study in studies) and time.monotonic() < deadline:
                threading.Event().wait(_POLL_SECONDS)
                studies = self._api.status()["studies"]
        except PeerError:
            return result.Held(studies=None, instances=None, states={}, exit_code=None)
        except KeyboardInterrupt:
            return self.held(quiet_period, settles=False)
        states = Counter(str(study["state"]) for study in studies)
        count = sum(int(study["instances"]) for study in studies)
        return result.Held(studies=len(studies), instances=count, states=dict(states), exit_code=None)

    def _observe(self, event: Event) -> None:
        if isinstance(event, GatewayStopped):
            self.exit_code = event.exit_code


@contextmanager
def _gateway(site: Site, folder: Path) -> Iterator[_Gateway]:
    with Nursery() as nursery:
        gateway = _Gateway(folder, nursery)
        try:
            gateway.start(site)
            yield gateway
        finally:
            gateway.stop()


def _on_free_ports(site: Site) -> Site:
    """Return the profile for a gateway of this run alone: on loopback, for callers from here, forwarding to nobody."""
    ports: dict[str, object] = {"host": _LOOPBACK, "dicom_port": 0, "hl7_port": 0, "http_port": 0}
    if site.gateway.tls is not None and site.gateway.tls.port != "off":
        ports["tls"] = {"port": 0}
    changes: dict[str, object] = {"gateway": ports, "forwarding": {"destinations": []}}
    if site.callers != "any":
        changes["callers"] = [caller.model_dump(mode="json") | {"addresses": []} for caller in site.callers]
    return overridden(site, changes)


# --- what came of it -----------------------------------------------------------------------------------


def _result(
    load: Load,
    started: str,
    to: Address,
    orders: tuple[str, int] | None,
    seen: _Seen,
    source: OrderSource | None,
    held: result.Held | None,
) -> LoadResult:
    if source is not None:
        seen.total.merge(source.tally)
    total = seen.total
    seconds = seen.duration or 1.0
    return LoadResult(
        simulator=simulator.__version__,
        started=started,
        seed=load.seed,
        verdict=_verdict(seen, held),
        interrupted=seen.interrupted,
        asked=_asked(load, to, orders),
        duration=round(seen.duration, 3),
        instances=result.counts(total),
        studies=total.studies,
        instances_per_second=round(total.stored / seconds, 2),
        megabytes_per_second=round(total.bytes / seconds / 1e6, 3),
        c_store=result.Durations.of(total.stores),
        association=result.Durations.of(total.associations),
        order=result.Durations.of(source.durations if source is not None else Tally().stores),
        orders_awaited=round(total.orders_awaited, 3),
        statuses=dict(sorted(total.statuses.items())),
        failures=result.failures(total),
        problems=tuple(seen.problems),
        modalities=result.modalities(load.titles(), seen.by_modality),
        gateway=held,
        tick=TICK,
        timeline=result.timeline(seen.by_tick, TICK),
        histogram=result.histogram(total.stores),
    )


def _verdict(seen: _Seen, held: result.Held | None) -> Literal["pass", "fail", "inconclusive", "error"]:
    """Return the worst that was seen; nothing sent proves nothing."""
    if seen.problems:
        return "error"
    if seen.total.failed or (held is not None and _has_lost(held, seen.total.stored)):
        return "fail"
    return "inconclusive" if seen.interrupted or not seen.total.stored else "pass"


def _has_lost(held: result.Held, stored: int) -> bool:
    """Tell whether a gateway died, or holds less than it said it stored."""
    return held.exit_code not in (0, None) or held.instances is None or held.instances < stored


def _asked(load: Load, to: Address, orders: tuple[str, int] | None) -> result.Asked:
    return result.Asked(
        modalities=load.modalities,
        studies=load.studies,
        images=load.images,
        seconds=load.seconds,
        sop_class=load.sop_class.keyword,
        rows=load.rows,
        columns=load.columns,
        to=str(to),
        orders="" if orders is None else f"{orders[0]}:{orders[1]}",
    )
