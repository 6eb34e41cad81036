"""Evidence made of bytes of a conversation: where they stand in what a side sent, and which of them decide."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.certify.cards import Evidence
from simulator.wire.conversation import Conversation, Side
from simulator.wire.transcript import SaidPdu

LONGEST = 512
"""Bytes that evidence has at most; whoever wants more opens the capture."""

Marks = tuple[tuple[int, int], ...]


def runs(conversation: Conversation, side: Side) -> Iterator[tuple[int, bytes]]:
    """Yield what was kept of a side's bytes, as runs without a gap, each with the offset of its first byte."""
    begin = came = 0
    run = bytearray()
    for segment in conversation.segments:
        if segment.by != side:
            continue
        if came != begin + len(run):  # what came before was not kept to its end
            yield begin, bytes(run)
            begin, run = came, bytearray()
        run += segment.data
        came += segment.length
    if run:
        yield begin, bytes(run)


def place(conversation: Conversation, side: Side, data: bytes, start: int) -> int:
    """Return where `data` stands in what a side sent, from `start` on; `start` where it is not in one piece there."""
    for begin, run in runs(conversation, side):
        found = run.find(data, max(0, start - begin))
        if found >= 0:
            return begin + found
    return start


def of_pdu(capture: str, said: SaidPdu, words: str, *marks: tuple[int, int], start: int = 0, end: int = 0) -> Evidence:
    """Return bytes `start` to `end` (0: all) of a PDU; the marks count from the PDU's first byte, as `start` does."""
    until = min(end or len(said.raw), start + LONGEST)
    inside = tuple((max(a, start) - start, min(b, until) - start) for a, b in marks if a < until and b > start)
    return Evidence(words, capture, said.offset + start, said.raw[start:until], inside)


def of_bytes(capture: str, offset: int, data: bytes, words: str, *marks: tuple[int, int]) -> Evidence:
    """Return bytes of a side from `offset` on; the marks count from their first."""
    kept = data[:LONGEST]
    inside = tuple((a, min(b, len(kept))) for a, b in marks if a < len(kept))
    return Evidence(words, capture, offset, kept, inside)
