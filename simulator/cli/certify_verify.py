"""`simulate certify verify BUNDLE`: whether an evidence bundle is, to the byte, what was signed. Needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError


def command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="evidence.zip of a session.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The public key (PEM) that must have signed it.")
    ] = None,
) -> None:
    """Check an evidence bundle: every file, every digest, the signature. Exit code 1: it does not verify."""
    from simulator.certify import bundle as bundles

    if not bundle.is_file():
        raise UsageError(f"there is no file {bundle}", "`simulate certify report` writes evidence.zip")
    try:
        trusted = key.read_bytes() if key is not None else None
    except OSError as error:
        raise UsageError(f"the key {key} cannot be read: {error.strerror}") from error
    found = bundles.verify(bundle, trusted)
    if found.fingerprint:
        terminal.out.print(f"key {found.fingerprint}", markup=False, soft_wrap=True)
    for problem in found.problems:
        terminal.out.print(problem, markup=False, soft_wrap=True, style="red")
    if not found.verified:
        terminal.out.print("The bundle does NOT verify.", style="bold red")
        raise typer.Exit(1)
    terminal.out.print(f"The bundle verifies: {len(found.files)} files, written by version {found.tool_version}.")
    if found.trusted is None:
        terminal.out.print("Compare the key with the one at the head of the report that you were handed.")
