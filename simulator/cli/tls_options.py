"""TLS on the command line: the options that several commands share, and what they amount to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.wire.tls import Credentials

_PANEL = "DICOM TLS"
Certificate = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="This side's certificate (PEM).", rich_help_panel=_PANEL),
]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Its private key (PEM).", rich_help_panel=_PANEL)
]
Authorities = Annotated[
    Path | None,
    typer.Option(
        "--ca", metavar="FILE", help="CAs that the peer's certificate must come from (PEM).", rich_help_panel=_PANEL
    ),
]


def credentials(
    certificate: Path | None, key: Path | None, authorities: Path | None, peer_name: str = ""
) -> Credentials:
    """Return what the options amount to. Raises `UsageError` for a file that is not there."""
    from simulator.wire.tls import Credentials

    if (certificate is None) != (key is None):
        raise UsageError("--certificate and --key go together", "a certificate proves nothing without its key")
    for file in (certificate, key, authorities):
        if file is not None and not file.is_file():
            raise UsageError(f"{file}: no such file", "`simulate certs OUT` makes a set to try")
    return Credentials(certificate, key, authorities, peer_name)
