"""The identity file of `simulate study --identity FILE`: one person in YAML, in place of a synthetic one.

The four major keys as the gateway reads them, and optionally the name in characters
(`fixtures/identity/example.yaml` is one). Every mistake is reported with its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from simulator import strict_yaml
from simulator.synthesis import people
from simulator.synthesis.written_keys import BirthDate, EnglishName, Hkid, Ideographic, Simplified


class Identity(BaseModel):
    """What an identity file holds. simplified: only needed where it is not known for `ideographic`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hkid: Hkid
    name: EnglishName
    ideographic: Ideographic | None = None
    simplified: Simplified | None = None
    birth_date: BirthDate
    sex: Literal["M", "F", "O"]


def read(file: Path) -> people.Person:
    """Return the person in `file`, keys in canonical form. Raises `LoadError` with every mistake as file:line:column.

    The HKID may be anybody's: `people.is_synthetic` tells whether it lies in the range of made-up people.
    """
    given = strict_yaml.validate(Identity, strict_yaml.read(file), file)
    ideographic = given.ideographic or ""
    return people.Person(
        hkid=given.hkid,
        name=given.name,
        birth_date=given.birth_date,
        sex=given.sex,
        ideographic=ideographic,
        simplified=given.simplified or people.simplified(ideographic),
    )
