"""`simulate certify status`: how the session stands, test by test."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session, print_answer


def command(reports: Reports = DEFAULT_REPORTS) -> None:
    """Show how each test stands, and what counts against a certificate. Exit code 0: certifiable."""
    from rich.table import Table
    from rich.text import Text

    from simulator.certify.answer import answer
    from simulator.certify.screen import STYLES

    with open_session(reports) as session:
        told = answer(session, datetime.now(UTC).date())
    table = Table("verdict", "test", "what it is", "tried", box=None, pad_edge=False, header_style="dim")
    for test in (*told.preflight, *told.tests):
        verdict = Text(test.verdict, style=STYLES[test.verdict])
        table.add_row(verdict, Text(test.id), Text(test.title), str(test.attempts or "-"))
    terminal.print_table(table)
    print_answer(told)
    if not told.certifiable:
        raise typer.Exit(1)
