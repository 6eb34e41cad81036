"""Which SOP classes the gateway serves, and in which role."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.rules.sop_classes import STORAGE_COMMITMENT, VERIFICATION, SopClass
from simulator.site import Site

_RETIRED = frozenset(("HardcopyGrayscaleImageStorage", "HardcopyColorImageStorage"))  # PS3.4, 2004


@dataclass(frozen=True, slots=True)
class Service:
    """A SOP class and the roles of the gateway for it."""

    sop_class: SopClass
    scu: bool
    scp: bool

    @property
    def shown_name(self) -> str:
        """The name in PS3.6, with its mark where the class is retired."""
        return self.sop_class.name + (" (Retired)" if self.sop_class.keyword in _RETIRED else "")


def storage(site: Site) -> tuple[Service, ...]:
    """Return the Storage classes: what is taken can be sent."""
    return tuple(Service(each, scu=True, scp=True) for each in site.storage_classes())


def of(site: Site) -> tuple[Service, ...]:
    """Return every SOP class of the gateway at this site."""
    commitment = Service(STORAGE_COMMITMENT, scu=True, scp=True)
    return (Service(VERIFICATION, scu=True, scp=True), *storage(site), commitment)
