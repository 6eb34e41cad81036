"""What goes wrong with HL7 orders that the facility's own system sends: framing, acknowledgements, content, absence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.diagnosis_data import TOLERANCE, clock_finding, local_moment
from simulator.certify.findings import Finding, Rule
from simulator.certify.mllp_blocks import END, Block
from simulator.certify.received import is_foreign
from simulator.certify.seeing import Hl7Talk, Seen
from simulator.errors import Hl7ParseError
from simulator.rules import accession, hkid, identity
from simulator.wire import hl7_acknowledgements, hl7_messages, hl7_segments, pdus
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
    block: Block
    header: Header | None
    order: OrderMessage | None
    answers: tuple[Acknowledgement, ...]


def _not_mllp(seen: Seen) -> Iterator[Finding]:
    """Bytes outside an MLLP block."""
    for talk in seen.orders:
        for block in talk.messages:
            if not block.framed and block.raw.strip():
                shown = _shown(seen, talk, block, "its first bytes", (0, min(4, len(block.raw))), end=16)
                first = block.raw[:8].hex(" ").upper()
                yield Finding("hl7.not-mllp", {"spoken": _spoken(block.raw), "bytes": first}, (shown,))
                break


def _no_end(seen: Seen) -> Iterator[Finding]:
    """A block that begins and never ends: who waits for 1C 0D waits for ever."""
    for talk in seen.orders:
        for block in talk.messages:
            if not block.framed or block.whole:
                continue
            tail = block.raw[-4:]
            shown = marking.of_bytes(
                seen.capture(talk.conversation),
                block.offset + len(block.raw) - len(tail),
                tail,
                "the last bytes that came",
                (max(0, len(tail) - 2), len(tail)),
            )
            values = {"bytes": tail.hex(" ").upper(), "length": str(len(block.raw))}
            yield Finding("hl7.no-end-block", values, (shown,))


def _refused(seen: Seen) -> Iterator[Finding]:
    """The gateway answers with an error or a rejection."""
    for sent in _sent(seen):
        for answer in sent.answers:
            if answer.code not in _REFUSALS or _is_of_a_foreigner(sent):
                continue
            block = next(each for each in sent.talk.answers if _reads_as(each, answer))
            marks = _marks_of(block.raw, b"MSA", 1)
            shown = _shown(seen, sent.talk, block, "the acknowledgement: MSA-1", *marks)
            values = {"code": answer.code, "meaning": _REFUSALS[answer.code], "text": answer.text or "no words"}
            values["control_id"] = answer.control_id
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
        if order is None or _is_of_a_foreigner(sent) or not order.patient_id or not _is_of_the_test(seen, order):
            continue
        for name, what, where in _KEYS:
            said, right = getattr(order, name), sheet[name]
            if said and right and canonical[name](said) != canonical[name](right):
                segment, _, number = where.partition("-")
                shown = _segment_shown(seen, sent, segment, int(number))
                values = {"what": what, "where": where, "said": said, "sheet": right}
                yield Finding("hl7.not-the-sheet", values, shown)


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
        elif (before := again.get(header.control_id)) and before.answers and before.block.raw == sent.block.raw:
            got = ", ".join(dict.fromkeys(each.code for each in before.answers))
            if set(got.split(", ")) <= {"AA", "CA"}:
                why = f"It was answered {got}, as it had asked, and sent the same message again: it waits for another."
                yield Finding("hl7.wrong-acknowledgement-mode", values | {"why": why}, shown)
        again.setdefault(header.control_id, sent)


def _no_order(seen: Seen) -> Iterator[Finding]:
    """No message brought the order of the test."""
    wanted = seen.scene.wanted
    if seen.scene.met or not seen.facility_orders or wanted.kind not in ("order", "study", "commitment"):
        return
    number = wanted.accession_number
    blocks = [block for talk in seen.orders for block in talk.messages]
    if wanted.kind == "order" and not seen.orders:
        return  # `nothing-came` says it
    if any(sent.order is not None and _is_of_the_test(seen, sent.order) for sent in _sent(seen)):
        return
    unreadable = [block for block in blocks if not block.whole or not block.framed]
    others = [sent.order.accession_number for sent in _sent(seen) if sent.order and not _is_of_a_foreigner(sent)]
    if unreadable or any(sent.order is None or not sent.order.accession_number for sent in _sent(seen)):
        return  # it did come, in a form that another card is about
    came = f"orders came for {', '.join(dict.fromkeys(others))}" if others else "no message came"
    yield Finding("hl7.no-order", {"number": number or "of the test", "came": came})


def _clock(seen: Seen) -> Iterator[Finding]:
    """The sender's clock, by MSH-7."""
    for sent in _sent(seen):
        pieces = _pieces(sent.block.message, "MSH")
        stated = local_moment(pieces[6].decode("latin-1").strip()) if len(pieces) > 6 else None
        came = seen.moment_of(sent.talk.conversation, sent.block.at)
        if stated is not None and abs(stated - came) > TOLERANCE:
            yield clock_finding("MSH-7", stated, came, _segment_shown(seen, sent, "MSH", 7))


