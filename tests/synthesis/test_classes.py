from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import pixels, studies
from simulator.synthesis.classes import CLASSES, image_class
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
    assert list(CLASSES) == keywords


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
    data_sets = [read(instance) for instance in a_study(instances=3).instances]
    assert [float(data_set.ImagePositionPatient[2]) for data_set in data_sets] == [0, 1, 2]
    assert len({data_set.FrameOfReferenceUID for data_set in data_sets}) == 1


def test_frames_lie_one_behind_the_other_through_the_series() -> None:
    heights = []
    for instance in a_study(sop_class=by_name("Enhanced MR Image"), instances=2).instances:
        data_set = read(instance)
        assert len(data_set.PerFrameFunctionalGroupsSequence) == data_set.NumberOfFrames == 4
        assert len({frame.tobytes() for frame in data_set.pixel_array}) == 4
        for frame in data_set.PerFrameFunctionalGroupsSequence:
            heights.append(float(frame.PlanePositionSequence[0].ImagePositionPatient[2]))
    assert heights == list(range(8))


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


def test_the_box_around_an_ellipse_cuts_nothing_off() -> None:
    x, y = pixels._axes(41, 67)
    for part in (*pixels.ABDOMEN, *pixels.BRAIN):
        (centre_x, centre_y, centre_z), (a, b, _) = part.centre, part.axes
        whole = ((x - centre_x) * b) ** 2 + ((y - centre_y) * a) ** 2 <= (a * b) ** 2
        assert np.array_equal(pixels.slice_at(centre_z, [part], 0, 41, 67) > 0, whole)


def test_a_class_under_another_uid_is_still_made() -> None:
    as_printed = dataclasses.replace(by_name("DigitalXRayImageStorageForProcessing"), uid="1.2.840.10008.5.1.4.1.1.1.1")
    data_set = read(a_study(sop_class=as_printed).instances[0])
    assert data_set.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1.1"
    assert data_set.PresentationIntentType == "FOR PROCESSING"


def test_other_classes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=EXTENDED_CLASSES[0].name):
        image_class(EXTENDED_CLASSES[0])


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
