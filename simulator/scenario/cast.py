"""The people of a story: synthetic, with those keys that the file pins."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from simulator.scenario.model_given import PersonSpec
from simulator.synthesis import people
from simulator.synthesis.people import Person
from simulator.synthesis.written_keys import BirthDate, EnglishName, Hkid, Ideographic


def _synthetic(number: str) -> str:
    if not people.is_synthetic(number):
        prefixes = " or ".join(people.SYNTHETIC_PREFIXES)
        raise ValueError(f"an HKID of the range of made-up people begins with {prefixes}; nobody else's belongs here")
    return number


class WrittenPerson(BaseModel):
    """A `PersonSpec` whose keys can be a person's; validating says why others cannot."""

    model_config = ConfigDict(frozen=True)

    hkid: Annotated[Hkid, AfterValidator(_synthetic)] | None = None
    name: EnglishName | None = None
    ideographic: Ideographic | None = None
    birth_date: BirthDate | None = None
    sex: Literal["M", "F", "O"] | None = None


def person(seed: str, spec: PersonSpec) -> Person:
    """Return the person of `seed` with the keys that are written. A written name has the characters written with it."""
    written = WrittenPerson.model_validate(spec.model_dump()).model_dump(exclude_none=True)
    if "name" in written:
        characters = written.get("ideographic", "")
        written |= {"ideographic": characters, "simplified": people.simplified(characters)}
    return replace(people.person(seed), **written)
