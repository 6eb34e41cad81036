from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import studies
from simulator.synthesis.classes import CLASSES, image_class
from simulator.synthesis.image_class import Place
from simulator.synthesis.preview import thumbnail
from tests.synthesis.made import BIG_ENDIAN, EXPLICIT, IMPLICIT, a_study, an_order, keywords, read

DCIODVFY = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
MODALITIES = {
    "HardcopyGrayscaleImageStorage": "HC",
    "HardcopyColorImageStorage": "HC",
    "ComputedRadiographyImageStorage": "CR",
    "DigitalXRayImageStorageForPresentation": "DX",
    "DigitalXRayImageStorageForProcessing": "DX",
    "DigitalMammographyXRayImageStorageForPresentation": "MG",
    "DigitalMammographyXRayImageStorageForProcessing": "MG",
    "DigitalIntraOralXRayImageStorageForPresentation": "IO",
    "DigitalIntraOralXRayImageStorageForProcessing": "IO",
    "CTImageStorage": "CT",
    "MRImageStorage": "MR",
    "EnhancedMRImageStorage": "MR",
    "UltrasoundImageStorage": "US",
}


def test_every_class_of_the_seed_can_be_made() -> None:
    assert list(CLASSES)[: len(keywords)] == keywords


def test_every_image_class_of_the_extension_can_be_made() -> None:
    assert {each.keyword for each in EXTENDED_CLASSES if each.image} - {"RTImageStorage"} == {*CLASSES} - {*keywords}


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_pydicom_reads_every_class(sop_class: SopClass, transfer_syntax: str) -> None:
    instance = a_study(sop_class=sop_class, size=20, transfer_syntax=transfer_syntax).instances[0]
    data_set = read(instance)
    assert data_set.SOPClassUID == instance.sop_class_uid == sop_class.uid
    assert data_set.SOPInstanceUID == instance.sop_instance_uid
    assert data_set.SeriesInstanceUID == instance.series_instance_uid
    assert data_set.Modality == MODALITIES[sop_class.keyword]
    samples = data_set.Rows * data_set.Columns * data_set.SamplesPerPixel * int(data_set.get("NumberOfFrames", 1))
    assert len(data_set.PixelData) == samples * data_set.BitsAllocated // 8
    assert data_set.pixel_array.max() < 2**data_set.BitsStored
    assert data_set.pixel_array.std() > 0


@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_transfer_syntaxes_hold_the_same_pixels(sop_class: SopClass) -> None:
    arrays = [
        read(a_study(sop_class=sop_class, size=19, transfer_syntax=syntax).instances[0]).pixel_array
        for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN)
    ]
    assert np.array_equal(arrays[0], arrays[1])
    assert np.array_equal(arrays[0], arrays[2])


@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_every_image_says_that_it_is_synthetic(sop_class: SopClass) -> None:
    data_set = read(a_study(sop_class=sop_class).instances[0])
    assert data_set.InstitutionName == "SYNTHETIC - NOT FOR DIAGNOSIS"
    assert (data_set.Manufacturer, data_set.ManufacturerModelName) == ("SYNTHETIC", "SYNTHETIC")


@pytest.mark.parametrize("name", ["DX", "MG", "IO"])
def test_a_window_is_for_presentation_alone(name: str) -> None:
    for keyword, kind in CLASSES.items():
        if kind.modality != name:
            continue
        data_set = read(a_study(sop_class=by_name(keyword)).instances[0])
        presented = keyword.endswith("ForPresentation")
        assert ("WindowCenter" in data_set) is presented
        assert data_set.PresentationIntentType == ("FOR PRESENTATION" if presented else "FOR PROCESSING")
        inverse = data_set.PhotometricInterpretation == "MONOCHROME1"
        assert data_set.PresentationLUTShape == ("INVERSE" if inverse else "IDENTITY")


