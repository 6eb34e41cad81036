"""What the steps of `simulate certify` share: where the session is, and how it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal

if TYPE_CHECKING:
    from simulator.certify.outcome import SessionOutcome
    from simulator.certify.session import Session

FOLDER = "certify"

Reports = Annotated[
    Path, typer.Option("--reports", metavar="DIR", help="The folder that holds the session, in a folder `certify`.")
]
DEFAULT_REPORTS = Path("reports")


def session_folder(reports: Path) -> Path:
    """Return where the session of a reports folder is."""
    return reports / FOLDER


def open_session(reports: Path) -> Session:
    """Open the session. Raises `UsageError` where there is none."""
    from simulator.certify.session import Session

    return Session(session_folder(reports))


def print_answer(told: SessionOutcome) -> None:
    """Print whether the facility is certifiable, and what counts against it."""
    terminal.out.print(f"\nCERTIFIABLE: {'yes' if told.certifiable else 'no'}", style="bold")
    for sentence in told.against:
        terminal.out.print(f"  {sentence}", markup=False, soft_wrap=True)
