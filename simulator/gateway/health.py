"""What is wrong with the gateway just now: told once when it begins, and once when it is over.

A part of the gateway (`storage`, `index`) that fails is noted here by whoever saw it fail, and well again by whoever
next saw it work. `GET /health` shows what is noted; the log and an event tell of each change, and not of each failure.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass

from simulator.events import HealthChanged, now

STORAGE, INDEX = "storage", "index"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part that does not work, why, and since when (ISO 8601, UTC)."""

    part: str
    problem: str
    since: str


class Health:
    """Safe for use from several threads. `tell` is given each change; what it raises of the index is only logged."""

    def __init__(self, tell: Callable[[HealthChanged], None]) -> None:
        self._tell = tell
        self._troubles: dict[str, Trouble] = {}
        self._lock = threading.Lock()

    def troubles(self) -> tuple[Trouble, ...]:
        """Return everything that is wrong now, in the order in which it began."""
        with self._lock:
            return tuple(self._troubles.values())

    def worse(self, part: str, problem: str) -> None:
        """Note that a part does not work."""
        with self._lock:
            known = self._troubles.get(part)
            self._troubles[part] = Trouble(part, problem, known.since if known else now())
        if known is None:
            _LOG.error("%s: %s", part, problem)
            self._told(HealthChanged(observer="gateway", part=part, problem=problem))

    def well(self, part: str) -> None:
        """Note that a part works."""
        if not self._troubles:  # as nearly always, and asked for every instance
            return
        with self._lock:
            over = self._troubles.pop(part, None)
        if over is not None:
            _LOG.warning("%s: works again", part)
            self._told(HealthChanged(observer="gateway", part=part, problem=""))

    def index_works(self, error: sqlite3.Error | None) -> None:
        """Note how the index did: an error, or None where it took a change."""
        if error is None:
            self.well(INDEX)
        else:
            self.worse(*explained(error))

    def _told(self, event: HealthChanged) -> None:
        try:
            self._tell(event)
        except sqlite3.Error:
            _LOG.error("the history cannot tell of it")


def explained(error: OSError | sqlite3.Error) -> tuple[str, str]:
    """Return the part that an error comes from, and what it says, in words that stand by themselves."""
    if isinstance(error, sqlite3.Error):
        return INDEX, f"the index cannot be used: {error}"
    return STORAGE, f"the data folder cannot be written: {error.strerror or error}"
