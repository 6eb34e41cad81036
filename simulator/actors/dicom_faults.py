"""Faults in one direction of a DICOM connection: each hits the message that it is addressed to, and nothing else.

The rest passes byte for byte. A P-DATA-TF in which a message with a fault has a part is sent on as one P-DATA-TF for
each of its PDVs, so that messages which share a PDU can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.actors.effects import Blind, Effect, Pass, Tally
from simulator.actors.message_faults import Framed, HurtMessage, at_pdu, hurt
from simulator.errors import NotDicom
from simulator.wire.faults import Abort, Drop, Half
from simulator.wire.pdu_builders import p_data
from simulator.wire.pdu_stream import MessageReader, Pdu, PduStream, Pdv
from simulator.wire.pdus import MAXIMUM_ASSOCIATE, P_DATA_TF


class _Carried:
    """A message on its way; whether it has a fault is known once its command set is whole."""

    def __init__(self) -> None:
        self.hurt: HurtMessage | None = None


class DicomReader:
    """Reads the PDUs of one direction, counts its messages and applies the faults addressed to them."""

    def __init__(self, tally: Tally, seed: int) -> None:
        self._tally = tally
        self._seed = seed
        self._stream = PduStream()
        self._messages = MessageReader()
        self._carried = _Carried()  # the message in hand
        self._waiting: list[bytes] = []  # PDUs that are held back until a command set is whole
        self._planned: list[tuple[Framed, _Carried]] = []  # their PDVs
        self._began = 0  # where the first of them begins
        self._inserted = bytearray()
        self._silent = False
        self._told_blind = False
        self._offset = 0  # in this direction, of the part in hand

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield the effects of the bytes that came."""
        for part in self._stream.feed(piece):
            if isinstance(part, Pdu):
                yield from self._pdu(part)
                self._offset += len(part.raw)
            else:
                yield from self._flush()
                yield from self._pass(part)
                self._offset += len(part)
            yield from self._insertion()
        if self._stream.unreadable and not self._told_blind:
            self._told_blind = True
            yield Blind(self._stream.unreadable)

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield what was held back and never became whole."""
        yield from self._flush()
        yield from self._pass(self._stream.rest())

    def insert(self, data: bytes) -> Iterator[Effect]:
        """Put bytes between two PDUs of this direction: now, or as soon as the one in hand is through."""
        self._inserted += data
        self._stream.whole = True
        yield from self._insertion()

    def _insertion(self) -> Iterator[Effect]:
        if self._inserted and self._stream.between_pdus and not self._waiting:
            data = bytes(self._inserted)
            self._inserted.clear()
            self._stream.whole = self._carried.hurt is not None
            yield from self._pass(data)

    def _pass(self, data: bytes | memoryview) -> Iterator[Effect]:
        if data and not self._silent:
            yield Pass(data)

    def _flush(self) -> Iterator[Effect]:
        """Let what was held back pass as it came."""
        waiting, self._waiting = self._waiting, []
        self._planned.clear()
        for raw in waiting:
            yield from self._pass(raw)

    def _done(self, effects: Iterator[Effect]) -> Iterator[Effect]:
        for effect in effects:
            if not self._silent:
                yield effect

    def _pdu(self, pdu: Pdu) -> Iterator[Effect]:
        if pdu.kind == P_DATA_TF:
            yield from self._data(pdu)
            return
        yield from self._flush()
        fault = self._tally.count(pdu.name)
        if fault is None:
            yield from self._pass(pdu.raw)
            return
        yield from self._done(at_pdu(fault, pdu.raw, self._offset, self._seed))
        self._silent |= isinstance(fault.do, Abort | Drop | Half)

    def _data(self, pdu: Pdu) -> Iterator[Effect]:
        try:
            pdvs = pdu.pdvs()
        except NotDicom:
            yield from self._flush()
            yield from self._pass(pdu.raw)
            return
        if not self._waiting:
            self._began = self._offset
        self._waiting.append(pdu.raw)
        for pdv in pdvs:
            framed = Framed(pdv, pdu.raw if len(pdvs) == 1 else p_data([pdv]))
            self._planned.append((framed, self._message_of(pdv)))
        if not self._messages.in_command:
            yield from self._carry_out()
        elif sum(map(len, self._waiting)) > MAXIMUM_ASSOCIATE:
            yield from self._flush()

    def _message_of(self, pdv: Pdv) -> _Carried:
        """Return the message that the PDV is of; its fault is set, if it has one, once its command set is whole."""
        if pdv.is_command and not self._messages.in_command:
            self._carried = _Carried()
        try:
            found = self._messages.read(pdv)
        except NotDicom:
            return self._carried
        if found is not None and (fault := self._tally.count(found.kind)):
            self._carried.hurt = hurt(fault, found, self._began, self._seed)
        return self._carried

    def _carry_out(self) -> Iterator[Effect]:
        """Send on what was held back, with what is to be done to its messages."""
        planned, self._planned = self._planned, []
        if all(carried.hurt is None for _, carried in planned):
            yield from self._flush()
            return
        self._waiting = []
        for framed, carried in planned:
            if carried.hurt is None:
                yield from self._pass(framed.frame)
                continue
            yield from self._done(carried.hurt.take(framed))
            self._silent |= carried.hurt.silences
            if carried.hurt.over:
                carried.hurt = None
        self._stream.whole = self._carried.hurt is not None or bool(self._inserted)
