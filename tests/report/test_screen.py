from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from simulator.report.model import Result
from simulator.report.screen import Screen
from simulator.scenario.plan import Plan, plan
from simulator.scenario.run import Listener
from simulator.site import Site
from tests.report import made

LONG = "every-sop-class-of-the-slides[DigitalMammographyXRayImageStorageForProcessing-MG]"
SHOW_CURSOR = "\x1b[?25h"
ERASE_LINE = "\x1b[2K"
COMMENT = "the archive is full and its administrator is asked to look after it before anything more is sent to it"


class Stream(io.TextIOWrapper):
    """What a console writes to: a terminal, or not."""

    def __init__(self, terminal: bool, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def console(width: int = 140, terminal: bool = True, encoding: str = "utf-8", **environment: str) -> Console:
    surroundings = {"TERM": "xterm-256color", **environment}
    stream = Stream(terminal, encoding)
    return Console(file=stream, width=width, height=50, record=True, highlight=False, _environ=surroundings)


def written(where: Console) -> str:
    """Return what went to the terminal or file, with whatever moves a cursor or sets a colour."""
    assert isinstance(where.file, Stream)
    assert isinstance(where.file.buffer, io.BytesIO)
    return where.file.buffer.getvalue().decode()


def shown(width: int, terminal: bool, *, folder: Path | None = Path("reports/20261123T011500Z-matched")) -> str:
    """Return what a run of two cases leaves on the screen."""
    where = console(width, terminal)
    told = made.scenario("matched", [made.case(made.MATCHED, name) for name in ("passes", "fails")])
    with Screen(where) as screen:
        screen.start("matched", made.SEED, 2)
        listener = Listener(screen.begun, screen.seen, screen.ended, screen.told)
        for number, seen in enumerate((made.good(), made.bad(COMMENT))):
            listener.begun(plan(told, told.cases[number], made.SEED, Site()))
            for event in seen:
                listener.seen(event)
            outcome = made.outcome(told, number, *seen)
            listener.ended(outcome)
            listener.told(outcome)
        screen.end(made.failed(COMMENT), folder)
    return where.export_text(clear=False)


@pytest.mark.parametrize("width", [60, 140])
@pytest.mark.parametrize("terminal", [True, False])
def test_what_matters_is_on_the_screen(width: int, terminal: bool) -> None:
    lines = [line.rstrip() for line in shown(width, terminal).splitlines()]
    text = " ".join(" ".join(lines).split())
    assert lines[0] == f"seed {made.SEED}"
    assert lines[1] == "matched, 2 cases"
    assert "✓ passed          8/8    1.2 s  matched[passes]" in lines
    assert "✗ failed          2/8    1.2 s  matched[fails]" in lines
    assert "    gateway.studies.study.reasons" in lines
    assert "      Expected  forwarded" in lines
    assert "      Observed  unmatched" in lines
    assert COMMENT in text
    assert "✗ Failed: 6 of 8 checks." in lines
    assert "6 failed, 2 passed" in text
    assert "Correct the value where it was entered" in text
    assert "Report  reports/20261123T011500Z-matched/report.html" in lines
    assert "Again   simulate replay reports/20261123T011500Z-matched" in lines


@pytest.mark.parametrize("width", [60, 140])
def test_on_a_terminal_sentences_are_broken_at_words_and_stay_in_their_column(width: int) -> None:
    lines = [line.rstrip() for line in shown(width, True).splitlines()]
    # The record of a console strings together the frames of what was drawn and taken away again.
    assert all(cell_len(line) <= width for line in lines if " sent " not in line)
    start = next(n for n, line in enumerate(lines) if line.startswith("      Because   C-STORE"))
    more = lines[start + 1 :]
    broken = more[: next(n for n, line in enumerate(more) if not line.startswith(" " * 16))]
    assert broken
    assert all(line[16] != " " for line in broken)


def test_elsewhere_a_sentence_is_one_line_without_colours() -> None:
    where = console(60, terminal=False)
    told = made.scenario("matched", [made.case(made.MATCHED)])
    Screen(where).told(made.outcome(told, 0, *made.bad(COMMENT)))
    plain = written(where)
    assert "\x1b" not in plain
    assert any(line.endswith(f"({COMMENT})") for line in plain.splitlines())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_id_is_never_broken(terminal: bool) -> None:
    where = console(60, terminal)
    name, case = LONG.rstrip("]").split("[")
    told = made.scenario(name, [made.case(made.MATCHED, case)])
    screen = Screen(where)
    screen.begun(plan(told, told.cases[0], 1, Site()))
    screen.told(made.outcome(told, 0, *made.good()))
    assert any(line.endswith(LONG) for line in where.export_text().splitlines())


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_a_terminal_alone_and_goes_away(terminal: bool) -> None:
    where = console(80, terminal)
    told = made.scenario("matched", [made.case(made.MATCHED)])
    with Screen(where) as screen:
        screen.begun(plan(told, told.cases[0], 1, Site()))
        for event in made.good():
            screen.seen(event)
        screen.told(made.outcome(told, 0, *made.good()))
    assert ("sent 2/2 · stored 2 · arrived 2" in written(where)) is terminal
    assert (SHOW_CURSOR in written(where)) is terminal
    assert "arrived" not in written(where).rpartition(ERASE_LINE)[2]


@pytest.mark.parametrize("environment", [{"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_progress_in_a_log_that_takes_colours_and_on_a_terminal_that_cannot_erase(
    environment: dict[str, str],
) -> None:
    where = console(80, "FORCE_COLOR" not in environment, **environment)
    told = made.scenario("matched", [made.case(made.MATCHED)])
    with Screen(where) as screen:
        screen.begun(plan(told, told.cases[0], 1, Site()))
    assert written(where) == ""


def test_progress_of_a_long_id_shows_its_end_and_the_counts() -> None:
    where = console(60)
    name, case = LONG.rstrip("]").split("[")
    told = made.scenario(name, [made.case(made.MATCHED, case)])
    with Screen(where) as screen:
        screen.begun(plan(told, told.cases[0], 1, Site()))
    line = next(line for line in where.export_text().splitlines() if " sent " in line)
    assert "cessing-MG]  sent 0/2 · stored 0 · arrived 0" in line


def test_progress_goes_away_when_the_run_is_interrupted() -> None:
    where = console(80)
    told = made.scenario("matched", [made.case(made.MATCHED)])
    planned = plan(told, told.cases[0], 1, Site())
    with pytest.raises(KeyboardInterrupt):
        _interrupted(Screen(where), planned)
    assert SHOW_CURSOR in written(where)


def _interrupted(screen: Screen, planned: Plan) -> None:
    with screen:
        screen.begun(planned)
        raise KeyboardInterrupt


def test_brackets_are_not_taken_for_markup_and_escapes_do_not_reach_the_terminal() -> None:
    where = console(140, terminal=False)
    told = made.scenario("matched", [made.case(made.MATCHED, "red")])
    Screen(where).told(made.outcome(told, 0, *made.bad("[bold]\x1b[2J[/bold]")))
    text = where.export_text()
    assert "matched[red]" in text
    assert "[bold]\\x1b[2J[/bold]" in text
    assert "\x1b" not in text


def test_a_console_without_unicode_gets_other_marks() -> None:
    where = console(140, terminal=True, encoding="ascii")
    told = made.scenario("matched", [made.case(made.MATCHED)])
    screen = Screen(where)
    screen.begun(plan(told, told.cases[0], 1, Site()))
    screen.told(made.outcome(told, 0, *made.bad("太多")))
    text = where.export_text()
    assert "x failed" in text
    assert "\\u592a\\u591a" in text


@pytest.mark.parametrize(
    ("result", "words"),
    [(made.passed(), "✓ Passed: all of 8 checks."), (made.mixed(), "! Error of the harness itself in 1 of 24 checks")],
)
def test_the_end_says_the_verdict_in_words(result: Result, words: str) -> None:
    where = console()
    Screen(where).end(result, None)
    text = where.export_text()
    assert words in text
    assert "Report" not in text
    assert ("whose" in text or "Correct the value" in text) is (result.verdict != "pass")
