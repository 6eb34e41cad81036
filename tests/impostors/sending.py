"""What several wrong gateways do past the queue."""

from __future__ import annotations

from simulator.gateway.forwarding import Forwarder
from simulator.gateway.server import Gateway


def send_all(gateway: Gateway, study_instance_uid: str) -> None:
    """Send a study to every destination, past the queue."""
    for destination in gateway.site.forwarding.destinations:
        sending = Forwarder(gateway.site, destination, gateway.index, gateway.store)
        sending.send(gateway.index.instances(study_instance_uid))
