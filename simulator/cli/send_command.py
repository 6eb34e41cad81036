"""`simulate send`: a modality that sends DICOM files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.cli.tls_options import Authorities, Certificate, Key, credentials
from simulator.errors import NotDicom, UsageError

if TYPE_CHECKING:
    from simulator.events import Event
    from simulator.wire.association import Outgoing


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders of them.")],
    to: Annotated[str, typer.Option("--to", metavar="AET@HOST:PORT", help="The gateway, or any Storage SCP.")],
    calling: Annotated[str, typer.Option("--calling", metavar="AET", help="Calling AE title.")] = "MODALITY1",
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            metavar="",
            help="Send over TLS; without --ca, whoever answers is believed.",
            rich_help_panel="DICOM TLS",
        ),
    ] = False,
    ca: Authorities = None,
    certificate: Certificate = None,
    key: Key = None,
    certificate_name: Annotated[
        str,
        typer.Option(
            "--certificate-name",
            metavar="NAME",
            help="The name in the peer's certificate, where it is not HOST.",
            rich_help_panel="DICOM TLS",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print every answer as JSON.")] = False,
) -> None:
    """Send DICOM files by C-STORE, over one association; exit 1 unless every one was stored."""
    from simulator.actors.modality import Modality
    from simulator.cli.arguments import check_ae_title
    from simulator.events import to_record
    from simulator.wire.association import Address

    check_ae_title(calling)
    gateway = Address.parse(to)
    asked = tls or ca or certificate or key or certificate_name
    secured = credentials(certificate, key, ca, certificate_name) if asked else None
    instances = _read(paths)
    events: list[Event] = []
    with _progress(len(instances), quiet=as_json) as advance:

        def observe(event: Event) -> None:
            events.append(event)
            advance(event)

        stored = Modality(calling, gateway, observe, tls=secured).store(instances)
    if as_json:
        terminal.print_json({"sent": len(instances), "stored": stored, "events": [to_record(e) for e in events]})
    else:
        _tell(events, len(instances), stored, to)
    raise typer.Exit(0 if stored == len(instances) else 1)


def _read(paths: list[Path]) -> list[Outgoing]:
    """Return the instances in files and folders. A named file that is not DICOM is a mistake; nothing is sent then."""
    from simulator.wire import part10

    instances, mistakes = [], []
    for path in paths:
        named = path.is_file()
        files = [path] if named else sorted(file for file in path.rglob("*") if file.is_file())
        if not files:
            mistakes.append(f"{path}: {'an empty folder' if path.is_dir() else 'no such file or folder'}")
        for file in files:
            try:
                instances.append(_instance(part10.read(file.read_bytes())))
            except (NotDicom, OSError) as error:
                if named:
                    mistakes.append(f"{file}: {error}")
                else:
                    terminal.err.print(f"skipped {file}: {error}", soft_wrap=True, markup=False)
    if mistakes or not instances:
        raise UsageError("\n".join(mistakes) or "no DICOM file found", "nothing was sent")
    return instances


def _instance(found: Outgoing) -> Outgoing:
    if not found.data_set:
        raise NotDicom("the file ends after its file meta information: there is no data set to send")
    return found


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """Give a function that is called with each event and moves a bar, on a terminal only."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from simulator.events import StoreAnswered, StoreFailed

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=terminal.out, transient=True, disable=quiet or not terminal.out.is_terminal
    ) as progress:
        bar = progress.add_task("", total=total)

        def advance(event: Event) -> None:
            if isinstance(event, (StoreAnswered, StoreFailed)):
                progress.advance(bar)

        yield advance


def _tell(events: list[Event], total: int, stored: int, to: str) -> None:
    """Print what became of it: one line for each different answer, then the sum."""
    from collections import Counter

    from simulator.events import AssociationFailed, AssociationRejected, StoreAnswered, StoreFailed

    for event in events:
        if isinstance(event, AssociationRejected):
            terminal.out.print(event.meaning, soft_wrap=True, markup=False)
        elif isinstance(event, AssociationFailed):
            terminal.out.print(event.problem, soft_wrap=True, markup=False)
    answers = Counter((e.status, e.error_comment) for e in events if isinstance(e, StoreAnswered))
    for (status, comment), count in sorted(answers.items()):
        terminal.out.print(f"{count:6d}  answered {status} {comment}".rstrip(), soft_wrap=True, markup=False)
    lost = Counter(e.problem for e in events if isinstance(e, StoreFailed))
    for problem, count in sorted(lost.items()):
        terminal.out.print(f"{count:6d}  not answered: {problem}", soft_wrap=True, markup=False)
    terminal.out.print(f"{stored} of {total} instances stored by {to}", soft_wrap=True, markup=False)
