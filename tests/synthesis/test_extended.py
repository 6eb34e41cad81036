from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.rules.sop_classes import EXTENDED_CLASSES, SopClass, by_name
from simulator.synthesis import studies
from simulator.synthesis.canvas import cloud, plane, softened
from simulator.synthesis.extended import EXTENDED
from simulator.synthesis.image_class import ImageClass, Place
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study, an_order, read

BESIDE_PYTHON = str(Path(sys.executable).parent)
DCIODVFY = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=BESIDE_PYTHON)
DCENTVFY = shutil.which("dcentvfy") or shutil.which("dcentvfy", path=BESIDE_PYTHON)
# An RT Image needs a plan that it belongs to.
IMAGES = [each for each in EXTENDED_CLASSES if each.image and each.keyword != "RTImageStorage"]
KEYWORDS = [sop_class.keyword for sop_class in IMAGES]
MULTI_FRAME = [sop_class for sop_class in IMAGES if EXTENDED[sop_class.keyword].frames > 1]
MODALITIES = ["US", "OT", "OT", "OT", "OT", "OT", "XA", "RF", "NM", "ES", "GM", "SM", "XC", "PT"]
PAINTED = {
    "UltrasoundMultiFrameImageStorage": "96561b6832a9e024",
    "SecondaryCaptureImageStorage": "593d3cd4b515befa",
    "MultiFrameSingleBitSecondaryCaptureImageStorage": "b3730b01754bb779",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage": "d427e44300c5cd52",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage": "5fe772562fbe52e1",
    "MultiFrameTrueColorSecondaryCaptureImageStorage": "662eeafe5c630e8e",
    "XRayAngiographicImageStorage": "d0c241e6b0a27723",
    "XRayRadiofluoroscopicImageStorage": "596550f0517330c3",
    "NuclearMedicineImageStorage": "8f48a86d4164ac37",
    "VLEndoscopicImageStorage": "73aadd8f71491005",
    "VLMicroscopicImageStorage": "af04a0bc65f33516",
    "VLSlideCoordinatesMicroscopicImageStorage": "f5581e00d6c02f9c",
    "VLPhotographicImageStorage": "0b363758a97f2c7b",
    "PositronEmissionTomographyImageStorage": "7c2ae845243bcfe0",
}

every_image = pytest.mark.parametrize("sop_class", IMAGES, ids=KEYWORDS)
multi_frame = pytest.mark.parametrize("sop_class", MULTI_FRAME, ids=lambda sop_class: sop_class.keyword)


def a_place(number: int = 1, count: int = 1, rows: int = 64, columns: int = 64, series: str = "2.25.1") -> Place:
    return Place(number, count, rows, columns, series, "20240102030405")


def painted(kind: ImageClass, place: Place) -> NDArray[np.int64]:
    """Return the picture with its frames along the first axis, also where there is but one."""
    picture = kind.paint(place)
    return np.asarray(picture if kind.frames > 1 else picture[np.newaxis], np.int64)


def frames_of(name: str, size: int = 128) -> NDArray[np.int64]:
    return painted(EXTENDED[by_name(name).keyword], a_place(rows=size, columns=size))


def test_every_image_class_of_the_extension_can_be_made() -> None:
    assert list(EXTENDED) == KEYWORDS
    assert [kind.modality for kind in EXTENDED.values()] == MODALITIES


@every_image
def test_the_picture_is_of_the_form_that_the_class_declares(sop_class: SopClass) -> None:
    kind = EXTENDED[sop_class.keyword]
    for rows, columns in ((16, 16), (16, 33), (17, 16), (64, 48), (100, 23)):
        picture = kind.paint(a_place(rows=rows, columns=columns))
        frames = (kind.frames,) if kind.frames > 1 else ()
        samples = (kind.pixels.samples,) if kind.pixels.samples > 1 else ()
        assert picture.shape == (*frames, rows, columns, *samples)
        assert picture.dtype == (np.uint16 if kind.pixels.bits_allocated == 16 else np.uint8)
        assert 0 < picture.max() < 2**kind.pixels.bits_stored
        assert picture.std() > 0
        assert picture.flags.c_contiguous
        assert picture.flags.writeable


@every_image
def test_frames_and_instances_differ(sop_class: SopClass) -> None:
    kind = EXTENDED[sop_class.keyword]
    frames = [frame.tobytes() for number in (1, 2, 3) for frame in painted(kind, a_place(number, 3))]
    assert len(set(frames)) == 3 * kind.frames


