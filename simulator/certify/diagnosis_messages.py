"""What DIMSE messages were answered, by either side: statuses in the standard's words."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Exchange, Seen, Talk, class_name
from simulator.events import InstanceRefused
from simulator.wire import statuses
from simulator.wire.command_set import AFFECTED_SOP_CLASS_UID, ERROR_COMMENT, STATUS
from simulator.wire.conversation import Side

_WARNING = 0xB


def _refused(seen: Seen) -> Iterator[Finding]:
    """The gateway answers C-STORE with a failure."""
    readable = False
    for talk in seen.incoming:
        for exchange in talk.exchanged("C-STORE-RQ"):
            readable = True
            if exchange.status is not None and statuses.is_failure(exchange.status):
                yield Finding("store.refused", _values(exchange), (status_shown(seen, talk, exchange),))
    if readable:
        return
    for event in seen.events(InstanceRefused):
        status = int(event.status, 16)
        values = {"told": statuses.told(status), "comment": _comment(event.error_comment)}
        yield Finding("store.refused", values | {"class": class_name(event.sop_class_uid)})


def _refused_there(seen: Seen) -> Iterator[Finding]:
    """The facility's SCP answers C-STORE with a failure, with a warning, or not at all."""
    for talk in seen.outgoing:
        for exchange in talk.exchanged("C-STORE-RQ"):
            if exchange.status is None:
                continue
            if statuses.is_failure(exchange.status):
                yield Finding("store.refused-by-system", _values(exchange), (status_shown(seen, talk, exchange),))
            elif exchange.status >> 12 == _WARNING:
                yield Finding("store.warning-by-system", _values(exchange), (status_shown(seen, talk, exchange),))


def _unanswered_there(seen: Seen) -> Iterator[Finding]:
    """A request that the facility's SCP took whole and never answered, while it kept the association."""
    for talk in seen.outgoing:
        for exchange in talk.exchanges:
            request = exchange.request
            theirs = talk.abort is not None and talk.abort.by == talk.theirs
            theirs = theirs or any(each.by == talk.theirs for each in talk.conversation.endings[:1])
            if exchange.response is None and request.by == talk.ours and request.ended is not None and not theirs:
                last = max((segment.at for segment in talk.conversation.segments), default=request.ended)
                ends = [each.at for each in talk.conversation.endings]
                waited = max([last, *ends]) - request.ended
                values = {"request": request.command.kind, "waited": f"{waited:.1f}"}
                yield Finding("message.unanswered-by-system", values)
                return


def _echo_refused(seen: Seen) -> Iterator[Finding]:
    """The facility's SCP answers C-ECHO with a failure."""
    for talk in seen.outgoing:
        for exchange in talk.exchanged("C-ECHO-RQ"):
            if exchange.status:
                values = {"told": statuses.told(exchange.status)}
                yield Finding("echo.refused-by-system", values, (status_shown(seen, talk, exchange),))


def status_shown(seen: Seen, talk: Talk, exchange: Exchange) -> Evidence:
    """Return the bytes of Status (0000,0900) of a response."""
    assert exchange.response is not None
    side: Side = exchange.response.by
    value = exchange.response.command.elements.get(STATUS, b"")
    element = struct.pack("<HHL", 0, STATUS, len(value)) + value
    offset = marking.place(talk.conversation, side, element, exchange.response.offset)
    words = f"Status (0000,0900) of {exchange.response.command.kind}"
    return marking.of_bytes(seen.capture(talk.conversation), offset, element, words, (8, 8 + len(value)))


def _values(exchange: Exchange) -> dict[str, str]:
    assert exchange.response is not None
    assert exchange.status is not None
    return {
        "told": statuses.told(exchange.status),
        "comment": _comment(exchange.response.command.text(ERROR_COMMENT)),
        "class": class_name(exchange.request.command.text(AFFECTED_SOP_CLASS_UID)),
    }


def _comment(text: str) -> str:
    return f'Error Comment (0000,0902): "{text}"' if text else "no Error Comment (0000,0902)"


RULES: tuple[Rule, ...] = (_refused, _refused_there, _unanswered_there, _echo_refused)
