"""Everyone who plays in one case: the gateway, the modality, the remote SCPs, the order placer and the operator.

Each is on this machine, on a free port. Only this module knows the actors and the gateway's process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.operator import Operator
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.remote_scp import Behaviour, RemoteSCP
from simulator.events import Event, GatewayStarted
from simulator.rules import transfer_syntaxes
from simulator.scenario.gateway_process import GatewayProcess, Launch
from simulator.scenario.model_given import RemoteSpec
from simulator.scenario.model_steps import AssociateSpec
from simulator.scenario.plan import Plan
from simulator.site import Site, overridden, with_files_from
from simulator.synthesis import compression
from simulator.wire import certificates
from simulator.wire.association import Address, Context
from simulator.wire.gateway_api import GatewayApi

MODALITY = "MODALITY1"
OPERATOR = "OPERATOR1"
_LOOPBACK = "127.0.0.1"


class Stage:
    """The players of one case, over one folder. What they see goes to `observe`.

    `launch`: how the gateway is started. `reports`: where the modality takes commitment reports.
    """

    def __init__(self, planned: Plan, folder: Path, launch: Launch, observe: Callable[[Event], None]) -> None:
        folder.mkdir(parents=True)
        self._plan = planned
        self._observe = observe
        self._remotes = {name: self._remote(name, spec) for name, spec in planned.case.given.remote_scps.items()}
        self.reports = Reports(_calling_ae_title(planned.site), _LOOPBACK, observe)
        self._certificates = folder / "certificates"
        self._gateway = GatewayProcess(folder, observe, launch)
        self._site = planned.site
        self._started: GatewayStarted | None = None

    @property
    def data(self) -> Path:
        """The folder in which the gateway keeps its files."""
        return self._gateway.data

    def start(self) -> None:
        """Put up the remote SCPs that are up, and the gateway. Raises `StartError`; nobody is left standing then."""
        try:
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

    def start_gateway(self, changes: Mapping[str, Any]) -> None:
        """Start the gateway, with changes to its site profile from now on, and tell the others where it listens."""
        self._site = overridden(self._site, dict(changes)) if changes else self._site
        self._started = self._gateway.start(self._site)
        for remote in self._remotes.values():
            remote.report_to(Address(self._started.ae_title, _LOOPBACK, self._started.dicom_port))

    def stop_gateway(self) -> None:
        """Stop the gateway cleanly, if it runs."""
        self._gateway.stop()

    def kill_gateway(self) -> None:
        """Kill the gateway, if it runs."""
        self._gateway.kill()

    def start_remote(self, name: str) -> None:
        """Let a remote SCP listen that was down."""
        self._remotes[name].start()

    def modality(self, asked: AssociateSpec | None = None, observe: Callable[[Event], None] | None = None) -> Modality:
        """Return the modality as it calls in this case, or as it is `asked` to for one association."""
        how = self._plan.case.given.modality
        if asked is not None:
            how = how.model_copy(update=asked.model_dump(exclude_none=True, exclude={"name", "hold"}))
        started = self._gateway_now
        over_tls = how.port == "dicom-tls" or (how.port is None and how.tls is not None)
        port = started.dicom_tls_port if over_tls else started.dicom_port
        return Modality(
            how.calling or _calling_ae_title(self._plan.site),
            Address(how.called or started.ae_title, _LOOPBACK, port),
            observe or self._observe,
            tls=certificates.credentials(self._certificates, how.tls, how.trust),
            source=how.address or "",
            association=asked.name if asked else "",
        )

    def order_placer(self, time_out: float) -> OrderPlacer:
        """Return who sends HL7 messages to the gateway. time_out: seconds to wait for each acknowledgement."""
        return OrderPlacer(_LOOPBACK, self._gateway_now.hl7_port, self._observe, time_out=time_out)

    def operator(self) -> Operator:
        """Return who rules about unmatched studies."""
        return Operator(OPERATOR, self._gateway_now.http_url, self._observe)

    def gateway_api(self) -> GatewayApi:
        """Return the gateway's HTTP API."""
        return GatewayApi(self._gateway_now.http_url)

    @property
    def _gateway_now(self) -> GatewayStarted:
        """Where the gateway listens: other ports after each start."""
        assert self._started is not None
        return self._started

    def _remote(self, name: str, spec: RemoteSpec) -> RemoteSCP:
        """Return a remote SCP that is to be put up; its AE title is its name in capital letters."""
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
        if any(step.commit and step.commit.listener != "none" for step in self._plan.case.when):
            site = _with_address_of_modality(site, self.reports.port)
        if site.gateway.tls is not None:
            certificates.make(self._certificates)
            site = with_files_from(site, self._certificates)
        return site

    def _destinations(self) -> list[dict[str, Any]]:
        """Put up the remote SCPs that are up, and return all of them as the site profile names destinations."""
        specs = self._plan.case.given.remote_scps
        return [
            {
                **specs[name].destination,
                "ae_title": name.upper(),
                "host": _LOOPBACK,
                "port": remote.start() if specs[name].starts == "up" else remote.reserve(),
            }
            for name, remote in self._remotes.items()
        ]


def _with_address_of_modality(site: Site, port: int) -> Site:
    """Return the site with the modality's address, for reports that come on a new association."""
    callers = [{"ae_title": MODALITY}] if site.callers == "any" else site.model_dump(mode="json")["callers"]
    callers[0] |= {"host": _LOOPBACK, "port": port}
    return overridden(site, {"callers": callers})


def _calling_ae_title(site: Site) -> str:
    """Return an AE title that the site takes calls from."""
    return MODALITY if site.callers == "any" else site.callers[0].ae_title


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
