"""`simulate certify preflight`: half a minute, before anybody walks to a modality."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.certify.outcome import TestOutcome


def command(reports: Reports = DEFAULT_REPORTS) -> None:
    """Try names, TCP, TLS, AE titles, contexts and the way back for commitment reports. Red stops with a card."""
    from simulator.certify.answers import Answers, AnswersDesk
    from simulator.certify.conduct import Conduct
    from simulator.certify.rig import Pace, Rig

    with open_session(reports) as session, ExitStack() as stack:
        rig = stack.enter_context(Rig(session.declared, Pace()))
        desk = AnswersDesk(Answers(by="preflight"), terminal.out.print)
        outcomes = Conduct(session, rig, desk).preflight()
    if not print_preflight(outcomes):
        raise typer.Exit(1)


def print_preflight(outcomes: Sequence[TestOutcome]) -> bool:
    """Print what came of each probe; return whether all is clear."""
    from simulator.certify.screen import print_outcome

    for outcome in outcomes:
        print_outcome(terminal.out, outcome)
    return all(outcome.verdict == "pass" for outcome in outcomes)
