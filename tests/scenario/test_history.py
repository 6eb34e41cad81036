"""What was seen: kept whole, saved and read back without loss, and waited for without sleeping."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from simulator.errors import HarnessError
from simulator.events import EchoAnswered, StudyChanged, from_record, to_record
from simulator.scenario import history
from simulator.scenario.history import History, Recorder
from tests import running

ECHO = EchoAnswered(observer="modality", status="0000")
CHANGE = StudyChanged(
    observer="gateway", study_instance_uid="1.2", accession_number="陳", state="unmatched", reasons=("a", "b")
)


def test_an_event_survives_its_record() -> None:
    assert from_record(to_record(CHANGE)) == CHANGE


@pytest.mark.parametrize("record", [{"event": "Nonsense"}, {"event": "EchoAnswered"}, {"status": "0000"}])
def test_a_record_that_is_no_event_is_refused(record: dict[str, str]) -> None:
    with pytest.raises(HarnessError):
        from_record(record)


def test_histories_are_read_back_as_they_were(tmp_path: Path) -> None:
    saved = (History("a", (ECHO, CHANGE)), History("b[c]", (ECHO,)))
    running.save(tmp_path / "history.jsonl", saved, {"seed": 7})
    header, found = history.read(tmp_path / "history.jsonl")
    assert (header["seed"], found) == (7, saved)


def test_a_history_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    running.save(file, [History("a", (ECHO, CHANGE))], {})
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    for kept in (lines[:-1], lines[:1], lines[:1] + lines[2:], []):
        file.write_text("".join(kept), encoding="utf-8")
        with pytest.raises(HarnessError):
            history.read(file)
    file.write_text("".join(lines)[:-20], encoding="utf-8")
    with pytest.raises(HarnessError, match=r"history\.jsonl:4"):
        history.read(file)


def test_a_wait_ends_with_the_event_that_settles_it() -> None:
    recorder = Recorder("a")
    seen: list[str] = []
    recorder.watch(lambda event: seen.append(type(event).__name__))

    def observe_both() -> None:
        recorder.observe(ECHO)
        recorder.observe(CHANGE)

    threading.Thread(target=observe_both).start()
    assert recorder.wait_until(lambda: "StudyChanged" in seen, patience=10)
    assert recorder.history() == History("a", (ECHO, CHANGE))


def test_a_wait_is_given_up_when_nothing_happens() -> None:
    assert not Recorder("a").wait_until(lambda: False, patience=0.01)


def test_a_watch_ends_early_when_there_is_no_doubt() -> None:
    recorder = Recorder("a")
    recorder.observe(ECHO)
    recorder.watch_quietly(60, ended=lambda: bool(recorder.history().events))


def test_a_watch_goes_on_while_something_happens() -> None:
    """Events that come more often than the time of quiet are all watched, up to the one that ends the doubt."""
    recorder = Recorder("a")
    seen: list[str] = []
    recorder.watch(lambda event: seen.append(type(event).__name__))

    def doubt_is_over() -> bool:
        if len(seen) < 5:
            threading.Thread(target=recorder.observe, args=(ECHO,)).start()
        return len(seen) >= 5

    recorder.watch_quietly(10, doubt_is_over)
    assert len(seen) >= 5