# --- reading ---------------------------------------------------------------------------------------------


def _sent(seen: Seen) -> Iterator[_Sent]:
    for talk in seen.orders:
        answers = [answer for block in talk.answers if (answer := _acknowledgement(block)) is not None]
        for block in talk.messages:
            if block.framed and block.whole:
                header = hl7_segments.glance(block.message)
                own = tuple(each for each in answers if header and each.control_id == header.control_id)
                yield _Sent(talk, block, header, _order(block.message), own)


def _order(message: bytes) -> OrderMessage | None:
    try:
        return hl7_messages.read_order(message)
    except Hl7ParseError:
        return None


def _acknowledgement(block: Block) -> Acknowledgement | None:
    try:
        return hl7_acknowledgements.read_acknowledgement(block.message)
    except Hl7ParseError:
        return None


def _reads_as(block: Block, answer: Acknowledgement) -> bool:
    return _acknowledgement(block) == answer


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


def _shown(
    seen: Seen, talk: Hl7Talk, block: Block, words: str, *marks: tuple[int, int], end: int | None = None
) -> Evidence:
    return marking.of_bytes(seen.capture(talk.conversation), block.offset, block.raw[:end], words, *marks)


def _segment_shown(seen: Seen, sent: _Sent, name: str, *fields: int) -> tuple[Evidence, ...]:
    """Return a segment of a message with fields of it marked; of an empty field the separator before it."""
    raw = sent.block.raw
    begin = _segment_at(raw, name)
    if begin is None:
        return ()
    ends = [at for at in (raw.find(b"\r", begin), raw.find(b"\n", begin), raw.find(END, begin)) if at >= 0]
    segment = raw[begin : min(ends, default=len(raw))]
    marks = tuple(mark for number in fields for mark in _marks_in(segment, name, number))
    capture = seen.capture(sent.talk.conversation)
    words = f"{name} of the message: {', '.join(f'{name}-{number}' for number in fields)}"
    return (marking.of_bytes(capture, sent.block.offset + begin, segment, words, *marks),)


def _marks_of(raw: bytes, name: bytes, number: int) -> tuple[tuple[int, int], ...]:
    begin = _segment_at(raw, name.decode())
    if begin is None:
        return ()
    return tuple((begin + a, begin + b) for a, b in _marks_in(raw[begin:].split(b"\r")[0], name.decode(), number))


def _marks_in(segment: bytes, name: str, number: int) -> Iterator[tuple[int, int]]:
    pieces = segment.split(segment[3:4] or b"|")
    index = number - 1 if name == "MSH" else number
    if index >= len(pieces):
        yield len(segment) - 1, len(segment)
        return
    begin = sum(len(piece) + 1 for piece in pieces[:index])
    yield (begin, begin + len(pieces[index])) if pieces[index] else (begin - 1, begin)


def _segment_at(raw: bytes, name: str) -> int | None:
    for before in (b"\x0b", b"\r", b"\n"):
        found = raw.find(before + name.encode())
        if found >= 0:
            return found + 1
    return None


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
