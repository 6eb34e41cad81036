"""What a load was and what came of it, as `load.json` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.load.histogram import RESOLUTION, Histogram
from simulator.load.tally import Tally, What

SCHEMA_VERSION: Literal[1] = 1

_MILLI = 1000.0
Milliseconds = Annotated[float, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(_Frozen):
    """What was asked for. studies: of each modality; null: as many as the time allows. seconds: null: no limit."""

    modalities: int
    studies: int | None
    images: int
    seconds: float | None
    sop_class: str
    rows: int | None = Field(description="Of each picture; null: natural for the SOP class.")
    columns: int | None
    to: str = Field(description="AET@HOST:PORT; the gateway's own where the command started it.")
    orders: str = Field(description="HOST:PORT that orders were sent to; empty: none were sent.")


class Durations(_Frozen):
    """Milliseconds; percentiles by nearest rank, to within `resolution`, mean and greatest exact."""

    count: int
    mean: Milliseconds
    p50: Milliseconds
    p90: Milliseconds
    p99: Milliseconds
    max: Milliseconds

    @classmethod
    def of(cls, histogram: Histogram) -> Durations:
        """Return those in a histogram."""
        p50, p90, p99 = (_ms(histogram.percentile(percent)) for percent in (50, 90, 99))
        return cls(
            count=histogram.count,
            mean=_ms(histogram.mean),
            p50=p50,
            p90=p90,
            p99=p99,
            max=_ms(histogram.longest),
        )


class FailureCount(_Frozen):
    """How often something failed in one way. status: of a C-STORE response; empty where none came."""

    what: What
    status: str
    words: str
    count: int


class ModalityResult(_Frozen):
    """What one modality did."""

    ae_title: str
    stored: int
    studies: int
    failed: int
    c_store: Durations


class Moment(_Frozen):
    """One tick, which begins so many seconds after the start."""

    at: float
    stored: int
    bytes: int
    failed: int
    p50: Milliseconds
    p99: Milliseconds
    max: Milliseconds


class Bar(_Frozen):
    """C-STOREs that were answered after `above` to `below` milliseconds."""

    above: Milliseconds
    below: Milliseconds
    count: int


class Held(_Frozen):
    """What the gateway that the command started says that it holds, after its quiet period; how it ended."""

    studies: int | None = Field(description="Null where it did not answer any more.")
    instances: int | None
    states: dict[str, int] = Field(description="Studies by their state.")
    exit_code: int | None = Field(description="Negative: the signal that ended it.")


class Counts(_Frozen):
    """Instances. answered: with any status. stored: with success or a warning. failed: not stored, or no answer."""

    answered: int
    stored: int
    failed: int
    bytes: int = Field(description="Of the encoded data sets that were stored.")


class LoadResult(_Frozen):
    """`load.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    simulator: str = Field(description="Version of the simulator.")
    started: str
    seed: int
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    interrupted: bool
    asked: Asked
    duration: float = Field(description="Seconds from the first association request to the end of the last modality.")
    instances: Counts
    studies: int = Field(description="Of which every instance was stored.")
    instances_per_second: float
    megabytes_per_second: float = Field(description="Of stored data sets; 1 MB is 10^6 bytes.")
    c_store: Durations = Field(description="From the first byte of the request to the last of the response.")
    association: Durations = Field(description="From the TCP connection to the accepted association.")
    order: Durations = Field(description="From the connection of an order to its acknowledgement.")
    orders_awaited: float = Field(description="Seconds, of all modalities, without an order to go on with.")
    statuses: dict[str, int] = Field(description="Answers by their status.")
    failures: tuple[FailureCount, ...]
    problems: tuple[str, ...] = Field(description="Errors of the simulator itself.")
    modalities: tuple[ModalityResult, ...]
    gateway: Held | None = Field(description="Null for a gateway that the command did not start.")
    resolution: float = Field(default=RESOLUTION, description="By which share of itself a percentile may be off.")
    tick: float = Field(description="Seconds of one moment of the timeline.")
    timeline: tuple[Moment, ...]
    histogram: tuple[Bar, ...]

    @property
    def exit_code(self) -> int:
        """0 when everything was stored; 1 when something failed; 3 when nobody can tell, or it was our own error."""
        return {"pass": 0, "fail": 1, "inconclusive": 3, "error": 3}[self.verdict]


def counts(total: Tally) -> Counts:
    """Return the instances of a tally."""
    failed = sum(count for failure, count in total.failures.items() if failure.what == "C-STORE")
    return Counts(answered=total.stores.count, stored=total.stored, failed=failed, bytes=total.bytes)


def failures(total: Tally) -> tuple[FailureCount, ...]:
    """Return the failures of a tally, the most frequent first."""
    return tuple(
        FailureCount(what=failure.what, status=failure.status, words=failure.words, count=count)
        for failure, count in total.failures.most_common()
    )


def modalities(titles: Sequence[str], tallies: Sequence[Tally]) -> tuple[ModalityResult, ...]:
    """Return a row for each modality."""
    return tuple(
        ModalityResult(
            ae_title=title,
            stored=tally.stored,
            studies=tally.studies,
            failed=tally.failed,
            c_store=Durations.of(tally.stores),
        )
        for title, tally in zip(titles, tallies, strict=True)
    )


def timeline(ticks: Mapping[int, Tally], tick: float) -> tuple[Moment, ...]:
    """Return a moment for each tick up to the last, also for those in which nothing was told."""
    return tuple(_moment(number * tick, ticks.get(number) or Tally()) for number in range(max(ticks, default=-1) + 1))


def histogram(total: Histogram) -> tuple[Bar, ...]:
    """Return the buckets that are not empty."""
    return tuple(Bar(above=_ms(above), below=_ms(below), count=count) for above, below, count in total.bars())


def _moment(at: float, told: Tally) -> Moment:
    return Moment(
        at=at,
        stored=told.stored,
        bytes=told.bytes,
        failed=told.failed,
        p50=_ms(told.stores.percentile(50)),
        p99=_ms(told.stores.percentile(99)),
        max=_ms(told.stores.longest),
    )


def _ms(seconds: float) -> float:
    return round(seconds * _MILLI, 4)
