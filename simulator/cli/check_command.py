"""`simulate check`: judges a saved run again, by what was seen and the scenarios as they were run."""

from __future__ import annotations

import typer

from simulator.cli import saved_run, terminal


def command(run: saved_run.Run = saved_run.LATEST, as_json: saved_run.AsJson = False) -> None:
    """Judge a saved run again; nothing is run or written.

    Exit codes are those of a run; 3 also for one that was cut short.
    """
    from simulator.report import model, screen
    from simulator.scenario import history, saved
    from simulator.scenario.run import judged

    what = saved.read(run)
    header, histories = history.read(what.folder / "history.jsonl")
    saved_run.note_changes(what, "it is judged as it was then")
    outcomes = judged(what.scenarios(), histories, what.site)
    seconds = sum(case.seconds for outcome in outcomes for case in outcome.cases)
    result = model.result(what.name, header["started"], seconds, what.seed, what.site.site, outcomes)
    with screen.Screen(terminal.err if as_json else terminal.out) as face:
        face.start(what.name, what.seed, len(what.cases))
        for outcome in outcomes:
            for case in outcome.cases:
                face.told(case)
        face.end(result, what.folder)
    if as_json:
        terminal.print_json(result.model_dump(mode="json"))
    raise typer.Exit(result.exit_code)
