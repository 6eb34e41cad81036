"""A pulse: many threads see things, and one wants to look when something was seen."""

from __future__ import annotations

import threading


class Pulse:
    """Counts beats, and lets one thread wait for the next. `count` is from any thread as good as any other's."""

    def __init__(self) -> None:
        self._count = 0
        self._looked = 0
        self._beaten = threading.Condition()

    @property
    def count(self) -> int:
        """How many beats there were."""
        return self._count

    def beat(self) -> None:
        """Something was seen."""
        with self._beaten:
            self._count += 1
            self._beaten.notify_all()

    def rest(self, seconds: float) -> None:
        """Let the others work for so long, whatever they see."""
        with self._beaten:
            self._beaten.wait_for(lambda: False, seconds)

    def wait(self, seconds: float) -> bool:
        """Wait for a beat since the last wait, so many seconds at most; return whether there was one."""
        with self._beaten:
            came = self._beaten.wait_for(lambda: self._count > self._looked, seconds)
            self._looked = self._count
            return came
