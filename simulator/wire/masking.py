"""Overwrites who the patient is in a conversation, so that it can be shown to others; every length stays. Pure.

Of a DICOM data set these are attributes of group 0010, wherever they stand in it; of an HL7 message fields of PID, MRG
and NK1. A data set that cannot be read to its end is overwritten from there on: nobody knows who is in it. What stays
is what evidence needs: command sets, UIDs, accession numbers, encodings, and where everything stands.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.conversation import Conversation, Segment, Side
from simulator.wire.data_set import IMPLICIT_LITTLE, Encoding, element_header, encoding_of, is_sequence
from simulator.wire.pdu_walk import Area, Part, Walk
from simulator.wire.pdus import ASSOCIATE_RQ, P_DATA_TF

MASK = b"X"

IDENTIFYING = frozenset(
    (
        0x00100010,  # Patient's Name
        0x00100020,  # Patient ID
        0x00100030,  # Patient's Birth Date
        0x00100032,  # Patient's Birth Time
        0x00100033,  # Patient's Birth Date in Alternative Calendar
        0x00100034,  # Patient's Death Date in Alternative Calendar
        0x00101000,  # Other Patient IDs
        0x00101001,  # Other Patient Names
        0x00101005,  # Patient's Birth Name
        0x00101040,  # Patient's Address
        0x00101060,  # Patient's Mother's Birth Name
        0x00101090,  # Medical Record Locator
        0x00102154,  # Patient's Telephone Numbers
        0x00102155,  # Patient's Telecom Information
        0x001021B0,  # Additional Patient History
        0x00102297,  # Responsible Person
        0x00104000,  # Patient Comments
    )
)
"""What tells who the patient is (PS3.15 E.1, of group 0010). Sequences of other IDs hold the same attributes."""

IDENTIFYING_FIELDS = {
    b"PID": frozenset((2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 18, 19, 20, 21)),
    b"MRG": frozenset((1, 2, 3, 4, 7)),
    b"NK1": frozenset((2, 4, 5, 6)),
}
"""What tells who the patient is (HL7 v2 3.4.2, 3.4.10, 3.4.5): identifiers, names, birth date, address, telephone."""

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_FIRST_GROUPS = range(0x0002, 0x0100)  # no data set begins with another; a deflated one nearly always seems to
_SHOWN_OF_FOREIGN = 64
_TLS = re.compile(rb"[\x14-\x17]\x03")
_FIXED = 68  # bytes of an A-ASSOCIATE-RQ between its head and its first item
_USER_INFORMATION, _USER_IDENTITY = 0x50, 0x58  # PS3.8 9.3.2.3, PS3.7 D.3.3.7

_SEGMENT = re.compile(rb"(?:(?<=[\r\n\x0b])|\A)(MSH|PID|MRG|NK1)([^\w\s])([^\r\n\x1c]*)")
# In these character sets (MSH-18) the second byte of a character may be that of a separator.
_WIDE = re.compile(rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]|[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_WIDE_SETS = (b"BIG-5", b"GB 18030-2000")

_Span = tuple[int, int]  # from and to


def masked(conversation: Conversation) -> Conversation:
    """Return the conversation with the values that tell who the patient is overwritten, byte for byte."""
    sides: tuple[Side, Side] = ("requestor", "acceptor")
    by_side = {side: [each for each in conversation.segments if each.by == side] for side in sides}
    spans = _spans_of_dicom if conversation.protocol == "DICOM" else _spans_of_hl7
    rewritten = {side: iter(_overwritten(segments, spans(segments))) for side, segments in by_side.items()}
    return replace(conversation, segments=tuple(next(rewritten[each.by]) for each in conversation.segments))


def _overwritten(segments: list[Segment], spans: Iterator[_Span]) -> list[Segment]:
    """Return what a side said with these spans of it overwritten, as far as they were kept."""
    starts = list(accumulate((each.length for each in segments), initial=0))
    pieces = [bytearray(each.data) for each in segments]
    for begin, end in spans:
        at = bisect_right(starts, begin) - 1
        while at < len(pieces) and starts[at] < end:
            low, high = max(begin - starts[at], 0), min(end - starts[at], len(pieces[at]))
            pieces[at][low:high] = MASK * max(0, high - low)
            at += 1
    return [replace(segment, data=bytes(piece)) for segment, piece in zip(segments, pieces, strict=True)]


# --- DICOM -----------------------------------------------------------------------------------------------


def _spans_of_dicom(segments: list[Segment]) -> Iterator[_Span]:
    """Yield what is to be overwritten in what a side said."""
    walk, side, offset = Walk(), _Side(), 0
    for segment in segments:
        for part in walk.feed(segment.data, segment.length):
            yield from side.take(offset, part)
            offset += part.length
    yield from side.finish()


@dataclass(slots=True)
class _Stretch:
    """Bytes of one data set, body or whatever it is: what was kept from the first on, and where that stands.

    pieces: where each begins in `kept`, and in what its side said.
    """

    kept: bytearray = field(default_factory=bytearray)
    pieces: list[tuple[int, int]] = field(default_factory=list)
    came: int = 0

    def take(self, offset: int, part: Part) -> None:
        if self.came == len(self.kept):
            self.pieces.append((self.came, offset))
            self.kept += part.data
        self.came += part.length

    def there(self, spans: Iterator[_Span]) -> Iterator[_Span]:
        """Yield spans of it as spans of what its side said."""
        ends = [begin for begin, _ in self.pieces[1:]] + [len(self.kept)]
        for begin, end in spans:
            for (start, offset), stop in zip(self.pieces, ends, strict=False):
                low, high = max(begin, start), min(end, stop)
                if low < high:
                    yield offset + low - start, offset + high - start


class _Side:
    """Goes through what a side said, and finds what is to be overwritten."""

    def __init__(self) -> None:
        self._kind = 0  # of the PDU in hand
        self._data_set = _Stretch()
        self._body = _Stretch()
        self._foreign = _Stretch()

    def take(self, offset: int, part: Part) -> Iterator[_Span]:
        """Yield what is to be overwritten as soon as it is known."""
        match part.area:
            case Area.HEAD if not self._kind and part.data:
                self._kind = part.data[0]
            case Area.COMMAND:
                yield from self._ended_data_set()
            case Area.FRAGMENT:
                self._data_set.take(offset, part)
                if part.ends_pdv and part.last:
                    yield from self._ended_data_set()
            case Area.BODY:
                self._body.take(offset, part)
            case Area.FOREIGN:
                self._foreign.take(offset, part)
        if part.ends_pdu:
            yield from self._ended_body()
            self._kind = 0

    def finish(self) -> Iterator[_Span]:
        """Yield what is to be overwritten in what never ended."""
        yield from self._ended_data_set()
        yield from self._ended_body()
        yield from self._foreign.there(_of_foreign(bytes(self._foreign.kept)))

    def _ended_data_set(self) -> Iterator[_Span]:
        found, self._data_set = self._data_set, _Stretch()
        yield from found.there(_of_data_set(bytes(found.kept), found.came))

    def _ended_body(self) -> Iterator[_Span]:
        body, self._body = self._body, _Stretch()
        if self._kind == P_DATA_TF:  # its PDVs do not add up; what they hold may be of a data set
            yield from body.there(iter([(0, len(body.kept))]))
        elif self._kind == ASSOCIATE_RQ:
            yield from body.there(_of_request(bytes(body.kept)))


def _of_request(body: bytes) -> Iterator[_Span]:
    """Yield the names and passwords of user identities in an A-ASSOCIATE-RQ, behind its head."""
    for kind, start, end in _items(body, _FIXED, len(body)):
        if kind == _USER_INFORMATION:
            yield from ((low + 4, high) for sub, low, high in _items(body, start, end) if sub == _USER_IDENTITY)


def _items(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type of each item, and from where to where its content goes."""
    while at + 4 <= end:
        kind, _, length = struct.unpack_from(">BBH", body, at)
        yield kind, at + 4, min(at + 4 + length, end)
        at += 4 + length


