"""Derives from a declaration the tests of its session, and says which of the others do not apply, and why.

The tests stand in `fixtures/certification.yaml`, with what each expects as literals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator import resources, strict_yaml
from simulator.certify.declaration import Declaration, System
from simulator.certify.people import SheetEntry
from simulator.certify.scene import Kind, Wanted
from simulator.errors import LoadError
from simulator.rules.accession import AccessionRules
from simulator.rules.sop_classes import SopClass, by_name
from simulator.scenario import requirements
from simulator.synthesis import orders, people
from simulator.synthesis.classes import image_class

FILE_NAME = "certification.yaml"

Each = Literal[
    "system that sends",
    "order system of the facility",
    "SOP class of a system that sends",
    "facility that sends",
    "system that asks for commitment",
    "system that receives",
]


class Expectation(BaseModel):
    """What a test expects, as literals; None where it expects nothing of the kind.

    verification: status of the C-ECHO response. order: MSA-1. answers: the statuses of all C-STORE responses. ended:
    how the last association that brought images did. state: of the study, in the end. states: that it went through, in
    this order, others between them. request: status of the N-ACTION response. report: its fate. arrivals: what the
    system answered to C-STORE requests. dispatch: its state.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    verification: str | None = None
    order: str | None = None
    answers: tuple[str, ...] | None = None
    ended: Literal["released"] | None = None
    state: str | None = None
    states: tuple[str, ...] | None = None
    request: str | None = None
    report: Literal["delivered"] | None = None
    arrivals: tuple[str, ...] | None = None
    dispatch: str | None = None

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Yield each part that is expected, by its name."""
        for name, value in self:
            if value is not None:
                yield name, list(value) if isinstance(value, tuple) else value


class Written(BaseModel):
    """A test as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    each: Each
    level: Literal["must", "should"]
    verifies: tuple[str, ...] = Field(min_length=1)
    do: str
    expect: Expectation
    attest: str = ""


