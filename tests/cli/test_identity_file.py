from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cli import identity_file
from simulator.errors import LoadError
from simulator.synthesis import people

EXAMPLE = Path(__file__).parents[2] / "fixtures" / "identity" / "example.yaml"
CHAN = people.Person("Q1234567", "CHAN^TAI MAN DAVID", "19800229", "M", "陳^大文", "陈^大文")
MINIMAL = "hkid: Q1234567\nname: CHAN^TAI MAN\nbirth_date: '19800229'\nsex: M\n"


def loaded(folder: Path, text: str) -> people.Person:
    file = folder / "identity.yaml"
    file.write_text(text, encoding="utf-8")
    return identity_file.read(file)


def test_the_example_is_a_synthetic_person() -> None:
    person = identity_file.read(EXAMPLE)
    assert person == CHAN
    assert people.is_synthetic(person.hkid)


def test_the_keys_alone_are_enough(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL) == people.Person("Q1234567", "CHAN^TAI MAN", "19800229", "M")


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("hkid: ' hkid: a123456(3) '", "hkid", "A1234563"),
        ("name: CHAN", "name", "CHAN"),
        ("birth_date: 19800229", "birth_date", "19800229"),
        ("sex: O", "sex", "O"),
        ("ideographic: 歐陽^國強", "simplified", "欧阳^国强"),
        ("ideographic: 陳^龘", "simplified", "陈^龘"),
    ],
)
def test_a_key_is_taken_as_people_write_it(tmp_path: Path, line: str, field: str, expected: str) -> None:
    key = line.partition(":")[0]
    kept = [each for each in MINIMAL.splitlines() if not each.startswith(f"{key}:")]
    assert getattr(loaded(tmp_path, "\n".join([*kept, line])), field) == expected


def test_another_range_is_taken_and_told_apart(tmp_path: Path) -> None:
    person = loaded(tmp_path, MINIMAL.replace("Q1234567", "A1234563"))
    assert not people.is_synthetic(person.hkid)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("Q1234567", "Q1234568", "1:1", "hkid: the check character of Q123456 is 7; correct the number or its last"),
        ("Q1234567", "12345678", "1:1", "hkid: input should be a valid string"),
        ("Q1234567", "Q12345", "1:1", "hkid: an HKID is one or two letters, six digits and a check character"),
        ("Q1234567", "''", "1:1", "hkid: an HKID is one or two letters"),
        ("CHAN^TAI MAN", "陳^大文", "2:1", "name: a name in English is 1 to 64 characters of ASCII"),
        ("CHAN^TAI MAN", "^TAI MAN", "2:1", "name: a name in English is 1 to 64 characters of ASCII, surname before"),
        ("CHAN^TAI MAN", "CHAN^TAI MAN=陳^大文", "2:1", "name: the name in English alone stands here"),
        ("CHAN^TAI MAN", "C" * 65, "2:1", "name: a name in English is 1 to 64"),
        ("'19800229'", "19810229", "3:1", "birth_date: a date of birth is a day of the calendar as YYYYMMDD"),
        ("'19800229'", "1980-02-29", "3:1", "birth_date: input should be a valid string"),
        ("'19800229'", "true", "3:1", "birth_date: input should be a valid string"),
        ("sex: M", "sex: U", "4:1", "sex: input should be 'M', 'F' or 'O'; found 'U'"),
        ("sex: M", "sexx: M", "4:1", "unknown key 'sexx' (did you mean 'sex'?)"),
        ("sex: M\n", "", "1:1", "sex is missing"),
        ("sex: M", "sex: M\nideographic: CHAN", "5:1", "ideographic: the name in Chinese characters stands here"),
        ("sex: M", "sex: M\nideographic: 陳=大文", "5:1", "ideographic: a name is 1 to 64 characters"),
        ("sex: M", "sex: M\nsimplified: 陈^大文", "5:1", "simplified: the Simplified spelling needs 'ideographic'"),
        (
            "sex: M",
            "sex: M\nideographic: 陳^大文\nsimplified: 陳^大文",
            "6:1",
            "simplified: the character set ISO 2022 IR 58 has no 陳, as in '陳^大文'; it has Simplified",
        ),
        ("sex: M", "sex: M\nsex: F", "5:1", 'found duplicate key "sex"'),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, place: str, message: str) -> None:
    with pytest.raises(LoadError) as raised:
        loaded(tmp_path, MINIMAL.replace(old, new))
    told = [f"{each.line}:{each.column}: {each}" for each in raised.value.problems]
    assert any(each.startswith(f"{place}: ") and message in each for each in told), told


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as raised:
        loaded(tmp_path, "hkid: X\nname: ''\nbirth_date: x\nsex: x\n")
    assert [problem.line for problem in raised.value.problems] == [1, 2, 3, 4]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        identity_file.read(tmp_path / "nobody.yaml")
