"""The catalogue of diagnoses (`fixtures/diagnoses.yaml`): the words of every card but for what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulator import resources, strict_yaml
from simulator.certify.cards import Level, Where
from simulator.errors import LoadError, Problem
from simulator.report.explain import Explanation

FILE_NAME = "diagnoses.yaml"
KIND = "diagnosis"
"""What `simulate explain` calls them."""

TEMPLATES = ("expected", "got", "because", "who", "screen", "prove")
"""The texts that have names in braces."""

COMMON: Final = frozenset(
    (
        *("system", "ae_title", "host", "port", "gateway", "here", "dicom_port", "tls_port", "hl7_port"),
        *("orders_system", "test", "sheet_accession", "sheet_hkid", "sheet_name", "sheet_birth_date", "sheet_sex"),
        "sheet_class",
    )
)
"""The names that every text may have; the others are those that the rule fills in."""

_Text = Annotated[str, Field(min_length=1)]


class Diagnosis(BaseModel):
    """One entry. instead_of: ids of the symptoms that it explains, and whose cards are left out beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Level
    where: Where
    requirements: tuple[str, ...]
    title: _Text
    means: _Text
    expected: _Text
    got: _Text
    because: _Text
    who: _Text
    screen: _Text
    prove: Annotated[str, Field(pattern="^simulate ")]
    instead_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_names_in_templates_alone(self) -> Diagnosis:
        for name in ("title", "means"):
            if any(True for _ in names_in(getattr(self, name))):
                raise ValueError(f"`{name}` is said of every case: it has no names in braces")
        return self


def read() -> Mapping[str, Diagnosis]:
    """Return every diagnosis by its id. Raises `LoadError` with each mistake in the file."""
    return _read(resources.folder("fixtures", FILE_NAME) / FILE_NAME)


def explanations() -> tuple[Explanation, ...]:
    """Return the catalogue as `simulate explain` tells it."""
    return tuple(
        Explanation(
            id=identifier,
            kind=KIND,
            means=" ".join((f"{each.title}.", each.means, *_of_every_case(each.because))),
            mend=f"{spelled_out(each.who)}, at: {spelled_out(each.screen)}",
            see=spelled_out(each.prove),
        )
        for identifier, each in read().items()
    )


def _of_every_case(template: str) -> Iterator[str]:
    """Yield the sentences of a text that name nothing but what every card has."""
    for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", template):
        if set(names_in(sentence)) <= COMMON:
            yield spelled_out(sentence)


def names_in(template: str) -> Iterator[str]:
    """Yield the names in braces."""
    yield from (name for _, name, _, _ in Formatter().parse(template) if name is not None)


def spelled_out(template: str) -> str:
    """Return a template for who reads it without a case: `<system>` where a name will stand."""
    return template.format_map({name: f"<{name.replace('_', ' ')}>" for name in names_in(template)})


@cache
def _read(file: Path) -> Mapping[str, Diagnosis]:
    document = strict_yaml.read(file)
    found = {
        str(identifier): strict_yaml.validate(Diagnosis, document[identifier], file, [(document, (identifier,))])
        for identifier in document
    }
    problems = []
    for identifier, each in found.items():
        for other in each.instead_of:
            if other not in found:
                line, column = strict_yaml.place([(document, ())], (identifier, "instead_of"))
                words = f"{identifier}.instead_of: no diagnosis is called {other!r}"
                problems.append(Problem(str(file), line, column, words, strict_yaml.nearest(other, found)))
    if problems:
        raise LoadError(problems)
    return found
