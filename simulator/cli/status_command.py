"""`simulate status`: what a gateway holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli import data_folder, terminal
from simulator.errors import UsageError

_DEFAULT_URL = "http://127.0.0.1:8104"
_WIDE = 100  # columns from which a table cuts nothing that is copied
_COLOURS = {"forwarded": "green", "matched": "green", "rejected": "red", "failed": "red", "unmatched": "yellow"}


def command(
    url: Annotated[
        str | None, typer.Option("--url", metavar="U", help=f"A running gateway's HTTP API. Default: {_DEFAULT_URL}")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Read a gateway's folder instead, running or not.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="For a machine; `simulate schema status` has its shape.")
    ] = False,
) -> None:
    """Show every study that a gateway holds, with its state and reasons."""
    if url is not None and data is not None:
        raise UsageError("--url and --data are two ways to the same answer; give one")
    status = _from_folder(data) if data is not None else _from_url(url or _DEFAULT_URL)
    if as_json:
        terminal.print_json(status)
        return
    if data is None:
        _show_problems(url or _DEFAULT_URL)
    _show(status["studies"])


def _from_url(url: str) -> dict[str, Any]:
    from simulator.wire.gateway_api import GatewayApi

    return GatewayApi(url).status()


def _from_folder(folder: Path) -> dict[str, Any]:
    from simulator.gateway.status import status

    with data_folder.opened(folder) as index:
        return status(index).model_dump(mode="json")


def _show_problems(url: str) -> None:
    from rich.text import Text

    from simulator.wire.gateway_api import GatewayApi

    for problem in GatewayApi(url).problems():
        terminal.out.print(Text(problem, "red"), soft_wrap=True)


def _show(studies: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not studies:
        terminal.out.print("The gateway holds no study.")
        return
    if terminal.out.is_terminal and terminal.out.width < _WIDE:
        for study in studies:
            _show_block(study)
        return
    table = Table("Accession", "State", "Images", "Series", "Why", box=None, pad_edge=False)
    table.add_column("Study Instance UID", overflow="fold")
    for study in studies:
        state = study["state"]
        why = _why(study)
        # As text, never as markup: what stands in a data set may have brackets.
        accession, uid = Text(study["accession_number"] or "(none)"), Text(study["study_instance_uid"])
        counts = (str(study["instances"]), str(study["series"]))
        table.add_row(accession, Text(state, _COLOURS.get(state, "default")), *counts, Text(", ".join(why)), uid)
    terminal.print_table(table)


def _show_block(study: dict[str, Any]) -> None:
    """Print a study over several lines, what one copies whole on a line of its own."""
    from rich.text import Text

    state = study["state"]
    terminal.print_wrapped(Text(study["study_instance_uid"]))
    lines = {
        "Accession": Text(study["accession_number"] or "(none)"),
        "State": Text(state, _COLOURS.get(state, "default")),
        "Images": Text(f"{study['instances']} in {study['series']} series"),
    }
    for label, value in lines.items():
        terminal.print_wrapped(Text.assemble(f"  {label:<10} ", value))
    for label, reason in zip(["Why", *[""] * len(why := _why(study))], why, strict=False):
        terminal.print_wrapped(Text(f"  {label:<10} {reason}"))


def _why(study: dict[str, Any]) -> list[str]:
    warnings = [f"warning: {warning}" for warning in study["warnings"]]
    purged = [f"purged {study['purged'][:16]}Z"] if study["purged"] else []
    return [*study["reasons"], *warnings, *_answers(study["answers"]), *_forwarding(study["forwarding"]), *purged]


def _answers(answers: dict[str, int]) -> list[str]:
    return [f"{count} stored with {status}" for status, count in answers.items() if status != "0000"]


def _forwarding(forwarding: list[dict[str, Any]]) -> list[str]:
    """Return a phrase for each destination that lacks something."""
    return [
        f"{each['destination']} lacks {each['missing']} of {each['instances']}: {each['state']}"
        + (f" after attempt {each['attempts']}: {each['problem']}" if each["problem"] else "")
        for each in forwarding
        if each["state"] != "done"
    ]
