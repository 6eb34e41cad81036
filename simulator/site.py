"""The site profile: AE titles, hosts, ports and policies of one gateway, as one validated model.

What the slides leave open is a named setting here, with a default that fails nobody on a guess.
The profile is read from YAML (`fixtures/sites/*.yaml` has examples); every mistake is reported with its place.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml.comments import CommentedMap

from simulator import strict_yaml
from simulator.errors import LoadError, Problem
from simulator.quantities import Duration, Size
from simulator.rules import hkid
from simulator.rules.accession import CHECK_DIGITS, AccessionRules
from simulator.rules.image_count import ImageCountRule
from simulator.rules.sop_classes import SopClass, by_name, storage_classes

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


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"no IP address or network such as 192.0.2.7 or 192.0.2.0/24 ({error})") from error
    return text


def _contains(network: str, address: str) -> bool:
    caller = ipaddress.ip_address(address.partition("%")[0])
    mapped = caller.ipv4_mapped if isinstance(caller, ipaddress.IPv6Address) else None
    return (mapped or caller) in ipaddress.ip_network(network)


def _sop_class(name: str) -> str:
    try:
        by_name(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    return name


AETitle = Annotated[str, AfterValidator(_ae_title)]
SopClassName = Annotated[str, AfterValidator(_sop_class)]
Port = Annotated[int, Field(ge=0, le=65535)]
CheckDigit = Annotated[str, AfterValidator(_check_digit)]
Network = Annotated[str, AfterValidator(_network)]


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


class Tls(_Strict):
    """DICOM TLS (PS3.15 B.10): the gateway's own certificate, and whose certificates it takes. Files in PEM.

    A relative path is relative to the profile's file.
    """

    port: Port | Literal["off"] = Field(default=2762, description="`off`: TLS for sending alone.")
    certificate: Path = Field(description="The gateway's certificate, with those between it and its CA.")
    key: Path = Field(description="Its private key, without a password.")
    ca: Path | None = Field(
        default=None, description="Certificates of the CAs that callers' and destinations' certificates come from."
    )
    client_certificates: Literal["none", "required"] = Field(
        default="none", description="Whether a caller must present a certificate that `ca` issued."
    )

    @model_validator(mode="after")
    def _knows_whom_to_believe(self) -> Tls:
        if self.client_certificates == "required" and self.ca is None:
            raise ValueError("client_certificates: required needs `ca`, the CA that issues the callers' certificates")
        return self


class TimeOuts(_Strict):
    """Seconds after which the gateway ends what does not go on; each ending is an event and a line in the log."""

    acse: float = Field(default=30.0, gt=0, description="For A-ASSOCIATE-RQ or a TLS handshake; as SCU, for an answer.")
    dimse: float = Field(default=60.0, gt=0, description="For the rest of a DIMSE message; as SCU, for a response.")
    pdu: float = Field(default=30.0, gt=0, description="For the rest of a PDU, or of an HL7 block.")
    idle: float = Field(default=600.0, gt=0, description="For the next PDU on an open association.")


class Gateway(_Strict):
    """Where the gateway listens. A port of 0 means any free port; `--ready-file` tells which was taken."""

    ae_title: AETitle = Field(default="HAGATEWAY", description="AE title, both called and calling.")
    host: str = Field(default="127.0.0.1", description="Address to listen on for DICOM and HL7.")
    dicom_port: Port | Literal["off"] = Field(
        default=11112, description="TCP port for DICOM; 0 takes any free one. `off`: DICOM over TLS alone."
    )
    tls: Tls | None = Field(default=None, description="DICOM over TLS, beside the port without it or instead of it.")
    maximum_associations: int = Field(default=100, ge=1, description="Open at once; one more is rejected transient.")
    time_outs: TimeOuts = TimeOuts()
    hl7_port: Port = Field(default=2575, description="TCP port for HL7 over MLLP; 0 takes any free one.")
    http_port: Port = Field(default=8104, description="TCP port of the HTTP API, on loopback; 0 takes any free one.")
    quiet_period: float = Field(
        default=5.0,
        gt=0,
        description="Seconds without a new instance after which a study counts as complete; DICOM has no "
        "end-of-study signal.",
    )

    @model_validator(mode="after")
    def _listens_for_dicom(self) -> Gateway:
        if self.dicom_port == "off" and (self.tls is None or self.tls.port == "off"):
            raise ValueError("dicom_port: off needs `tls` with a port, or nobody can send anything")
        return self


class Caller(_Strict):
    """A remote AE that may open associations, recognised by its calling AE title, and its address where it has one."""

    ae_title: AETitle = Field(description="Calling AE title.")
    addresses: tuple[Network, ...] = Field(
        default=(), description="IP addresses or networks (192.0.2.7, 192.0.2.0/24) that it calls from; none: any."
    )
    host: str | None = Field(
        default=None, min_length=1, description="Where it listens for storage commitment reports on a new association."
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None, description="TCP port that it listens on for storage commitment reports."
    )
    tls: bool = Field(default=False, description="Reports go over DICOM TLS, with what `gateway.tls` says.")
    certificate_name: str = Field(default="", description="The name in its certificate, where it is not `host`.")

    @model_validator(mode="after")
    def _listens_somewhere_or_nowhere(self) -> Caller:
        if (self.host is None) != (self.port is None):
            raise ValueError("host and port go together: where the caller listens for storage commitment reports")
        return self

    def calls_from(self, address: str) -> bool:
        """Tell whether the AE may call from this IP address."""
        return not self.addresses or any(_contains(network, address) for network in self.addresses)


class Destination(_Strict):
    """A remote AE that matched studies are forwarded to."""

    ae_title: AETitle = Field(description="AE title that is called.")
    host: str = Field(default="127.0.0.1", description="Where it listens.")
    port: Port = Field(description="TCP port that it listens on.")
    tls: bool = Field(default=False, description="Send over DICOM TLS, with what `gateway.tls` says.")
    certificate_name: str = Field(
        default="", description="The name in the destination's certificate, where it is not `host`."
    )
    forward: Literal["matched", "by-hand"] = Field(
        default="matched", description="matched: every study that is matched goes there by itself; by-hand: none does."
    )
    sop_classes: tuple[SopClassName, ...] = Field(
        default=(), description="By itself goes what is of these SOP classes (name, keyword or UID); empty: everything."
    )

    commitment: bool = Field(
        default=False,
        description="Whether it is asked for storage commitment; what it has not committed to is not forwarded yet.",
    )

    def sop_class_uids(self) -> frozenset[str]:
        """Return the SOP Class UIDs of what goes there by itself; empty for everything."""
        return frozenset(by_name(name).uid for name in self.sop_classes)


class Forwarding(_Strict):
    """Where matched studies go (slide: the gateway as SCU), and how often a destination is tried."""

    destinations: tuple[Destination, ...] = Field(default=(), description="Remote AEs that studies are sent to.")
    attempts: int = Field(
        default=10, ge=1, description="Tries at a destination before what it is to get counts as failed."
    )
    retry_after: float = Field(default=1.0, ge=0, description="Seconds before the second try; doubles each time.")
    retry_at_most: float = Field(default=300.0, ge=0, description="Seconds between two tries, at most.")
    report_within: float = Field(
        default=600.0, gt=0, description="Seconds to wait for a storage commitment report before asking again."
    )

    @model_validator(mode="after")
    def _names_each_destination_once(self) -> Forwarding:
        names = [each.ae_title for each in self.destinations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two destinations have the AE title {', '.join(twice)}; each needs its own")
        return self


class Commitment(_Strict):
    """How often a storage commitment report is tried (PS3.4 Annex J) before it is abandoned."""

    attempts: int = Field(default=20, ge=1, description="Tries of a report before it is abandoned.")
    retry_after: float = Field(
        default=5.0, ge=0, description="Seconds before the second try; doubles each time, up to an hour."
    )


class Accession(_Strict):
    """What the site knows about its accession numbers beyond the slide's mask."""

    check_digit: CheckDigit = Field(default="opaque", description="How the check digit is computed; opaque: it is not.")
    hospital_codes: tuple[Annotated[str, Field(pattern="^[A-Z0-9]{3}$")], ...] = Field(
        default=(), description="Hospital codes that are known; none: any three of A-Z 0-9."
    )
    department_codes: tuple[Annotated[str, Field(pattern="^[A-Z0-9]{2}$")], ...] = Field(
        default=(), description="Department codes that are known; none: any two of A-Z 0-9."
    )


