"""The worksheet: the synthetic patients of a session, as the person at the modality registers them.

One page for the screen (`html`) and one for paper (`pdf`); both say the same, and nobody on it is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from jinja2 import Template

from simulator.certify import barcodes, worksheet_pdf
from simulator.certify.barcodes import Barcode
from simulator.certify.declaration import Declaration
from simulator.certify.people import SheetEntry
from simulator.report.html import environment
from simulator.rules import hkid

TITLE = "Worksheet: the patients to register"
WARNING = "SYNTHETIC PATIENTS - NOT REAL PEOPLE"
_SEXES = {"M": "male", "F": "female", "O": "other"}


@dataclass(frozen=True, slots=True)
class Line:
    """A patient as the worksheet shows it. The barcodes hold what is typed: the HKID without its parentheses."""

    number: int
    test: str
    title: str
    what: str
    order: str
    name: str
    name_in_dicom: str
    hkid: str
    hkid_in_dicom: str
    born: str
    born_in_dicom: str
    sex: str
    sex_in_dicom: str
    accession_number: str
    hkid_bars: Barcode
    accession_bars: Barcode


@dataclass(frozen=True, slots=True)
class Sheet:
    """The worksheet of a session. where: what the systems call, so that nobody has to look it up."""

    title: str
    warning: str
    facility: str
    where: str
    lines: tuple[Line, ...]


def html(entries: Sequence[SheetEntry], declaration: Declaration) -> str:
    """Return the worksheet as one HTML file that needs nothing else."""
    return _template().render(sheet=_sheet(entries, declaration))


def pdf(entries: Sequence[SheetEntry], declaration: Declaration) -> bytes:
    """Return the worksheet as PDF, A4; the same entries give the same bytes."""
    return worksheet_pdf.render(_sheet(entries, declaration))


def _sheet(entries: Sequence[SheetEntry], declaration: Declaration) -> Sheet:
    here = declaration.gateway
    where = f"Send to {here.ae_title} at {here.host}, port {here.dicom_port}"
    if here.tls is not None:
        where += f"; over TLS, port {here.tls.port}"
    lines = tuple(_line(number, entry, declaration) for number, entry in enumerate(entries, start=1))
    return Sheet(TITLE, WARNING, declaration.facility.name, where, lines)


def _line(number: int, entry: SheetEntry, declaration: Declaration) -> Line:
    order, person = entry.order, entry.order.person
    typed = hkid.canonical(person.hkid)
    return Line(
        number=number,
        test=entry.test,
        title=entry.title,
        what=" · ".join(filter(None, (_named(entry.system, declaration), entry.sop_class, order.procedure))),
        order=_who_orders(entry.ordered_by, declaration),
        name=", ".join(part for part in person.name.partition("=")[0].split("^") if part),
        name_in_dicom=person.name,
        hkid=hkid.printed(typed),
        hkid_in_dicom=typed,
        born=_day(person.birth_date),
        born_in_dicom=person.birth_date,
        sex=f"{person.sex} ({_SEXES[person.sex]})" if person.sex in _SEXES else person.sex,
        sex_in_dicom=person.sex,
        accession_number=order.accession_number,
        hkid_bars=barcodes.code128(typed),
        accession_bars=barcodes.code128(order.accession_number),
    )


def _named(name: str, declaration: Declaration) -> str:
    titles = [system.ae_title for system in declaration.systems if system.name == name]
    return f"{name} ({titles[0]})" if titles and titles[0] != name else name


def _who_orders(who: str, declaration: Declaration) -> str:
    told = {
        "tool": "The simulator sends the order; you send none.",
        "facility": f"You send the order, from {declaration.orders.system}, with this accession number.",
        "nobody": "Nobody sends an order before the study: send the study first.",
    }
    return told[who]


def _day(birth_date: str) -> str:
    try:
        day = datetime.strptime(birth_date, "%Y%m%d")
    except ValueError:
        return birth_date
    return f"{day.day} {day:%B %Y}"


@cache
def _template() -> Template:
    return environment("simulator.certify").get_template("worksheet.html.j2")
