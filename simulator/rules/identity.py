"""The four major keys of a patient: HKID, name in English, date of birth, sex (slide "4 Major Keys").

All four are Type 2 in DICOM (PS3.3 C.7.1.1): an empty one is a valid DICOM value, and yet the keys cannot be
verified without it. So `missing` is told apart from `invalid`, and both from a `mismatch` with the order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from simulator.rules import hkid

UNREADABLE_NAME = "name.unreadable"

# PN: at most five components in a group of 64 characters, at most three groups (PS3.5 6.2 and 6.2.1).
_CARETS = 4
_GROUPS = 3
# "Name in English": printable ASCII, and no backslash, which would part two values (PS3.5 6.2).
_ENGLISH = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,64}")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_SEXES = frozenset("MFO")


@dataclass(frozen=True, slots=True)
class MajorKeys:
    """The keys as they stood in the data set or message; the name in the form of a DICOM PN."""

    hkid: str
    name: str
    birth_date: str
    sex: str


def canonical_name(text: str) -> str:
    """Return the alphabetic component group of the PN `text`, as names are compared.

    Ideographic and phonetic groups (after `=`) do not count. Spaces around a component are insignificant
    and trailing empty components may be left out (PS3.5 6.2, 6.2.1); case may be ignored when names are
    matched (PS3.4 C.2.2.2.1.1). Spaces within a component are significant.
    """
    components = [component.strip(" ") for component in _alphabetic(text).split("^")]
    return "^".join(components).rstrip("^").upper()


def canonical_birth_date(text: str) -> str:
    """Return `text` without the spaces around it, which only pad a DA (PS3.5 6.2)."""
    return text.strip(" ")


def canonical_sex(text: str) -> str:
    """Return the sex in DICOM's code: M, F or O.

    DICOM has no U and HL7's table 0001, as the Hospital Authority's public profile uses it (F, M, U), has no
    O. Each is what the other side says when it is neither M nor F, so U counts as O.
    """
    code = text.strip(" ").upper()
    return "O" if code == "U" else code


def canonical(keys: MajorKeys) -> MajorKeys:
    """Return `keys` as they are compared, each in its canonical form."""
    return MajorKeys(*(key.canonical(key.raw(keys)) for key in _KEYS))


def inspect(keys: MajorKeys) -> tuple[str, ...]:
    """Return what is wrong with `keys` taken alone: at most one `X.missing` or `X.invalid` a key."""
    return tuple(f"{key.stem}.{fault}" for key in _KEYS if (fault := key.fault(key.raw(keys))))


def warnings(keys: Sequence[MajorKeys]) -> tuple[str, ...]:
    """Return what is worth a word in `keys` but changes nothing: a name that was not all readable.

    Bytes that the declared character set does not have (PS3.3 C.12.1.1.2) were read as U+FFFD. They may stand in
    the ideographic group, which is not compared.
    """
    return (UNREADABLE_NAME,) if any("\ufffd" in each.name for each in keys) else ()


def compare(study: MajorKeys, order: MajorKeys) -> tuple[str, ...]:
    """Return `X.mismatch` for every key that differs between `study` and `order`; symmetric."""
    return tuple(
        f"{key.stem}.mismatch" for key in _KEYS if key.canonical(key.raw(study)) != key.canonical(key.raw(order))
    )


def _alphabetic(text: str) -> str:
    return text.partition("=")[0].strip(" ")


def _is_english_name(text: str) -> bool:
    group = _alphabetic(text)
    fits = group.count("^") <= _CARETS and text.count("=") < _GROUPS
    return fits and _ENGLISH.fullmatch(group) is not None


def _is_date(text: str) -> bool:
    parts = _DATE.fullmatch(canonical_birth_date(text))
    if parts is None:
        return False
    try:
        date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return False
    return True


def _is_sex(text: str) -> bool:
    return canonical_sex(text) in _SEXES


@dataclass(frozen=True, slots=True)
class _Key:
    """One major key: the stem of its reasons, where it stands, how it is compared, what is valid."""

    stem: str
    raw: Callable[[MajorKeys], str]
    canonical: Callable[[str], str]
    is_valid: Callable[[str], bool]

    def fault(self, text: str) -> str:
        """Return `missing`, `invalid`, or an empty string when `text` is good."""
        if not self.canonical(text):
            return "missing"
        return "" if self.is_valid(text) else "invalid"


# In the order of the slide, which is the order of the reasons and of the fields of MajorKeys.
_KEYS = (
    _Key("hkid", lambda keys: keys.hkid, hkid.canonical, hkid.is_valid),
    _Key("name", lambda keys: keys.name, canonical_name, _is_english_name),
    _Key("birth-date", lambda keys: keys.birth_date, canonical_birth_date, _is_date),
    _Key("sex", lambda keys: keys.sex, canonical_sex, _is_sex),
)

STEMS = tuple(key.stem for key in _KEYS)
