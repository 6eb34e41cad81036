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
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from simulator.synthesis.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

Attributes = Mapping[str, Any]
"""Attributes by keyword (PS3.6). A value is text, bytes, a number, or a sequence of texts or of numbers; for SQ
a sequence of `Attributes`, one for each item. An empty text or sequence is an empty (Type 2) value."""

PIXEL_DATA: Final = 0x7FE00010

Elements = dict[int, bytes]
"""Encoded data elements by tag; joined in the order of their tags they are a data set (PS3.5 7.1)."""

_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "AT": "HH"}
_WORDS: Final = frozenset({"OW"})
# PS3.5 7.1.2: these have two reserved bytes and a length of 32 bits in Explicit VR.
_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_ITEM: Final = (0xFFFE, 0xE000)
_PREAMBLE: Final = bytes(128) + b"DICM"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a native transfer syntax writes data elements (PS3.5 Annex A)."""

    explicit: bool
    big_endian: bool

    def elements(self, attributes: Attributes) -> Elements:
        """Return each of `attributes` encoded. Raises ValueError for a keyword that PS3.6 does not have."""
        return {tag_of(keyword): self._attribute(keyword, value) for keyword, value in attributes.items()}

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """Return one data element around `value`, which is already in this byte order, made even in length."""
        value = padded(value, vr)
        group, element = tag >> 16, tag & 0xFFFF
        if not self.explicit:
            return self._pack("HHI", group, element, len(value)) + value
        if vr in _LONG:
            head = self._pack("HH", group, element) + vr.encode() + self._pack("HI", 0, len(value))
        else:
            head = self._pack("HH", group, element) + vr.encode() + self._pack("H", len(value))
        return head + value

    def pixel_data(self, samples: bytes, bits_allocated: int) -> bytes:
        """Return Pixel Data (7FE0,0010) around little-endian `samples` of 8 or 16 bits (PS3.5 8.1 and Annex A)."""
        # Implicit VR has OW throughout; Explicit VR may have OB where samples are bytes, and then order is no matter.
        as_words = bits_allocated > 8 or not self.explicit
        value = padded(samples, "OW")
        if self.big_endian and as_words:
            value = swapped(value)
        return self.element(PIXEL_DATA, "OW" if as_words else "OB", value)

    def _attribute(self, keyword: str, value: Any) -> bytes:
        tag, vr = tag_of(keyword), vr_of(keyword)
        return self.element(tag, vr, self._value(vr, value))

    def _value(self, vr: str, value: Any) -> bytes:
        if isinstance(value, bytes):
            return swapped(value) if self.big_endian and vr in _WORDS else value
        if isinstance(value, str):
            return value.encode("utf-8")
        if vr == "SQ":
            return b"".join(self._item(item) for item in value)
        if vr in _NUMBERS:
            values = value if isinstance(value, Iterable) else (value,)
            return b"".join(self._number(vr, one) for one in values)
        if isinstance(value, Iterable):
            return "\\".join(str(one) for one in value).encode("utf-8")
        return str(value).encode("utf-8")

    def _number(self, vr: str, value: Any) -> bytes:
        if vr == "AT":
            return self._pack("HH", value >> 16, value & 0xFFFF)
        return self._pack(_NUMBERS[vr], value)

    def _item(self, attributes: Attributes) -> bytes:
        content = joined(self.elements(attributes))
        return self._pack("HHI", *_ITEM, len(content)) + content

    def _pack(self, form: str, *values: Any) -> bytes:
        return struct.pack((">" if self.big_endian else "<") + form, *values)


ENCODINGS: Final[Mapping[str, Encoding]] = {
    str(ImplicitVRLittleEndian): Encoding(explicit=False, big_endian=False),
    str(ExplicitVRLittleEndian): Encoding(explicit=True, big_endian=False),
    str(ExplicitVRBigEndian): Encoding(explicit=True, big_endian=True),
}
"""The transfer syntaxes that can be written, by UID."""

_EXPLICIT_LITTLE: Final = ENCODINGS[str(ExplicitVRLittleEndian)]


def encoding_of(transfer_syntax: str) -> Encoding:
    """Return how `transfer_syntax` (a UID) is written. Raises ValueError for one that is not supported."""
    try:
        return ENCODINGS[transfer_syntax]
    except KeyError:
        raise ValueError(
            f"no images can be made in transfer syntax {transfer_syntax}; known: {', '.join(ENCODINGS)}"
        ) from None


def joined(elements: Elements) -> bytes:
    """Return `elements` as one data set, in ascending order of tags (PS3.5 7.1)."""
    return b"".join(elements[tag] for tag in sorted(elements))


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