def test_hardcopy_is_as_retired_printers_wrote_it() -> None:
    grey = read(a_study(sop_class=by_name("Hardcopy Grayscale Image")).instances[0])
    colour = read(a_study(sop_class=by_name("Hardcopy Color Image")).instances[0])
    assert (grey.PhotometricInterpretation, grey.BitsAllocated, grey.BitsStored) == ("MONOCHROME2", 16, 12)
    assert (colour.PhotometricInterpretation, colour.BitsAllocated) == ("RGB", 8)
    assert colour.PlanarConfiguration == 1


def test_slices_lie_one_behind_the_other() -> None:
    data_sets = [read(instance) for instance in a_study(instances=8).instances]
    # 400 mm of the body, from the feet's side up; the first and the last slice lie half a step inside.
    assert [float(data_set.ImagePositionPatient[2]) for data_set in data_sets] == [-175 + 50 * n for n in range(8)]
    assert len({data_set.FrameOfReferenceUID for data_set in data_sets}) == 1


def test_frames_lie_one_behind_the_other_through_the_series() -> None:
    heights = []
    for instance in a_study(sop_class=by_name("Enhanced MR Image"), instances=3).instances:
        data_set = read(instance)
        assert len(data_set.PerFrameFunctionalGroupsSequence) == data_set.NumberOfFrames == 4
        assert len({frame.tobytes() for frame in data_set.pixel_array}) == 4
        shared = data_set.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        assert float(shared.SpacingBetweenSlices) == 12.5
        for frame in data_set.PerFrameFunctionalGroupsSequence:
            heights.append(float(frame.PlanePositionSequence[0].ImagePositionPatient[2]))
    assert heights == [-68.75 + 12.5 * n for n in range(12)]


@pytest.mark.parametrize(("rows", "columns"), [(128, 128), (96, 150)])
def test_what_is_painted_lies_where_the_attributes_say(rows: int, columns: int) -> None:
    """The left kidney of the phantom: its middle is at (68.4, 35.2, 11.7) mm, and it is 125 mm long."""
    spec = studies.SeriesSpec(by_name("CT Image"), 80, rows, columns)
    total, heights = np.zeros(4), []
    for instance in studies.study("kidney", an_order(), [spec]).instances:
        data_set = read(instance)
        first = np.array([float(value) for value in data_set.ImagePositionPatient])
        down, across = (float(value) for value in data_set.PixelSpacing)
        x = first[0] + across * np.arange(columns)
        y = (first[1] + down * np.arange(rows))[:, np.newaxis]
        units = data_set.pixel_array * float(data_set.RescaleSlope) + float(data_set.RescaleIntercept)
        kidney = (units > 140) & (abs(x - 68.4) < 31) & (abs(y - 35.2) < 36) & (abs(first[2] - 11.7) < 70)
        if kidney.any():
            heights.append(first[2])
        weights = kidney / max(1, kidney.sum())
        total += np.array([(weights * x).sum(), (weights * y).sum(), first[2], 1.0]) * kidney.sum()
    # Fat in its hilum draws the middle outwards a little.
    assert total[:3] / total[3] == pytest.approx([68.4, 35.2, 11.7], abs=4)
    assert max(heights) - min(heights) == pytest.approx(125, abs=12)


@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_pixels_are_square(sop_class: SopClass) -> None:
    spec = studies.SeriesSpec(sop_class, rows=32, columns=48)
    data_set = read(studies.study("square", an_order(), [spec]).instances[0])
    if "SharedFunctionalGroupsSequence" in data_set:
        data_set = data_set.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        if keyword in data_set:
            assert data_set[keyword].value[0] == data_set[keyword].value[1] > 0
    assert "PixelAspectRatio" not in data_set


