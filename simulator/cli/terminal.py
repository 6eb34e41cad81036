"""What all commands share on the terminal: consoles, and how an error is told."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from simulator.errors import LoadError, SimulatorError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
_UNBROKEN = 10_000


def complain(error: SimulatorError) -> None:
    """Print an error for a person: each problem on its line, and what to do about it."""
    lines = [str(problem) for problem in error.problems] if isinstance(error, LoadError) else [str(error)]
    for line in lines:
        err.print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)
    if error.hint:
        err.print(Text.assemble(("  hint: ", "bold"), error.hint), soft_wrap=True)


def print_table(table: Table) -> None:
    """Print a table: fitted into a terminal; for a pipe or a file, each row whole on a line of its own."""
    console = out if out.is_terminal else Console(highlight=False, width=_UNBROKEN)
    console.print(table)


def print_json(document: Any) -> None:
    """Print a document for a machine: plain JSON, no colours, no wrapping."""
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201 - a machine reads it