@every_image
def test_another_series_is_another_picture(sop_class: SopClass) -> None:
    paint = EXTENDED[sop_class.keyword].paint
    assert not np.array_equal(paint(a_place()), paint(a_place(series="2.25.2")))


@every_image
def test_the_picture_of_a_seed_never_changes(sop_class: SopClass) -> None:
    picture = EXTENDED[sop_class.keyword].paint(a_place(2, 3, 96, 72))
    content = picture.astype(picture.dtype.newbyteorder("<")).tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == PAINTED[sop_class.keyword]


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@every_image
def test_pydicom_reads_every_class(sop_class: SopClass, transfer_syntax: str) -> None:
    kind = EXTENDED[sop_class.keyword]
    instance = a_study(sop_class=sop_class, size=40, transfer_syntax=transfer_syntax).instances[0]
    data_set = read(instance)
    assert data_set.SOPClassUID == instance.sop_class_uid == sop_class.uid
    assert data_set.Modality == kind.modality
    assert int(data_set.get("NumberOfFrames", 1)) == kind.frames
    samples = data_set.Rows * data_set.Columns * data_set.SamplesPerPixel * kind.frames
    assert len(data_set.PixelData) == samples * data_set.BitsAllocated // 8
    assert data_set.pixel_array.max() < 2**data_set.BitsStored
    assert (data_set.HighBit, data_set.PixelRepresentation) == (data_set.BitsStored - 1, 0)


@multi_frame
def test_frames_follow_each_other_by_an_attribute_that_is_there(sop_class: SopClass) -> None:
    data_set = read(a_study(sop_class=sop_class, size=16).instances[0])
    pointers = data_set["FrameIncrementPointer"]
    for tag in pointers.value if pointers.VM > 1 else [pointers.value]:
        element = data_set[tag]
        # A vector has an entry for each frame; Frame Time is one number for all.
        entries = 1 if element.keyword == "FrameTime" else data_set.NumberOfFrames
        assert entries == element.VM
    assert ("FrameTime" in data_set) is (data_set.Modality in {"US", "XA", "RF"})


def test_single_bits_are_packed_through_the_frames_from_the_lowest_bit_on() -> None:
    spec = studies.SeriesSpec(by_name("Multi-frame Single Bit Secondary Capture Image Storage"), 1, 19, 21)
    data_set = read(studies.study("bits", an_order(), [spec]).instances[0])
    assert (data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit) == (1, 1, 0)
    bits = np.unpackbits(np.frombuffer(data_set.PixelData, np.uint8), bitorder="little")
    # 1197 bits: neither a frame nor the whole ends where a byte does (PS3.5 8.1.1).
    assert len(data_set.PixelData) == 150
    assert np.array_equal(bits[: 3 * 19 * 21].reshape(3, 19, 21), data_set.pixel_array)
    assert not bits[3 * 19 * 21 :].any()


def test_a_page_is_mostly_paper() -> None:
    pages = frames_of("Multi-frame Single Bit Secondary Capture Image Storage", 600)
    assert set(np.unique(pages)) == {0, 1}
    assert all(0.8 < page.mean() < 0.98 for page in pages)


def test_the_heart_beats() -> None:
    red, green, blue = np.moveaxis(frames_of("Ultrasound Multi-frame Image"), -1, 0)
    towards = ((red > blue + 60) & (red > green + 60)).sum(axis=(1, 2))
    away = ((blue > red + 60) & (blue > green + 60)).sum(axis=(1, 2))
    assert [bool(count) for count in away] == [False, True, True, True, True, False, False, False, False, False]
    assert [bool(count) for count in towards] == [not bool(count) for count in away]
    # The ventricles are widest as they begin to draw together, and narrowest at the end of that.
    assert away[1] > away[2] > away[3] > away[4]


def test_contrast_medium_runs_through_the_coronary_artery_and_out_of_it() -> None:
    frames = frames_of("X-Ray Angiographic Image")
    dark = [(frames[0] - frame > 40).sum() for frame in frames]
    peak = int(np.argmax(dark))
    assert dark[1] == 0
    assert 4 < peak < len(frames) - 1
    assert dark[2] < dark[4] < dark[6] <= dark[peak]
    assert dark[-1] < dark[peak] // 2


def test_barium_goes_down() -> None:
    frames = frames_of("X-Ray Radiofluoroscopic Image")
    lowest = [int(np.flatnonzero((frames[0] - frame > 50).any(axis=1)).max()) for frame in frames[1:]]
    assert lowest == sorted(lowest)
    assert lowest[0] < 40
    assert lowest[-1] == 127


