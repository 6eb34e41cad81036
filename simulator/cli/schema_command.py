"""`simulate schema`: JSON Schema of the files that the simulator reads and writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from simulator.cli import terminal

Subject = Literal["scenario", "site", "result", "status", "declaration", "certification", "load"]


def command(
    subject: Annotated[
        Subject, typer.Argument(help="Which file: editors use `scenario`, `site` and `declaration`.")
    ] = "scenario",
) -> None:
    """Print a JSON Schema: of a scenario, site profile or declaration, or of what is written, such as result.json."""
    terminal.print_json(schema(subject))


def schema(subject: Subject) -> dict[str, Any]:
    """Return the JSON Schema of `subject` (draft 2020-12)."""
    from pydantic import BaseModel

    from simulator.certify.declaration import Declaration
    from simulator.certify.outcome import SessionOutcome
    from simulator.gateway.status import Status
    from simulator.load.result import LoadResult
    from simulator.report.model import Result
    from simulator.scenario.schema import scenario_schema
    from simulator.site import Site

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if subject == "scenario":
        return draft | scenario_schema()
    models: dict[str, type[BaseModel]] = {
        "site": Site,
        "declaration": Declaration,
        "result": Result,
        "status": Status,
        "certification": SessionOutcome,
        "load": LoadResult,
    }
    model = models[subject]
    is_read = subject in ("site", "declaration")
    return draft | model.model_json_schema(mode="validation" if is_read else "serialization")
