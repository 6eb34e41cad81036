"""What goes wrong with HL7 orders that the facility's own system sends: framing, acknowledgements, content, absence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.diagnosis_data import TOLERANCE, clock_finding, local_moment
from simulator.certify.findings import Finding, Rule
from simulator.certify.received import is_foreign
from simulator.certify.seeing import Hl7Talk, Seen
from simulator.errors import Hl7ParseError
from simulator.events import StudyChanged
from simulator.rules import accession, hkid, identity
from simulator.wire import hl7_acknowledgements, hl7_messages, hl7_segments, pdus
from simulator.wire.frames import SaidFrame
from simulator.wire.hl7_acknowledgements import Acknowledgement
from simulator.wire.hl7_messages import OrderMessage
from simulator.wire.hl7_segments import Header

_REFUSALS: Final = {
    "AE": "application error",
    "AR": "application reject",
    "CE": "commit error",
    "CR": "commit reject",
}
_NEVER: Final = frozenset(("", "NE", "ER"))
"""Conditions (HL7 table 0155) by which nobody hears of a success."""

# The keys of an order: field of OrderMessage, what it is, and segment and field in which it stands.
_KEYS: Final = (
    ("patient_id", "the HKID", "PID-3"),
    ("patient_name", "the name", "PID-5"),
    ("patient_birth_date", "the date of birth", "PID-7"),
    ("patient_sex", "the sex", "PID-8"),
)


@dataclass(frozen=True)
class _Sent:
    """A message that came whole, and what it was answered, as far as either can be read."""

    talk: Hl7Talk
    frame: SaidFrame
    header: Header | None
    order: OrderMessage | None
    answers: tuple[tuple[SaidFrame, Acknowledgement], ...]


def _not_mllp(seen: Seen) -> Iterator[Finding]:
    """Bytes outside an MLLP frame."""
    for talk in seen.orders:
        for frame in talk.messages:
            if not frame.is_block and frame.raw.strip():
                shown = _shown(seen, talk, frame, "its first bytes", (0, min(4, len(frame.raw))), end=16)
                first = frame.raw[:8].hex(" ").upper()
                yield Finding("hl7.not-mllp", {"spoken": _spoken(frame.raw), "bytes": first}, (shown,))
                break


def _no_end(seen: Seen) -> Iterator[Finding]:
    """A block that begins and never ends: who waits for 1C 0D waits for ever."""
    for talk in seen.orders:
        for frame in talk.messages:
            if not frame.is_block or frame.is_whole:
                continue
            tail = frame.raw[-4:]
            at = _begin(frame) + len(frame.raw) - len(tail)
            marks = (max(0, len(tail) - 2), len(tail))
            shown = marking.of_bytes(seen.capture(talk.conversation), at, tail, "the last bytes that came", marks)
            values = {"bytes": tail.hex(" ").upper(), "length": str(frame.length)}
            yield Finding("hl7.no-end-block", values, (shown,))


def _refused(seen: Seen) -> Iterator[Finding]:
    """The gateway answers with an error or a rejection."""
    for sent in _sent(seen):
        for frame, answer in sent.answers:
            if answer.code not in _REFUSALS or _is_of_a_foreigner(sent):
                continue
            marks = _marks_of(frame.raw, "MSA", 1)
            shown = _shown(seen, sent.talk, frame, "the acknowledgement: MSA-1", *marks)
            values = {"code": answer.code, "meaning": _REFUSALS[answer.code], "text": answer.text or "no words"}
            values["message"] = f"message {answer.control_id}" if answer.control_id else "a message without MSH-10"
            yield Finding("hl7.refused", values, (shown,))


def _key_missing(seen: Seen) -> Iterator[Finding]:
    """An order without one of its keys."""
    for sent in _sent(seen):
        order = sent.order
        if order is None or _is_of_a_foreigner(sent):
            continue
        places = (*_KEYS, ("accession_number", "the accession number", _accession_place(order)))
        missing = [(what, where) for name, what, where in places if not getattr(order, name)]
        if missing:
            names = ", ".join(f"{what} ({where})" for what, where in missing)
            segment, _, number = missing[0][1].partition("-")
            shown = _segment_shown(seen, sent, segment, int(number))
            yield Finding("hl7.key-missing", {"missing": names, "type": order.message_type}, shown)


def _key_other(seen: Seen) -> Iterator[Finding]:
    """The order of the test names another patient than the sheet."""
    wanted = seen.scene.wanted
    sheet = {"patient_id": wanted.hkid, "patient_name": wanted.name, "patient_birth_date": wanted.birth_date}
    sheet["patient_sex"] = wanted.sex
    canonical = {
        "patient_id": hkid.canonical,
        "patient_name": identity.canonical_name,
        "patient_birth_date": identity.canonical_birth_date,
        "patient_sex": identity.canonical_sex,
    }
    for sent in _sent(seen):
        order = sent.order
        if order is None or _is_of_a_foreigner(sent) or not order.patient_id:
            continue
        if not _is_of_the_test(seen, order):
            yield from _another_number(seen, sent, order)
            continue
        for name, what, where in _KEYS:
            said, right = getattr(order, name), sheet[name]
            if said and right and canonical[name](said) != canonical[name](right):
                yield _not_the_sheet(seen, sent, what, where, said)


def _another_number(seen: Seen, sent: _Sent, order: OrderMessage) -> Iterator[Finding]:
    """The sheet's patient under another accession number."""
    wanted = seen.scene.wanted
    if order.accession_number and wanted.hkid and hkid.canonical(order.patient_id) == hkid.canonical(wanted.hkid):
        yield _not_the_sheet(seen, sent, "the accession number", _accession_place(order), order.accession_number)


