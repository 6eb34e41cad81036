"""Unique identifiers without a registered root: a UUID written as one decimal number (PS3.5 B.2)."""

from __future__ import annotations

from typing import Final

from simulator.synthesis import draws

IMPLEMENTATION_CLASS_UID: Final = "2.25.243731216953408187362190463029467391852"
"""(0002,0012) of every file made here (PS3.7 D.3.3.2). One fixed constant, so that a reader knows our files."""

IMPLEMENTATION_VERSION_NAME: Final = "HA_SIM"
"""(0002,0013) of every file made here; SH, 16 characters at most."""


def uid(*parts: object) -> str:
    """Return the UID that belongs to `parts`: `2.25.` and the first 128 bits of their SHA-256 in decimal.

    The same parts give the same UID for ever. PS3.5 B.2 allows any 128-bit UUID there; 39 digits at most
    keep it within the 64 characters of PS3.5 9.1.
    """
    return f"2.25.{int.from_bytes(draws.digest(*parts)[:16], 'big')}"
