"""Lies about the accession number (slide "Patient & Image Identification (I)")."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Final

from simulator.rules.accession import AccessionNumber
from simulator.synthesis import draws
from simulator.synthesis.lie import Lie, Tell, always, another_character, one_value
from simulator.synthesis.orders import Order

_CODE_CHARACTERS: Final = string.digits + string.ascii_uppercase


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
    return truth[:-1] + another_character(truth[-1], _CODE_CHARACTERS, seed)


def _with_last(part: str, character: str) -> Tell:
    """Tell the true accession number with the last character of `part` replaced."""

    def tell(seed: str, order: Order) -> str:
        truth = AccessionNumber.parse(order.accession_number)
        return str(replace(truth, **{part: getattr(truth, part)[:-1] + character}))

    return tell


def _accession(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return one_value("AccessionNumber", reason, name, explain, tell)


ABOUT_ACCESSION: Final = (
    _accession(
        "order.not-found",
        "unknown-accession",
        "The accession number is well formed, but nobody ordered it.",
        _unknown_accession,
    ),
    _accession("accession.missing", "missing-accession", "The accession number is empty.", always("")),
    _accession(
        "accession.malformed.length",
        "15-character-accession",
        "The accession number lacks its last character.",
        lambda seed, order: order.accession_number[:-1],
    ),
    _accession(
        "accession.malformed.length",
        "17-character-accession",
        "The accession number has one character too many; SH allows 16.",
        lambda seed, order: order.accession_number + "0",
    ),
    _accession(
        "accession.malformed.hospital",
        "wrong-hospital",
        "The hospital code holds a symbol.",
        _with_last("hospital", "#"),
    ),
    _accession(
        "accession.malformed.department",
        "wrong-department",
        "The department code holds a symbol.",
        _with_last("department", "-"),
    ),
    _accession("accession.malformed.year", "wrong-year", "The year holds a letter.", _with_last("year", "X")),
    _accession(
        "accession.malformed.running", "wrong-running", "The running number holds a letter.", _with_last("running", "A")
    ),
    _accession(
        "accession.malformed.check", "wrong-check", "The check character is a symbol.", _with_last("check", "#")
    ),
    Lie(
        "lower-case-accession",
        ("AccessionNumber",),
        "The accession number is written in lower case.",
        lambda seed, order: {"AccessionNumber": order.accession_number.lower()},
        reasons=("accession.malformed.hospital", "accession.malformed.department", "accession.malformed.check"),
    ),
    replace(
        _accession(
            "accession.malformed.check",
            "wrong-computed-check",
            "The check character is well formed, but not the right one for this number.",
            _wrong_check,
        ),
        needs_check_digit="iso7064-mod37-36",
    ),
    _accession(
        "",
        "spaces-around-accession",
        "Spaces stand before and after the accession number, which are insignificant in an SH (PS3.5 6.2).",
        lambda seed, order: f" {order.accession_number} ",
    ),
    Lie(
        "two-accessions",
        ("AccessionNumber",),
        "Every instance but the first has another accession number, that nobody ordered.",
        lambda seed, order: {"AccessionNumber": _unknown_accession(seed, order)},
        told_by="all but the first",
        reasons=("study.inconsistent",),
    ),
)
