"""A load on the screen: one table that is updated in a terminal, a line now and then elsewhere, and the sum."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from simulator.load.histogram import Histogram
from simulator.load.result import LoadResult
from simulator.load.run import Load
from simulator.load.tally import Failure, Tally
from simulator.report.words import printable
from simulator.wire.association import Address

LINE_SECONDS = 5.0
"""Seconds between two lines where there is no terminal."""

_FAILURES_SHOWN = 5
_PERCENTS = (50, 90, 99)


class Screen:
    """Tells a person how a load goes on. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._next_line = LINE_SECONDS

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def making(self, load: Load, to: Address) -> None:
        """Say what is going to be sent where."""
        times = "as many studies as the time allows" if load.studies is None else f"{load.studies} studies"
        limit = "" if load.seconds is None else f" for {load.seconds:g} s"
        images = "1 image" if load.images == 1 else f"{load.images} images"
        who = "1 modality" if load.modalities == 1 else f"{load.modalities} modalities"
        self._print(f"seed {load.seed}")
        self._print(f"{who} to {to}: each {times} of {images} ({load.sop_class.keyword}){limit}")

    def goes_on(self, seconds: float, total: Tally) -> None:
        """Show what was found so far."""
        if self._live is not None:
            self._live.update(Group(_table(seconds, total), *_failures(total)))
        elif seconds >= self._next_line:
            self._next_line = seconds - seconds % LINE_SECONDS + LINE_SECONDS
            self._print(line(seconds, total))

    def end(self, result: LoadResult, folder: Path) -> None:
        """Show what came of it, and where the report is."""
        for sentence in summary(result):
            self._print(sentence)
        self._print(f"report: {folder / 'report.html'}")

    def _print(self, text: str) -> None:
        self._console.print(printable(text), soft_wrap=True, markup=False)


def line(seconds: float, total: Tally) -> str:
    """Return what was found after so many seconds, in one line."""
    rate, megabytes = total.stored / seconds, total.bytes / seconds / 1e6
    times = ", ".join(f"p{percent} {_ms(total.stores, percent)}" for percent in _PERCENTS)
    return (
        f"{seconds:5.0f} s  {total.stored} stored, {rate:.1f}/s, {megabytes:.1f} MB/s, "
        f"C-STORE {times}, max {total.stores.longest * 1000:.1f} ms, {total.failed} failed"
    )


def summary(result: LoadResult) -> list[str]:
    """Return the result in sentences, a line each."""
    counts, store, association = result.instances, result.c_store, result.association
    lines = [
        f"{counts.stored} instances stored in {result.duration:.1f} s: {result.instances_per_second:.1f}/s, "
        f"{result.megabytes_per_second:.1f} MB/s; {result.studies} whole studies",
        f"C-STORE      p50 {store.p50:.2f} ms, p90 {store.p90:.2f} ms, p99 {store.p99:.2f} ms, max {store.max:.2f} ms",
        f"association  p50 {association.p50:.2f} ms, p90 {association.p90:.2f} ms, p99 {association.p99:.2f} ms, "
        f"max {association.max:.2f} ms ({association.count})",
    ]
    if result.orders_awaited >= 1:
        lines.append(f"modalities waited {result.orders_awaited:.1f} s in all for orders to be acknowledged")
    for failure in result.failures:
        lines.append(f"{failure.count:6d}  failed: {failure.what} {failure.status} {failure.words}".rstrip())
    lines += [f"error: {problem}" for problem in result.problems]
    if result.gateway is not None:
        lines.append(held(result))
    if result.interrupted:
        lines.append("interrupted: what was sent until then is in the report")
    return lines


def held(result: LoadResult) -> str:
    """Return in a sentence what the gateway of the run holds; empty where it was another's."""
    gateway = result.gateway
    if gateway is None:
        return ""
    if gateway.instances is None:
        return f"the gateway did not answer any more; it ended with code {gateway.exit_code}"
    states = ", ".join(f"{count} {state}" for state, count in sorted(gateway.states.items()))
    return f"the gateway holds {gateway.instances} instances of {gateway.studies} studies ({states or 'none'})"


def _table(seconds: float, total: Tally) -> Table:
    table = Table(title=f"load, {seconds:.0f} s", title_justify="left")
    for name in ("", "count", "a second", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="left" if not name else "right")
    elapsed = max(seconds, 0.001)
    for name, times in (("C-STORE", total.stores), ("association", total.associations)):
        shares = [_ms(times, percent) for percent in (*_PERCENTS, 100)]
        table.add_row(name, str(times.count), f"{times.count / elapsed:.1f}", *shares)
    table.add_row("stored", str(total.stored), f"{total.bytes / elapsed / 1e6:.1f} MB")
    table.add_row("failed", Text(str(total.failed), style="bold red" if total.failed else ""))
    return table


def _failures(total: Tally) -> list[Text]:
    return [Text(printable(_words(failure, count))) for failure, count in total.failures.most_common(_FAILURES_SHOWN)]


def _words(failure: Failure, count: int) -> str:
    return f"{count:6d}  {failure.what} {failure.status} {failure.words}".rstrip()


def _ms(times: Histogram, percent: float) -> str:
    return f"{times.percentile(percent) * 1000:.1f} ms"
