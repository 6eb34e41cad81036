"""`simulate check`, `replay`, `rerun`: a run that was is judged again, run as it was, or as its files are now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.scenario import history
from simulator.scenario.history import Writer
from tests.cli import stories
from tests.cli.test_run import result, sent, verdicts
from tests.processes import simulate

WRONG = ("state: unmatched, instances: 2}", "state: unmatched, instances: 1}")
TWO = """\
for_each:
  - with: {lie: another-sex}
  - with: {lie: another-hkid}
"""


def run_of(folder: Path, *changes: tuple[str, str]) -> Path:
    """Run the user's own story below `folder`, and return the run's folder."""
    stories.write(folder, *changes)
    simulate("--scenario", "mine", "--seed", "7", folder=folder)
    return (folder / "reports" / "latest").resolve()


def content(folder: Path) -> dict[str, bytes]:
    """Return what stands in every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def judged(document: dict[str, Any]) -> list[Any]:
    """Return what was found in a result, without times."""
    return [
        (case["id"], case["verdict"], case["checks"])
        for scenario in document["scenarios"]
        for case in scenario["cases"]
    ]


def test_a_saved_run_is_judged_as_it_was_and_nothing_is_written(tmp_path: Path) -> None:
    run = run_of(tmp_path, WRONG)
    before = content(tmp_path)
    done = simulate("check", folder=tmp_path)
    assert done.returncode == 1
    assert "mine" in done.stdout
    assert "gateway.studies.study.instances" in done.stdout
    assert done.stderr == ""
    as_json = simulate("check", run, "--json", folder=tmp_path)
    assert as_json.returncode == 1
    assert judged(json.loads(as_json.stdout)) == judged(result(tmp_path / "reports"))
    assert content(tmp_path) == before


def test_a_run_is_judged_by_the_scenario_as_it_was_run_and_a_change_is_said(tmp_path: Path) -> None:
    run_of(tmp_path, WRONG)
    file = stories.write(tmp_path)
    done = simulate("check", folder=tmp_path)
    assert done.returncode == 1
    assert f"note: {file} is not any more what was run; it is judged as it was then" in done.stderr
    file.unlink()
    assert simulate("check", folder=tmp_path).returncode == 1


def test_a_replay_sends_the_same_bytes_under_the_same_profile_whatever_changed_meanwhile(tmp_path: Path) -> None:
    file = stories.write(tmp_path, ("state: unmatched, instances: 2}", "state: rejected}"))
    (tmp_path / "site.yaml").write_text("site: strict\nunmatched: reject\n", encoding="utf-8")
    first = simulate("--scenario", "mine", "--site", "site.yaml", "--reports", "first", folder=tmp_path)
    assert first.returncode == 0
    (tmp_path / "site.yaml").unlink()
    file.write_text("scenario: nothing of it is left\n", encoding="utf-8")
    again = simulate("replay", "first/latest", "--reports", "again", folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"note: {file} is not any more what was run; it is run as it was then" in again.stderr
    assert sent(tmp_path / "again") == sent(tmp_path / "first")
    assert judged(result(tmp_path / "again")) == judged(result(tmp_path / "first"))
    assert result(tmp_path / "again")["site"] == "strict"
    kept = [json.loads((tmp_path / run / "latest" / "run.json").read_text()) for run in ("first", "again")]
    assert kept[0] == kept[1]
    assert kept[0]["scenarios"]["mine"]["file"] == str(file)


def test_one_case_is_replayed(tmp_path: Path) -> None:
    run_of(
        tmp_path, ("mutate:\n  study: [another-sex]\n", 'mutate:\n  study: ["$lie"]\n'), ("then:\n", TWO + "then:\n")
    )
    done = simulate("replay", "--case", "mine[another-hkid]", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert [case for case, _, _ in judged(result(tmp_path / "reports"))] == ["mine[another-hkid]"]
    refused = simulate("replay", "--case", "mine[another-sex]", folder=tmp_path)
    assert refused.returncode == 2
    assert "has no case 'mine[another-sex]'" in refused.stderr


def test_what_failed_is_run_again_as_its_file_is_now(tmp_path: Path) -> None:
    run = run_of(tmp_path, WRONG)
    stories.write(tmp_path)
    done = simulate("rerun", run, "--failed", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "it is run as it is now" in done.stderr
    assert set(verdicts(result(tmp_path / "reports")).values()) == {"pass"}
    nothing = simulate("rerun", "--failed", folder=tmp_path)
    assert nothing.returncode == 2
    assert "nothing failed in" in nothing.stderr
    assert simulate("rerun", folder=tmp_path).returncode == 0


@pytest.mark.parametrize("cut", [0, 20])
def test_a_history_that_was_cut_short_is_unfinished_and_3(tmp_path: Path, cut: int) -> None:
    """Without its footer, or with half of a line more."""
    run = run_of(tmp_path)
    file = run / "history.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + lines[-1][:cut], encoding="utf-8")
    done = simulate("check", folder=tmp_path)
    assert done.returncode == 3
    assert "the run that wrote it did not finish" in done.stderr
    assert "hint: `simulate replay` runs it again" in done.stderr
    assert done.stdout == ""


def test_a_case_of_which_nothing_was_kept_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    header, _ = history.read(run / "history.jsonl")
    with Writer(run / "history.jsonl", header):
        pass
    done = simulate("check", "--json", folder=tmp_path)
    assert done.returncode == 3
    assert verdicts(json.loads(done.stdout)) == {"harness": "error"}


@pytest.mark.parametrize("command", ["check", "replay", "rerun"])
def test_what_is_no_run_is_2(command: str, tmp_path: Path) -> None:
    done = simulate(command, "reports/latest", folder=tmp_path)
    assert done.returncode == 2
    assert "reports/latest is not the folder of a run" in done.stderr


def test_latest_may_be_a_file_with_the_name_of_the_folder(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    latest = tmp_path / "reports" / "latest"
    latest.unlink()
    latest.write_text(f"{run.name}\n", encoding="utf-8")
    assert simulate("check", folder=tmp_path).returncode == 0
