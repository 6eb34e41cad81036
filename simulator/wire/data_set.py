"""Walks an encoded data set element by element without decoding values (PS3.5 chapters 6, 7 and annex A).

A walk finds every top-level element and proves that the data set is whole: each length fits in what is
there, each sequence and item of undefined length is closed. It copies nothing and builds no `Dataset`.
A survey is the walk of one who judges: it goes into every sequence, and refuses odd lengths. Complaints begin
with what matters most: an Error Comment (0000,0902) takes 64 characters of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import xxhash
from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import TEXT_VR_DELIMS

from simulator.errors import NotDicom

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# Every other transfer syntax encapsulates Pixel Data (PS3.5 A.4).
NATIVE = frozenset(
    (
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    )
)

MAXIMUM_INFLATED = 512 * 1024 * 1024
"""Bytes to which a deflated data set may grow: 1000 slices of 512x512x16. A few bytes can ask for any number."""

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
ACCESSION_NUMBER = 0x00080050
MODALITY = 0x00080060
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
PATIENT_BIRTH_DATE = 0x00100030
PATIENT_SEX = 0x00100040
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
PIXEL_DATA = 0x7FE00010

_UNDEFINED = 0xFFFFFFFF
_SHORTEST_HEAD = 8
_MAXIMUM_DEPTH = 64  # far beyond what any IOD nests; a walk goes one call deeper for each
_DELIMITERS = 0xFFFE  # the group of items and delimiters, which have no VR
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


@dataclass(frozen=True, slots=True)
class Element:
    """A top-level element: its tag, and where its value stands in the walked bytes.

    For an undefined length the value runs from the first item to before the sequence delimiter, and `items` says
    how many items there are; else it is None.
    """

    tag: int
    start: int
    end: int
    items: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a walk found: the raw values of the tags asked for, by tag, and the place of Pixel Data (7FE0,0010)."""

    values: Mapping[int, bytes]
    pixel_data: Element | None


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are laid out: byte order and whether the VR is written; `head` is of an explicit, short VR."""

    implicit: bool
    head: struct.Struct
    tag: struct.Struct
    short: struct.Struct
    long: struct.Struct


def _encoding(implicit: bool, order: str) -> Encoding:
    head = struct.Struct(order + "HH2sH")
    return Encoding(implicit, head, struct.Struct(order + "HH"), struct.Struct(order + "H"), struct.Struct(order + "L"))


IMPLICIT_LITTLE = _encoding(True, "<")
_EXPLICIT_LITTLE = _encoding(False, "<")
_EXPLICIT_BIG = _encoding(False, ">")


Encoded = TypeVar("Encoded", bound=bytes | memoryview)


def tag_text(tag: int) -> str:
    """Return a tag as the standard prints it: `(0008,0016)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def plain(data: Encoded, transfer_syntax_uid: str) -> Encoded | bytes:
    """Return the data set as elements: inflated when the transfer syntax is Deflated (PS3.5 A.5).

    Raises `NotDicom` when it cannot be inflated.
    """
    if transfer_syntax_uid != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, MAXIMUM_INFLATED)
    except zlib.error as error:
        raise NotDicom(f"the deflated data set cannot be inflated: {error}") from error
    if inflater.eof:
        return inflated
    if len(inflated) == MAXIMUM_INFLATED:
        raise NotDicom(f"the deflated data set cannot be inflated: it is more than {MAXIMUM_INFLATED} bytes")
    raise NotDicom("the deflated data set cannot be inflated: it is cut off")


def elements(data: bytes | memoryview, transfer_syntax_uid: str, start: int = 0) -> Iterator[Element]:
    """Yield the top-level elements of `data` from byte `start` on; it is not deflated any more (see `plain`).

    Raises `NotDicom` where an element does not fit in the data, with its tag and byte offset.
    """
    for tag, begin, end, items in _Walk(data, strict=False).elements(start, encoding_of(transfer_syntax_uid)):
        yield Element(tag, begin, end, items)


def read(data: bytes | memoryview, transfer_syntax_uid: str, tags: Collection[int]) -> dict[int, bytes]:
    """Return the raw values of those `tags` that stand at the top level; walks the whole data set.

    Raises `NotDicom` when the data set is not whole, even if all tags were found before.
    """
    return dict(read_plain(plain(data, transfer_syntax_uid), transfer_syntax_uid, tags).values)


def read_plain(data: bytes | memoryview, transfer_syntax_uid: str, tags: Collection[int]) -> Survey:
    """Return what `read` does, and the place of Pixel Data, of a data set that is not deflated any more (see `plain`).

    Raises `NotDicom` as `read` does.
    """
    values: dict[int, bytes] = {}
    pixel_data = None
    for tag, start, end, items in _Walk(data, strict=False).elements(0, encoding_of(transfer_syntax_uid)):
        if tag in tags:
            values[tag] = bytes(data[start:end])
        elif tag == PIXEL_DATA and pixel_data is None:
            pixel_data = Element(tag, start, end, items)
    return Survey(values, pixel_data)


def survey(data: bytes | memoryview, transfer_syntax_uid: str, tags: Collection[int]) -> Survey:
    """Return the raw values of those `tags` that stand at the top level, and where Pixel Data lies, in one walk.

    Raises `NotDicom` when the data set is not whole, when what a sequence of defined length holds is no sequence, and
    for an element, at whatever depth, or a fragment of odd length (PS3.5 7.1.1, A.4), with its tag, its length and its
    byte offset; also when one of those tags, or Pixel Data, stands there twice (PS3.5 7.1): readers differ in which of
    the two they believe. What stands in a private element without a VR, or in one of VR UN and defined length, is not
    looked into: nothing says that it holds elements.
    """
    whole = plain(data, transfer_syntax_uid)
    values: dict[int, bytes] = {}
    pixel_data = None
    for tag, start, end, items in _Walk(whole, strict=True).elements(0, encoding_of(transfer_syntax_uid)):
        if tag in values or (tag == PIXEL_DATA and pixel_data):
            raise NotDicom(f"repeated: {tag_text(tag)} stands there twice (second value at byte {start})")
        if tag in tags:
            values[tag] = bytes(whole[start:end])
        elif tag == PIXEL_DATA:
            pixel_data = Element(tag, start, end, items)
    return Survey(values, pixel_data)


def heads(data: bytes | memoryview, transfer_syntax_uid: str) -> list[tuple[int, int]]:
    """Return from where to where go the heads that a survey read, in order: they and the size are all that it judges.

    The data set was surveyed before, and is not deflated any more.
    """
    walk = _NotingWalk(data, strict=True, noted=[])
    for _, start, _, _ in walk.elements(0, encoding_of(transfer_syntax_uid)):
        walk.noted.append((start - _SHORTEST_HEAD, start))  # it may be noted already, and longer
    return sorted(walk.noted)


def unsigned_short(values: Mapping[int, bytes], tag: int, transfer_syntax_uid: str) -> int | None:
    """Return the value of `tag` as US (PS3.5 6.2), 0 to 65535; None when it is absent or not one number."""
    raw = values.get(tag, b"")
    return encoding_of(transfer_syntax_uid).short.unpack(raw)[0] if len(raw) == 2 else None


def text(values: Mapping[int, bytes], tag: int) -> str:
    """Return the value of `tag` as text, its padding removed; empty when absent.

    Bytes beyond ASCII are decoded by Specific Character Set (PS3.3 C.12.1.1.2); bytes that disagree with it, or
    stand where `values` has none, come out as replacement characters and so never equal anything.
    """
    raw = values.get(tag, b"").rstrip(b"\0")
    # With code extensions (PS3.5 6.1.2.5) text of any script may be seven-bit, behind an escape character.
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii").strip(" ")
    return _decoded(raw, values.get(SPECIFIC_CHARACTER_SET, b"")).strip(" ")


def digest(data: bytes | memoryview) -> str:
    """Return the XXH3 of `data`, 128 bits in hexadecimal, as events and the index record it.

    It tells bytes that were lost, swapped or changed by a mistake, which is what is asked here, and takes a thirtieth
    of the time of SHA-256. It is no seal: who wants to can make other bytes with the same one.
    """
    return xxhash.xxh3_128_hexdigest(data)


def pixel_data_digest(data: bytes, transfer_syntax_uid: str) -> str:
    """Return the digest of the value of Pixel Data (7FE0,0010), or the empty string where there is none.

    Raises `NotDicom` when the data set is not whole.
    """
    whole = plain(data, transfer_syntax_uid)
    return digest_at(whole, read_plain(whole, transfer_syntax_uid, ()).pixel_data)


def digest_at(data: bytes | memoryview, place: Element | None) -> str:
    """Return the digest of the value of an element, or the empty string where there is none."""
    return digest(memoryview(data)[place.start : place.end]) if place is not None else ""


def _decoded(raw: bytes, character_set: bytes) -> str:
    terms = character_set.decode("ascii", "replace").strip(" \0").split("\\")
    try:
        # pydicom has Latin-1 for the default repertoire, which is ASCII, and for a set that it does not know.
        encodings = ["ascii" if name == default_encoding else name for name in convert_encodings(terms)]
        # pydicom leaves this one of the escape sequences in the text (PS3.3 Table C.12-4: ISO 2022 IR 58 as G1).
        return str(decode_bytes(raw, encodings, set(TEXT_VR_DELIMS))).replace("\x1b$)A", "")
    except (LookupError, UnicodeError, ValueError):
        return raw.decode("ascii", "replace")


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return how elements are laid out in a transfer syntax, the data set inflated where that is Deflated."""
    if transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN:
        return IMPLICIT_LITTLE
    if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
        return _EXPLICIT_BIG
    return _EXPLICIT_LITTLE


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through `data`; `strict` goes into sequences of defined length too, and refuses odd lengths."""

    data: bytes | memoryview
    strict: bool

    def elements(self, start: int, encoding: Encoding) -> Iterator[tuple[int, int, int, int | None]]:
        """Yield tag, start, end and items of every top-level element, as in `Element`."""
        data, position, limit = self.data, start, len(self.data)
        head = encoding.head.unpack_from
        while position < limit:
            # Most elements are of these VRs, and what is wrong with one is told below.
            if position + 8 <= limit and not encoding.implicit:
                group, element, vr, length = head(data, position)
                end = position + 8 + length
                if vr in _SHORT_VRS and group != _DELIMITERS and end <= limit and not (self.strict and length & 1):
                    yield group << 16 | element, position + 8, end, None
                    position = end
                    continue
            tag, begin, end, items, position = self._element(position, limit, encoding, 0)
            yield tag, begin, end, items

    def _element(
        self, position: int, limit: int, encoding: Encoding, depth: int
    ) -> tuple[int, int, int, int | None, int]:
        """Return the element at `position`, inside `depth` sequences, and the position after it.

        Nothing may go beyond `limit`, where the data, the item or the sequence around it ends.
        """
        tag, start, length, vr = self._head(position, limit, encoding)
        if length == _UNDEFINED:
            # An UN of undefined length holds a sequence in Implicit VR Little Endian (PS3.5 6.2.2).
            inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
            end, items = self._items_to_delimiter(start, limit, inner, tag, depth)
            return tag, start, end - 8, items, end
        end = start + length
        if end > limit:
            raise NotDicom(
                f"truncated: {tag_text(tag)} needs {length} bytes, {limit - start} are left (byte {position})"
            )
        if self.strict:
            if vr == b"SQ" or (encoding.implicit and is_sequence(tag)):
                # Before its own length is judged: what is odd in it makes it odd, and says more.
                self._items_to_limit(start, end, encoding, tag, depth)
            if length & 1:
                raise NotDicom(f"odd length: {tag_text(tag)} has {length} bytes (byte {position})")
        return tag, start, end, None, end

    def _head(self, position: int, limit: int, encoding: Encoding) -> tuple[int, int, int, bytes]:
        """Return what `element_header` does; every head passes here but those that `elements` reads itself."""
        return element_header(self.data, position, limit, encoding)

    def _items_to_delimiter(
        self, position: int, limit: int, encoding: Encoding, sequence: int, depth: int
    ) -> tuple[int, int]:
        """Return the position after the delimiter that closes a sequence (or fragments), and how many items it has."""
        _check_depth(position, sequence, depth)
        count = 0
        while True:
            tag, start, length, _ = self._head(position, limit, encoding)
            if tag == _SEQUENCE_END:
                return start, count
            _check_item(position, tag, sequence)
            position = self._item(position, start, length, limit, encoding, sequence, depth)
            count += 1

    def _items_to_limit(self, position: int, limit: int, encoding: Encoding, sequence: int, depth: int) -> None:
        """Walk the items of a sequence that ends at `limit`."""
        _check_depth(position, sequence, depth)
        while position < limit:
            tag, start, length, _ = self._head(position, limit, encoding)
            _check_item(position, tag, sequence)
            position = self._item(position, start, length, limit, encoding, sequence, depth)

    def _item(
        self, position: int, start: int, length: int, limit: int, encoding: Encoding, sequence: int, depth: int
    ) -> int:
        """Return the position after the item at `position`, whose value starts at `start`."""
        if length == _UNDEFINED:
            return self._elements_to_delimiter(start, limit, encoding, depth)
        end = start + length
        if end > limit:
            raise NotDicom(
                f"truncated: an item of {tag_text(sequence)} needs {length} bytes, "
                f"{limit - start} are left (byte {position})"
            )
        if self.strict:
            if sequence != PIXEL_DATA:
                self._elements_to_limit(start, end, encoding, depth)
            if length & 1:
                raise NotDicom(f"odd length: item of {tag_text(sequence)}, {length} bytes (byte {position})")
        return end

    def _elements_to_delimiter(self, position: int, limit: int, encoding: Encoding, depth: int) -> int:
        """Return the position after the delimiter that closes an item of undefined length."""
        while True:
            tag, start, _, _ = self._head(position, limit, encoding)
            if tag == _ITEM_END:
                return start
            *_, position = self._element(position, limit, encoding, depth + 1)

    def _elements_to_limit(self, position: int, limit: int, encoding: Encoding, depth: int) -> None:
        """Walk the elements of an item that ends at `limit`."""
        while position < limit:
            *_, position = self._element(position, limit, encoding, depth + 1)


@dataclass(frozen=True, slots=True)
class _NotingWalk(_Walk):
    """A walk that notes from where to where each head goes."""

    noted: list[tuple[int, int]]

    def _head(self, position: int, limit: int, encoding: Encoding) -> tuple[int, int, int, bytes]:
        found = element_header(self.data, position, limit, encoding)
        self.noted.append((position, found[1]))
        return found


def element_header(
    data: bytes | memoryview, position: int, limit: int, encoding: Encoding
) -> tuple[int, int, int, bytes]:
    """Return tag, start of the value, length and VR (empty when implicit)."""
    if position + 8 > limit:
        raise NotDicom(f"truncated: {limit - position} bytes are too few for an element (byte {position})")
    group, element = encoding.tag.unpack_from(data, position)
    tag = group << 16 | element
    if encoding.implicit or group == 0xFFFE:
        return tag, position + 8, encoding.long.unpack_from(data, position + 4)[0], b""
    vr = bytes(data[position + 4 : position + 6])
    if vr in _SHORT_VRS:
        return tag, position + 8, encoding.short.unpack_from(data, position + 6)[0], vr
    if vr not in _LONG_VRS:
        raise NotDicom(f"{tag_text(tag)} has no value representation (byte {position}, found {vr!r})")
    if position + 12 > limit:
        raise NotDicom(f"truncated: {tag_text(tag)} ends within its length (byte {position})")
    return tag, position + 12, encoding.long.unpack_from(data, position + 8)[0], vr


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool:
    """Tell whether PS3.6 makes a sequence of `tag`, which counts where no VR is written."""
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False


def _check_depth(position: int, sequence: int, depth: int) -> None:
    if depth == _MAXIMUM_DEPTH:
        raise NotDicom(f"{tag_text(sequence)} is nested in {depth} sequences (byte {position})")


def _check_item(position: int, tag: int, sequence: int) -> None:
    if tag != _ITEM:
        raise NotDicom(f"{tag_text(tag)} stands where {tag_text(sequence)} has an item (byte {position})")
