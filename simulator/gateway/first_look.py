"""The first look at an instance: whether it is what its command says, and of a patient whom the site takes."""

from __future__ import annotations

from simulator.gateway import header, statuses
from simulator.gateway.header import Header
from simulator.gateway.steps import Refused
from simulator.site import Site
from simulator.wire.association import Response, StoreRequest

_SOMEBODY = "Patient ID is not of a synthetic person; nothing is kept"


def taken_in(request: StoreRequest, site: Site) -> Header | Refused:
    """Return the header of an instance, or how it is refused: of whom the site does not take, nothing is kept."""
    found = header.inspect(request)
    if isinstance(found, Response):
        return Refused(request, found, header.glance(request), keep=not site.only_hkid_prefixes)
    if not site.takes_patient(found.keys.keys.hkid):
        return Refused(request, statuses.NOT_AUTHORIZED.response(_SOMEBODY), found, keep=False)
    return found
