"""`simulate load`: many modalities at once, and what their C-STOREs took."""

from __future__ import annotations

import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.errors import StartError, UsageError

if TYPE_CHECKING:
    from simulator.load.result import LoadResult
    from simulator.load.run import Load
    from simulator.rules.sop_classes import SopClass
    from simulator.wire.association import Address

_SECONDS = 10.0
_MOST_IMAGES = 20_000


def command(
    modalities: Annotated[
        int, typer.Option("--modalities", metavar="N", min=1, max=500, help="Modalities, each a process of its own.")
    ] = 2,
    studies: Annotated[
        int | None,
        typer.Option("--studies", metavar="N", min=1, help="Studies of each. Default: as many as --for allows."),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=1, max=_MOST_IMAGES, help="Instances in each study.")
    ] = 100,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="Send for so long: 60s, 10min. Default: 10 s, or until --studies."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="AET@HOST:PORT", help="The gateway. Default: one is started for this run."),
    ] = None,
    orders: Annotated[
        str | None,
        typer.Option("--orders", metavar="HOST:PORT", help="Where a gateway of --to takes HL7. Default: no orders."),
    ] = None,
    calling: Annotated[
        str, typer.Option("--calling", metavar="AET", help="Calling AE title of all. Default: MODALITY1, MODALITY2 ...")
    ] = "",
    sop_class: Annotated[
        str, typer.Option("--sop-class", metavar="NAME", help="Name, keyword or UID.")
    ] = "CTImageStorage",
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="ROWSxCOLUMNS", help="Of each picture. Default: natural for the SOP class."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Send the bytes of an earlier run. Default: new.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="FILE", help="Site profile. Default: the embedded one.")
    ] = None,
    reports: Annotated[
        Path, typer.Option("--reports", metavar="DIR", help="Where the run's folder is written.")
    ] = Path("reports"),
    owned: Annotated[
        bool,
        typer.Option("--i-own-this-endpoint", metavar="", help="The systems beyond this machine may be loaded."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print load.json instead of the screen.")] = False,
    locust_file: Annotated[
        bool, typer.Option("--locust-file", metavar="", help="Print the path of the same modality for Locust, and end.")
    ] = False,
) -> None:
    """Send with many modalities at once; exit 1 unless everything was stored."""
    if locust_file:
        from simulator.load import LOCUST_FILE

        terminal.out.print(str(LOCUST_FILE), soft_wrap=True, markup=False)
        return
    from simulator.cli.arguments import check_ae_title
    from simulator.load.run import Load
    from simulator.site import Site, load_named

    if calling:
        check_ae_title(calling)
    seconds = _SECONDS if duration is None and studies is None else _seconds(duration)
    rows, columns = _size(size)
    gateway, hl7 = _peers(to, orders, owned=owned)
    asked = Load(
        modalities=modalities,
        studies=studies,
        images=images,
        seconds=seconds,
        sop_class=_sop_class(sop_class),
        seed=secrets.randbits(32) if seed is None else seed,
        site=Site() if site is None else load_named(site),
        rows=rows,
        columns=columns,
        calling=calling,
        to=gateway,
        orders=hl7,
    )
    raise typer.Exit(_perform(asked, reports, as_json=as_json).exit_code)


def _perform(asked: Load, reports: Path, *, as_json: bool) -> LoadResult:
    from simulator.cli.performing import log_to
    from simulator.events import now
    from simulator.load import page, run, screen
    from simulator.report import files

    _check_makable(asked)
    try:
        folder = files.run_folder(reports, "load", now())
    except OSError as error:
        raise StartError(
            f"reports cannot be written to {reports}: {error.strerror}", "choose a --reports DIR"
        ) from error
    log_to(folder / "runner.log")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with screen.Screen(terminal.err if as_json else terminal.out) as face:
        found = run.run(asked, folder, face)
    page.write(folder, found)
    if as_json:
        terminal.print_json(found.model_dump(mode="json"))
    else:
        face.end(found, folder)
    return found


def _peers(to: str | None, orders: str | None, *, owned: bool) -> tuple[Address | None, tuple[str, int] | None]:
    """Return where the gateway is, and its HL7. Raises `UsageError`; what is beyond this machine must be `owned`."""
    from simulator.site import is_loopback
    from simulator.wire.association import Address

    if to is None:
        if orders is not None:
            raise UsageError("--orders is for a gateway of --to; the one of this run gets its orders anyhow")
        return None, None
    gateway = Address.parse(to)
    hl7 = None if orders is None else Address.parse(f"HL7@{orders}")
    for where in (gateway, hl7):
        if where is not None and not owned and not is_loopback(where.host):
            hint = "say --i-own-this-endpoint if it is yours and may be sent test data"
            raise UsageError(f"{where.host}:{where.port} is not on this machine", hint)
    return gateway, None if hl7 is None else (hl7.host, hl7.port)


def _seconds(text: str | None) -> float | None:
    from pydantic import TypeAdapter, ValidationError

    from simulator.quantities import Duration

    if text is None:
        return None
    try:
        seconds: float = TypeAdapter(Duration).validate_python(float(text) if text.isdigit() else text)
    except ValidationError as error:
        raise UsageError(f"--for {text!r} is no time", "write a number and a unit, such as 60s or 10min") from error
    if not seconds:
        raise UsageError("--for 0 sends nothing")
    return seconds


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and (columns or rows).isdigit()):
        raise UsageError(f"--size {text!r} is no size", "write ROWSxCOLUMNS, such as 512x512")
    return int(rows), int(columns or rows)


def _sop_class(name: str) -> SopClass:
    from simulator.rules import sop_classes

    try:
        return sop_classes.by_name(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from error


def _check_makable(asked: Load) -> None:
    """Make one picture, so that what cannot be made is said before anybody is started."""
    from dataclasses import replace

    from simulator.load.instances import STUDIES_AT_MOST, Pictures

    if asked.studies_at_most > STUDIES_AT_MOST:
        raise UsageError(f"--studies is {STUDIES_AT_MOST} at most", "use more --modalities")
    try:
        Pictures(replace(asked.recipe, images=1), 0)
    except ValueError as error:
        raise UsageError(f"{asked.sop_class.name}: {error}") from error