def _of_foreign(data: bytes) -> Iterator[_Span]:
    """Yield what is to be overwritten in bytes that are no DICOM: of HL7 what tells, of TLS nothing."""
    if b"MSH" in data:
        yield from _of_hl7(data)
    elif not _TLS.match(data):
        yield _SHOWN_OF_FOREIGN, len(data)


# --- data sets -------------------------------------------------------------------------------------------


def _of_data_set(data: bytes, length: int) -> Iterator[_Span]:
    """Yield the values that tell in a data set of `length` bytes, of which the first are `data`."""
    encoding = _encoding(data)
    if encoding is None:
        yield 0, len(data)
    else:
        yield from _Elements(data, length).walk(0, length, encoding)


def _encoding(data: bytes) -> Encoding | None:
    """Return how the elements are laid out, as it looks: a sender may encode otherwise than was negotiated."""
    if len(data) < 8:
        return None
    little, big = int.from_bytes(data[:2], "little"), int.from_bytes(data[:2], "big")
    has_vr = data[4:6].isalpha() and data[4:6].isupper()
    if little in _FIRST_GROUPS:
        return encoding_of(data_set.EXPLICIT_VR_LITTLE_ENDIAN) if has_vr else IMPLICIT_LITTLE
    if big in _FIRST_GROUPS and has_vr:
        return encoding_of(data_set.EXPLICIT_VR_BIG_ENDIAN)
    return None


