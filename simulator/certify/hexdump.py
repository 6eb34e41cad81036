"""Bytes for a reader: sixteen a line, with their offsets, and those that decide marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from simulator.certify.cards import Evidence

_LINE = 16
_WIDTH = 3 * _LINE - 1
_ALL = 48
"""Lines up to which everything is shown; of more, the first and those around marks."""
_FIRST, _AROUND = 4, 2

Run = tuple[str, bool]
"""Text, and whether it is marked."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line. skipped: bytes before it that are not shown. padding: what is missing to the width of a whole line."""

    offset: str
    hex: tuple[Run, ...]
    padding: str
    letters: tuple[Run, ...]
    skipped: int = 0


def lines(evidence: Evidence) -> list[Line]:
    """Return the lines of a dump."""
    data = evidence.data
    marked = {place for start, end in evidence.marks for place in range(max(start, 0), min(end, len(data)))}
    numbers = range((len(data) + _LINE - 1) // _LINE)
    shown, last = [], -1
    for number in numbers:
        if len(numbers) > _ALL and number >= _FIRST and not _near(number, marked):
            continue
        skipped = (number - last - 1) * _LINE
        shown.append(_line(data, number * _LINE, evidence.offset, marked, skipped))
        last = number
    if numbers and last < numbers[-1]:
        shown.append(Line("", (), "", (), len(data) - (last + 1) * _LINE))
    return shown


def marks(evidence: Evidence) -> str:
    """Say which bytes are marked, for who does not see a colour: `bytes 26 to 41`."""
    spans = [(start, end) for start, end in evidence.marks if start < end]
    if not spans:
        return ""
    told = [
        f"{start + evidence.offset}" + (f" to {end - 1 + evidence.offset}" if end - start > 1 else "")
        for start, end in spans
    ]
    single = len(spans) == 1 and spans[0][1] - spans[0][0] == 1
    return f"{'byte' if single else 'bytes'} {', '.join(told)}"


def _near(number: int, marked: set[int]) -> bool:
    start, end = (number - _AROUND) * _LINE, (number + 1 + _AROUND) * _LINE
    return any(start <= place < end for place in marked)


def _line(data: bytes, start: int, offset: int, marked: set[int], skipped: int) -> Line:
    part = data[start : start + _LINE]
    runs = [
        (is_marked, list(places)) for is_marked, places in groupby(range(start, start + len(part)), marked.__contains__)
    ]
    shown = " ".join(f"{byte:02x}" for byte in part)
    return Line(
        offset=f"{offset + start:08x}",
        hex=tuple(_with_gaps(data, runs)),
        padding=" " * (_WIDTH - len(shown)),
        letters=tuple(("".join(_letter(data[place]) for place in places), is_marked) for is_marked, places in runs),
        skipped=skipped,
    )


def _with_gaps(data: bytes, runs: list[tuple[bool, list[int]]]) -> Iterator[Run]:
    for number, (is_marked, places) in enumerate(runs):
        if number:
            yield " ", False
        yield " ".join(f"{data[place]:02x}" for place in places), is_marked


def _letter(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "."
