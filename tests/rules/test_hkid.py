from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules import hkid
from tests.rules import vectors
from tests.rules.strategies import hkid_bodies, hkids, respelled_hkid, steady

VECTORS = vectors.read("hkid.csv")
VALUE = {character: value for value, character in enumerate(string.digits + string.ascii_uppercase + " ")}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["text"] or "(empty)")
def test_vector(vector: dict[str, str]) -> None:
    assert hkid.canonical(vector["text"]) == vector["canonical"]
    assert hkid.is_valid(vector["text"]) is (vector["valid"] == "yes")


@given(st.text())
@steady
def test_canonical_takes_any_text_and_is_idempotent(text: str) -> None:
    once = hkid.canonical(text)
    assert hkid.canonical(once) == once


@pytest.mark.parametrize("text", ["HKID:HKID:A1234563", "HK ID:A1234563", "(HKID:)A1234563", "H(KID:HKID:A1234563"])
def test_no_prefix_is_left_behind(text: str) -> None:
    assert hkid.canonical(text) == "A1234563"


@given(st.data(), hkids)
@steady
def test_every_spelling_is_the_same_number(data: st.DataObject, number: str) -> None:
    spelled = data.draw(respelled_hkid(number))
    assert hkid.canonical(spelled) == number
    assert hkid.is_valid(spelled)


@given(hkid_bodies)
@steady
def test_the_whole_weighted_sum_is_divisible_by_11(body: str) -> None:
    whole = body.rjust(8) + hkid.check_character(body)
    assert sum(VALUE[character] * weight for character, weight in zip(whole, range(9, 0, -1), strict=True)) % 11 == 0


@given(hkid_bodies)
@steady
def test_exactly_one_check_character_is_valid(body: str) -> None:
    valid = [character for character in string.digits + string.ascii_uppercase if hkid.is_valid(body + character)]
    assert valid == [hkid.check_character(body)]


@given(hkid_bodies)
@steady
def test_every_change_of_one_digit_is_detected(body: str) -> None:
    check = hkid.check_character(body)
    for place in range(len(body) - 6, len(body)):
        for digit in set(string.digits) - {body[place]}:
            assert not hkid.is_valid(body[:place] + digit + body[place + 1 :] + check)


@given(hkid_bodies)
@steady
def test_every_swap_of_neighbouring_digits_is_detected(body: str) -> None:
    check = hkid.check_character(body)
    for place in range(len(body) - 6, len(body) - 1):
        left, right = body[place], body[place + 1]
        swapped = body[:place] + right + left + body[place + 2 :] + check
        assert hkid.is_valid(swapped) is (left == right)


@given(hkid_bodies)
@steady
def test_a_change_of_one_letter_is_detected_unless_congruent(body: str) -> None:
    """Letters 11 or 22 apart, such as A, L and W, weigh the same modulo 11: no check can tell them apart."""
    check = hkid.check_character(body)
    for place in range(len(body) - 6):
        for letter in string.ascii_uppercase:
            changed = body[:place] + letter + body[place + 1 :] + check
            assert hkid.is_valid(changed) is ((VALUE[letter] - VALUE[body[place]]) % 11 == 0)


@pytest.mark.parametrize("body", ["", "123456", "A12345", "A1234567", "ABC123456", "a123456", " A123456", "A12345６"])
def test_no_check_character_for_another_body(body: str) -> None:
    with pytest.raises(ValueError, match="letters and six digits"):
        hkid.check_character(body)


def test_mod11_refuses_what_has_no_value() -> None:
    with pytest.raises(ValueError, match="0-9, A-Z and space"):
        hkid.mod11_character("A-1")


@pytest.mark.parametrize("spelled", ["A1234563", "a123456(3)", "HKID: A 123456 3"])
def test_any_spelling_is_printed_as_on_the_card(spelled: str) -> None:
    assert hkid.printed(spelled) == "A123456(3)"
