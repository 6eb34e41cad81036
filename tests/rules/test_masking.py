"""What a log may say of a patient."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from simulator import strategies
from simulator.rules import masking
from simulator.synthesis.people import Person
from tests.synthesis.made import steady


@pytest.mark.parametrize(
    ("stem", "text", "shown"),
    [
        ("hkid", "A123456(3)", "A***"),
        ("hkid", "", ""),
        ("name", "CHAN^TAI MAN=陳^大文", "C***^T***"),
        ("name", "CHAN", "C***"),
        ("name", "^X", "^X***"),
        ("birth-date", "19700131", "***"),
        ("birth-date", "", ""),
        ("sex", "M", "M"),
        ("sex", "a whole sentence in its place", "a whole sentence"),
    ],
)
def test_a_key_is_masked(stem: str, text: str, shown: str) -> None:
    assert masking.key(stem, text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("of CHAN^TAI MAN, who", "of ***, who"),
        ("CHAN^TAI MAN DAVID=陳^大文", "***"),
        ("HKID A123456(3) and AB1234569", "HKID *** and ***"),
        ("a123456(3)", "***"),
        ("PID|1||HKID:A1234563||CHAN^TAI", "PID|***"),
        ("message type ORM^O01 is not ORU^R01", "message type ORM^O01 is not ORU^R01"),
        ("SYNCT2500000101H is not found", "SYNCT2500000101H is not found"),
        ("study 1.2.840.10008.1 is unmatched hkid.mismatch", "study 1.2.840.10008.1 is unmatched hkid.mismatch"),
        ("listens at 127.0.0.1:11112 in A700", "listens at 127.0.0.1:11112 in A700"),
        ("refused/20260101T010203Z-ab1234567890.dataset", "refused/20260101T010203Z-ab1234567890.dataset"),
    ],
)
def test_a_line_is_masked_where_it_must_be_and_nowhere_else(text: str, shown: str) -> None:
    assert masking.line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invalid literal for int(): 'CHAN TAI MAN'", "invalid literal for int(): ***"),
        ("b'CHAN\\' TAI' is not \"O'NEIL\"", "*** is not ***"),
        ("KeyError: 'A123456(3)'", "KeyError: ***"),
    ],
)
def test_what_others_quote_is_masked(text: str, shown: str) -> None:
    assert masking.foreign(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1.2.3", "1.2.3"), ("CHAN TAI MAN", "(no UID, 12 characters)"), ("", "(no UID, 0 characters)")],
)
def test_what_is_no_uid_is_not_told(text: str, shown: str) -> None:
    assert masking.uid(text) == shown


@steady
@given(strategies.identities())
def test_nobody_is_named_by_a_masked_line(person: Person) -> None:
    name, number = person.name, person.hkid
    assume("^" in name)  # else it is a word like any other
    told = masking.line(f"study of {name}, {number}: and {number[:-1]}({number[-1]}) again")
    assert name not in told
    assert number not in told
    assert number[:-1] not in told
    for part in name.replace("^", " ").split():
        if len(part) > 5:
            assert part not in told


def test_what_a_peer_commented_is_masked_and_our_own_words_stay() -> None:
    said = 'no TLS: the peer\'s certificate is another CA\'s; answered A700 "CHAN "TAI" MAN unknown"'
    assert masking.comment(said) == "no TLS: the peer's certificate is another CA's; answered A700 ***"


KNOWN = ("CHAN TAI MAN", "CHAN^TAI MAN", "SO", "陳大文")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HKID A123456(3) and not AB 123456 9", "HKID *******(*) and not AB 123456 9"),
        ("of CHAN^TAI MAN=陳^大文, born 19700131", "of ****^*** ***=*^**, born ********"),
        ("Chan Tai Man, SO and so, 陳大文", "**** *** ***, ** and so, ***"),
        ("ADT^A08^ADT_A01, ORM^O01", "ADT^A08^ADT_A01, ORM^O01"),
        ("PID|1||A1234563||CHAN\rOBR|1|SYNCT2500000101H", "PID|*||********||****\rOBR|1|SYNCT2500000101H"),
        (
            "SYNCT2500000101H of 1.2.20251125.3 at 20260101T010203Z",
            "SYNCT2500000101H of 1.2.20251125.3 at 20260101T010203Z",
        ),
        ("2^10, 99999999 and 20261399", "2^10, 99999999 and 20261399"),
    ],
)
def test_the_shape_of_what_is_masked_stays(text: str, shown: str) -> None:
    assert masking.shape(text, KNOWN) == shown


def test_bytes_on_the_wire_keep_their_length_and_what_is_no_letter() -> None:
    data = b"\x00PN\x0c\x00CHAN^TAI MAN=\x1b$)C\xb3\xc2^\x10\x00LO\x0a\x00A123456(3)\x100\x00DA\x08\x0019700131"
    shown = b"\x00PN\x0c\x00****^*** ***=*$)***^\x10\x00LO\x0a\x00*******(*)\x100\x00DA\x08\x00********"
    assert masking.shape_of_bytes(data) == shown
    assert (
        masking.shape_of_bytes(b"called HAGATEWAY\x00\x001.2.840.10008.1.1^")
        == b"called HAGATEWAY\x00\x001.2.840.10008.1.1^"
    )


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_a_name_in_characters_is_known_in_the_bytes_of_its_character_set(charset: str) -> None:
    name = "陳大文".encode(charset)
    assert masking.shape_of_bytes(b"\x00" + name + b"\x00", KNOWN) == b"\x00" + b"*" * len(name) + b"\x00"


@given(strategies.identities())
def test_no_key_of_anybody_is_left_in_a_shape(person: Person) -> None:
    known = (person.name,)
    text = f"{person.name} ({person.hkid}, {person.birth_date})"
    assert not any(letter.isalnum() for letter in masking.shape(text, known))
    assert masking.shape_of_bytes(text.encode(), known).decode() == masking.shape(text, known)
