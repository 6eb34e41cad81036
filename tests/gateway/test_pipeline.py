"""The steps of the pipeline, each over a real store and index."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import permutations
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from simulator.events import OrderReceived, StudyChanged
from simulator.gateway import header, pipeline
from simulator.gateway.index import Index
from simulator.gateway.order_book import OrderBook, OrderMessageRow
from simulator.gateway.rows import StudyRow
from simulator.gateway.steps import Inspected, Matched, Received, Refused, Unmatched, Verdict
from simulator.gateway.store import Store
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.rules.sop_classes import by_name
from simulator.site import Site
from simulator.synthesis.studies import Instance
from simulator.wire import data_set
from simulator.wire.association import Response, StoreRequest
from tests.gateway.made import a_site, opened, received
from tests.synthesis.made import BIG_ENDIAN, CT, IMPLICIT, a_study, an_order, read
from tests.wire.made import deflated, written

MR = by_name("MR Image")
DEFLATED = data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
STUDY = a_study(instances=3)
ORDER = an_order()
KEYS = MajorKeys(ORDER.person.hkid, ORDER.person.name, ORDER.person.birth_date, ORDER.person.sex)
ORDER_KEYS = OrderKeys(ORDER.accession_number, KEYS)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Store, Index]]:
    with opened(tmp_path) as both:
        yield both


def keep(instances: Iterable[Instance], store: Store, index: Index, site: Site | None = None) -> None:
    """Take every instance, as the gateway does."""
    for instance in instances:
        taken = pipeline.receive(received(instance), site or a_site(), index, store)
        assert isinstance(taken, Received)
        row = pipeline.persist(taken, store).row
        index.add_instance(row, [], StudyRow(row.study_instance_uid, row.keys.accession_number, "receiving"))


def put_order(index: Index, order: OrderKeys) -> None:
    event = OrderReceived(
        observer="gateway", accession_number="", message_control_id="", message_type="", order_control=""
    )
    OrderBook(index).put([order], OrderMessageRow(""), event)


def changed(instance: Instance, change: dict[str, str | None]) -> bytes:
    """Return the instance's data set with elements changed, or taken out where the value is None."""
    made = read(instance)
    for keyword, value in change.items():
        if value is None:
            del made[keyword]
        else:
            setattr(made, keyword, value)
    plain = Dataset()
    plain.update({element.tag: element for element in made})
    return written(plain)


def refusal(request: StoreRequest, parts: tuple[Store, Index], site: Site | None = None) -> Refused:
    store, index = parts
    taken = pipeline.receive(request, site or a_site(), index, store)
    assert isinstance(taken, Refused)
    assert taken.request == request
    return taken


# --- the header --------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [IMPLICIT, data_set.EXPLICIT_VR_LITTLE_ENDIAN, BIG_ENDIAN])
def test_the_header_is_what_pydicom_reads(syntax: str) -> None:
    instance = a_study(transfer_syntax=syntax).instances[0]
    expected = dcmread(BytesIO(instance.part10()))
    found = header.read(instance.data_set, syntax)
    assert found == header.Header(
        sop_class_uid=expected.SOPClassUID,
        sop_instance_uid=expected.SOPInstanceUID,
        study_instance_uid=expected.StudyInstanceUID,
        series_instance_uid=expected.SeriesInstanceUID,
        keys=StudyKeys(
            expected.AccessionNumber,
            MajorKeys(expected.PatientID, str(expected.PatientName), expected.PatientBirthDate, expected.PatientSex),
        ),
    )


def test_a_deflated_data_set_is_read(parts: tuple[Store, Index]) -> None:
    instance = STUDY.instances[0]
    request = received(instance, transfer_syntax_uid=DEFLATED, data_set=deflated(instance.data_set))
    taken = pipeline.receive(request, a_site(), parts[1], parts[0])
    assert isinstance(taken, Received)
    assert taken.header == header.read(instance.data_set, instance.transfer_syntax_uid)


# --- receive -----------------------------------------------------------------------------------------