class Hl7(_Strict):
    """How the site's HL7 messages are to be read."""

    accession_location: Literal["by-message-type", "OBR-2", "OBR-3", "OBR-18", "ORC-2", "ORC-3", "IPC-1"] = Field(
        default="by-message-type",
        description="Where orders have the accession number; by-message-type: IPC-1 in OMI^O23, OBR-18 in the others.",
    )


class ImageLimit(_Strict):
    """The slide's 1000 images a study: a recommendation today, a rejection "in coming future"."""

    limit: int = Field(default=1000, ge=1, description="Images a study.")
    mode: Literal["recommend", "reject"] = Field(
        default="recommend", description="recommend: more are taken with a warning. reject: one more is refused."
    )
    status: Annotated[str, Field(pattern="^(A7|A9|C)[0-9A-F]+$", min_length=4, max_length=4)] = Field(
        default="A700", description="C-STORE failure status for an instance beyond the limit (PS3.4 B.2.3)."
    )


class Logs(_Strict):
    """What the gateway's log says."""

    level: Literal["debug", "info", "warning"] = Field(default="info", description="The least that is worth a line.")
    mask: bool = Field(default=True, description="Mask names, HKIDs and dates of birth, in the audit log too.")


class Storage(_Strict):
    """The gateway's own storage, which is temporary (slide: store and forward)."""

    keep_free: Size = Field(
        default=256 << 20,
        description="Room on the disk that instances may not take, in bytes or as `1 GiB`: below it they are refused.",
    )
    retention: Duration | Literal["never"] = Field(
        default="never",
        description="How long a study is kept after it was forwarded, in seconds or as `30 d`; never: nothing is "
        "purged. What was not forwarded is never purged.",
    )


