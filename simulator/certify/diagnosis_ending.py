"""How associations end: broken off at an image, never released, one for each image, PDUs too long or broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.certify import marking
from simulator.certify.cards import Evidence, Level
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Exchange, Seen, Talk, moment
from simulator.events import ConnectionBroken
from simulator.wire.command_set import AFFECTED_SOP_INSTANCE_UID
from simulator.wire.conversation import Side
from simulator.wire.incidents import abort_told
from simulator.wire.pdus import HEAD, P_DATA_TF
from simulator.wire.transcript import SaidPdu

_FROM_THE_SERVICE_PROVIDER = 2
_ONE_EACH = 3  # associations of one image each, from which on it is a habit
_IDLE = 5.0  # seconds without a byte, from which on a gap is worth saying
_HALFWAY = "It was in the midst of a message; whoever ended it knows why."
_BETWEEN = "Everything that had begun was answered; without a release nobody can tell whether more was to come."
_CUT_WHEN_IDLE = " Nothing had come for that long: something on the way, or a time-out, cuts idle connections."


@dataclass(frozen=True, slots=True)
class _End:
    """How an association ended without a release: who did it, how in words, when, and by which PDU."""

    by: Side
    words: str
    at: float
    abort: SaidPdu | None = None


def _died(seen: Seen) -> Iterator[Finding]:
    """An association that ended without a release: in the midst of a message, or after images.

    Who cuts it between two images leaves everybody in doubt whether there were to be more.
    """
    for talk in seen.talks:
        end = _end(talk)
        if end is None or talk.acceptance is None or (end.by == talk.ours and not _was_broken_off(seen, talk)):
            continue
        halfway = _is_halfway(talk)
        empty = end.abort is not None and not talk.exchanges and not seen.scene.met
        if halfway or empty or talk.exchanged("C-STORE-RQ"):
            level: Level | None = "should" if _is_made_good(seen, talk) else None
            yield Finding("association.died", _death(seen, talk, end, halfway), _shown(seen, talk, end), level)
        elif talk.exchanges:
            yield Finding("association.not-released", {"how": _told(seen, talk, end)}, _shown(seen, talk, end))


def _was_broken_off(seen: Seen, talk: Talk) -> bool:
    """Tell whether the gateway ended an association for a reason; at the end of a test it stops, and ends them all."""
    if not talk.incoming:
        return _is_halfway(talk)
    return any(not event.problem.startswith("tls.") for event in seen.events(ConnectionBroken))


def _is_made_good(seen: Seen, talk: Talk) -> bool:
    """Tell whether all that had begun came in the end, by an association that was released."""
    if not talk.incoming or not talk.exchanged("C-STORE-RQ"):
        return seen.scene.met
    stored = {_uid(each) for other in seen.incoming for each in other.exchanged("C-STORE-RQ") if each.status == 0}
    later = [
        other for other in seen.incoming if other.released and other.conversation.opened > talk.conversation.opened
    ]
    again = any(other.exchanged("C-STORE-RQ") for other in later)
    return seen.scene.met and again and {_uid(each) for each in talk.exchanged("C-STORE-RQ")} <= stored


def _uid(exchange: Exchange) -> str:
    return exchange.request.command.text(AFFECTED_SOP_INSTANCE_UID)


def _death(seen: Seen, talk: Talk, end: _End, halfway: bool) -> dict[str, str]:
    known = {_uid(each) for other in seen.talks for each in other.exchanged("C-STORE-RQ")}
    number = len(talk.exchanged("C-STORE-RQ"))
    of = f" of {len(known)}" if len(known) > number else ""
    where = f"at image {number}{of}" if halfway and number else f"after image {number}{of}" if number else ""
    until = end.abort.at if end.abort else end.at
    gap = end.at - max((segment.at for segment in talk.conversation.segments if segment.at < until), default=0.0)
    return {
        "where": where or "before the first image",
        "gap": f"{gap:.1f}",
        "how": _told(seen, talk, end),
        "doubt": _HALFWAY if halfway else _BETWEEN,
        "idle": _CUT_WHEN_IDLE if gap >= _IDLE else "",
    }


def _end(talk: Talk) -> _End | None:
    """Return how it ended, None for one that was released or is open and has said all that it began."""
    if talk.released or talk.rejection is not None:
        return None
    if talk.abort is not None:
        source, reason = (*talk.abort.raw[HEAD + 2 : HEAD + 4], 0, 0)[:2]
        return _End(talk.abort.by, f"A-ABORT, {abort_told(source, reason)}", talk.abort.at, talk.abort)
    if talk.conversation.endings:
        first = talk.conversation.endings[0]
        words = "broke the TCP connection (RST)" if first.how == "rst" else "closed the TCP connection (FIN)"
        return _End(first.by, words, first.at)
    return None


def _stalled(seen: Seen) -> Iterator[Finding]:
    """An association on which a message began and does not go on, until the test is over."""
    for talk in seen.incoming:
        end = _end(talk)
        over = end is None or (end.by == talk.ours and not _was_broken_off(seen, talk))
        if seen.scene.met or talk.acceptance is None or talk.released or not over or not _is_halfway(talk):
            continue
        last = max(talk.conversation.segments, key=lambda segment: segment.at)
        gap = (moment(seen.scene.moment) - seen.moment_of(talk.conversation, last.at)).total_seconds()
        if gap >= _IDLE:
            end = _End(talk.theirs, "is silent on a connection that is open still", last.at + gap)
            yield Finding("association.died", _death(seen, talk, end, halfway=True))


def _is_halfway(talk: Talk) -> bool:
    """Tell whether a message had begun and not ended, or a request was not answered."""
    return any(each.request.ended is None or each.response is None for each in talk.exchanges) or any(
        each.missing and each.kind == P_DATA_TF for each in talk.transcript.pdus
    )


def _told(seen: Seen, talk: Talk, end: _End) -> str:
    who = "the gateway" if end.by == talk.ours else _name(seen)
    if end.abort is not None:
        return f"{who} sent {end.words}{_why(seen) if end.by == talk.ours else ''}"
    return f"{who} {end.words}"


def _why(seen: Seen) -> str:
    broken = [event.words for event in seen.events(ConnectionBroken) if not event.problem.startswith("tls.")]
    return f" ({broken[-1]})" if broken else ""


def _name(seen: Seen) -> str:
    return seen.scene.wanted.system.name if seen.scene.wanted.system else "the system"


def _shown(seen: Seen, talk: Talk, end: _End) -> tuple[Evidence, ...]:
    capture = seen.capture(talk.conversation)
    if end.abort is not None:
        return (marking.of_pdu(capture, end.abort, "A-ABORT: source and reason", (HEAD + 2, HEAD + 4)),)
    last = [pdu for pdu in talk.transcript.pdus if pdu.by == end.by]
    return (marking.of_pdu(capture, last[-1], "head of the last PDU that it sent", (0, 1), end=12),) if last else ()


def _too_long(seen: Seen) -> Iterator[Finding]:
    """A P-DATA-TF longer than the other side announced that it takes (PS3.8 D.1)."""
    for talk in seen.talks:
        announced = talk.answered if talk.incoming else talk.asked
        limit = announced.maximum_length if announced else None
        if not limit:
            continue
        for pdu in talk.transcript.pdus:
            if pdu.kind == P_DATA_TF and pdu.by == talk.theirs and pdu.length - HEAD > limit:
                shown = marking.of_pdu(seen.capture(talk.conversation), pdu, "head of the P-DATA-TF", (2, 6), end=12)
                values = {"length": str(pdu.length - HEAD), "limit": str(limit)}
                yield Finding("pdu.too-long", values, (shown,))
                break


def _protocol_error(seen: Seen) -> Iterator[Finding]:
    """The gateway aborts as service-provider: what came breaks the protocol (PS3.8 9.3.8)."""
    for talk in seen.incoming:
        abort = talk.abort
        if (
            abort is None
            or abort.by != talk.ours
            or abort.raw[HEAD + 2 : HEAD + 3] != bytes((_FROM_THE_SERVICE_PROVIDER,))
        ):
            continue
        reason = abort.raw[HEAD + 3]
        if reason == 0:  # a time-out, most of the time; `association.died` has that
            continue
        before = [pdu for pdu in talk.transcript.pdus if pdu.by == talk.theirs and pdu.at <= abort.at]
        capture = seen.capture(talk.conversation)
        shown = [marking.of_pdu(capture, before[-1], "head of what came before", (0, 6), end=12)] if before else []
        shown.append(marking.of_pdu(capture, abort, "A-ABORT: source and reason", (HEAD + 2, HEAD + 4)))
        values = {
            "told": abort_told(_FROM_THE_SERVICE_PROVIDER, reason),
            "why": _why(seen).strip(" ()") or "see the bytes",
        }
        yield Finding("association.protocol-error", values, tuple(shown))


def _one_per_image(seen: Seen) -> Iterator[Finding]:
    """A new association for each image."""
    counts = [len(talk.exchanged("C-STORE-RQ")) for talk in seen.incoming]
    storing = [count for count in counts if count]
    if len(storing) >= _ONE_EACH and set(storing) == {1}:
        yield Finding("association.one-per-image", {"count": str(len(storing))})


RULES: tuple[Rule, ...] = (_died, _stalled, _too_long, _protocol_error, _one_per_image)
