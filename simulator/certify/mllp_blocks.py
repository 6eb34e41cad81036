"""What one side of an HL7 conversation sent, cut into MLLP blocks (0B ... 1C 0D; HL7 v2.3.1 appendix C). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.certify.marking import runs
from simulator.wire.conversation import Conversation, Side

START, END = b"\x0b", b"\x1c\x0d"


@dataclass(frozen=True, slots=True)
class Block:
    """A block, or bytes that are none.

    at: seconds, when its last byte came. offset: of its first byte in what its side sent. raw: all of it. framed: it
    begins with the start character. whole: it ends with the two end characters.
    """

    at: float
    offset: int
    raw: bytes
    framed: bool
    whole: bool

    @property
    def message(self) -> bytes:
        """What stands between the block characters."""
        return self.raw.removeprefix(START).removesuffix(END)


def blocks(conversation: Conversation, side: Side) -> tuple[Block, ...]:
    """Return the blocks that a side sent, in their order; the last may not be whole."""
    stream = b"".join(data for _, data in runs(conversation, side))
    found = []
    at = 0
    while at < len(stream):
        end = stream.find(END, at)
        until = len(stream) if end < 0 else end + len(END)
        raw = stream[at:until]
        found.append(Block(_moment(conversation, side, until), at, raw, raw.startswith(START), end >= 0))
        at = until
    return tuple(found)


def _moment(conversation: Conversation, side: Side, until: int) -> float:
    """Return when the byte before `until` came."""
    came = 0
    for segment in conversation.segments:
        if segment.by == side:
            came += segment.length
            if came >= until:
                return segment.at
    return 0.0
