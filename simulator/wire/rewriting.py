"""Writes other values into an encoded data set, and leaves every other byte of it as it is (PS3.5 chapter 7).

What stood there before is kept in the Original Attributes Sequence (0400,0561) of PS3.3 C.12.1: items that are
there stay, one is appended. Any transfer syntax; Pixel Data is never looked into.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom.charset import convert_encodings
from pydicom.valuerep import PersonName

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.data_set import Element

MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000550
ORIGINAL_ATTRIBUTES_SEQUENCE = 0x04000561
_MODIFICATION_DATETIME = 0x04000562
_MODIFYING_SYSTEM = 0x04000563
_SOURCE_OF_PREVIOUS_VALUES = 0x04000564
_REASON_FOR_MODIFICATION = 0x04000565

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONGEST_SHORT = 0xFFFE


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute to write: its tag, its VR, and its value as it is encoded, padded or not."""

    tag: int
    vr: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Modification:
    """Who changed a data set, when and why (PS3.3 C.12.1).

    at: DT. system: LO, Modifying System (0400,0563). source: LO, Source of Previous Values (0400,0564), may be
    empty. reason: CS, `COERCE` or `CORRECT`.
    """

    at: str
    system: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Layout:
    """How elements are written: byte order, and whether the VR is."""

    order: str
    implicit: bool

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        padded = value if len(value) % 2 == 0 else value + b" "
        head = self.tag(tag)
        if self.implicit:
            return head + struct.pack(f"{self.order}L", len(padded)) + padded
        if vr in (b"SQ", b"UN") or len(padded) > _LONGEST_SHORT:
            long_vr = vr if vr in (b"SQ", b"UN") else b"UN"  # PS3.5 6.2.2: what is too long for its VR
            return head + long_vr + b"\0\0" + struct.pack(f"{self.order}L", len(padded)) + padded
        return head + vr + struct.pack(f"{self.order}H", len(padded)) + padded

    def tag(self, tag: int) -> bytes:
        return struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)

    def item(self, content: bytes) -> bytes:
        return self.tag(_ITEM) + struct.pack(f"{self.order}L", len(content)) + content

    def open_sequence(self, tag: int) -> bytes:
        """Return the head of an UN of undefined length, in which a sequence follows (PS3.5 6.2.2)."""
        return self.tag(tag) + b"UN\0\0" + struct.pack(f"{self.order}L", _UNDEFINED)


_IMPLICIT = _Layout("<", implicit=True)


def _layout(transfer_syntax_uid: str) -> _Layout:
    if transfer_syntax_uid == data_set.IMPLICIT_VR_LITTLE_ENDIAN:
        return _IMPLICIT
    return _Layout(">" if transfer_syntax_uid == data_set.EXPLICIT_VR_BIG_ENDIAN else "<", implicit=False)


def modified(
    data: bytes, transfer_syntax_uid: str, attributes: Sequence[Attribute], modification: Modification
) -> bytes:
    """Return the data set with `attributes` in place of what stood under their tags, and that kept.

    An attribute that was absent is kept as an empty one. Group lengths (gggg,0000) of the groups that change are
    left out: they are retired, optional, and would be wrong (PS3.5 7.2). Raises `NotDicom` when the data set, or
    an Original Attributes Sequence in it, cannot be read.
    """
    plain = data_set.plain(data, transfer_syntax_uid)
    found = list(data_set.elements(plain, transfer_syntax_uid))
    layout = _layout(transfer_syntax_uid)
    last = {element.tag: plain[element.start : element.end] for element in found}
    before = [replace(attribute, value=last.get(attribute.tag, b"")) for attribute in attributes]
    written = {each.tag: layout.element(each.tag, each.vr, each.value) for each in attributes}
    written[ORIGINAL_ATTRIBUTES_SEQUENCE] = _originals(plain, found, layout, before, modification)
    rewritten = _joined(plain, found, written)
    if transfer_syntax_uid != data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return rewritten
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(rewritten) + packer.flush()
    return packed if len(packed) % 2 == 0 else packed + b"\0"  # PS3.5 A.5


