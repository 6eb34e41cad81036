"""What goes wrong on a connection, as values: who asked, what was refused, how the connection ended.

Nothing is refused, aborted or hung up on unsaid: `acceptor` makes an `Incident` of each and hands it on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# PS3.8 9.3.4, table 9-21: (source, reason) -> words.
REJECT_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
# The first two fields of the same table.
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {
    1: "service-user",
    2: "service-provider (ACSE related function)",
    3: "service-provider (presentation related function)",
}
# PS3.8 9.3.8, table 9-26: source, and reason/diagnostic where the source is the service-provider.
ABORT_SOURCES = {0: "service-user", 2: "service-provider"}
ABORT_REASONS = {
    0: "reason not specified",
    1: "unrecognized PDU",
    2: "unexpected PDU",
    4: "unrecognized PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """What an A-ASSOCIATE-RQ (PS3.8 9.3.2) and its connection say of who asks.

    Titles are without their padding (spaces or NULs); `calling_bytes` and `called_bytes` are the 16 as they came.
    `address` is the caller's IP address, `port` its port; `open_associations`: how many others this side serves.
    """

    address: str
    port: int
    calling_ae_title: str
    called_ae_title: str
    calling_bytes: bytes
    called_bytes: bytes
    application_context: str
    open_associations: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4): result, source, reason/diagnostic; `field` is what was wrong, `words` says how.

    field: one of `GROUNDS`.
    """

    result: int
    source: int
    reason: int
    field: str
    words: str


@dataclass(frozen=True, slots=True)
class Ground:
    """Why an association may be rejected: result, source and reason (PS3.8 9.3.4), and when that is."""

    result: int
    source: int
    reason: int
    when: str


# By field. Every rejection is made of these, and the conformance statement prints them.
GROUNDS = {
    "protocol-version": Ground(
        1, 2, 2, "Version 1, bit 0 of the field, is not among those that the requestor supports."
    ),
    "application-context": Ground(1, 1, 2, "The application context name is not that of DICOM (PS3.7 A.2.1)."),
    "called-ae-title": Ground(1, 1, 7, "The called AE title is not that of this AE."),
    "calling-ae-title": Ground(1, 1, 3, "The calling AE title is not among the callers of the site."),
    "address": Ground(1, 1, 3, "The calling AE title is a caller's, but not from the IP address that it calls from."),
    "maximum-associations": Ground(2, 3, 2, "As many associations as the site allows are open. It may be tried again."),
}


def rejection(field: str, words: str) -> Rejection:
    """Return the rejection on one of the `GROUNDS`."""
    ground = GROUNDS[field]
    return Rejection(ground.result, ground.source, ground.reason, field, words)


Admit = Callable[[AssociationRequest], Rejection | None]


@dataclass(frozen=True, slots=True)
class Incident:
    """A connection that was refused, or ended otherwise than by a release.

    peer: `address:port`. problem: a stable id such as `pdu.unknown-type` (docs/architecture.md lists them), or of a
    rejection its field. words: what came, with bytes. answer: what the peer was told (`A-ABORT ...`, `hang-up`).
    Titles are empty where no A-ASSOCIATE-RQ had come.
    """

    peer: str
    problem: str
    words: str
    answer: str
    calling_ae_title: str = ""
    called_ae_title: str = ""
    rejection: Rejection | None = None

    def __str__(self) -> str:
        """The line that a log has of it."""
        who = f"{self.calling_ae_title} at {self.peer}" if self.calling_ae_title else self.peer
        if self.rejection is not None:
            return f"association of {who} rejected: {self.words}; {self.answer}"
        return f"connection of {who} ended: {self.problem}: {self.words}; answered by {self.answer}"


Tell = Callable[[Incident], None]


def rejection_told(result: int, source: int, reason: int) -> str:
    """Return the fields of an A-ASSOCIATE-RJ in words: `called AE title not recognised (result 1, ...)`."""
    words = REJECT_REASONS.get((source, reason), "a reason that the standard does not define")
    kind = REJECT_RESULTS.get(result, "of an undefined result")
    return f"{words} (result {result}, source {source}, reason {reason}: {kind})"


def abort_told(source: int, reason: int) -> str:
    """Return the fields of an A-ABORT in words; a service-user gives no reason (PS3.8 9.3.8)."""
    who = ABORT_SOURCES.get(source, "an undefined source")
    if source != 2:
        return f"{who} (source {source})"
    return f"{who}: {ABORT_REASONS.get(reason, 'undefined reason')} (source {source}, reason {reason})"


def hexadecimal(data: bytes, limit: int = 32) -> str:
    """Return bytes for a log line, `limit` of them at most: `47 45 54 20 2F ...`."""
    return data[:limit].hex(" ").upper() + (" ..." if len(data) > limit else "")
