"""What all commands share on the terminal: consoles, and how an error is told."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from simulator.errors import LoadError, SimulatorError


class _Terminal(Console):
    """A console whose reader may leave (`| head`): what is done goes on, and the exit code stays true."""

    def on_broken_pipe(self) -> None:
        """Print no more, and leave nothing for the interpreter to fail on at its end."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


out = _Terminal(highlight=False)
err = _Terminal(stderr=True, highlight=False)
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
    console = out if out.is_terminal else _Terminal(highlight=False, width=_UNBROKEN)
    console.print(table)


def print_wrapped(text: Text) -> None:
    """Print a text: wrapped between words in a terminal, no word cut, so that a UID is copied whole."""
    out.print(text, soft_wrap=not out.is_terminal, overflow="ignore", crop=False)


def print_json(document: Any) -> None:
    """Print a document for a machine: plain JSON, no colours, no wrapping."""
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201 - a machine reads it
