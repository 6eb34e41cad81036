"""The command line's table of contents: which commands there are and how `--help` groups them."""

from __future__ import annotations

import importlib

import typer

from simulator.cli import certify_command, run

_COMMANDS = {
    "Scenarios": ("list", "explain", "schema"),
    "A run that was": ("check", "replay", "rerun"),
    "Roles, one by one": ("gateway", "send", "remote", "order", "study", "certs", "load"),
    "A running gateway": ("status", "echo", "forward", "reconcile", "audit"),
    "Documents": ("conformance",),
}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Test a facility's connection to the Hospital Authority's DICOM Image Gateway before go-live.\n\n"
    "Runs a reference gateway, modalities, remote SCPs and an HL7 order source, told by scenarios. "
    "Start with: [bold]simulate --scenario unmatched[/bold]",
)
app.callback(invoke_without_command=True)(run.run)
app.add_typer(certify_command.app, name="certify", rich_help_panel="Certification")
for _panel, _names in _COMMANDS.items():
    for _name in _names:
        _module = importlib.import_module(f"simulator.cli.{_name}_command")
        app.command(_name, rich_help_panel=_panel)(_module.command)
