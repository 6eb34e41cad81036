from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.errors import StartError
from simulator.events import InstanceForwarded, InstanceStored, OrderReceived, StudyChanged
from simulator.gateway.index import Index
from simulator.gateway.order_book import OrderBook, OrderMessageRow
from simulator.gateway.rows import InstanceRow, StudyRow
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys
from tests.wire.sockets import PATIENCE

CHAN = MajorKeys("A1234563", "CHAN^TAI MAN=陳^大文", "19700131", "M")
KEYS = StudyKeys("XXXXR0700000101H", CHAN)
STUDY = StudyRow("1.2", "XXXXR0700000101H", "receiving")
ORDER = OrderKeys("XXXXR0700000101H", CHAN)


def a_row(number: int, study: str = "1.2", series: str = "1.2.1", keys: StudyKeys = KEYS) -> InstanceRow:
    uid = f"{study}.9.{number}"
    return InstanceRow(uid, study, series, "1.2.840.1", "1.2.840.2", f"digest {uid}", f"{uid}.dcm", "MODALITY", keys)


def stored(row: InstanceRow) -> InstanceStored:
    return InstanceStored(
        observer="gateway",
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        data_set_digest=row.data_set_digest,
        calling_ae_title=row.calling_ae_title,
    )


def changed(study: StudyRow) -> StudyChanged:
    return StudyChanged(
        observer="gateway", study_instance_uid=study.study_instance_uid, accession_number="", state=study.state
    )


def ordered(control: str = "NW") -> OrderReceived:
    return OrderReceived(
        observer="gateway", accession_number="", message_control_id="", message_type="ORM^O01", order_control=control
    )


def forwarded(row: InstanceRow) -> InstanceForwarded:
    return InstanceForwarded(
        observer="gateway",
        study_instance_uid=row.study_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        destination="REMOTE",
        status="0000",
    )


def add(index: Index, *rows: InstanceRow) -> None:
    for row in rows:
        index.add_instance(row, [stored(row)], StudyRow(row.study_instance_uid, "", "receiving"))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.sqlite")


# --- what is kept ------------------------------------------------------------------------------------


def test_an_instance_is_read_back(index: Index) -> None:
    first, second, other = a_row(2), a_row(1, series="1.2.2"), a_row(1, study="1.3")
    add(index, first, second, other)
    assert index.instance(first.sop_instance_uid) == first
    assert index.instance("1.2.9") is None
    assert index.instances("1.2") == (first, second)  # as they came
    assert index.sizes("1.2") == (2, 2)
    assert index.sizes("1.4") == (0, 0)
    assert index.files() == {row.file for row in (first, second, other)}


def test_a_study_is_read_back(index: Index) -> None:
    add(index, a_row(1), a_row(1, study="1.1"))
    study = StudyRow("1.2", "A", "unmatched", ("hkid.missing", "sex.invalid"), ("image-count.exceeded",), "B")
    index.change_study(study, changed(study))
    assert index.study("1.2") == study
    assert index.study("1.9") is None
    assert [found.study_instance_uid for found in index.studies()] == ["1.2", "1.1"]
    assert index.studies_under("A") == (study,)
    assert index.studies_under("B") == (study,)  # it has that order
    assert index.studies_under("C") == ()


def test_the_keys_of_a_study_are_distinct_and_those_of_the_first_instance_come_first(index: Index) -> None:
    other = StudyKeys("", CHAN)
    add(index, a_row(1), a_row(2, keys=other), a_row(3), a_row(4, keys=other), a_row(1, study="1.3", keys=other))
    assert index.study_keys("1.2") == (KEYS, other)
    assert index.study_keys("1.3") == (other,)


def test_an_order_is_replaced_by_the_next_under_its_number(index: Index) -> None:
    other = replace(ORDER, accession_number="OTHER")
    for order in (ORDER, other, replace(ORDER, cancelled=True)):
        OrderBook(index).put([order], OrderMessageRow("MSH|"), ordered())
    assert index.order(ORDER.accession_number) == replace(ORDER, cancelled=True)
    assert index.order("NONE") is None
    assert index.orders() == (replace(ORDER, cancelled=True), other)


def test_an_order_is_taken_once_another_study_has_matched_it(index: Index) -> None:
    matched = replace(STUDY, state="matched", order_accession="A")
    index.change_study(matched, changed(matched))
    assert index.matched_by_another("A", "1.3")
    assert not index.matched_by_another("A", "1.2")
    assert not index.matched_by_another("B", "1.3")
    unmatched = replace(STUDY, study_instance_uid="1.4")
    index.change_study(unmatched, changed(unmatched))
    assert not index.matched_by_another("", "1.3")  # no number is no order


def test_deliveries_are_kept_by_destination_and_study(index: Index) -> None:
    one, two, other = a_row(1), a_row(2), a_row(1, study="1.3")
    add(index, one, two, other)
    for row in (one, other):
        index.add_delivery(row.sop_instance_uid, "REMOTE", "0000", forwarded(row))
    index.add_delivery(one.sop_instance_uid, "REMOTE", "B000", forwarded(one))
    assert index.delivered("1.2", "REMOTE") == {one.sop_instance_uid}
    assert index.delivered("1.3", "REMOTE") == {other.sop_instance_uid}
    assert index.delivered("1.2", "OTHER") == frozenset()


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    index = Index(file)
    add(index, a_row(1))
    OrderBook(index).put([ORDER], OrderMessageRow("MSH|"), ordered())
    index.add_delivery(a_row(1).sop_instance_uid, "REMOTE", "0000", forwarded(a_row(1)))
    before = (index.events(), index.studies(), index.orders(), index.instances("1.2"))
    index.close()
    again = Index(file)
    assert (again.events(), again.studies(), again.orders(), again.instances("1.2")) == before
    assert again.delivered("1.2", "REMOTE") == {a_row(1).sop_instance_uid}
    add(again, a_row(2))
    assert [number for number, _ in again.events()] == [1, 2, 3, 4]
    again.close()


