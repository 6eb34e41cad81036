"""The instances that the facility's system sent, as far as their data sets were kept: values, and where they stand."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.errors import NotDicom
from simulator.synthesis import people
from simulator.wire import data_set
from simulator.wire.command_set import AFFECTED_SOP_INSTANCE_UID
from simulator.wire.data_set import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.transcript import SaidMessage

if TYPE_CHECKING:
    from simulator.certify.seeing import Seen, Talk

INSTANCE_CREATION_DATE, INSTANCE_CREATION_TIME = 0x00080012, 0x00080013
STUDY_DATE, STUDY_TIME = 0x00080020, 0x00080030
_TAGS = frozenset(
    (
        data_set.SPECIFIC_CHARACTER_SET,
        INSTANCE_CREATION_DATE,
        INSTANCE_CREATION_TIME,
        STUDY_DATE,
        STUDY_TIME,
        data_set.ACCESSION_NUMBER,
        data_set.PATIENT_NAME,
        data_set.PATIENT_ID,
        data_set.PATIENT_BIRTH_DATE,
        data_set.PATIENT_SEX,
        data_set.STUDY_INSTANCE_UID,
    )
)
_LAST = data_set.STUDY_INSTANCE_UID
_SHORT_HEAD = 8  # tag, VR and length of what is read here, or tag and length where the VR is implicit


@dataclass(frozen=True)
class Received:
    """An instance as it came: raw values by tag, and the elements with their heads.

    reached: the last tag that was seen of it; what comes behind that may have been there, and did not come.
    """

    talk: Talk
    message: SaidMessage
    values: Mapping[int, bytes]
    elements: Mapping[int, bytes]
    reached: int

    @property
    def sop_instance_uid(self) -> str:
        """The SOP Instance UID of the request."""
        return self.message.command.text(AFFECTED_SOP_INSTANCE_UID)

    def text(self, tag: int) -> str:
        """Return a value as text, without padding; what its character set does not have is U+FFFD."""
        return data_set.text(self.values, tag)

    def is_absent(self, tag: int) -> bool:
        """Tell whether it has no such element: elements come in the order of their tags (PS3.5 7.1)."""
        return tag not in self.elements and self.reached > tag

    def lacks(self, tag: int) -> bool:
        """Tell whether it has no such element, or an empty one."""
        return self.is_absent(tag) or (tag in self.elements and not self.text(tag))

    def shown(self, seen: Seen, tag: int, name: str, *marks: tuple[int, int]) -> tuple[Evidence, ...]:
        """Return an element as evidence; marks count from the first byte of its value; without any it is all marked."""
        if tag not in self.elements:
            return ()
        element = self.elements[tag]
        conversation = self.talk.conversation
        offset = marking.place(conversation, self.message.by, element, self.message.offset)
        within = marks or ((0, len(element) - _SHORT_HEAD),)
        moved = tuple((a + _SHORT_HEAD, b + _SHORT_HEAD) for a, b in within)
        words = f"{name} {data_set.tag_text(tag)}"
        return (marking.of_bytes(seen.capture(conversation), offset, element, words, *moved),)


def received(talk: Talk, message: SaidMessage) -> Received:
    """Return what a C-STORE-RQ brought, as far as it came and can be read."""
    syntax = message.transfer_syntax_uid
    data = _plain(message.data_set, syntax)
    values: dict[int, bytes] = {}
    elements: dict[int, bytes] = {}
    reached = 0
    for element in _elements(data, syntax):
        reached = max(reached, element.tag)
        if element.tag > _LAST:
            break
        if element.tag in _TAGS:
            values[element.tag] = bytes(data[element.start : element.end])
            elements[element.tag] = bytes(data[element.start - _SHORT_HEAD : element.end])
    return Received(talk, message, values, elements, reached)


def is_foreign(patient_id: str) -> bool:
    """Tell whether a Patient ID may be that of a real person: it does not begin as a synthetic HKID does."""
    return bool(patient_id) and not people.is_synthetic(patient_id) and not _looks_synthetic(patient_id)


def _looks_synthetic(patient_id: str) -> bool:
    """Tell whether it is a synthetic HKID but for a slip in its digits or its check character."""
    folded = "".join(character for character in patient_id.upper() if character.isalnum()).removeprefix("HKID")
    letters = folded.rstrip("0123456789A") if folded[:1] == "Q" else ""
    return letters in people.SYNTHETIC_PREFIXES and len(folded) - len(letters) in (5, 6, 7, 8)


def _elements(data: bytes, syntax: str) -> Iterator[data_set.Element]:
    """Yield the elements as far as the data set goes, or can be read."""
    try:
        yield from data_set.elements(data, syntax)
    except NotDicom:
        return


def _plain(data: bytes, syntax: str) -> bytes:
    """Return the data set inflated where it is deflated, as far as it was kept (PS3.5 A.5)."""
    if syntax != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return data
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, data_set.MAXIMUM_INFLATED)
    except zlib.error:
        return b""
