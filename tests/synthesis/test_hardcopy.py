"""The two Hardcopy classes against a table of their modules: dciodvfy does not know these IODs any more.

Retired in 2004 (PS3.6). Modules by PS3.3-2003: Patient C.7.1.1, General Study C.7.2.1, General Series C.7.3.1, General
Image C.7.6.1, Image Pixel C.7.6.3, SOP Common C.12.1, and the Hardcopy modules of C.8.10; what these allow is also what
DCMTK writes.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from simulator.rules.sop_classes import by_name
from tests.synthesis.made import a_study, read

TYPE_1 = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ImageType"),
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)
TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *("SeriesNumber", "InstanceNumber"),
)
# Attribute, and the values that the Hardcopy Image modules allow for it.
GRAYSCALE: dict[str | tuple[str, ...], set[Any]] = {
    "Modality": {"HC"},
    "SamplesPerPixel": {1},
    "PhotometricInterpretation": {"MONOCHROME2"},
    ("BitsAllocated", "BitsStored", "HighBit"): {(16, 12, 11), (8, 8, 7)},
    "PixelRepresentation": {0},
}
COLOR: dict[str | tuple[str, ...], set[Any]] = {
    "Modality": {"HC"},
    "SamplesPerPixel": {3},
    "PhotometricInterpretation": {"RGB"},
    "PlanarConfiguration": {1},
    ("BitsAllocated", "BitsStored", "HighBit"): {(8, 8, 7)},
    "PixelRepresentation": {0},
}
TABLES = {"Hardcopy Grayscale Image": GRAYSCALE, "Hardcopy Color Image": COLOR}


def complaints(data_set: Dataset, name: str) -> list[str]:
    """Return what the table does not allow in the data set."""
    found = [f"{keyword} is of Type 1" for keyword in TYPE_1 if data_set.get(keyword) in (None, "", b"")]
    found += [f"{keyword} is of Type 2" for keyword in TYPE_2 if keyword not in data_set]
    for keywords, allowed in TABLES[name].items():
        seen = data_set.get(keywords) if isinstance(keywords, str) else tuple(data_set.get(each) for each in keywords)
        found += [] if seen in allowed else [f"{keywords} is {seen}"]
    # General Image C.7.6.1: 2C where the image has no orientation and position in space.
    found += [] if "PatientOrientation" in data_set else ["PatientOrientation is of Type 2C"]
    return found


@pytest.mark.parametrize("name", list(TABLES))
def test_every_attribute_of_the_modules_is_there(name: str) -> None:
    for instance in a_study(sop_class=by_name(name), instances=2, size=40).instances:
        assert complaints(read(instance), name) == []


@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("keyword", [*TYPE_1, *TYPE_2, "PatientOrientation"])
def test_the_table_misses_what_is_not_there(name: str, keyword: str) -> None:
    data_set = read(a_study(sop_class=by_name(name)).instances[0])
    del data_set[keyword]
    assert any(keyword in each for each in complaints(data_set, name))