def encoded_name(name: str, character_set: bytes) -> bytes | None:
    """Return the PN as bytes in the Specific Character Set (its raw value), or None where it cannot hold it.

    A name that the set cannot hold whole is written as its alphabetic component group; no character ever becomes
    another one.
    """
    for text in dict.fromkeys((name, name.partition("=")[0])):
        raw = _encoded(text, character_set)
        values = {data_set.PATIENT_NAME: raw, data_set.SPECIFIC_CHARACTER_SET: character_set}
        if raw and data_set.text(values, data_set.PATIENT_NAME) == text.strip(" "):
            return raw
    return None


def _encoded(text: str, character_set: bytes) -> bytes:
    if text.isascii():
        return text.encode("ascii")
    terms = character_set.decode("ascii", "replace").strip(" \0").split("\\")
    try:
        return bytes(PersonName(text).encode(convert_encodings(terms)))
    except (LookupError, UnicodeError, ValueError):
        return b""


def _joined(plain: bytes, found: Sequence[Element], written: Mapping[int, bytes]) -> bytes:
    """Return the elements with those of `written` in their places: where the tag stands, else in ascending order."""
    groups = {tag >> 16 for tag in written}
    present = {element.tag for element in found}
    absent = sorted(tag for tag in written if tag not in present)
    parts: list[bytes | memoryview] = []
    done: set[int] = set()
    view, position = memoryview(plain), 0
    for element in found:
        start, position = position, _end(element)
        while absent and absent[0] < element.tag:
            parts.append(written[absent.pop(0)])
        if element.tag in written:
            if element.tag not in done:
                parts.append(written[element.tag])
                done.add(element.tag)
        elif element.tag & 0xFFFF or element.tag >> 16 not in groups:
            parts.append(view[start:position])
    return b"".join([*parts, *(written[tag] for tag in absent)])


def _end(element: Element) -> int:
    """Return where the element ends: behind its delimiter, where it has one."""
    return element.end if element.items is None else element.end + 8


def _originals(
    plain: bytes, found: Sequence[Element], layout: _Layout, before: Sequence[Attribute], modification: Modification
) -> bytes:
    """Return the Original Attributes Sequence with its items, and a new one for `before`."""
    items, inside = b"", layout
    position = 0
    for element in found:
        if element.tag == ORIGINAL_ATTRIBUTES_SEQUENCE:
            items = plain[element.start : element.end]
            if not layout.implicit and plain[position + 4 : position + 6] == b"UN" and items:
                inside = _IMPLICIT
        position = _end(element)
    if items and not items.startswith(inside.tag(_ITEM)):
        raise NotDicom(f"{data_set.tag_text(ORIGINAL_ATTRIBUTES_SEQUENCE)} has no item where one must begin")
    sequence = items + inside.item(_new_item(inside, before, modification))
    if inside is layout:
        return layout.element(ORIGINAL_ATTRIBUTES_SEQUENCE, b"SQ", sequence)
    end = _IMPLICIT.tag(_SEQUENCE_END) + b"\0\0\0\0"
    return layout.open_sequence(ORIGINAL_ATTRIBUTES_SEQUENCE) + sequence + end


def _new_item(layout: _Layout, before: Sequence[Attribute], modification: Modification) -> bytes:
    kept = b"".join(layout.element(a.tag, a.vr, a.value) for a in sorted(before, key=lambda each: each.tag))
    texts = (
        (_MODIFICATION_DATETIME, b"DT", modification.at),
        (_MODIFYING_SYSTEM, b"LO", modification.system),
        (_SOURCE_OF_PREVIOUS_VALUES, b"LO", modification.source),
        (_REASON_FOR_MODIFICATION, b"CS", modification.reason),
    )
    return layout.element(MODIFIED_ATTRIBUTES_SEQUENCE, b"SQ", layout.item(kept)) + b"".join(
        layout.element(tag, vr, text.encode("ascii", "replace")) for tag, vr, text in texts
    )
