"""`simulate remote`: a remote SCP that takes images and writes them to a folder."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal

if TYPE_CHECKING:
    from simulator.events import Event


def command(
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes any free port.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files are written.")],
    ae_title: Annotated[str, typer.Option("--ae-title", metavar="AET", help="Called AE title.")] = "REMOTE1",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run a remote SCP until SIGINT or SIGTERM; prints a line for each instance."""
    from simulator.actors.remote_scp import RemoteSCP
    from simulator.cli.arguments import check_ae_title
    from simulator.rules import sop_classes, transfer_syntaxes
    from simulator.wire.association import Context

    check_ae_title(ae_title)
    taken = sop_classes.storage_classes(extended=True)
    contexts = [Context(sop_class.uid, transfer_syntaxes.ACCEPTED) for sop_class in taken]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    remote = RemoteSCP(ae_title, host, port, contexts, _print, out=out)
    terminal.out.print(f"DICOM  {ae_title}@{host}:{remote.start()}, writing to {out}", soft_wrap=True, markup=False)
    stop.wait()
    remote.stop()


def _print(event: Event) -> None:
    from simulator.events import InstanceReceived

    if isinstance(event, InstanceReceived):
        line = f"{event.status}  {event.sop_instance_uid}  from {event.calling_ae_title}"
        terminal.out.print(line, soft_wrap=True, markup=False)