def _not_the_sheet(seen: Seen, sent: _Sent, what: str, where: str, said: str) -> Finding:
    segment, _, number = where.partition("-")
    shown = _segment_shown(seen, sent, segment, int(number))
    return Finding("hl7.not-the-sheet", {"what": what, "where": where, "said": said}, shown)


def _not_synthetic(seen: Seen) -> Iterator[Finding]:
    """An order for a patient from outside the synthetic range: said, and not repeated."""
    for sent in _sent(seen):
        if sent.order is not None and _is_of_a_foreigner(sent):
            values = {"where": "PID-3 of an HL7 message", "length": str(len(sent.order.patient_id))}
            yield Finding("person.not-synthetic", values)


def _acknowledgement_mode(seen: Seen) -> Iterator[Finding]:
    """MSH-15 and MSH-16 ask for another acknowledgement than the sender then acts upon."""
    again: dict[str, _Sent] = {}
    for sent in _sent(seen):
        header = sent.header
        if header is None:
            continue
        asked = (header.accept_acknowledgement, header.application_acknowledgement)
        values = {"accept": asked[0] or "empty", "application": asked[1] or "empty"}
        shown = _segment_shown(seen, sent, "MSH", 15, 16)
        if any(asked) and set(asked) <= _NEVER:
            why = "So nobody tells it that an order was taken, and nothing comes back."
            yield Finding("hl7.wrong-acknowledgement-mode", values | {"why": why}, shown)
        elif (before := again.get(header.control_id)) and _is_resent(before, sent):
            got = ", ".join(dict.fromkeys(answer.code for _, answer in before.answers))
            why = f"It was answered {got}, as it had asked, and sent the same message again: it waits for another."
            yield Finding("hl7.wrong-acknowledgement-mode", values | {"why": why}, shown)
        elif asked[0] and asked[1] in _NEVER:
            why = "So it hears that a message was put into store, and never what became of it (AA, AE or AR)."
            yield Finding("hl7.wrong-acknowledgement-mode", values | {"why": why}, shown, level="should")
        again.setdefault(header.control_id, sent)


def _is_resent(before: _Sent, sent: _Sent) -> bool:
    """Tell whether a message came again, though it was acknowledged well."""
    codes = {answer.code for _, answer in before.answers}
    return bool(codes) and codes <= {"AA", "CA"} and before.frame.raw == sent.frame.raw


def _no_order(seen: Seen) -> Iterator[Finding]:
    """No message brought the order of the test."""
    wanted = seen.scene.wanted
    if seen.scene.met or not seen.facility_orders or not _is_order_due(seen):
        return
    number = wanted.accession_number
    blocks = [frame for talk in seen.orders for frame in talk.messages]
    if any(sent.order is not None and _is_of_the_test(seen, sent.order) for sent in _sent(seen)):
        return
    unreadable = [frame for frame in blocks if not frame.is_whole or not frame.is_block]
    others = [sent.order.accession_number for sent in _sent(seen) if sent.order and not _is_of_a_foreigner(sent)]
    if unreadable or any(sent.order is None or not sent.order.accession_number for sent in _sent(seen)):
        return  # it did come, in a form that another card is about
    came = f"orders came for {', '.join(dict.fromkeys(others))}" if others else "no message came"
    if not seen.orders:
        came = "no HL7 connection was opened"
    yield Finding("hl7.no-order", {"number": number or "of the test", "came": came})


def _is_order_due(seen: Seen) -> bool:
    """Tell whether an order should have come; in a test in which it comes last, once the study is held without it."""
    if seen.scene.wanted.kind == "unmatched":
        return any(event.state == "unmatched" for event in seen.events(StudyChanged))
    return seen.scene.wanted.kind in ("order", "study", "commitment")


def _clock(seen: Seen) -> Iterator[Finding]:
    """The sender's clock, by MSH-7."""
    for sent in _sent(seen):
        pieces = _pieces(sent.frame.raw, "MSH")
        stated = local_moment(pieces[6].decode("latin-1").strip()) if len(pieces) > 6 else None
        came = seen.moment_of(sent.talk.conversation, sent.frame.at)
        if stated is not None and abs(stated - came) > TOLERANCE:
            yield clock_finding("MSH-7", stated, came, _segment_shown(seen, sent, "MSH", 7))


