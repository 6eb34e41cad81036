from __future__ import annotations

import pytest
from pydicom.uid import UID

from simulator.rules import sop_classes
from simulator.rules.sop_classes import (
    EXTENDED_CLASSES,
    SEED_IMAGE_CLASSES,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE_UID,
    VERIFICATION,
    SopClass,
    by_name,
    storage_classes,
)
from tests.rules import vectors

VECTORS = vectors.read("sop_classes.csv")
SERVICES = (VERIFICATION, STORAGE_COMMITMENT)
ALL = (*SERVICES, *SEED_IMAGE_CLASSES, *EXTENDED_CLASSES)
DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"


def keyword_of(sop_class: SopClass) -> str:
    return sop_class.keyword


@pytest.mark.parametrize(
    ("table", "classes"),
    [("service", SERVICES), ("seed", SEED_IMAGE_CLASSES), ("extended", EXTENDED_CLASSES)],
)
def test_the_tables_are_those_of_the_sources(table: str, classes: tuple[SopClass, ...]) -> None:
    """The slide writes Intra-oral where PS3.6 now writes Intra-Oral; that is all the difference."""
    listed = [row for row in VECTORS if row["table"] == table]
    assert [(row["uid"], row["keyword"]) for row in listed] == [(each.uid, each.keyword) for each in classes]
    assert [row["name"].lower() for row in listed] == [each.name.lower() for each in classes]


def test_the_sizes_of_the_tables() -> None:
    assert len(SEED_IMAGE_CLASSES) == 13
    assert len(EXTENDED_CLASSES) == 20
    assert len({each.uid for each in ALL}) == len({each.name for each in ALL}) == len(ALL)


@pytest.mark.parametrize("sop_class", ALL, ids=keyword_of)
def test_uid_name_and_keyword_are_those_of_the_dictionary(sop_class: SopClass) -> None:
    uid = UID(sop_class.uid)
    assert uid.type == "SOP Class"
    assert (uid.name, uid.keyword) == (sop_class.name, sop_class.keyword)


def test_the_well_known_instance() -> None:
    uid = UID(STORAGE_COMMITMENT_INSTANCE_UID)
    assert (uid.type, uid.keyword) == ("Well-known SOP Instance", "StorageCommitmentPushModelInstance")


def test_only_the_hardcopy_classes_are_retired() -> None:
    retired = [each.keyword for each in ALL if UID(each.uid).is_retired]
    assert retired == ["HardcopyGrayscaleImageStorage", "HardcopyColorImageStorage"]


def test_storage_classes() -> None:
    assert storage_classes() == SEED_IMAGE_CLASSES
    assert storage_classes(extended=True) == SEED_IMAGE_CLASSES + EXTENDED_CLASSES


@pytest.mark.parametrize("extended", [False, True])
def test_as_printed_leaves_out_only_dx_for_processing(extended: bool) -> None:
    standard = storage_classes(extended=extended)
    printed = storage_classes(dx_processing_as_printed=True, extended=extended)
    assert set(standard) - set(printed) == {by_name(DX_FOR_PROCESSING)}
    assert printed == tuple(each for each in standard if each.uid != DX_FOR_PROCESSING)


@pytest.mark.parametrize("sop_class", ALL, ids=keyword_of)
def test_every_class_is_found_by_each_of_its_names(sop_class: SopClass) -> None:
    shown = sop_class.name.removesuffix(" SOP Class")
    for text in (sop_class.uid, sop_class.name, sop_class.keyword, shown, shown.removesuffix(" Storage")):
        assert by_name(text) is sop_class
        assert by_name(f" {text.lower()} ") is sop_class
        assert by_name(text.upper()) is sop_class


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("CT Image", "CTImageStorage"),
        ("Hardcopy Grayscale Image", "HardcopyGrayscaleImageStorage"),
        ("Hardcopy Color Image Storage", "HardcopyColorImageStorage"),
        ("Digital X-Ray Image - For Presentation", "DigitalXRayImageStorageForPresentation"),
        ("Digital Intra-oral X-Ray Image - For Processing", "DigitalIntraOralXRayImageStorageForProcessing"),
        ("Storage Commitment Push Model", "StorageCommitmentPushModel"),
        ("Verification", "Verification"),
    ],
)
def test_names_as_scenarios_write_them(text: str, keyword: str) -> None:
    assert by_name(text).keyword == keyword


def test_no_spelling_is_shared_by_two_classes() -> None:
    spellings = [(sop_classes._squashed(text), each) for each in ALL for text in sop_classes._spellings(each)]
    assert len({text for text, _ in spellings}) == len(set(spellings))


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("CT Imag", "CT Image Storage"),
        ("Enhanced CT Image", "Enhanced MR Image Storage"),
        ("Digital X-Ray Image", "Digital X-Ray Image Storage - For Presentation"),
        ("1.2.840.10008.5.1.4.1.1.999", "CT Image Storage"),
        ("", "CT Image Storage"),
    ],
)
def test_an_unknown_name_is_told_with_its_near_misses(text: str, near: str) -> None:
    with pytest.raises(KeyError) as caught:
        by_name(text)
    assert repr(text) in caught.value.args[0]
    assert near in caught.value.args[0]
