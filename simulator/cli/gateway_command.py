"""`simulate gateway`: the reference gateway alone, for a stranger's tools."""

from __future__ import annotations

import asyncio
import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import gateway_log, terminal
from simulator.errors import StartError

if TYPE_CHECKING:
    from simulator.gateway.server import Gateway


def command(
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="FILE", help="Site profile. Default: the embedded one, on loopback."),
    ] = None,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Where instances, index and refused data are kept.")
    ] = Path("gateway-data"),
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", metavar="F", help="Written once every port listens: pid, ports, URL.")
    ] = None,
    rebuild_index: Annotated[
        bool,
        typer.Option(
            "--rebuild-index",
            metavar="",
            help="First make a new index, from what can be read of a damaged one and from the instance files.",
        ),
    ] = False,
) -> None:
    """Run the reference gateway until SIGINT or SIGTERM."""
    from simulator import site as profile

    here = profile.load(site) if site else profile.Site()
    from simulator.gateway.server import Gateway

    if rebuild_index:
        _rebuild(data)
    serve(Gateway(here, data), ready_file, data)


def _rebuild(data: Path) -> None:
    from simulator.gateway.rebuild import rebuild

    done = rebuild(data)
    read = ", ".join(f"{count} of {table}" for table, count in done.rows.items() if count) or "nothing"
    lines = [f"The damaged index lies in {done.set_aside}", f"Read from it: {read}"]
    if done.cut_short:
        lines.append(
            f"Not to its end: {', '.join(done.cut_short)}. Instances come back from their files; have orders sent "
            "again, and expect that what was forwarded may be forwarded once more."
        )
    for line in lines:
        terminal.out.print(line, soft_wrap=True, markup=False)


def serve(gateway: Gateway, ready_file: Path | None, data: Path) -> None:
    """Run a gateway until a signal ends it; `data` is only named on the screen."""
    gateway_log.set_up(gateway.site.logs)
    if ready_file is not None:
        _clear(ready_file)
    asyncio.run(_serve(gateway, ready_file, data))


def _clear(ready_file: Path) -> None:
    """Take away what an earlier run left, so that the file means this one. Raises `StartError`."""
    try:
        ready_file.parent.mkdir(parents=True, exist_ok=True)
        ready_file.unlink(missing_ok=True)
    except OSError as error:
        raise StartError(f"the ready file {ready_file} cannot be written: {error.strerror}") from error


async def _serve(gateway: Gateway, ready_file: Path | None, data: Path) -> None:
    from simulator.gateway.server import Ready

    stop: asyncio.Event = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ready: asyncio.Queue[Ready] = asyncio.Queue()
    running = asyncio.create_task(gateway.run(stop, ready))
    announcement = asyncio.create_task(ready.get())
    await asyncio.wait({running, announcement}, return_when=asyncio.FIRST_COMPLETED)
    if announcement.done():
        told = announcement.result()
        if ready_file is not None:
            told.write(ready_file)
        host = gateway.site.gateway.host
        ports = ((name, port) for name, port in (("DICOM ", told.dicom_port), ("TLS   ", told.dicom_tls_port)) if port)
        for line in (
            *(f"{name} {told.ae_title}@{host}:{port}" for name, port in ports),
            f"HL7    {host}:{told.hl7_port} (MLLP)",
            f"HTTP   {told.http_url}/studies",
            f"Data   {data.resolve()}",
        ):
            terminal.out.print(line, soft_wrap=True, markup=False)
    announcement.cancel()
    gc.collect()
    gc.freeze()  # what stays to the end is not gone through again and again, while associations wait
    await running
