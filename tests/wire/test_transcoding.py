"""What is brought to an uncompressed transfer syntax says the same, to pydicom, libjpeg, OpenJPEG and who made it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, config, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from simulator.errors import NotDicom
from simulator.rules.sop_classes import by_name
from simulator.synthesis import compression
from simulator.synthesis.classes import CLASSES
from simulator.synthesis.studies import Instance
from simulator.wire import part10, transcoding
from simulator.wire.association import Outgoing
from simulator.wire.transcoding import UNCOMPRESSED, transcoded
from tests.gateway.made import outgoing
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study

DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_LS, JPEG_BASELINE, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
LOSSLESS = [syntax for syntax in compression.TRANSFER_SYNTAXES if not syntax.lossy]
# What says how compressed pixels are laid out; it is different when they are not compressed.
ABOUT_PIXELS = {"PhotometricInterpretation", "PlanarConfiguration", "PixelData"}


def read(instance: Outgoing) -> Dataset:
    return dcmread(BytesIO(part10.build(instance, "TESTS")))


def made(keyword: str, syntax: str, size: int = 32) -> Instance:
    return a_study("transcoding", by_name(keyword), transfer_syntax=syntax, size=size).instances[0]


def of(data_set: Dataset, syntax: str) -> Outgoing:
    """Return a data set of the test's own, encoded by pydicom."""
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    file = BytesIO()
    dcmwrite(file, data_set, enforce_file_format=True)
    return part10.read(file.getvalue())


def difference(one: Dataset, other: Dataset) -> set[str]:
    tags = set(one.keys()) | set(other.keys())
    return {
        one[tag].keyword if tag in one else other[tag].keyword
        for tag in tags
        if tag not in one or tag not in other or one[tag] != other[tag]
    }


@pytest.mark.parametrize("target", UNCOMPRESSED)
@pytest.mark.parametrize("keyword", CLASSES)
def test_every_class_out_of_every_lossless_syntax(keyword: str, target: str) -> None:
    planned = dcmread(BytesIO(made(keyword, EXPLICIT).part10()))
    for syntax in LOSSLESS:
        if compression.refusal(syntax, CLASSES[keyword].pixels):
            continue
        held = outgoing(made(keyword, syntax.uid))
        arrived = read(transcoded(held, target))
        assert arrived.PixelData == planned.PixelData, syntax
        assert difference(arrived, planned) <= {"PixelData"}, syntax  # the same bytes, as OB or OW
        assert difference(arrived, read(held)) <= ABOUT_PIXELS, syntax


@pytest.mark.parametrize("syntax", [s.uid for s in compression.TRANSFER_SYNTAXES if s.encapsulated])
@pytest.mark.parametrize("keyword", ["CTImageStorage", "UltrasoundImageStorage", "HardcopyColorImageStorage"])
def test_other_decoders_see_the_same_samples(keyword: str, syntax: str) -> None:
    if compression.refusal(compression.by_name(syntax), CLASSES[keyword].pixels):
        return
    held = outgoing(made(keyword, syntax, 48))
    before, after = read(held), read(transcoded(held, EXPLICIT))
    before.pixel_array_options(raw=True, decoding_plugin="pydicom" if syntax == RLE else "pylibjpeg")
    after.pixel_array_options(raw=True)
    # Chrominance at half width is filled up by each decoder in its own way, by a few steps of 255.
    apart = 8 if syntax == JPEG_BASELINE and before.SamplesPerPixel == 3 else 0
    assert np.abs(before.pixel_array.astype(int) - after.pixel_array.astype(int)).max() <= apart


def test_a_lossy_image_says_so_still() -> None:
    held = outgoing(made("UltrasoundImageStorage", JPEG_BASELINE))
    after = read(transcoded(held, EXPLICIT))
    assert (after.LossyImageCompression, after.PhotometricInterpretation) == ("01", "YBR_FULL")
    assert after.LossyImageCompressionRatio == read(held).LossyImageCompressionRatio
    mute = read(held)
    del mute.LossyImageCompression
    again = read(transcoded(of(mute, JPEG_BASELINE), EXPLICIT))
    assert again.LossyImageCompression == "01"
    assert [element.tag for element in again] == sorted(element.tag for element in again)


