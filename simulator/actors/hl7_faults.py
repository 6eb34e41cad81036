"""Faults in one direction of an HL7 connection: each hits the MLLP frame that it is addressed to, and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from simulator.actors.effects import GARBAGE_BYTES, Effect, Injected, Pass, Tally, garbage
from simulator.actors.message_faults import at_once, half
from simulator.wire.faults import Abort, Drop, Fault, Garbage, Half

_START, _END = b"\x0b", b"\x1c\r"


class Hl7Reader:
    """Reads the MLLP frames of one direction, counts them as `kind` and applies the faults addressed to them."""

    def __init__(self, tally: Tally, kind: str, seed: int) -> None:
        self._tally = tally
        self._kind = kind
        self._seed = seed
        self._inside = False
        self._fault: Fault | None = None  # of the frame in hand
        self._frame = bytearray()  # what has come of a frame with a fault
        self._last = b""  # the last byte of a frame so far: its end may come in two pieces
        self._began = 0
        self._silent = False
        self._offset = 0

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield the effects of the bytes that came."""
        data = bytes(piece)
        at = 0
        while at < len(data):
            at = yield from self._frame_part(data, at) if self._inside else self._gap(data, at)
        self._offset += len(data)

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield what came of a frame that never ended."""
        yield from self._pass(bytes(self._frame))

    def insert(self, data: bytes) -> Iterator[Effect]:
        """Raise `AssertionError`: no fault of HL7 is answered in the peer's stead."""
        raise AssertionError("nothing is inserted into HL7")

    def _pass(self, data: bytes) -> Iterator[Effect]:
        if data and not self._silent:
            yield Pass(data)

    def _gap(self, data: bytes, at: int) -> Generator[Effect, None, int]:
        """Pass what stands before a frame; return where that begins."""
        start = data.find(_START, at)
        end = len(data) if start < 0 else start
        yield from self._pass(data[at:end])
        if start >= 0:
            self._inside, self._last = True, b""
            self._began = self._offset + start
            self._fault = self._tally.count(self._kind)
        return end

    def _frame_part(self, data: bytes, at: int) -> Generator[Effect, None, int]:
        """Deal with what there is of the frame in hand; return where that ends."""
        found = (self._last + data[at:]).find(_END)
        end = len(data) if found < 0 else at + found + len(_END) - len(self._last)
        self._last = data[end - 1 : end]
        part, self._inside = data[at:end], found < 0
        if self._fault is None:
            yield from self._pass(part)
            return end
        self._frame += part
        if not self._inside:
            frame, fault, self._frame, self._fault = bytes(self._frame), self._fault, bytearray(), None
            if not self._silent:
                yield from self._hurt(fault, frame)
            self._silent |= isinstance(fault.do, Abort | Drop | Half)
        return end

    def _hurt(self, fault: Fault, frame: bytes) -> Iterator[Effect]:
        if isinstance(fault.do, Garbage):
            changed = garbage(min(GARBAGE_BYTES, len(frame) - 3), self._seed, fault)
            yield Injected(fault, f"the first {len(changed)} bytes of the message were overwritten", self._began)
            yield Pass(frame[:1] + changed + frame[1 + len(changed) :])
        elif isinstance(fault.do, Half):
            yield from half(fault, frame, self._began)
        else:
            yield from at_once(fault, self._began)
            yield Pass(frame)
