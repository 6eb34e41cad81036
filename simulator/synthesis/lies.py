"""Named lies: what a modality can get wrong, one thing at a time.

A lie is told in the encoded instance, after everything that a writer would check or mend. It always differs from
the truth. Each says what a gateway must find; these are literals, and no rule of the gateway computes them.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from simulator.rules import sop_classes
from simulator.rules.accession import AccessionNumber
from simulator.synthesis import draws, people
from simulator.synthesis.character_sets import LATIN_1, MOJIBAKE, Mojibake
from simulator.synthesis.draft import Draft, Values
from simulator.synthesis.orders import Order

Tell = Callable[[str, Order], str]
"""From a seed text and the true order to the raw value; the same seed tells the same lie."""

UNREADABLE_NAME: Final = "name.unreadable"
"""The warning for a name some of whose bytes are not in the character set declared."""

_CODE_CHARACTERS: Final = string.digits + string.ascii_uppercase
_HKID_CHECKS: Final = string.digits + "A"


@dataclass(frozen=True, slots=True)
class Lie:
    """One named lie.

    about: keywords of what it changes; two lies about one thing cannot be told at once. explain: one sentence for
    a person. values: from a seed text and the true order to the raw values that stand in place of the truth.
    tamper: from an instance and the first instance of its study to the instance with the lie. told_by: which
    instances of the study tell it.

    What the gateway must find: status, the C-STORE status of each instance that tells it (PS3.4 B.2.3); reasons
    and warnings, those of the study when an order in force agrees with the truth, under the default site
    profile. A study of which nothing was taken is unknown to the gateway and has none.

    needs_check_digit: of the site's accession numbers (`rules.accession.CHECK_DIGITS`), where the lie is one with
    that alone. needs_default_repertoire: the lie is one only in a study that declares no character set otherwise.
    """

    name: str
    about: tuple[str, ...]
    explain: str
    values: Callable[[str, Order], Values] = lambda seed, order: {}
    tamper: Callable[[Draft, Draft], Draft] = lambda draft, first: draft
    told_by: Literal["every instance", "all but the first", "the second"] = "every instance"
    status: str = "0000"
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs_check_digit: str = "opaque"
    needs_default_repertoire: bool = False

    def tells(self, index: int) -> bool:
        """Tell whether the instance at `index` of the study (from 0) tells the lie."""
        return {"every instance": True, "all but the first": index > 0, "the second": index == 1}[self.told_by]

    def told(self, draft: Draft, first: Draft, seed: str, order: Order) -> Draft:
        """Return `draft` with the lie; `first` is the first instance of the study, `order` the truth."""
        return self.tamper(draft.saying(self.values(seed, order)), first)


def conflict(lies: Sequence[Lie]) -> str:
    """Return the keyword of what two of `lies` are about, or the empty text: one thing holds one lie."""
    about = [keyword for lie in lies for keyword in lie.about]
    return next((keyword for keyword in about if about.count(keyword) > 1), "")


def saying(keyword: str, value: str | bytes) -> Lie:
    """Return a lie without a place in `LIES`: `value` stands for `keyword` in every instance."""
    return Lie(f"{keyword} {value!r}", (keyword,), f"{keyword} is {value!r}.", lambda seed, order: {keyword: value})


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


def _hyphenated_birth_date(seed: str, order: Order) -> str:
    truth = order.person.birth_date
    return f"{truth[:4]}-{truth[4:6]}-{truth[6:]}"


def _spelled_out_sex(seed: str, order: Order) -> str:
    return {"F": "female", "M": "male"}.get(order.person.sex, "other")


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


def _another_class(draft: Draft, first: Draft) -> Draft:
    # PS3.3 enumerates one modality for each of these two (C.8.11.6, C.8.11.8), so no other content can be theirs.
    mammography = sop_classes.by_name("DigitalMammographyXRayImageStorageForPresentation").uid
    intra_oral = sop_classes.by_name("DigitalIntraOralXRayImageStorageForPresentation").uid
    return draft.as_class(intra_oral if draft.sop_class_uid.startswith(mammography) else mammography)


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


_IDENTITY: Final = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


def _value(keyword: str, reason: str, name: str, explain: str, tell: Tell) -> Lie:
    """Return a lie that is one value, and for which the gateway must give one reason."""
    return Lie(name, (keyword,), explain, lambda seed, order: {keyword: tell(seed, order)}, reasons=(reason,))


def _absent(keyword: str, reason: str, name: str, explain: str) -> Lie:
    return Lie(name, (keyword,), explain, tamper=lambda draft, first: draft.without(keyword), reasons=(reason,))


def _hkid(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return _value("PatientID", reason, name, explain, tell)


def _name(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return _value("PatientName", reason, name, explain, tell)


def _birth_date(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return _value("PatientBirthDate", reason, name, explain, tell)


def _sex(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return _value("PatientSex", reason, name, explain, tell)


def _accession(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return _value("AccessionNumber", reason, name, explain, tell)


_ABOUT_PEOPLE: Final = (
    _hkid("hkid.mismatch", "another-hkid", "The HKID is a valid one, but of another person.", _another_hkid),
    _hkid("hkid.invalid", "invalid-hkid", "The check character of the HKID is wrong.", _invalid_hkid),
    _hkid("hkid.missing", "empty-hkid", "The Patient ID is empty.", _always("")),
    _name("name.mismatch", "another-name", "The name is that of another person.", _another_name),
    _name("name.missing", "empty-name", "The name is empty.", _always("")),
    _birth_date(
        "birth-date.mismatch", "another-birth-date", "The date of birth is another valid date.", _another_birth_date
    ),
    _birth_date(
        "birth-date.invalid",
        "impossible-birth-date",
        "The date of birth is 30 February 1990, which no calendar has.",
        _always("19900230"),
    ),
    _birth_date(
        "birth-date.invalid",
        "hyphenated-birth-date",
        "The date of birth is written with hyphens, which a DA does not have (PS3.5 6.2).",
        _hyphenated_birth_date,
    ),
    _birth_date("birth-date.missing", "empty-birth-date", "The date of birth is empty.", _always("")),
    _absent(
        "PatientBirthDate",
        "birth-date.missing",
        "absent-birth-date",
        "The attribute for the date of birth, of Type 2, is not there at all (PS3.5 7.4.3).",
    ),
    _sex("sex.mismatch", "another-sex", "The sex is the other of M and F.", _another_sex),
    _sex("sex.missing", "empty-sex", "The sex is empty.", _always("")),
    _sex("sex.invalid", "unknown-sex-code", "The sex is X, which is not among M, F and O.", _always("X")),
    _sex(
        "sex.invalid",
        "spelled-out-sex",
        "The sex is a word in small letters, which a CS does not have (PS3.5 6.2).",
        _spelled_out_sex,
    ),
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
_ABOUT_ACCESSION: Final = (
    _accession(
        "order.not-found",
        "unknown-accession",
        "The accession number is well formed, but nobody ordered it.",
        _unknown_accession,
    ),
    _accession("accession.missing", "missing-accession", "The accession number is empty.", _always("")),
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
)
_NAME_IN_BYTES: Final = ("SpecificCharacterSet", "PatientName")


def _mojibake(kind: Mojibake) -> Lie:
    """Return the lie of a name that is not in the character set that is declared."""

    def values(seed: str, order: Order) -> Values:
        name: Values = {"PatientName": kind.patient_name(order.person)}
        declared = kind.declared.specific_character_set
        return {**name, "SpecificCharacterSet": declared} if declared else name

    about = _NAME_IN_BYTES if kind.declared.specific_character_set else _NAME_IN_BYTES[1:]
    # The name in English is whole in all but one: what cannot be read is worth a word then, and no more.
    reasons, warnings = ((), (UNREADABLE_NAME,)) if kind.readable else (("name.invalid",), (UNREADABLE_NAME,))
    return Lie(
        kind.name, about, kind.explain, values, reasons=reasons, warnings=warnings, needs_default_repertoire=True
    )


# Any bytes are text in ISO_IR 100, so nobody can tell that they are meant as another.
_ABOUT_CHARACTER_SETS: Final = tuple(_mojibake(kind) for kind in MOJIBAKE if kind.declared is not LATIN_1)
_ABOUT_INSTANCES: Final = (
    Lie(
        "absent-study-uid",
        ("StudyInstanceUID",),
        "The Study Instance UID, of Type 1, is not there at all (PS3.5 7.4.1).",
        tamper=lambda draft, first: draft.without("StudyInstanceUID"),
        status="A900",
    ),
    Lie(
        "repeated-instance",
        ("SOPInstanceUID", "PixelData"),
        "The second instance is the first one over again, byte for byte.",
        tamper=lambda draft, first: first,
        told_by="the second",
    ),
    Lie(
        "repeated-instance-uid",
        ("SOPInstanceUID",),
        "The second instance has the SOP Instance UID of the first, and a content of its own.",
        tamper=lambda draft, first: draft.as_instance(first.sop_instance_uid),
        told_by="the second",
        status="C001",
    ),
    Lie(
        "another-sop-class",
        ("SOPClassUID",),
        "The SOP class, in the request and in the data set, is one that the modality of the content cannot have.",
        tamper=_another_class,
        status="A900",
    ),
    Lie(
        "odd-length",
        ("StudyDescription",),
        "The Study Description is of an odd length, without the space that pads it (PS3.5 7.1.1).",
        tamper=lambda draft, first: draft.saying_unpadded("StudyDescription", b"ODD"),
        status="C000",
    ),
    Lie(
        "truncated-pixel-data",
        ("PixelData",),
        "Half of the pixel data is missing, and its length says so: fewer samples than Rows by Columns asks for.",
        tamper=lambda draft, first: draft.with_half_its_pixels(),
        status="A900",
    ),
)

LIES: Final[Mapping[str, Lie]] = MappingProxyType(
    {lie.name: lie for lie in (*_ABOUT_PEOPLE, *_ABOUT_CHARACTER_SETS, *_ABOUT_ACCESSION, *_ABOUT_INSTANCES)}
)
"""Every lie by the name that scenario files and `simulate study --malformation` use."""
