"""Data sets to bytes (PS3.5 section 7): writes what it is told, and never warns, mends or refuses a value.

pydicom's writer checks values and pads some of them; a simulated modality must be able to say anything. So
the bytes are made here, and only tags and value representations come from pydicom's dictionary (PS3.6).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from simulator.synthesis.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

Attributes = Mapping[str, Any]
"""Attributes by keyword (PS3.6). A value is text of the default repertoire, bytes, a number, or a sequence of
texts or of numbers; for SQ a sequence of `Attributes`, one for each item. An empty text or sequence is an empty
(Type 2) value."""

PIXEL_DATA: Final = 0x7FE00010

Elements = dict[int, bytes]
"""Encoded data elements by tag; joined in the order of their tags they are a data set (PS3.5 7.1)."""

Samples = bytes | memoryview
"""Encoded samples; a view spares the copy of a picture."""


@dataclass(frozen=True, slots=True)
class PixelData:
    """Pixel Data (7FE0,0010) in parts: its head, its value, and what closes or pads it.

    Kept apart so that a picture is copied once only, into the data set that it ends.
    """

    head: bytes
    value: Samples
    tail: bytes = b""


_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "AT": "HH"}
_WORDS: Final = frozenset({"OW"})
# PS3.5 7.1.2: these have two reserved bytes and a length of 32 bits in Explicit VR.
_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_ITEM: Final = (0xFFFE, 0xE000)
_ITEM_END: Final = (0xFFFE, 0xE00D)
_SEQUENCE_END: Final = (0xFFFE, 0xE0DD)
_UNDEFINED: Final = 0xFFFFFFFF
_PREAMBLE: Final = bytes(128) + b"DICM"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a transfer syntax writes data elements (PS3.5 Annex A)."""

    explicit: bool
    big_endian: bool

    def elements(self, attributes: Attributes) -> Elements:
        """Return each of `attributes` encoded. Raises ValueError for a keyword that PS3.6 does not have."""
        return {tag_of(keyword): self._attribute(keyword, value) for keyword, value in attributes.items()}

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """Return one data element around `value`, which is already in this byte order, made even in length."""
        value = padded(value, vr)
        return self._head(tag, vr, len(value)) + value

    def unpadded(self, keyword: str, value: bytes) -> bytes:
        """Return one data element whose value is as long as `value` is, also where that is odd."""
        return self._head(tag_of(keyword), vr_of(keyword), len(value)) + value

    def delimited(self, tag: int, *items: bytes) -> bytes:
        """Return a sequence around `items`, each encoded elements: it and they are of undefined length (PS3.5 7.5)."""
        begin, end = self._pack("HHI", *_ITEM, _UNDEFINED), self._pack("HHI", *_ITEM_END, 0)
        content = b"".join(begin + item + end for item in items)
        return self._head(tag, "SQ", _UNDEFINED) + content + self._pack("HHI", *_SEQUENCE_END, 0)

    def pixel_data(self, samples: Samples, bits_allocated: int) -> PixelData:
        """Return Pixel Data (7FE0,0010) around little-endian `samples` of 1, 8 or 16 bits (PS3.5 8.1, Annex A)."""
        # Implicit VR has OW throughout; Explicit VR may have OB where samples are bytes, and then order is no matter.
        as_words = bits_allocated > 8 or not self.explicit
        size = len(samples)
        tail = b"\0" * (size % 2)
        if self.big_endian and as_words:
            samples, tail = swapped(bytes(samples) + tail), b""
        return PixelData(self._head(PIXEL_DATA, "OW" if as_words else "OB", size + size % 2), samples, tail)

    def encapsulated(self, items: bytes) -> PixelData:
        """Return Pixel Data around the `items` of an encapsulated transfer syntax (PS3.5 A.4)."""
        return PixelData(self._head(PIXEL_DATA, "OB", _UNDEFINED), items, self._pack("HHI", *_SEQUENCE_END, 0))

    def half(self, pixel_data: PixelData) -> PixelData:
        """Return the first half of native Pixel Data, or of encapsulated the offset table item alone, well formed."""
        if pixel_data.head.endswith(self._pack("I", _UNDEFINED)):
            size = 8 + int.from_bytes(pixel_data.value[4:8], "little")
            return self.encapsulated(bytes(pixel_data.value[:size]))
        kept = len(pixel_data.value) // 4 * 2
        head = pixel_data.head[:-4] + self._pack("I", kept)
        return PixelData(head, pixel_data.value[:kept])

    def _head(self, tag: int, vr: str, length: int) -> bytes:
        group, element = tag >> 16, tag & 0xFFFF
        if not self.explicit:
            return self._pack("HHI", group, element, length)
        if vr in _LONG:
            return self._pack("HH", group, element) + vr.encode() + self._pack("HI", 0, length)
        return self._pack("HH", group, element) + vr.encode() + self._pack("H", length)

    def _attribute(self, keyword: str, value: Any) -> bytes:
        tag, vr = tag_of(keyword), vr_of(keyword)
        return self.element(tag, vr, self._value(vr, value))

    def _value(self, vr: str, value: Any) -> bytes:
        if isinstance(value, bytes):
            return swapped(value) if self.big_endian and vr in _WORDS else value
        if isinstance(value, str):
            return value.encode("ascii")
        if vr == "SQ":
            return b"".join(self._item(item) for item in value)
        if vr in _NUMBERS:
            values = value if isinstance(value, Iterable) else (value,)
            return b"".join(self._number(vr, one) for one in values)
        if isinstance(value, Iterable):
            return "\\".join(str(one) for one in value).encode("ascii")
        return str(value).encode("ascii")

    def _number(self, vr: str, value: Any) -> bytes:
        if vr == "AT":
            return self._pack("HH", value >> 16, value & 0xFFFF)
        return self._pack(_NUMBERS[vr], value)

    def _item(self, attributes: Attributes) -> bytes:
        content = joined(self.elements(attributes))
        return self._pack("HHI", *_ITEM, len(content)) + content

    def _pack(self, form: str, *values: Any) -> bytes:
        return struct.pack((">" if self.big_endian else "<") + form, *values)


