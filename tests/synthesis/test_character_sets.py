from __future__ import annotations

import json
import re
import subprocess
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import TEXT_VR_DELIMS

from simulator.rules import identity
from simulator.synthesis import character_sets, encoding, people
from simulator.synthesis.character_sets import (
    CHARACTER_SETS,
    DEFAULT_REPERTOIRE,
    GB_2312,
    GB_18030,
    LATIN_1,
    MOJIBAKE,
    UTF_8,
    CharacterSet,
    Mojibake,
)
from simulator.wire import data_set
from tests.interop import dcmtk
from tests.synthesis.made import CT, EXPLICIT, seeds, steady

CHAN = people.Person("Q1234567", "CHAN^TAI MAN", "19800229", "M", "陳^大文", "陈^大文")
NO_CHARACTERS = people.Person("Q1234567", "REMEDIOS^JOSE", "19800229", "M")
DCM2JSON = dcmtk.FOLDER / "dcm2json"

each_set = pytest.mark.parametrize("character_set", CHARACTER_SETS, ids=lambda each: each.name)
each_mojibake = pytest.mark.parametrize("mojibake", MOJIBAKE, ids=lambda each: each.name)


def read(raw: bytes, declared: str) -> str:
    """Return a Patient's Name as the gateway reads it."""
    values = {data_set.PATIENT_NAME: raw, data_set.SPECIFIC_CHARACTER_SET: declared.encode("ascii")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return data_set.text(values, data_set.PATIENT_NAME)


def by_iso_2022(raw: bytes) -> str:
    """Read a PN of `\\ISO 2022 IR 58`: GB 2312 where an escape sequence stands, until a delimiter takes it back."""
    text = ""
    for part in re.split(rb"([\^=])", raw):
        plain, _, extended = part.partition(b"\x1b$)A")
        text += plain.decode("ascii") + extended.decode("gb2312")
    return text


# --- what the standard says --------------------------------------------------------------------------


def test_the_sets_are_declared_as_the_standard_spells_them() -> None:
    assert {each.name: each.specific_character_set for each in CHARACTER_SETS} == {
        "ISO_IR 6": "",
        "ISO_IR 100": "ISO_IR 100",
        "ISO_IR 192": "ISO_IR 192",
        "GB18030": "GB18030",
        "ISO 2022 IR 58": "\\ISO 2022 IR 58",
    }


@pytest.mark.parametrize(
    ("character_set", "text", "octets", "example"),
    [
        (
            GB_2312,
            "Zhang^XiaoDong=张^小东=",
            "5A68616E675E5869616F446F6E673D 1B242941D5C5 5E 1B242941D0A1B6AB 3D",
            "PS3.5 K.2",
        ),
        (UTF_8, "Wang^XiaoDong=王^小東=", "57616E675E5869616F446F6E673D E78E8B 5E E5B08FE69DB1 3D", "PS3.5 J.2"),
        (GB_18030, "Wang^XiaoDong=王^小东=", "57616E675E5869616F446F6E673D CDF5 5E D0A1B6AB 3D", "PS3.5 J.3"),
    ],
)
def test_the_standards_own_names(character_set: CharacterSet, text: str, octets: str, example: str) -> None:
    assert character_set.encode(text) == bytes.fromhex(octets), example


def test_the_standards_own_text_of_several_lines() -> None:
    """PS3.5 K.3: each line invokes the set anew, right before the first character that needs it."""
    text = "1.第一行文字。\r\n2.第二行文字。\r\n"
    first = bytes.fromhex("312E 1B242941 B5DAD2BBD0D0CEC4D7D6A1A3 0D0A")
    second = bytes.fromhex("322E 1B242941 B5DAB6FED0D0CEC4D7D6A1A3 0D0A")
    assert GB_2312.encode(text, person_name=False) == first + second


def test_carets_reset_the_set_in_person_names_alone() -> None:
    escape = b"\x1b$)A"
    assert GB_2312.encode("陈^文").count(escape) == 2
    assert GB_2312.encode("陈^文", person_name=False).count(escape) == 1
    assert GB_2312.encode("陈\\文", person_name=False).count(escape) == 2


# --- what others read --------------------------------------------------------------------------------


@each_set
@given(seeds)
@steady
def test_the_gateway_reads_the_name_in_english_in_every_set(character_set: CharacterSet, seed: str) -> None:
    person = people.person(seed)
    name = read(character_set.encode(character_set.patient_name(person)), character_set.specific_character_set)
    assert identity.canonical_name(name) == person.name


@each_set
@pytest.mark.parametrize("person", [CHAN, NO_CHARACTERS], ids=["with characters", "without"])
def test_a_modality_writes_the_characters_that_the_set_has(character_set: CharacterSet, person: people.Person) -> None:
    written = {UTF_8.name: "陳^大文", GB_18030.name: "陳^大文", GB_2312.name: "陈^大文"}.get(character_set.name)
    expected = f"CHAN^TAI MAN={written}" if written else "CHAN^TAI MAN"
    assert character_set.patient_name(person) == (expected if person is CHAN else "REMEDIOS^JOSE")


def test_the_simplified_spelling_is_found_where_it_was_not_given() -> None:
    person = people.Person("Q1234567", "AU YEUNG", "19800229", "F", "歐陽")
    assert GB_2312.patient_name(person) == "AU YEUNG=欧阳"


@given(seeds)
@steady
def test_names_with_escape_sequences_read_back_by_the_rules(seed: str) -> None:
    name = GB_2312.patient_name(people.person(seed))
    assert by_iso_2022(GB_2312.encode(name)) == name


@each_set
@given(seeds)
@steady
def test_pydicom_reads_what_is_written(character_set: CharacterSet, seed: str) -> None:
    encodings = convert_encodings(character_set.specific_character_set.split("\\"))
    for name in (character_set.patient_name(people.person(seed)), character_set.physician_name):
        decoded = decode_bytes(character_set.encode(name), encodings, TEXT_VR_DELIMS)
        # pydicom 3.0 leaves the escape sequences of GB 2312 in the text that it decodes.
        assert decoded.replace("\x1b$)A", "") == name


@pytest.mark.interop
@pytest.mark.skipif(not DCM2JSON.is_file(), reason=f"DCMTK is not installed: no {DCM2JSON}")
@each_set
def test_dcmtk_reads_what_is_written(character_set: CharacterSet, tmp_path: Path) -> None:
    file = tmp_path / "names.dcm"
    declared = (
        {"SpecificCharacterSet": character_set.specific_character_set} if character_set.specific_character_set else {}
    )
    attributes = {
        **declared,
        "SOPClassUID": CT.uid,
        "SOPInstanceUID": "2.25.1",
        "ReferringPhysicianName": character_set.encode(character_set.physician_name),
        "PatientName": character_set.encode(character_set.patient_name(CHAN)),
    }
    elements = encoding.encoding_of(EXPLICIT).elements(attributes)
    file.write_bytes(encoding.part10(CT.uid, "2.25.1", EXPLICIT, b"".join(elements[tag] for tag in sorted(elements))))
    done = subprocess.run([DCM2JSON, file], capture_output=True, check=True)
    told = json.loads(done.stdout)
    for tag, name in (("00080090", character_set.physician_name), ("00100010", character_set.patient_name(CHAN))):
        groups = told[tag]["Value"][0]
        assert "=".join(groups[key] for key in ("Alphabetic", "Ideographic") if key in groups) == name


# --- what each set is for ----------------------------------------------------------------------------


def test_the_physicians_name_needs_its_set() -> None:
    assert [each.name for each in CHARACTER_SETS if _can(each, LATIN_1.physician_name)] == [
        "ISO_IR 100",
        "ISO_IR 192",
        "GB18030",
    ]
    assert [each.name for each in CHARACTER_SETS if _can(each, GB_18030.physician_name)] == ["ISO_IR 192", "GB18030"]
    with pytest.raises(UnicodeEncodeError):
        GB_18030.physician_name.encode("gbk")
    assert not _can(LATIN_1, GB_2312.physician_name)
    assert all(_can(each, DEFAULT_REPERTOIRE.physician_name) for each in CHARACTER_SETS)


def _can(character_set: CharacterSet, text: str) -> bool:
    try:
        return bool(character_set.encode(text))
    except ValueError:
        return False


@each_set
def test_names_keep_the_length_of_a_component_group(character_set: CharacterSet) -> None:
    names = [character_set.patient_name(people.person(str(number))) for number in range(200)]
    for name in (*names, character_set.physician_name):
        assert all(0 < len(group) <= 64 and group.count("^") <= 4 for group in name.split("="))


def test_characters_that_a_set_lacks_are_named() -> None:
    with pytest.raises(
        ValueError, match="the character set ISO 2022 IR 58 has no 陳, as in 'CHAN=陳'; it has Simplified"
    ):
        GB_2312.encode("CHAN=陳")
    with pytest.raises(ValueError, match="the character set ISO_IR 6 has no É, as in 'JOSÉ'; ISO_IR 192 has every one"):
        DEFAULT_REPERTOIRE.encode("JOSÉ")


# --- by name -----------------------------------------------------------------------------------------


@each_set
def test_a_set_is_found_by_its_name_in_any_spelling(character_set: CharacterSet) -> None:
    for name in (character_set.name, character_set.name.lower(), character_set.name.replace(" ", "_")):
        assert character_sets.by_name(f" {name} ") is character_set


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("default", DEFAULT_REPERTOIRE),
        ("ascii", DEFAULT_REPERTOIRE),
        ("latin1", LATIN_1),
        ("utf8", UTF_8),
        ("gb2312", GB_2312),
        ("\\ISO 2022 IR 58", GB_2312),
    ],
)
def test_a_set_has_everyday_names(spelling: str, expected: CharacterSet) -> None:
    assert character_sets.by_name(spelling) is expected


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("ISO_IR 193", "no character set 'ISO_IR 193'; near: ISO_IR 192, "),
        ("GB18031", "no character set 'GB18031'; near: GB18030"),
        ("Klingon", "no character set 'Klingon'; known: ISO_IR 6, ISO_IR 100, ISO_IR 192, GB18030, ISO 2022 IR 58"),
        ("", "no character set ''; known: ISO_IR 6"),
    ],
)
def test_an_unknown_set_is_told_with_what_is_near(spelling: str, message: str) -> None:
    with pytest.raises(KeyError) as raised:
        character_sets.by_name(spelling)
    assert raised.value.args[0].startswith(message)


