"""The gateway as SCU of storage commitment, over sockets: what it asks, what it believes, and what it does then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.gateway import safekeeping
from simulator.site import Site
from simulator.wire import commitment
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Context, Response, StoreRequest
from simulator.wire.commitment import Action, Failure, Reference, Report, Request
from simulator.wire.dialogue import Dialogue
from tests.gateway.made import Running, a_message, a_site, events, running, states
from tests.synthesis.made import CT, EXPLICIT, a_study, an_order
from tests.wire.sockets import HOST, PATIENCE

STUDY = a_study(instances=3)
UID = STUDY.study_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]
REFERENCES = tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in STUDY.instances)
SUCCESS = Response(0x0000)


class Archive:
    """A destination: what it stored, what it was asked to hold safe, and how it reports on that."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.requests: list[Request] = []
        self.report: Callable[[Request], Report | None] = all_committed
        self.answers: list[Response] = []
        self.port = 0
        self._grown = threading.Condition()

    def take(self, request: StoreRequest) -> Response:
        self.stored.append(request.sop_instance_uid)
        return SUCCESS

    def act(self, action: Action, dialogue: Dialogue) -> Response:
        assert action.request is not None
        with self._grown:
            self.requests.append(action.request)
            self._grown.notify_all()
        report = self.report(action.request)
        if report is not None:
            threading.Thread(target=lambda: self.answers.append(dialogue.report(report, PATIENCE))).start()
        return SUCCESS

    def await_requests(self, number: int) -> list[Request]:
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.requests) >= number, PATIENCE)
            return self.requests


def all_committed(request: Request) -> Report:
    return Report(request.transaction_uid, request.references, ())


def nothing_yet(_: Request) -> None:
    return None


@contextmanager
def an_archive() -> Iterator[Archive]:
    archive = Archive()
    acceptor = Acceptor("ARCHIVE", HOST, 0, [Context(CT.uid, (EXPLICIT,))], archive.take, on_action=archive.act)
    archive.port = acceptor.start()
    try:
        yield archive
    finally:
        acceptor.stop()


def sent_to(archive: Archive, **forwarding: Any) -> Site:
    destination = {"ae_title": "ARCHIVE", "port": archive.port, "commitment": True}
    return a_site(forwarding={"destinations": [destination], "retry_after": 0.05, **forwarding})


def bring(gateway: Running, report: Report, ae_title: str = "ARCHIVE") -> Response:
    """Report on an association of the destination's own."""
    with commitment.report_association(ae_title, gateway.address) as association:
        return commitment.tell(association, report)


