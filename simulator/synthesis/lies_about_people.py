"""Lies about HKID, date of birth and sex, and about all the major keys at once (slide "4 Major Keys")."""

from __future__ import annotations

import string
from datetime import datetime, timedelta
from typing import Final

from simulator.rules import hkid
from simulator.synthesis import draws, people
from simulator.synthesis.draft import Values
from simulator.synthesis.lie import Lie, Tell, absent, always, another_character, first_other, one_value
from simulator.synthesis.orders import Order

_HKID_CHECKS: Final = string.digits + "A"
_IDENTITY: Final = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


def _another_hkid(seed: str, order: Order) -> str:
    return first_other(order.person.hkid, lambda turn: people.person(f"{seed}/another-hkid/{turn}").hkid)


def _invalid_hkid(seed: str, order: Order) -> str:
    truth = order.person.hkid
    return truth[:-1] + another_character(truth[-1], _HKID_CHECKS, seed)


def _spaced_hkid(seed: str, order: Order) -> str:
    number = order.person.hkid
    return f"{number[:-7]} {number[-7:-1]} {number[-1]}"


def _another_birth_date(seed: str, order: Order) -> str:
    # Always earlier than the truth: a later one could lie after the study.
    truth = datetime.strptime(order.person.birth_date, "%Y%m%d")
    return (truth - timedelta(days=1 + draws.number(3650, seed, "another-birth-date"))).strftime("%Y%m%d")


def _birth_date_with(mark: str) -> Tell:
    """Tell the true date with `mark` between year, month and day."""

    def tell(seed: str, order: Order) -> str:
        truth = order.person.birth_date
        return mark.join((truth[:4], truth[4:6], truth[6:]))

    return tell


def _birth_date_as_range(seed: str, order: Order) -> str:
    truth = datetime.strptime(order.person.birth_date, "%Y%m%d")
    return f"{truth:%Y%m%d}-{truth + timedelta(days=1):%Y%m%d}"


def _spelled_out_sex(seed: str, order: Order) -> str:
    return {"F": "female", "M": "male"}.get(order.person.sex, "other")


def _another_sex(seed: str, order: Order) -> str:
    return "F" if order.person.sex == "M" else "M"


def _neither_sex(seed: str, order: Order) -> str:
    return "M" if order.person.sex == "O" else "O"


def _another_person(seed: str, order: Order) -> Values:
    turn = 0
    while (other := people.person(f"{seed}/another-person/{turn}")).hkid == order.person.hkid:
        turn += 1
    return {
        "PatientID": other.hkid,
        "PatientName": other.name,
        "PatientBirthDate": other.birth_date,
        "PatientSex": other.sex,
    }


