"""Named lies: what a modality can get wrong about a person or an accession number, one thing at a time.

A lie gives the raw value that stands in the data set in place of the truth. It always differs from the truth.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from simulator.rules.accession import AccessionNumber
from simulator.synthesis import draws, people
from simulator.synthesis.orders import Order

Tell = Callable[[str, Order], str]

_CODE_CHARACTERS: Final = string.digits + string.ascii_uppercase
_HKID_CHECKS: Final = string.digits + "A"


@dataclass(frozen=True, slots=True)
class Lie:
    """One named lie.

    field: one of `studies.LIE_FIELDS`. explain: one sentence for the reader of a scenario. tell: from a seed
    text and the true order to the raw value; the same seed tells the same lie.
    """

    name: str
    field: str
    explain: str
    tell: Tell


def _another_hkid(seed: str, order: Order) -> str:
    return _first_other(order.person.hkid, lambda turn: people.person(f"{seed}/another-hkid/{turn}").hkid)


def _invalid_hkid(seed: str, order: Order) -> str:
    truth = order.person.hkid
    return truth[:-1] + _another_character(truth[-1], _HKID_CHECKS, seed)


def _another_name(seed: str, order: Order) -> str:
    return _first_other(order.person.name, lambda turn: people.person(f"{seed}/another-name/{turn}").name)


def _another_birth_date(seed: str, order: Order) -> str:
    # Always earlier than the truth: a later one could lie after the study.
    truth = datetime.strptime(order.person.birth_date, "%Y%m%d")
    return (truth - timedelta(days=1 + draws.number(3650, seed, "another-birth-date"))).strftime("%Y%m%d")


def _another_sex(seed: str, order: Order) -> str:
    return "F" if order.person.sex == "M" else "M"


def _unknown_accession(seed: str, order: Order) -> str:
    truth = AccessionNumber.parse(order.accession_number)
    step = 1 + draws.number(10**8 - 1, seed, "unknown-accession")
    return str(
        AccessionNumber.compose(
            truth.hospital,
            truth.department,
            int(truth.year),
            (int(truth.running) + step) % 10**8,
            check_digit=order.check_digit,
            opaque_check=truth.check,
        )
    )


def _wrong_check(seed: str, order: Order) -> str:
    truth = order.accession_number
    return truth[:-1] + _another_character(truth[-1], _CODE_CHARACTERS, seed)


def _always(value: str) -> Tell:
    return lambda seed, order: value


def _with_last(part: str, character: str) -> Tell:
    """Tell the true accession number with the last character of `part` replaced."""

    def tell(seed: str, order: Order) -> str:
        truth = AccessionNumber.parse(order.accession_number)
        return str(replace(truth, **{part: getattr(truth, part)[:-1] + character}))

    return tell


def _first_other(truth: str, draw: Callable[[int], str]) -> str:
    turn = 0
    while (value := draw(turn)) == truth:
        turn += 1
    return value


def _another_character(truth: str, alphabet: str, seed: str) -> str:
    return draws.choice([character for character in alphabet if character != truth], seed, "another character")


_PATIENT_ID: Final = (
    Lie("another-hkid", "patient_id", "The HKID is a valid one, but of another person.", _another_hkid),
    Lie("invalid-hkid", "patient_id", "The check character of the HKID is wrong.", _invalid_hkid),
    Lie("empty-hkid", "patient_id", "The Patient ID is empty.", _always("")),
)
_PATIENT_NAME: Final = (
    Lie("another-name", "patient_name", "The name is that of another person.", _another_name),
    Lie("empty-name", "patient_name", "The name is empty.", _always("")),
)
_BIRTH_DATE: Final = (
    Lie("another-birth-date", "patient_birth_date", "The date of birth is another valid date.", _another_birth_date),
    Lie(
        "impossible-birth-date",
        "patient_birth_date",
        "The date of birth is 30 February 1990, which no calendar has.",
        _always("19900230"),
    ),
    Lie("empty-birth-date", "patient_birth_date", "The date of birth is empty.", _always("")),
)
_SEX: Final = (
    Lie("another-sex", "patient_sex", "The sex is the other of M and F.", _another_sex),
    Lie("empty-sex", "patient_sex", "The sex is empty.", _always("")),
    Lie("unknown-sex-code", "patient_sex", "The sex is X, which is not among M, F and O.", _always("X")),
)


def _about_accession(name: str, explain: str, tell: Tell) -> Lie:
    return Lie(name, "accession_number", explain, tell)


_ACCESSION: Final = (
    _about_accession(
        "unknown-accession", "The accession number is well formed, but nobody ordered it.", _unknown_accession
    ),
    _about_accession("missing-accession", "The accession number is empty.", _always("")),
    _about_accession(
        "15-character-accession",
        "The accession number lacks its last character.",
        lambda seed, order: order.accession_number[:-1],
    ),
    _about_accession(
        "17-character-accession",
        "The accession number has one character too many; SH allows 16.",
        lambda seed, order: order.accession_number + "0",
    ),
    _about_accession("wrong-hospital", "The hospital code holds a symbol.", _with_last("hospital", "#")),
    _about_accession("wrong-department", "The department code holds a symbol.", _with_last("department", "-")),
    _about_accession("wrong-year", "The year holds a letter.", _with_last("year", "X")),
    _about_accession("wrong-running", "The running number holds a letter.", _with_last("running", "A")),
    _about_accession("wrong-check", "The check character is a symbol.", _with_last("check", "#")),
    _about_accession(
        "lower-case-accession",
        "The accession number is written in lower case.",
        lambda seed, order: order.accession_number.lower(),
    ),
    _about_accession(
        "wrong-computed-check",
        "The check character is well formed, but not the right one for this number.",
        _wrong_check,
    ),
)

LIES: Final[Mapping[str, Lie]] = MappingProxyType(
    {lie.name: lie for lie in (*_PATIENT_ID, *_PATIENT_NAME, *_BIRTH_DATE, *_SEX, *_ACCESSION)}
)
"""Every lie by the name that scenario files use."""