# --- wrong on purpose --------------------------------------------------------------------------------


@each_mojibake
@given(seeds)
@steady
def test_the_bytes_are_not_what_is_declared(mojibake: Mojibake, seed: str) -> None:
    person = people.person(seed)
    raw = mojibake.patient_name(person)
    name = read(raw, mojibake.declared.specific_character_set)
    truths = {f"{person.name}={group}" for group in (person.ideographic, person.simplified)}
    assert name not in truths
    assert not raw.isascii()
    if mojibake.readable:
        assert identity.canonical_name(name) == person.name
        assert raw.startswith(person.name.encode("ascii") + b"=")
    else:
        keys = identity.MajorKeys(person.hkid, name, person.birth_date, person.sex)
        assert identity.inspect(keys) == ("name.invalid",)


def test_one_mojibake_leaves_no_name_in_english() -> None:
    assert [each.name for each in MOJIBAKE if not each.readable] == ["chinese-in-place-of-english-name"]
    assert len({each.name for each in MOJIBAKE}) == len(MOJIBAKE)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("gb18030-name-in-iso-ir-192", "EA90 5E B4F3CEC4"),
        ("utf-8-name-in-iso-ir-100", "E999B3 5E E5A4A7E69687"),
        ("utf-8-name-undeclared", "E999B3 5E E5A4A7E69687"),
        ("big5-name-undeclared", "B3AF 5E A46AA4E5"),
        ("gb2312-name-without-escape", "B3C2 5E B4F3CEC4"),
    ],
)
def test_the_characters_are_in_the_encoding_told(name: str, octets: str) -> None:
    found = {each.name: each for each in MOJIBAKE}[name]
    assert found.patient_name(CHAN) == b"CHAN^TAI MAN=" + bytes.fromhex(octets)


@each_mojibake
@pytest.mark.parametrize("ideographic", ["", "\u3b22\U0001f600"], ids=["none", "in no Chinese encoding but UTF-8"])
def test_who_cannot_be_written_so_is_nobody(mojibake: Mojibake, ideographic: str) -> None:
    person = people.Person("Q1234567", "REMEDIOS^JOSE", "19800229", "M", ideographic)
    raw = mojibake.patient_name(person)
    told = raw.removeprefix(b"REMEDIOS^JOSE=").decode(mojibake.codec)
    assert told in ({"無名氏", "无名氏"} if not ideographic else {"無名氏", "无名氏", ideographic})
    assert raw.startswith(b"REMEDIOS^JOSE=") == mojibake.readable


@given(st.text(alphabet="陳大文张東0aZ^=\\ \r\n", max_size=30), st.booleans())
@steady
def test_any_text_is_written_whole_or_refused(text: str, person_name: bool) -> None:
    try:
        raw = GB_2312.encode(text, person_name=person_name)
    except ValueError:
        assert {"陳", "東"} & set(text)
    else:
        assert raw.replace(b"\x1b$)A", b"").decode("gb2312") == text
