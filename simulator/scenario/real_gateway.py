"""A gateway that is a real system: where it is, and nothing more. It is neither started, nor asked, nor ended."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from simulator.events import Event, GatewayStarted, RoleBound
from simulator.site import Site
from simulator.wire.association import Address


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a gateway is reached. http_url: of its API; empty for a real one. A port of 0: it has none."""

    ae_title: str
    host: str
    dicom_port: int
    dicom_tls_port: int
    hl7_port: int
    http_url: str = ""

    @classmethod
    def of(cls, started: GatewayStarted) -> Whereabouts:
        """Return where a gateway of this machine listens."""
        ports = (started.dicom_port, started.dicom_tls_port, started.hl7_port)
        return cls(started.ae_title, "127.0.0.1", *ports, started.http_url)


class RealGateway:
    """The gateway at `address`. HL7 goes to the same host, at the port that the site profile has for it."""

    def __init__(self, address: Address, reaches: Collection[str], observe: Callable[[Event], None]) -> None:
        """Take note of it. reaches: the simulated remote SCPs that it forwards to."""
        self._address = address
        self._reaches = tuple(reaches)
        self._observe = observe

    def start(self, site: Site) -> Whereabouts:
        """Return where it is."""
        at = self._address
        peer = f"{at.host}:{at.port}"
        self._observe(
            RoleBound(observer="runner", role="gateway", ae_title=at.ae_title, peer=peer, reaches=self._reaches)
        )
        return Whereabouts(at.ae_title, at.host, at.port, at.port, site.gateway.hl7_port)

    def stop(self) -> None:
        """Leave it as it is."""

    def kill(self) -> None:
        """Leave it as it is; no story that kills its gateway is carried out with a real one."""
