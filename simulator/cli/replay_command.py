"""`simulate replay`: runs a saved run again as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import saved_run


def command(
    run: saved_run.Run = saved_run.LATEST,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="ID", help="Only this case, as `unmatched[hkid]`; repeatable.")
    ] = None,
    reports: saved_run.Reports = Path("reports"),
    owned: saved_run.Owned = False,
    workers: saved_run.Workers = 1,
    as_json: saved_run.AsJson = False,
) -> None:
    """Run a saved run again: the same seed and bytes, the same site profile, the scenarios as they were then."""
    from simulator.scenario import saved

    what = saved.read(run)
    scenarios = what.scenarios(case or ())
    saved_run.note_changes(what, "it is run as it was then")
    raise typer.Exit(saved_run.perform_again(what, scenarios, reports, workers=workers, owned=owned, as_json=as_json))