# --- reading ---------------------------------------------------------------------------------------------


def _sent(seen: Seen) -> Iterator[_Sent]:
    for talk in seen.orders:
        frames = [frame for frame in talk.messages if frame.is_block and frame.is_whole]
        answers = [(frame, answer) for frame in talk.answers if (answer := _acknowledgement(frame)) is not None]
        for number, frame in enumerate(frames):
            header = hl7_segments.glance(frame.raw)
            control_id = header.control_id if header else ""
            # What names no message answers the one that came before it.
            until = frames[number + 1].at if number + 1 < len(frames) else float("inf")
            own = tuple(
                (each, answer)
                for each, answer in answers
                if (answer.control_id == control_id if control_id else not answer.control_id and each.at < until)
            )
            yield _Sent(talk, frame, header, _order(frame.raw), own)


def _order(message: bytes) -> OrderMessage | None:
    try:
        return hl7_messages.read_order(message)
    except Hl7ParseError:
        return None


def _acknowledgement(frame: SaidFrame) -> Acknowledgement | None:
    try:
        return hl7_acknowledgements.read_acknowledgement(frame.raw)
    except Hl7ParseError:
        return None


def _is_of_a_foreigner(sent: _Sent) -> bool:
    return sent.order is not None and is_foreign(sent.order.patient_id)


def _is_of_the_test(seen: Seen, order: OrderMessage) -> bool:
    wanted = accession.canonical(seen.scene.wanted.accession_number)
    return not wanted or accession.canonical(order.accession_number) == wanted


def _accession_place(order: OrderMessage) -> str:
    return hl7_messages.accession_location(order.message_type)


def _spoken(raw: bytes) -> str:
    if raw[:1] == b"\x16":
        return "TLS"
    if raw[:1] and raw[0] in pdus.NAMES:
        return "DICOM"
    if raw.startswith((b"GET ", b"POST", b"HEAD", b"PUT ")):
        return "HTTP"
    return "bare HL7, without MLLP" if raw.startswith(b"MSH") else "something that is no MLLP block"


def _pieces(message: bytes, name: str) -> list[bytes]:
    """Return the fields of the first segment of a name; of MSH the second piece is MSH-2."""
    separator = message[3:4] or b"|"
    segments = message.replace(b"\n", b"\r").split(b"\r")
    return next((each.split(separator) for each in segments if each.startswith(name.encode())), [])


def _begin(frame: SaidFrame) -> int:
    """Return where the message of a block begins, behind its start character."""
    return frame.offset + frame.is_block


def _shown(
    seen: Seen, talk: Hl7Talk, frame: SaidFrame, words: str, *marks: tuple[int, int], end: int | None = None
) -> Evidence:
    return marking.of_bytes(seen.capture(talk.conversation), _begin(frame), frame.raw[:end], words, *marks)


def _segment_shown(seen: Seen, sent: _Sent, name: str, *fields: int) -> tuple[Evidence, ...]:
    """Return a segment of a message with fields of it marked; of an empty field the separator before it."""
    begin = _segment_at(sent.frame.raw, name)
    if begin is None:
        return ()
    segment = sent.frame.raw[begin:].replace(b"\n", b"\r").split(b"\r")[0]
    marks = tuple(mark for number in fields for mark in _marks_in(segment, name, number))
    words = f"{name} of the message: {', '.join(f'{name}-{number}' for number in fields)}"
    capture = seen.capture(sent.talk.conversation)
    return (marking.of_bytes(capture, _begin(sent.frame) + begin, segment, words, *marks),)


def _marks_of(message: bytes, name: str, number: int) -> tuple[tuple[int, int], ...]:
    begin = _segment_at(message, name)
    if begin is None:
        return ()
    return tuple((begin + a, begin + b) for a, b in _marks_in(message[begin:].split(b"\r")[0], name, number))


def _marks_in(segment: bytes, name: str, number: int) -> Iterator[tuple[int, int]]:
    pieces = segment.split(segment[3:4] or b"|")
    index = number - 1 if name == "MSH" else number
    if index >= len(pieces):
        yield len(segment) - 1, len(segment)
        return
    begin = sum(len(piece) + 1 for piece in pieces[:index])
    yield (begin, begin + len(pieces[index])) if pieces[index] else (begin - 1, begin)


def _segment_at(message: bytes, name: str) -> int | None:
    """Return where a segment begins; None where there is none of this name."""
    found = (b"\r" + message.replace(b"\n", b"\r")).find(b"\r" + name.encode())
    return found if found >= 0 else None


RULES: tuple[Rule, ...] = (
    _not_mllp,
    _no_end,
    _not_synthetic,
    _key_missing,
    _key_other,
    _refused,
    _acknowledgement_mode,
    _no_order,
    _clock,
)
