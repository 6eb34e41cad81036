"""`simulate certify`: certification before go-live, step by step; one file a step."""

from __future__ import annotations

import importlib

import typer

_STEPS = ("new", "worksheet", "preflight", "run", "status", "report", "verify", "recheck")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Certify a facility's real systems against the reference gateway, before go-live.\n\n"
    "See it done first: [bold]simulate certify run --as-facility[/bold]. Then: new, worksheet, preflight, run, report.",
)
for _step in _STEPS:
    app.command(_step)(importlib.import_module(f"simulator.cli.certify_{_step}").command)
