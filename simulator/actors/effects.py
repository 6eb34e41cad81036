"""What a relay is to do with one direction of a connection, as said by whoever reads that direction."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from simulator.wire.faults import Fault

GARBAGE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Pass:
    """Send the bytes on."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Answer:
    """Send the bytes back, between two PDUs of the other direction, in the peer's stead."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait before anything more of this direction is sent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Send no more than this from now on."""

    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class EndHalf:
    """Send on that this direction has ended (FIN), though its connection still stands."""


@dataclass(frozen=True, slots=True)
class End:
    """End both connections by `how`, after an A-ABORT to who is named."""

    how: Literal["fin", "rst"]
    abort: Literal["nobody", "requestor", "acceptor", "both"] = "nobody"


@dataclass(frozen=True, slots=True)
class Injected:
    """Tell that the fault was applied: what was done, at which byte of this direction its message began."""

    fault: Fault
    done: str
    offset: int


@dataclass(frozen=True, slots=True)
class Blind:
    """Tell that this direction cannot be read and passes as it is."""

    why: str


Effect = Pass | Answer | Wait | Pace | EndHalf | End | Injected | Blind


class Reader(Protocol):
    """Reads one direction of one connection, and says what is to be done with it."""

    def feed(self, piece: memoryview) -> Iterator[Effect]:
        """Yield the effects of the bytes that came; to be gone through before the next are fed."""

    def finish(self, *, reset: bool = False) -> Iterator[Effect]:
        """Yield the effects of the end of the stream. reset: it is one (RST), and no FIN."""

    def insert(self, data: bytes) -> Iterator[Effect]:
        """Put bytes of the relay's own between two PDUs, now or as soon as the one in hand is through."""


class Tally:
    """Counts the messages between two peers by kind, over all their connections, and knows where the faults are."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Raises `ValueError` when two faults have one address."""
        self._faults: dict[tuple[str, int], Fault] = {}
        self._seen: Counter[str] = Counter()
        for fault in faults:
            if self._faults.setdefault((fault.at.kind, fault.at.number), fault) is not fault:
                raise ValueError(f"two faults at {fault.at}; a message can have one")

    def count(self, kind: str) -> Fault | None:
        """Count one more message, and return the fault that is addressed to it."""
        self._seen[kind] += 1
        return self._faults.pop((kind, self._seen[kind]), None)

    def seen(self, kind: str) -> int:
        """Return how many messages of the kind there were."""
        return self._seen[kind]

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults whose message has not come."""
        return tuple(self._faults.values())


def garbage(size: int, seed: int, fault: Fault) -> bytes:
    """Return the bytes that a fault writes over others: the same for the same seed and fault, never control bytes.

    None is below 20H, so that an MLLP block does not end by chance.
    """
    draw = random.Random(f"{seed} {fault}")  # noqa: S311 - reproducible on purpose
    return bytes(draw.randrange(0x20, 0x100) for _ in range(size))