def test_an_instance_is_received_kept_and_indexed(parts: tuple[Store, Index]) -> None:
    store, index = parts
    instance = STUDY.instances[0]
    taken = pipeline.receive(received(instance), a_site(), index, store)
    assert isinstance(taken, Received)
    assert not taken.repeated
    row = pipeline.persist(taken, store).row
    assert row.data_set_digest == data_set.digest(instance.data_set)
    assert (row.sop_instance_uid, row.study_instance_uid) == (instance.sop_instance_uid, STUDY.study_instance_uid)
    assert (row.keys.accession_number, row.keys.keys, row.calling_ae_title) == (
        ORDER.accession_number,
        KEYS,
        "MODALITY",
    )
    file = store.read(row.file)
    assert file.endswith(instance.data_set)
    meta = dcmread(BytesIO(file)).file_meta
    assert meta.SourceApplicationEntityTitle == "MODALITY"
    assert meta.TransferSyntaxUID == instance.transfer_syntax_uid


def test_a_data_set_that_is_cut_cannot_be_understood(parts: tuple[Store, Index]) -> None:
    instance = STUDY.instances[0]
    for cut in (1, 100, 500):
        found = refusal(received(instance, data_set=instance.data_set[:-cut]), parts)
        assert found.response.status == 0xC000
        # An Error Comment is cut at 64 characters.
        assert found.response.error_comment[:64].startswith(
            f"truncated: (7FE0,0010) needs 512 bytes, {512 - cut} are left (byte "
        )
        assert found.header is None


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 100, b"%PDF-1.4 " * 20, bytes(range(256)), b"\x08\x00\x18\x00\xff\xffAB"]
)
def test_garbage_cannot_be_understood(parts: tuple[Store, Index], garbage: bytes) -> None:
    assert refusal(received(STUDY.instances[0], data_set=garbage), parts).response.status == 0xC000


def test_the_wrong_transfer_syntax_cannot_be_understood(parts: tuple[Store, Index]) -> None:
    request = received(STUDY.instances[0], transfer_syntax_uid=IMPLICIT)
    assert refusal(request, parts).response.status == 0xC000


@pytest.mark.parametrize(
    ("change", "comment"),
    [
        ({"SOPClassUID": MR.uid}, "(0008,0016) SOP class UID is not the one in the command"),
        ({"SOPInstanceUID": "1.2.3"}, "(0008,0018) SOP instance UID is not the one in the command"),
        ({"SOPClassUID": None}, "(0008,0016) SOP class UID is missing or empty"),
        ({"SOPInstanceUID": ""}, "(0008,0018) SOP instance UID is missing or empty"),
        ({"StudyInstanceUID": None}, "(0020,000D) Study Instance UID is missing or empty"),
        ({"StudyInstanceUID": ""}, "(0020,000D) Study Instance UID is missing or empty"),
        ({"SeriesInstanceUID": None}, "(0020,000E) Series Instance UID is missing or empty"),
    ],
)
def test_what_disagrees_with_its_command_is_refused(
    parts: tuple[Store, Index], change: dict[str, str | None], comment: str
) -> None:
    instance = STUDY.instances[0]
    found = refusal(received(instance, data_set=changed(instance, change)), parts)
    assert found.response == Response(0xA900, comment)


def test_another_class_than_that_of_the_context_is_refused(parts: tuple[Store, Index]) -> None:
    found = refusal(received(STUDY.instances[0], abstract_syntax_uid=MR.uid), parts)
    assert found.response == Response(0xA900, "the SOP class is not that of the presentation context")


def test_an_unchanged_data_set_is_not_refused(parts: tuple[Store, Index]) -> None:
    """Or the tests above might be refused for the way in which they change things."""
    instance = STUDY.instances[0]
    taken = pipeline.receive(received(instance, data_set=changed(instance, {})), a_site(), parts[1], parts[0])
    assert isinstance(taken, Received)


