"""DCMTK reads the compressed and deflated pictures: its own codecs, and for JPEG a fork of libjpeg of its own.

JPEG 2000 is not here, as DCMTK has no codec for it.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from simulator.synthesis import encoding
from simulator.synthesis.compression import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    TransferSyntax,
    deflated,
)
from simulator.synthesis.image_class import PixelFormat
from tests.interop import dcmtk
from tests.synthesis import pictures
from tests.synthesis.pictures import FORMATS, RGB, RGB_BY_PLANE, SHAPES, TWELVE, Shape

PROGRAMS = {
    RLE_LOSSLESS: "dcmdrle",
    JPEG_BASELINE: "dcmdjpeg",
    JPEG_LOSSLESS_SV1: "dcmdjpeg",
    JPEG_LS_LOSSLESS: "dcmdjpls",
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: "dcmconv",
}
MISSING = sorted({name for name in PROGRAMS.values() if not (dcmtk.FOLDER / name).is_file()})
pytestmark = [
    *dcmtk.needed,
    pytest.mark.skipif(bool(MISSING), reason=f"DCMTK is not installed: no {', '.join(MISSING)} in {dcmtk.FOLDER}"),
]

LOSSLESS = (RLE_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_LS_LOSSLESS)
# 8 bits in 16 are for RLE alone; and DCMTK's JPEG-LS does not decode what has fewer than 8 bits, and writes none.
COMBINATIONS = {
    f"{syntax}, {name}": (syntax, pixels)
    for syntax in LOSSLESS
    for name, pixels in FORMATS.items()
    if name not in {RLE_LOSSLESS: (), JPEG_LOSSLESS_SV1: ("8 in 16",), JPEG_LS_LOSSLESS: ("8 in 16", "7 in 8")}[syntax]
}


def decoded(file: bytes, syntax: TransferSyntax, folder: Path) -> NDArray[Any]:
    """Return the picture, colour by pixel, that DCMTK makes of a file."""
    (folder / "in.dcm").write_bytes(file)
    done = dcmtk.run(PROGRAMS[syntax], "+te", "in.dcm", "out.dcm", folder=folder)
    assert (done.returncode, done.stdout) == (0, "")
    read = dcmread(folder / "out.dcm")
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2", "RGB")
    return read.pixel_array


@pytest.mark.parametrize(("syntax", "pixels"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_lossless_pictures_are_the_same(syntax: TransferSyntax, pixels: PixelFormat, tmp_path: Path) -> None:
    for kind, shape in (("noise", SHAPES["17x23"]), ("darkest", SHAPES["16x16"]), ("extremes", SHAPES["17x23"])):
        picture = pictures.filled(kind, pixels, shape)
        read = decoded(pictures.part10(picture, pixels, shape, syntax), syntax, tmp_path)
        np.testing.assert_array_equal(read, pictures.by_pixel(picture, pixels), err_msg=kind)


@pytest.mark.parametrize("pixels", [TWELVE, RGB_BY_PLANE], ids=["12 in 16", "RGB by plane"])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=str)
def test_every_frame_is_the_same(syntax: TransferSyntax, pixels: PixelFormat, tmp_path: Path) -> None:
    shape = SHAPES["3 frames of 17x23"]
    picture = pictures.filled("noise", pixels, shape)
    read = decoded(pictures.part10(picture, pixels, shape, syntax), syntax, tmp_path)
    np.testing.assert_array_equal(read, pictures.by_pixel(picture, pixels))


def test_jpeg_baseline_has_the_right_colours(tmp_path: Path) -> None:
    file = pictures.part10(pictures.bands(), RGB, pictures.BANDS, JPEG_BASELINE)
    assert pictures.wrong_colours(decoded(file, JPEG_BASELINE, tmp_path), tolerance=8) == []


def test_jpeg_baseline_has_the_right_greys(tmp_path: Path) -> None:
    pixels = FORMATS["8 in 8"]
    picture = np.broadcast_to(np.arange(256, dtype=np.uint8), (32, 256))
    file = pictures.part10(picture, pixels, Shape(32, 256), JPEG_BASELINE)
    assert np.abs(decoded(file, JPEG_BASELINE, tmp_path).astype(int) - picture).max() <= 3


def test_a_deflated_data_set_is_the_same(tmp_path: Path) -> None:
    shape = SHAPES["17x23"]
    picture = pictures.filled("noise", TWELVE, shape)
    plain = encoding.encoding_of(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid)
    keys = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SOPInstanceUID": "2.25.1", "PatientName": "CHAN^TAI MAN"}
    elements = plain.elements({**keys, **TWELVE.attributes(shape.rows, shape.columns)})
    data_set = encoding.joined(elements, plain.pixel_data(picture.astype("<u2").tobytes(), 16))
    syntax = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    file = encoding.part10(keys["SOPClassUID"], keys["SOPInstanceUID"], syntax.uid, deflated(data_set))
    np.testing.assert_array_equal(decoded(file, syntax, tmp_path), picture)
    assert dcmread(BytesIO(file)).PatientName == dcmread(tmp_path / "out.dcm").PatientName == "CHAN^TAI MAN"
