"""The site profile: AE titles, hosts, ports and policies of one gateway, as one validated model.

What the slides leave open is a named setting here, with a default that fails nobody on a guess.
The profile is read from YAML (`fixtures/sites/*.yaml` has examples); every mistake is reported with its place.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from simulator import strict_yaml
from simulator.rules.accession import CHECK_DIGITS, AccessionRules
from simulator.rules.image_count import ImageCountRule
from simulator.rules.sop_classes import SopClass, storage_classes

_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")


def _ae_title(text: str) -> str:
    """Check the AE value representation (PS3.5 6.2): 16 of the default repertoire, no backslash, not blank."""
    if not _AE_TITLE.fullmatch(text) or not text.strip():
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without a backslash, not all spaces")
    return text.strip()


def _check_digit(name: str) -> str:
    if name not in CHECK_DIGITS:
        raise ValueError(f"no such check digit; known: {', '.join(sorted(CHECK_DIGITS))}")
    return name


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=0, le=65535)]
CheckDigit = Annotated[str, AfterValidator(_check_digit)]


def is_loopback(host: str) -> bool:
    """Tell whether `host` can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gateway(_Strict):
    """Where the gateway listens. A port of 0 means any free port; `--ready-file` tells which was taken."""

    ae_title: AETitle = "HAGATEWAY"
    host: str = "127.0.0.1"
    dicom_port: Port = 11112
    hl7_port: Port = 2575
    http_port: Port = 8104
    quiet_period: float = Field(
        default=5.0,
        gt=0,
        description="Seconds without a new instance after which a study counts as complete; DICOM has no "
        "end-of-study signal.",
    )


class Caller(_Strict):
    """A remote AE that may open associations, recognised by its calling AE title."""

    ae_title: AETitle


class Destination(_Strict):
    """A remote AE that matched studies are forwarded to."""

    ae_title: AETitle
    host: str = "127.0.0.1"
    port: Port


class Forwarding(_Strict):
    """Where matched studies go (slide: the gateway as SCU), and how often a destination is tried."""

    destinations: tuple[Destination, ...] = ()
    attempts: int = Field(default=3, ge=1, description="Associations tried for a study before it counts as failed.")
    retry_after: float = Field(default=1.0, ge=0, description="Seconds before the second try; doubles each time.")


class Accession(_Strict):
    """What the site knows about its accession numbers beyond the slide's mask."""

    check_digit: CheckDigit = "opaque"
    hospital_codes: tuple[Annotated[str, Field(pattern="^[A-Z0-9]{3}$")], ...] = ()
    department_codes: tuple[Annotated[str, Field(pattern="^[A-Z0-9]{2}$")], ...] = ()


class ImageLimit(_Strict):
    """The slide's 1000 images a study: a recommendation today, a rejection "in coming future"."""

    limit: int = Field(default=1000, ge=1)
    mode: Literal["recommend", "reject"] = "recommend"
    status: Annotated[str, Field(pattern="^(A7|A9|C)[0-9A-F]+$", min_length=4, max_length=4)] = Field(
        default="A700", description="C-STORE failure status for an instance beyond the limit (PS3.4 B.2.3)."
    )


class Site(_Strict):
    """One site profile. Every field has a default, so an empty file is the default profile."""

    site: str = "default"
    gateway: Gateway = Gateway()
    callers: Literal["any"] | Annotated[tuple[Caller, ...], Field(min_length=1)] = "any"
    forwarding: Forwarding = Forwarding()
    unmatched: Literal["hold", "reject"] = "hold"
    image_limit: ImageLimit = ImageLimit()
    accession: Accession = Accession()
    dx_processing_uid: Literal["as-standard", "as-printed"] = "as-standard"
    sop_classes: Literal["seed", "extended"] = "seed"

    @model_validator(mode="after")
    def _names_its_callers_beyond_loopback(self) -> Site:
        if self.callers == "any" and not is_loopback(self.gateway.host):
            raise ValueError(
                f"a gateway that listens on {self.gateway.host} must name its callers; "
                "'callers: any' is for loopback alone"
            )
        return self

    def accession_rules(self) -> AccessionRules:
        """Return the accession number rules of this site."""
        return AccessionRules(
            check_digit=self.accession.check_digit,
            hospital_codes=frozenset(self.accession.hospital_codes),
            department_codes=frozenset(self.accession.department_codes),
        )

    def image_count_rule(self) -> ImageCountRule:
        """Return the rule about images a study."""
        return ImageCountRule(self.image_limit.limit, self.image_limit.mode == "reject")

    def storage_classes(self) -> tuple[SopClass, ...]:
        """Return the storage SOP classes that the gateway takes and sends at this site."""
        return storage_classes(
            dx_processing_as_printed=self.dx_processing_uid == "as-printed",
            extended=self.sop_classes == "extended",
        )


def load(file: Path) -> Site:
    """Return the profile in `file`. Raises `LoadError` with every mistake as file:line:column."""
    return strict_yaml.validate(Site, strict_yaml.read(file), file)


def overridden(site: Site, overrides: dict[str, Any]) -> Site:
    """Return `site` with `overrides` merged in, mapping by mapping. Raises pydantic's `ValidationError`."""
    return Site.model_validate(merged(site.model_dump(mode="json"), overrides))


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it; mappings merge, null takes a key away, anything else replaces."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