# --- transactions ------------------------------------------------------------------------------------


def test_a_change_that_fails_leaves_nothing_and_tells_nothing(index: Index) -> None:
    add(index, a_row(1))
    again = replace(a_row(1), file="other.dcm")
    with pytest.raises(sqlite3.IntegrityError):
        index.add_instance(again, [stored(again)], replace(STUDY, state="failed"))
    assert len(index.events()) == 1
    assert index.instance(again.sop_instance_uid) == a_row(1)
    study = index.study("1.2")
    assert study is not None
    assert study.state == "receiving"
    add(index, a_row(2))  # and the index goes on
    assert len(index.events()) == 2


def test_a_change_whose_event_cannot_be_written_leaves_nothing(index: Index) -> None:
    unwritable = replace(stored(a_row(1)), sop_class_uid=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        index.add_instance(a_row(1), [unwritable], STUDY)
    assert index.instance(a_row(1).sop_instance_uid) is None
    assert index.studies() == ()


def test_threads_do_not_get_in_each_others_way(index: Index) -> None:
    def fill(study: int) -> None:
        for number in range(50):
            add(index, a_row(number, study=f"1.{study}"))
            index.sizes(f"1.{study}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fill, range(4)))
    assert [index.sizes(f"1.{study}") for study in range(4)] == [(50, 1)] * 4
    assert [number for number, _ in index.events()] == list(range(1, 201))


# --- events ------------------------------------------------------------------------------------------


def test_events_come_in_their_order_and_by_pages(index: Index) -> None:
    add(index, *(a_row(number) for number in range(10)))
    assert [number for number, _ in index.events(3, 4)] == [4, 5, 6, 7]
    assert [record["sop_instance_uid"] for _, record in index.events(8)] == ["1.2.9.8", "1.2.9.9"]
    assert index.events(10) == ()
    assert index.events(99) == ()


def following(index: Index, after: int = 0) -> list[int]:
    async def numbers() -> list[int]:
        return [number async for number, _ in index.follow(after)]

    return asyncio.run(asyncio.wait_for(numbers(), PATIENCE))


def test_who_follows_gets_every_event_and_then_an_end(index: Index) -> None:
    add(index, *(a_row(number) for number in range(3)))
    seen = threading.Event()

    async def follow() -> list[int]:
        numbers = []
        async for number, _ in index.follow():
            numbers.append(number)
            if number == 3:
                seen.set()  # from here on it waits
        return numbers

    with ThreadPoolExecutor(1) as beside:
        following_all = beside.submit(asyncio.run, asyncio.wait_for(follow(), PATIENCE))
        assert seen.wait(PATIENCE)
        add(index, a_row(3), a_row(4))
        index.finish()
        assert following_all.result(PATIENCE) == [1, 2, 3, 4, 5]


def test_who_comes_after_the_end_still_gets_everything(index: Index) -> None:
    add(index, *(a_row(number) for number in range(1500)))  # more than one page
    index.finish()
    assert following(index) == list(range(1, 1501))
    assert following(index, 1498) == [1499, 1500]
    assert following(index, 1500) == []


def test_many_follow_at_once(index: Index) -> None:
    async def all_of_them() -> list[list[int]]:
        async def numbers() -> list[int]:
            return [number async for number, _ in index.follow()]

        waiting = [asyncio.create_task(numbers()) for _ in range(100)]
        await asyncio.to_thread(add, index, a_row(1))
        await asyncio.to_thread(index.finish)
        return await asyncio.gather(*waiting)

    assert asyncio.run(asyncio.wait_for(all_of_them(), PATIENCE)) == [[1]] * 100


def test_who_stops_following_is_forgotten(index: Index) -> None:
    add(index, a_row(1))

    async def first() -> int:
        following = index.follow()
        number, _ = await anext(following)
        await following.aclose()  # type: ignore[attr-defined]
        return number

    assert asyncio.run(first()) == 1
    add(index, a_row(2))  # would fail on the loop that has ended
    assert len(index.events()) == 2


# --- opening -----------------------------------------------------------------------------------------


def test_a_reader_sees_what_the_gateway_writes(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    index = Index(file)
    reader = Index(file, read_only=True)
    add(index, a_row(1))
    assert reader.sizes("1.2") == (1, 1)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        add(reader, a_row(2))
    assert index.sizes("1.2") == (1, 1)
    reader.close()
    index.close()


def test_a_reader_after_the_gateway_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    index = Index(file)
    add(index, a_row(1))
    index.close()
    reader = Index(file, read_only=True)
    assert reader.instances("1.2") == (a_row(1),)
    reader.close()


def test_a_reader_makes_no_index(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be used"):
        Index(tmp_path / "index.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StartError, match="written by another version") as refused:
        Index(file)
    assert "empty data folder" in refused.value.hint


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, read_only: bool) -> None:
    file = tmp_path / "index.sqlite"
    file.write_bytes(b"this is no database, " * 100)
    with pytest.raises(StartError, match="cannot be used"):
        Index(file, read_only=read_only)


def test_a_folder_name_may_hold_anything(tmp_path: Path) -> None:
    folder = tmp_path / "data ?mode=ro#1 %41 陳"
    folder.mkdir()
    index = Index(folder / "index.sqlite")
    add(index, a_row(1))
    index.close()
    assert (folder / "index.sqlite").exists()
