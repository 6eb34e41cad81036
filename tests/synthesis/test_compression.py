"""Every picture in every syntax, read back by decoders that share no code with the encoders, but for JPEG 2000.

RLE is decoded by pydicom itself; JPEG, lossless JPEG and JPEG-LS by pylibjpeg-libjpeg; JPEG 2000 by
pylibjpeg-openjpeg, which is another build of the same OpenJPEG.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmread, dcmwrite
from pydicom.encaps import generate_fragments, parse_basic_offsets
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from simulator.rules.transfer_syntaxes import ACCEPTED
from simulator.synthesis import compression
from simulator.synthesis.compression import (
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    TRANSFER_SYNTAXES,
    TransferSyntax,
    by_name,
    encapsulated,
    refusal,
)
from simulator.synthesis.image_class import PixelFormat
from tests.synthesis.pictures import (
    BANDS,
    BYTE,
    BYTE_IN_WORD,
    FORMATS,
    KINDS,
    LOSSLESS,
    RGB,
    RGB_BY_PLANE,
    SEVEN,
    SHAPES,
    SINGLE_BIT,
    SIXTEEN,
    TWELVE,
    Shape,
    bands,
    by_pixel,
    filled,
    part10,
    wrong_colours,
)

# Codestreams of 8 bits are read as bytes, so that 8 in 16 is for RLE alone.
COMBINATIONS = {
    f"{syntax}, {name}": (syntax, pixels)
    for syntax in LOSSLESS
    for name, pixels in FORMATS.items()
    if pixels is not BYTE_IN_WORD or syntax == RLE_LOSSLESS
}


def decoded(file: bytes, syntax: TransferSyntax) -> NDArray[Any]:
    """Return the picture of a file, colour by pixel, decoded by code that is not the encoder's."""
    decoder = "pydicom" if syntax == RLE_LOSSLESS else "pylibjpeg"
    return pixel_array(dcmread(BytesIO(file)), decoding_plugin=decoder)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("syntax", "pixels"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_every_picture_is_the_same_after_lossless_compression(
    syntax: TransferSyntax, pixels: PixelFormat, shape: Shape
) -> None:
    for kind in KINDS:
        picture = filled(kind, pixels, shape)
        read = decoded(part10(picture, pixels, shape, syntax), syntax)
        np.testing.assert_array_equal(read, by_pixel(picture, pixels), err_msg=kind)


@pytest.mark.parametrize("kind", ["noise", "steps"])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_a_whole_ct_slice_is_the_same(syntax: TransferSyntax, kind: str) -> None:
    shape = Shape(512, 512)
    picture = filled(kind, TWELVE, shape)
    assert decoded(part10(picture, TWELVE, shape, syntax), syntax).tobytes() == picture.tobytes()


@pytest.mark.parametrize("order", [">u2", "<u2"])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_the_byte_order_of_the_array_is_no_matter(syntax: TransferSyntax, order: str) -> None:
    picture = filled("noise", TWELVE, Shape(16, 16))
    assert encapsulated(picture.astype(order), TWELVE, syntax) == encapsulated(picture, TWELVE, syntax)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_a_view_into_a_picture_is_compressed_as_its_copy(syntax: TransferSyntax) -> None:
    whole = filled("noise", RGB, Shape(40, 40))
    part = whole[3:36:2, ::-1]
    assert encapsulated(part, RGB, syntax) == encapsulated(part.copy(), RGB, syntax)


# --- what is declared ---------------------------------------------------------------------------------------------


def colour_of(syntax: TransferSyntax, pixels: PixelFormat) -> tuple[Any, Any]:
    attributes = encapsulated(filled("steps", pixels, Shape(16, 16)), pixels, syntax).attributes
    return attributes["PhotometricInterpretation"], attributes["PlanarConfiguration"]


@pytest.mark.parametrize("pixels", [RGB, RGB_BY_PLANE], ids=["by pixel", "by plane"])
def test_colour_is_declared_as_it_stands_in_the_codestream(pixels: PixelFormat) -> None:
    assert {syntax: colour_of(syntax, pixels) for syntax in (*LOSSLESS, JPEG_BASELINE)} == {
        RLE_LOSSLESS: ("RGB", 1),
        JPEG_LOSSLESS_SV1: ("RGB", 0),
        JPEG_LS_LOSSLESS: ("RGB", 0),
        JPEG_2000_LOSSLESS: ("YBR_RCT", 0),
        JPEG_BASELINE: ("YBR_FULL_422", 0),
    }


@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_lossless_grey_changes_nothing_else(syntax: TransferSyntax) -> None:
    assert encapsulated(filled("noise", TWELVE, Shape(16, 16)), TWELVE, syntax).attributes == {}


def segments(codestream: bytes) -> dict[int, bytes]:
    """Return the marker segments of a JPEG or JPEG-LS codestream up to its first scan (ISO/IEC 10918-1 B.1.1)."""
    found, at = {}, 2
    assert codestream[:2] == b"\xff\xd8"
    while 0xDA not in found:
        marker, length = struct.unpack_from(">HH", codestream, at)
        found[marker & 0xFF] = codestream[at + 4 : at + 2 + length]
        at += 2 + length
    return found


def codestream(syntax: TransferSyntax, pixels: PixelFormat, shape: Shape = SHAPES["17x23"]) -> bytes:
    value = encapsulated(filled("steps", pixels, shape), pixels, syntax).value
    return list(generate_fragments(value))[1]


@pytest.mark.parametrize("kind", ["noise", "darkest"])
@pytest.mark.parametrize("pixels", [SEVEN, BYTE, TWELVE, SIXTEEN], ids=["7", "8", "12", "16"])
def test_codestreams_declare_the_bits_stored(pixels: PixelFormat, kind: str) -> None:
    """Whatever the samples are: a dark picture has the precision of its class too."""
    for syntax, start_of_frame in ((JPEG_LOSSLESS_SV1, 0xC3), (JPEG_LS_LOSSLESS, 0xF7)):
        value = encapsulated(filled(kind, pixels, Shape(17, 23)), pixels, syntax).value
        head = segments(list(generate_fragments(value))[1])[start_of_frame]
        precision, rows, columns, components = struct.unpack_from(">BHHB", head)
        assert (precision, rows, columns, components) == (pixels.bits_stored, 17, 23, 1), syntax
    value = encapsulated(filled(kind, pixels, Shape(17, 23)), pixels, JPEG_2000_LOSSLESS).value
    siz = list(generate_fragments(value))[1]
    assert siz[:4] == b"\xff\x4f\xff\x51"  # a bare codestream, no JP2 file (PS3.5 A.4.4)
    assert siz[42] == pixels.bits_stored - 1


def test_each_codestream_is_of_its_process() -> None:
    lossless = segments(codestream(JPEG_LOSSLESS_SV1, RGB))
    assert 0xC3 in lossless
    assert lossless[0xDA][-3] == 1  # the predictor: selection value 1
    baseline = segments(codestream(JPEG_BASELINE, RGB))
    assert baseline[0xC0][0] == 8
    # Y at twice the width of CB and CR: 4:2:2 (PS3.3 C.7.6.3.1.2, YBR_FULL_422).
    assert [baseline[0xC0][7 + 3 * component] for component in range(3)] == [0x21, 0x11, 0x11]
    ls = segments(codestream(JPEG_LS_LOSSLESS, RGB))
    near, interleave = ls[0xDA][-3:-1]
    assert (near, interleave) == (0, 2)


# --- encapsulation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEG_BASELINE], ids=str)
def test_the_offset_table_leads_to_every_frame(syntax: TransferSyntax, shape: Shape) -> None:
    value = encapsulated(filled("noise", BYTE, shape), BYTE, syntax).value
    table, *fragments = generate_fragments(value)
    offsets = parse_basic_offsets(value)
    assert len(offsets) == len(fragments) == shape.frames
    first = 8 + len(table)
    for offset, fragment in zip(offsets, fragments, strict=True):
        tag, element, length = struct.unpack_from("<HHI", value, first + offset)
        assert (tag, element, length) == (0xFFFE, 0xE000, len(fragment))
        assert length % 2 == 0
    # Nothing follows the last fragment: who writes the element closes it.
    assert first + offsets[-1] + 8 + len(fragments[-1]) == len(value)


def test_no_rle_run_crosses_the_end_of_a_row() -> None:
    """PS3.5 G.3.1; most decoders do not look."""
    shape = Shape(17, 300)
    picture = filled("noise", TWELVE, shape)
    picture[::2] = 7  # rows of one long run between rows without
    [_, fragment] = generate_fragments(encapsulated(picture, TWELVE, RLE_LOSSLESS).value)
    count, *offsets = struct.unpack_from("<16I", fragment)
    assert (count, offsets[0], offsets[2:]) == (2, 64, [0] * 13)
    for at, end in ((offsets[0], offsets[1]), (offsets[1], len(fragment))):
        assert at % 2 == 0
        for _ in range(shape.rows):
            row = 0
            while row < shape.columns:
                head = fragment[at]
                assert head != 0x80
                row += head + 1 if head < 0x80 else 257 - head
                at += head + 2 if head < 0x80 else 2
            assert row == shape.columns
        assert end - at in (0, 1)


# --- JPEG Baseline ------------------------------------------------------------------------------------------------


def smooth(rows: int, columns: int) -> NDArray[Any]:
    slope = np.arange(rows).reshape(-1, 1) + np.arange(columns)
    return (slope * 255 // (rows + columns)).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_smooth_picture_survives_jpeg_baseline(shape: Shape) -> None:
    picture = (
        np.stack([smooth(shape.rows, shape.columns)] * shape.frames)
        if shape.frames > 1
        else smooth(shape.rows, shape.columns)
    )
    read = decoded(part10(picture, BYTE, shape, JPEG_BASELINE), JPEG_BASELINE)
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).max() <= 6


def test_burned_in_text_survives_jpeg_baseline() -> None:
    picture = np.zeros((64, 64), np.uint8)
    picture[20:30, 10:50:3] = 255
    read = decoded(part10(picture, BYTE, Shape(64, 64), JPEG_BASELINE), JPEG_BASELINE)
    assert ((read > 127) == (picture > 127)).all()


@pytest.mark.parametrize("by_plane", [False, True], ids=["by pixel", "by plane"])
def test_colours_come_back_from_jpeg_baseline(by_plane: bool) -> None:
    picture = np.moveaxis(bands(), -1, 0) if by_plane else bands()
    file = part10(picture, RGB_BY_PLANE if by_plane else RGB, BANDS, JPEG_BASELINE)
    assert wrong_colours(decoded(file, JPEG_BASELINE), tolerance=8) == []


def test_jpeg_baseline_says_that_it_is_lossy() -> None:
    shape = Shape(64, 48, 2)
    made = encapsulated(filled("steps", RGB, shape), RGB, JPEG_BASELINE)
    assert made.attributes["LossyImageCompression"] == "01"
    assert made.attributes["LossyImageCompressionMethod"] == "ISO_10918_1"
    [_, *fragments] = generate_fragments(made.value)
    ratio = 2 * 64 * 48 * 3 / sum(map(len, fragments))
    assert made.attributes["LossyImageCompressionRatio"] == f"{ratio:.2f}"


# --- what cannot be -----------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_with_its_reason() -> None:
    reason = refusal(JPEG_BASELINE, TWELVE)
    assert reason == (
        "JPEG Baseline (Process 1) takes 8 Bits Allocated (PS3.5 8.2.1, ISO/IEC 10918-1 process 1); "
        "here: Bits Allocated 16, Bits Stored 12, MONOCHROME2"
    )
    assert "8 Bits Stored" in str(refusal(JPEG_BASELINE, SEVEN))
    assert "PALETTE COLOR" in str(refusal(JPEG_BASELINE, replace(BYTE, photometric="PALETTE COLOR")))
    assert "2 to 16 Bits Stored (PS3.5 8.2.3" in str(refusal(JPEG_LS_LOSSLESS, replace(BYTE, bits_stored=1)))
    assert "it needs 8 Bits Allocated" in str(refusal(JPEG_LOSSLESS_SV1, BYTE_IN_WORD))
    for syntax in (*LOSSLESS, JPEG_BASELINE):
        assert "Bits Allocated 1," in str(refusal(syntax, SINGLE_BIT)), syntax
        assert "YBR_FULL" in str(refusal(syntax, replace(RGB, photometric="YBR_FULL"))), syntax
        with pytest.raises(ValueError, match="Bits Allocated"):
            encapsulated(np.zeros((16, 16), np.uint8), SINGLE_BIT, syntax)


def test_everything_else_is_not_refused() -> None:
    for syntax in TRANSFER_SYNTAXES:
        refused = {name for name, pixels in FORMATS.items() if refusal(syntax, pixels) is not None}
        accepted = {"8 in 8", "RGB", "RGB by plane"} if syntax.lossy else set(FORMATS)
        if syntax.encapsulated and syntax != RLE_LOSSLESS:
            accepted -= {"8 in 16"}
        assert refused == set(FORMATS) - accepted, syntax
        assert (refusal(syntax, SINGLE_BIT) is None) is not syntax.encapsulated


def test_a_native_syntax_does_not_compress() -> None:
    with pytest.raises(ValueError, match="Explicit VR Little Endian does not compress pixel data"):
        encapsulated(np.zeros((16, 16), np.uint16), TWELVE, compression.EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_samples_beyond_the_bits_stored_are_refused(syntax: TransferSyntax) -> None:
    with pytest.raises(ValueError, match="4096 does not fit into 12 bits"):
        encapsulated(np.full((16, 16), 4096, np.uint16), TWELVE, syntax)


@pytest.mark.parametrize(
    ("pixels", "shape"), [(BYTE, (16,)), (BYTE, (1, 1, 16, 16)), (RGB, (16, 16)), (RGB, (3, 16, 16)), (RGB, (9,) * 5)]
)
def test_pictures_of_another_shape_are_refused(pixels: PixelFormat, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="samples a pixel"):
        encapsulated(np.zeros(shape, np.uint8), pixels, RLE_LOSSLESS)


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=str)
def test_a_transfer_syntax_goes_by_its_uid_keyword_and_names(syntax: TransferSyntax) -> None:
    standard = UID(syntax.uid)
    assert (standard.keyword, standard.is_encapsulated) == (syntax.keyword, syntax.encapsulated)
    for text in (syntax.uid, syntax.keyword, syntax.name, standard.name, standard.name.split(":")[0]):
        assert by_name(text) is syntax
        assert by_name(f" {text.lower()} ") is syntax
        assert by_name(text.upper().replace(" ", "-")) is syntax


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Implicit LE", "ImplicitVRLittleEndian"),
        ("explicit vr le", "ExplicitVRLittleEndian"),
        ("Explicit BE", "ExplicitVRBigEndian"),
        ("deflated", "DeflatedExplicitVRLittleEndian"),
        ("RLE", "RLELossless"),
        ("jpeg-baseline", "JPEGBaseline8Bit"),
        ("JPEG Lossless SV1", "JPEGLosslessSV1"),
        ("jpeg ls lossless", "JPEGLSLossless"),
        ("JPEG-2000-lossless", "JPEG2000Lossless"),
    ],
)
def test_short_names(text: str, keyword: str) -> None:
    assert by_name(text).keyword == keyword


