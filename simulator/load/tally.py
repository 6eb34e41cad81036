"""What a modality has to tell of some time: what was stored and how long it took, and what failed, in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from simulator.load.histogram import Histogram

_DIFFERENT_WORDS = 50
_OTHER_WORDS = "(other words)"

What = Literal["association", "C-STORE", "order", "modality"]
"""What failed; `modality`: the process that plays one, which is our own error."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which something failed. status: of a C-STORE response, four hexadecimal digits; empty without one."""

    what: What
    words: str
    status: str = ""


@dataclass(slots=True)
class Tally:
    """Counts and durations; those of two times or two modalities add up by `merge`.

    bytes: of the encoded data sets that were stored. orders_awaited: seconds in which a modality had no study to send,
    since the order had not been acknowledged yet.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[Failure] = field(default_factory=Counter)
    stored: int = 0
    bytes: int = 0
    studies: int = 0
    stores: Histogram = field(default_factory=Histogram)
    associations: Histogram = field(default_factory=Histogram)
    orders_awaited: float = 0.0

    def fail(self, what: What, words: str, status: str = "") -> None:
        """Take in a failure. A peer whose every failure has other words does not fill the memory."""
        failure = Failure(what, words, status)
        if failure not in self.failures and len(self.failures) >= _DIFFERENT_WORDS:
            failure = Failure(what, _OTHER_WORDS, status)
        self.failures[failure] += 1

    def merge(self, other: Tally) -> None:
        """Take in everything of another tally."""
        self.statuses.update(other.statuses)
        for failure, count in other.failures.items():
            known = failure in self.failures or len(self.failures) < _DIFFERENT_WORDS
            self.failures[failure if known else Failure(failure.what, _OTHER_WORDS, failure.status)] += count
        self.stored += other.stored
        self.bytes += other.bytes
        self.studies += other.studies
        self.stores.merge(other.stores)
        self.associations.merge(other.associations)
        self.orders_awaited += other.orders_awaited

    @property
    def failed(self) -> int:
        """How many failures there were, of any kind."""
        return self.failures.total()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.stores.count or self.associations.count or self.failures or self.orders_awaited)
