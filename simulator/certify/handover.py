"""What is handed over: the report in its forms, and the evidence bundle, from a session as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from simulator.certify import bundle, report_files
from simulator.certify.answer import answer
from simulator.certify.evidence import EVIDENCE, GATEWAY, MASKED
from simulator.certify.outcome import SessionOutcome
from simulator.certify.programme import sheet
from simulator.certify.session import DECLARATION, Session
from simulator.synthesis.people import Person


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What was written: the report's files, the bundle, and the fingerprint of the key that signed it."""

    outcome: SessionOutcome
    files: tuple[Path, ...]
    bundle: Path
    key_fingerprint: str


def write(session: Session, today: date, *, masked: bool = True) -> HandedOver:
    """Write the report and the bundle into the session's folder. masked: whether patients are. Raises `OSError`."""
    key = bundle.load_key(session.folder)
    shown = bundle.fingerprint(key.public_key())
    told = answer(session, today)
    people = tuple(entry.order.person for entry in sheet(session.tests))
    files = report_files.write(session.folder, told, masked=masked, people=people, key_fingerprint=shown)
    content: dict[str, Path | bytes] = {f"report/{file.name}": file for file in files}
    content |= dict(_evidence(session.folder, people, masked=masked))
    content[DECLARATION] = session.folder / DECLARATION
    written = bundle.write(session.folder, content, key)
    return HandedOver(told, files, written, shown)


def _evidence(folder: Path, people: tuple[Person, ...], *, masked: bool) -> Iterator[tuple[str, Path]]:
    """Yield what was kept of each attempt, by its name in the bundle; captures as they may be shown."""
    root = folder / EVIDENCE
    for file in sorted(root.rglob("*")):
        if not file.is_file() or file.parent.name == MASKED:
            continue
        if GATEWAY in file.relative_to(root).parts:  # where a gateway stood that was cut off: patients, as they came
            continue
        name = file.relative_to(folder).as_posix()
        hidden = file.parent / MASKED / file.name
        if file.suffix in (".pcap", ".hl7") and masked:
            if hidden.is_file():  # or it was cut off while it was written
                yield name, hidden
        else:
            yield name, file
