"""`simulate remote`: a remote SCP that takes images and writes them to a folder."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.cli.tls_options import Authorities, Certificate, Key, credentials
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.events import Event


def command(
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes any free port.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files are written.")],
    ae_title: Annotated[str, typer.Option("--ae-title", metavar="AET", help="Called AE title.")] = "REMOTE1",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    certificate: Certificate = None,
    key: Key = None,
    ca: Authorities = None,
) -> None:
    """Run a remote SCP until SIGINT or SIGTERM; prints a line for each instance.

    With a certificate it listens over TLS, and with a CA too it asks callers for a certificate of that CA.
    """
    from simulator.actors.remote_scp import RemoteSCP
    from simulator.cli.arguments import check_ae_title
    from simulator.rules import sop_classes, transfer_syntaxes
    from simulator.wire.association import Context
    from simulator.wire.tls import acceptor_context

    check_ae_title(ae_title)
    taken = sop_classes.storage_classes(extended=True)
    contexts = [Context(sop_class.uid, transfer_syntaxes.ACCEPTED) for sop_class in taken]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    context = None
    if certificate or key or ca:
        if certificate is None:
            raise UsageError("an SCP over TLS has a certificate", "name it by --certificate, and its key by --key")
        context = acceptor_context(credentials(certificate, key, ca), require_certificate=ca is not None)
    remote = RemoteSCP(ae_title, host, port, contexts, _print, out=out, tls=context)
    protocol = "DICOM" if context is None else "DICOM TLS"
    terminal.out.print(
        f"{protocol}  {ae_title}@{host}:{remote.start()}, writing to {out}", soft_wrap=True, markup=False
    )
    stop.wait()
    remote.stop()


def _print(event: Event) -> None:
    from simulator.events import InstanceReceived

    if isinstance(event, InstanceReceived):
        line = f"{event.status}  {event.sop_instance_uid}  from {event.calling_ae_title}"
        terminal.out.print(line, soft_wrap=True, markup=False)
