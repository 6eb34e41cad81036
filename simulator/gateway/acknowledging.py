"""Which acknowledgements a message gets, and when (HL7 v2, chapter 2.9).

Original mode (MSH-15 and MSH-16 both absent): one, AA, AE or AR. Enhanced mode: CA, CE or CR as MSH-15 asks, then
AA, AE or AR as MSH-16 asks, each by the conditions of table 0155. Both go on the connection on which the message
came: the gateway is told no address of an order placer, and a firewall lets connections through one way. CA is said
when the message is in safe storage, that is when it is applied, or kept aside with the reason why not; so the two
come one after the other. A rejection (CR) ends it: what is not accepted is not processed. Where MSH-15 wants to
hear nothing of it, it is said as AR.
"""

from __future__ import annotations

from enum import Enum

from simulator.wire.hl7_acknowledgements import CONDITIONS, Fault, is_asked_for
from simulator.wire.hl7_segments import TABLE_VALUE, Header


class Outcome(Enum):
    """What became of a message."""

    APPLIED = "applied"
    UNUSABLE = "its content cannot be used, and it is kept aside"
    REJECTED = "it cannot be processed at all, and it is kept aside"
    LOST = "it cannot be kept"


_COMMIT = {Outcome.APPLIED: "CA", Outcome.UNUSABLE: "CA", Outcome.REJECTED: "CR", Outcome.LOST: "CE"}
_APPLICATION = {Outcome.APPLIED: "AA", Outcome.UNUSABLE: "AE", Outcome.REJECTED: "AR", Outcome.LOST: "AE"}


def complaint(header: Header) -> Fault | None:
    """Return what is wrong with the acknowledgements that a message asks for."""
    for where, text in (("MSH-15", header.accept_acknowledgement), ("MSH-16", header.application_acknowledgement)):
        if text and text not in CONDITIONS:
            return Fault(f"{where} {text} is not AL, NE, ER or SU", where, TABLE_VALUE)
    return None


def codes(header: Header | None, outcome: Outcome) -> tuple[str, ...]:
    """Return MSA-1 of each acknowledgement, in their order."""
    commit, application = _COMMIT[outcome], _APPLICATION[outcome]
    asked = (header.accept_acknowledgement, header.application_acknowledgement) if header else ("", "")
    if not any(asked) or not set(asked) <= CONDITIONS | {""}:
        return (application,)
    first = (commit,) if is_asked_for(asked[0], commit) else ()
    if first and commit != "CA":
        return first
    return (*first, application) if is_asked_for(asked[1], application) else first
