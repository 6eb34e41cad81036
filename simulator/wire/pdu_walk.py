"""Walks one direction of a DICOM connection and says of every byte what it is (PS3.8 9.3). Pure.

It holds no byte back, and steps by their lengths over bytes that were not kept: what it says of a stream is the same
whatever pieces that comes in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from simulator.wire.incidents import hexadecimal
from simulator.wire.pdus import HEAD, MAXIMUM_ASSOCIATE, NAMES, P_DATA_TF, stranger

_PDV_HEAD = 6
_COMMAND, _LAST = 1, 2  # bits of the message control header (PS3.8 E.2)
_TLS_RECORDS = range(0x14, 0x18)  # RFC 8446 5.1, after which the major version 3 stands
_NO_BYTES = memoryview(b"")

_pdu_head = struct.Struct(">BBL").unpack
_pdv_head = struct.Struct(">LBB").unpack
_both_heads = struct.Struct(">BBLLBB").unpack_from


class Area(Enum):
    """What bytes of a stream are."""

    HEAD = "head"  # of a PDU; with it that of its first PDV, where both came at once
    PDV_HEAD = "PDV head"  # length, presentation context ID, message control header
    COMMAND = "command"  # of a fragment of a command set
    FRAGMENT = "fragment"  # of a data set
    BODY = "body"  # of a PDU that is no P-DATA-TF, or of one whose PDVs do not add up
    FOREIGN = "foreign"  # no DICOM; from its first byte on nothing else comes


@dataclass(slots=True)  # not frozen: there are three for each PDU, and frozen ones take twice as long
class Part:
    """Bytes that follow one another and are the same thing; `data` may be less than `length`, where they were not kept.

    context_id, last: of the PDV that they stand in. ends_pdv, ends_pdu: whether that ends with them.
    """

    area: Area
    data: memoryview
    length: int
    context_id: int = 0
    last: bool = False
    ends_pdv: bool = False
    ends_pdu: bool = False


class Walk:
    """The state of a walk. malformed: what is wrong with PDVs, a sentence each, told as soon as it is known."""

    def __init__(self) -> None:
        self.malformed: list[str] = []
        self._area = Area.HEAD
        self._left = HEAD  # of the area
        self._pdu_left = 0  # of the PDU, behind the area
        self._head = bytearray()  # as much of the head in hand as has come
        self._unkept = False
        self._context_id = 0
        self._last = False

    @property
    def unreadable(self) -> str:
        """Why the bytes are no DICOM from somewhere on; empty while they are."""
        if self._area is not Area.FOREIGN:
            return ""
        return "bytes that the walk needs were not kept" if self._unkept else _stranger(bytes(self._head))

    def feed(self, data: bytes | memoryview, length: int | None = None) -> Iterator[Part]:
        """Yield the parts of what came: `length` bytes, of which the first are `data`.

        To be gone through to its end, and one by one: the walk is never ahead of the part that it gave last.
        """
        view = memoryview(data)
        length = len(view) if length is None else length
        at = 0
        while at < length:
            if self._area is Area.HEAD and not self._head and at < len(view):
                if len(view) - at >= HEAD + _PDV_HEAD and self._enter_fragment(view, at):
                    yield Part(Area.HEAD, view[at : at + HEAD + _PDV_HEAD], HEAD + _PDV_HEAD)
                    at += HEAD + _PDV_HEAD
                    continue
                if view[at] not in NAMES:
                    self._area = Area.FOREIGN
            step = length - at if self._area is Area.FOREIGN else min(self._left, length - at)
            yield self._step(view[at : at + step], step)
            at += step
            while self._left == 0 and self._area in (Area.COMMAND, Area.FRAGMENT):
                yield self._step(_NO_BYTES, 0)  # a PDV without content may be the last of its message

    def _enter_fragment(self, view: memoryview, at: int) -> bool:
        """Enter the only PDV of a P-DATA-TF if it is of a data set, and say whether it is: a study has little else."""
        kind, _, length, pdv_length, context_id, control = _both_heads(view, at)
        if kind != P_DATA_TF or pdv_length != length - 4 or pdv_length <= 2 or control & _COMMAND:
            return False
        self._pdu_left, self._context_id, self._last = 0, context_id, bool(control & _LAST)
        self._enter(Area.FRAGMENT, pdv_length - 2)
        return True

    def _step(self, data: memoryview, length: int) -> Part:
        """Go on by bytes that are within one area, and return them."""
        area, context_id, last = self._area, self._context_id, self._last
        if area is Area.FOREIGN:
            self._head += data[: HEAD - len(self._head)]
            return Part(area, data, length)
        if area in (Area.HEAD, Area.PDV_HEAD):
            self._head += data
            self._unkept |= len(data) < length
        self._left -= length
        if self._left:
            return Part(area, data, length, context_id, last)
        self._enter_next()
        ends_pdu = self._area is Area.HEAD
        ends_pdv = area in (Area.COMMAND, Area.FRAGMENT)
        return Part(area, data, length, context_id, last, ends_pdv, ends_pdu)

    def _enter_next(self) -> None:
        """Enter what follows the area that has come to its end."""
        match self._area:
            case Area.HEAD | Area.PDV_HEAD if self._unkept:
                self._area = Area.FOREIGN
            case Area.HEAD:
                self._read_head()
            case Area.PDV_HEAD:
                self._read_pdv_head()
            case Area.BODY:
                self._enter(Area.HEAD, HEAD)
            case _:
                self._enter_pdv()

    def _enter(self, area: Area, length: int) -> None:
        self._area, self._left = area, length
        self._head.clear()

    def _read_head(self) -> None:
        kind, _, length = _pdu_head(self._head)
        if kind != P_DATA_TF and length > MAXIMUM_ASSOCIATE:
            self._area = Area.FOREIGN
            return
        self._pdu_left = length
        if kind == P_DATA_TF and length:
            self._enter_pdv()
        elif length:
            self._enter(Area.BODY, length)
        else:
            self._enter(Area.HEAD, HEAD)

    def _enter_pdv(self) -> None:
        if not self._pdu_left:
            self._enter(Area.HEAD, HEAD)
        elif self._pdu_left < _PDV_HEAD:
            self._malformed(f"{self._pdu_left} bytes at the end of a P-DATA-TF are no PDV")
        else:
            self._pdu_left -= _PDV_HEAD
            self._enter(Area.PDV_HEAD, _PDV_HEAD)

    def _read_pdv_head(self) -> None:
        length, self._context_id, control = _pdv_head(self._head)
        if not 2 <= length <= self._pdu_left + 2:
            self._malformed(f"a PDV says {length} bytes, {self._pdu_left + 2} are left in its P-DATA-TF")
            return
        self._pdu_left -= length - 2
        self._last = bool(control & _LAST)
        self._enter(Area.COMMAND if control & _COMMAND else Area.FRAGMENT, length - 2)

    def _malformed(self, words: str) -> None:
        """Take the rest of the PDU as it is."""
        self.malformed.append(words)
        if self._pdu_left:
            self._enter(Area.BODY, self._pdu_left)
        else:
            self._enter(Area.HEAD, HEAD)


def _stranger(head: bytes) -> str:
    """Say what a stream is that is no DICOM; unlike who refuses it, with no word of what the port wants."""
    if head[:1] and head[0] in _TLS_RECORDS and head[1:2] in (b"\x03", b""):
        return "TLS: what is inside cannot be read"
    if head[:1] and head[0] in NAMES:
        return f"bytes that are no PDU: {hexadecimal(head)}"
    return stranger(head)
