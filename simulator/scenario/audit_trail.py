"""The audit log of a gateway's folder, read apart from the gateway after a run: is it a whole chain?"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from simulator.events import ActFound

_QUERY = (
    "SELECT number, at, act, who, study_instance_uid, accession_number, why, before, after, digest "
    "FROM audit ORDER BY number"
)


def found(folder: Path) -> Iterator[ActFound]:
    """Yield every entry of the audit log below `folder`; nothing where there is none."""
    file = folder / "index.sqlite"
    if not file.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(_QUERY).fetchall()
    except sqlite3.Error:
        return
    previous = ""
    for place, row in enumerate(rows, start=1):
        number, at, act, who, study, accession, why, before, after, digest = row
        said = {
            "act": act,
            "who": who,
            "study_instance_uid": study,
            "accession_number": accession,
            "why": why,
            "before": json.loads(before),
            "after": json.loads(after),
        }
        chained = json.dumps([number, at, said, previous], sort_keys=True, ensure_ascii=False)
        intact = number == place and digest == hashlib.sha256(chained.encode()).hexdigest()
        yield ActFound(observer="runner", number=number, act=act, who=who, study_instance_uid=study, intact=intact)
        previous = digest
