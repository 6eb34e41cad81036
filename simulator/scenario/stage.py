"""Everyone who plays in one case: gateway, modalities, remote SCPs, order placer, operator, peers with a script.

Each is on this machine, on a free port. Only this module and `stage_relays` know actors, and only this one the
gateway's process.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.operator import Operator
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.raw_peer import RawPeer
from simulator.actors.remote_scp import Behaviour, RemoteSCP
from simulator.errors import UsageError
from simulator.events import Event, RoleBound
from simulator.rules import sop_classes, transfer_syntaxes
from simulator.scenario import proposals
from simulator.scenario.binding import GATEWAY, MODALITY
from simulator.scenario.gateway_process import GatewayProcess, Launch
from simulator.scenario.model_given import ModalitySpec, RemoteSpec
from simulator.scenario.model_steps import AssociateSpec, Store
from simulator.scenario.plan import Plan
from simulator.scenario.real_gateway import RealGateway, Whereabouts
from simulator.scenario.stage_relays import ORDERS, Relays
from simulator.site import Destination, Site, overridden, with_files_from
from simulator.synthesis import compression
from simulator.wire import certificates, pdu_script, tls
from simulator.wire.association import Address, Context, Outgoing
from simulator.wire.gateway_api import GatewayApi

MODALITY_TITLE = "MODALITY1"
OPERATOR = "OPERATOR1"
_LOOPBACK = "127.0.0.1"


class Stage:
    """The players of one case, over one folder. What they see goes to `observe`.

    `launch`: how the gateway is started. `bound`: real systems by the role that they play in this case.
    `reports`: where the modality takes commitment reports.
    """

    def __init__(
        self,
        planned: Plan,
        folder: Path,
        launch: Launch,
        observe: Callable[[Event], None],
        bound: Mapping[str, Address] = MappingProxyType({}),
    ) -> None:
        folder.mkdir(parents=True)
        self.data = folder / "data"
        self._plan = planned
        self._observe = observe
        self._bound = bound
        self._certificates = folder / "certificates"
        if planned.site.gateway.tls is not None and MODALITY not in bound:
            certificates.make(self._certificates)
        self._remotes = {
            name: self._remote(name, spec)
            for name, spec in planned.case.given.remote_scps.items()
            if name not in bound and (GATEWAY not in bound or self._known_to_site(name) is not None)
        }
        self._relays = Relays(planned.case.faults, planned.seed, observe)
        self.reports = Reports(_calling_ae_title(planned.site), _LOOPBACK, observe)
        self._gateway: GatewayProcess | RealGateway = (
            RealGateway(bound[GATEWAY], self._remotes, observe)
            if GATEWAY in bound
            else GatewayProcess(folder, observe, launch)
        )
        self._site = planned.site
        self._at: Whereabouts | None = None

    def start(self) -> None:
        """Put up the remote SCPs that are up, and the gateway. Raises `StartError`; nobody is left standing then."""
        try:
            self._tell_of_real_systems()
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
        started = self._gateway.start(self._site)
        self._at = started if isinstance(started, Whereabouts) else Whereabouts.of(started)
        for name, remote in self._remotes.items():
            way = self._relays.way((name, GATEWAY), self._at.host, self._at.dicom_port)
            remote.report_to(Address(self._at.ae_title, *way))

    def stop_gateway(self) -> None:
        """Stop the gateway cleanly, if it runs."""
        self._gateway.stop()

    def kill_gateway(self) -> None:
        """Kill the gateway, if it runs."""
        self._gateway.kill()

    def play(self, name: str) -> None:
        """Let a peer connect to the gateway and play its script to the end."""
        spec = self._plan.case.given.peers[name]
        at = self._gateway_now
        port = at.dicom_port if spec.to == "dicom" else at.hl7_port
        RawPeer(pdu_script.script(spec.script), self._observe, name, instances=self._instance).play(at.host, port)

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
            own = set(ModalitySpec.model_fields)
            how = how.model_copy(update=asked.model_dump(exclude_none=True, include=own))
        at = self._gateway_now
        over_tls = how.port == "dicom-tls" or (how.port is None and how.tls is not None)
        port = at.dicom_tls_port if over_tls else at.dicom_port
        return Modality(
            how.calling or _calling_ae_title(self._plan.site, name),
            Address(how.called or at.ae_title, *self._relays.way((name or MODALITY, GATEWAY), at.host, port)),
            observe or self._observe,
            observer=name or MODALITY,
            tls=certificates.credentials(self._certificates, how.tls, how.trust),
            source=how.address or "",
            association=asked.name if asked else "",
            maximum_length=how.maximum_length,
            proposes=proposals.contexts(asked) if asked else (),
        )

    def sender(self, store: Store) -> Modality:
        """Return the modality that sends what a step says, as it says."""
        offers = tuple(compression.by_name(each).uid for each in store.offers)
        return replace(self.modality(store.by), association=store.name or "", offers=offers)

    def order_placer(self, time_out: float) -> OrderPlacer:
        """Return who sends HL7 messages to the gateway. time_out: seconds to wait for each acknowledgement."""
        way = self._relays.way((ORDERS, GATEWAY), self._gateway_now.host, self._gateway_now.hl7_port)
        return OrderPlacer(*way, self._observe, time_out=time_out)

    def operator(self, step: str) -> Operator:
        """Return who rules about unmatched studies in a step of the story."""
        return Operator(OPERATOR, self._gateway_now.http_url, self._observe, step=step)

    def gateway_api(self) -> GatewayApi:
        """Return the gateway's HTTP API."""
        return GatewayApi(self._gateway_now.http_url)

    @property
    def _gateway_now(self) -> Whereabouts:
        """Where the gateway listens: other ports after each start."""
        assert self._at is not None
        return self._at

    def is_real(self, role: str) -> bool:
        """Tell whether a real system plays the role."""
        return role in self._bound

    def ae_title(self, remote: str) -> str:
        """Return the AE title of a remote SCP: its name in capital letters, or that of the real one."""
        return self._bound[remote].ae_title if remote in self._bound else remote.upper()

    def _tell_of_real_systems(self) -> None:
        for role, at in self._bound.items():
            if role != GATEWAY:  # which tells of itself where it is started
                peer = f"{at.host}:{at.port}"
                self._observe(RoleBound(observer="runner", role=role, ae_title=at.ae_title, peer=peer))

    def _instance(self, named: str) -> Outgoing:
        """Return the instance that a script calls `study#2`. Raises `UsageError` where the story has none."""
        study, _, number = named.partition("#")
        planned = self._plan.studies.get(study)
        if planned is None or not 0 < int(number) <= len(planned):
            raise UsageError(f"a script sends the instance {named!r}, and the story has none of that name")
        return planned.outgoing(int(number) - 1)

    def _known_to_site(self, name: str) -> Destination | None:
        """Return where the site profile says a remote SCP is: the one of its AE title, else the only one of a case."""
        destinations = self._plan.site.forwarding.destinations
        named = [each for each in destinations if each.ae_title == name.upper()]
        return next(iter(named or (destinations if not self._plan.case.given.remotes else ())), None)

    def _remote(self, name: str, spec: RemoteSpec) -> RemoteSCP | _Scripted:
        """Return a remote SCP that is to be put up; its AE title is its name in capital letters."""
        if spec.script:
            return _Scripted(RawPeer(pdu_script.script(spec.script), self._observe, name, instances=self._instance))
        known = self._known_to_site(name) if GATEWAY in self._bound else None
        accepted = tuple(compression.by_name(each).uid for each in spec.accepts) or transfer_syntaxes.ACCEPTED
        taken = [sop_classes.by_name(each) for each in spec.takes] or self._plan.site.storage_classes()
        return RemoteSCP(
            known.ae_title if known else name.upper(),
            known.host if known else _LOOPBACK,
            known.port if known else 0,
            [Context(sop_class.uid, accepted) for sop_class in taken],
            self._observe,
            observer=name if self._plan.case.given.remotes else "remote",
            tls=self._acceptor_tls(spec),
            behaviour=_behaviour(spec),
        )

    def _acceptor_tls(self, spec: RemoteSpec) -> ssl.SSLContext | None:
        credentials = certificates.credentials(self._certificates, spec.tls)
        return None if credentials is None else tls.acceptor_context(credentials, require_certificate=False)

    def _with_everybody(self) -> Site:
        """Put up the remote SCPs that are up, and return the profile with everybody's address and certificate."""
        site, destinations = self._plan.site, self._destinations()
        if GATEWAY in self._bound:
            return site
        site = self._where_it_is(site) if MODALITY in self._bound else _on_free_ports(self._plan)
        site = overridden(site, {"forwarding": {"destinations": destinations}})
        if any(step.commit and step.commit.listener != "none" for _, _, step in self._plan.case.steps):
            site = _with_address_of_modality(site, *self._relays.way((GATEWAY, MODALITY), _LOOPBACK, self.reports.port))
        if site.gateway.tls is not None and MODALITY not in self._bound:
            site = with_files_from(site, self._certificates)
        return site

    def _destinations(self) -> list[dict[str, Any]]:
        """Put up the remote SCPs that are up, and return all of them as the site profile names destinations."""
        specs = self._plan.case.given.remote_scps
        return [self._destination(name, specs[name]) for name in (*self._remotes, *self._bound) if name in specs]

    def _where_it_is(self, site: Site) -> Site:
        """Return the profile with its own address and ports, where a real modality finds the gateway."""
        modality = self._bound[MODALITY]
        callers = [] if site.callers == "any" else [each.model_dump(mode="json") for each in site.callers]
        others = [each for each in callers if each["ae_title"] != modality.ae_title]
        known = {"ae_title": modality.ae_title, "host": modality.host, "port": modality.port}
        return overridden(site, {"callers": [known, *others], "promiscuous": False})

    def _destination(self, name: str, spec: RemoteSpec) -> dict[str, Any]:
        if name in self._bound:
            at = self._bound[name]
            return {**spec.destination, "ae_title": at.ae_title, "host": at.host, "port": at.port}
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
    callers = [{"ae_title": MODALITY_TITLE}] if site.callers == "any" else site.model_dump(mode="json")["callers"]
    callers[0] |= {"host": host, "port": port}
    return overridden(site, {"callers": callers})


def _calling_ae_title(site: Site, name: str | None = None) -> str:
    """Return an AE title that the site takes calls from: a modality's name in capital letters where it does."""
    wanted = MODALITY_TITLE if name is None else name.upper()
    known = [wanted] if site.callers == "any" else [caller.ae_title for caller in site.callers]
    return wanted if wanted in known else known[0]


def _on_free_ports(planned: Plan) -> Site:
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
    return overridden(site, {"gateway": ports, **callers})


def _behaviour(spec: RemoteSpec) -> Behaviour:
    rejection = spec.rejection
    return Behaviour(
        status=int(spec.answers, 16),
        times=spec.times,
        aborts_at=spec.aborts_at or 0,
        hangs_at=spec.hangs_at or 0,
        rejects=None if rejection is None else (rejection.result, rejection.source, rejection.reason),
        rejections=None if rejection is None else rejection.times,
        commits=spec.commits,
        loses=spec.loses,
        reports=spec.reports,
        maximum_length=spec.maximum_length,
        context_result=spec.context_result or 0,
        answers_wrongly=spec.answers_wrongly,
    )
