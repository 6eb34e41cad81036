from __future__ import annotations

import pytest

from simulator.rules.modality import ENUMERATED, complaint
from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES, SopClass, by_name

CLASSES = (*SEED_IMAGE_CLASSES, *EXTENDED_CLASSES)
MET = (
    "CR", "CT", "DX", "ES", "GM", "HC", "IO", "KO", "MG", "MR", "NM", "OT", "PR", "PT", "PX", "RF", "RTIMAGE", "SR",
    "US", "XA", "XC",
)  # fmt: skip
# By the keywords of PS3.6, what PS3.3 enumerates. No other class of the slide or its extension is judged.
ALLOWED = {
    "DigitalXRayImageStorageForPresentation": ("DX", "IO", "MG", "PX"),
    "DigitalXRayImageStorageForProcessing": ("DX", "IO", "MG", "PX"),
    "DigitalMammographyXRayImageStorageForPresentation": ("MG",),
    "DigitalMammographyXRayImageStorageForProcessing": ("MG",),
    "DigitalIntraOralXRayImageStorageForPresentation": ("IO",),
    "DigitalIntraOralXRayImageStorageForProcessing": ("IO",),
    "EnhancedMRImageStorage": ("MR",),
    "RTImageStorage": ("RTIMAGE",),
    "BasicTextSRStorage": ("SR",),
    "EnhancedSRStorage": ("SR",),
    "ComprehensiveSRStorage": ("SR",),
    "KeyObjectSelectionDocumentStorage": ("KO",),
    "GrayscaleSoftcopyPresentationStateStorage": ("PR",),
}


@pytest.mark.parametrize("sop_class", CLASSES, ids=lambda sop_class: sop_class.keyword)
def test_each_class_has_the_modalities_that_the_standard_enumerates(sop_class: SopClass) -> None:
    expected = ALLOWED.get(sop_class.keyword, MET)
    assert tuple(modality for modality in MET if not complaint(sop_class.uid, modality)) == expected


def test_only_classes_that_are_known_are_judged() -> None:
    assert set(ENUMERATED) == {by_name(keyword).uid for keyword in ALLOWED}
    assert complaint("1.2.3", "CT") == ""


@pytest.mark.parametrize(
    ("keyword", "modality", "expected"),
    [
        (
            "DigitalXRayImageStorageForPresentation",
            "CT",
            "Modality (0008,0060) is CT; DX Series has DX, PX, IO or MG",
        ),
        (
            "DigitalMammographyXRayImageStorageForProcessing",
            "DX",
            "Modality (0008,0060) is DX; Mammography Series has MG",
        ),
        ("EnhancedMRImageStorage", "CT", "Modality (0008,0060) is CT; MR Series has MR"),
        ("BasicTextSRStorage", "", "Modality (0008,0060) is missing or empty"),
        ("EnhancedMRImageStorage", "mr", "Modality (0008,0060) is mr; MR Series has MR"),
    ],
)
def test_the_complaint_names_both(keyword: str, modality: str, expected: str) -> None:
    assert complaint(by_name(keyword).uid, modality) == expected


def test_no_modality_is_asked_of_a_class_without_enumeration() -> None:
    assert complaint(by_name("CT Image").uid, "") == ""


def test_a_complaint_fits_in_an_error_comment() -> None:
    complaints = [complaint(uid, modality) for uid in ENUMERATED for modality in MET]
    assert max(map(len, complaints)) <= 64