def _hkid(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return one_value("PatientID", reason, name, explain, tell)


def _birth_date(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return one_value("PatientBirthDate", reason, name, explain, tell)


def _sex(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return one_value("PatientSex", reason, name, explain, tell)


_HKIDS: Final = (
    _hkid("hkid.mismatch", "another-hkid", "The HKID is a valid one, but of another person.", _another_hkid),
    _hkid("hkid.invalid", "invalid-hkid", "The check character of the HKID is wrong.", _invalid_hkid),
    _hkid(
        "hkid.invalid",
        "invalid-hkid-in-parentheses",
        "The HKID is written as the card prints it, with a wrong check character in the parentheses.",
        lambda seed, order: hkid.printed(_invalid_hkid(seed, order)),
    ),
    _hkid(
        "hkid.invalid",
        "hkid-without-check",
        "The check character of the HKID is left out, so that nobody can verify the number.",
        lambda seed, order: order.person.hkid[:-1],
    ),
    _hkid("hkid.missing", "empty-hkid", "The Patient ID is empty.", always("")),
    _hkid(
        "",
        "hkid-in-parentheses",
        "The HKID is written as the card prints it, the check character in parentheses.",
        lambda seed, order: hkid.printed(order.person.hkid),
    ),
    _hkid(
        "", "lower-case-hkid", "The HKID is written in small letters.", lambda seed, order: order.person.hkid.lower()
    ),
    _hkid("", "spaced-hkid", "Spaces part the letters, the digits and the check character.", _spaced_hkid),
    _hkid(
        "",
        "prefixed-hkid",
        "`HKID:` stands before the number, as in PID-3 of an HL7 feed.",
        lambda seed, order: f"HKID:{order.person.hkid}",
    ),
)
_BIRTH_DATES: Final = (
    _birth_date(
        "birth-date.mismatch", "another-birth-date", "The date of birth is another valid date.", _another_birth_date
    ),
    _birth_date(
        "birth-date.mismatch",
        "birth-date-to-come",
        "The date of birth is yet to come: 31 December 2199.",
        always("21991231"),
    ),
    _birth_date(
        "birth-date.invalid",
        "impossible-birth-date",
        "The date of birth is 30 February 1990, which no calendar has.",
        always("19900230"),
    ),
    _birth_date(
        "birth-date.invalid",
        "no-leap-day",
        "The date of birth is 29 February 1971, and 1971 was no leap year.",
        always("19710229"),
    ),
    _birth_date(
        "birth-date.invalid",
        "hyphenated-birth-date",
        "The date of birth is written with hyphens, which a DA does not have (PS3.5 6.2).",
        _birth_date_with("-"),
    ),
    _birth_date(
        "birth-date.invalid",
        "dotted-birth-date",
        "The date of birth is written with dots, as in ACR-NEMA and not in DICOM (PS3.5 6.2).",
        _birth_date_with("."),
    ),
    _birth_date(
        "birth-date.invalid",
        "spaced-birth-date",
        "Spaces part year, month and day of the date of birth.",
        _birth_date_with(" "),
    ),
    _birth_date(
        "birth-date.invalid",
        "year-of-birth-alone",
        "Of the date of birth there is the year alone.",
        lambda seed, order: order.person.birth_date[:4],
    ),
    _birth_date(
        "birth-date.invalid",
        "birth-date-range",
        "The date of birth is a range, which only a query may have (PS3.4 C.2.2.2.5).",
        _birth_date_as_range,
    ),
    _birth_date(
        "birth-date.invalid",
        "birth-date-with-time",
        "A time of day follows the date of birth, as in a DT.",
        lambda seed, order: f"{order.person.birth_date}120000",
    ),
    _birth_date("birth-date.missing", "empty-birth-date", "The date of birth is empty.", always("")),
    absent(
        "PatientBirthDate",
        "birth-date.missing",
        "absent-birth-date",
        "The attribute for the date of birth, of Type 2, is not there at all (PS3.5 7.4.3).",
    ),
    _birth_date(
        "",
        "padded-birth-date",
        "Spaces pad the date of birth, which a DA of eight characters does not need.",
        lambda seed, order: f"{order.person.birth_date}  ",
    ),
)
_SEXES: Final = (
    _sex("sex.mismatch", "another-sex", "The sex is the other of M and F.", _another_sex),
    _sex("sex.mismatch", "neither-sex", "The sex is O, neither of M and F; or M, where the order has O.", _neither_sex),
    _sex(
        "sex.mismatch",
        "sex-in-hl7-code",
        "The sex is U, which HL7 has and DICOM has not: where the order says M or F, another.",
        always("U"),
    ),
    _sex("sex.missing", "empty-sex", "The sex is empty.", always("")),
    _sex("sex.invalid", "unknown-sex-code", "The sex is X, which is not among M, F and O.", always("X")),
    _sex(
        "sex.invalid",
        "spelled-out-sex",
        "The sex is a word in small letters, which a CS does not have (PS3.5 6.2).",
        _spelled_out_sex,
    ),
    _sex(
        "",
        "lower-case-sex",
        "The sex is a small letter, and means the same.",
        lambda seed, order: order.person.sex.lower(),
    ),
    _sex(
        "",
        "padded-sex",
        "Spaces stand before and after the sex, which are insignificant in a CS (PS3.5 6.2).",
        lambda seed, order: f" {order.person.sex}  ",
    ),
)
_WHOLE_PEOPLE: Final = (
    Lie(
        "empty-keys",
        _IDENTITY,
        "HKID, name, date of birth and sex are all empty.",
        lambda seed, order: dict.fromkeys(_IDENTITY, ""),
        reasons=("hkid.missing", "name.missing", "birth-date.missing", "sex.missing"),
    ),
    Lie(
        "two-patients",
        _IDENTITY,
        "Every instance but the first is of another patient.",
        _another_person,
        told_by="all but the first",
        reasons=("study.inconsistent",),
    ),
)

ABOUT_PEOPLE: Final = (*_HKIDS, *_BIRTH_DATES, *_SEXES, *_WHOLE_PEOPLE)
