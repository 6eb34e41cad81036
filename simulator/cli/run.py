"""`simulate --scenario NAME`: run scenarios, judge them, report."""

from __future__ import annotations

import logging
import secrets
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import terminal
from simulator.errors import HarnessError, StartError, UsageError

if TYPE_CHECKING:
    from simulator.report.html import Tile
    from simulator.report.screen import Screen
    from simulator.scenario.binding import Bindings
    from simulator.scenario.model import Scenario
    from simulator.scenario.run import ScenarioOutcome, Settings


def run(
    context: typer.Context,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", metavar="NAME", help="Run this scenario; may be repeated.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Run every scenario with this tag.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", metavar="", help="Run every scenario.")] = False,
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
    scenarios = _selected(scenario or [], tag or [], everything)
    name = _name(scenario or [], tag or [], everything)
    chosen_seed = secrets.randbits(32) if seed is None else seed
    from simulator.scenario.binding import bindings

    bound = bindings(bind or [], scenarios, owned=owned)
    raise typer.Exit(_perform(scenarios, name, chosen_seed, site, reports, as_json, bound))


def _refuse_options(context: typer.Context) -> None:
    """Complain about options of a run before another command: it would not see them."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        flags = ", ".join(option.opts[0] for option in context.command.params if option.name in given)
        command = context.invoked_subcommand
        raise UsageError(f"{flags} before `{command}` is for a run", f"options of {command} come after its name")


def _selected(names: list[str], tags: list[str], everything: bool) -> list[Scenario]:
    """Return the scenarios asked for, each once. Nothing selected is a mistake, never a success."""
    from simulator.scenario import load

    chosen = {name: load.named(name) for name in names}
    if tags or everything:
        for scenario in load.everything():
            if everything or set(tags) & set(scenario.tags):
                chosen.setdefault(scenario.name, scenario)
    if not chosen:
        asked = f"no scenario has the tag {' or '.join(tags)}" if tags else "nothing is selected"
        raise UsageError(asked, "name one with --scenario, or see `simulate list`")
    return list(chosen.values())


def _name(names: list[str], tags: list[str], everything: bool) -> str:
    return "all" if everything else "-".join([*names, *tags][:3])


def _perform(
    scenarios: list[Scenario],
    name: str,
    seed: int,
    site_file: Path | None,
    reports: Path,
    as_json: bool,
    bound: Bindings,
) -> int:
    """Run, judge and report; return the exit code."""
    from simulator import site as profile

    site = profile.load(site_file) if site_file else profile.Site()
    if site_file and site.site == profile.Site().site:
        site = site.model_copy(update={"site": site_file.stem})  # a report must not take it for the default one
    from simulator.events import now
    from simulator.report import files, model, screen
    from simulator.scenario.nursery import Nursery
    from simulator.scenario.run import PATIENCE, PATIENCE_WITH_PEOPLE, Settings

    started, clock = now(), time.monotonic()
    try:
        folder = files.run_folder(reports, name, started)
    except OSError as error:
        raise StartError(
            f"reports cannot be written to {reports}: {error.strerror}", "choose a --reports DIR"
        ) from error
    _log_to(folder / "runner.log")
    patience = PATIENCE_WITH_PEOPLE if bound else PATIENCE
    with Nursery() as nursery, screen.Screen(terminal.err if as_json else terminal.out) as face:
        settings = Settings(
            seed=seed, site=site, folder=folder / "cases", bound=bound, patience=patience, nursery=nursery
        )
        face.start(name, seed, sum(len(scenario.cases) for scenario in scenarios))
        try:
            outcomes = _run(scenarios, settings, face, folder / "history.jsonl", {"name": name, "started": started})
        except KeyboardInterrupt:
            raise HarnessError(
                "interrupted: this run has no result", f"what was seen until then is in {folder / 'history.jsonl'}"
            ) from None
    result = model.result(name, started, time.monotonic() - clock, seed, site.site, outcomes)
    files.write(folder, result, _sheet(outcomes))
    files.point_latest(reports, folder)
    face.end(result, folder)
    if as_json:
        terminal.print_json(result.model_dump(mode="json"))
    return result.exit_code


def _sheet(outcomes: list[ScenarioOutcome]) -> list[Tile]:
    from simulator.report.html import Tile

    return [Tile(case.id, picture) for outcome in outcomes for case in outcome.cases for picture in case.pictures]


def _log_to(file: Path) -> None:
    """Have what peers and libraries say in the log stand in a file, not across the progress of the run."""
    shown = logging.FileHandler(file, encoding="utf-8", delay=True)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[shown], force=True)
    logging.captureWarnings(True)


def _run(
    scenarios: list[Scenario], settings: Settings, face: Screen, history_file: Path, header: dict[str, str]
) -> list[ScenarioOutcome]:
    """Run the scenarios; each case's history is on disk when it ends. SIGTERM interrupts like Ctrl-C."""
    from simulator.scenario import history
    from simulator.scenario.run import CaseOutcome, Listener, run

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with history.Writer(history_file, header | {"seed": settings.seed}) as writer:

        def ended(outcome: CaseOutcome) -> None:
            writer.append(outcome.history)
            face.ended(outcome)

        return run(scenarios, settings, Listener(face.begun, face.seen, ended, face.asked))
