from __future__ import annotations

import calendar
import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.rules import identity
from simulator.rules.identity import MajorKeys
from tests.rules import vectors
from tests.rules.strategies import birth_dates, hkids, major_keys, names, respelled, sexes, steady

CHAN = MajorKeys("A1234563", "CHAN^TAI MAN", "19700131", "M")
FIELDS = {"hkid": "hkid", "name": "name", "birth-date": "birth_date", "sex": "sex"}
OTHERS = {"hkid": hkids, "name": names, "birth-date": birth_dates, "sex": sexes}

anything = st.builds(MajorKeys, hkid=st.text(), name=st.text(), birth_date=st.text(), sex=st.text())


def with_key(keys: MajorKeys, stem: str, text: str) -> MajorKeys:
    return dataclasses.replace(keys, **{FIELDS[stem]: text})


@pytest.mark.parametrize("vector", vectors.read("names.csv"), ids=lambda vector: repr(vector["name"]))
def test_name_vector(vector: dict[str, str]) -> None:
    assert identity.canonical_name(vector["name"]) == vector["canonical"]
    expected = (f"name.{vector['fault']}",) if vector["fault"] else ()
    assert identity.inspect(with_key(CHAN, "name", vector["name"])) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("19700131", ""),
        ("19700131 ", ""),
        ("20000229", ""),
        ("00010101", ""),
        ("", "missing"),
        ("  ", "missing"),
        ("19000229", "invalid"),
        ("19700230", "invalid"),
        ("19701301", "invalid"),
        ("19700100", "invalid"),
        ("00000101", "invalid"),
        ("1970", "invalid"),
        ("197001", "invalid"),
        ("1970-01-31", "invalid"),
        ("1970.01.31", "invalid"),
        ("19700131120000", "invalid"),
        ("31011970", "invalid"),
        ("1970013１", "invalid"),
        ("1970 131", "invalid"),
    ],
)
def test_birth_date(text: str, fault: str) -> None:
    expected = (f"birth-date.{fault}",) if fault else ()
    assert identity.inspect(with_key(CHAN, "birth-date", text)) == expected


@given(st.integers(1, 9999), st.integers(0, 99), st.integers(0, 99))
@steady
def test_a_birth_date_stands_in_the_calendar(year: int, month: int, day: int) -> None:
    real = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    keys = with_key(CHAN, "birth-date", f"{year:04d}{month:02d}{day:02d}")
    assert identity.inspect(keys) == (() if real else ("birth-date.invalid",))


@pytest.mark.parametrize(
    ("text", "canonical", "fault"),
    [
        ("M", "M", ""),
        ("F ", "F", ""),
        ("O", "O", ""),
        ("m", "M", ""),
        ("U", "O", ""),
        ("u", "O", ""),
        ("", "", "missing"),
        (" ", "", "missing"),
        ("X", "X", "invalid"),
        ("MALE", "MALE", "invalid"),
        ("A", "A", "invalid"),
        ("M\\F", "M\\F", "invalid"),
    ],
)
def test_sex(text: str, canonical: str, fault: str) -> None:
    assert identity.canonical_sex(text) == canonical
    expected = (f"sex.{fault}",) if fault else ()
    assert identity.inspect(with_key(CHAN, "sex", text)) == expected


@pytest.mark.parametrize(
    ("text", "fault"), [("", "missing"), ("HKID:", "missing"), ("()", "missing"), ("A1234564", "invalid")]
)
def test_hkid(text: str, fault: str) -> None:
    assert identity.inspect(with_key(CHAN, "hkid", text)) == (f"hkid.{fault}",)


def test_reasons_come_in_the_order_of_the_slide() -> None:
    assert identity.STEMS == ("hkid", "name", "birth-date", "sex")
    assert identity.inspect(MajorKeys("", "", "", "")) == tuple(f"{stem}.missing" for stem in identity.STEMS)
    assert identity.inspect(MajorKeys("?", "\\", "?", "?")) == tuple(f"{stem}.invalid" for stem in identity.STEMS)
    assert identity.compare(CHAN, MajorKeys("", "", "", "")) == tuple(f"{stem}.mismatch" for stem in identity.STEMS)


@pytest.mark.parametrize("character", [chr(code) for code in (*range(0x20), 0x7F, 0x80, 0xA0, 0x3000)], ids=repr)
def test_a_name_in_english_is_printable_ascii(character: str) -> None:
    assert identity.inspect(with_key(CHAN, "name", f"CHAN^TAI{character}MAN")) == ("name.invalid",)


@given(anything)
@steady
def test_canonical_is_idempotent(keys: MajorKeys) -> None:
    once = identity.canonical(keys)
    assert identity.canonical(once) == once


@given(anything, anything)
@steady
def test_compare_is_symmetric_and_reflexive(one: MajorKeys, other: MajorKeys) -> None:
    assert identity.compare(one, other) == identity.compare(other, one)
    assert identity.compare(one, one) == ()


@given(anything)
@steady
def test_a_key_has_one_fault_at_most(keys: MajorKeys) -> None:
    stems = [reason.partition(".")[0] for reason in identity.inspect(keys)]
    assert stems == [stem for stem in identity.STEMS if stem in stems]


@given(st.data(), major_keys)
@steady
def test_spelling_never_matters(data: st.DataObject, keys: MajorKeys) -> None:
    spelled = data.draw(respelled(keys))
    assert identity.canonical(spelled) == identity.canonical(keys)
    assert identity.compare(spelled, keys) == ()
    assert identity.inspect(keys) == ()


@pytest.mark.parametrize("stem", identity.STEMS)
@given(data=st.data(), keys=major_keys)
@steady
def test_one_lie_is_the_one_mismatch(stem: str, data: st.DataObject, keys: MajorKeys) -> None:
    """Any other valid value of one key, however the rest is spelled, is told as that key and no other."""
    lie = data.draw(OTHERS[stem])
    assume(lie != getattr(keys, FIELDS[stem]))
    study = data.draw(respelled(with_key(keys, stem, lie)))
    assert identity.inspect(with_key(keys, stem, lie)) == ()
    assert identity.compare(study, keys) == (f"{stem}.mismatch",)


@given(st.data(), major_keys)
@steady
def test_a_space_within_a_name_is_significant(data: st.DataObject, keys: MajorKeys) -> None:
    inside = [place for place in range(1, len(keys.name)) if "^" not in keys.name[place - 1 : place + 1]]
    assume(inside)
    place = data.draw(st.sampled_from(inside))
    other = with_key(keys, "name", f"{keys.name[:place]} {keys.name[place:]}")
    assert identity.compare(other, keys) == ("name.mismatch",)
