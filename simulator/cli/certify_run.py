"""`simulate certify run`: goes through the tests of a session, or plays a facility to show how that is."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, open_session, print_answer, session_folder
from simulator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.certify.conduct import Conduct
    from simulator.certify.outcome import TestOutcome
    from simulator.certify.programme import Test
    from simulator.certify.session import Session

_FAILED, _UNKNOWN = frozenset(("fail",)), frozenset(("error", "inconclusive", "skipped"))
_LEFT_OFF = 3


def command(
    reports: Reports = DEFAULT_REPORTS,
    as_facility: Annotated[
        str | None,
        typer.Option(
            "--as-facility",
            metavar="well|broken:NAME",
            help="Rehearse: play a facility that does everything well, or has one typical fault.",
        ),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Answers instead of a person at the keyboard.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", metavar="", help="Only what has not passed yet.")] = False,
    test: Annotated[list[str] | None, typer.Option("--test", metavar="ID", help="This test. May be repeated.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", metavar="", help="Go on though the preflight is red.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Of a rehearsal.")] = None,
) -> None:
    """Go through the tests: all of them, or on where it was left. Ends with what the session has come to."""
    if as_facility is not None:
        if answers or failed or test:
            raise UsageError("a rehearsal goes through all tests by itself", "leave out --answers, --failed and --test")
        from simulator.cli.certify_rehearse import rehearse

        raise typer.Exit(rehearse(as_facility, reports, seed))
    with open_session(reports) as session, ExitStack() as stack:
        again = _again(session, test or []) if failed or test else None
        if again == ():
            terminal.out.print("Nothing is to be tried again: every test has passed.")
            raise typer.Exit(0)
        conduct = _conducted(session, answers, len(again or session.applicable), stack)
        try:
            if again is None and not _preflight(conduct, anyway=anyway):
                raise typer.Exit(1)
            tried = conduct.go_on() if again is None else conduct.again(again)
        except KeyboardInterrupt:
            stack.close()
            terminal.err.print("\nStopped. Nothing is lost: `simulate certify run` goes on where this was left.")
            raise typer.Exit(3) from None
        stack.close()
        code = conclude(session, tried)
        folder = session_folder(reports)
        terminal.out.print(f"The session is in {folder}; `simulate certify report` writes the report.", soft_wrap=True)
        whole = session.last_pass("whole")
        left_off = len(tried) < len(again) if again is not None else whole is None or bool(session.missing(whole))
        raise typer.Exit(_LEFT_OFF if left_off and code == 0 else code)


def conclude(session: Session, tried: Sequence[TestOutcome]) -> int:
    """Print what the session has come to; return the exit code for what was tried."""
    from datetime import UTC, datetime

    from simulator.certify.answer import answer

    told = answer(session, datetime.now(UTC).date())
    print_answer(told)
    verdicts = {outcome.verdict for outcome in tried}
    return 1 if verdicts & _FAILED else 3 if verdicts & _UNKNOWN else 0


def _conducted(session: Session, answers: Path | None, count: int, stack: ExitStack) -> Conduct:
    """Put up the rig, and the desk of so many tests: the file of answers, or the person at the terminal."""
    from simulator.certify import answers as answered
    from simulator.certify.conduct import Conduct
    from simulator.certify.desk import Desk
    from simulator.certify.rig import Pace, Rig
    from simulator.certify.screen import Ladder, ScreenDesk

    desk: Desk
    ladder = Ladder()
    if answers is not None:
        desk = answered.AnswersDesk(answered.load(answers, session), _print)
    elif sys.stdin.isatty():
        desk = stack.enter_context(ScreenDesk(terminal.out, ladder, count))
    else:
        raise UsageError("nobody is at the keyboard", "name a file by --answers, or rehearse by --as-facility")
    rig = stack.enter_context(Rig(session.declared, Pace(), ladder.tell))
    return Conduct(session, rig, desk)


def _preflight(conduct: Conduct, *, anyway: bool) -> bool:
    """Probe the systems before a pass begins; return whether to go on."""
    from simulator.cli.certify_preflight import print_preflight

    outcomes = conduct.preflight()
    clear = print_preflight(outcomes)
    if not clear and not anyway:
        terminal.out.print("Mend this first; or go on with --anyway. No image was sent yet.", style="bold")
    return clear or anyway


def _again(session: Session, named: Sequence[str]) -> tuple[Test, ...]:
    """Return the tests that are named; without names, those that have not passed."""
    if named:
        return tuple(session.test(identity) for identity in named)
    last = {attempt.test: attempt.outcome for attempt in session.attempts() if attempt.outcome is not None}
    return tuple(each for each in session.applicable if (seen := last.get(each.id)) is None or seen.verdict != "pass")


def _print(line: str) -> None:
    terminal.out.print(line, markup=False, highlight=False, soft_wrap=True)
