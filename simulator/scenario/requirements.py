"""The register of requirements (`fixtures/requirements.csv`): what the slides and the standard ask.

docs/requirements.md says what the families of ids are, and where each sentence of the slides went.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simulator import resources

FILE_NAME = "requirements.csv"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row.

    source: the slide by its title, or the standard by part and section. level: `must`, `recommended` or `future`.
    tested_by: the scenarios of the catalogue that verify it. why_not_tested: why there is none, else empty.
    """

    id: str
    source: str
    text: str
    level: str
    tested_by: tuple[str, ...]
    why_not_tested: str


def register() -> dict[str, Requirement]:
    """Return all requirements by id, in the order of the file."""
    return _read(resources.folder("fixtures", FILE_NAME) / FILE_NAME)


@cache
def _read(file: Path) -> dict[str, Requirement]:
    with file.open(encoding="utf-8", newline="") as rows:
        return {row["id"]: _requirement(row) for row in csv.DictReader(rows)}


def _requirement(row: dict[str, str]) -> Requirement:
    return Requirement(
        id=row["id"],
        source=row["source"],
        text=row["text"],
        level=row["level"],
        tested_by=tuple(row["tested_by"].split()),
        why_not_tested=row["why_not_tested"],
    )
