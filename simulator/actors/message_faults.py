"""What a fault does to the one DICOM message, or PDU, that it is addressed to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.actors.effects import (
    GARBAGE_BYTES,
    Answer,
    Effect,
    End,
    Injected,
    Pace,
    Pass,
    Wait,
    garbage,
)
from simulator.wire.command_set import STATUS, response_to
from simulator.wire.faults import Abort, Delay, Drop, Fault, Garbage, Half, Slow, Status, Truncate
from simulator.wire.pdu_builders import fragments, message, p_data
from simulator.wire.pdu_stream import Message, Pdv
from simulator.wire.pdus import HEAD


@dataclass(frozen=True, slots=True)
class Framed:
    """A PDV, and the P-DATA-TF that it is sent in when it is sent alone."""

    pdv: Pdv
    frame: bytes


def at_once(fault: Fault, offset: int) -> Iterator[Effect]:
    """Yield the effects of a fault for which it does not matter what the message is made of."""
    match fault.do:
        case Delay(seconds):
            yield Injected(fault, f"it was held back for {seconds:g} s", offset)
            yield Wait(seconds)
        case Slow(rate):
            yield Injected(fault, f"from it on {rate} bytes a second pass", offset)
            yield Pace(rate)
        case Drop(how):
            yield Injected(fault, f"it was not passed on; both connections ended by {how.upper()}", offset)
            yield End(how)
        case Abort(to):
            said = "both peers" if to == "both" else f"the {to}"
            yield Injected(fault, f"it was not passed on; A-ABORT went to {said}", offset)
            yield End("fin", to)
        case _:
            raise AssertionError(fault)


def half(fault: Fault, frame: bytes, offset: int) -> Iterator[Effect]:
    """Yield the effects of half a PDU or MLLP frame; whoever asks sends nothing after it."""
    size = len(frame) // 2
    yield Injected(fault, f"{size} of {len(frame)} bytes passed, and nothing after them", offset)
    yield Pass(frame[:size])


def at_pdu(fault: Fault, raw: bytes, offset: int, seed: int) -> Iterator[Effect]:
    """Yield the effects of a fault at a PDU that is no P-DATA-TF."""
    if isinstance(fault.do, Garbage):
        changed = garbage(min(GARBAGE_BYTES, len(raw) - HEAD), seed, fault)
        yield Injected(fault, f"{len(changed)} bytes after its head were overwritten", offset)
        yield Pass(raw[:HEAD] + changed + raw[HEAD + len(changed) :])
    elif isinstance(fault.do, Half):
        yield from half(fault, raw, offset)
    else:
        yield from at_once(fault, offset)
        yield Pass(raw)


class HurtMessage:
    """A DIMSE message with a fault, taken PDV by PDV. This one passes it unchanged, once it is its time."""

    def __init__(self, fault: Fault, message: Message, offset: int, seed: int) -> None:
        self.fault = fault
        self.message = message
        self.over = False  # whether what is left of it passes as it comes
        self.silences = False  # whether nothing of this direction passes any more
        self._offset = offset
        self._seed = seed
        self._begun = False

    def take(self, framed: Framed) -> Iterator[Effect]:
        """Yield the effects of one PDV of the message."""
        if not self._begun:
            self._begun = True
            yield from self._begin()
        yield from self._fragment(framed)
        self.over |= self._ends_with(framed.pdv)

    def _begin(self) -> Iterator[Effect]:
        yield from at_once(self.fault, self._offset)

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        yield Pass(framed.frame)
        self.over = True

    def _ends_with(self, pdv: Pdv) -> bool:
        return pdv.is_last and not (pdv.is_command and self.message.has_data_set)

    def _told(self, done: str) -> Injected:
        return Injected(self.fault, done, self._offset)


class _Ended(HurtMessage):
    """A message with which its connection ends."""

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        self.over = self.silences = True
        yield from ()


class _Answered(HurtMessage):
    """A request that does not arrive, and is answered in the peer's stead when it has come to its end."""

    def _begin(self) -> Iterator[Effect]:
        yield self._told(
            f"the request was not passed on; it was answered {_status(self.fault):04X} in the peer's stead"
        )

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        if self._ends_with(framed.pdv):
            response = response_to(self.message.command, _status(self.fault))
            yield Answer(message(self.message.context_id, response))


