"""`simulate certify worksheet`: the synthetic patients to register, with barcodes, on paper and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session
from simulator.errors import HarnessError


def command(
    reports: Reports = DEFAULT_REPORTS,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where it is written. Default: the session's folder.")
    ] = None,
) -> None:
    """Write the worksheet as worksheet.pdf and worksheet.html."""
    from simulator.certify import programme, worksheet

    with open_session(reports) as session:
        entries = programme.sheet(session.tests)
        folder = out or session.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "worksheet.pdf").write_bytes(worksheet.pdf(entries, session.declared))
            (folder / "worksheet.html").write_text(worksheet.html(entries, session.declared), encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"the worksheet cannot be written to {folder}: {error.strerror}") from error
    terminal.out.print(f"Worksheet: {folder / 'worksheet.pdf'} and {folder / 'worksheet.html'}", highlight=False)
