"""`simulate list`: which scenarios there are, which lies they can tell, and which requirements they verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError


def command(
    folder: Annotated[
        Path | None,
        typer.Option("--scenarios", metavar="DIR", help="Those in this folder, and no others.", exists=True),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="For a machine.")] = False,
    lies: Annotated[
        bool, typer.Option("--lies", metavar="", help="List what a study can lie about, for `mutate`.")
    ] = False,
    requirements: Annotated[
        bool,
        typer.Option(
            "--requirements", metavar="", help="List what is asked, and which scenarios verify it or why none does."
        ),
    ] = False,
) -> None:
    """List the scenarios, the lies that they can tell, or the requirements that they verify."""
    if lies and requirements:
        raise UsageError("--lies and --requirements are two lists", "ask for one of them")
    if lies:
        print_lies(as_json=as_json)
    elif requirements:
        from simulator.cli.requirement_list import print_requirements

        print_requirements(folder, as_json=as_json)
    else:
        _scenarios(folder, as_json=as_json)


def _scenarios(folder: Path | None, *, as_json: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from simulator.scenario import load
    from simulator.scenario.plan import case_id

    scenarios = load.everything(folder)
    if as_json:
        terminal.print_json(
            [
                scenario.model_dump(
                    mode="json", include={"name", "title", "explain", "level", "tags", "applies_to", "verifies", "file"}
                )
                | {"cases": [case_id(scenario, case) for case in scenario.cases]}
                for scenario in scenarios
            ]
        )
        return
    table = Table("Scenario", "Cases", "Level", "Tags", "What it shows", box=None, pad_edge=False)
    for scenario in scenarios:
        tags = " ".join(scenario.tags)
        table.add_row(scenario.name, str(len(scenario.cases)), scenario.level, tags, Text(scenario.title))
    terminal.print_table(table)


def print_lies(*, as_json: bool) -> None:
    """Print every lie with what it is about and what the gateway must find."""
    from rich.table import Column, Table

    from simulator.synthesis.lies import LIES

    rows = [
        {
            "name": lie.name,
            "about": list(lie.about),
            "explain": lie.explain,
            "told_by": lie.told_by,
            "status": lie.status,
            "reasons": list(lie.reasons),
            "warnings": list(lie.warnings),
        }
        for lie in LIES.values()
    ]
    if as_json:
        terminal.print_json(rows)
        return
    columns = [Column(name, overflow="fold") for name in ("Malformation", "What it does", "What the gateway must find")]
    table = Table(*columns, box=None, pad_edge=False)
    for lie in LIES.values():
        found = [lie.status] * (lie.status != "0000") + [*lie.reasons, *(f"warning {each}" for each in lie.warnings)]
        table.add_row(lie.name, lie.explain, ", ".join(found) or "nothing: the study matches")
    terminal.print_table(table)
