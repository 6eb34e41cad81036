"""What happened in a case, told for a PACS administrator: a line for each thing that matters, in its order.

Events of a kind that one observer saw of one study are drawn together into one line, however much others saw in
between; another event of that observer about the study ends the line. Studies and orders go by the names of the
story where its plan names them. Events hold no patient's name and no HKID, and so neither do the lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from simulator.events import (
    Event,
    FileFound,
    InstanceForwarded,
    InstanceReceived,
    InstanceRefused,
    InstanceStored,
    StoreAnswered,
    StoreFailed,
    StudyChanged,
)
from simulator.report import fault_words, gateway_words, runner_words, wire_words
from simulator.report.naming import Names, instances
from simulator.scenario.history import History

_Key = tuple[str, ...]
_COMMENTS_SHOWN = 3
_WORTH_TELLING = 1.0
"""Seconds from the first to the last event of a line from which on the line says how long it took."""


def tell(history: History) -> list[tuple[float, str, str]]:
    """Return what happened as (seconds from the first event, observer, sentence), in the order of time.

    Raises `ValueError` for an event whose moment is not ISO 8601.
    """
    moments = {id(event): datetime.fromisoformat(event.at) for event in history.events}
    # The gateway's events arrive late by its API; its clock is the runner's, so the moments give the order.
    events = sorted(history.events, key=lambda event: moments[id(event)])
    names = Names.of(history)
    told = []
    for line in _drawn_together(events):
        seconds = (moments[id(line[0])] - moments[id(events[0])]).total_seconds()
        took = (moments[id(line[-1])] - moments[id(line[0])]).total_seconds()
        sentence = _sentence(line, names) + (f"; in {took:.1f} s" if took >= _WORTH_TELLING else "")
        told.append((round(seconds, 3), line[0].observer, sentence))
    return told


# --- which events are one line ---------------------------------------------------------------------


def _drawn_together(events: Iterable[Event]) -> list[list[Event]]:
    lines: list[list[Event]] = []
    open_lines: dict[_Key, list[Event]] = {}
    for event in events:
        key = _key(event)
        if key is not None and key in open_lines:
            open_lines[key].append(event)
            continue
        for ended in [other for other in open_lines if _ends(event, key, other)]:
            del open_lines[ended]
        lines.append([event])
        if key is not None:
            open_lines[key] = lines[-1]
    return lines


def _key(event: Event) -> _Key | None:
    """Return what events of one line share: observer, study, kind and peer; None for an event told by itself."""
    match event:
        case StoreAnswered() | StoreFailed():
            return event.observer, event.study_instance_uid, "sent"
        case InstanceStored() | InstanceRefused():
            return event.observer, event.study_instance_uid, "taken", event.calling_ae_title
        case InstanceForwarded():
            return event.observer, event.study_instance_uid, "forwarded", event.destination
        case InstanceReceived():
            return event.observer, event.study_instance_uid, "arrived", event.calling_ae_title
        case FileFound():
            return event.observer, event.study_instance_uid, "found"
    return None


def _ends(event: Event, key: _Key | None, other: _Key) -> bool:
    """Tell whether `event` ends the line `other`: same observer, and another thing about the study, or no study."""
    observer, study, kind = other[:3]
    if event.observer != observer or (key is not None and key[2] == kind):
        return False
    if isinstance(event, StudyChanged) and event.state == "receiving" and kind == "taken":
        return False  # The first instance opens the study, so this state is entered amid the instances.
    about = getattr(event, "study_instance_uid", None)
    return about is None or about == study


# --- a line's sentence -----------------------------------------------------------------------------


def _sentence(events: Sequence[Event], names: Names) -> str:
    first: Any = events[0]
    tellers: dict[str, Callable[[Sequence[Any], str], str]] = {
        "sent": _sent,
        "taken": _taken,
        "forwarded": _forwarded,
        "arrived": _arrived,
        "found": _found,
    }
    key = _key(first)
    if key is None:
        return _single(first, names)
    return tellers[key[2]](events, names.study(first.study_instance_uid))


def _sent(events: Sequence[StoreAnswered | StoreFailed], study: str) -> str:
    answers = [event for event in events if isinstance(event, StoreAnswered)]
    lost = [event for event in events if isinstance(event, StoreFailed)]
    parts = _by_status(answers, study, "answered")
    if lost:
        of = "" if parts else f" of {study}"
        parts.append(f"{instances(len(lost), bool(parts))}{of} got no answer: {_distinct(e.problem for e in lost)}")
    return "; ".join(parts)


def _taken(events: Sequence[InstanceStored | InstanceRefused], study: str) -> str:
    stored = [event for event in events if isinstance(event, InstanceStored)]
    refused = [event for event in events if isinstance(event, InstanceRefused)]
    parts = [f"{instances(len(stored))} of {study} stored"] if stored else []
    of = "" if parts else f" of {study}"
    for status, some in _groups(refused).items():
        many = instances(len(some), bool(parts))
        kept = "and kept aside" if all(event.kept_as for event in some) else "and not all kept aside"
        parts.append(f"{many}{of} refused with {status}{_comments(some)} {kept}")
        of = ""
    return "; ".join(parts)


def _forwarded(events: Sequence[InstanceForwarded], study: str) -> str:
    return "; ".join(_by_status(events, study, f"forwarded to {events[0].destination}, answered"))


def _arrived(events: Sequence[InstanceReceived], study: str) -> str:
    again = len(events) - len({event.sop_instance_uid for event in events})
    sentence = "; ".join(_by_status(events, study, f"arrived from {events[0].calling_ae_title}, answered"))
    return f"{sentence} ({again} of them more than once)" if again else sentence


def _found(events: Sequence[FileFound], study: str) -> str:
    files = "file lies" if len(events) == 1 else "files lie"
    return f"{len(events)} instance {files} in the gateway's folder for {study}"


def _single(event: Event, names: Names) -> str:
    """Return the sentence of an event that is told by itself. Raises `TypeError` for one that has no words."""
    tellers: tuple[Callable[[Event, Names], str], ...] = (wire_words.told, gateway_words.told, runner_words.told)
    return next(filter(None, (told(event, names) for told in tellers)), "") or fault_words.told(event)


# --- words -----------------------------------------------------------------------------------------


def _groups(events: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the events by status, the most frequent first."""
    order = [status for status, _ in Counter(event.status for event in events).most_common()]
    return {status: [event for event in events if event.status == status] for status in order}


def _by_status(events: Sequence[Any], study: str, verb: str) -> list[str]:
    """Return a part for each status: `1000 instances of the study answered 0000`, `1 answered A700 (...)`."""
    parts: list[str] = []
    for status, some in _groups(events).items():
        of = "" if parts else f" of {study}"
        parts.append(f"{instances(len(some), bool(parts))}{of} {verb} {status or 'by nothing'}{_comments(some)}")
    return parts


def _comments(events: Sequence[Any]) -> str:
    comments = _distinct(getattr(event, "error_comment", "") for event in events)
    return f" (Error Comment: {comments})" if comments else ""


def _distinct(texts: Iterable[str]) -> str:
    """Return the different texts, each once; beyond a few only how many more there are."""
    different = list(dict.fromkeys(text for text in texts if text))
    more = len(different) - _COMMENTS_SHOWN
    return "; ".join(different[:_COMMENTS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
