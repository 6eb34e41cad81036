"""MLLP blocks in what is said on an HL7 connection (HL7 v2 Transport Specification: MLLP release 1). Pure.

Unlike `mllp`, which speaks it, this reads what others said to each other, whatever pieces that comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from simulator.wire.conversation import Conversation, Side

_START, _END = b"\x0b", b"\x1c\r"
_KEPT_OF_FOREIGN = 1024


@dataclass(frozen=True, slots=True)
class SaidFrame:
    """A block, or bytes that stand in none.

    at: seconds, when its last byte came. offset: of its first byte in what its side sent. raw: the message, without the
    characters that enclose it; of bytes in no block no more than the first 1024. length: of all that came of it, with
    them. is_block: whether it began as one. is_whole: whether it ended.
    """

    at: float
    by: Side
    offset: int
    raw: bytes
    length: int
    is_block: bool = True
    is_whole: bool = True


def frames(conversation: Conversation) -> tuple[SaidFrame, ...]:
    """Return the blocks of both sides, in the order of their ends, and what stood in none."""
    sides: tuple[Side, Side] = ("requestor", "acceptor")
    readers = {side: FrameReader(side) for side in sides}
    found: list[SaidFrame] = []
    for segment in conversation.segments:
        found += readers[segment.by].feed(segment.at, segment.data)
    for reader in readers.values():
        found += reader.finish()
    return tuple(sorted(found, key=attrgetter("at")))


class FrameReader:
    """Reads one side."""

    def __init__(self, by: Side) -> None:
        self._by = by
        self._at = 0.0
        self._offset = 0  # of what is in hand
        self._held = bytearray()
        self._searched = 0  # so much of it has no end of a block

    def feed(self, at: float, data: bytes | memoryview) -> Iterator[SaidFrame]:
        """Yield what has come to its end."""
        self._held += data
        while self._held:
            is_block = self._held.startswith(_START)
            found = self._held.find(_END, self._searched) if is_block else self._held.find(_START)
            if found < 0:
                break
            self._at = at
            yield self._cut(found + (len(_END) if is_block else 0), is_whole=True)
        self._at = at
        self._searched = max(0, len(self._held) - 1)

    def finish(self) -> Iterator[SaidFrame]:
        """Yield what has begun and never ended."""
        if self._held:
            yield self._cut(len(self._held), is_whole=False)

    def _cut(self, length: int, *, is_whole: bool) -> SaidFrame:
        """Take what is in hand, up to there."""
        is_block = self._held.startswith(_START)
        raw = bytes(self._held[:length])
        inner = raw[1:].removesuffix(_END) if is_block else raw[:_KEPT_OF_FOREIGN]
        said = SaidFrame(self._at, self._by, self._offset, inner, length, is_block, is_block and is_whole)
        del self._held[:length]
        self._offset += length
        self._searched = 0
        return said
