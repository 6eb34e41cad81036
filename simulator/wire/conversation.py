"""One TCP connection as somebody between its two peers saw it: who said what, when, and who ended it how. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["requestor", "acceptor"]
"""Who opened the connection, and who took it."""

Protocol = Literal["DICOM", "HL7"]

How = Literal["fin", "rst"]


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that one side sent, as they were read at one time.

    at: seconds since the connection was opened. data: what was kept of them, from the first on. length: how many they
    were; more than `data` has where the middle of a long data set was not kept.
    """

    at: float
    by: Side
    data: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Ending:
    """A side ended its half (`fin`: nothing more comes from it) or broke the connection (`rst`), so many seconds in."""

    at: float
    by: Side
    how: How


@dataclass(frozen=True, slots=True)
class Conversation:
    """A connection, as far as it has come.

    link: from whom to whom, such as `CT01->gateway`. number: of the connection on that link, from 1. opened: the moment
    (ISO 8601, UTC). requestor, acceptor: address and port of each. unreached: why nobody answered where the acceptor
    was called: `refused`, `silent`, `unresolved`, `unroutable`; empty where somebody did. endings: in their order; none
    while it is open. within_tls: what was said within a TLS connection, between its addresses.
    """

    link: str
    number: int
    protocol: Protocol
    opened: str
    requestor: tuple[str, int]
    acceptor: tuple[str, int]
    segments: tuple[Segment, ...] = ()
    endings: tuple[Ending, ...] = ()
    unreached: str = ""
    within_tls: bool = False

    def said(self, side: Side) -> bytes:
        """Return what was kept of all that a side sent, in one piece."""
        return b"".join(segment.data for segment in self.segments if segment.by == side)
