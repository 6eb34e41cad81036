"""What the gateway finds wrong with a data set: the status and the words, as a sender sees them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import DataElement

from simulator.gateway import header
from simulator.gateway.header import Header
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.wire.association import Response, StoreRequest
from simulator.wire.data_set import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.gateway.made import received
from tests.synthesis.made import a_study
from tests.wire.made import NATIVE, RLE, SYNTAXES, deflated, fragments, sequence, written

CT = by_name("CT Image")
NATIVE_AND_DEFLATED = (*NATIVE, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def an_instance(sop_class: str = "CT Image", *without: str, **changes: object) -> Dataset:
    """Return a small image with all that is judged; `changes` replace values, and `without` are not there at all."""
    values = {
        "SOPClassUID": by_name(sop_class).uid,
        "SOPInstanceUID": "1.2.3.4",
        "AccessionNumber": "XXXXR0700000101H",
        "Modality": "CT",
        "StudyDescription": "EVEN",
        "PatientName": "CHAN^TAI MAN",
        "PatientID": "A1234563",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 4,
        "Columns": 6,
        "BitsAllocated": 16,
        "PixelData": bytes(48),
    }
    made = Dataset()
    for keyword, value in (values | changes).items():
        if keyword not in without:
            setattr(made, keyword, value)
    if "PixelData" in made and not made["PixelData"].is_undefined_length:
        made["PixelData"].VR = "OW"
    return made


def requested(data: bytes, sop_class: str = "CT Image", syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> StoreRequest:
    uid = by_name(sop_class).uid
    return StoreRequest("MODALITY", "HAGATEWAY", "127.0.0.1", uid, syntax, uid, "1.2.3.4", data)


def inspected(made: Dataset, sop_class: str = "CT Image", syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Header | Response:
    written_as = EXPLICIT_VR_LITTLE_ENDIAN if syntax not in SYNTAXES else syntax
    return header.inspect(requested(written(made, written_as), sop_class, syntax))


def in_fragments(number: int, frames: str = "1") -> Dataset:
    made = an_instance(NumberOfFrames=frames)
    made.add(fragments(*[b"\0\0"] * number))
    return made


@pytest.mark.parametrize("syntax", NATIVE_AND_DEFLATED)
def test_an_instance_that_is_right_is_taken(syntax: str) -> None:
    """Or the tests below might be refused for what they do not mean."""
    assert isinstance(inspected(an_instance(), syntax=syntax), Header)


# --- odd lengths -------------------------------------------------------------------------------------


# A Study Description of four bytes, and one of three that was not padded, as each syntax writes length and value.
ODD = {
    IMPLICIT_VR_LITTLE_ENDIAN: (b"\x04\0\0\0EVEN", b"\x03\0\0\0ODD"),
    EXPLICIT_VR_LITTLE_ENDIAN: (b"LO\x04\0EVEN", b"LO\x03\0ODD"),
    EXPLICIT_VR_BIG_ENDIAN: (b"LO\0\x04EVEN", b"LO\0\x03ODD"),
}


@pytest.mark.parametrize("syntax", NATIVE)
def test_an_odd_length_cannot_be_understood(syntax: str) -> None:
    even, odd = ODD[syntax]
    data = written(an_instance(), syntax).replace(even, odd)
    position = data.index(b"ODD") - 8  # tag, VR and length take eight bytes, with a VR or without
    assert header.inspect(requested(data, syntax=syntax)) == Response(
        0xC000, f"odd length: (0008,1030) has 3 bytes (byte {position})"
    )


def test_an_odd_length_that_was_deflated_cannot_be_understood() -> None:
    data = written(an_instance()).replace(b"LO\x04\0EVEN", b"LO\x03\0ODD")
    found = header.inspect(requested(deflated(data), syntax=DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN))
    assert found == Response(0xC000, f"odd length: (0008,1030) has 3 bytes (byte {data.index(b'LO') - 4})")


def test_an_odd_length_in_an_item_cannot_be_understood() -> None:
    item = Dataset()
    item.RequestedProcedureDescription = "EVEN"
    made = an_instance("CT Image", "StudyDescription")
    made.add(sequence(0x00400275, [item], undefined=True, undefined_items=True))
    data = written(made)
    assert isinstance(header.inspect(requested(data)), Header)
    odd = data.replace(b"LO\x04\0EVEN", b"LO\x03\0ODD")
    found = header.inspect(requested(odd))
    assert found == Response(0xC000, f"odd length: (0032,1060) has 3 bytes (byte {odd.index(b'ODD') - 8})")


def test_a_deflated_data_set_may_be_padded() -> None:
    data = deflated(written(an_instance()))
    for padded in (data, data + b"\0"):
        assert isinstance(header.inspect(requested(padded, syntax=DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)), Header)


# --- pixels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", NATIVE_AND_DEFLATED)
def test_truncated_pixel_data_is_refused_with_both_numbers(syntax: str) -> None:
    made = an_instance(PixelData=bytes(24))
    assert inspected(made, syntax=syntax) == Response(0xA900, "Pixel Data (7FE0,0010) has 24 bytes, needs 48")


def test_an_encapsulated_image_needs_a_fragment_for_each_frame() -> None:
    assert isinstance(inspected(in_fragments(1), syntax=RLE), Header)
    assert isinstance(inspected(in_fragments(3, "3"), syntax=RLE), Header)
    two = Response(0xA900, "Pixel Data (7FE0,0010) has 2 fragments, needs 3")
    assert inspected(in_fragments(2, "3"), syntax=RLE) == two
    data = written(in_fragments(1))
    only_the_table = data[: data.index(b"\xfe\xff\x00\xe0\0\0\0\0") + 8] + b"\xfe\xff\xdd\xe0\0\0\0\0"
    none = Response(0xA900, "Pixel Data (7FE0,0010) has 0 fragments, needs 1")
    assert header.inspect(requested(only_the_table, syntax=RLE)) == none
    assert inspected(an_instance(), syntax=RLE) == none


def test_fragments_in_a_native_transfer_syntax_are_refused() -> None:
    expected = Response(0xA900, "Pixel Data (7FE0,0010) has items in a native transfer syntax")
    assert inspected(in_fragments(1)) == expected


@pytest.mark.parametrize("syntax", NATIVE_AND_DEFLATED)
@pytest.mark.parametrize(
    ("keyword", "comment"),
    [
        ("PixelData", "Pixel Data (7FE0,0010) is missing"),
        ("Rows", "Rows (0028,0010) is missing or not one number"),
        ("Columns", "Columns (0028,0011) is missing or not one number"),
        ("BitsAllocated", "Bits Allocated (0028,0100) is missing or not one number"),
        ("SamplesPerPixel", "Samples per Pixel (0028,0002) is missing or not one number"),
    ],
)
def test_what_an_image_lacks_is_named(syntax: str, keyword: str, comment: str) -> None:
    assert inspected(an_instance("CT Image", keyword), syntax=syntax) == Response(0xA900, comment)


def test_old_ultrasound_sends_two_samples_a_pixel() -> None:
    name = "Ultrasound Image"
    made = an_instance(name, SamplesPerPixel=3, BitsAllocated=8, PhotometricInterpretation="YBR_FULL_422")
    assert isinstance(inspected(made, name), Header)
    made.PhotometricInterpretation = "YBR_FULL"
    assert inspected(made, name) == Response(0xA900, "Pixel Data (7FE0,0010) has 48 bytes, needs 72")


def test_single_bits_are_packed_over_the_frames() -> None:
    name = "Multi-frame Single Bit Secondary Capture Image"
    made = an_instance(name, BitsAllocated=1, NumberOfFrames="3", PixelData=bytes(10))  # 3 frames of 24 bits, padded
    assert isinstance(inspected(made, name), Header)
    made.PixelData = bytes(8)
    assert inspected(made, name) == Response(0xA900, "Pixel Data (7FE0,0010) has 8 bytes, needs 9")


def test_a_report_needs_no_pixels() -> None:
    made = an_instance("Basic Text SR", "PixelData", "Rows", "Columns", "BitsAllocated", Modality="SR")
    assert isinstance(inspected(made, "Basic Text SR"), Header)


# --- Modality ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", NATIVE_AND_DEFLATED)
def test_a_class_that_belies_its_content_is_refused(syntax: str) -> None:
    name = "Digital X-Ray Image Storage - For Presentation"
    comment = "Modality (0008,0060) is CT; DX Series has DX, PX, IO or MG"
    assert inspected(an_instance(name), name, syntax) == Response(0xA900, comment)


def test_a_picture_for_processing_may_come_as_the_slide_prints_it() -> None:
    name = "Digital X-Ray Image Storage - For Presentation"
    made = an_instance(name, Modality="DX", PresentationIntentType="FOR PROCESSING")
    assert isinstance(inspected(made, name), Header)


def test_the_modality_is_compared_without_its_padding() -> None:
    name = "RT Image"
    assert isinstance(inspected(an_instance(name, Modality="RTIMAGE"), name), Header)


def test_a_modality_that_is_not_there_is_missed_where_it_is_enumerated() -> None:
    name = "Enhanced MR Image"
    missing = Response(0xA900, "Modality (0008,0060) is missing or empty")
    assert inspected(an_instance(name, "Modality"), name) == missing
    assert isinstance(inspected(an_instance("CT Image", "Modality")), Header)


def test_a_disagreement_with_the_command_is_told_before_any_other() -> None:
    made = an_instance("MR Image", "PixelData")
    expected = Response(0xA900, "(0008,0016) SOP class UID is not the one in the command")
    assert inspected(made, "CT Image") == expected


def test_what_was_taken_is_read_again_though_it_may_be_judged_otherwise() -> None:
    """A gateway that starts again reads its own files, which an older one may have taken."""
    made = an_instance("CT Image", "PixelData")
    made.add(DataElement(0x00091020, "UN", b"ODD"))
    data = written(made)
    assert header.read(data, EXPLICIT_VR_LITTLE_ENDIAN).sop_instance_uid == "1.2.3.4"
    assert isinstance(header.inspect(requested(data)), Response)


# --- everything at once ------------------------------------------------------------------------------


@given(st.text(max_size=6), st.sampled_from(SEED_IMAGE_CLASSES), st.sampled_from(NATIVE))
@settings(derandomize=True, deadline=None, database=None, max_examples=120)
def test_no_synthetic_instance_is_refused(seed: str, sop_class: SopClass, syntax: str) -> None:
    instance = a_study(seed, sop_class, transfer_syntax=syntax).instances[0]
    found = header.inspect(received(instance))
    assert isinstance(found, Header), found
    assert found.sop_instance_uid == instance.sop_instance_uid


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=lambda each: each.keyword)
def test_every_class_in_every_native_syntax_is_taken(sop_class: SopClass, syntax: str) -> None:
    instance = a_study("each", sop_class, transfer_syntax=syntax).instances[0]
    assert isinstance(header.inspect(received(instance)), Header)
