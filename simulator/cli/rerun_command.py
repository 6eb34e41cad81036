"""`simulate rerun`: runs the cases of a saved run again, as their scenarios stand now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import saved_run
from simulator.errors import UsageError


def command(
    run: saved_run.Run = saved_run.LATEST,
    failed: Annotated[
        bool, typer.Option("--failed", metavar="", help="Only the cases that failed, were inconclusive or an error.")
    ] = False,
    reports: saved_run.Reports = Path("reports"),
    owned: saved_run.Owned = False,
    workers: saved_run.Workers = 1,
    as_json: saved_run.AsJson = False,
) -> None:
    """Run the cases of a saved run again, with its seed and site profile and the scenarios as they stand now."""
    from simulator.scenario import saved

    what = saved.read(run)
    only = _unproven(what.folder) if failed else what.cases
    if not only:
        raise UsageError(f"nothing failed in {what.folder}", "without --failed all its cases are run again")
    scenarios = what.scenarios_now(only)
    saved_run.note_changes(what, "it is run as it is now")
    raise typer.Exit(saved_run.perform_again(what, scenarios, reports, workers=workers, owned=owned, as_json=as_json))


def _unproven(folder: Path) -> tuple[str, ...]:
    """Return the ids of the cases that did not pass. Raises `UsageError` for a run without a result."""
    from simulator.report import words
    from simulator.report.model import Result

    file = folder / "result.json"
    if not file.is_file():
        raise UsageError(f"{folder} has no result: the run did not finish", "`simulate replay` runs it again")
    result = Result.model_validate_json(file.read_text(encoding="utf-8"))
    cases = [case for scenario in result.scenarios for case in scenario.cases]
    return tuple(case.id for case in cases if case.verdict in words.UNPROVEN)