@dataclass(frozen=True, slots=True)
class _Elements:
    """A data set of `length` bytes, of which the first are `data`.

    Sequences and items are gone through as if their elements stood in a row: nothing but the end of another encoding
    within (PS3.5 6.2.2) and of fragments needs to be known.
    """

    data: bytes
    length: int

    def walk(self, at: int, end: int, encoding: Encoding, *, enclosed: bool = False) -> Generator[_Span, None, int]:
        """Yield the values that tell, up to `end` or to the delimiter that encloses them; return what is next."""
        depth = 0  # of sequences of undefined length
        while at < min(end, len(self.data)):
            try:
                tag, start, length, vr = element_header(self.data, at, len(self.data), encoding)
            except NotDicom:
                yield at, len(self.data)
                return len(self.data)
            undefined = length == _UNDEFINED
            if tag == _SEQUENCE_END and enclosed and not depth:
                return start
            if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
                depth -= tag == _SEQUENCE_END
                at = start
            elif tag == data_set.PIXEL_DATA:
                at = self._after_fragments(start, encoding) if undefined else start + length
            elif not self._is_sequence(tag, start, vr, undefined=undefined):
                yield from self._value(tag, start, start + length)
                at = start + length
            elif vr == b"UN":
                inner = end if undefined else start + length
                at = yield from self.walk(start, inner, IMPLICIT_LITTLE, enclosed=undefined)
            else:
                depth += undefined
                at = start
        return at

    def _value(self, tag: int, start: int, stop: int) -> Iterator[_Span]:
        """Yield a value that tells; and one that would go beyond the data set, which is then read wrongly."""
        if tag in IDENTIFYING or stop > self.length:
            yield start, min(stop, len(self.data))

    def _is_sequence(self, tag: int, start: int, vr: bytes, *, undefined: bool) -> bool:
        """Tell whether elements stand in a value, also in one that nobody knows."""
        looks_so = self.data[start : start + 4] in (b"\xfe\xff\0\xe0", b"\xff\xfe\xe0\0")
        return undefined or vr == b"SQ" or (vr in (b"", b"UN") and (is_sequence(tag) or looks_so))

    def _after_fragments(self, at: int, encoding: Encoding) -> int:
        """Return where what follows encapsulated Pixel Data begins (PS3.5 A.4)."""
        while at < len(self.data):
            try:
                tag, start, length, _ = element_header(self.data, at, len(self.data), encoding)
            except NotDicom:
                return len(self.data)
            if tag != _ITEM:
                return start if tag == _SEQUENCE_END else at
            at = start + length
        return at


# --- HL7 -------------------------------------------------------------------------------------------------


def _spans_of_hl7(segments: list[Segment]) -> Iterator[_Span]:
    """Yield what is to be overwritten in what a side said."""
    yield from _of_hl7(b"".join(segment.data for segment in segments))


def _of_hl7(data: bytes) -> Iterator[_Span]:
    """Yield the fields that tell, but for the characters that part them, of every segment that looks like one."""
    parting, is_wide = b"^~&", False
    for found in _SEGMENT.finditer(data):
        name, separator, line = found.groups()
        if name == b"MSH":
            fields = line.split(separator)
            parting = fields[0][:2] + fields[0][3:4]
            is_wide = len(fields) > 16 and any(each in fields[16] for each in _WIDE_SETS)
            continue
        if is_wide:
            line = _WIDE.sub(lambda character: b"\x81" * len(character.group()), line)
        yield from _of_segment(found.start(3), line.split(separator), IDENTIFYING_FIELDS[name], parting)


def _of_segment(at: int, fields: list[bytes], identifying: frozenset[int], parting: bytes) -> Iterator[_Span]:
    values = re.compile(b"[^" + re.escape(parting) + b"]+") if parting else re.compile(b".+", re.DOTALL)
    for number, value in enumerate(fields, 1):
        if number in identifying and value != b'""':  # a null tells nothing but that there is nothing
            yield from ((at + each.start(), at + each.end()) for each in values.finditer(value))
        at += len(value) + 1
