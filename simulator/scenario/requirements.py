"""The register of requirements (`fixtures/requirements.csv`): what the slides and the standard ask."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simulator import resources

FILE_NAME = "requirements.csv"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row: its id, where it comes from, what it says, how binding it is, and why it is not tested if so."""

    id: str
    source: str
    text: str
    level: str
    why_not_tested: str


def register() -> dict[str, Requirement]:
    """Return all requirements by id, in the order of the file."""
    return _read(resources.folder("fixtures", FILE_NAME) / FILE_NAME)


@cache
def _read(file: Path) -> dict[str, Requirement]:
    with file.open(encoding="utf-8", newline="") as rows:
        return {row["id"]: Requirement(**row) for row in csv.DictReader(rows)}
