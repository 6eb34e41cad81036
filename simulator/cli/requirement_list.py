"""`simulate list --requirements`: what is asked, and which scenarios verify it, or why none does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simulator.cli import terminal
from simulator.scenario import load, requirements
from simulator.scenario.requirements import Requirement

_WIDE = 120  # columns from which sentences in a table are still read with ease
_INDENT = (0, 0, 0, 2)


@dataclass(frozen=True, slots=True)
class _Row:
    """A requirement, and the scenarios at hand that verify it: a folder of one's own has others than the catalogue."""

    requirement: Requirement
    scenarios: tuple[str, ...]

    @property
    def why(self) -> str:
        """Why no scenario verifies it; empty where one does."""
        if self.scenarios:
            return ""
        return self.requirement.why_not_tested or "by no scenario of this folder"


def print_requirements(folder: Path | None, *, as_json: bool) -> None:
    """Print every requirement with the scenarios that verify it, or why none does, and how many of each there are.

    Raises `LoadError` with the mistakes of the scenarios.
    """
    rows = _rows(folder)
    if as_json:
        terminal.print_json([_document(row) for row in rows])
        return
    if terminal.out.is_terminal and terminal.out.width < _WIDE:
        for row in rows:
            _print_block(row)
    else:
        _print_table(rows)
    terminal.out.print(_summary(rows), soft_wrap=not terminal.out.is_terminal)


def _rows(folder: Path | None) -> list[_Row]:
    verifying: dict[str, list[str]] = {}
    for scenario in load.everything(folder):
        for identifier in scenario.verifies:
            verifying.setdefault(identifier, []).append(scenario.name)
    return [_Row(each, tuple(sorted(verifying.get(each.id, ())))) for each in requirements.register().values()]


def _document(row: _Row) -> dict[str, Any]:
    each = row.requirement
    return {
        "id": each.id,
        "level": each.level,
        "text": each.text,
        "source": each.source,
        "scenarios": list(row.scenarios),
        "why_not_tested": row.why,
    }


def _verified(row: _Row) -> Text:
    return Text(" ".join(row.scenarios)) if row.scenarios else Text(f"not tested: {row.why}", "yellow")


def _print_table(rows: list[_Row]) -> None:
    table = Table("Id", "Level", "Requirement", "Verified by", box=None, pad_edge=False)
    for row in rows:
        each = row.requirement
        table.add_row(Text(each.id), Text(each.level), Text(each.text), _verified(row))
    terminal.print_table(table)


def _print_block(row: _Row) -> None:
    """Print a requirement over several lines, indented below its id."""
    each = row.requirement
    terminal.out.print(Text.assemble((each.id, "bold"), f"  {each.level}"))
    terminal.out.print(Padding(Text(each.text), _INDENT))
    terminal.out.print(Padding(Text.assemble("-> " if row.scenarios else "", _verified(row)), _INDENT))


def _summary(rows: list[_Row]) -> str:
    verified = sum(bool(row.scenarios) for row in rows)
    reasoned = sum(not row.scenarios and bool(row.requirement.why_not_tested) for row in rows)
    words = f"{len(rows)} requirements, {verified} verified, {reasoned} not tested with reason"
    left = len(rows) - verified - reasoned
    return f"{words}, {left} by no scenario of this folder" if left else words
