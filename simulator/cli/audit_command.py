"""`simulate audit`: what people and policies did, and whether the log of it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli import data_folder, terminal
from simulator.errors import UsageError

_DEFAULT_URL = "http://127.0.0.1:8104"


def command(
    url: Annotated[
        str | None, typer.Option("--url", metavar="U", help=f"A running gateway's HTTP API. Default: {_DEFAULT_URL}")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Read a gateway's folder instead, running or not.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="For a machine.")] = False,
) -> None:
    """List a gateway's audit log and verify it; exit code 1 when it was tampered with."""
    if url is not None and data is not None:
        raise UsageError("--url and --data are two ways to the same answer; give one")
    document = _from_folder(data) if data is not None else _from_url(url or _DEFAULT_URL)
    if as_json:
        terminal.print_json(document)
    else:
        _show(document)
    if not document["intact"]:
        raise typer.Exit(1)


def _from_url(url: str) -> dict[str, Any]:
    from simulator.wire.gateway_api import GatewayApi

    return GatewayApi(url).audit()


def _from_folder(folder: Path) -> dict[str, Any]:
    from simulator.gateway import audit

    with data_folder.opened(folder) as index:
        return audit.document(*index.audit_log())


def _show(document: dict[str, Any]) -> None:
    from rich.text import Text

    from simulator.report.words import printable

    for entry in document["entries"]:
        moment = entry["at"][:19].replace("T", " ")
        head = (
            f"{entry['number']:>4}  {moment} UTC  ",
            (printable(entry["act"]), "bold"),
            f" by {printable(entry['who'])}",
        )
        terminal.print_wrapped(Text.assemble(*head))
        for line in _about(entry):
            terminal.print_wrapped(Text(f"      {printable(line)}"))
    if not document["intact"]:
        terminal.err.print(Text(f"The audit log is NOT whole: {document['problem']}.", "bold red"), soft_wrap=True)
        return
    count = len(document["entries"])
    last = document["entries"][-1]["digest"] if count else "none"
    terminal.print_wrapped(Text(f"The audit log is whole: {count} entries, the last digest is {last}"))


def _about(entry: dict[str, Any]) -> Iterator[str]:
    """Yield what an entry is about, what changed (`name: C***^T*** -> L***^T***`) and why, a line for each."""
    if entry["study_instance_uid"]:
        yield f"study {entry['study_instance_uid']}"
    if entry["accession_number"]:
        yield f"accession number {entry['accession_number']}"
    before, after = entry["before"], entry["after"]
    for name, value in after.items():
        yield f"{name}: {before[name] or '(none)'} -> {value or '(none)'}" if name in before else f"{name}: {value}"
    if entry["why"]:
        yield f"because: {entry['why']}"
