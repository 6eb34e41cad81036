from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules import accession
from simulator.rules.accession import CHECK_DIGITS, AccessionNumber, AccessionRules
from tests.rules import vectors
from tests.rules.strategies import ALPHANUMERIC, accession_numbers, paddings, steady

SLIDE = "XXXXR0700000101H"
ANY = AccessionRules()
COMPUTED = sorted(name for name, strategy in CHECK_DIGITS.items() if strategy)

# Wrong characters for each part: lower case, a letter for a digit, punctuation, a space (not in the first
# part, where it could be padding), and letters and digits of other scripts.
WRONG = {
    "hospital": "x-\\٠Ｘ",
    "department": "r- \\٠Ｒ",
    "year": "AO- \\٠²",
    "running": "AO- \\٠²",
    "check": "h-*\\٠Ｈ",
}


def reasons(*parts: str) -> tuple[str, ...]:
    return tuple(f"accession.malformed.{part}" for part in parts)


@pytest.mark.parametrize("vector", vectors.read("accession.csv"), ids=lambda vector: repr(vector["text"]))
def test_vector(vector: dict[str, str]) -> None:
    rules = AccessionRules(
        vector["check_digit"],
        frozenset(vector["hospital_codes"].split()),
        frozenset(vector["department_codes"].split()),
    )
    assert accession.inspect(vector["text"], rules) == tuple(vector["reasons"].split())


def test_the_parts_of_the_slides_example() -> None:
    number = AccessionNumber.parse(SLIDE)
    assert number == AccessionNumber("XXX", "XR", "07", "00000101", "H")
    assert AccessionNumber.compose("XXX", "XR", 7, 101, opaque_check="H") == number


@given(st.text(min_size=16, max_size=16))
@steady
def test_parse_and_str_are_inverse(text: str) -> None:
    assert str(AccessionNumber.parse(text)) == text


@pytest.mark.parametrize("text", ["", SLIDE[:-1], SLIDE + "H", f"{SLIDE} "])
def test_parse_needs_sixteen_characters(text: str) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        AccessionNumber.parse(text)


@given(st.text())
@steady
def test_any_text_is_judged_and_spelling_never_matters(text: str) -> None:
    canonical = accession.canonical(text)
    assert accession.canonical(canonical) == canonical
    assert accession.inspect(text, ANY) == accession.inspect(canonical, ANY)


@pytest.mark.parametrize("check_digit", CHECK_DIGITS)
@given(data=st.data(), before=paddings, after=paddings)
@steady
def test_what_is_composed_is_good(check_digit: str, data: st.DataObject, before: str, after: str) -> None:
    number = data.draw(accession_numbers(check_digit))
    assert AccessionNumber.parse(str(number)) == number
    rules = AccessionRules(check_digit, frozenset({number.hospital}), frozenset({number.department}))
    assert accession.inspect(f"{before}{number}{after}", rules) == ()


@given(data=st.data(), number=accession_numbers())
@steady
def test_every_wrong_part_is_named_and_no_other(data: st.DataObject, number: AccessionNumber) -> None:
    parts = data.draw(st.lists(st.sampled_from(list(WRONG)), min_size=1, unique=True))
    for part in parts:
        value = getattr(number, part)
        place = data.draw(st.integers(0, len(value) - 1))
        wrong = data.draw(st.sampled_from(WRONG[part]))
        number = dataclasses.replace(number, **{part: value[:place] + wrong + value[place + 1 :]})
    assert accession.inspect(str(number), ANY) == reasons(*(part for part in WRONG if part in parts))


@given(number=accession_numbers(), size=st.integers(1, 40).filter(lambda size: size != 16))
@steady
def test_another_length_is_the_only_reason(number: AccessionNumber, size: int) -> None:
    text = (str(number) * 3)[:size]
    assert accession.inspect(text, AccessionRules(check_digit="hkid-style")) == reasons("length")


@given(number=accession_numbers())
@steady
def test_a_code_that_the_site_does_not_list_is_wrong(number: AccessionNumber) -> None:
    known_hospital = AccessionRules(hospital_codes=frozenset({number.hospital}))
    other_codes = AccessionRules(hospital_codes=frozenset({"?"}), department_codes=frozenset({"?"}))
    assert accession.inspect(str(number), known_hospital) == ()
    assert accession.inspect(str(number), other_codes) == reasons("hospital", "department")