@dataclass(frozen=True, slots=True)
class Test:
    """A test of this session. id: `study[CT01,CTImage]`. do, attest: for the person who drives it.

    why_not: why it does not apply; it has no entry of the worksheet then.
    """

    __test__ = False  # to pytest

    id: str
    kind: Kind
    title: str
    level: Literal["must", "should"]
    verifies: tuple[str, ...]
    do: str
    expect: Expectation
    system: System | None = None
    sop_class: SopClass | None = None
    entry: SheetEntry | None = None
    attest: str = ""
    why_not: str = ""

    @property
    def applies(self) -> bool:
        """Whether it is one of the session's tests."""
        return not self.why_not

    def wanted(self) -> Wanted:
        """Return what it wants of whom, as the diagnosis asks for it."""
        if self.entry is None:
            return Wanted(self.id, self.kind, self.system)
        person = self.entry.order.person
        return Wanted(
            self.id,
            self.kind,
            self.system,
            accession_number=self.entry.order.accession_number,
            hkid=person.hkid,
            name=person.name,
            birth_date=person.birth_date,
            sex=person.sex,
            sop_class_uid=self.sop_class.uid if self.sop_class else "",
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    """For whom a test is made, or why for nobody."""

    system: System | None = None
    sop_class: SopClass | None = None
    why_not: str = ""


def written() -> dict[str, Written]:
    """Return the tests of the file, by their kind. Raises `LoadError`."""
    file = resources.folder("fixtures", FILE_NAME) / FILE_NAME
    document = strict_yaml.read(file)
    found = {str(kind): strict_yaml.validate(Written, document[kind], file, [(document, (kind,))]) for kind in document}
    known = requirements.register()
    for kind, each in found.items():
        if unknown := [identifier for identifier in each.verifies if identifier not in known]:
            raise LoadError.of(Path(file), f"{kind}: there is no requirement {unknown[0]}")
    return found


def programme(declared: Declaration, seed: int) -> tuple[Test, ...]:
    """Return every test in its order, those that do not apply with the reason.

    The same seed gives the same patients and accession numbers.
    """
    tests = []
    for kind, each in written().items():
        for subject in _subjects(each.each, declared):
            tests.append(_test(kind, each, subject, declared, seed))
    return tuple(tests)


def sheet(tests: tuple[Test, ...]) -> tuple[SheetEntry, ...]:
    """Return the lines of the worksheet."""
    return tuple(test.entry for test in tests if test.entry is not None)


def _subjects(each: Each, declared: Declaration) -> list[_Subject]:
    sending = [system for system in declared.systems if "sends" in system.does]
    found: dict[Each, list[_Subject]] = {
        "system that sends": [_Subject(system) for system in sending],
        "order system of the facility": [_Subject()] if declared.orders.sent_by == "facility" else [],
        "SOP class of a system that sends": [
            _Subject(system, by_name(name)) for system in sending for name in system.sop_classes
        ],
        "facility that sends": [_Subject(system, by_name(system.sop_classes[0])) for system in sending[:1]],
        "system that asks for commitment": [
            _Subject(system, by_name(system.sop_classes[0])) for system in sending if "commitment" in system.does
        ],
        "system that receives": [
            _Subject(system, by_name(system.sop_classes[0])) for system in declared.systems if "receives" in system.does
        ],
    }
    return found[each] or [_Subject(why_not=_NOBODY[each])]


_NOBODY: Mapping[Each, str] = {
    "system that sends": "no system of the declaration sends images",
    "order system of the facility": "the declaration says that the tool sends the orders (orders.sent_by)",
    "SOP class of a system that sends": "no system of the declaration sends images",
    "facility that sends": "no system of the declaration sends images",
    "system that asks for commitment": "no system of the declaration asks for storage commitment",
    "system that receives": "no system of the declaration receives images",
}
_HAVE_PATIENTS = frozenset(("order", "study", "unmatched", "commitment", "receive"))


def _test(kind: str, each: Written, subject: _Subject, declared: Declaration, seed: int) -> Test:
    named = [subject.system.name] if subject.system else []
    named += [subject.sop_class.keyword.removesuffix("Storage")] if subject.sop_class else []
    # A kind that is made once for a facility needs no more than the system's name.
    shown = named if each.each == "SOP class of a system that sends" else named[:1]
    identity = f"{kind}[{','.join(shown)}]" if shown else kind
    entry = None
    if not subject.why_not and kind in _HAVE_PATIENTS:
        entry = _entry(identity, kind, each, subject, declared, seed)
    words = _words(subject, declared, entry)
    return Test(
        id=identity,
        kind=kind,  # type: ignore[arg-type]  # the keys of the file are kinds, and a test says so
        title=each.title.format_map(words),
        level=each.level,
        verifies=each.verifies,
        do=each.do.format_map(words),
        expect=each.expect,
        system=subject.system,
        sop_class=subject.sop_class,
        entry=entry,
        attest=each.attest.format_map(words),
        why_not=subject.why_not,
    )


def _entry(identity: str, kind: str, each: Written, subject: _Subject, declared: Declaration, seed: int) -> SheetEntry:
    drawn = f"{seed}/{identity}"
    rules = AccessionRules(hospital_codes=frozenset((declared.facility.hospital_code,)))
    modality = image_class(subject.sop_class).modality if subject.sop_class else "CT"
    order = orders.order(drawn, people.person(drawn), modality=modality, rules=rules)
    ordered_by = "nobody" if kind == "unmatched" else "tool" if kind == "receive" else declared.orders.sent_by
    system = subject.system.name if subject.system else declared.orders.system
    sop_class = subject.sop_class.name if subject.sop_class else ""
    return SheetEntry(identity, each.title.format_map(_words(subject, declared)), system, sop_class, order, ordered_by)


def _words(subject: _Subject, declared: Declaration, entry: SheetEntry | None = None) -> dict[str, str]:
    here, system = declared.gateway, subject.system
    port = here.tls.port if system is not None and system.tls and here.tls is not None else here.dicom_port
    return {
        "system": system.name if system else "a system",
        "listener": f"{system.host}:{system.port}" if system else "its port",
        "orders": declared.orders.system,
        "gateway": f"{here.ae_title}@{here.host}:{port}",
        "hl7": f"{here.host}:{here.hl7_port} (MLLP)",
        "sop_class": subject.sop_class.name if subject.sop_class else "a class",
        "patient": entry.order.person.name.replace("^", " ") if entry else "the patient",
        "accession": entry.order.accession_number if entry else "of the worksheet",
    }
