"""What a facility declares of itself before its session: who is where, who does what, and with which SOP classes.

It is read from YAML (`fixtures/facilities/*.yaml` has examples); every mistake is told with its place, and with its
field. The tests of the session are derived from it (`programme`).
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from simulator import strict_yaml
from simulator.errors import LoadError, Problem
from simulator.rules.sop_classes import by_name, storage_classes
from simulator.rules.transfer_syntaxes import ACCEPTED
from simulator.site import AETitle, SopClassName, Tls
from simulator.synthesis import compression

ListeningPort = Annotated[int, Field(ge=1, le=65535)]
Role = Literal["sends", "receives", "commitment"]
"""What a system does: sends images, receives them, asks for storage commitment of what it sent."""

_NAME = "^[A-Za-z][A-Za-z0-9-]{0,15}$"
_WIDE = 4096  # characters in a line of YAML: none is folded
DEFAULT_SYNTAXES = ("ExplicitVRLittleEndian", "ImplicitVRLittleEndian")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _transfer_syntax(name: str) -> str:
    try:
        syntax = compression.by_name(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    if syntax.uid not in ACCEPTED:
        raise ValueError(f"the gateway does not take {name}")
    return name


def _taken_class(name: str) -> str:
    if by_name(name) not in storage_classes():
        raise ValueError(f"the gateway does not take {by_name(name).name} (slide AE Specifications)")
    return name


TakenClassName = Annotated[SopClassName, AfterValidator(_taken_class)]
TransferSyntaxName = Annotated[str, AfterValidator(_transfer_syntax)]


class Facility(_Strict):
    """Whose session it is."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="Name of the hospital or centre.")
    hospital_code: Annotated[str, Field(pattern="^[A-Z0-9]{3}$")] = Field(
        default="XXX", description="The first three characters of its accession numbers (slide: hospital)."
    )


class Here(_Strict):
    """Where the facility's systems find the gateway: this machine, as they call it."""

    ae_title: AETitle = Field(default="HAGATEWAY", description="AE title that the systems call.")
    host: str = Field(default="127.0.0.1", description="Address of this machine, as the systems reach it.")
    dicom_port: ListeningPort = Field(default=11112, description="TCP port for DICOM.")
    hl7_port: ListeningPort = Field(default=2575, description="TCP port for HL7 over MLLP.")
    tls: Tls | None = Field(default=None, description="DICOM over TLS, beside the port without it.")

    @model_validator(mode="after")
    def _has_a_port_for_each(self) -> Here:
        ports = [self.dicom_port, self.hl7_port, *([self.tls.port] if self.tls is not None else [])]
        if twice := [port for port in ports if ports.count(port) > 1]:
            raise ValueError(f"each of DICOM, HL7 and TLS needs a port of its own, and {twice[0]} is named twice")
        return self


class System(_Strict):
    """A modality, PACS or archive of the facility."""

    name: Annotated[str, Field(pattern=_NAME)] = Field(description="What people call it, such as CT01.")
    ae_title: AETitle = Field(description="Its AE title, calling and called.")
    host: Annotated[str, Field(min_length=1)] = Field(description="Its address.")
    port: ListeningPort | None = Field(
        default=None, description="Where it listens: for images, and for storage commitment reports."
    )
    does: Annotated[tuple[Role, ...], Field(min_length=1)] = Field(
        description="sends images, receives them, asks for storage commitment."
    )
    sop_classes: tuple[TakenClassName, ...] = Field(default=(), description="Of the images that it sends or receives.")
    transfer_syntaxes: Annotated[tuple[TransferSyntaxName, ...], Field(min_length=1)] = Field(
        default=DEFAULT_SYNTAXES, description="In which it sends them."
    )
    tls: bool = Field(default=False, description="It speaks DICOM over TLS.")

    @model_validator(mode="after")
    def _can_do_what_it_does(self) -> System:
        if not self.sop_classes and {"sends", "receives"} & set(self.does):
            raise ValueError(f"name the `sop_classes` of the images that {self.name} sends or receives")
        if self.port is None and {"receives", "commitment"} & set(self.does):
            raise ValueError(f"name the `port` on which {self.name} listens: the gateway calls it for that")
        if "commitment" in self.does and "sends" not in self.does:
            raise ValueError(f"who asks for commitment of what it sent `sends` too, and so does {self.name}")
        return self


class Orders(_Strict):
    """Who sends the HL7 orders of the session."""

    sent_by: Literal["tool", "facility"] = Field(
        default="tool", description="tool: the simulator sends each order itself. facility: its own RIS does."
    )
    system: str = Field(default="RIS", description="What people call the system that sends orders.")


