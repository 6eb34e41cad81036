"""`simulate echo`: has a gateway ask a destination whether it answers."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

_DEFAULT_URL = "http://127.0.0.1:8104"
_REFUSED = (400, 404)


def command(
    destination: Annotated[str, typer.Argument(metavar="AET", help="A destination of the gateway's site profile.")],
    url: Annotated[
        str, typer.Option("--url", metavar="U", help="The running gateway's HTTP API.", show_default=True)
    ] = _DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print the gateway's answer as JSON.")] = False,
) -> None:
    """Have the gateway ask a destination for Verification (C-ECHO), as it would call it to forward. Exit 1 unless 0000.

    An answer can take as long as the time-outs of the site profile.
    """
    from simulator.wire.gateway_api import GatewayApi

    code, answer = GatewayApi(url).echo(destination)
    if code in _REFUSED:
        raise UsageError(str(answer.get("error", "")), str(answer.get("hint", "")))
    problem = answer.get("problem") or answer.get("error")
    if as_json:
        terminal.print_json(answer)
    elif problem is None:
        terminal.out.print(f"{answer['address']} answered {answer['status']}", soft_wrap=True, markup=False)
    else:
        terminal.err.print(f"error: {problem}", soft_wrap=True, markup=False)
    raise typer.Exit(0 if problem is None else 1)
