"""`simulate conformance`: the DICOM Conformance Statement of the reference gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.conformance.render import Format


_ENDINGS = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html"}


def command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where it is written; `-` prints it.")],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="md|html", help="Markdown, or one HTML page. Default: as FILE ends; `-`: md."),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="FILE", help="Site profile with AE titles, destinations, policies."),
    ] = None,
) -> None:
    """Write the DICOM Conformance Statement (PS3.2) of the gateway, from the objects that it runs on."""
    from simulator import site as profile
    from simulator.conformance import render, statement

    wanted = _format(out, form)
    text = render.render(statement.build(profile.load(site) if site else profile.Site()), wanted)
    if str(out) == "-":
        typer.echo(text, nl=False)
        return
    if not out.parent.is_dir():
        raise UsageError(f"{out} cannot be written: there is no folder {out.parent}", "make it first")
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "give --out another file") from error
    terminal.out.print(f"Conformance statement: {out}", soft_wrap=True, markup=False)


def _format(out: Path, form: str | None) -> Format:
    chosen = form or _ENDINGS.get(out.suffix.lower()) or ("md" if str(out) == "-" else None)
    if chosen is None:
        raise UsageError(
            f"{out}: how it ends names no format; a statement is .md, .markdown, .html or .htm",
            "rename it, or say --format md or --format html",
        )
    if chosen == "html":
        return "html"
    if chosen == "md":
        return "md"
    raise UsageError(f"there is no format {chosen!r}", "--format md or --format html")