Part = Literal["sends", "receives", "orders", "commitment", "tls"]
"""What a facility does: sends images, receives them, sends orders, asks for storage commitment, speaks DICOM TLS."""


class Facility(_Strict):
    """The facility at this site: which stories are about it."""

    does: Annotated[tuple[Part, ...], Field(min_length=1)] = Field(
        default=("sends", "receives", "orders", "commitment", "tls"),
        description="sends images, receives them, sends HL7 orders, asks for storage commitment, speaks DICOM TLS.",
    )


class Site(_Strict):
    """One site profile. Every field has a default, so an empty file is the default profile."""

    site: str = Field(default="default", description="Name of the profile.")
    facility: Facility = Facility()
    gateway: Gateway = Gateway()
    callers: Literal["any"] | Annotated[tuple[Caller, ...], Field(min_length=1)] = Field(
        default="any", description="Remote AEs that may open associations; any: all, on loopback alone."
    )
    promiscuous: bool = Field(
        default=False, description="Take associations of any caller beyond loopback too: for a test, not for patients."
    )
    forwarding: Forwarding = Forwarding()
    commitment: Commitment = Commitment()
    storage: Storage = Storage()
    unmatched: Literal["hold", "reject", "correct"] = Field(
        default="hold",
        description="What is done with an unmatched study. `correct` writes its order's keys into the forwarded copies "
        "where the accession number is the order's and two of HKID, name and date of birth agree; it holds the rest.",
    )
    only_hkid_prefixes: tuple[Annotated[str, Field(pattern="^[A-Z]{1,2}$")], ...] = Field(
        default=(),
        description="For tests: the letters of HKIDs of synthetic people (`Q`). Nothing of anybody else is kept: "
        "instances are answered 0124, messages AE. Empty: everybody is taken.",
    )
    image_limit: ImageLimit = ImageLimit()
    accession: Accession = Accession()
    hl7: Hl7 = Hl7()
    dx_processing_uid: Literal["as-standard", "as-printed"] = Field(
        default="as-standard",
        description="The UID of Digital X-Ray Image Storage - For Processing: that of PS3.6, or the slide's.",
    )
    sop_classes: Literal["seed", "extended"] = Field(
        default="seed", description="Storage SOP classes: those of the slide, or those that most likely followed too."
    )
    logs: Logs = Logs()

    @model_validator(mode="after")
    def _names_its_callers_beyond_loopback(self) -> Site:
        if self.promiscuous and self.callers != "any":
            raise ValueError("promiscuous takes any caller, and `callers` names some: leave one of the two out")
        if self.callers == "any" and not self.promiscuous and not is_loopback(self.gateway.host):
            raise ValueError(
                f"a gateway that listens on {self.gateway.host} must name its callers; "
                "'callers: any' is for loopback alone, or write 'promiscuous: true' beside it"
            )
        return self

    @model_validator(mode="after")
    def _can_send_over_tls(self) -> Site:
        callers = () if self.callers == "any" else self.callers
        remotes: tuple[Destination | Caller, ...] = (*self.forwarding.destinations, *callers)
        secured = [remote.ae_title for remote in remotes if remote.tls]
        if secured and (self.gateway.tls is None or self.gateway.tls.ca is None):
            raise ValueError(f"{secured[0]} is called over TLS, which needs `gateway.tls` with its `ca`")
        return self

    def takes_patient(self, patient_id: str) -> bool:
        """Tell whether anything of a patient with this HKID is kept."""
        return not self.only_hkid_prefixes or hkid.begins_with(patient_id, self.only_hkid_prefixes)

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
    content = strict_yaml.read(file)
    site = with_files_from(strict_yaml.validate(Site, content, file), file.parent)
    if problems := list(_missing_files(site, content, file)):
        raise LoadError(problems)
    return site


def load_named(file: Path) -> Site:
    """Return the profile in `file`; one that does not name its site is named after the file. Raises as `load` does."""
    site = load(file)
    if site.site == Site().site:
        return site.model_copy(update={"site": file.stem})  # a report must not take it for the default one
    return site


def _missing_files(site: Site, content: CommentedMap, file: Path) -> Iterator[Problem]:
    """Yield every file that the profile names and that is not there."""
    for key, named in _files(site.gateway.tls).items():
        if not named.is_file():
            line, column = strict_yaml.place([(content, ())], ("gateway", "tls", key))
            message = f"gateway.tls.{key}: there is no file {named}"
            yield Problem(str(file), line, column, message, "`simulate certs` makes a set to try")


def with_files_from(site: Site, folder: Path) -> Site:
    """Return `site` with the files that its relative paths name taken from `folder`."""
    tls = site.gateway.tls
    if tls is None:
        return site
    absolute = tls.model_copy(update={key: folder.absolute() / value for key, value in _files(tls).items()})
    return site.model_copy(update={"gateway": site.gateway.model_copy(update={"tls": absolute})})


def _files(tls: Tls | None) -> dict[str, Path]:
    return {key: value for key in ("certificate", "key", "ca") if (value := getattr(tls, key, None)) is not None}


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
