"""Valid data of every kind, and other spellings of the same data."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from simulator.rules import hkid
from simulator.rules.accession import CHECK_DIGITS, AccessionNumber
from simulator.rules.identity import MajorKeys

# The same examples in every run, and no failure by a slow machine.
steady: Callable[[Any], Any] = settings(derandomize=True, deadline=None, database=None, max_examples=100)

LETTERS = string.ascii_uppercase
DIGITS = string.digits
ALPHANUMERIC = DIGITS + LETTERS

paddings = st.text(" ", max_size=3)


def _exactly(alphabet: str, size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=size, max_size=size)


hkid_bodies = st.builds(str.__add__, st.text(LETTERS, min_size=1, max_size=2), _exactly(DIGITS, 6))
hkids = hkid_bodies.map(lambda body: body + hkid.check_character(body))

_component = st.from_regex(r"[A-Z](?:[A-Z '\-]{0,8}[A-Z])?", fullmatch=True)
names = st.lists(_component, min_size=1, max_size=5).map("^".join)
birth_dates = st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}")
sexes = st.sampled_from("MFO")

major_keys = st.builds(MajorKeys, hkid=hkids, name=names, birth_date=birth_dates, sex=sexes)


@st.composite
def accession_numbers(draw: st.DrawFn, check_digit: str = "opaque") -> AccessionNumber:
    assert check_digit in CHECK_DIGITS
    return AccessionNumber.compose(
        draw(_exactly(ALPHANUMERIC, 3)),
        draw(_exactly(ALPHANUMERIC, 2)),
        draw(st.integers(0, 99)),
        draw(st.integers(0, 99_999_999)),
        check_digit,
        draw(st.sampled_from(ALPHANUMERIC)),
    )


@st.composite
def respelled_hkid(draw: st.DrawFn, value: str) -> str:
    body, check = value[:-1], value[-1]
    shown = draw(st.sampled_from((f"{body}{check}", f"{body}({check})", f"{body[:-6]} {body[-6:]} ({check})")))
    shown = draw(st.sampled_from(("", "HKID:", "HKID: "))) + shown
    shown = draw(st.sampled_from((shown, shown.lower())))
    return draw(paddings) + shown + draw(paddings)


@st.composite
def respelled_name(draw: st.DrawFn, value: str) -> str:
    components = value.split("^")
    components += [""] * draw(st.integers(0, 5 - len(components)))
    padded = (draw(paddings) + component + draw(paddings) for component in components)
    group = "^".join(padded)
    group = draw(st.sampled_from((group, group.lower(), group.title())))
    return group + draw(st.sampled_from(("", "=陳^大文", "=陳^大文=", "==")))


@st.composite
def respelled(draw: st.DrawFn, keys: MajorKeys) -> MajorKeys:
    """Draw other text for the same four keys, within what is valid."""
    sex = draw(st.sampled_from(("O", "U") if keys.sex == "O" else (keys.sex,)))
    return MajorKeys(
        draw(respelled_hkid(keys.hkid)),
        draw(respelled_name(keys.name)),
        keys.birth_date + draw(paddings),
        draw(st.sampled_from((sex, sex.lower()))) + draw(paddings),
    )
