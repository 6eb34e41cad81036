"""Wrong gateways that let in whom they should not, or reject for the wrong reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from simulator import site as profile
from simulator.gateway.server import Gateway
from simulator.site import Site
from simulator.wire.incidents import AssociationRequest, Rejection
from tests.impostors.caught import Caught


class LetsEveryoneIn(Gateway):
    """Asks nobody who he is."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"callers": "any", "promiscuous": True}), data)


class GivesOneReasonToReject(Gateway):
    """Rejects whom it must, and always says that the calling AE title is the reason."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        admit = self.gatekeeper.admit

        def wrongly(asked: AssociationRequest) -> Rejection | None:
            rejection = admit(asked)
            return rejection and dataclasses.replace(rejection, result=1, source=1, reason=3)

        self.gatekeeper.admit = wrongly  # type: ignore[method-assign]


class RejectsWithoutAWord(Gateway):
    """Rejects as it should, and tells nobody."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.gatekeeper.tell = bool  # type: ignore[assignment, method-assign]


class AsksForNoCertificate(Gateway):
    """Listens over TLS, and takes a caller without the certificate that the site asks for."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"gateway": {"tls": {"client_certificates": "none"}}}), data)


CAUGHT = (
    Caught(
        "lets-everyone-in",
        LetsEveryoneIn,
        "access-control[from-another-address]",
        {
            "wire.associations.ct.outcome": ("rejected", "accepted"),
            "wire.associations.ct.result": (1, None),
            "wire.associations.ct.source": (1, None),
            "wire.associations.ct.reason": (3, None),
            "gateway.rejected": ({"address": 1}, {}),
        },
    ),
    Caught(
        "gives-one-reason-to-reject",
        GivesOneReasonToReject,
        "access-control[one-too-many]",
        {
            "wire.associations.third.result": (2, 1),
            "wire.associations.third.source": (3, 1),
            "wire.associations.third.reason": (2, 3),
        },
    ),
    Caught(
        "rejects-without-a-word",
        RejectsWithoutAWord,
        "access-control[calling-in-lower-case]",
        {"gateway.rejected": ({"called-ae-title": 1}, {})},
    ),
    Caught(
        "asks-for-no-certificate",
        AsksForNoCertificate,
        "tls[without-certificate]",
        {
            "wire.associations.peer.outcome": ("failed", "accepted"),
            "gateway.broken": ({"tls.no-certificate": 1}, {}),
        },
    ),
    Caught(
        "gives-one-reason-to-reject",
        GivesOneReasonToReject,
        "association-requests[another-application-context]",
        {"wire.peers.peer.script": ("complete", "step 2: A-ASSOCIATE-RJ: reason is 3, not 2")},
    ),
    Caught(
        "rejects-without-a-word",
        RejectsWithoutAWord,
        "malformed-pdus[unknown-type-at-once]",
        {"gateway.broken": ({"pdu.unknown-type": 1}, {})},
    ),
)
