"""`simulate explain ID`: what an id means, who mends it, and on which screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.report import explain


def command(
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="A diagnosis, reason, status, verdict, requirement, scenario, case, problem."
        ),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", metavar="", help="List every id, a line each.")] = False,
) -> None:
    """Say what an id means, who mends it, and on which screen."""
    from simulator.certify import catalogue
    from simulator.report import explain

    if (identifier is None) != listing:
        raise UsageError("an id, or --list for all of them", "for example: simulate explain hkid.mismatch")
    known = (*explain.everything(), *catalogue.explanations())
    if identifier is None:
        for each in known:
            terminal.out.print(f"{each.id}  ({each.kind})", soft_wrap=True, markup=False, highlight=False)
        return
    for each in explain.explanations(identifier, known):
        _print(each)


def _print(told: explain.Explanation) -> None:
    terminal.out.print(f"{told.id} ({told.kind})", style="bold", markup=False, highlight=False)
    for label, text in (("", told.means), ("Who mends it: ", told.mend), ("To see it: ", told.see)):
        if text:
            terminal.out.print(f"{label}{text}", markup=False, highlight=False)
