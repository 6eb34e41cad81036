"""What `check`, `replay` and `rerun` share: which saved run is meant, and whether its scenarios have changed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import performing, terminal

if TYPE_CHECKING:
    from simulator.scenario.model import Scenario
    from simulator.scenario.saved import SavedRun

LATEST = Path("reports/latest")
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder. Default: the last one below reports.")]
Reports = Annotated[Path, typer.Option("--reports", metavar="DIR", help="Where the new run's folder is written.")]
Workers = Annotated[int, typer.Option("-j", metavar="N", min=1, help="Run N cases side by side.")]
Owned = Annotated[
    bool,
    typer.Option("--i-own-this-endpoint", metavar="", help="The bound systems beyond this machine may be tested."),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print result.json instead of the screen.")]


def note_changes(saved: SavedRun, judged_as: str) -> None:
    """Say on the error stream which scenario files are not any more what was run, and what that means here."""
    for name in saved.changed():
        file, _ = saved.files[name]
        terminal.err.print(
            f"note: {file} is not any more what was run; {judged_as}", soft_wrap=True, markup=False, style="yellow"
        )


def perform_again(
    saved: SavedRun, scenarios: tuple[Scenario, ...], reports: Path, *, workers: int, owned: bool, as_json: bool
) -> int:
    """Run these scenarios with the seed, the site profile and the real systems of a saved run."""
    from simulator.scenario.binding import bindings

    performing.refuse_workers(workers, bool(saved.bound))
    texts = [f"{role}={address}" for role, address in saved.bound.items()]
    with performing.nursery(workers) as gateways:
        chosen = performing.Chosen(
            name=saved.name,
            scenarios=scenarios,
            seed=saved.seed,
            site=saved.site,
            reports=reports,
            workers=workers,
            bound=bindings(texts, scenarios, owned=owned),
            origins={name: file for name, (file, _) in saved.files.items()},
            as_json=as_json,
        )
        return performing.perform(chosen, gateways)
