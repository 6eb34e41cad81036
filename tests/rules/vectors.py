"""The vectors under `fixtures/vectors/`: literal inputs and answers, each with the source that says so."""

from __future__ import annotations

import csv
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "fixtures" / "vectors"


def read(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert rows, f"{name} has no vectors"
    for row in rows:
        assert row["source"], f"{name}: a vector without a source: {row}"
        assert None not in row, f"{name}: more cells than columns: {row}"
    return rows
