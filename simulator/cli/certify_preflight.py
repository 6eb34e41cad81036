"""`simulate certify preflight`: half a minute, before anybody walks to a modality."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.certify.outcome import TestOutcome


def command(
    reports: Reports = DEFAULT_REPORTS,
    outward: Annotated[
        bool, typer.Option("--outward", metavar="", help="Ask nobody to call from the systems that send.")
    ] = False,
) -> None:
    """Try names, TCP and C-ECHO both ways, TLS, AE titles, contexts, the way back of reports. Red stops with a card."""
    from simulator.certify.answers import Answers, AnswersDesk
    from simulator.certify.conduct import Conduct
    from simulator.certify.desk import Desk
    from simulator.certify.rig import Pace, Rig
    from simulator.certify.screen import Ladder, ScreenDesk

    with open_session(reports) as session, ExitStack() as stack:
        ladder = Ladder()
        desk: Desk
        if sys.stdin.isatty():
            calls = sum(test.kind == "echo" for test in session.applicable)
            desk = stack.enter_context(ScreenDesk(terminal.out, ladder, calls))
        else:
            desk = AnswersDesk(Answers(by="preflight"), terminal.out.print)
        rig = stack.enter_context(Rig(session.declared, Pace(), ladder.tell))
        outcomes = Conduct(session, rig, desk).preflight(both_ways=not outward)
        stack.close()
    if not print_preflight(outcomes):
        raise typer.Exit(1)


def print_preflight(outcomes: Sequence[TestOutcome]) -> bool:
    """Print what came of each probe; return whether all is clear."""
    from simulator.certify.screen import print_outcome

    for outcome in outcomes:
        print_outcome(terminal.out, outcome)
    return all(outcome.verdict == "pass" for outcome in outcomes)
