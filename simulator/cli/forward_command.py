"""`simulate forward`: has a gateway send a study, a series or an instance to a destination."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

_DEFAULT_URL = "http://127.0.0.1:8104"


def command(
    study: Annotated[str, typer.Argument(metavar="STUDY_UID", help="Study Instance UID; `simulate status` shows it.")],
    to: Annotated[str, typer.Option("--to", metavar="AET", help="A destination of the gateway's site profile.")],
    series: Annotated[
        str | None, typer.Option("--series", metavar="UID", help="This series alone (Series Instance UID).")
    ] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="UID", help="This instance alone (SOP Instance UID).")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who asks, for the audit log. Default: the user here.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="U", help="The running gateway's HTTP API.", show_default=True)
    ] = _DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print the gateway's answer as JSON.")] = False,
) -> None:
    """Send a matched study, one series or one instance of it, on to a destination; a failed study is tried again.

    It is queued: `simulate status` tells how it goes. Only what the destination lacks is sent. What is not matched
    does not leave (exit 1).
    """
    from simulator.wire.gateway_api import GatewayApi

    named = {
        "study_instance_uid": study,
        "series_instance_uid": series,
        "sop_instance_uid": instance,
        "destination": to,
        "by": by or getpass.getuser(),
    }
    code, answer = GatewayApi(url).forward({key: value for key, value in named.items() if value is not None})
    error, hint = str(answer.get("error", "")), str(answer.get("hint", ""))
    if code in (400, 404):
        raise UsageError(error, hint)
    if as_json:
        terminal.print_json(answer)
    elif code == 202:
        terminal.out.print(_queued(answer["instances"], answer["missing"], to), soft_wrap=True, markup=False)
    else:
        terminal.err.print(f"error: {error}" + (f" ({hint})" if hint else ""), soft_wrap=True, markup=False)
    raise typer.Exit(0 if code == 202 else 1)


def _queued(instances: int, missing: int, destination: str) -> str:
    if not missing:
        return f"{destination} has stored all {instances} instances already; nothing is sent"
    some = "" if missing == instances else f" of {instances}, the rest it has already"
    return f"queued for {destination}: {missing} instances{some}"
