"""Finds the `scenarios` and `fixtures` folders, from a checkout, an installed wheel or a user's own folder.

A folder where the command is run wins over the one that was installed, if it holds what is looked for: many
projects have a folder `fixtures` of another kind.
"""

from __future__ import annotations

from pathlib import Path

from simulator.errors import HarnessError


def folder(name: str, holding: str = "*") -> Path:
    """Return the folder `name` that has something like `holding` in it, at any depth.

    Raises `HarnessError` when the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    candidates = (Path.cwd() / name, package / "_data" / name, package.parent / name)
    for candidate in candidates:
        if candidate.is_dir() and next(candidate.rglob(holding), None) is not None:
            return candidate
    raise HarnessError(f"the folder {name!r} is missing from this installation", "install the package again")