def test_the_same_instance_again_is_a_repeat(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    taken = pipeline.receive(received(STUDY.instances[0], calling_ae_title="OTHER"), a_site(), index, store)
    assert isinstance(taken, Received)
    assert taken.repeated


def test_the_same_uid_with_other_content_is_refused(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    instance = STUDY.instances[0]
    other = instance.data_set[:-1] + bytes([instance.data_set[-1] ^ 1])
    found = refusal(received(instance, data_set=other), parts)
    assert found.response == Response(0xC001, "an instance with this UID and other content is held already")
    assert found.header is not None
    assert not found.exceeds_image_limit
    held = index.instance(instance.sop_instance_uid)
    assert held is not None
    assert store.read(held.file).endswith(instance.data_set)


def test_the_same_instance_again_is_stored_once(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    before = sorted(store.names())
    again = pipeline.receive(received(STUDY.instances[0]), a_site(), index, store)
    assert isinstance(again, Received)
    row = pipeline.persist(again, store).row
    assert row == index.instance(row.sop_instance_uid)
    assert sorted(store.names()) == before


# --- the image limit ---------------------------------------------------------------------------------


def limited(limit: int, mode: str, **more: str) -> Site:
    return a_site(image_limit={"limit": limit, "mode": mode, **more})


@pytest.mark.parametrize(("status", "number"), [("A700", 0xA700), ("C123", 0xC123)])
def test_one_image_too_many_is_refused_where_the_site_rejects(
    parts: tuple[Store, Index], status: str, number: int
) -> None:
    store, index = parts
    site = limited(2, "reject", status=status)
    keep(STUDY.instances[:2], store, index, site)
    found = refusal(received(STUDY.instances[2]), parts, site)
    assert found.response == Response(number, "more than 2 images in this study")
    assert found.exceeds_image_limit
    assert found.header is not None
    assert found.header.study_instance_uid == STUDY.study_instance_uid


def test_a_repeat_is_no_further_image(parts: tuple[Store, Index]) -> None:
    store, index = parts
    site = limited(3, "reject")
    keep(STUDY.instances, store, index, site)
    taken = pipeline.receive(received(STUDY.instances[0]), site, index, store)
    assert isinstance(taken, Received)
    assert taken.repeated


def test_the_images_of_another_study_do_not_count(parts: tuple[Store, Index]) -> None:
    store, index = parts
    site = limited(3, "reject")
    keep(STUDY.instances, store, index, site)
    keep(a_study("another", instances=3).instances, store, index, site)


def test_any_number_is_taken_where_the_site_recommends(parts: tuple[Store, Index]) -> None:
    store, index = parts
    site = limited(1, "recommend")
    keep(STUDY.instances, store, index, site)
    found = pipeline.inspect(STUDY.study_instance_uid, index)
    assert (found.instances, found.exceeded) == (3, False)
    assert pipeline.policy(Unmatched(found, ("order.not-found",)), site).warnings == ("image-count.exceeded",)


def test_a_file_system_that_fails_is_an_error_and_nothing_is_left(parts: tuple[Store, Index], tmp_path: Path) -> None:
    store, index = parts
    taken = pipeline.receive(received(STUDY.instances[0]), a_site(), index, store)
    assert isinstance(taken, Received)
    shutil.rmtree(tmp_path / "instances")
    with pytest.raises(OSError, match="No such file"):
        pipeline.persist(taken, store)
    assert not (tmp_path / "instances").exists()


# --- inspect, match, policy --------------------------------------------------------------------------


def inspected(index: Index) -> Inspected:
    return pipeline.inspect(STUDY.study_instance_uid, index)


def test_a_study_is_inspected_with_its_order(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    assert inspected(index).order is None
    put_order(index, ORDER_KEYS)
    assert inspected(index) == Inspected(
        study_instance_uid=STUDY.study_instance_uid,
        keys=(StudyKeys(ORDER.accession_number, KEYS),),
        instances=3,
        exceeded=False,
        order=ORDER_KEYS,
        accession_taken=False,
    )


def test_a_study_that_another_came_before_finds_its_number_taken(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    put_order(index, ORDER_KEYS)
    other = StudyRow("1.2", ORDER.accession_number, "forwarded", order_accession=ORDER.accession_number)
    index.change_study(
        other, StudyChanged(observer="gateway", study_instance_uid="1.2", accession_number="", state="forwarded")
    )
    assert inspected(index).accession_taken
    outcome = pipeline.match(inspected(index), a_site())
    assert isinstance(outcome, Unmatched)
    assert outcome.reasons == ("accession.duplicate",)


def test_matched(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    put_order(index, ORDER_KEYS)
    outcome = pipeline.match(inspected(index), a_site())
    assert isinstance(outcome, Matched)
    assert outcome.order == ORDER_KEYS
    assert pipeline.policy(outcome, a_site()) == Verdict("matched", (), (), ORDER.accession_number)


@pytest.mark.parametrize(
    ("order", "reasons"),
    [
        (None, ("order.not-found",)),
        (replace(ORDER_KEYS, cancelled=True), ("order.cancelled",)),
        (replace(ORDER_KEYS, keys=replace(KEYS, name="OTHER", sex="O")), ("name.mismatch", "sex.mismatch")),
    ],
)
@pytest.mark.parametrize(("unmatched", "state"), [("hold", "unmatched"), ("reject", "rejected")])
def test_unmatched(
    parts: tuple[Store, Index], order: OrderKeys | None, reasons: tuple[str, ...], unmatched: str, state: str
) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    if order is not None:
        put_order(index, order)
    site = a_site(unmatched=unmatched)
    outcome = pipeline.match(inspected(index), site)
    assert isinstance(outcome, Unmatched)
    assert outcome.reasons == reasons
    assert pipeline.policy(outcome, site) == Verdict(state, reasons, (), "")


def test_the_rules_of_the_site_apply(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    put_order(index, ORDER_KEYS)
    outcome = pipeline.match(inspected(index), a_site(accession={"department_codes": ["ZZ"]}))
    assert isinstance(outcome, Unmatched)
    assert outcome.reasons == ("accession.malformed.department",)


def test_instances_that_disagree_make_the_study_inconsistent(parts: tuple[Store, Index]) -> None:
    store, index = parts
    told = a_study(lies={"PatientSex": "O"}, instances=3)
    keep(STUDY.instances[:1], store, index)
    keep(told.instances[1:2], store, index)
    put_order(index, ORDER_KEYS)
    outcome = pipeline.match(inspected(index), a_site())
    assert isinstance(outcome, Unmatched)
    assert outcome.reasons == ("study.inconsistent",)


@pytest.mark.parametrize("arrival", list(permutations(range(3))))
def test_two_patients_in_a_study_are_found_in_whatever_order_they_come(
    parts: tuple[Store, Index], arrival: tuple[int, ...]
) -> None:
    store, index = parts
    other = an_order("another").person
    told = a_study(
        instances=3,
        lies={
            "PatientID": other.hkid,
            "PatientName": other.name,
            "PatientBirthDate": other.birth_date,
            "PatientSex": other.sex,
        },
    )
    instances = [STUDY.instances[0], told.instances[1], told.instances[2]]
    for place in arrival:
        keep([instances[place]], store, index)
    put_order(index, ORDER_KEYS)
    outcome = pipeline.match(inspected(index), a_site())
    assert isinstance(outcome, Unmatched)
    assert outcome.reasons == ("study.inconsistent",)


def test_a_study_that_went_over_the_limit_is_rejected_even_if_it_matches(parts: tuple[Store, Index]) -> None:
    store, index = parts
    site = limited(3, "reject")
    keep(STUDY.instances, store, index, site)
    put_order(index, ORDER_KEYS)
    assert pipeline.policy(pipeline.match(inspected(index), site), site).state == "matched"
    row = StudyRow(STUDY.study_instance_uid, ORDER.accession_number, "rejected", ("image-count.exceeded",))
    index.change_study(
        row, StudyChanged(observer="gateway", study_instance_uid="", accession_number="", state="rejected")
    )
    assert inspected(index).exceeded
    verdict = pipeline.policy(pipeline.match(inspected(index), site), site)
    assert (verdict.state, verdict.reasons) == ("rejected", ("image-count.exceeded",))


def test_a_limit_that_was_lowered_rejects_what_is_held(parts: tuple[Store, Index]) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    verdict = pipeline.policy(pipeline.match(inspected(index), limited(2, "reject")), limited(2, "reject"))
    assert (verdict.state, verdict.reasons) == ("rejected", ("image-count.exceeded",))


@pytest.mark.parametrize(("limit", "warnings"), [(2, ("image-count.exceeded",)), (3, ())])
def test_a_matched_study_over_the_recommendation_is_matched_with_a_warning(
    parts: tuple[Store, Index], limit: int, warnings: tuple[str, ...]
) -> None:
    store, index = parts
    keep(STUDY.instances, store, index)
    put_order(index, ORDER_KEYS)
    site = limited(limit, "recommend")
    verdict = pipeline.policy(pipeline.match(inspected(index), site), site)
    assert verdict == Verdict("matched", (), warnings, ORDER.accession_number)


def test_every_class_passes_the_steps(parts: tuple[Store, Index]) -> None:
    store, index = parts
    for sop_class in a_site().storage_classes():
        study = a_study(sop_class.keyword, sop_class)
        keep(study.instances, store, index)
        assert pipeline.inspect(study.study_instance_uid, index).instances == 1
    assert CT in a_site().storage_classes()
