from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.filereader import read_dataset

from simulator.synthesis import encoding
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT

ATTRIBUTES: encoding.Attributes = {
    "PatientName": "CHAN^TAI MAN",
    "PatientSex": "",
    "ImageType": ("ORIGINAL", "PRIMARY"),
    "Rows": 16,
    "PixelIntensityRelationshipSign": -1,
    "DimensionIndexValues": (1, 2),
    "EffectiveEchoTime": 1.5,
    "DimensionIndexPointer": 0x00209056,
    "SOPInstanceUID": "2.25.1",
    "OverlayData": b"\x01\x02\x03\x04",
    "AcquisitionContextSequence": (),
    "AnatomicRegionSequence": ({"CodeValue": "1", "ViewCodeSequence": ({"CodeMeaning": "deep"},)}, {}),
}


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_pydicom_reads_back_what_was_written(transfer_syntax: str) -> None:
    how = encoding.encoding_of(transfer_syntax)
    attributes = {name: value for name, value in ATTRIBUTES.items() if name != "OverlayData"}
    written = encoding.joined(how.elements(attributes))
    read = read_dataset(BytesIO(written), not how.explicit, not how.big_endian)
    assert read.PatientName == "CHAN^TAI MAN"
    assert read.PatientSex == ""
    assert read.ImageType == ["ORIGINAL", "PRIMARY"]
    assert (read.Rows, read.PixelIntensityRelationshipSign, read.EffectiveEchoTime) == (16, -1, 1.5)
    assert read.DimensionIndexValues == [1, 2]
    assert read.DimensionIndexPointer == 0x00209056
    assert read.SOPInstanceUID == "2.25.1"
    assert read.AcquisitionContextSequence == []
    assert read.AnatomicRegionSequence[0].ViewCodeSequence[0].CodeMeaning == "deep"
    assert len(read.AnatomicRegionSequence[1]) == 0
    assert len(written) % 2 == 0


def test_elements_are_joined_in_the_order_of_their_tags() -> None:
    how = encoding.encoding_of(EXPLICIT)
    backwards = dict(sorted(how.elements({"Rows": 1, "PatientID": "a", "Modality": "CT"}).items(), reverse=True))
    assert encoding.joined(backwards) == encoding.joined(dict(sorted(backwards.items())))


@pytest.mark.parametrize(
    ("vr", "value", "padded"),
    [("LO", b"abc", b"abc "), ("UI", b"1.2", b"1.2\0"), ("OB", b"\1", b"\1\0"), ("SH", b"ab", b"ab"), ("DA", b"", b"")],
)
def test_values_are_made_even(vr: str, value: bytes, padded: bytes) -> None:
    assert encoding.padded(value, vr) == padded


def whole(pixel_data: encoding.PixelData) -> bytes:
    return encoding.joined({}, pixel_data)


def test_big_endian_turns_words_round_but_not_bytes() -> None:
    how = encoding.encoding_of(BIG_ENDIAN)
    assert whole(how.pixel_data(b"\x01\x02\x03\x04", 16)).endswith(b"\x00\x00\x00\x04\x02\x01\x04\x03")
    assert whole(how.pixel_data(b"\x01\x02\x03", 8)).endswith(b"\x00\x00\x00\x04\x01\x02\x03\x00")


def test_half_of_native_pixel_data_is_well_formed() -> None:
    for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN):
        how = encoding.encoding_of(syntax)
        half = read_dataset(
            BytesIO(whole(how.half(how.pixel_data(bytes(range(12)), 16)))), not how.explicit, not how.big_endian
        )
        assert len(half.PixelData) == 6


def test_half_of_encapsulated_pixel_data_is_its_offset_table() -> None:
    how = encoding.encoding_of("1.2.840.10008.1.2.5")
    table = b"\xfe\xff\x00\xe0\x04\x00\x00\x00\x00\x00\x00\x00"
    fragment = b"\xfe\xff\x00\xe0\x02\x00\x00\x00ab"
    end = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    assert whole(how.encapsulated(table + fragment)).endswith(table + fragment + end)
    assert whole(how.half(how.encapsulated(table + fragment))).endswith(b"\xff\xff\xff\xff" + table + end)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99"])
def test_compressed_syntaxes_write_elements_in_explicit_little_endian(syntax: str) -> None:
    assert encoding.encoding_of(syntax) == encoding.encoding_of(EXPLICIT)


def test_a_value_of_odd_length_stays_odd() -> None:
    written = encoding.encoding_of(EXPLICIT).unpadded("StudyDescription", b"ODD")
    assert written == b"\x08\x00\x30\x10LO\x03\x00ODD"


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(ValueError, match="PatientsName"):
        encoding.encoding_of(EXPLICIT).elements({"PatientsName": "x"})


def test_a_file_has_its_meta_information() -> None:
    data_set = encoding.joined(encoding.encoding_of(IMPLICIT).elements({"PatientID": "a"}))
    read = dcmread(BytesIO(encoding.part10("1.2.3", "2.25.9", IMPLICIT, data_set)))
    assert read.PatientID == "a"
    meta = read.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == ("1.2.3", "2.25.9")
    assert (meta.TransferSyntaxUID, meta.ImplementationVersionName) == (IMPLICIT, "HA_SIM")
