"""A card: what went wrong in a test, where, why, who mends it on which screen, and the bytes that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal[
    "TCP",
    "TLS",
    "association",
    "presentation context",
    "DIMSE status",
    "data",
    "identity",
    "HL7",
    "commitment",
    "forward",
]
"""Where it broke, from the wire up."""

Level = Literal["must", "should", "note"]
"""must: red, the test fails. should: it counts against nobody, and is told. note: worth knowing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bytes that prove a card. capture: the file they are in; offset: of the first of `data` in what its side sent.

    marks: the deciding ones, as (from, to) within `data`, `to` not among them. words: what they are, such as
    `called AE title`. In JSON the bytes are hexadecimal.
    """

    words: str
    capture: str = ""
    offset: int = 0
    data: bytes = b""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One diagnosis. id: of the catalogue (`fixtures/diagnoses.yaml`), which has the words for all but what was seen.

    requirement: ids of the register (`fixtures/requirements.csv`). who, screen: who mends it, and where. prove: a
    command that shows that it is mended.
    """

    id: str
    level: Level
    where: Where
    requirement: tuple[str, ...]
    title: str
    expected: str
    got: str
    because: str
    who: str
    screen: str
    prove: str
    evidence: tuple[Evidence, ...] = ()
