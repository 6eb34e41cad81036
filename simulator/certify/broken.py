"""Facilities with one typical fault each, for rehearsals: what they do wrong, and the card that they must get.

They stand in `fixtures/facilities/broken.yaml`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulator import resources, strict_yaml
from simulator.errors import UsageError
from simulator.strict_yaml import nearest

FILE_NAME = "facilities/broken.yaml"

Listening = Literal[
    "well",
    "not",
    "silent",
    "busy",
    "another-title",
    "no-role",
    "no-class",
    "fails",
    "without-tls",
    "expired",
    "other-name",
]
Ordering = Literal[
    "well", "not", "no-end-block", "accept-alone", "no-accession", "no-sex", "another-sex", "another-number", "no-hl7"
]


Tls = Literal["well", "old-version", "unknown-certificate", "no-certificate", "plain"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(_Strict):
    """What happens to a message on the way to the gateway, as scenarios write it (`fault`)."""

    at: str
    do: str


class Broken(_Strict):
    """One facility. It does everything well but for what is said here.

    card: what must be diagnosed, and nothing else that is red. note: the card is no red one, and every test passes.
    calling, called: the AE titles that its CT gives. lies: by name, about its studies. images: of a study that is to be
    matched. proposes: contexts instead of those that it needs, each an abstract syntax UID and transfer syntax UIDs.
    one_by_one: an association for each image. fault: on the way from the CT. script: what the CT plays instead
    (`wire.pdu_script`). listens: how its systems take what the gateway sends; those with TLS without it, or with a
    certificate that does not hold. orders: how its RIS sends. echoes: whether the CT's C-ECHO is as it should be,
    whatever else is not. commits: whether it asks for commitment, and for what. clock: hours that its clocks are off.
    real_person: it sends a study of somebody outside the synthetic range. tls: its CT calls the port for TLS, and how;
    None: as it is declared. minutes: to wait for what it never does.
    """

    title: str
    card: str
    note: bool = False
    calling: str | None = None
    called: str | None = None
    lies: tuple[str, ...] = ()
    images: int = Field(default=3, ge=1)
    proposes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    one_by_one: bool = False
    fault: Fault | None = None
    script: tuple[dict[str, Any], ...] = ()
    listens: Listening = "well"
    orders: Ordering = "well"
    echoes: bool = False
    commits: Literal["well", "not", "unknown-instance"] = "well"
    sends: bool = True
    clock: float = 0.0
    real_person: bool = False
    tls: Tls | None = None
    minutes: float | None = None

    @model_validator(mode="after")
    def _is_spoken(self) -> Broken:
        if self.tls is not None and (self.script or self.fault is not None):
            raise ValueError("a script, or a fault on the way, goes to the port without TLS")
        return self


WELL = Broken(title="a facility that does everything well", card="")


def facilities() -> dict[str, Broken]:
    """Return all of them by name. Raises `LoadError`."""
    file = resources.folder("fixtures", FILE_NAME) / FILE_NAME
    document = strict_yaml.read(file)
    return {str(name): strict_yaml.validate(Broken, document[name], file, [(document, (name,))]) for name in document}


def by_name(text: str) -> Broken:
    """Return the facility that `--as-facility` names: `well`, or `broken:NAME`. Raises `UsageError`."""
    if text == "well":
        return WELL
    kind, colon, name = text.partition(":")
    known = facilities()
    if kind != "broken" or not colon or name not in known:
        advice = nearest(name or text, known)
        listed = f"known: {', '.join(known)}"
        raise UsageError(f"there is no facility {text!r} to play", f"{advice} write broken:NAME; {listed}".strip())
    return known[name]
