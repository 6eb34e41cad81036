"""Values written into encoded data sets: what changes, what is kept, and that nothing else is touched."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import UID

from simulator.errors import NotDicom
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import character_sets
from simulator.synthesis.studies import Instance
from simulator.wire import data_set, part10, rewriting
from simulator.wire.association import Outgoing
from simulator.wire.rewriting import Attribute, Modification
from tests.interop import dcmtk
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study

DCIODVFY = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
KNOWN = [each for each in SEED_IMAGE_CLASSES if "Hardcopy" not in each.keyword]  # dciodvfy does not know those two
DEFLATED = data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)
MODIFICATION = Modification("20260102030405+0000", "HAGATEWAY", "MODALITY1", "COERCE")
NAME = Attribute(data_set.PATIENT_NAME, b"PN", b"CHAN^TAI MAN")
HKID = Attribute(data_set.PATIENT_ID, b"LO", b"Q1234567")
NUMBER = Attribute(data_set.ACCESSION_NUMBER, b"SH", b"SYNCT2500000101H")
BIRTH = Attribute(data_set.PATIENT_BIRTH_DATE, b"DA", b"19700131")
SEX = Attribute(data_set.PATIENT_SEX, b"CS", b"M")
ALL = (NAME, HKID, NUMBER, BIRTH, SEX)


def file_of(data: bytes, syntax: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.2", uid: str = "1.2.3") -> bytes:
    return part10.build(Outgoing(sop_class, uid, syntax, data), "TEST")


def parsed(data: bytes, syntax: str) -> Dataset:
    return dcmread(BytesIO(file_of(data, syntax)))


def encoded(dataset: Dataset, syntax: str) -> bytes:
    """Return a data set as pydicom encodes it."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    out = BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return part10.read(out.getvalue()).data_set


def modified(instance: Instance, *attributes: Attribute) -> bytes:
    return rewriting.modified(instance.data_set, instance.transfer_syntax_uid, attributes, MODIFICATION)


def elements(data: bytes, syntax: str) -> dict[int, bytes]:
    """Return every top-level element as it is encoded, head and delimiter included."""
    plain = data_set.plain(data, syntax)
    found, start = {}, 0
    for element in data_set.elements(plain, syntax):
        end = element.end + (0 if element.items is None else 8)
        found[element.tag] = plain[start:end]
        start = end
    assert start == len(plain)
    assert list(found) == sorted(found)
    return found


@pytest.mark.parametrize("syntax", [*NATIVE, "RLELossless", "JPEG2000Lossless", "JPEGBaseline8Bit"])
@pytest.mark.parametrize("charset", character_sets.CHARACTER_SETS, ids=lambda each: each.name)
def test_what_is_written_what_is_kept_and_nothing_else(syntax: str, charset: character_sets.CharacterSet) -> None:
    sop_class = by_name("Ultrasound Image") if syntax == "JPEGBaseline8Bit" else by_name("CT Image")
    instance = a_study("w", sop_class, transfer_syntax=syntax, character_set=charset).instances[0]
    uid = instance.transfer_syntax_uid
    before, after = elements(instance.data_set, uid), elements(modified(instance, *ALL), uid)
    written = {each.tag for each in ALL} | {rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE}
    assert {t: v for t, v in after.items() if t not in written} == {t: v for t, v in before.items() if t not in written}
    assert len(modified(instance, *ALL)) % 2 == 0

    was, now = parsed(instance.data_set, uid), parsed(modified(instance, *ALL), uid)
    assert (now.PatientName, now.PatientID, now.AccessionNumber) == ("CHAN^TAI MAN", "Q1234567", "SYNCT2500000101H")
    assert (now.PatientBirthDate, now.PatientSex) == ("19700131", "M")
    (item,) = now.OriginalAttributesSequence
    assert item.AttributeModificationDateTime == "20260102030405+0000"
    assert item.ModifyingSystem == "HAGATEWAY"
    assert item.SourceOfPreviousValues == "MODALITY1"
    assert item.ReasonForTheAttributeModification == "COERCE"
    (kept,) = item.ModifiedAttributesSequence
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "PatientBirthDate", "PatientSex"):
        assert kept[keyword].value == was[keyword].value, keyword
    assert len(kept) == 5
    assert now.PixelData == was.PixelData


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("lengths", ["defined", "undefined"])
def test_items_that_are_there_stay_and_one_is_appended(syntax: str, lengths: str) -> None:
    first, second, kept = Dataset(), Dataset(), Dataset()
    kept.PatientName = "OLDER^NAME"
    first.ModifiedAttributesSequence = Sequence([kept])
    first.ReasonForTheAttributeModification = "CORRECT"
    second.ModifyingSystem = "ANOTHER"
    for each in (first, second):
        each.is_undefined_length_sequence_item = lengths == "undefined"
    said = Dataset()
    said.PatientName = "OLD^NAME"
    said.OriginalAttributesSequence = Sequence([first, second])
    said["OriginalAttributesSequence"].is_undefined_length = lengths == "undefined"
    said.add_new(0x7FE00010, "OW", b"\1\2\3\4")
    raw = encoded(said, syntax)
    now = parsed(rewriting.modified(raw, syntax, [NAME], MODIFICATION), syntax)
    items = now.OriginalAttributesSequence
    assert [each.get("ModifyingSystem") for each in items] == [None, "ANOTHER", "HAGATEWAY"]
    assert items[0].ModifiedAttributesSequence[0].PatientName == "OLDER^NAME"
    assert items[2].ModifiedAttributesSequence[0].PatientName == "OLD^NAME"
    assert now.PatientName == "CHAN^TAI MAN"
    assert bytes(now.PixelData) == b"\1\2\3\4"


