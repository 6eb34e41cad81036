"""What was seen in a case, in the order in which it was seen: recorded live, saved as JSON lines, read back.

A saved history has a header and a footer. Without the footer the run did not finish, and reading says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from simulator.errors import HarnessError
from simulator.events import Event, from_record, now, to_record

FORMAT = "ha-dicom-gateway-simulator/history/1"
Seen = TypeVar("Seen", bound=Event)


@dataclass(frozen=True, slots=True)
class History:
    """The events of one case. `case` is `scenario` or `scenario[case]`."""

    case: str
    events: tuple[Event, ...]

    def of(self, kind: type[Seen]) -> tuple[Seen, ...]:
        """Return the events of one kind."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def seconds(self) -> float:
        """From the first event to the last, in the order in which they came."""
        if not self.events:
            return 0.0
        first, last = (datetime.fromisoformat(event.at) for event in (self.events[0], self.events[-1]))
        return (last - first).total_seconds()


class Recorder:
    """Takes events from any thread, and lets one thread wait for what they amount to."""

    def __init__(self, case: str) -> None:
        self._case = case
        self._events: list[Event] = []
        self._grown = threading.Condition()
        self._watchers: list[Callable[[Event], None]] = []

    def watch(self, watcher: Callable[[Event], None]) -> None:
        """Have `watcher` called with every event from now on, in the thread that saw it."""
        self._watchers.append(watcher)

    def observe(self, event: Event) -> None:
        """Append an event."""
        with self._grown:
            self._events.append(event)
            for watcher in self._watchers:
                watcher(event)
            self._grown.notify_all()

    def wait_until(self, settled: Callable[[], bool], patience: float) -> bool:
        """Wait until `settled`; give up when `patience` seconds pass without any event. Return whether it was."""
        with self._grown:
            while not settled():
                if not self._wait_for_growth(patience):
                    return settled()
        return True

    def watch_quietly(self, seconds: float, ended: Callable[[], bool]) -> None:
        """Watch for what should not happen until no event came for `seconds`; or less, once it `ended` all doubt."""
        with self._grown:
            while not ended() and self._wait_for_growth(seconds):
                pass

    def history(self) -> History:
        """Return what was seen so far."""
        with self._grown:
            return History(self._case, tuple(self._events))

    def _wait_for_growth(self, patience: float) -> bool:
        before = len(self._events)
        return self._grown.wait_for(lambda: len(self._events) > before, patience)


class Writer:
    """Writes histories as JSON lines while a run goes on: header, every event with its case, footer.

    A context manager; the footer is written only when the run came to its end.
    """

    def __init__(self, file: Path, header: Mapping[str, Any]) -> None:
        self._lines = file.open("w", encoding="utf-8")
        self._count = 0
        self._write({"history": FORMAT, **header})

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write({"end": now(), "events": self._count})
        self._lines.close()

    def append(self, history: History) -> None:
        """Write what was seen in one case."""
        for event in history.events:
            self._write({"case": history.case, **to_record(event)})
        self._count += len(history.events)
        self._lines.flush()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def read(file: Path) -> tuple[dict[str, Any], tuple[History, ...]]:
    """Return the header and the histories in `file`. Raises `HarnessError` when it is cut short or not one."""
    with file.open(encoding="utf-8") as lines:
        records = list(_records(file, lines))
    if not records or records[0].get("history") != FORMAT:
        raise HarnessError(f"{file} is not a history that this version reads")
    if "end" not in records[-1] or records[-1]["events"] != len(records) - 2:
        raise unfinished(f"{file} has no footer")
    cases: dict[str, list[Event]] = {}
    for record in records[1:-1]:
        cases.setdefault(record.pop("case"), []).append(from_record(record))
    return records[0], tuple(History(case, tuple(events)) for case, events in cases.items())


def unfinished(where: str) -> HarnessError:
    """Return the error for a history that was cut short: nothing can be said of the run as a whole."""
    return HarnessError(f"{where}: the run that wrote it did not finish", "`simulate replay` runs it again")


def _records(file: Path, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):  # a writer that was killed
            raise unfinished(f"{file}:{number}: the line is cut off")
        try:
            yield json.loads(line)
        except ValueError as error:
            raise HarnessError(f"{file}:{number}: not a line of a history: {error}") from error
