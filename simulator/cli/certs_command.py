"""`simulate certs`: certificates to try DICOM TLS with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.errors import StartError, UsageError


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder that they are written to.")],
    force: Annotated[bool, typer.Option("--force", metavar="", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Make a CA, certificates for gateway and modality, and wrong ones on purpose. For tests, never for patients."""
    from rich.text import Text

    from simulator.wire import certificates

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "name a folder; it is made where it does not exist")
    if out.exists() and any(out.iterdir()) and not force:
        raise UsageError(f"{out} is not empty", "name another folder, or --force to replace a set that is there")
    try:
        certificates.make(out)
    except OSError as error:
        raise StartError(f"certificates cannot be written to {out}: {error.strerror or error}") from error
    width = max(len(str(out / name)) for name in certificates.FILES)
    for name, purpose in certificates.FILES.items():
        terminal.print_wrapped(Text(f"{out / name!s:{width}}  {purpose}"))
