"""Instances that are written over for each study are what a study of their own would be."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from simulator.load.instances import Orders, Pictures, Recipe
from simulator.rules.accession import AccessionRules, inspect
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.wire.association import Outgoing

CT = by_name("CTImageStorage")
RULES = AccessionRules("iso7064-mod37-36", frozenset(("QEH",)))


def recipe(sop_class: SopClass = CT, images: int = 3, **more: int) -> Recipe:
    return Recipe(7, sop_class, images, 16, 16, RULES, **more)


def read(instance: Outgoing) -> Dataset:
    """Read an instance as it is now; the next one is written over it."""
    return dcmread(BytesIO(bytes(instance.data_set)), force=True)


@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=lambda each: each.keyword)
def test_every_study_is_one_of_its_order(sop_class: SopClass) -> None:
    pictures = Pictures(recipe(sop_class), 1)
    seen: set[str] = set()
    for number in (0, 1, 2):
        order = pictures.orders.order(number)
        assert inspect(order.accession_number, RULES) == ()
        found = [(read(instance), instance) for instance in pictures.study(number)]
        assert len(found) == 3
        for data_set, instance in found:
            assert data_set.SOPInstanceUID == instance.sop_instance_uid
            assert data_set.StudyInstanceUID == order.study_instance_uid
            assert data_set.AccessionNumber == order.accession_number
            assert data_set.StudyID == order.requested_procedure_id
            assert data_set.PatientID == order.person.hkid
        assert len({data_set.SeriesInstanceUID for data_set, _ in found}) == 1
        new = {order.accession_number, order.study_instance_uid, found[0][0].SeriesInstanceUID}
        new |= {instance.sop_instance_uid for _, instance in found}
        assert len(new) == 6
        assert not new & seen
        seen |= new


def test_nothing_but_what_tells_a_study_from_others_is_written_over() -> None:
    pictures = Pictures(recipe(), 0)
    first, second = ([bytes(each.data_set) for each in pictures.study(number)] for number in (0, 1))
    written = ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "AccessionNumber"]
    for before, after in zip(first, second, strict=True):
        assert len(before) == len(after)
        one, other = (dcmread(BytesIO(data), force=True) for data in (before, after))
        assert one != other
        for keyword in (*written, "StudyID", "RequestAttributesSequence"):
            assert one[keyword].VR == "SQ" or len(one[keyword].value) == len(other[keyword].value)
            del one[keyword], other[keyword]
        assert one == other


def test_pictures_repeat_when_there_is_no_room_for_all_and_instances_do_not() -> None:
    pictures = Pictures(recipe(images=5, picture_bytes=1), 0)
    found = [read(instance) for instance in pictures.study(0)]
    assert len({data_set.PixelData for data_set in found}) == 1
    assert len({data_set.SOPInstanceUID for data_set in found}) == 5


def test_no_two_modalities_have_an_order_or_an_instance_in_common() -> None:
    orders = [Orders(recipe(), number).order(study) for number in range(5) for study in (0, 1, 99_999)]
    assert len({order.accession_number for order in orders}) == len(orders)
    assert len({order.study_instance_uid for order in orders}) == len(orders)
    uids = {each.sop_instance_uid for number in range(3) for each in Pictures(recipe(), number).study(0)}
    assert len(uids) == 9


def test_the_same_seed_makes_the_same_bytes() -> None:
    once, again = (
        [bytes(each.data_set) for study in (0, 1) for each in Pictures(recipe(), 2).study(study)] for _ in range(2)
    )
    assert once == again
