"""`simulate certify recheck`: whether a certificate still stands, or something under it has changed."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session


def command(
    reports: Reports = DEFAULT_REPORTS,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="FILE", help="The declaration as it is now, if it has changed.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", metavar="", help="Ask no system how it shows itself.")] = False,
) -> None:
    """Compare what is there now with what the last complete pass stood on. Exit code 1: it is stale."""
    from simulator.certify.answer import answer
    from simulator.certify.answers import Answers, AnswersDesk
    from simulator.certify.conduct import Conduct
    from simulator.certify.rig import Pace, Rig
    from simulator.cli.certify_preflight import print_preflight

    with open_session(reports) as session, ExitStack() as stack:
        if site is not None:
            session.declare(site)
        if not offline:
            rig = stack.enter_context(Rig(session.declared, Pace()))
            desk = AnswersDesk(Answers(by="recheck"), terminal.out.print)
            print_preflight(Conduct(session, rig, desk).preflight())
        stack.close()
        told = answer(session, datetime.now(UTC).date())
    if told.certifiable:
        terminal.out.print("The certificate still stands: nothing under it has changed.", style="bold green")
        return
    terminal.out.print("The certificate does not stand (any more):", style="bold red")
    for sentence in told.against:
        terminal.out.print(f"  {sentence}", markup=False, soft_wrap=True)
    raise typer.Exit(1)