@pytest.mark.parametrize("length", [None, 0xFFFFFFFF], ids=["defined", "undefined"])
def test_a_sequence_of_unknown_representation_goes_on_in_implicit_vr(length: int | None) -> None:
    """PS3.5 6.2.2: what an UN of undefined length holds is Implicit VR Little Endian, whatever is around it."""
    inner = struct.pack("<HHL", 0x0400, 0x0563, 4) + b"SOME"
    content = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if length else b""
    head = struct.pack("<HH2sHL", 0x0400, 0x0561, b"UN", 0, length or len(content))
    name = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 4) + b"A^B "
    now = parsed(rewriting.modified(name + head + content + end, EXPLICIT, [NAME], MODIFICATION), EXPLICIT)
    assert now.PatientName == "CHAN^TAI MAN"
    sequence = now.OriginalAttributesSequence
    assert [each.ModifyingSystem for each in sequence] == ["SOME", "HAGATEWAY"]
    assert sequence[1].ModifiedAttributesSequence[0].PatientName == "A^B"


def test_what_cannot_be_appended_to_is_refused_with_its_tag() -> None:
    rubbish = struct.pack("<HH2sHL", 0x0400, 0x0561, b"UN", 0, 4) + b"what"
    with pytest.raises(NotDicom, match=r"\(0400,0561\) has no item"):
        rewriting.modified(rubbish, EXPLICIT, [NAME], MODIFICATION)
    with pytest.raises(NotDicom, match="truncated"):
        rewriting.modified(b"\x10\0\x10\0PN\x20\0A^B", EXPLICIT, [NAME], MODIFICATION)


def test_an_attribute_that_was_absent_is_kept_as_an_empty_one() -> None:
    said = Dataset()
    said.PatientName = "A^B"
    now = parsed(rewriting.modified(encoded(said, IMPLICIT), IMPLICIT, [NAME, SEX, BIRTH], MODIFICATION), IMPLICIT)
    (kept,) = now.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert [each.keyword for each in kept] == ["PatientName", "PatientBirthDate", "PatientSex"]
    assert (kept.PatientSex, kept.PatientBirthDate) == ("", "")
    assert (now.PatientSex, now.PatientBirthDate) == ("M", "19700131")


def test_group_lengths_of_changed_groups_go_and_others_stay() -> None:
    def length(group: int, value: int) -> bytes:
        return struct.pack("<HH2sHL", group, 0, b"UL", 4, value)

    name = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 4) + b"A^B "
    rows = struct.pack("<HH2sHH", 0x0028, 0x0010, b"US", 2, 7)
    raw = length(0x0008, 0) + length(0x0010, 12) + name + length(0x0028, 10) + rows
    after = elements(rewriting.modified(raw, EXPLICIT, [NAME], MODIFICATION), EXPLICIT)
    assert [f"{tag:08X}" for tag in after] == ["00080000", "00100010", "00280000", "00280010", "04000561"]


