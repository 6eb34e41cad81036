"""Radiology orders: what the ordering side knows about a study before it is made."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simulator.rules.accession import AccessionNumber, AccessionRules
from simulator.synthesis import draws
from simulator.synthesis.people import Person
from simulator.synthesis.uids import uid

HOSPITAL: Final = "SYN"
"""The hospital code of synthetic accession numbers, unless the site lists its own."""

DEPARTMENTS: Final = {"CR": "XR", "DX": "XR", "IO": "XR", "HC": "XR"}
"""Department code by modality where it is not the modality's own two letters."""

PROCEDURES: Final = {
    "CR": "CHEST X-RAY",
    "CT": "CT ABDOMEN",
    "DX": "CHEST X-RAY",
    "ES": "ENDOSCOPY",
    "GM": "HISTOLOGY",
    "HC": "FILM COPY",
    "IO": "INTRA-ORAL X-RAY",
    "MG": "MAMMOGRAPHY",
    "MR": "MR BRAIN",
    "NM": "BONE SCAN",
    "OT": "DOCUMENT",
    "PT": "PET WHOLE BODY",
    "RF": "BARIUM SWALLOW",
    "SM": "SLIDE MICROSCOPY",
    "US": "US ABDOMEN",
    "XA": "CORONARY ANGIOGRAPHY",
    "XC": "CLINICAL PHOTOGRAPHY",
}
"""What is ordered, by modality; any other modality is its own procedure text."""

_FIRST_DAY: Final = datetime(2023, 1, 1)  # naive on purpose: DICOM and HL7 times here carry no zone
_MINUTES: Final = 3 * 365 * 24 * 60
_CHECK_CHARACTERS: Final = string.ascii_uppercase  # the slide's example ends in a letter; lower case shows in it

_ANY_CODES: Final = AccessionRules()


@dataclass(frozen=True, slots=True)
class Order:
    """One order for one study.

    accession_number: 16 characters (slide). study_instance_uid: assigned by the ordering side (HL7 ZDS-1).
    modality: DICOM Defined Term (PS3.3 C.7.3.1.1.1). procedure: free text. ordered_at: `YYYYMMDDHHMMSS`.
    check_digit: the strategy (`rules.accession.CHECK_DIGITS`) by which the number was composed.
    """

    accession_number: str
    placer_order_number: str
    filler_order_number: str
    requested_procedure_id: str
    study_instance_uid: str
    modality: str
    procedure: str
    person: Person
    ordered_at: str
    check_digit: str = "opaque"


def order(seed: str, person: Person, *, modality: str = "CT", rules: AccessionRules = _ANY_CODES) -> Order:
    """Return the order that belongs to `seed`, `person` and `modality`.

    Its accession number follows `rules`: the check digit, and where the site has lists of codes a code of theirs
    (the modality's own department where that is listed).

    Its time lies in 2023 to 2025 and comes from the seed, never from the clock; its year is the accession
    number's. Raises ValueError for a modality that does not begin with two capital letters.
    """
    key = ("order", seed, person.hkid, modality)
    ordered_at = _FIRST_DAY + timedelta(minutes=draws.number(_MINUTES, *key, "time"))
    running = draws.number(10**8, *key, "running")
    accession_number = AccessionNumber.compose(
        _listed(HOSPITAL, rules.hospital_codes),
        _listed(department(modality), rules.department_codes),
        ordered_at.year % 100,
        running,
        check_digit=rules.check_digit,
        opaque_check=draws.choice(_CHECK_CHARACTERS, *key, "check"),
    )
    return Order(
        accession_number=str(accession_number),
        placer_order_number=f"P{running:08d}",
        filler_order_number=f"F{running:08d}",
        requested_procedure_id=f"RP{running:08d}",
        study_instance_uid=uid("study", *key),
        modality=modality,
        procedure=PROCEDURES.get(modality, modality),
        person=person,
        ordered_at=ordered_at.strftime("%Y%m%d%H%M%S"),
        check_digit=rules.check_digit,
    )


def department(modality: str) -> str:
    """Return the department code of an accession number for `modality`.

    Raises ValueError for a modality that does not begin with two capital letters.
    """
    code = DEPARTMENTS.get(modality, modality[:2])
    if len(code) != 2 or not set(code) <= set(string.ascii_uppercase):
        raise ValueError(f"no department code for modality {modality!r}; known: {', '.join(sorted(PROCEDURES))}")
    return code


def _listed(code: str, listed: frozenset[str]) -> str:
    """Return `code` where the site lists it or lists none, else the first that it lists."""
    return code if not listed or code in listed else min(listed)
