"""`simulate certify report`: the report in its forms, and the evidence bundle, signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session, print_answer
from simulator.errors import HarnessError


def command(
    reports: Reports = DEFAULT_REPORTS,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", metavar="", help="Show the synthetic patients as they are.")
    ] = False,
) -> None:
    """Write report.html, report.pdf, certification.json, junit.xml and evidence.zip. Exit code 0: certifiable."""
    from simulator.certify import handover

    with open_session(reports) as session:
        try:
            written = handover.write(session, datetime.now(UTC).date(), masked=not unmasked)
        except OSError as error:
            raise HarnessError(f"the report cannot be written: {error}") from error
    told = written.outcome
    print_answer(told)
    for file in (*written.files, written.bundle):
        terminal.out.print(f"{file}", markup=False, soft_wrap=True)
    terminal.out.print(f"signed by the session's key {written.key_fingerprint}", markup=False, soft_wrap=True)
    if not told.certifiable:
        raise typer.Exit(1)
