from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.report import files
from simulator.report.model import EXIT_CODES, Result
from tests.report import made


def test_three_files_are_written(tmp_path: Path) -> None:
    files.write(tmp_path, made.mixed())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["junit.xml", "report.html", "result.json"]


@pytest.mark.parametrize("result", [made.passed(), made.mixed(), made.failed("太多 \x00 <&>"), made.run("none")])
def test_json_comes_back_as_the_same_result(tmp_path: Path, result: Result) -> None:
    files.write(tmp_path, result)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert Result.model_validate_json(text) == Result.model_validate(result.model_dump(mode="json"))
    assert json.loads(text)["exit_code"] == EXIT_CODES[result.verdict]


def test_json_is_pretty_and_readable(tmp_path: Path) -> None:
    files.write(tmp_path, made.failed("太多"))
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert "\n  " in text
    assert "太多" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unmatched", "unmatched"),
        ("unmatched[hkid]", "unmatched-hkid"),
        ("../../etc/passwd", "etc-passwd"),
        ("陳", "run"),
        ("", "run"),
        ("n" * 300, "n" * 80),
    ],
)
def test_a_run_has_a_folder_with_a_safe_name(tmp_path: Path, name: str, expected: str) -> None:
    folder = files.run_folder(tmp_path / "reports", name, "2026-11-23T01:15:00.123456Z")
    assert folder == tmp_path / "reports" / f"20261123T011500Z-{expected}"
    assert folder.is_dir()


def test_the_folder_is_named_by_utc(tmp_path: Path) -> None:
    assert files.run_folder(tmp_path, "a", "2026-11-23T09:15:00+08:00").name == "20261123T011500Z-a"


def test_a_folder_is_never_used_again(tmp_path: Path) -> None:
    made_folders = [files.run_folder(tmp_path, "a", made.STARTED).name for _ in range(3)]
    assert made_folders == ["20261123T011500Z-a", "20261123T011500Z-a-2", "20261123T011500Z-a-3"]


def test_what_is_no_moment_or_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="isoformat"):
        files.run_folder(tmp_path, "a", "today")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        files.run_folder(tmp_path / "file", "a", made.STARTED)


def test_latest_points_at_the_last_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = files.run_folder(tmp_path, name, made.STARTED)
        files.point_latest(tmp_path, folder)
        assert (tmp_path / "latest").readlink() == Path(folder.name)
        assert (tmp_path / "latest").resolve() == folder.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20261123T011500Z-a", "20261123T011500Z-b", "latest"]


def test_latest_survives_a_move_of_the_reports(tmp_path: Path) -> None:
    root = tmp_path / "reports"
    files.point_latest(root, files.run_folder(root, "a", made.STARTED))
    assert (root.rename(tmp_path / "moved") / "latest").is_dir()


def test_without_symlinks_latest_is_a_file_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no symlinks here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for name in ("a", "b"):
        files.point_latest(tmp_path, files.run_folder(tmp_path, name, made.STARTED))
        assert (tmp_path / "latest").read_text(encoding="utf-8") == f"20261123T011500Z-{name}\n"


def test_a_folder_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "mine.txt").touch()
    files.point_latest(tmp_path, files.run_folder(tmp_path, "a", made.STARTED))
    assert (tmp_path / "latest" / "mine.txt").exists()