@pytest.mark.parametrize("check_digit", COMPUTED)
@given(data=st.data())
@steady
def test_a_computed_check_digit_is_one_of_all(check_digit: str, data: st.DataObject) -> None:
    number = data.draw(accession_numbers(check_digit))
    rules = AccessionRules(check_digit)
    for character in ALPHANUMERIC:
        text = str(dataclasses.replace(number, check=character))
        assert accession.inspect(text, rules) == (() if character == number.check else reasons("check"))


@pytest.mark.parametrize("check_digit", COMPUTED)
@given(data=st.data())
@steady
def test_a_computed_check_digit_detects_every_other_digit(check_digit: str, data: st.DataObject) -> None:
    """Year and running number are digits; in `hkid-style` place 6 weighs 11, so a change there is lost."""
    number = str(data.draw(accession_numbers(check_digit)))
    place = data.draw(st.integers(5, 14))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != number[place]))
    changed = number[:place] + digit + number[place + 1 :]
    lost = check_digit == "hkid-style" and place == 5
    assert accession.inspect(changed, AccessionRules(check_digit)) == (() if lost else reasons("check"))


@pytest.mark.parametrize("check_digit", COMPUTED)
def test_no_check_digit_is_computed_over_a_malformed_number(check_digit: str) -> None:
    for text, part in (
        ("xXXXR0700000101", "hospital"),
        ("XXX-R0700000101", "department"),
        ("XXXXRO700000101", "year"),
        ("XXXXR070000010A", "running"),
    ):
        for check in "0HZ":
            assert accession.inspect(text + check, AccessionRules(check_digit)) == reasons(part)
        assert accession.inspect(text + "*", AccessionRules(check_digit)) == reasons(part, "check")


def test_iso7064_agrees_with_the_recurrence_of_the_standard() -> None:
    # The vector of 17 characters is python-stdnum's own; it holds the recurrence below.
    assert _mod_37_36("A12425GABC1234002") == "M"
    strategy = CHECK_DIGITS["iso7064-mod37-36"]
    assert strategy is not None
    for number in (SLIDE[:15], "0" * 15, "Z" * 15, "A1B2C3D4E5F6G7H"):
        assert strategy(number) == _mod_37_36(number)


def _mod_37_36(text: str) -> str:
    """Compute ISO 7064 MOD 37,36 step by step as the standard tells it, apart from the code under test."""
    remainder = 36
    for character in text:
        remainder = (remainder + ALPHANUMERIC.index(character)) % 36 or 36
        remainder = remainder * 2 % 37
    return ALPHANUMERIC[(37 - remainder) % 36]


@pytest.mark.parametrize("check_digit", COMPUTED)
@pytest.mark.parametrize("text", ["", SLIDE, SLIDE[:14], "XXXXR07000001-1", "xxxxr0700000101", "XXXXR070000010²"])
def test_a_check_digit_is_computed_over_fifteen_characters_only(check_digit: str, text: str) -> None:
    strategy = CHECK_DIGITS[check_digit]
    assert strategy is not None
    with pytest.raises(ValueError, match="15 characters"):
        strategy(text)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("xxx", "XR", 7, 101), "hospital"),
        (("XXXX", "XR", 7, 101), "hospital"),
        (("XXX", "X", 7, 101), "department"),
        (("XXX", "XR", 2007, 101), "year"),
        (("XXX", "XR", -1, 101), "year"),
        (("XXX", "XR", 7, 100_000_000), "running"),
        (("XXX", "XR", 7, -1), "running"),
        (("XXX", "XR", 7, 101, "opaque", "*"), "check"),
        (("XXX", "XR", 7, 101, "opaque", ""), "check"),
    ],
)
def test_compose_refuses_what_does_not_fit(arguments: tuple[str, str, int, int], part: str) -> None:
    with pytest.raises(ValueError, match=rf": {part} in "):
        AccessionNumber.compose(*arguments)


def test_an_unknown_strategy_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="opaque, iso7064-mod37-36, hkid-style"):
        AccessionRules(check_digit="luhn")
    with pytest.raises(ValueError, match="luhn"):
        AccessionNumber.compose("XXX", "XR", 7, 101, "luhn")
