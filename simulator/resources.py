"""Finds the `scenarios` and `fixtures` folders, from a checkout, an installed wheel or a user's own folder."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import HarnessError


def folder(name: str) -> Path:
    """Return the folder `name`: the one where the command is run wins over the one that was installed.

    Raises `HarnessError` when the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    candidates = (Path.cwd() / name, package / "_data" / name, package.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise HarnessError(f"the folder {name!r} is missing from this installation", "install the package again")