def test_the_gateway_takes_every_transfer_syntax_that_is_made() -> None:
    assert {syntax.uid for syntax in TRANSFER_SYNTAXES} <= set(ACCEPTED)


def test_an_unknown_name_is_refused_with_the_near_ones() -> None:
    with pytest.raises(KeyError, match="no transfer syntax 'JPEG 2000 Lossles'; near: JPEG 2000 Lossless"):
        by_name("JPEG 2000 Lossles")
    with pytest.raises(KeyError, match=r"'quux'; there are Implicit VR Little Endian, .*JPEG 2000 Lossless"):
        by_name("quux")
    # Those of PS3.6 that are not made are not taken for others.
    for keyword in ("JPEG2000", "JPEGLossless", "JPEGLSNearLossless", "JPEGExtended12Bit"):
        with pytest.raises(KeyError, match="no transfer syntax"):
            by_name(keyword)


# --- the same bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEG_BASELINE], ids=str)
def test_the_same_picture_gives_the_same_bytes(syntax: TransferSyntax) -> None:
    picture = filled("noise", RGB, Shape(64, 48, 2))
    first = encapsulated(picture, RGB, syntax).value
    assert all(encapsulated(picture.copy(), RGB, syntax).value == first for _ in range(3))


def test_the_pixels_of_jpeg_baseline_are_the_same_for_everyone() -> None:
    """Lossy compression decides about pixels: its integer transform gives these on every machine."""
    value = encapsulated(filled("steps", RGB, Shape(40, 40)), RGB, JPEG_BASELINE).value
    assert hashlib.sha256(value).hexdigest() == "e3e95547d4d50490d1814414925d399b149770cafb218dec70c9f67392a321ae"


@pytest.mark.parametrize("size", [0, 1, 2, 100, 70001])
def test_deflated_is_raw_and_even(size: int) -> None:
    data_set = np.random.default_rng(size).integers(0, 7, size).astype(np.uint8).tobytes()
    made = compression.deflated(data_set)
    assert len(made) % 2 == 0
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(made) == data_set
    assert compression.deflated(data_set) == made


def test_pydicom_reads_a_deflated_data_set() -> None:
    data_set = Dataset()
    data_set.PatientName, data_set.Rows = "CHAN^TAI MAN", 16
    plain = BytesIO()
    dcmwrite(plain, data_set, implicit_vr=False, little_endian=True, enforce_file_format=False)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(compression.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid)
    head = Dataset()
    head.file_meta = meta
    head.SOPClassUID, head.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.7"), UID("2.25.1")
    file = BytesIO()
    dcmwrite(file, head, enforce_file_format=True)
    whole = file.getvalue()
    end = 132 + 12 + struct.unpack_from("<I", whole, 140)[0]
    read = dcmread(BytesIO(whole[:end] + compression.deflated(plain.getvalue())))
    assert (read.PatientName, read.Rows) == ("CHAN^TAI MAN", 16)