def test_a_bone_scan_from_behind_is_turned_round() -> None:
    kind = EXTENDED["NuclearMedicineImageStorage"]
    front, behind = painted(kind, a_place(rows=256, columns=64))
    assert np.corrcoef(front.ravel(), behind[:, ::-1].ravel())[0, 1] > 0.5
    # What the kidneys take up is seen from behind alone.
    kidneys = np.s_[85:105, 20:28]
    assert behind[kidneys].sum() > 1.5 * front[kidneys].sum()


def test_tracer_is_measured_in_becquerels_where_it_lies() -> None:
    sop_class = by_name("Positron Emission Tomography Image")
    data_sets = [read(instance) for instance in a_study(sop_class=sop_class, instances=9, size=96).instances]
    assert [float(each.ImagePositionPatient[2]) for each in data_sets] == [4.0 * index for index in range(9)]
    assert [each.ImageIndex for each in data_sets] == list(range(1, 10))
    assert {each.NumberOfSlices for each in data_sets} == {9}
    assert {each.Units for each in data_sets} == {"BQML"}
    brain = data_sets[7].pixel_array[44:52, 40:45].mean() * float(data_sets[7].RescaleSlope)
    muscle = data_sets[2].pixel_array[44:52, 56:64].mean() * float(data_sets[2].RescaleSlope)
    assert brain > 20_000 > 5_000 > muscle > 1_000


def test_the_microscope_moves_along_the_slide() -> None:
    sop_class = by_name("VL Slide-Coordinates Microscopic Image")
    data_sets = [read(instance) for instance in a_study(sop_class=sop_class, instances=3).instances]
    centres = [each.ImageCenterPointCoordinatesSequence[0] for each in data_sets]
    assert [float(each.XOffsetInSlideCoordinateSystem) for each in centres] == [12.0, 12.4, 12.8]
    assert len({each.FrameOfReferenceUID for each in data_sets}) == 1


@pytest.mark.parametrize("name", ["VL Endoscopic Image", "VL Microscopic Image", "VL Photographic Image"])
def test_what_is_seen_in_visible_light_has_the_tone_of_tissue(name: str) -> None:
    red, green, blue = (frames_of(name)[0, :, :, colour].mean() for colour in range(3))
    assert red > green
    assert red > blue


def test_circles_stay_circles_in_any_shape_of_picture() -> None:
    for rows, columns in ((64, 64), (64, 200), (200, 64)):
        x, y = plane(rows, columns)
        inside = x**2 + y**2 <= 900**2
        assert np.flatnonzero(inside.any(axis=0)).size == np.flatnonzero(inside.any(axis=1)).size == 56
    x, y = plane(1024, 256, wide=1, high=4)
    assert (x[0, 0], x[0, -1], y[0, 0], y[-1, 0]) == (-1020, 1020, -4092, 4092)


def test_clouds_are_smooth_and_blurs_keep_what_is_even() -> None:
    hills = cloud(80, 120, 4, "seed")
    assert hills.shape == (80, 120)
    assert 0 <= hills.min() < 90 < 160 < hills.max() <= 255
    assert abs(np.diff(hills, axis=0)).max() < 24
    assert not np.array_equal(hills, cloud(80, 120, 4, "other"))
    assert (softened(np.full((9, 7), 55), 2) == 55).all()
    assert softened(np.eye(9, dtype=np.int64) * 900, 1, times=1)[4, 4] == 300


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (dicom3tools) is not on this machine")
@every_image
def test_dciodvfy_finds_no_error(sop_class: SopClass, tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    file.write_bytes(studies.study("valid", an_order(), [studies.SeriesSpec(sop_class)]).instances[0].part10())
    verdict = subprocess.run([str(DCIODVFY), "-new", str(file)], capture_output=True, text=True, check=False)
    lines = (verdict.stdout + verdict.stderr).splitlines()
    # It names the IOD where it knows it, and it knows all of these.
    assert [line for line in lines if "Image" in line and not line.startswith(("Error", "Warning"))]
    assert not [line for line in lines if line.startswith("Error")]


@pytest.mark.skipif(DCENTVFY is None, reason="dcentvfy (dicom3tools) is not on this machine")
def test_dcentvfy_finds_a_study_of_all_classes_consistent(tmp_path: Path) -> None:
    specs = [studies.SeriesSpec(sop_class, 2, 24, 24) for sop_class in IMAGES]
    files = []
    for number, instance in enumerate(studies.study("entities", an_order(), specs).instances):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(instance.part10())
    verdict = subprocess.run([str(DCENTVFY), *map(str, files)], capture_output=True, text=True, check=False)
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, "", "")
