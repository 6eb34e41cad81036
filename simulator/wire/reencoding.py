"""Brings an encoded data set from one of the native encodings to a little-endian one, value by value (PS3.5 chapter 7).

No value is decoded: the bytes of each stay as they are, but for the order of bytes of numbers where the data set
was big-endian. So text in a wrong character set, odd decimals and private elements arrive as they were.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from pydicom.datadict import dictionary_VR

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.data_set import Encoding, element_header, encoding_of, tag_text

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_REPRESENTATION = 0x00280103
_WITH_LONG_LENGTH = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_WORDS = {b"AT": 2, b"OW": 2, b"SS": 2, b"US": 2, b"FL": 4, b"OF": 4, b"OL": 4, b"SL": 4, b"UL": 4} | dict.fromkeys(
    (b"FD", b"OD", b"OV", b"SV", b"UV"), 8
)
_IMPLICIT = encoding_of(data_set.IMPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class Value:
    """A value to stand in a data set: its VR, and its bytes in little-endian order."""

    vr: bytes
    content: bytes


def reencoded(
    data: bytes, source_uid: str, target_uid: str, changes: Mapping[int, Value | None] | None = None
) -> bytes:
    """Return the data set in the target syntax, Explicit or Implicit VR Little Endian.

    data: in a syntax that is not deflated (see `data_set.plain`). changes: what other values stand at the top level,
    by tag; None leaves an element out. Group lengths are left out: they are retired, and would be wrong now.
    Raises `NotDicom` when the data set is not whole, or Pixel Data is compressed and no other value stands for it.
    """
    signed = data_set.read(data, source_uid, {_PIXEL_REPRESENTATION}).get(_PIXEL_REPRESENTATION, b"") in (
        b"\x01\x00",
        b"\x00\x01",
    )
    writer = _Rewriter(data, target_uid == data_set.IMPLICIT_VR_LITTLE_ENDIAN, signed, dict(changes or {}))
    return writer.data_set(encoding_of(source_uid))


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """Writes `data` anew. signed: whether an ambiguous VR "US or SS" is SS (PS3.5 Annex A.1)."""

    data: bytes
    implicit: bool
    signed: bool
    changes: dict[int, Value | None] = field(default_factory=dict)

    def data_set(self, encoding: Encoding) -> bytes:
        pending = sorted(tag for tag, value in self.changes.items() if value is not None)
        written: list[bytes] = []
        position, limit = 0, len(self.data)
        while position < limit:
            tag = element_header(self.data, position, limit, encoding)[0]
            while pending and pending[0] <= tag:
                written.append(self._changed(pending.pop(0)))
            content, position = self._element(position, limit, encoding, changed=tag in self.changes)
            written.append(content)
        written.extend(self._changed(tag) for tag in pending)
        return b"".join(written)

    def _changed(self, tag: int) -> bytes:
        value = self.changes[tag]
        assert value is not None
        return self._header(tag, value.vr, len(value.content)) + value.content

    def _element(self, position: int, limit: int, encoding: Encoding, changed: bool = False) -> tuple[bytes, int]:
        """Return the element at `position` as it is written now, empty where it is left out, and where it ends."""
        tag, start, length, written_vr = element_header(self.data, position, limit, encoding)
        vr = written_vr or _vr(tag, self.signed)
        if length == _UNDEFINED:
            if tag == data_set.PIXEL_DATA:
                if not changed:
                    raise NotDicom("Pixel Data is compressed")
                return b"", self._end_of_fragments(start, limit)
            inner = _IMPLICIT if vr == b"UN" else encoding  # PS3.5 6.2.2
            body, end = self._items(start, limit, inner, delimited=True)
            return self._header(tag, b"SQ", _UNDEFINED) + body + _delimiter(_SEQUENCE_END), end
        end = start + length
        if end > limit:
            raise NotDicom(f"truncated: {tag_text(tag)} needs {length} bytes, {limit - start} are left")
        if changed or tag & 0xFFFF == 0:
            return b"", end
        if vr == b"SQ":
            body, _ = self._items(start, end, encoding, delimited=False)
        else:
            body = self.data[start:end] if encoding.tag.format[0] == "<" else _swapped(self.data[start:end], vr, tag)
        return self._header(tag, vr, len(body)) + body, end

    def _items(self, position: int, limit: int, encoding: Encoding, *, delimited: bool) -> tuple[bytes, int]:
        """Return the items of a sequence, up to its delimiter or to `limit`, and where it ends."""
        written: list[bytes] = []
        while delimited or position < limit:
            tag, start, length, _ = element_header(self.data, position, limit, encoding)
            if delimited and tag == _SEQUENCE_END:
                return b"".join(written), start
            if tag != _ITEM:
                raise NotDicom(f"{tag_text(tag)} stands where a sequence has an item (byte {position})")
            if length == _UNDEFINED:
                body, position = self._delimited_item(start, limit, encoding)
                written += [_item(_UNDEFINED), body, _delimiter(_ITEM_END)]
            else:
                position = start + length
                body = self._elements(start, min(position, limit), encoding)
                written += [_item(len(body)), body]
        return b"".join(written), position

    def _elements(self, position: int, limit: int, encoding: Encoding) -> bytes:
        written: list[bytes] = []
        while position < limit:
            content, position = self._element(position, limit, encoding)
            written.append(content)
        return b"".join(written)

    def _delimited_item(self, position: int, limit: int, encoding: Encoding) -> tuple[bytes, int]:
        written: list[bytes] = []
        while True:
            tag, start, _, _ = element_header(self.data, position, limit, encoding)
            if tag == _ITEM_END:
                return b"".join(written), start
            content, position = self._element(position, limit, encoding)
            written.append(content)

    def _end_of_fragments(self, position: int, limit: int) -> int:
        while True:
            tag, start, length, _ = element_header(self.data, position, limit, _IMPLICIT)
            if tag == _SEQUENCE_END:
                return start
            position = start + length

    def _header(self, tag: int, vr: bytes, length: int) -> bytes:
        group, element = tag >> 16, tag & 0xFFFF
        if self.implicit:
            return struct.pack("<HHL", group, element, length)
        if vr not in _WITH_LONG_LENGTH:
            if length <= 0xFFFF:
                return struct.pack("<HH2sH", group, element, vr, length)
            vr = b"UN"  # what is too long for a short length field (PS3.5 6.2.2, note 2)
        return struct.pack("<HH2sHL", group, element, vr, 0, length)


def _item(length: int) -> bytes:
    return struct.pack("<HHL", _ITEM >> 16, _ITEM & 0xFFFF, length)


def _delimiter(tag: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, 0)


def _swapped(value: bytes, vr: bytes, tag: int) -> bytes:
    size = _WORDS.get(vr, 1)
    if len(value) % size:
        raise NotDicom(f"{tag_text(tag)} of VR {vr.decode()} has {len(value)} bytes")
    return value if size == 1 else np.frombuffer(value, f">u{size}").astype(f"<u{size}").tobytes()


@lru_cache(maxsize=4096)
def _vr(tag: int, signed: bool) -> bytes:
    """Return the VR of an element that was written without (PS3.6; PS3.5 Annex A.1 where that leaves a choice)."""
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        return b"LO" if 0x10 <= element <= 0xFF else b"UN"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return b"UN"
    if vr == "US or SS":
        return b"SS" if signed else b"US"
    return b"OW" if "OW" in vr else str(vr).encode()
