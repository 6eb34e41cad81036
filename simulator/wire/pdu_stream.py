"""PDUs and PDVs on the bytes of a TCP stream (PS3.8 9.3), whatever pieces it comes in. Pure: reads no socket."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.errors import NotDicom
from simulator.wire import command_set
from simulator.wire.command_set import CommandSet
from simulator.wire.pdus import HEAD, MAXIMUM_ASSOCIATE, NAMES, P_DATA_TF, name

KINDS = {name: kind for kind, name in NAMES.items()}
_PDV_HEAD = 6
_COMMAND, _LAST = 1, 2  # bits of the message control header (PS3.8 E.2)

_pdu_head = struct.Struct(">BBL").unpack_from
_pdv_head = struct.Struct(">LBB").unpack_from


@dataclass(frozen=True, slots=True)
class Pdv:
    """One presentation data value item: a fragment of a command set or a data set (PS3.8 9.3.5.1, E.2)."""

    context_id: int
    control: int
    fragment: bytes

    @property
    def is_command(self) -> bool:
        """Whether the fragment is of a command set, not of a data set."""
        return bool(self.control & _COMMAND)

    @property
    def is_last(self) -> bool:
        """Whether the command set or data set ends with this fragment."""
        return bool(self.control & _LAST)


@dataclass(frozen=True, slots=True)
class Pdu:
    """A whole PDU as it came, with its six bytes of head."""

    raw: bytes

    @property
    def kind(self) -> int:
        """The PDU type, 01H to 07H."""
        return self.raw[0]

    @property
    def name(self) -> str:
        """What the standard calls its type."""
        return name(self.kind)

    def pdvs(self) -> tuple[Pdv, ...]:
        """Return the PDVs of a P-DATA-TF. Raises `NotDicom` where their lengths do not add up."""
        found = []
        at = HEAD
        while at < len(self.raw):
            left = len(self.raw) - at
            length, context_id, control = _pdv_head(self.raw, at) if left >= _PDV_HEAD else (0, 0, 0)
            if not 2 <= length <= left - 4:
                raise NotDicom(f"P-DATA-TF: the PDV at byte {at} says {length} bytes, {max(0, left - 4)} are left")
            found.append(Pdv(context_id, control, self.raw[at + _PDV_HEAD : at + 4 + length]))
            at += 4 + length
        return tuple(found)


class PduStream:
    """Cuts one direction of a connection into PDUs, and gives back every byte of it in order.

    What comes out is a whole `Pdu`, or a `memoryview` of bytes that need no holding back: fragments of data sets,
    each alone in its P-DATA-TF, as far as they have come. With `whole` set, these come as `Pdu` too, from the next
    one on. Once the stream is no DICOM (TLS, another protocol, an absurd length), `unreadable` says so in words and
    everything passes as it comes.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.unreadable = ""
        self._held = bytearray()
        self._needed = HEAD
        self._left = 0  # bytes of the PDU in hand that pass as they come

    @property
    def between_pdus(self) -> bool:
        """Whether what was given out so far ends where a PDU ends."""
        return not self._left and not self.unreadable

    def feed(self, piece: bytes | memoryview) -> Iterator[Pdu | memoryview]:
        """Yield what is now known of the stream; views are of `piece`, and good until it changes.

        To be gone through to its end: what follows is read off the same state.
        """
        if self._held or not piece:
            self._held += piece
            if len(self._held) < self._needed and not self.unreadable:
                return
            piece, self._held = bytes(self._held), bytearray()
        yield from self._walk(memoryview(piece))

    def rest(self) -> bytes:
        """Return the bytes of a PDU that never became whole, at the end of the stream."""
        rest, self._held = bytes(self._held), bytearray()
        return rest

    def _walk(self, data: memoryview) -> Iterator[Pdu | memoryview]:
        begin = at = 0
        while at < len(data):
            if self.unreadable:
                at = len(data)
            elif self._left:
                step = min(self._left, len(data) - at)
                at += step
                self._left -= step
            elif (size := self._whole_size(data, at)) == 0:
                continue  # it passes, or cannot be read
            elif size > len(data) - at:
                self._needed = size
                self._held += data[at:]
                break
            else:
                if at > begin:
                    yield data[begin:at]
                yield Pdu(bytes(data[at : at + size]))
                begin = at = at + size
        if at > begin:
            yield data[begin:at]

    def _whole_size(self, data: memoryview, at: int) -> int:
        """Return how many bytes are wanted from `at` on, or 0 when what stands there passes as it comes."""
        available = len(data) - at
        if available < HEAD:
            # What is no PDU shows by its first byte, and is not held back.
            if data[at] not in NAMES:
                self.unreadable = _stranger(bytes(data[at:]))
                return 0
            return HEAD
        kind, _, length = _pdu_head(data, at)
        if kind not in NAMES or (kind != P_DATA_TF and length > MAXIMUM_ASSOCIATE):
            self.unreadable = _stranger(bytes(data[at : at + HEAD]))
            return 0
        if kind == P_DATA_TF and not self.whole and length >= _PDV_HEAD:
            if available < HEAD + _PDV_HEAD:
                return HEAD + _PDV_HEAD
            pdv_length, _, control = _pdv_head(data, at + HEAD)
            # A PDV that cannot be right stands for no message; its PDU passes as it is.
            if not 2 <= pdv_length <= length - 4 or (pdv_length == length - 4 and not control & _COMMAND):
                self._left = HEAD + length
                return 0
        return int(HEAD + length)


@dataclass(frozen=True, slots=True)
class Message:
    """A DIMSE message whose command set has come whole."""

    context_id: int
    command: CommandSet

    @property
    def kind(self) -> str:
        """What the standard calls it, such as `C-STORE-RQ`."""
        return self.command.kind

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.command.has_data_set


class MessageReader:
    """Puts the fragments of command sets together, PDV by PDV in one direction of an association."""

    def __init__(self) -> None:
        self._fragments: list[bytes] = []

    @property
    def in_command(self) -> bool:
        """Whether a command set has begun and not ended."""
        return bool(self._fragments)

    def read(self, pdv: Pdv) -> Message | None:
        """Return the message whose command set ends with this PDV, else None.

        Raises `NotDicom` when the bytes are no command set; the next one is read afresh.
        """
        if not pdv.is_command:
            self._fragments.clear()
            return None
        self._fragments.append(pdv.fragment)
        if not pdv.is_last:
            return None
        data = b"".join(self._fragments)
        self._fragments.clear()
        return Message(pdv.context_id, command_set.decode(data))


def _stranger(head: bytes) -> str:
    """Say what a stream is that is no DICOM."""
    if head[0] == 0x16 and head[1:2] in (b"\x03", b""):
        return "TLS: what is inside cannot be read"
    return f"bytes that are no PDU: {head.hex(' ')}"
