"""`simulate --scenario NAME`: run scenarios, judge them, report."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import performing, terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.scenario.binding import Bindings
    from simulator.scenario.model import Scenario
    from simulator.site import Site


def run(
    context: typer.Context,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", metavar="NAME", help="Run this scenario; may be repeated.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Run every scenario with this tag.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", metavar="", help="Run every scenario.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--scenarios", metavar="DIR", help="Take scenarios from this folder, and no others.", exists=True),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Reproduce the bytes of an earlier run. Default: a new one."),
    ] = None,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="FILE", help="Site profile. Default: the embedded one.")
    ] = None,
    reports: Annotated[
        Path, typer.Option("--reports", metavar="DIR", help="Where the run's folder is written.")
    ] = Path("reports"),
    bind: Annotated[
        list[str] | None,
        typer.Option(
            "--bind",
            metavar="ROLE=AET@HOST:PORT",
            help="A real system plays this role: gateway, modality, remote. What nobody can see then is inconclusive.",
        ),
    ] = None,
    owned: Annotated[
        bool,
        typer.Option("--i-own-this-endpoint", metavar="", help="The bound systems beyond this machine may be tested."),
    ] = False,
    workers: Annotated[
        int, typer.Option("-j", metavar="N", min=1, help="Run N cases side by side, each in a process of its own.")
    ] = 1,
    step: Annotated[
        bool, typer.Option("--step", metavar="", help="Wait for Enter before each step, and show what was seen.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print result.json instead of the screen.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and exit.")] = False,
) -> None:
    """Run scenarios against the reference gateway."""
    if version:
        import simulator

        terminal.out.print(simulator.__version__)
        return
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    with performing.nursery(workers) as gateways:
        scenarios = _selected(scenario or [], tag or [], everything, folder)
        chosen = performing.Chosen(
            name=_name(scenario or [], tag or [], everything),
            scenarios=scenarios,
            seed=secrets.randbits(32) if seed is None else seed,
            site=_site(site),
            reports=reports,
            workers=workers,
            bound=_bound(bind or [], scenarios, owned=owned, workers=workers),
            by_step=_by_step(step, workers),
            as_json=as_json,
        )
        code = performing.perform(chosen, gateways)
    raise typer.Exit(code)


def _refuse_options(context: typer.Context) -> None:
    """Complain about options of a run before another command: it would not see them."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        flags = ", ".join(option.opts[0] for option in context.command.params if option.name in given)
        command = context.invoked_subcommand
        raise UsageError(f"{flags} before `{command}` is for a run", f"options of {command} come after its name")


def _selected(names: list[str], tags: list[str], everything: bool, folder: Path | None) -> tuple[Scenario, ...]:
    """Return the scenarios asked for, each once. Nothing selected is a mistake, never a success."""
    from simulator.scenario import load

    chosen = {name: load.named(name, folder) for name in names}
    if tags or everything:
        for scenario in load.everything(folder):
            if everything or set(tags) & set(scenario.tags):
                chosen.setdefault(scenario.name, scenario)
    if not chosen:
        asked = f"no scenario has the tag {' or '.join(tags)}" if tags else "nothing is selected"
        raise UsageError(asked, "name one with --scenario, or see `simulate list`")
    return tuple(chosen.values())


def _name(names: list[str], tags: list[str], everything: bool) -> str:
    return "all" if everything else "-".join([*names, *tags][:3])


def _site(file: Path | None) -> Site:
    """Return the profile in a file, or the embedded one."""
    from simulator import site as profile

    return profile.Site() if file is None else profile.load_named(file)


def _bound(texts: list[str], scenarios: tuple[Scenario, ...], *, owned: bool, workers: int) -> Bindings:
    from simulator.scenario.binding import bindings

    performing.refuse_workers(workers, bool(texts))
    return bindings(texts, scenarios, owned=owned)


def _by_step(step: bool, workers: int) -> bool:
    if step and workers > 1:
        raise UsageError("-j runs cases side by side, and --step waits for a person in one at a time", "leave -j out")
    return step
