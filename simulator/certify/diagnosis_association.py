"""What goes wrong when an association is asked for: AE titles, application context, contexts by number, rejections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Seen, Talk
from simulator.events import AssociationRejected
from simulator.wire.association import MAXIMUM_CONTEXTS
from simulator.wire.association_fields import CALLED, CALLING
from simulator.wire.incidents import REJECT_REASONS, rejection_told
from simulator.wire.pdu_builders import APPLICATION_CONTEXT
from simulator.wire.pdus import HEAD
from simulator.wire.titles import on_the_wire
from simulator.wire.transcript import SaidPdu

_TITLES = 74  # bytes of A-ASSOCIATE-RQ up to its first item
_TRANSIENT = 2
_LOCAL_LIMIT = (3, 2)
_BUSY = frozenset(((3, 1), _LOCAL_LIMIT))
# Why a facility's SCP rejects (PS3.8 9.3.4) -> what is to be set there.
_ADVICE: Mapping[tuple[int, int], str] = {
    (1, 1): "its own log says why; most often the gateway is not in its list of remote AEs",
    (1, 2): "it speaks no DICOM that the gateway knows; ask its vendor",
    (1, 3): "add the gateway's AE title and address to its list of remote AEs",
    (1, 7): "it does not answer to the AE title that is declared for it; compare both, letter by letter",
    (2, 1): "its own log says why",
    (2, 2): "it speaks another version of the upper layer protocol; ask its vendor",
}


def title_fault(padded: bytes, expected: str) -> str:
    """Return how an AE title differs from the one expected: `blank`, `nul`, `spaces`, `case`, `wrong`, or nothing.

    padded: the 16 bytes as they came. Spaces behind it pad it; those before it are insignificant by PS3.8 9.3.2, and
    yet many systems compare them.
    """
    wanted = expected.encode("latin-1", "replace").strip(b" ")
    bare = padded.strip(b" \0")
    if padded.rstrip(b" ") == wanted:
        return ""
    if not bare:
        return "blank"
    if b"\0" in padded and wanted in (padded.split(b"\0")[0].strip(b" "), padded.replace(b"\0", b"").strip(b" ")):
        return "nul"
    if bare.replace(b" ", b"") == wanted.replace(b" ", b""):
        return "spaces"
    return "case" if bare.lower() == wanted.lower() else "wrong"


def _called(seen: Seen) -> Iterator[Finding]:
    """The system calls another AE title than the gateway's."""
    ours = seen.scene.declared.gateway.ae_title
    for talk in seen.incoming:
        if talk.asked is None or talk.request is None:
            continue
        fault = title_fault(talk.asked.called, ours)
        yield from _title_finding(seen, talk, talk.request, fault, ours, "called")


def _calling(seen: Seen) -> Iterator[Finding]:
    """The system calls itself otherwise than it was declared."""
    system = seen.scene.wanted.system
    for talk in seen.incoming:
        if talk.asked is None or talk.request is None or system is None:
            continue
        fault = title_fault(talk.asked.calling, system.ae_title)
        yield from _title_finding(seen, talk, talk.request, fault, system.ae_title, "calling")


def _title_finding(
    seen: Seen, talk: Talk, request: SaidPdu, fault: str, expected: str, which: str
) -> Iterator[Finding]:
    if not fault:
        return
    where = CALLED if which == "called" else CALLING
    padded = request.raw[where]
    values = {
        "which": which,
        "title": _printable(padded),
        "bytes": padded.hex(" ").upper(),
        "expected_title": expected,
        "expected_bytes": on_the_wire(expected).hex(" ").upper(),
        "fate": _fate(talk),
    }
    mark = (where.start, where.stop)
    shown = marking.of_pdu(seen.capture(talk.conversation), request, f"{which} AE title", mark, end=_TITLES)
    tolerated = talk.acceptance is not None and fault in ("nul", "spaces")
    yield Finding(_title_id(fault, which), values, (shown,), level="note" if tolerated else None)


def _title_id(fault: str, which: str) -> str:
    if fault == "blank":
        return "ae-title.blank"
    if fault == "wrong":
        return "ae-title.called.wrong" if which == "called" else "ae-title.calling.unknown"
    return f"ae-title.{which}.{fault}"


def _titles_told(seen: Seen) -> Iterator[Finding]:
    """The gateway rejected for a title, on an association that nobody else could read (TLS)."""
    if any(talk.request for talk in seen.incoming):
        return
    here, system = seen.scene.declared.gateway, seen.scene.wanted.system
    for event in seen.events(AssociationRejected):
        for field, which, title, expected in (
            ("called-ae-title", "called", event.called_ae_title, here.ae_title),
            ("calling-ae-title", "calling", event.calling_ae_title, system.ae_title if system else ""),
        ):
            if event.field == field and event.observer == "gateway" and expected:
                padded = title.encode("latin-1", "replace").ljust(16)
                values = {
                    "which": which,
                    "title": title,
                    "bytes": padded.hex(" ").upper(),
                    "expected_title": expected,
                    "expected_bytes": on_the_wire(expected).hex(" ").upper(),
                    "fate": f"the gateway rejected it: {event.meaning}",
                }
                yield Finding(_title_id(title_fault(padded, expected) or "wrong", which), values)


def _address(seen: Seen) -> Iterator[Finding]:
    """The AE title is known, and calls from an address that is not."""
    for event in seen.events(AssociationRejected):
        if event.field == "address" and event.observer == "gateway":
            yield Finding("ae-title.calling.address", {"title": event.calling_ae_title, "peer": event.peer})