def deliver(gateway: Running) -> None:
    gateway.order(a_message(an_order()))
    gateway.store(*STUDY.instances)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no association for the report."""
    monkeypatch.setattr(safekeeping, "HOLD", 0.0)


def dispatch_problems(gateway: Running) -> list[str]:
    return [record["problem"] for record in events(gateway.index, "DispatchChanged")]


# --- what is asked, and what is believed -------------------------------------------------------------


def test_a_study_is_forwarded_once_the_destination_has_committed_to_it(tmp_path: Path) -> None:
    with an_archive() as archive, running(tmp_path, sent_to(archive)) as gateway:
        deliver(gateway)
        gateway.await_state(STUDY, "forwarded")
        assert gateway.gateway.outbox.safekeeping._asked(archive.requests[0].transaction_uid) is None
    (request,) = archive.requests
    assert request.references == REFERENCES
    assert archive.stored == UIDS
    assert archive.answers == [SUCCESS]


def test_before_the_report_the_study_is_being_forwarded(tmp_path: Path, impatient: None) -> None:
    with an_archive() as archive, running(tmp_path, sent_to(archive)) as gateway:
        archive.report = nothing_yet
        deliver(gateway)
        (request,) = archive.await_requests(1)
        waiting = gateway.await_event("DispatchChanged", state="waiting", missing=0)
        assert waiting["problem"] == "ARCHIVE was asked for storage commitment and has not reported yet"
        assert states(gateway.index, UID)[-1] == "forwarding"
        assert bring(gateway, all_committed(request)) == SUCCESS
        gateway.await_state(STUDY, "forwarded")
        done = gateway.await_event("DispatchChanged", state="done")
        assert (done["attempts"], done["problem"]) == (1, "")
    assert len(archive.requests) == 1


def test_a_report_after_a_restart_ends_the_waiting(tmp_path: Path, impatient: None) -> None:
    with an_archive() as archive:
        archive.report = nothing_yet
        with running(tmp_path, sent_to(archive)) as gateway:
            deliver(gateway)
            (request,) = archive.await_requests(1)
            gateway.await_event("DispatchChanged", state="waiting", missing=0)
        with running(tmp_path, sent_to(archive)) as again:
            assert bring(again, all_committed(request)) == SUCCESS
            again.await_state(STUDY, "forwarded")
    assert archive.stored == UIDS
    assert len(archive.requests) == 1


def test_another_study_has_its_turn_while_a_report_is_waited_for(tmp_path: Path, impatient: None) -> None:
    other = a_study(seed="other")
    with an_archive() as archive, running(tmp_path, sent_to(archive)) as gateway:
        archive.report = nothing_yet
        deliver(gateway)
        gateway.await_event("DispatchChanged", state="waiting", missing=0)
        gateway.order(a_message(an_order("other")))
        gateway.store(*other.instances)
        gateway.await_event("DispatchChanged", study_instance_uid=other.study_instance_uid, state="waiting")
        archive.await_requests(2)
        assert states(gateway.index, UID)[-1] == "forwarding"


def test_what_the_destination_lacks_is_sent_again_and_nothing_else(tmp_path: Path) -> None:
    def lost_the_second(request: Request) -> Report:
        if len(archive.requests) > 1:
            return all_committed(request)
        first, second, third = request.references
        return Report(request.transaction_uid, (first, third), (Failure(second, 0x0112),))

    with an_archive() as archive, running(tmp_path, sent_to(archive)) as gateway:
        archive.report = lost_the_second
        deliver(gateway)
        gateway.await_state(STUDY, "forwarded")
        assert "ARCHIVE does not commit to 1 of 3 instances: 1 with 0112" in dispatch_problems(gateway)
    assert archive.stored == [*UIDS, UIDS[1]]
    assert [request.references for request in archive.requests] == [REFERENCES, REFERENCES[1:2]]
    assert archive.requests[0].transaction_uid != archive.requests[1].transaction_uid


@pytest.mark.parametrize("reason", [0x0110, 0x0119, 0x0122, 0x0131, 0x0213])
def test_what_is_held_and_not_committed_is_asked_for_again_and_then_failed_in_words(
    tmp_path: Path, reason: int
) -> None:
    def refuses(request: Request) -> Report:
        failed = tuple(Failure(each, reason) for each in request.references)
        return Report(request.transaction_uid, (), failed)

    with an_archive() as archive, running(tmp_path, sent_to(archive, attempts=2)) as gateway:
        archive.report = refuses
        deliver(gateway)
        gateway.await_state(STUDY, "failed")
        assert dispatch_problems(gateway)[-1] == f"ARCHIVE does not commit to 3 of 3 instances: 3 with {reason:04X}"
    assert archive.stored == UIDS
    assert len(archive.requests) == 2


@pytest.mark.parametrize("both", [True, False])
def test_an_instance_in_both_sequences_or_in_neither_is_not_committed(tmp_path: Path, both: bool) -> None:
    def dishonest(request: Request) -> Report:
        first, *rest = request.references
        if both:
            return Report(request.transaction_uid, request.references, (Failure(first, 0x0110),))
        return Report(request.transaction_uid, tuple(rest), ())

    with an_archive() as archive, running(tmp_path, sent_to(archive, attempts=1)) as gateway:
        archive.report = dishonest
        deliver(gateway)
        gateway.await_state(STUDY, "failed")
        words = "1 with 0110" if both else "1 with not a word about it"
        assert dispatch_problems(gateway)[-1].endswith(words)


def test_a_destination_that_never_reports_is_asked_as_often_as_the_site_says(tmp_path: Path, impatient: None) -> None:
    with an_archive() as archive, running(tmp_path, sent_to(archive, attempts=2, report_within=0.1)) as gateway:
        archive.report = nothing_yet
        deliver(gateway)
        gateway.await_state(STUDY, "failed")
        last = gateway.await_event("DispatchChanged", state="failed")
        assert last["attempts"] == 2
        assert "sent no storage commitment report within 0.1 s" in last["problem"]
    assert len(archive.requests) == 2


def test_a_destination_that_may_not_call_is_named(tmp_path: Path, impatient: None) -> None:
    callers = [{"ae_title": "MODALITY"}, {"ae_title": "CT01"}]
    with an_archive() as archive:
        site = sent_to(archive, attempts=1, report_within=0.1).model_dump(mode="json") | {"callers": callers}
        with running(tmp_path, Site.model_validate(site)) as gateway:
            archive.report = nothing_yet
            deliver(gateway)
            gateway.await_state(STUDY, "failed")
            assert "add ARCHIVE to 'callers' in the site profile" in dispatch_problems(gateway)[-1]


# --- what is refused ---------------------------------------------------------------------------------


def test_reports_that_nobody_asked_for_are_refused_and_change_nothing(tmp_path: Path, impatient: None) -> None:
    with an_archive() as archive, running(tmp_path, sent_to(archive)) as gateway:
        archive.report = nothing_yet
        deliver(gateway)
        (request,) = archive.await_requests(1)
        gateway.await_event("DispatchChanged", state="waiting", missing=0)
        report = all_committed(request)
        unknown = bring(gateway, Report("1.2.3", REFERENCES, ()))
        stranger = bring(gateway, report, "STRANGER")
        assert (unknown.status, stranger.status) == (0x0115, 0x0115)
        assert stranger.error_comment == "another AE was asked under this Transaction UID"
        assert states(gateway.index, UID)[-1] == "forwarding"
        assert bring(gateway, report) == SUCCESS
        gateway.await_state(STUDY, "forwarded")
        assert bring(gateway, report).status == 0x0115  # it was reported already


def test_a_report_about_instances_that_were_not_asked_for_commits_to_none_of_them(
    tmp_path: Path, impatient: None
) -> None:
    with an_archive() as archive, running(tmp_path, sent_to(archive, attempts=1)) as gateway:
        archive.report = nothing_yet
        deliver(gateway)
        (request,) = archive.await_requests(1)
        gateway.await_event("DispatchChanged", state="waiting", missing=0)
        other = Report(request.transaction_uid, (Reference(CT.uid, "1.2.3.4"),), ())
        assert bring(gateway, other) == SUCCESS
        gateway.await_state(STUDY, "failed")
        assert gateway.index.rows("SELECT count(*) FROM delivery_commitment") == [(0,)]


def test_a_destination_without_it_is_not_asked(tmp_path: Path) -> None:
    with an_archive() as archive:
        site = a_site(forwarding={"destinations": [{"ae_title": "ARCHIVE", "port": archive.port}]})
        with running(tmp_path, site) as gateway:
            deliver(gateway)
            gateway.await_state(STUDY, "forwarded")
    assert archive.requests == []


def test_the_gateway_is_scp_and_scu_on_one_port(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        told = bring(gateway, Report("1.2.3", REFERENCES, ()))
        assert told.status == 0x0115
        with commitment.report_association("ANY", gateway.address) as association:
            assert commitment.ask(association, Request("1.2.3", REFERENCES)).status == 0x0211
