"""Writes the report of a session: one outcome, masked once, with four faces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from simulator.certify import masked as masking
from simulator.certify import report_html, report_junit, report_pdf, report_words
from simulator.certify.outcome import SessionOutcome
from simulator.synthesis.people import Person

HTML, PDF, JSON, JUNIT = "report.html", "report.pdf", "certification.json", "junit.xml"
_LARGEST_PICTURE = 4 << 20


def write(
    folder: Path,
    outcome: SessionOutcome,
    *,
    masked: bool = True,
    people: Iterable[Person] = (),
    key_fingerprint: str = "",
) -> tuple[Path, ...]:
    """Write the four files into a session's folder, which has the pictures too, and return them.

    masked: whether patients are; `people` are those of the worksheet, who are known by name. Raises `OSError`.
    """
    shown = masking.outcome(outcome, people) if masked else outcome
    pictures = _pictures(folder, shown)
    page = report_html.render(shown, masked=masked, pictures=pictures, key_fingerprint=key_fingerprint)
    paper = report_pdf.render(shown, masked=masked, pictures=pictures, key_fingerprint=key_fingerprint)
    contents = {
        HTML: page.encode("utf-8", "backslashreplace"),
        PDF: paper,
        JSON: as_json(shown),
        JUNIT: report_junit.render(shown),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)


def as_json(outcome: SessionOutcome) -> bytes:
    """Return an outcome as JSON, as docs/schemas/certification.schema.json has it."""
    document = outcome.model_dump(mode="json", by_alias=True)
    # What is no character (half a surrogate pair) stands as the escape that JSON has for it.
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _pictures(folder: Path, outcome: SessionOutcome) -> dict[str, bytes]:
    """Read the pictures that the outcome names, below `folder`; one that is gone is left out."""
    found = {}
    for name in {name for test in report_words.everything(outcome) for name in test.pictures}:
        path = PurePosixPath(name)
        file = folder / path
        if path.is_absolute() or ".." in path.parts or not file.is_file() or file.stat().st_size > _LARGEST_PICTURE:
            continue
        found[name] = file.read_bytes()
    return found
