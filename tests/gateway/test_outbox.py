"""The queue of each destination, and the threads that work through them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.actors.raw_peer import RawPeer
from simulator.events import StudyChanged
from simulator.gateway.forward_queue import Dispatch, ForwardQueue, Selection
from simulator.gateway.index import Index
from simulator.gateway.outbox import Outbox
from simulator.gateway.rows import StudyRow
from simulator.gateway.store import Store
from simulator.rules.sop_classes import by_name
from simulator.wire.association import Response
from simulator.wire.pdu_script import script
from tests.gateway.made import a_site, events, opened, remote, to
from tests.gateway.test_forwarding import keep
from tests.synthesis.made import a_study
from tests.wire.sockets import PATIENCE, closed_port

STUDY = a_study(instances=4)
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]
WHOLE = Selection(UID)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Store, Index]]:
    with opened(tmp_path) as (store, index):
        keep(STUDY, store, index)
        yield store, index


class Sending:
    """An outbox at work, and how often it told that something was sent or failed."""

    def __init__(
        self, parts: tuple[Store, Index], *destinations: dict[str, Any], gateway: Any = None, **forwarding: Any
    ) -> None:
        store, self.index = parts
        self.told = threading.Semaphore(0)
        there = {"destinations": list(destinations), "retry_after": 0, **forwarding}
        site = a_site(forwarding=there, gateway=gateway or {})
        self.outbox = Outbox(site, self.index, store, lambda _: self.told.release())
        self.queue = self.outbox.queue

    def whole(self, destination: str = "REMOTE", study: str = UID) -> None:
        self.outbox.forward(Selection(study), destination, self.index.instances(study))

    def await_ends(self, number: int = 1) -> None:
        for _ in range(number):
            assert self.told.acquire(timeout=PATIENCE)

    def states(self) -> list[tuple[str, str, int, str]]:
        return [(each.destination, each.state, each.attempts, each.problem) for each in self.queue.of_study(UID)]


@contextmanager
def sending(parts: tuple[Store, Index], *destinations: dict[str, Any], **forwarding: Any) -> Iterator[Sending]:
    at_work = Sending(parts, *destinations, **forwarding)
    at_work.outbox.recover()
    at_work.outbox.start()
    try:
        yield at_work
    finally:
        at_work.outbox.stop()


def test_a_study_goes_to_every_destination(parts: tuple[Store, Index]) -> None:
    with remote() as (one, first), remote(ae_title="OTHER") as (two, second):  # noqa: SIM117
        with sending(parts, to(first), to(second, "OTHER")) as at_work:
            at_work.outbox.forward_matched(UID)
            at_work.await_ends(2)
            assert sorted(at_work.states()) == [("OTHER", "done", 1, ""), ("REMOTE", "done", 1, "")]
            assert at_work.queue.outcome(UID) == "forwarded"
    assert one.uids() == two.uids() == UIDS


def test_a_rule_takes_some_classes_or_nothing(parts: tuple[Store, Index]) -> None:
    store, index = parts
    film = a_study("film", by_name("Computed Radiography Image"))
    keep(film, store, index)
    with remote() as (taking, port):
        there = [to(port) | {"sop_classes": ["CT Image"]}, to(port, "BYHAND") | {"forward": "by-hand"}]
        with sending(parts, *there) as at_work:
            at_work.outbox.forward_matched(film.study_instance_uid)
            at_work.outbox.forward_matched(UID)
            at_work.await_ends()
            assert at_work.queue.outcome(film.study_instance_uid) is None
            assert [each.destination for each in at_work.queue.of_study(UID)] == ["REMOTE"]
    assert taking.uids() == UIDS


def test_only_what_is_missing_is_sent_again(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port), sending(parts, to(port), attempts=2) as at_work:
        seen: list[str] = []

        def refuse_the_third_once(request: Any) -> None:
            taking.answers = {UIDS[2]: Response(0xA700)} if UIDS[2] not in seen else {}
            seen.append(request.sop_instance_uid)

        taking.on_store = refuse_the_third_once
        at_work.whole()
        at_work.await_ends(2)
        assert at_work.states() == [("REMOTE", "done", 2, "")]
    assert seen == [*UIDS, UIDS[2]]
    told = [(e["state"], e["attempts"], e["missing"]) for e in events(parts[1], "DispatchChanged")]
    assert told == [("waiting", 0, 4), ("waiting", 1, 1), ("done", 2, 0)]


def test_it_is_tried_as_often_as_the_site_says_and_then_failed(parts: tuple[Store, Index]) -> None:
    calls: list[str] = []
    with remote() as (taking, port), sending(parts, to(port), attempts=3) as at_work:
        taking.answers = dict.fromkeys(UIDS, Response(0xA700))
        taking.on_store = lambda request: calls.append(request.sop_instance_uid)
        at_work.whole()
        at_work.await_ends(3)
        [(_, state, attempts, problem)] = at_work.states()
        assert (state, attempts) == ("failed", 3)
        assert problem == f"4 of 4 instances were not stored; the first: {UIDS[0]}: answered A700 (out of resources)"
        assert at_work.queue.outcome(UID) == "failed"
        taking.answers = {}
        at_work.whole()  # somebody tries again
        at_work.await_ends()
        assert at_work.states() == [("REMOTE", "done", 1, "")]
    assert calls == UIDS * 4


def test_the_waits_double_up_to_a_ceiling(parts: tuple[Store, Index]) -> None:
    with closed_port() as down, sending(parts, to(down), attempts=5, retry_after=0.1, retry_at_most=0.2) as at_work:
        started = time.time()
        at_work.whole()
        at_work.await_ends(5)
        assert 0.1 + 0.2 * 3 <= time.time() - started < PATIENCE


def test_one_destination_that_hangs_holds_up_no_other(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    with remote() as (slow, first), remote(ae_title="OTHER") as (taking, second):  # noqa: SIM117
        with sending(parts, to(first), to(second, "OTHER")) as at_work:
            slow.on_store = hang
            at_work.outbox.forward_matched(UID)
            assert begun.wait(PATIENCE)
            at_work.await_ends()
            assert taking.uids() == UIDS
            assert slow.uids() == []
            go_on.set()
            at_work.await_ends()
    assert slow.uids() == UIDS


@pytest.mark.parametrize(
    "steps",
    [
        [{"send": {"hex": "02 00 0000 00b4 0001"}}],
        [{"send": {"hex": "02 00 7fff ffff 0001"}}],
        [{"send": {"pdu": "A-ASSOCIATE-AC"}}, {"recv": "C-STORE-RQ"}, {"send": {"hex": "04 00 0000 0064 0000 0060"}}],
        [{"send": {"pdu": "A-ASSOCIATE-AC"}}, {"recv": "C-STORE-RQ"}, {"send": {"hex": "04 00 7fff ffff 0000"}}],
    ],
    ids=["half an acceptance", "a long acceptance", "half a response", "a long response"],
)
def test_a_pdu_that_is_never_whole_holds_up_a_destination_no_longer_than_its_time_out(
    parts: tuple[Store, Index], steps: list[dict[str, Any]]
) -> None:
    """The destination leaves the connection open, and says no more."""
    store, index = parts
    other = a_study("another", instances=1)
    keep(other, store, index)
    whole = [{"recv": "A-ASSOCIATE-RQ"}, *steps, {"await_end": "any", "within": PATIENCE}]
    stuck = RawPeer(script(whole), lambda _: None)
    port = stuck.listen(connections=2)
    try:
        limits = {"acse": 30, "dimse": 30, "pdu": 0.3}
        with sending(parts, to(port), gateway={"time_outs": limits}, attempts=1) as at_work:
            at_work.whole()
            at_work.whole(study=other.study_instance_uid)
            at_work.await_ends(2)  # the next one had its turn
            assert [state for _, state, _, _ in at_work.states()] == ["failed"]
        assert stuck.join(PATIENCE)
    finally:
        stuck.stop()


def test_one_study_that_fails_holds_up_no_other(parts: tuple[Store, Index]) -> None:
    store, index = parts
    other = a_study("other")
    keep(other, store, index)
    with remote() as (taking, port), sending(parts, to(port), retry_after=3600, retry_at_most=3600) as at_work:
        taking.answers = {UIDS[0]: Response(0xA700)}
        at_work.whole()
        at_work.whole(study=other.study_instance_uid)
        at_work.await_ends(2)
        assert taking.uids() == [*UIDS[1:], other.instances[0].sop_instance_uid]


def test_a_study_that_is_being_decided_is_not_sent(parts: tuple[Store, Index]) -> None:
    store, index = parts
    other = a_study("other")
    keep(other, store, index)
    with remote() as (taking, port), sending(parts, to(port)) as at_work:
        index.change_study(StudyRow(UID, "", "receiving"), _event())
        at_work.whole()
        at_work.whole(study=other.study_instance_uid)
        at_work.await_ends()
        assert taking.uids() == [other.instances[0].sop_instance_uid]
        index.change_study(StudyRow(UID, "", "matched"), _event())
        at_work.outbox.look()
        at_work.await_ends()
        assert taking.uids()[1:] == UIDS


def test_what_is_withdrawn_is_not_sent(parts: tuple[Store, Index]) -> None:
    with closed_port() as down, sending(parts, to(down), retry_after=3600, retry_at_most=3600) as at_work:
        at_work.whole()
        at_work.await_ends()
        at_work.queue.withdraw(UID)
        assert at_work.states() == []
        assert at_work.queue.next("REMOTE") is None
    assert [e["state"] for e in events(parts[1], "DispatchChanged")] == ["waiting", "waiting", "withdrawn"]
    assert parts[1].rows("SELECT * FROM dispatch_instance") == []


def test_attempts_and_due_times_survive_a_restart(parts: tuple[Store, Index]) -> None:
    with closed_port() as down, sending(parts, to(down), retry_after=1000, retry_at_most=1000) as at_work:
        at_work.whole()
        at_work.await_ends()
        [before] = at_work.queue.of_study(UID)
    assert (before.state, before.attempts) == ("waiting", 1)
    assert 900 < before.due - time.time() < 1000
    assert before.problem.startswith("nothing listens on")
    later = Sending(parts, to(1), retry_at_most=1000)
    later.outbox.recover()
    assert later.queue.of_study(UID) == (before,)
    impatient = Sending(parts, to(1), retry_at_most=10)
    impatient.outbox.recover()
    assert impatient.queue.of_study(UID)[0].due <= time.time() + 10


def test_a_restart_finds_what_was_cut_off_and_does_not_count_it(parts: tuple[Store, Index]) -> None:
    queue = ForwardQueue(parts[1])
    put = queue.put(WHOLE, "REMOTE", UIDS, time.time())
    assert queue.begin(put)
    assert [(each.state, each.attempts) for each in queue.of_study(UID)] == [("sending", 1)]
    assert [cut_off.number for cut_off in queue.recover(time.time())] == [put.number]
    assert [(each.state, each.attempts) for each in queue.of_study(UID)] == [("waiting", 0)]
    assert queue.recover(time.time()) == ()


def test_a_stop_gives_up_what_is_under_way_and_does_not_count_it(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    with remote() as (taking, port):
        at_work = Sending(parts, to(port))
        at_work.outbox.start()
        taking.on_store = wait
        at_work.whole()
        assert begun.wait(PATIENCE)
        stopping = threading.Thread(target=at_work.outbox.stop)
        stopping.start()
        go_on.set()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
        assert at_work.states() == [("REMOTE", "waiting", 0, "")]
        missing = at_work.queue.missing(at_work.queue.of_study(UID)[0])
        assert len(missing) + len(taking.uids()) == 4
        taking.on_store = bool
        with sending(parts, to(port)) as again:
            again.await_ends()
    assert taking.uids() == UIDS


def test_what_is_put_anew_while_it_is_sent_is_not_overwritten(parts: tuple[Store, Index]) -> None:
    queue = ForwardQueue(parts[1])
    put = queue.put(WHOLE, "REMOTE", UIDS[:2], time.time())
    assert queue.begin(put)
    again = queue.put(WHOLE, "REMOTE", UIDS, time.time())
    queue.end(put, "failed", time.time(), "too late")
    assert [(each.number, each.state) for each in queue.of_study(UID)] == [(again.number, "waiting")]
    assert not queue.begin(put)
    assert queue.instances(again) == 4
    assert queue.instances(put) == 0


def test_series_and_instances_leave_the_state_of_the_study_alone(parts: tuple[Store, Index]) -> None:
    queue = ForwardQueue(parts[1])
    series = STUDY.instances[0].series_instance_uid
    queue.put(Selection(UID, series), "REMOTE", UIDS, time.time())
    queue.put(Selection(UID, series, UIDS[0]), "REMOTE", UIDS[:1], time.time())
    assert queue.outcome(UID) is None
    assert [each.selection.level for each in queue.of_study(UID)] == ["series", "instance"]
    queue.put(WHOLE, "OTHER", UIDS, time.time())
    assert queue.outcome(UID) == "forwarding"


def test_what_is_taken_back_while_it_is_sent_ends_with_the_instance_in_hand(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port), sending(parts, to(port)) as at_work:
        taking.on_store = lambda _: at_work.queue.withdraw(UID)
        at_work.whole()
        at_work.await_ends()
        assert at_work.states() == []
    assert taking.uids() == UIDS[:1]


def test_a_destination_that_the_profile_does_not_name_any_more_fails_what_waits_for_it(
    parts: tuple[Store, Index],
) -> None:
    ForwardQueue(parts[1]).put(WHOLE, "GONE", UIDS, time.time())
    with remote() as (_, port), sending(parts, to(port)) as at_work:
        assert at_work.states() == [("GONE", "failed", 0, "the site profile does not name this destination")]
        assert at_work.queue.outcome(UID) == "failed"


def test_a_stop_does_not_wait_for_destinations_that_hang(parts: tuple[Store, Index]) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hang(_: object) -> None:
        begun.release()
        go_on.wait(PATIENCE)

    with remote() as (one, first), remote(ae_title="OTHER") as (two, second):
        one.on_store = two.on_store = hang
        at_work = Sending(parts, to(first), to(second, "OTHER"))
        at_work.outbox.start()
        at_work.outbox.forward_matched(UID)
        assert begun.acquire(timeout=PATIENCE)
        assert begun.acquire(timeout=PATIENCE)
        started = time.monotonic()
        at_work.outbox.stop()
        assert time.monotonic() - started < 8
        go_on.set()
    assert [(state, attempts) for _, state, attempts, _ in at_work.states()] == [("waiting", 0)] * 2


def test_an_index_that_fails_for_a_while_loses_nothing(parts: tuple[Store, Index]) -> None:
    with remote() as (taking, port), sending(parts, to(port)) as at_work:
        end = at_work.queue.end
        failed = threading.Event()

        def fail_once(dispatch: Dispatch, state: str, due: float, problem: str) -> None:
            if not failed.is_set():
                failed.set()
                raise OSError("the disk is gone for a moment")
            end(dispatch, state, due, problem)

        at_work.queue.end = fail_once  # type: ignore[method-assign]
        at_work.whole()
        at_work.await_ends()
        assert failed.is_set()
        assert at_work.states() == [("REMOTE", "done", 2, "")]
    assert taking.uids() == UIDS


def _event() -> Any:
    return StudyChanged(observer="gateway", study_instance_uid=UID, accession_number="", state="receiving")