class Waiver(_Strict):
    """A test that need not pass, who answers for that, why, and how long."""

    test: str = Field(description="The id of the test, as `certify status` lists it.")
    owner: Annotated[str, Field(min_length=1)] = Field(description="Who answers for it.")
    reason: Annotated[str, Field(min_length=1)] = Field(description="Why it need not pass.")
    expires: date = Field(description="The last day on which it counts, as 2027-03-31.")


class Declaration(_Strict):
    """A facility and its systems."""

    facility: Facility
    gateway: Here = Here()
    systems: Annotated[tuple[System, ...], Field(min_length=1)] = Field(description="The systems to be tested.")
    orders: Orders = Orders()
    minutes: Annotated[float, Field(gt=0, le=240)] = Field(default=10.0, description="For each test, at most.")
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Declaration:
        for what, names in (
            ("name", [system.name for system in self.systems]),
            ("AE title", [system.ae_title for system in self.systems]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two systems have the {what} {twice[0]}; each needs its own")
        if any(system.tls for system in self.systems) and self.gateway.tls is None:
            raise ValueError("a system speaks DICOM over TLS, so `gateway` needs its `tls`")
        return self

    @model_validator(mode="after")
    def _can_speak_tls(self) -> Declaration:
        here = self.gateway.tls
        for system in self.systems:
            if not system.tls or here is None:
                continue
            if system.port is not None and here.ca is None:
                raise ValueError(
                    f"the system {system.name} is called over TLS, which needs `gateway.tls` with its `ca`"
                )
            if "sends" in system.does and here.port == "off":
                raise ValueError(f"the system {system.name} sends over TLS, which needs a `port` in `gateway.tls`")
        return self

    def system(self, name: str) -> System:
        """Return the system of this name. Raises `KeyError`."""
        return next(system for system in self.systems if system.name == name)


Resolve = Callable[[str], object]


def load(file: Path, resolve: Resolve | None = None, *, files: bool = True) -> Declaration:
    """Return the declaration in `file`. Raises `LoadError` with every mistake as file:line:column.

    A host that does not resolve is one, and so is a file that it names and that is not there. resolve: raises
    `OSError` for such a host. files: whether they are looked for.
    """
    content = strict_yaml.read(file)
    declared = _with_files_from(strict_yaml.validate(Declaration, content, file), file.parent)
    problems = []
    for key, named in _files(declared.gateway.tls).items():
        if files and not named.is_file():
            line, column = strict_yaml.place([(content, ())], ("gateway", "tls", key))
            message = f"gateway.tls.{key}: there is no file {named}"
            problems.append(Problem(str(file), line, column, message, "`simulate certs` makes a set to try"))
    for path, host in _hosts(declared):
        if problem := unresolved(host, resolve):
            line, column = strict_yaml.place([(content, ())], path)
            where = ".".join(str(part) for part in path)
            problems.append(
                Problem(str(file), line, column, f"{where}: {problem}", "write an address, or mend the DNS")
            )
    if problems:
        raise LoadError(problems)
    return declared


def copy(file: Path, to: Path) -> None:
    """Copy a declaration that was loaded before; files that it names by relative paths are named by whole ones."""
    content = strict_yaml.read(file)
    declared = strict_yaml.validate(Declaration, content, file)
    relative = {key: named for key, named in _files(declared.gateway.tls).items() if not named.is_absolute()}
    if not relative:
        shutil.copyfile(file, to)
        return
    for key, named in relative.items():
        content["gateway"]["tls"][key] = str(file.parent.absolute() / named)
    yaml = YAML()
    yaml.width = _WIDE
    with to.open("w", encoding="utf-8") as out:
        yaml.dump(content, out)


def _with_files_from(declared: Declaration, folder: Path) -> Declaration:
    """Return a declaration with the files that its relative paths name taken from `folder`."""
    here = declared.gateway
    if here.tls is None:
        return declared
    tls = here.tls.model_copy(update={key: folder.absolute() / named for key, named in _files(here.tls).items()})
    return declared.model_copy(update={"gateway": here.model_copy(update={"tls": tls})})


def _files(tls: Tls | None) -> dict[str, Path]:
    return {key: value for key in ("certificate", "key", "ca") if (value := getattr(tls, key, None)) is not None}


def unresolved(host: str, resolve: Resolve | None = None) -> str:
    """Return why a host has no address, in words; empty where it has one."""
    try:
        (resolve or _resolve)(host)
    except (OSError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"the host {host!r} does not resolve ({words})"
    return ""


def _resolve(host: str) -> object:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)


def _hosts(declared: Declaration) -> Iterator[tuple[tuple[int | str, ...], str]]:
    yield ("gateway", "host"), declared.gateway.host
    for number, system in enumerate(declared.systems):
        yield ("systems", number, "host"), system.host
