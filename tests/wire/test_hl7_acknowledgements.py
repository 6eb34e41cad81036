from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import hl7_acknowledgements, hl7_segments
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_segments import Header
from tests.wire.made import steady
from tests.wire.test_hl7_messages import texts

SENT_AT = "20240102030405"
CHARACTER_SETS = ("", "ASCII", "UNICODE UTF-8", "8859/1", "GB 18030-2000", "BIG-5")


def a_header(version: str = "2.3.1", character_set: str = "", control_id: str = "MSG1") -> Header:
    return Header("RIS", "F", "G", "H", "ORM^O01", control_id, "P", version, character_set=character_set)


def built(header: Header | None, code: str = "AE", fault: Fault | None = None) -> bytes:
    return hl7_acknowledgements.build_acknowledgement(header, code, fault, "ACK1", SENT_AT)


# --- ERR in the form of the version ------------------------------------------------------------------

FAULT = Fault("PID-3 is empty | really", "PID-3", 101)


@pytest.mark.parametrize(
    ("version", "segment"),
    [
        ("2.3", "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.3.1", "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.4", "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.5", "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 is empty \\F\\ really"),
        ("2.5.1", "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 is empty \\F\\ really"),
        ("", "ERR|PID^1^3^101&Required field missing&HL70357"),
    ],
)
def test_an_error_has_the_form_of_the_messages_version(version: str, segment: str) -> None:
    raw = built(a_header(version), fault=FAULT)
    assert raw.decode().split("\r")[2] == segment
    assert hl7_acknowledgements.read_acknowledgement(raw).text == FAULT.text


@pytest.mark.parametrize(
    ("fault", "old", "new"),
    [
        (Fault("x"), "ERR|^^^207&Application internal error&HL70357", "ERR|||207^Application internal error^HL70357|E"),
        (Fault("x", "OBR", 100), "ERR|OBR^1^^100&Segment sequence error&HL70357", "ERR||OBR^1|100^Segment sequence"),
    ],
)
def test_an_error_may_be_in_no_field(fault: Fault, old: str, new: str) -> None:
    assert built(a_header("2.3.1"), fault=fault).decode().split("\r")[2] == old
    assert built(a_header("2.5.1"), fault=fault).decode().split("\r")[2].startswith(new)


@pytest.mark.parametrize("condition", [100, 101, 102, 103, 200, 202, 203, 204, 205, 207])
def test_every_condition_has_its_meaning(condition: int) -> None:
    assert f"|{condition}^".encode() in built(a_header("2.5.1"), fault=Fault("x", "", condition))


# --- the character set -------------------------------------------------------------------------------


def character_set(raw: bytes) -> str:
    return hl7_segments.read_header(raw).character_set


@pytest.mark.parametrize("declared", CHARACTER_SETS)
def test_an_acknowledgement_is_in_the_messages_character_set(declared: str) -> None:
    assert character_set(built(a_header(character_set=declared), "AA")) == declared


def test_a_letter_beyond_ascii_needs_a_character_set() -> None:
    raw = built(a_header(control_id="陳"), "AA")
    assert character_set(raw) == "UNICODE UTF-8"
    assert hl7_acknowledgements.read_acknowledgement(raw).control_id == "陳"


@pytest.mark.parametrize("declared", ["GB 18030-2000", "BIG-5"])
def test_chinese_is_written_as_the_message_writes_it(declared: str) -> None:
    raw = built(a_header(character_set=declared, control_id="陳"), "AA")
    assert raw.decode({"GB 18030-2000": "gb18030", "BIG-5": "big5hkscs"}[declared]).split("\r")[1] == "MSA|AA|陳|"


def test_a_letter_that_the_character_set_has_not_is_written_in_utf_8() -> None:
    raw = built(a_header(character_set="8859/1", control_id="陳"), "AA")
    assert character_set(raw) == "UNICODE UTF-8"
    assert hl7_acknowledgements.read_acknowledgement(raw).control_id == "陳"


@given(texts, texts.filter(bool), st.sampled_from(CHARACTER_SETS), st.sampled_from(("2.3.1", "2.5.1")))
@steady
def test_whatever_was_wrong_can_be_said(control_id: str, text: str, declared: str, version: str) -> None:
    header = a_header(version, declared, control_id)
    answer = hl7_acknowledgements.read_acknowledgement(built(header, "AE", Fault(text, "PID-3", 101)))
    assert (answer.code, answer.control_id, answer.text) == ("AE", control_id, text)


# --- which are asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [("AL", True, True), ("NE", False, False), ("ER", False, True), ("SU", True, False), ("", False, False)],
)
def test_the_conditions_of_table_0155(condition: str, good: bool, bad: bool) -> None:
    assert {hl7_acknowledgements.is_asked_for(condition, code) for code in ("AA", "CA")} == {good}
    assert {hl7_acknowledgements.is_asked_for(condition, code) for code in ("AE", "AR", "CE", "CR")} == {bad}


@pytest.mark.parametrize(("code", "commits"), [("AA", False), ("AE", False), ("CA", True), ("CE", True), ("CR", True)])
def test_two_kinds_of_acknowledgement(code: str, commits: bool) -> None:
    assert hl7_acknowledgements.read_acknowledgement(built(a_header(), code)).commits is commits