_EXPLICIT_LITTLE: Final = Encoding(explicit=True, big_endian=False)
_NATIVE: Final[Mapping[str, Encoding]] = {
    str(ImplicitVRLittleEndian): Encoding(explicit=False, big_endian=False),
    str(ExplicitVRBigEndian): Encoding(explicit=True, big_endian=True),
}


def encoding_of(transfer_syntax: str) -> Encoding:
    """Return how the elements of `transfer_syntax` (a UID) are written.

    Deflated and all encapsulated syntaxes write them in Explicit VR Little Endian (PS3.5 A.4, A.5).
    """
    return _NATIVE.get(transfer_syntax, _EXPLICIT_LITTLE)


def joined(elements: Mapping[int, bytes], pixel_data: PixelData | None = None) -> bytes:
    """Return `elements` as one data set, in ascending order of tags (PS3.5 7.1), and Pixel Data after them all."""
    parts: list[Samples] = [elements[tag] for tag in sorted(elements)]
    if pixel_data is not None:
        parts += (pixel_data.head, pixel_data.value, pixel_data.tail)
    return b"".join(parts)


def padded(value: bytes, vr: str) -> bytes:
    """Return `value` at an even length: NUL after UI and binary, a space after other text (PS3.5 6.2)."""
    if len(value) % 2 == 0:
        return value
    return value + (b"\0" if vr in {"UI", "OB", "OW", "UN"} else b" ")


def swapped(words: bytes) -> bytes:
    """Return `words` with the two bytes of each 16-bit word exchanged; the length must be even."""
    result = bytearray(len(words))
    result[::2], result[1::2] = words[1::2], words[::2]
    return bytes(result)


@cache
def tag_of(keyword: str) -> int:
    """Return the tag of `keyword` as a 32-bit number. Raises ValueError where PS3.6 has none."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"no attribute has the keyword {keyword!r}")
    return int(tag)


@cache
def vr_of(keyword: str) -> str:
    """Return the value representation of `keyword`; where PS3.6 leaves US or SS open, US."""
    return str(dictionary_VR(tag_of(keyword))).split(" or ", maxsplit=1)[0]


def part10(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str, data_set: bytes) -> bytes:
    """Return a DICOM file (PS3.10 7.1): preamble, file meta information, and `data_set` as it is."""
    meta = _EXPLICIT_LITTLE.elements(
        {
            "FileMetaInformationVersion": b"\x00\x01",
            "MediaStorageSOPClassUID": sop_class_uid,
            "MediaStorageSOPInstanceUID": sop_instance_uid,
            "TransferSyntaxUID": transfer_syntax,
            "ImplementationClassUID": IMPLEMENTATION_CLASS_UID,
            "ImplementationVersionName": IMPLEMENTATION_VERSION_NAME,
        }
    )
    content = joined(meta)
    length = _EXPLICIT_LITTLE.elements({"FileMetaInformationGroupLength": len(content)})
    return _PREAMBLE + joined(length) + content + data_set
