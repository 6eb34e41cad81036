"""Writes a run's folder: `reports/<UTC time>-<name>/` with `result.json`, `junit.xml` and `report.html`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from simulator.report import html, junit
from simulator.report.html import Tile
from simulator.report.model import Result

LATEST = "latest"
_LONGEST_NAME = 80


def write(folder: Path, result: Result, sheet: Sequence[Tile] = ()) -> None:
    """Write the three files into `folder`, which exists; `sheet` is what was sent, for `report.html`.

    Raises `OSError` when the folder cannot be written.
    """
    document = json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / "result.json").write_text(document + "\n", encoding="utf-8")
    (folder / "junit.xml").write_bytes(junit.render(result))
    (folder / "report.html").write_text(html.render(result, sheet), encoding="utf-8")


def run_folder(root: Path, name: str, started: str) -> Path:
    """Make and return a new folder below `root`, such as `20261123T011500Z-unmatched`.

    `started` is ISO 8601. A folder that exists is never used again: the new one gets a number at its end.
    Raises `OSError` when it cannot be made, and `ValueError` when `started` is no moment.
    """
    root.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromisoformat(started)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    wanted = f"{moment:%Y%m%dT%H%M%SZ}-{_file_name(name)}"
    for number in count(1):
        folder = root / (wanted if number == 1 else f"{wanted}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("the numbers do not end")


def point_latest(root: Path, folder: Path) -> None:
    """Let `root/latest` point at `folder`, a folder below `root`; there is never a moment without it.

    It is a relative symlink, so that `root` may be moved; where none can be made, a text file with the folder's
    name. A real folder called `latest` is somebody's own and stays. Raises `OSError` when `root` cannot be written.
    """
    target, latest = folder.relative_to(root), root / LATEST
    if latest.is_dir() and not latest.is_symlink():
        return
    new = root / f".{LATEST}-{folder.name}"
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(target, target_is_directory=True)
    except (OSError, NotImplementedError):
        new.write_text(f"{target.as_posix()}\n", encoding="utf-8")
    new.replace(latest)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:_LONGEST_NAME] or "run"
