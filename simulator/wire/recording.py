"""Records a conversation while it goes on: what is kept of it, and what is told of it at once. Reads no socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from simulator.wire.conversation import Conversation, Ending, How, Segment, Side
from simulator.wire.frames import FrameReader, SaidFrame
from simulator.wire.pdu_walk import Area, Part
from simulator.wire.pdus import MAXIMUM_ASSOCIATE
from simulator.wire.transcript import KEPT, Reading, Said, SaidMessage

What = Literal["opened", "unreached", "said", "ended", "over"]
Told = Said | SaidFrame | Ending | None
Tell = Callable[[What, Conversation, Told], None]
"""Hears what happens in a conversation as it happens, in the thread that carries it: it must not wait.

The conversation comes without its segments and endings. `said` comes with a PDU, a message or a block that is whole, or
with the first bytes of what is no PDU; `ended` with the ending; `over` when nothing more will come.
"""

# So many bytes are kept of what goes on without an end of its own.
_LIMITS = {
    Area.COMMAND: MAXIMUM_ASSOCIATE,
    Area.FRAGMENT: KEPT,
    Area.BODY: MAXIMUM_ASSOCIATE,
    Area.FOREIGN: KEPT,
}
_SIDES: tuple[Side, Side] = ("requestor", "acceptor")


class Recording:
    """A conversation as it goes on. One thread adds to it; any may take what there is."""

    def __init__(self, begun: Conversation, tell: Tell) -> None:
        self._begun = begun
        self._tell = tell
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._endings: list[Ending] = []
        self._reading = Reading()
        self._frames = {side: FrameReader(side) for side in _SIDES}
        self._keepers = {side: _Keeper() for side in _SIDES}
        self._told_foreign: set[Side] = set()
        self._over = False

    @property
    def begun(self) -> Conversation:
        """The conversation without what was said in it."""
        return self._begun

    def conversation(self) -> Conversation:
        """Return the conversation, as far as it has come."""
        with self._lock:
            return replace(self._begun, segments=tuple(self._segments), endings=tuple(self._endings))

    def open(self) -> None:
        """Tell that it has begun."""
        self._tell("opened", self._begun, None)

    def between(self, requestor: tuple[str, int], acceptor: tuple[str, int]) -> None:
        """Note the addresses between which it really is."""
        with self._lock:
            self._begun = replace(self._begun, requestor=requestor, acceptor=acceptor)

    def unreached(self, why: str) -> None:
        """Note why nobody answered where the acceptor was called."""
        with self._lock:
            self._begun = replace(self._begun, unreached=why)
        self._tell("unreached", self._begun, None)

    def add(self, at: float, by: Side, data: memoryview) -> None:
        """Take in what a side said."""
        for each in self._pdus(at, by, data) if self._begun.protocol == "DICOM" else self._blocks(at, by, data):
            self._tell("said", self._begun, each)

    def _pdus(self, at: float, by: Side, data: memoryview) -> list[Said]:
        """Keep what a side said, and return what ends with it."""
        keeper = self._keepers[by]
        said: list[Said] = []
        for part in self._reading.walk(by).feed(data):
            keeper.take(part)
            said += self._reading.take(at, by, part)
        self._append([Segment(at, by, bytes(data[a:b]), length) for a, b, length in keeper.kept()])
        if self._reading.walk(by).unreadable and by not in self._told_foreign:
            self._told_foreign.add(by)
            said += [foreign] if (foreign := self._reading.unfinished(by)) else []
        return said

    def _blocks(self, at: float, by: Side, data: memoryview) -> list[SaidFrame]:
        """Keep what a side said, all of it, and return the blocks that end with it."""
        self._append([Segment(at, by, bytes(data), len(data))])
        return list(self._frames[by].feed(at, data))

    def end(self, at: float, by: Side, how: How) -> None:
        """Note that a side ended its half, or broke the connection; what it did first counts, and a reset after it."""
        before = [ending.how for ending in self._endings if ending.by == by]
        if how in before or "rst" in before:
            return
        ending = Ending(at, by, how)
        with self._lock:
            self._endings.append(ending)
        self._tell("ended", self._begun, ending)

    def close(self) -> None:
        """Tell what has begun and never ended, and that nothing more will come."""
        if self._over:
            return
        self._over = True
        for each in self._reading.finish():
            if isinstance(each, SaidMessage) or each.by not in self._told_foreign:
                self._tell("said", self._begun, each)
        for frame in (frame for side in _SIDES for frame in self._frames[side].finish()):
            self._tell("said", self._begun, frame)
        self._tell("over", self._begun, None)

    def _append(self, segments: list[Segment]) -> None:
        with self._lock:
            self._segments += segments


class _Keeper:
    """Decides what is kept of one side: all but the later part of each data set, and of what has no end."""

    def __init__(self) -> None:
        self._area = Area.HEAD  # of the run in hand: bytes of one data set, one command set, one body
        self._run = 0
        self._spans: list[tuple[int, int, int]] = []  # from, to what is kept, to the end
        self._start = self._kept = self._end = 0

    def take(self, part: Part) -> None:
        """Decide on the next part of a piece."""
        keep = self._room(part)
        if keep and self._kept < self._end:
            self._spans.append((self._start, self._kept, self._end - self._start))
            self._start = self._kept = self._end
        if keep:
            self._kept = self._end + keep
        self._end += part.length

    def kept(self) -> Iterator[tuple[int, int, int]]:
        """Yield what is kept of the piece that was gone through: from, to, and the length with what is not."""
        if self._end > self._start:
            self._spans.append((self._start, self._kept, self._end - self._start))
        yield from self._spans
        self._spans = []
        self._start = self._kept = self._end = 0

    def _room(self, part: Part) -> int:
        limit = _LIMITS.get(part.area)
        if limit is None:  # heads are always kept: by them the rest is found
            return part.length
        if part.area is not self._area:
            self._area, self._run = part.area, 0
        keep = min(part.length, max(0, limit - self._run))
        self._run += part.length
        if part.ends_pdu if part.area is Area.BODY else part.ends_pdv and part.last:
            self._run = 0
        return keep