@pytest.mark.parametrize("stored", [12, 16])
@pytest.mark.parametrize("syntax", [JPEG_LS, "1.2.840.10008.1.2.4.90", RLE])
def test_signed_samples_keep_their_sign(stored: int, syntax: str) -> None:
    lowest = -(1 << (stored - 1))
    samples = np.resize(np.array([lowest, -1, 0, 1, 5, -5, -lowest - 1, 100], "<i2"), (32, 32))
    image = Dataset()
    image.Rows, image.Columns, image.SamplesPerPixel = 32, 32, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, stored, stored - 1, 1
    image.PixelData = samples.tobytes()
    image["PixelData"].VR = "OW"
    native = of(image, EXPLICIT)
    squeezed = read(native)
    squeezed.compress(UID(syntax), generate_instance_uid=False)
    for target in UNCOMPRESSED:
        after = read(transcoded(of(squeezed, syntax), target))
        assert after.PixelData == samples.tobytes()
        assert (after.pixel_array == samples).all()


def odd() -> Dataset:
    """Return what is hard to bring across: text that is none, private elements, sequences in sequences, long values."""
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "inside"
    outer = Dataset()
    outer.PurposeOfReferenceCodeSequence = Sequence([inner])
    outer.ReferencedFrameNumber = [1, 2, 3]
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName = b"\xff\xfe^BROKEN"
    image.PatientComments = "x" * 70000
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.ReferencedImageSequence = Sequence([outer, Dataset()])
    image.PixelRepresentation = 1
    image.SmallestImagePixelValue = -5
    image.SliceThickness = "1.50"
    image.RealWorldValueMappingSequence = Sequence([])
    image.add_new(0x00189073, "FD", 1.25)
    image.add_new(0x00280009, "AT", [0x00181063, 0x00540010])
    block = image.private_block(0x0009, "TESTS", create=True)
    block.add_new(1, "LO", "private")
    block.add_new(2, "US", 7)
    return image


@pytest.mark.parametrize("target", UNCOMPRESSED)
@pytest.mark.parametrize("source", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.filterwarnings("ignore:.*")
def test_odd_values_arrive_as_they_were(source: str, target: str) -> None:
    with config.disable_value_validation():
        held = of(odd(), source)
        before, after = read(held), read(transcoded(held, target))
        private = {before[tag].tag for tag in before._dict if tag.is_private}
        for tag in before.keys() - private - {Tag("PatientComments")}:  # as UN where a length of 16 bits is too short
            assert before[tag].value == after[tag].value, tag
        assert private == {tag for tag in after._dict if tag.is_private}
        assert after[0x00091001].value in ("private", b"private ")
    data = transcoded(held, target).data_set
    assert b"\xff\xfe^BROKEN" in data
    assert b"1.50" in data
    assert b"x" * 70000 in data


def test_what_is_there_already_comes_out_as_it_went_in() -> None:
    for syntax in UNCOMPRESSED:
        held = outgoing(made("CTImageStorage", syntax))
        assert transcoded(held, syntax) == held


def test_there_and_back() -> None:
    held = outgoing(made("MRImageStorage", EXPLICIT))
    assert transcoded(transcoded(held, IMPLICIT), EXPLICIT).data_set == held.data_set


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Rows": 31}, "frame 1 is (32, 32) in its codestream, the data set says (31, 32)"),
        ({"BitsAllocated": 8}, "frame 1 needs 16 bits, Bits Allocated is 8"),
        ({"NumberOfFrames": "2"}, "frames"),
        ({"Columns": None}, "(0028,0011) is missing or not one number"),
        ({"BitsAllocated": 12}, "Bits Allocated is 12"),
    ],
)
def test_pixels_that_are_not_as_described_are_not_sent(change: dict[str, object], words: str) -> None:
    image = read(outgoing(made("CTImageStorage", JPEG_LS)))
    for keyword, value in change.items():
        if value is None:
            del image[keyword]
        else:
            setattr(image, keyword, value)
    with pytest.raises(NotDicom, match="") as raised:
        transcoded(of(image, JPEG_LS), EXPLICIT)
    assert words in str(raised.value)


def test_no_decoder() -> None:
    held = outgoing(made("CTImageStorage", JPEG_LS))
    film = Outgoing(held.sop_class_uid, held.sop_instance_uid, "1.2.840.10008.1.2.4.100", held.data_set)
    with pytest.raises(NotDicom, match="there is no decoder for it here"):
        transcoded(film, EXPLICIT)


def test_truncated_data_is_no_data_set() -> None:
    held = outgoing(made("CTImageStorage", JPEG_LS))
    for length in range(200, len(held.data_set) - 8, 997):
        cut = Outgoing(held.sop_class_uid, held.sop_instance_uid, JPEG_LS, held.data_set[:length])
        with pytest.raises(NotDicom):
            transcoding.transcoded(cut, EXPLICIT)