@pytest.mark.parametrize("keyword", keywords)
def test_a_picture_of_natural_size_opens_well(keyword: str) -> None:
    """Shown as its class says, it has black, white and much between; nothing is greater than its bits hold."""
    kind = CLASSES[keyword]
    rows, columns = kind.size
    picture = kind.paint(Place(1, 2, rows, columns, "1.2.3", "20250101000000"))
    assert picture.flags.writeable
    assert picture.flags.c_contiguous
    assert picture.max() < 2**kind.pixels.bits_stored
    with Image.open(BytesIO(thumbnail(picture, kind, 128))) as image:
        grey = np.asarray(image.convert("L"))
    assert max(grey.shape) == 128
    assert 5 < grey.mean() < 160
    assert len(np.unique(grey // 8)) >= 16
    assert np.count_nonzero(grey < 32) > grey.size // 50


@pytest.mark.parametrize("keyword", keywords)
def test_no_picture_of_a_series_is_like_another(keyword: str) -> None:
    kind = CLASSES[keyword]
    pictures = {kind.paint(Place(n, 300, 16, 16, "1.2.3", "20250101000000")).tobytes() for n in range(1, 301)}
    assert len(pictures) == 300


def test_for_processing_is_for_presentation_turned_round() -> None:
    place = Place(1, 1, 64, 64, "1.2.3", "20250101000000")
    for name in ("XRay", "MammographyXRay", "IntraOralXRay"):
        presented, raw_one = (CLASSES[f"Digital{name}ImageStorageFor{why}"] for why in ("Presentation", "Processing"))
        assert np.array_equal(presented.paint(place).astype(int) + raw_one.paint(place), np.full((64, 64), 4095))


def test_a_screening_series_shows_both_breasts_in_both_views() -> None:
    study = a_study(sop_class=by_name("DigitalMammographyXRayImageStorageForPresentation"), instances=5, size=64)
    data_sets = [read(instance) for instance in study.instances]
    assert [d.ImageLaterality + d.ViewPosition for d in data_sets] == ["RCC", "LCC", "RMLO", "LMLO", "RCC"]
    right, left = data_sets[0].pixel_array.astype(int), data_sets[1].pixel_array.astype(int)
    # The chest wall is the thick side: at the right edge for a right breast.
    assert right[:, -8:].sum() > right[:, :8].sum()
    assert left[:, -8:].sum() < left[:, :8].sum()


@pytest.mark.parametrize("rows_and_columns", [(16, 16), (16, 33), (17, 16), (64, 48)])
@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_odd_and_small_pictures(sop_class: SopClass, rows_and_columns: tuple[int, int]) -> None:
    rows, columns = rows_and_columns
    spec = studies.SeriesSpec(sop_class, rows=rows, columns=columns)
    data_set = read(studies.study("odd", an_order(), [spec]).instances[0])
    assert (data_set.Rows, data_set.Columns) == rows_and_columns
    assert rows in data_set.pixel_array.shape


def test_a_class_under_another_uid_is_still_made() -> None:
    as_printed = dataclasses.replace(by_name("DigitalXRayImageStorageForProcessing"), uid="1.2.840.10008.5.1.4.1.1.1.1")
    data_set = read(a_study(sop_class=as_printed).instances[0])
    assert data_set.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1.1"
    assert data_set.PresentationIntentType == "FOR PROCESSING"


def test_other_classes_are_refused_by_name() -> None:
    report = by_name("BasicTextSRStorage")
    with pytest.raises(ValueError, match="no images of Basic Text SR Storage"):
        image_class(report)


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (dicom3tools) is not on this machine")
@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_dciodvfy_finds_no_error(sop_class: SopClass, tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    file.write_bytes(a_study(sop_class=sop_class, size=32).instances[0].part10())
    verdict = subprocess.run([str(DCIODVFY), "-new", str(file)], capture_output=True, text=True, check=False)
    lines = (verdict.stdout + verdict.stderr).splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    # It does not know the IODs that were retired in 2004, and then looks at single elements alone.
    retired = ["Error - Information Object Not found"] if "Hardcopy" in sop_class.keyword else []
    assert lines
    assert errors == retired
