"""What a person's keys may be where somebody writes them down: the four major keys as the gateway reads them.

For pydantic models. Every mistake is a `ValueError` in words that say what to write instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from simulator.rules import hkid, identity
from simulator.rules.identity import MajorKeys
from simulator.synthesis import character_sets

_NOTHING = MajorKeys("", "", "", "")


def _is_faulty(stem: str, **key: str) -> bool:
    reasons = identity.inspect(replace(_NOTHING, **key))
    return f"{stem}.missing" in reasons or f"{stem}.invalid" in reasons


def _hkid(text: str) -> str:
    if _is_faulty("hkid", hkid=text):
        raise ValueError(_hkid_advice(hkid.canonical(text)))
    return hkid.canonical(text)


def _hkid_advice(number: str) -> str:
    try:
        right = hkid.check_character(number[:-1])
    except ValueError:
        return "an HKID is one or two letters, six digits and a check character, like A123456(3)"
    return f"the check character of {number[:-1]} is {right}; correct the number or its last character"


def _name(text: str) -> str:
    if "=" in text:
        raise ValueError("the name in English alone stands here; its characters go under 'ideographic'")
    # The card always has a surname, and not always a given name.
    if _is_faulty("name", name=text) or not text.partition("^")[0].strip(" "):
        raise ValueError("a name in English is 1 to 64 characters of ASCII, surname before given name: CHAN^TAI MAN")
    return text.strip(" ")


def _as_written(value: object) -> object:
    """Return the text of a date of birth: for YAML, eight digits without quotes are a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _birth_date(text: str) -> str:
    if _is_faulty("birth-date", birth_date=text):
        raise ValueError("a date of birth is a day of the calendar as YYYYMMDD")
    return identity.canonical_birth_date(text)


def _ideographic(text: str) -> str:
    """Check one component group of a PN (PS3.5 6.2, 6.2.1): 64 characters and five components at most."""
    group = text.strip(" ")
    if group.isascii():
        raise ValueError("the name in Chinese characters stands here, like 陳^大文; leave the key out if there is none")
    if len(group) > 64 or group.count("^") > 4 or {"=", "\\"} & set(group) or not group.isprintable():
        raise ValueError("a name is 1 to 64 characters, with at most four ^ and neither = nor a backslash: 陳^大文")
    return group


def _simplified(text: str, info: ValidationInfo) -> str:
    if info.data.get("ideographic", text) is None:
        raise ValueError("the Simplified spelling needs 'ideographic' beside it")
    group = _ideographic(text)
    character_sets.GB_2312.encode(group)
    return group


Hkid = Annotated[str, AfterValidator(_hkid)]
"""An HKID in any of its spellings; becomes canonical."""

EnglishName = Annotated[str, AfterValidator(_name)]
"""The alphabetic component group of a PN."""

BirthDate = Annotated[str, BeforeValidator(_as_written), AfterValidator(_birth_date)]
"""A day of the calendar, `YYYYMMDD`."""

Ideographic = Annotated[str, AfterValidator(_ideographic)]
"""The ideographic component group of a PN, in Traditional characters."""

Simplified = Annotated[str, AfterValidator(_simplified)]
"""The same in Simplified characters; stands behind a field `ideographic`."""
