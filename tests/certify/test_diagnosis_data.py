"""What the images say: who the patient is, the accession number, the character set, how many, and what time it is."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.certify.diagnosis import diagnose
from simulator.events import StudyChanged
from simulator.synthesis import people
from simulator.synthesis.character_sets import by_name as character_set
from simulator.synthesis.draft import Values
from simulator.synthesis.lie import Lie
from simulator.synthesis.orders import Order, order
from simulator.wire.pdu_builders import Proposed
from simulator.wire.transcript import read
from tests.certify.diagnosed import check
from tests.certify.scenes import (
    CT,
    EXPLICIT,
    ORDER,
    SHEET,
    Case,
    Talking,
    declaration,
    images,
    scene,
    sent,
)

ANOTHER = order("another", people.person("another"))
REAL = "A1234563"
"""The example that stands in every description of the check character, and is not of the synthetic range."""


def lie(*, told_by: Any = "every instance", **values: str | bytes) -> Lie:
    """Return a lie that says these values, by keyword."""

    def tell(seed: str, order: Order) -> Values:
        return values

    return Lie("said", tuple(values), "As the test says.", tell, told_by=told_by)


def saying(*lies: str | Lie, count: int = 2, **fields: Any) -> Any:
    """Return a scene in which CT01 sends a study with these lies."""
    return scene("study", [sent(images(count, *lies))], **fields)


def element_head(tag: int, vr: bytes, length: int) -> bytes:
    return (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr + length.to_bytes(2, "little")


def patient_id_of(data: bytes) -> bytes:
    """Return the raw value of Patient ID (0010,0020), in Explicit VR Little Endian."""
    at = data.index(element_head(0x00100020, b"LO", 0)[:6]) + 6
    return data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2], "little")]


def over_tls(identifier: str, *reasons: str) -> Case:
    talk = Talking(acceptor=("192.0.2.1", 2762)).says("requestor", b"\x17\x03\x03\x00\x04abcd").ends("acceptor")
    changed = StudyChanged(
        observer="gateway",
        study_instance_uid="1.2",
        accession_number=ORDER.accession_number,
        state="unmatched",
        reasons=reasons,
    )
    seen = scene("study", [talk], [changed], declared=declaration(tls=True))
    return Case(identifier, seen, "", f"The gateway says {', '.join(reasons)}; the bytes went over TLS", "", name="tls")


SWAPPED = f"{SHEET.name.partition('^')[2]}^{SHEET.name.partition('^')[0]}"
JOINED = SHEET.name.replace("^", " ")
CHINESE = SHEET.ideographic.encode("utf-8")
NUMBER = ORDER.accession_number
PADDED = (SHEET.hkid + " " * (len(SHEET.hkid) % 2)).encode()

IDENTITY = (
    Case(
        "person.not-synthetic",
        saying(lie(PatientID=REAL, PatientName="CHAN^TAI MAN")),
        f"HKID {SHEET.hkid}.",
        "Patient ID (0010,0020) of an image has a value of 8 characters that is no synthetic HKID.",
        "A real patient was sent",
        (element_head(0x00100020, b"LO", 8),),
    ),
    Case(
        "key.missing",
        saying("empty-keys"),
        f"HKID {SHEET.hkid}, name {SHEET.name}, date of birth {SHEET.birth_date}, sex {SHEET.sex}.",
        "Missing: HKID, name in English, date of birth, sex. Patient ID (0010,0020) is empty; Patient's Name",
        "registered by hand at CT01",
        (
            element_head(0x00100020, b"LO", 0),
            element_head(0x00100010, b"PN", 0),
            element_head(0x00100030, b"DA", 0),
            element_head(0x00100040, b"CS", 0),
        ),
        name="all",
    ),
    Case(
        "key.missing",
        saying("absent-birth-date"),
        "",
        "Missing: date of birth. Patient's Birth Date (0010,0030) is absent.",
        "",
        name="absent",
    ),
    Case(
        "key.missing",
        saying("ideographic-name-alone"),
        "",
        "Missing: name in English. Patient's Name (0010,0010) is without its alphabetic group.",
        "",
        (element_head(0x00100010, b"PN", len(b"=" + CHINESE) + len(b"=" + CHINESE) % 2),),
        name="ideographic",
    ),
    Case(
        "hkid.parentheses",
        saying("hkid-in-parentheses", met=True),
        f"HKID {SHEET.hkid}.",
        f'"{SHEET.hkid[:-1]}({SHEET.hkid[-1]})"',
        "as the card has it",
        (b"(", b")"),
    ),
    Case(
        "hkid.check-digit",
        saying("invalid-hkid"),
        f"HKID {SHEET.hkid}.",
        f"to its letters and digits belongs the check character {SHEET.hkid[-1]}.",
        "A digit was mistyped",
        (images(1, "invalid-hkid")[0].data_set.partition(SHEET.hkid[:-1].encode())[2][:1],),
        name="wrong",
    ),
    Case(
        "hkid.check-digit",
        saying("hkid-without-check"),
        "",
        f'"{SHEET.hkid[:-1]}"; to its letters and digits belongs the check character {SHEET.hkid[-1]}.',
        "",
        (SHEET.hkid[-2:-1].encode(),),
        name="missing",
    ),
    Case(
        "hkid.mismatch",
        saying(lie(PatientID=ANOTHER.person.hkid)),
        f"HKID {SHEET.hkid}.",
        f'Patient ID "{ANOTHER.person.hkid}".',
        "The wrong patient of the worksheet",
        ((ANOTHER.person.hkid + " " * (len(ANOTHER.person.hkid) % 2)).encode(),),
    ),
    Case(
        "name.mismatch",
        saying("swapped-name"),
        f"Name {SHEET.name}.",
        f'"{SWAPPED}"',
        "family name and given name stand in each other's place",
        ((SWAPPED + " " * (len(SWAPPED) % 2)).encode(),),
        name="swapped",
    ),
    Case(
        "name.mismatch",
        saying("name-in-one-component"),
        "",
        f'"{JOINED}"',
        "the caret (^) between family name and given name is missing",
        ((JOINED + " " * (len(JOINED) % 2)).encode(),),
        name="one-component",
    ),
    Case(
        "name.mismatch",
        saying(lie(PatientName="CHAN, TAI MAN")),
        "",
        '"CHAN, TAI MAN"',
        "a comma stands where the caret (^) belongs",
        (b"CHAN, TAI MAN ",),
        name="comma",
    ),
    Case(
        "birth-date.mismatch",
        saying("another-birth-date"),
        f"Date of birth {SHEET.birth_date}.",
        "Patient's Birth Date",
        "it is another day",
        (images(1, "another-birth-date")[0].data_set.partition(element_head(0x00100030, b"DA", 8))[2][:8],),
        name="other",
    ),
    Case(
        "birth-date.mismatch",
        saying("hyphenated-birth-date"),
        "",
        f'"{SHEET.birth_date[:4]}-{SHEET.birth_date[4:6]}-{SHEET.birth_date[6:]}"',
        "a DA has eight digits",
        (f"{SHEET.birth_date[:4]}-{SHEET.birth_date[4:6]}-{SHEET.birth_date[6:]}".encode(),),
        name="form",
    ),
    Case(
        "sex.mismatch",
        saying("another-sex"),
        f"Sex {SHEET.sex}.",
        'Patient\'s Sex "F"',
        "it is another",
        (b"F ",),
        name="other",
    ),
    Case("sex.mismatch", saying("unknown-sex-code"), "", '"X"', "DICOM has M, F and O alone", (b"X ",), name="code"),
    Case(
        "study.inconsistent",
        saying("two-patients", count=3),
        "One patient and one accession number",
        f'Patient ID is "{SHEET.hkid}" in the first image, and "Q',
        "the patient was changed at CT01",
        (PADDED, patient_id_of(images(3, "two-patients")[1].data_set)),
    ),
)
DATA = (
    Case(
        "accession.missing",
        saying("missing-accession"),
        f"Accession Number {NUMBER}, as in the order.",
        "It is empty.",
        "its worklist does not carry the number",
        (element_head(0x00080050, b"SH", 0),),
        name="empty",
    ),
    Case(
        "accession.length",
        saying(lie(AccessionNumber=NUMBER[:15])),
        f"{NUMBER} of 16 characters.",
        f'"{NUMBER[:15]}" of 15 characters.',
        f"the end of it was cut off ({NUMBER[15:]!r} is missing)",
        (NUMBER[:15].encode() + b" ",),
    ),
    Case(
        "accession.not-the-ordered",
        saying(lie(AccessionNumber=ANOTHER.accession_number)),
        f"Accession Number {NUMBER}.",
        f'"{ANOTHER.accession_number}".',
        "it is another number. The wrong entry of the worklist",
        (ANOTHER.accession_number.encode(),),
    ),
    Case(
        "accession.used-twice",
        scene(
            "study",
            [sent(images())],
            [
                StudyChanged(
                    observer="gateway",
                    study_instance_uid=ORDER.study_instance_uid,
                    accession_number=NUMBER,
                    state="unmatched",
                    reasons=("accession.duplicate",),
                )
            ],
        ),
        f"One study under Accession Number {NUMBER}.",
        f'A second study came under "{NUMBER}".',
        "CT01 splits a study in two",
    ),
    Case(
        "charset.disagrees",
        saying(
            lie(
                SpecificCharacterSet="ISO_IR 192",
                PatientName=SHEET.name.encode() + b"=" + SHEET.ideographic.encode("big5hkscs"),
            )
        ),
        "for Chinese names ISO_IR 192 (UTF-8)",
        "Declared is ISO_IR 192; the name has the bytes",
        "As bytes they are good",
        (
            b"ISO_IR 192",
            SHEET.ideographic.encode("big5hkscs"),
        ),
        name="big5-as-utf8",
    ),
    Case(
        "charset.disagrees",
        saying(lie(SpecificCharacterSet="ISO_IR 100", PatientName=SHEET.name.encode() + b"=" + CHINESE)),
        "",
        "Declared is ISO_IR 100; the name has the bytes",
        "As bytes they are good UTF-8 (ISO_IR 192).",
        (b"ISO_IR 100", CHINESE),
        name="utf8-as-latin",
    ),
    Case(
        "images.over-1000",
        saying(count=1001, met=True),
        "1000 images in a study at most.",
        "1001 images.",
        "Thin slices",
    ),
    Case(
        "clock.off",
        saying(lie(InstanceCreationDate="20261123", InstanceCreationTime="010030"), met=True),
        "About 2026-11-23 09:00:10",
        "Instance Creation Time says 2026-11-23 01:00:30: 8.0 hours behind.",
        "It is whole hours, as a wrong time zone makes them.",
        (b"010030",),
        name="zone",
    ),
    Case(
        "clock.off",
        saying(lie(StudyDate="20261123", StudyTime="0930"), met=True),
        "(Hong Kong time)",
        "Study Time says 2026-11-23 09:30:00: 29 minutes ahead.",
        "The clock or time zone of the sender is wrong",
        (b"0930",),
        name="study",
    ),
)
OVER_TLS = (
    over_tls("key.missing", "hkid.missing", "sex.missing"),
    over_tls("hkid.check-digit", "hkid.invalid"),
    over_tls("hkid.mismatch", "hkid.mismatch"),
    over_tls("name.mismatch", "name.mismatch"),
    over_tls("birth-date.mismatch", "birth-date.invalid"),
    over_tls("sex.mismatch", "sex.mismatch"),
    over_tls("accession.missing", "accession.missing"),
    over_tls("accession.length", "accession.malformed.length"),
    over_tls("accession.not-the-ordered", "accession.malformed.hospital"),
    over_tls("study.inconsistent", "study.inconsistent"),
)
CASES = (*IDENTITY, *DATA, *OVER_TLS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_diagnosed(case: Case) -> None:
    check(case)


def test_nothing_of_a_real_patient_is_repeated() -> None:
    """Neither number nor name nor date stands in a card, be it in words or in bytes."""
    real = lie(
        PatientID=REAL,
        PatientName="CHAN^TAI MAN=\xe9\x99\xb3".encode("latin-1"),
        PatientBirthDate="19701231",
        SpecificCharacterSet="ISO_IR 192",
        AccessionNumber="12",
    )
    (card,) = diagnose(saying(real))
    assert card.id == "person.not-synthetic"
    for secret in (REAL, "CHAN", "19701231"):
        assert secret not in repr(card)


@pytest.mark.parametrize(
    "spelling",
    [
        "lower-case-hkid",
        "spaced-hkid",
        "prefixed-hkid",
        "lower-case-name",
        "carets-after-name",
        "spaces-around-name",
        "three-group-name",
        "chinese-name-in-gbk",
        "padded-birth-date",
        "lower-case-sex",
        "padded-sex",
    ],
)
def test_other_spellings_of_the_truth_are_no_fault(spelling: str) -> None:
    assert diagnose(saying(spelling, met=True)) == ()


@pytest.mark.parametrize("name", ["ISO_IR 192", "GB18030", "ISO 2022 IR 58", "ISO_IR 100"])
def test_names_in_the_character_set_that_is_declared_are_no_fault(name: str) -> None:
    study = images(1, character_set=character_set(name))
    assert diagnose(scene("study", [sent(study)], met=True)) == ()


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"])
def test_data_sets_are_read_in_every_encoding(syntax: str) -> None:
    (instance,) = images(1, "another-sex", syntax=syntax)
    talk = Talking().asks(Proposed(1, CT, (instance.transfer_syntax_uid,))).accepts().stores(instance).releases()
    assert [card.id for card in diagnose(scene("study", [talk]))] == ["sex.mismatch"]


def test_an_attribute_that_did_not_come_any_more_is_not_taken_for_absent() -> None:
    """Of each image the beginning alone was kept, up to the accession number."""
    instance = images(1)[0]
    until = instance.data_set.index(element_head(0x00080050, b"SH", 16))
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts()
    whole = Talking().stores(instance, None, length=0).segments[0].data
    talk.says("requestor", whole[: whole.index(instance.data_set[:until]) + until])
    assert read(talk.conversation).messages[0].data_set == instance.data_set[:until]
    talk.ends("requestor", "rst")
    assert [card.id for card in diagnose(scene("study", [talk]))] == ["association.died"]
