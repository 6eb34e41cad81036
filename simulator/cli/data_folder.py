"""A gateway's data folder, read while no gateway need run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.gateway.index import Index


@contextmanager
def opened(folder: Path) -> Iterator[Index]:
    """Open the index of a data folder, to read. Raises `UsageError` where there is none, and `StartError`."""
    from simulator.gateway.index import Index
    from simulator.gateway.tables import FILE_NAME

    file = folder / FILE_NAME
    if not file.is_file():
        raise UsageError(f"{folder} is not a gateway's data folder: it has no {FILE_NAME}")
    index = Index(file, read_only=True)
    try:
        yield index
    finally:
        index.close()