def test_a_value_too_long_for_its_representation_is_kept_all_the_same() -> None:
    long = b"X" * 70_000
    raw = struct.pack("<HHL", 0x0010, 0x0020, len(long)) + long
    implicit = parsed(rewriting.modified(raw, IMPLICIT, [HKID], MODIFICATION), IMPLICIT)
    assert len(implicit.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID) == len(long)
    explicit = struct.pack("<HH2sHL", 0x0010, 0x0020, b"UN", 0, len(long)) + long
    now = parsed(rewriting.modified(explicit, EXPLICIT, [HKID], MODIFICATION), EXPLICIT)
    kept = now.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert bytes(kept.get_item(0x00100020).value) == long
    assert now.PatientID == "Q1234567"


def test_elements_out_of_order_or_twice_are_replaced_where_they_stand() -> None:
    def text(tag: int, value: bytes) -> bytes:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"LO", len(value)) + value

    raw = text(0x00100020, b"FIRST ") + text(0x00080070, b"MAKER ") + text(0x00100020, b"SECOND")
    now = rewriting.modified(raw, EXPLICIT, [HKID], MODIFICATION)
    tags = [element.tag for element in data_set.elements(now, EXPLICIT)]
    assert tags == [0x00100020, 0x00080070, 0x04000561]
    assert data_set.read(now, EXPLICIT, {0x00100020}) == {0x00100020: b"Q1234567"}


@pytest.mark.parametrize(
    ("name", "charset", "written"),
    [
        ("CHAN^TAI MAN", b"", "CHAN^TAI MAN"),
        ("CHAN^TAI MAN=陳^大文", b"ISO_IR 192", "CHAN^TAI MAN=陳^大文"),
        ("CHAN^TAI MAN=陳^大文", b"GB18030 ", "CHAN^TAI MAN=陳^大文"),
        # pydicom writes no escape sequence for this set (PS3.5 6.1.2.5), so what it made is not taken.
        ("CHAN^TAI MAN=陈^大文", b"\\ISO 2022 IR 58", "CHAN^TAI MAN"),
        ("CHAN^TAI MAN=陳^大文", b"ISO_IR 100", "CHAN^TAI MAN"),
        ("CHAN^TAI MAN=陳^大文", b"", "CHAN^TAI MAN"),
        ("CHAN^TAI MAN=陳^大文", b"no such set ", "CHAN^TAI MAN"),
        ("RÉMI^JOSÉ", b"ISO_IR 100", "RÉMI^JOSÉ"),
        ("RÉMI^JOSÉ", b"", None),
        ("陳^大文", b"ISO_IR 100", None),
        ("", b"", None),
    ],
)
def test_a_name_is_written_in_the_studys_character_set_or_as_its_alphabetic_group_and_never_otherwise(
    name: str, charset: bytes, written: str | None
) -> None:
    raw = rewriting.encoded_name(name, charset)
    assert (raw is None) == (written is None)
    if raw is not None:
        values = {data_set.PATIENT_NAME: raw, data_set.SPECIFIC_CHARACTER_SET: charset}
        assert data_set.text(values, data_set.PATIENT_NAME) == written
        assert b"?" not in raw


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (dicom3tools) is not on this machine")
@pytest.mark.parametrize("sop_class", KNOWN, ids=lambda each: each.keyword)
def test_dciodvfy_finds_no_error_in_a_corrected_copy(sop_class: SopClass, tmp_path: Path) -> None:
    instance = a_study("v", sop_class).instances[0]
    file = tmp_path / "corrected.dcm"
    uids = (instance.transfer_syntax_uid, instance.sop_class_uid, instance.sop_instance_uid)
    file.write_bytes(file_of(modified(instance, *ALL), *uids))
    assert DCIODVFY is not None
    done = subprocess.run([DCIODVFY, "-new", str(file)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert not [line for line in said if line.startswith(("Error", "Fatal"))], said


@pytest.mark.skipif(bool(dcmtk.MISSING), reason="DCMTK is not installed")
@pytest.mark.parametrize("syntax", NATIVE)
def test_dcmtk_reads_a_corrected_copy(syntax: str, tmp_path: Path) -> None:
    instance = a_study("d", transfer_syntax=syntax, character_set=character_sets.UTF_8).instances[0]
    file = tmp_path / "corrected.dcm"
    file.write_bytes(file_of(modified(instance, *ALL), instance.transfer_syntax_uid))
    done = dcmtk.run("dcmdump", str(file), folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "W:" not in done.stdout
    assert "E:" not in done.stdout
    assert "(0400,0561) SQ (Sequence with explicit length #=1)" in done.stdout
    assert "(0400,0565) CS [COERCE]" in done.stdout
