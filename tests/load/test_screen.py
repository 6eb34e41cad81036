"""What `simulate load` prints while it goes on: a line every five seconds in a log, one table in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simulator.load.run import Load
from simulator.load.screen import LINE_SECONDS, Screen, line
from simulator.load.tally import Tally
from simulator.rules.sop_classes import by_name
from simulator.site import Site
from simulator.wire.association import Address

CT, TO = by_name("CTImageStorage"), Address("HAGW", "127.0.0.1", 104)
HIDE_CURSOR, SHOW_CURSOR, ERASE_LINE = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"


def a_console(terminal: bool, width: int = 140) -> Console:
    surroundings = {"TERM": "xterm-256color"}
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        highlight=False,
        color_system=None,
        _environ=surroundings,
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_tally() -> Tally:
    """Return 100 C-STOREs of 1 to 100 ms, of which 96 instances of 500 kB were stored, and what failed beside."""
    tally = Tally(stored=96, bytes=48_000_000)
    for milliseconds in range(1, 101):
        tally.stores.add(milliseconds / 1000)
    for milliseconds in (200, 400):
        tally.associations.add(milliseconds / 1000)
    for words, count in (("no room", 3), ("not [yet]\x1b[2J", 1)):
        for _ in range(count):
            tally.fail("C-STORE", words, "A700")
    tally.fail("association", "nothing listens")
    return tally


def row(shown: str, name: str) -> list[str]:
    """Return the cells beside that name, in the table that was shown last."""
    found = [each for each in shown.splitlines() if each.startswith(f"│ {name} ")]
    return [cell.strip() for cell in found[-1].strip("│").split("│")[1:]]


def milliseconds(text: str) -> float:
    number, unit = text.split()
    assert unit == "ms"
    return float(number)


def test_a_line_has_rates_percentiles_and_how_many_failed() -> None:
    said = line(8.0, a_tally())
    assert said.startswith("    8 s  96 stored, 12.0/s, 6.0 MB/s, C-STORE p50 ")
    assert said.endswith(", max 100.0 ms, 5 failed")
    for percent in (50, 90, 99):
        shown = said.partition(f"p{percent} ")[2].partition(",")[0]
        assert milliseconds(shown) == pytest.approx(percent, rel=0.01, abs=0.06)


def test_before_anything_is_answered_a_line_has_naughts() -> None:
    zeros = "C-STORE p50 0.0 ms, p90 0.0 ms, p99 0.0 ms, max 0.0 ms"
    assert line(5.0, Tally()) == f"    5 s  0 stored, 0.0/s, 0.0 MB/s, {zeros}, 0 failed"


def test_without_a_terminal_there_is_a_line_for_every_five_seconds_and_none_between() -> None:
    console, total = a_console(terminal=False, width=40), a_tally()
    with Screen(console) as screen:
        for seconds in (0.0, 0.25, 4.9, 5.1, 5.3, 9.9, 10.0, 22.0, 22.3, 24.9, 25.2):
            screen.goes_on(seconds, total)
    assert LINE_SECONDS == 5.0
    assert written(console).splitlines() == [line(seconds, total) for seconds in (5.1, 10.0, 22.0, 25.2)]


def test_in_a_terminal_one_table_has_all_of_it_and_is_gone_at_the_end() -> None:
    console, total = a_console(terminal=True), Tally()
    with Screen(console) as screen:
        screen.goes_on(0.0, total)
        total.merge(a_tally())
        screen.goes_on(8.0, total)
    shown = written(console)
    assert "load, 8 s" in shown
    count, rate, *times = row(shown, "C-STORE")
    assert (count, rate) == ("100", "12.5")
    assert [milliseconds(each) for each in times] == pytest.approx([50, 90, 99, 100], rel=0.01, abs=0.06)
    count, rate, *times = row(shown, "association")
    assert (count, rate) == ("2", "0.2")
    assert [milliseconds(each) for each in times] == pytest.approx([200, 400, 400, 400], rel=0.01)
    assert row(shown, "stored")[:2] == ["96", "6.0 MB"]
    assert row(shown, "failed")[0] == "5"
    # Nothing is left of it: the cursor comes back, and goes up over each of its lines.
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1
    table, _, erased = shown[shown.rindex("load, ") :].partition(SHOW_CURSOR)
    assert erased.count(ERASE_LINE) == table.count("\n")


def test_in_a_terminal_the_five_most_frequent_failures_stand_below_in_a_peers_harmless_words() -> None:
    console, total = a_console(terminal=True), a_tally()
    for number in range(10, 14):
        for _ in range(number):
            total.fail("order", f"refused {number}")
    with Screen(console) as screen:
        screen.goes_on(8.0, total)
    told = [each.strip() for each in written(console).splitlines() if each.startswith("    ")]
    assert told == [*(f"{number}  order  refused {number}" for number in (13, 12, 11, 10)), "3  C-STORE A700 no room"]
    console = a_console(terminal=True)
    with Screen(console) as screen:
        screen.goes_on(8.0, a_tally())
    assert "     1  C-STORE A700 not [yet]\\x1b[2J\n" in written(console)


@pytest.mark.parametrize(
    ("modalities", "studies", "images", "seconds", "said"),
    [
        (2, 3, 5, None, "2 modalities to {}: each 3 studies of 5 images ({})"),
        (1, None, 1, 2.5, "1 modality to {}: each as many studies as the time allows of 1 image ({}) for 2.5 s"),
    ],
)
def test_what_is_going_to_be_sent_comes_first(
    modalities: int, studies: int | None, images: int, seconds: float | None, said: str
) -> None:
    console = a_console(terminal=False, width=40)
    with Screen(console) as screen:
        screen.making(Load(modalities, studies, images, seconds, CT, 7, Site()), TO)
    assert written(console).splitlines() == ["seed 7", said.format("HAGW@127.0.0.1:104", CT.keyword)]