class _Restated(HurtMessage):
    """A response with another status."""

    def _begin(self) -> Iterator[Effect]:
        before = self.message.command.number(STATUS)
        self._command = self.message.command.but(status=_status(self.fault)).encode()
        stated = "none" if before is None else f"{before:04X}"
        yield self._told(f"its status was {stated} and became {_status(self.fault):04X}")

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        if not framed.pdv.is_command:
            yield Pass(framed.frame)
        elif self._command:
            size = max(len(framed.pdv.fragment), 64) + 6
            for pdv in fragments(self._command, self.message.context_id, command=True, maximum_length=size):
                yield Pass(p_data([pdv]))
            self._command = b""


class _Truncated(HurtMessage):
    """A message of which half the data set arrives, in PDUs of the sizes that the sender chose."""

    def _begin(self) -> Iterator[Effect]:
        self._data: list[Pdv] = []
        if not self.message.has_data_set:
            yield self._told("nothing: the message has no data set")

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        if framed.pdv.is_command:
            yield Pass(framed.frame)
            return
        self._data.append(framed.pdv)
        if framed.pdv.is_last:
            size = sum(len(pdv.fragment) for pdv in self._data)
            yield self._told(f"the data set was cut after {size // 2} of {size} bytes")
            yield from self._half(size // 2)

    def _half(self, left: int) -> Iterator[Effect]:
        for pdv in self._data:
            part = pdv.fragment[:left]
            left -= len(part)
            yield Pass(p_data([Pdv(pdv.context_id, 0 if left else 2, part)]))
            if not left:
                return


class _Garbled(HurtMessage):
    """A message whose data set, or command set where it has none, begins with other bytes."""

    def _begin(self) -> Iterator[Effect]:
        self._left = garbage(GARBAGE_BYTES, self._seed, self.fault)
        part = "data set" if self.message.has_data_set else "command set"
        yield self._told(f"the first bytes of the {part}, up to {GARBAGE_BYTES}, were overwritten")

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        pdv = framed.pdv
        if pdv.is_command and self.message.has_data_set:
            yield Pass(framed.frame)
            return
        changed = self._left[: len(pdv.fragment)] + pdv.fragment[len(self._left) :]
        self._left = self._left[len(pdv.fragment) :]
        self.over = not self._left
        yield Pass(p_data([Pdv(pdv.context_id, pdv.control, changed)]))


class _Halved(HurtMessage):
    """A message that stops in the midst of a PDU."""

    def _begin(self) -> Iterator[Effect]:
        yield from ()

    def _fragment(self, framed: Framed) -> Iterator[Effect]:
        if framed.pdv.is_command and self.message.has_data_set:
            yield Pass(framed.frame)
            return
        yield from half(self.fault, framed.frame, self._offset)
        self.over = self.silences = True


def hurt(fault: Fault, message: Message, offset: int, seed: int) -> HurtMessage:
    """Return the message as its fault makes it; `offset` is where it begins in its direction."""
    kinds: dict[type, type[HurtMessage]] = {
        Abort: _Ended,
        Drop: _Ended,
        Status: _Answered if message.kind.endswith("-RQ") else _Restated,
        Truncate: _Truncated,
        Garbage: _Garbled,
        Half: _Halved,
    }
    return kinds.get(type(fault.do), HurtMessage)(fault, message, offset, seed)


def _status(fault: Fault) -> int:
    assert isinstance(fault.do, Status)
    return fault.do.status
