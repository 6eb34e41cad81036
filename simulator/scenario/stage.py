"""Everyone who plays in one case: gateway, modalities, remote SCPs, order placer, operator, peers with a script.

Each is on this machine, on a free port. Only this module and `stage_relays` know actors, and only this one the
gateway's process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.operator import Operator
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.raw_peer import RawPeer
from simulator.actors.remote_scp import Behaviour, RemoteSCP
from simulator.events import Event, GatewayStarted
from simulator.rules import transfer_syntaxes
from simulator.scenario.gateway_process import GatewayProcess
from simulator.scenario.model_given import RemoteSpec
from simulator.scenario.model_steps import AssociateSpec
from simulator.scenario.plan import Plan
from simulator.scenario.stage_relays import ORDERS, Relays
from simulator.site import Site, overridden, with_files_from
from simulator.synthesis import compression
from simulator.wire import certificates, pdu_script
from simulator.wire.association import Address, Context
from simulator.wire.gateway_api import GatewayApi

GATEWAY = "gateway"
MODALITY = "MODALITY1"
OPERATOR = "OPERATOR1"
_MODALITY = "modality"
_LOOPBACK = "127.0.0.1"


class Stage:
    """The players of one case, over one folder. What they see goes to `observe`.

    `command`: how the gateway is started. `reports`: where the modality takes commitment reports.
    """

    def __init__(self, planned: Plan, folder: Path, command: Sequence[str], observe: Callable[[Event], None]) -> None:
        folder.mkdir(parents=True)
        self._plan = planned
        self._observe = observe
        self._remotes = {name: self._remote(name, spec) for name, spec in planned.case.given.remote_scps.items()}
        self._relays = Relays(planned.case.faults, planned.seed, observe)
        self.reports = Reports(_calling_ae_title(planned.site), _LOOPBACK, observe)
        self._certificates = folder / "certificates"
        self._gateway = GatewayProcess(folder, observe, command)
        self._site = planned.site
        self._started: GatewayStarted | None = None

    @property
    def data(self) -> Path:
        """The folder in which the gateway keeps its files."""
        return self._gateway.data

    def start(self) -> None:
        """Put up the remote SCPs that are up, and the gateway. Raises `StartError`; nobody is left standing then."""
        try:
            self._relays.start()
            self._site = self._with_everybody()
            self.start_gateway({})
        except BaseException:  # an interrupt too must leave no process behind
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the gateway, and then everyone else."""
        self._gateway.stop()
        for remote in self._remotes.values():
            remote.stop()
        self.reports.stop()
        self._relays.stop()

    def start_gateway(self, changes: Mapping[str, Any]) -> None:
        """Start the gateway, with changes to its site profile from now on, and tell the others where it listens."""
        self._site = overridden(self._site, dict(changes)) if changes else self._site
        self._started = self._gateway.start(self._site)
        for name, remote in self._remotes.items():
            way = self._relays.way((name, GATEWAY), _LOOPBACK, self._started.dicom_port)
            remote.report_to(Address(self._started.ae_title, *way))

    def stop_gateway(self) -> None:
        """Stop the gateway cleanly, if it runs."""
        self._gateway.stop()

    def kill_gateway(self) -> None:
        """Kill the gateway, if it runs."""
        self._gateway.kill()

    def play(self, name: str) -> None:
        """Let a peer connect to the gateway and play its script to the end."""
        spec = self._plan.case.given.peers[name]
        started = self._gateway_now
        port = started.dicom_port if spec.to == "dicom" else started.hl7_port
        RawPeer(pdu_script.script(spec.script), self._observe, name).play(_LOOPBACK, port)

    def start_remote(self, name: str) -> None:
        """Let a remote SCP listen that was down."""
        self._remotes[name].start()

    def modality(
        self,
        name: str | None = None,
        asked: AssociateSpec | None = None,
        observe: Callable[[Event], None] | None = None,
    ) -> Modality:
        """Return a modality, by name or the one without, as it calls in this case or is `asked` to for once."""
        given = self._plan.case.given
        how = given.modality if name is None else given.modalities[name]
        if asked is not None:
            how = how.model_copy(update=asked.model_dump(exclude_none=True, exclude={"name", "by", "hold"}))
        started = self._gateway_now
        over_tls = how.port == "dicom-tls" or (how.port is None and how.tls is not None)
        port = started.dicom_tls_port if over_tls else started.dicom_port
        return Modality(
            how.calling or _calling_ae_title(self._plan.site, name),
            Address(how.called or started.ae_title, *self._relays.way((name or _MODALITY, GATEWAY), _LOOPBACK, port)),
            observe or self._observe,
            observer=name or _MODALITY,
            tls=certificates.credentials(self._certificates, how.tls, how.trust),
            source=how.address or "",
            association=asked.name if asked else "",
        )

    def order_placer(self, time_out: float) -> OrderPlacer:
        """Return who sends HL7 messages to the gateway. time_out: seconds to wait for each acknowledgement."""
        way = self._relays.way((ORDERS, GATEWAY), _LOOPBACK, self._gateway_now.hl7_port)
        return OrderPlacer(*way, self._observe, time_out=time_out)

    def operator(self, step: str) -> Operator:
        """Return who rules about unmatched studies in a step of the story."""
        return Operator(OPERATOR, self._gateway_now.http_url, self._observe, step=step)

    def gateway_api(self) -> GatewayApi:
        """Return the gateway's HTTP API."""
        return GatewayApi(self._gateway_now.http_url)

    @property
    def _gateway_now(self) -> GatewayStarted:
        """Where the gateway listens: other ports after each start."""
        assert self._started is not None
        return self._started

    def _remote(self, name: str, spec: RemoteSpec) -> RemoteSCP | _Scripted:
        """Return a remote SCP that is to be put up; its AE title is its name in capital letters."""
        if spec.script:
            return _Scripted(RawPeer(pdu_script.script(spec.script), self._observe, name))
        accepted = tuple(compression.by_name(each).uid for each in spec.accepts) or transfer_syntaxes.ACCEPTED
        return RemoteSCP(
            name.upper(),
            _LOOPBACK,
            0,
            [Context(sop_class.uid, accepted) for sop_class in self._plan.site.storage_classes()],
            self._observe,
            observer=name if self._plan.case.given.remotes else "remote",
            behaviour=_behaviour(spec),
        )

    def _with_everybody(self) -> Site:
        """Put up the remote SCPs that are up, and return the profile with everybody's address and certificate."""
        site = _on_free_ports(self._plan, self._destinations())
        if any(step.commit and step.commit.listener != "none" for _, _, step in self._plan.case.steps):
            site = _with_address_of_modality(
                site, *self._relays.way((GATEWAY, _MODALITY), _LOOPBACK, self.reports.port)
            )
        if site.gateway.tls is not None:
            certificates.make(self._certificates)
            site = with_files_from(site, self._certificates)
        return site

    def _destinations(self) -> list[dict[str, Any]]:
        """Put up the remote SCPs that are up, and return all of them as the site profile names destinations."""
        return [self._destination(name, spec) for name, spec in self._plan.case.given.remote_scps.items()]

    def _destination(self, name: str, spec: RemoteSpec) -> dict[str, Any]:
        remote = self._remotes[name]
        port = remote.start() if spec.starts == "up" else remote.reserve()
        host, port = self._relays.way((GATEWAY, name), _LOOPBACK, port)
        return {**spec.destination, "ae_title": name.upper(), "host": host, "port": port}


