from __future__ import annotations

import re
from datetime import datetime
from itertools import chain

import pytest
from faker import Faker
from faker.generator import Generator
from hypothesis import given

from simulator.rules import hkid, identity
from simulator.synthesis import people
from tests.synthesis.made import seeds, steady

CHARACTERS = sorted({each for table in (people.SURNAMES, people.SYLLABLES) for each in chain(*table.values())})
EVERYONE = [people.person(str(number)) for number in range(400)]
ENGLISH = frozenset(chain(*people.ENGLISH_NAMES.values()))


def a_provider(seed: int = 7) -> people.HongKongPersonProvider:
    generator = Generator()
    generator.seed_instance(seed)
    return people.HongKongPersonProvider(generator)


@given(seeds)
@steady
def test_a_person_is_the_same_each_time_and_valid(seed: str) -> None:
    person = people.person(seed)
    assert person == people.person(seed)
    assert hkid.canonical(person.hkid) == person.hkid
    assert people.is_synthetic(person.hkid)
    assert person.sex in {"M", "F"}
    assert datetime.strptime(person.birth_date, "%Y%m%d") < datetime(2016, 1, 1)
    keys = identity.MajorKeys(person.hkid, person.name, person.birth_date, person.sex)
    assert identity.inspect(keys) == ()


@given(seeds)
@steady
def test_a_name_is_a_pn_that_fits_an_identity_card(seed: str) -> None:
    surname, *given_name = people.person(seed).name.split("^")
    assert surname in people.SURNAMES
    assert len(given_name) <= 1
    assert len(" ".join([surname, *given_name])) <= people.NAME_LIMIT


@given(seeds)
@steady
def test_the_characters_are_those_that_were_romanised(seed: str) -> None:
    person = people.person(seed)
    surname, _, given_name = person.name.partition("^")
    characters, _, given_characters = person.ideographic.partition("^")
    assert characters in people.SURNAMES[surname]
    syllables = [word for word in given_name.split() if word not in ENGLISH]
    assert len(given_characters) == len(syllables)
    assert all(each in people.SYLLABLES[word] for each, word in zip(given_characters, syllables, strict=True))
    assert ("^" in person.ideographic) == ("^" in person.name)
    assert person.simplified == people.simplified(person.ideographic)


def test_people_never_change() -> None:
    assert people.person("golden") == people.Person("Q268177A", "CHIU^YUET HIN", "19420423", "M", "趙^月憲", "赵^月宪")


def test_all_kinds_of_people_are_made() -> None:
    names = [person.name for person in EVERYONE]
    assert {person.sex for person in EVERYONE} == {"M", "F"}
    assert {person.hkid[:-7] for person in EVERYONE} == set(people.SYNTHETIC_PREFIXES)
    assert {person.hkid[-1] for person in EVERYONE} == set("0123456789A")
    alone = [person for person in EVERYONE if "^" not in person.name]
    assert alone
    assert all(person.ideographic in people.SURNAMES[person.name] for person in alone)
    assert any(person.ideographic.startswith("歐陽^") for person in EVERYONE)
    assert any(name.endswith(people.ENGLISH_NAMES["F"]) for name in names)
    assert max(len(name) for name in names) > 30
    assert len(set(EVERYONE)) == len(EVERYONE)


def test_a_syllable_is_not_always_the_same_character() -> None:
    wongs = {a_provider(seed).hk_ideographic_name("WONG^CHI MING") for seed in range(60)}
    assert {name[0] for name in wongs} == {"黃", "王", "汪"}
    assert {name[2] for name in wongs} == set("志智芝慈")


def test_the_longest_names_are_cut_at_a_word() -> None:
    long = ["CHEUNG", "KWONG", "CHRISTOPHER", "ALEXANDER", "MAXIMILIAN"]
    assert people._fitting(long, 32) == "CHEUNG KWONG CHRISTOPHER"


def test_the_provider_serves_any_faker() -> None:
    first, second = Faker(), Faker()
    for fake in (first, second):
        fake.add_provider(people.HongKongPersonProvider)
        fake.seed_instance(7)
    assert first.hk_person() == second.hk_person()
    assert hkid.is_valid(first.hkid())
    assert first.hk_name().partition("^")[0] in people.SURNAMES
    assert not first.hk_ideographic_name().isascii()


@pytest.mark.parametrize("sex", ["M", "F"])
def test_an_english_name_fits_the_sex(sex: str) -> None:
    others = people.ENGLISH_NAMES["F" if sex == "M" else "M"]
    assert not any(person.name.split()[-1] in others for person in EVERYONE if person.sex == sex)


# --- the tables --------------------------------------------------------------------------------------


def test_no_english_name_reads_as_a_syllable() -> None:
    assert not ENGLISH & people.SYLLABLES.keys()


@pytest.mark.parametrize("table", [people.SURNAMES, people.SYLLABLES], ids=["surnames", "syllables"])
def test_the_tables_are_romanised_words_with_characters(table: people.Characters) -> None:
    assert list(table) == sorted(table)
    for romanised, options in table.items():
        assert re.fullmatch("[A-Z]+( [A-Z]+)*", romanised)
        assert len(set(options)) == len(options) > 0
        assert all("\u4e00" <= character <= "\u9fff" for character in "".join(options))
    assert all(len(option) == 1 for options in people.SYLLABLES.values() for option in options)


@pytest.mark.parametrize("characters", CHARACTERS)
def test_every_character_can_be_written_in_each_script(characters: str) -> None:
    simplified = people.simplified(characters)
    assert len(simplified) == len(characters)
    assert simplified.encode("gb2312").decode("gb2312") == simplified
    for codec in ("gb18030", "utf-8", "big5hkscs"):
        assert characters.encode(codec).decode(codec) == characters
    assert b"\\" not in characters.encode("gb18030")


def test_traditional_characters_that_gb_2312_lacks_have_another_form() -> None:
    assert people.simplified("歐陽^國強") == "欧阳^国强"
    assert people.simplified("王^大文") == "王^大文"
    changed = [each for each in CHARACTERS if people.simplified(each) != each]
    assert len(changed) > 100
    for characters in changed:
        with pytest.raises(UnicodeEncodeError):
            characters.encode("gb2312")


def test_words_outside_the_tables_have_no_characters() -> None:
    provider = a_provider()
    assert provider.hk_ideographic_name("AU YEUNG^SIU MAY") in {"歐陽^小", "歐陽^少", "歐陽^兆", "歐陽^笑"}
    with pytest.raises(ValueError, match="no characters are known for SMITH, JOHN in SMITH\\^TAI JOHN"):
        provider.hk_ideographic_name("SMITH^TAI JOHN")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("Q2681770", False),
        ("Q268177A", True),
        ("q268177(a)", True),
        ("QX3628857", True),
        ("A1234563", False),
        ("", False),
    ],
)
def test_a_number_tells_whether_it_is_made_up(number: str, expected: bool) -> None:
    assert people.is_synthetic(number) is expected