def _application_context(seen: Seen) -> Iterator[Finding]:
    """The application context is not DICOM's (PS3.7 A.2.1)."""
    for talk in seen.incoming:
        if talk.asked is None or talk.request is None or talk.asked.application_context_name == APPLICATION_CONTEXT:
            continue
        at = talk.asked.application_context
        marks = ((at.start + 4, at.end),) if at else ()
        capture = seen.capture(talk.conversation)
        shown = marking.of_pdu(
            capture, talk.request, "application context item", *marks, start=_TITLES, end=_TITLES + 64
        )
        name = talk.asked.application_context_name or "none at all"
        yield Finding("application-context", {"name": name, "wanted": APPLICATION_CONTEXT}, (shown,))


def _protocol_version(seen: Seen) -> Iterator[Finding]:
    """Bit 0 of the protocol version, version 1, is not set (PS3.8 9.3.2)."""
    for talk in seen.incoming:
        if talk.asked is not None and talk.request is not None and not talk.asked.protocol_version & 1:
            shown = marking.of_pdu(seen.capture(talk.conversation), talk.request, "protocol version", (6, 8), end=10)
            yield Finding("protocol-version", {"version": f"{talk.asked.protocol_version:04X}H"}, (shown,))


def _too_many_contexts(seen: Seen) -> Iterator[Finding]:
    """More contexts than there are odd identifiers, or identifiers that are none (PS3.8 9.3.2.2)."""
    for talk in seen.incoming:
        if talk.asked is None or talk.request is None:
            continue
        offers = talk.asked.offers
        ids = [offer.context_id for offer in offers]
        twice = [number for number, count in Counter(ids).items() if count > 1]
        even = [number for number in ids if number % 2 == 0]
        wrong = [offer for offer in offers if offer.context_id in (*twice, *even)]
        if len(offers) <= MAXIMUM_CONTEXTS and not wrong:
            continue
        said = [f"{len(offers)} presentation contexts"]
        said += [f"ID {', '.join(map(str, sorted(set(even))[:8]))} even"] if even else []
        said += [f"ID {', '.join(map(str, sorted(twice)[:8]))} given twice"] if twice else []
        first = (wrong or offers[MAXIMUM_CONTEXTS:])[0].at
        shown = marking.of_pdu(
            seen.capture(talk.conversation),
            talk.request,
            "the first context that is too many or has no right ID",
            (first.start + 4, first.start + 5),
            start=first.start,
            end=first.end,
        )
        yield Finding("contexts.too-many", {"said": ", ".join(said)}, (shown,))


def _too_many_associations(seen: Seen) -> Iterator[Finding]:
    """The gateway rejects for now, since too many associations are open.

    Temporary congestion (source 3, reason 1) is said while no gateway is up, and is nobody's fault at the facility.
    """
    for talk in seen.incoming:
        if talk.rejection is not None and _reason(talk.rejection)[1:] == _LOCAL_LIMIT:
            at_once = _open_at(seen, talk)
            yield Finding("association.too-many", {"count": str(at_once)}, (rejection_shown(seen, talk),))


def _rejected(seen: Seen) -> Iterator[Finding]:
    """The facility's SCP rejects (PS3.8 9.3.4)."""
    for talk in seen.outgoing:
        if talk.rejection is None or len(talk.rejection.raw) < HEAD + 4:
            continue
        result, source, reason = _reason(talk.rejection)
        values = {
            "told": rejection_told(result, source, reason),
            "words": REJECT_REASONS.get((source, reason), "a reason that the standard does not define"),
            "advice": _ADVICE.get((source, reason), "its own log says why"),
        }
        busy = result == _TRANSIENT or (source, reason) in _BUSY
        yield Finding("peer.busy" if busy else "association.rejected", values, (rejection_shown(seen, talk),))


def rejection_shown(seen: Seen, talk: Talk) -> Evidence:
    """Return the fields of the A-ASSOCIATE-RJ of a conversation that has one."""
    assert talk.rejection is not None
    return marking.of_pdu(
        seen.capture(talk.conversation), talk.rejection, "A-ASSOCIATE-RJ: result, source, reason", (HEAD + 1, HEAD + 4)
    )


def _reason(rejection: SaidPdu) -> tuple[int, int, int]:
    result, source, reason = rejection.raw[HEAD + 1 : HEAD + 4]
    return result, source, reason


def _open_at(seen: Seen, talk: Talk) -> int:
    """Return how many associations of the system were open when this one was asked for, itself included."""
    moment = seen.moment_of(talk.conversation, talk.rejection.at if talk.rejection else 0)
    count = 1
    for other in seen.incoming:
        ends = [ending.at for ending in other.conversation.endings]
        begun = seen.moment_of(other.conversation, 0) <= moment
        if other is not talk and begun and (not ends or seen.moment_of(other.conversation, max(ends)) > moment):
            count += 1
    return count


def _fate(talk: Talk) -> str:
    if talk.rejection is not None:
        return f"the gateway rejected the association: {rejection_told(*_reason(talk.rejection))}"
    return "the gateway accepted it all the same" if talk.acceptance else "the association did not come about"


def _printable(padded: bytes) -> str:
    """Return a title for a sentence: NULs as ␀, other bytes beyond ASCII as \\xNN, and no padding behind it."""
    text = padded.rstrip(b" ")
    return "".join("␀" if b == 0 else chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02X}" for b in text)


RULES: tuple[Rule, ...] = (
    _called,
    _calling,
    _titles_told,
    _address,
    _application_context,
    _protocol_version,
    _too_many_contexts,
    _too_many_associations,
    _rejected,
)
