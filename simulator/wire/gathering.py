"""Memory in which data sets are gathered as they come, and which is used again: new memory costs as much as a copy.

Who serves a data set is lent it until it is answered.
"""

from __future__ import annotations

import threading

_FIRST = 131072
_LARGEST_USED_AGAIN = 4 * 1024 * 1024
_MOST = 32 * 1024 * 1024  # bytes that wait to be used again


class Memory:
    """What all associations of one acceptor share. Safe for use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[bytearray] = []
        self._waiting = 0

    def take(self) -> bytearray:
        """Return memory that nobody looks at, or nothing where there is none."""
        with self._lock:
            if not self._free:
                return bytearray()
            taken = self._free.pop()
            self._waiting -= len(taken)
            return taken

    def give(self, data: bytearray) -> None:
        """Take memory back that nobody looks at any more."""
        size = len(data)
        with self._lock:
            if 0 < size <= _LARGEST_USED_AGAIN and self._waiting + size <= _MOST:
                self._waiting += size
                self._free.append(data)


class Gathering:
    """The memory of one association's data set; `data` may be longer than that."""

    __slots__ = ("_memory", "data")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.data = bytearray()

    def make_room(self, held: int, size: int) -> None:
        """Have room for `size` bytes, of which `held` are there."""
        if not self.data:
            self.data = self._memory.take()
        if size > len(self.data):
            sooner = len(self.data) * (3 if size < _LARGEST_USED_AGAIN else 4) // 2  # than for each fragment
            larger = bytearray(max(size, sooner, _FIRST))
            larger[:held] = memoryview(self.data)[:held]
            self.data = larger  # and not longer in its place, since somebody may still hold what was lent of it

    def close(self) -> None:
        """Have it used by others."""
        data, self.data = self.data, bytearray()
        self._memory.give(data)
