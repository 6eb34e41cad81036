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


def test_big_endian_turns_words_round_but_not_bytes() -> None:
    how = encoding.encoding_of(BIG_ENDIAN)
    assert how.pixel_data(b"\x01\x02\x03\x04", 16).endswith(b"\x02\x01\x04\x03")
    assert how.pixel_data(b"\x01\x02\x03", 8).endswith(b"\x01\x02\x03\x00")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99", "nonsense"])
def test_other_transfer_syntaxes_are_refused_by_name(syntax: str) -> None:
    with pytest.raises(ValueError, match=f"transfer syntax {syntax}"):
        encoding.encoding_of(syntax)


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
