"""The content of a data set is the same in every transfer syntax that loses nothing, and of no other data set."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from simulator.errors import NotDicom
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import compression
from simulator.synthesis.classes import image_class
from simulator.wire import content
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study

LOSSLESS = [
    "ImplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "DeflatedExplicitVRLittleEndian",
    "RLELossless",
    "JPEGLosslessSV1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
]
COLOUR = by_name("Hardcopy Color Image")


def told(sop_class: SopClass, transfer_syntax: str, seed: str = "tests") -> str:
    instance = a_study(seed, sop_class, transfer_syntax=transfer_syntax).instances[0]
    return content.digest(instance.data_set, instance.transfer_syntax_uid)


PAIRS = [
    pytest.param(sop_class, syntax, id=f"{sop_class.keyword}-{syntax}")
    for sop_class in SEED_IMAGE_CLASSES
    for syntax in LOSSLESS
    if not compression.refusal(compression.by_name(syntax), image_class(sop_class).pixels)
]


@pytest.mark.parametrize(("sop_class", "syntax"), PAIRS)
def test_it_is_the_same_in_another_transfer_syntax(sop_class: SopClass, syntax: str) -> None:
    assert told(sop_class, syntax) == told(sop_class, "ExplicitVRLittleEndian")


@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", *LOSSLESS])
def test_it_is_another_for_another_study(syntax: str) -> None:
    assert told(by_name("CT Image"), syntax) != told(by_name("CT Image"), syntax, "another")


def test_what_was_compressed_with_loss_is_other_content() -> None:
    ultrasound = by_name("Ultrasound Image")
    assert told(ultrasound, "JPEGBaseline8Bit") != told(ultrasound, "ExplicitVRLittleEndian")
    assert told(ultrasound, "JPEGBaseline8Bit") == told(ultrasound, "JPEGBaseline8Bit")


def encoded(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    """Return the data set as pydicom writes it."""
    syntax = UID(transfer_syntax_uid)
    written = encode(data_set, syntax.is_implicit_VR, syntax.is_little_endian)
    assert written is not None
    return written


def a_data_set() -> Dataset:
    instance = a_study(sop_class=COLOUR).instances[0]
    data_set = dcmread(BytesIO(instance.part10()))
    del data_set.file_meta
    inner = Dataset()
    inner.CodeValue = "1.2"
    inner.RealWorldValueFirstValueMapped = 7
    inner.SimpleFrameList = [1, 2]
    outer = Dataset()
    outer.PurposeOfReferenceCodeSequence = Sequence([inner, Dataset()])
    data_set.ReferencedImageSequence = Sequence([outer])
    data_set.add_new("LargestImagePixelValue", "US", 258)
    return data_set


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG_ENDIAN])
def test_sequences_read_the_same(syntax: str) -> None:
    there = a_data_set()
    here = content.digest(encoded(there, EXPLICIT), EXPLICIT)
    assert content.digest(encoded(a_data_set(), syntax), syntax) == here
    there["ReferencedImageSequence"].is_undefined_length = True
    there.ReferencedImageSequence[0].is_undefined_length_sequence_item = True
    assert encoded(there, syntax) != encoded(a_data_set(), syntax)
    assert content.digest(encoded(there, syntax), syntax) == here


@pytest.mark.parametrize(
    "change",
    [
        lambda d: setattr(d.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence[0], "CodeValue", "1.3"),
        lambda d: d.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence.pop(),
        lambda d: d.ReferencedImageSequence.append(Dataset()),
        lambda d: setattr(d, "LargestImagePixelValue", 513),
        lambda d: setattr(d, "PatientID", "other"),
        lambda d: delattr(d, "PatientID"),
        lambda d: setattr(d, "PixelData", d.PixelData[:-1] + bytes([d.PixelData[-1] ^ 1])),
        lambda d: setattr(d, "BitsStored", 7),
    ],
)
def test_every_change_makes_it_another(change: object) -> None:
    changed = a_data_set()
    change(changed)  # type: ignore[operator]
    assert content.digest(encoded(changed, EXPLICIT), EXPLICIT) != content.digest(
        encoded(a_data_set(), EXPLICIT), EXPLICIT
    )


def test_how_it_is_laid_out_does_not_matter() -> None:
    here = content.digest(encoded(a_data_set(), EXPLICIT), EXPLICIT)
    changed = a_data_set()
    planes = changed.PixelData
    third = len(planes) // 3
    assert changed.PlanarConfiguration == 1
    changed.PixelData = b"".join(bytes(planes[i::third]) for i in range(third))
    changed.PlanarConfiguration = 0
    changed.add_new(0xFFFCFFFC, "OB", bytes(12))  # Data Set Trailing Padding
    changed.PatientID = f"{changed.PatientID} "
    assert content.digest(encoded(changed, EXPLICIT), EXPLICIT) == here


def test_what_cannot_be_read_is_said() -> None:
    instance = a_study(transfer_syntax="JPEGLSLossless").instances[0]
    with pytest.raises(NotDicom, match="truncated"):
        content.digest(instance.data_set[:200], EXPLICIT)
    place = instance.data_set.rindex(b"\xff\xd8")
    torn = instance.data_set[: place + 40] + bytes(40) + instance.data_set[place + 80 :]
    with pytest.raises(NotDicom, match="cannot be decoded"):
        content.digest(torn, instance.transfer_syntax_uid)