class _Scripted:
    """A peer that plays a script, in the place of a remote SCP."""

    def __init__(self, peer: RawPeer) -> None:
        self._peer = peer
        self.start = peer.listen
        self.reserve = peer.listen  # a script has no time at which nobody listens
        self.stop = peer.stop

    def report_to(self, gateway: Address) -> None:
        """Reports are a matter of the script."""


def _with_address_of_modality(site: Site, host: str, port: int) -> Site:
    """Return the site with the modality's address, for reports that come on a new association."""
    callers = [{"ae_title": MODALITY}] if site.callers == "any" else site.model_dump(mode="json")["callers"]
    callers[0] |= {"host": host, "port": port}
    return overridden(site, {"callers": callers})


def _calling_ae_title(site: Site, name: str | None = None) -> str:
    """Return an AE title that the site takes calls from: a modality's name in capital letters where it does."""
    wanted = MODALITY if name is None else name.upper()
    known = [wanted] if site.callers == "any" else [caller.ae_title for caller in site.callers]
    return wanted if wanted in known else known[0]


def _on_free_ports(planned: Plan, destinations: list[dict[str, Any]]) -> Site:
    site = planned.site
    # A profile may switch the plain port off for good; only a story that says so does without it.
    off = planned.case.given.site.get("gateway", {}).get("dicom_port") == "off"
    ports: dict[str, Any] = {"host": _LOOPBACK, "dicom_port": "off" if off else 0, "hl7_port": 0, "http_port": 0}
    if site.gateway.tls is not None and site.gateway.tls.port != "off":
        ports["tls"] = {"port": 0}
    callers: dict[str, Any] = {}
    if site.callers != "any" and "callers" not in planned.case.given.site:
        # Whoever calls in this run does so from this machine; a story about addresses names them itself.
        callers = {"callers": [caller.model_dump(mode="json") | {"addresses": []} for caller in site.callers]}
    return overridden(site, {"gateway": ports, "forwarding": {"destinations": destinations}, **callers})


def _behaviour(spec: RemoteSpec) -> Behaviour:
    return Behaviour(
        status=int(spec.answers, 16),
        times=spec.times,
        aborts_at=spec.aborts_at or 0,
        hangs_at=spec.hangs_at or 0,
        rejects=spec.rejects,
        commits=spec.commits,
        loses=spec.loses,
        reports=spec.reports,
    )
