"""The gateway as SCP of storage commitment, over sockets: what it answers, decides, secures and reports."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.actors.commitment import Reports
from simulator.errors import PeerError
from simulator.events import CommitmentReported, Event
from simulator.gateway import commitment as commitments
from simulator.gateway import reporting
from simulator.gateway.store import Store
from simulator.rules.sop_classes import by_name
from simulator.site import Site
from simulator.wire import certificates, commitment
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Association, Context, Response
from simulator.wire.commitment import PUSH_MODEL, TRANSFER_SYNTAXES, Notice, Reference, Report, Request
from simulator.wire.dialogue import Dialogue
from simulator.wire.tls import acceptor_context
from tests.gateway.made import Running, a_site, events, outgoing, running, states
from tests.synthesis.made import CT, EXPLICIT, a_study
from tests.wire.sockets import HOST, PATIENCE, closed_port

MR = by_name("MR Image")
STUDY = a_study(instances=3)
UID = STUDY.study_instance_uid
REFERENCES = tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in STUDY.instances)
REQUEST = Request("1.2.3", REFERENCES)
STORED = Response(0x0000)


class Requester:
    """A modality with an ear on the association and one for new ones."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Report]] = []
        self.answer = Response(0x0000)
        self._grown = threading.Condition()

    def take(self, via: str) -> Callable[[Notice], Response]:
        def taken(notice: Notice) -> Response:
            assert notice.report is not None
            with self._grown:
                self.told.append((via, notice.report))
                self._grown.notify_all()
            return self.answer

        return taken

    def await_reports(self, number: int = 1) -> list[tuple[str, Report]]:
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.told) >= number, PATIENCE), self.told
            return self.told

    @contextmanager
    def asking(self, gateway: Running, *more: Context) -> Iterator[Association]:
        with Association.request(
            "CT1",
            gateway.address,
            [Context(PUSH_MODEL, TRANSFER_SYNTAXES), *more],
            attend=lambda library: Dialogue(library, on_report=self.take("same")),
        ) as association:
            yield association

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        acceptor = Acceptor("CT1", HOST, port, [], lambda _: Response(0xA700), on_report=self.take("new"))
        try:
            yield acceptor.start()
        finally:
            acceptor.stop()


def reached_at(port: int, **changes: Any) -> Site:
    """Return a site that knows the requester's address, and tries again soon."""
    callers = [{"ae_title": "CT1", "host": HOST, "port": port}, {"ae_title": "MODALITY"}, {"ae_title": "CT01"}]
    return a_site(**{"callers": callers, "commitment": {"retry_after": 0.05}, **changes})


def ask_and_release(gateway: Running, requester: Requester, request: Request = REQUEST) -> None:
    with requester.asking(gateway) as association:
        assert commitment.ask(association, request) == STORED


def failures(report: Report) -> dict[str, str]:
    return {each.reference.sop_instance_uid: each.reason_text for each in report.failed}


# --- the way back ------------------------------------------------------------------------------------


def test_the_report_comes_on_the_association_of_the_request_while_that_stands(tmp_path: Path) -> None:
    requester = Requester()
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        with requester.asking(gateway) as association:
            assert commitment.ask(association, REQUEST) == STORED
            assert requester.await_reports() == [("same", Report("1.2.3", REFERENCES, ()))]
        delivered = gateway.await_event("CommitmentDelivered", transaction_uid="1.2.3")
    assert (delivered["via"], delivered["calling_ae_title"]) == ("same", "CT1")
    assert len(requester.told) == 1


def test_the_report_comes_on_a_new_association_after_a_release(tmp_path: Path) -> None:
    requester = Requester()
    with requester.listening() as port, running(tmp_path, reached_at(port)) as gateway:
        gateway.store(*STUDY.instances)
        ask_and_release(gateway, requester)
        assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]
        assert gateway.await_event("CommitmentDelivered")["via"] == "new"


@pytest.mark.parametrize("answer", [Response(0x0110), Response(0x0211, "not here")])
def test_a_report_that_is_refused_on_the_association_goes_on_a_new_one(tmp_path: Path, answer: Response) -> None:
    refusing, taking = Requester(), Requester()
    refusing.answer = answer
    with taking.listening() as port, running(tmp_path, reached_at(port)) as gateway:
        gateway.store(*STUDY.instances)
        with refusing.asking(gateway) as association:
            commitment.ask(association, REQUEST)
            assert [via for via, _ in taking.await_reports()] == ["new"]
    assert len(refusing.told) == 1


def test_a_report_is_tried_again_until_the_requester_listens(tmp_path: Path) -> None:
    requester = Requester()
    with closed_port() as port:
        site = reached_at(port)
    with running(tmp_path, site) as gateway:
        gateway.store(*STUDY.instances)
        ask_and_release(gateway, requester)
        gateway.await_event("CommitmentUndelivered", attempt=2, abandoned=False)
        with requester.listening(port):
            requester.await_reports()
            gateway.await_event("CommitmentDelivered", via="new")


def test_a_report_is_abandoned_after_the_sites_attempts_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    requester = Requester()
    with closed_port() as port:
        site = reached_at(port, commitment={"attempts": 2, "retry_after": 0.01})
    with running(tmp_path, site) as gateway:
        gateway.store(*STUDY.instances)
        ask_and_release(gateway, requester)
        last = gateway.await_event("CommitmentUndelivered", abandoned=True)
    assert last["attempt"] == 2
    assert f"nothing listens on {HOST}:{port}" in last["problem"]
    assert "is abandoned after 2 attempts" in caplog.text
    with requester.listening(port), running(tmp_path, site) as again:
        again.store(*a_study(seed="other").instances)
        assert len(events(again.index, "CommitmentUndelivered")) == 2
    assert requester.told == []


def test_without_an_address_the_event_says_what_to_configure_and_a_restart_with_one_reports(tmp_path: Path) -> None:
    requester = Requester()
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        ask_and_release(gateway, requester)
        missed = gateway.await_event("CommitmentUndelivered")
        assert "give CT1 a host and a port under 'callers'" in missed["problem"]
    with requester.listening() as port, running(tmp_path, reached_at(port)):
        assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]


def test_a_requester_that_does_not_accept_the_scp_role_gets_no_report(tmp_path: Path) -> None:
    requester = Requester()
    # An acceptor that is SCP alone, as many a PACS is, takes the context and refuses the role.
    deaf = Acceptor("CT1", HOST, 0, [Context(PUSH_MODEL, TRANSFER_SYNTAXES)], lambda _: Response(0xA700))
    try:
        with running(tmp_path, reached_at(deaf.start())) as gateway:
            gateway.store(*STUDY.instances)
            ask_and_release(gateway, requester)
            assert "SCP role" in gateway.await_event("CommitmentUndelivered")["problem"]
    finally:
        deaf.stop()


def test_the_report_goes_over_tls_where_the_requester_listens_so(tmp_path: Path) -> None:
    requester = Requester()
    files = tmp_path / "certificates"
    certificates.make(files)
    secured = certificates.credentials(files, "modality", "ca")
    assert secured is not None
    listener = Acceptor(
        "CT1",
        HOST,
        0,
        [],
        lambda _: Response(0xA700),
        on_report=requester.take("new"),
        tls=acceptor_context(secured, require_certificate=True),
    )
    own = {
        name: str(files / file)
        for name, file in (("certificate", "gateway.pem"), ("key", "gateway.key"), ("ca", "ca.pem"))
    }
    caller = {"ae_title": "CT1", "host": HOST, "port": listener.start(), "tls": True}
    callers = [caller, {"ae_title": "MODALITY"}, {"ae_title": "CT01"}]
    try:
        with running(tmp_path / "data", a_site(gateway={"tls": {"port": 0, **own}}, callers=callers)) as gateway:
            gateway.store(*STUDY.instances)
            ask_and_release(gateway, requester)
            assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]
    finally:
        listener.stop()


def test_one_requester_that_hangs_does_not_hold_up_another(tmp_path: Path) -> None:
    hung = threading.Event()
    first, second = Requester(), Requester()

    def hang(_: Notice) -> Response:
        hung.wait(PATIENCE)
        return STORED

    slow = Acceptor("CT2", HOST, 0, [], lambda _: Response(0xA700), on_report=hang)
    try:
        with second.listening() as port:
            callers = [
                {"ae_title": "CT1", "host": HOST, "port": port},
                {"ae_title": "CT2", "host": HOST, "port": slow.start()},
                {"ae_title": "MODALITY"},
                {"ae_title": "CT01"},
            ]
            with running(tmp_path, a_site(callers=callers)) as gateway:
                gateway.store(*STUDY.instances)
                with Association.request(
                    "CT2", gateway.address, [Context(PUSH_MODEL, TRANSFER_SYNTAXES)]
                ) as association:
                    commitment.ask(association, Request("1.2.2", REFERENCES))
                ask_and_release(gateway, first)
                second.await_reports()
                hung.set()
    finally:
        slow.stop()


def test_a_stop_waits_for_no_requester_that_hangs_and_tells_it_after_the_next_start(tmp_path: Path) -> None:
    asked, let_go, over = threading.Event(), threading.Event(), threading.Event()

    def hang(_: Notice) -> Response:
        asked.set()
        let_go.wait(PATIENCE)
        over.set()
        return STORED

    slow = Acceptor("CT1", HOST, 0, [], lambda _: Response(0xA700), on_report=hang)
    requester = Requester()
    try:
        with running(tmp_path, reached_at(slow.start())) as gateway:
            gateway.store(*STUDY.instances)
            ask_and_release(gateway, requester)
            assert asked.wait(PATIENCE)
        assert not over.is_set()
    finally:
        let_go.set()
        slow.stop()
    with requester.listening() as port, running(tmp_path, reached_at(port)):
        assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]


# --- a peer that goes on -----------------------------------------------------------------------------


def test_a_peer_that_stores_on_gets_every_answer_and_the_report(tmp_path: Path) -> None:
    """The trap: a report amid C-STORE. Each response must still belong to its request."""
    requester, study = Requester(), a_study(instances=60, seed="goes on")
    with requester.listening() as port, running(tmp_path, reached_at(port)) as gateway:
        gateway.store(*STUDY.instances)
        with requester.asking(gateway, Context(CT.uid, (EXPLICIT,))) as association:
            for number, instance in enumerate(study.instances):
                if number % 10 == 0:
                    assert commitment.ask(association, Request(f"1.2.{number + 1}", REFERENCES)) == STORED
                assert association.store(outgoing(instance)) == STORED
            told = requester.await_reports(6)
    assert sorted(report.transaction_uid for _, report in told) == sorted(f"1.2.{n}" for n in range(1, 60, 10))
    assert {report.committed for _, report in told} == {REFERENCES}


def test_a_peer_that_stores_on_and_has_no_address_gets_the_report_when_it_is_quiet(tmp_path: Path) -> None:
    requester, study = Requester(), a_study(instances=20, seed="goes on")
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        with requester.asking(gateway, Context(CT.uid, (EXPLICIT,))) as association:
            assert commitment.ask(association, REQUEST) == STORED
            assert [association.store(outgoing(each)) for each in study.instances] == [STORED] * 20
            assert [via for via, _ in requester.await_reports()] == ["same"]


def test_several_requests_on_one_association_are_all_reported(tmp_path: Path) -> None:
    requester = Requester()
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        with requester.asking(gateway) as association:
            for number in range(1, 6):
                assert commitment.ask(association, Request(f"1.2.{number}", REFERENCES[:1])) == STORED
            told = requester.await_reports(5)
    assert sorted(report.transaction_uid for _, report in told) == [f"1.2.{number}" for number in range(1, 6)]


# --- what is committed -------------------------------------------------------------------------------


def asked(gateway: Running, *references: Reference, transaction_uid: str = "1.2.3") -> Report:
    """Ask over an association that stands, and return the report."""
    requester = Requester()
    with requester.asking(gateway) as association:
        assert commitment.ask(association, Request(transaction_uid, references)) == STORED
        return requester.await_reports()[0][1]


def test_every_instance_stands_in_one_sequence_with_its_reason(tmp_path: Path) -> None:
    first, second, third = REFERENCES
    missing = Reference(CT.uid, "1.2.3.4")
    another = replace(second, sop_class_uid=MR.uid)
    foreign = Reference("1.2.840.10008.5.1.4.1.1.104.1", "1.2.3.5")
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        report = asked(gateway, missing, first, another, foreign, third, first)
    assert report.committed == (first, third)
    assert failures(report) == {"1.2.3.4": "0112", second.sop_instance_uid: "0119", "1.2.3.5": "0122"}
    assert report.event_type == 2


def test_an_instance_that_is_named_under_two_classes_stands_in_one_sequence(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        report = asked(gateway, REFERENCES[0], replace(REFERENCES[0], sop_class_uid=MR.uid))
    assert [each.sop_instance_uid for each in report.committed] + list(failures(report)) == [UIDS[0]]


UIDS = [instance.sop_instance_uid for instance in STUDY.instances]


def held_file(folder: Path, gateway: Running, uid: str) -> Path:
    row = gateway.index.instance(uid)
    assert row is not None
    return folder / "instances" / row.file


@pytest.mark.parametrize("harm", ["altered", "truncated", "emptied", "removed", "replaced"])
def test_a_file_that_is_not_what_came_is_not_committed(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        file = held_file(tmp_path, gateway, UIDS[1])
        content = bytearray(file.read_bytes())
        if harm == "removed":
            file.unlink()
        elif harm == "replaced":
            file.write_bytes(held_file(tmp_path, gateway, UIDS[0]).read_bytes())
        else:
            content[-1] ^= 1
            file.write_bytes({"altered": bytes(content), "truncated": bytes(content[:-2]), "emptied": b""}[harm])
        report = asked(gateway, *REFERENCES)
    assert failures(report) == {UIDS[1]: "0110"}
    assert report.committed == (REFERENCES[0], REFERENCES[2])
    assert f"{UIDS[1]} is not committed" in caplog.text


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "0213"), (errno.EDQUOT, "0213"), (errno.EMFILE, "0213"), (errno.EIO, "0110")]
)
@pytest.mark.parametrize("place", ["make_durable", "sync_folders"])
def test_what_cannot_be_made_durable_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str, place: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        monkeypatch.setattr(Store, place, failing)
        report = asked(gateway, *REFERENCES)
    assert failures(report) == dict.fromkeys(UIDS, reason)
    assert report.committed == ()


def test_files_folders_and_index_are_synced_before_a_success_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        files = [held_file(tmp_path, gateway, uid) for uid in UIDS]
        assert synced == []
        monkeypatch.setattr(os, "fsync", noting)
        statements: list[str] = []
        gateway.index._db.set_trace_callback(statements.append)
        asked(gateway, *REFERENCES)
        gateway.index._db.set_trace_callback(None)
    for path in (*files, files[0].parent, tmp_path / "instances", tmp_path):
        assert str(path) in synced
    decided = next(number for number, text in enumerate(statements) if "SET state = 'decided'" in text)
    full = max(n for n, text in enumerate(statements[:decided]) if "PRAGMA synchronous" in text)
    assert statements[full].endswith("FULL")
    assert "COMMIT" in statements[decided : decided + 4]


def test_a_repeated_transaction_uid_fails_every_instance_with_0131_and_the_first_stands(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.store(*STUDY.instances)
        assert asked(gateway, *REFERENCES).event_type == 1
        again = asked(gateway, *REFERENCES)
        assert failures(again) == dict.fromkeys(UIDS, "0131")
        assert asked(gateway, *REFERENCES, transaction_uid="1.2.4").event_type == 1
    with running(tmp_path) as restarted:
        assert failures(asked(restarted, *REFERENCES)) == dict.fromkeys(UIDS, "0131")


def test_a_thousand_and_one_instances_are_committed_in_one_report(tmp_path: Path) -> None:
    study = a_study(instances=1001)
    references = tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in study.instances)
    with running(tmp_path, a_site(image_limit={"limit": 2000})) as gateway:
        gateway.store(*study.instances)
        started = time.monotonic()
        report = asked(gateway, *references)
        print(f"1001 instances committed in {time.monotonic() - started:.2f} s")  # noqa: T201 - a figure to read
    assert report.committed == references


# --- N-ACTION ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status", "comment"),
    [
        (Request("", REFERENCES), 0x0115, "Transaction UID (0008,1195) is missing"),
        (Request("not-a-uid", REFERENCES), 0x0115, "Transaction UID (0008,1195) is not a UID"),
        (Request("1." + "2" * 63, REFERENCES), 0x0115, "Transaction UID (0008,1195) is not a UID"),
        (Request("1.2.3", ()), 0x0115, "Referenced SOP Sequence (0008,1199) has no item"),
        (Request("1.2.3", (Reference(CT.uid, ""),)), 0x0115, "item 1 of (0008,1199) names no instance by UIDs"),
        (
            Request("1.2.3", (REFERENCES[0], Reference("", "1.2"))),
            0x0115,
            "item 2 of (0008,1199) names no instance by UIDs",
        ),
    ],
)
def test_a_request_that_names_nothing_is_refused(tmp_path: Path, request_: Request, status: int, comment: str) -> None:
    requester = Requester()
    with running(tmp_path) as gateway, requester.asking(gateway) as association:
        assert commitment.ask(association, request_) == Response(status, comment)
        told = gateway.await_event("CommitmentReceived")
        assert (told["status"], told["error_comment"]) == (f"{status:04X}", comment)
        assert gateway.gateway.commitments._transactions.under_way() == ()
        # The association goes on, and so does the gateway.
        assert commitment.ask(association, REQUEST) == STORED
        assert requester.await_reports()[0][1].transaction_uid == "1.2.3"


def test_another_action_and_another_instance_are_refused(tmp_path: Path) -> None:
    requester = Requester()
    with running(tmp_path) as gateway, requester.asking(gateway) as association:
        assert commitment.ask(association, REQUEST, action_type=2).status == 0x0123
        assert commitment.ask(association, REQUEST, sop_instance_uid="1.2.3").status == 0x0112


def test_an_index_that_does_not_take_the_request_is_a_processing_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requester = Requester()

    def locked(*_: object) -> int:
        raise sqlite3.OperationalError("database is locked")

    with running(tmp_path) as gateway, requester.asking(gateway) as association:
        monkeypatch.setattr(gateway.gateway.commitments._transactions, "add", locked)
        assert commitment.ask(association, REQUEST) == Response(0x0110, "cannot be written down: database is locked")
        monkeypatch.undo()
        assert commitment.ask(association, REQUEST) == STORED


def test_an_index_that_fails_for_a_moment_delays_the_report_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requester = Requester()
    failed: list[str] = []

    def once(name: str) -> None:
        transactions = gateway.gateway.commitments._transactions
        true = getattr(transactions, name)

        def locked(*arguments: object) -> object:
            if name not in failed:
                failed.append(name)
                raise sqlite3.OperationalError("database is locked")
            return true(*arguments)

        monkeypatch.setattr(transactions, name, locked)

    with running(tmp_path) as gateway:
        monkeypatch.setattr(commitments, "PAUSE_AFTER_A_FAULT", 0.01)
        monkeypatch.setattr(reporting, "PAUSE_AFTER_A_FAULT", 0.01)
        gateway.store(*STUDY.instances)
        once("decide")
        once("end")
        with requester.asking(gateway) as association:
            assert commitment.ask(association, REQUEST) == STORED
            gateway.await_event("CommitmentDelivered")
    assert failed == ["decide", "end"]
    assert caplog.text.count("the index cannot be used: database is locked") == 2


# --- the study ---------------------------------------------------------------------------------------


def test_a_request_for_the_whole_study_closes_it(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"quiet_period": 600})) as gateway:
        gateway.store(*STUDY.instances)
        asked(gateway, *REFERENCES)
        gateway.await_state(STUDY, "unmatched")


@pytest.mark.parametrize(
    "references", [REFERENCES[:2], (*REFERENCES, Reference(CT.uid, "1.2.3.4"))], ids=["a part", "more than is held"]
)
def test_a_request_for_a_part_or_for_more_than_is_held_closes_no_study(
    tmp_path: Path, references: tuple[Reference, ...]
) -> None:
    with running(tmp_path, a_site(gateway={"quiet_period": 600})) as gateway:
        gateway.store(*STUDY.instances)
        asked(gateway, *references)
        other = a_study(seed="other")
        gateway.store(*other.instances)
        whole = tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in other.instances)
        asked(gateway, *whole, transaction_uid="1.2.4")
        gateway.await_state(other, "unmatched")  # the queue was looked at after that request
        assert states(gateway.index, UID) == ["receiving"]


# --- restart -----------------------------------------------------------------------------------------


def test_a_request_that_was_answered_and_not_decided_is_decided_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requester = Requester()
    with requester.listening() as port:
        with running(tmp_path, reached_at(port)) as gateway:
            gateway.store(*STUDY.instances)
            monkeypatch.setattr(gateway.gateway.commitments._requests, "hasten", lambda _: None)
            ask_and_release(gateway, requester)
        assert requester.told == []
        with running(tmp_path, reached_at(port)) as again:
            assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]
            again.await_event("CommitmentDelivered")
        with running(tmp_path, reached_at(port)) as third:
            assert third.gateway.commitments._transactions.under_way() == ()
    assert len(requester.told) == 1


def test_what_was_decided_is_reported_as_it_was_decided(tmp_path: Path) -> None:
    requester = Requester()
    with closed_port() as port:
        site = reached_at(port)
    with running(tmp_path, site) as gateway:
        gateway.store(*STUDY.instances)
        ask_and_release(gateway, requester)
        gateway.await_event("CommitmentUndelivered")
    with requester.listening(port), running(tmp_path, site):
        assert requester.await_reports() == [("new", Report("1.2.3", REFERENCES, ()))]


# --- the modality's ears -----------------------------------------------------------------------------


def test_the_modalitys_ears_tell_of_every_report(tmp_path: Path) -> None:
    seen: list[Event] = []
    reports = Reports("CT1", HOST, seen.append)
    try:
        reports.listen()
        reports.listen()
        with running(tmp_path, reached_at(reports.port)) as gateway:
            gateway.store(*STUDY.instances)
            ask_and_release(gateway, Requester(), Request("1.2.3", (*REFERENCES, Reference(CT.uid, "1.2.3.4"))))
            assert reports.wait("1.2.3", 0, lambda: True, PATIENCE)
    finally:
        reports.stop()
    (report,) = seen
    assert isinstance(report, CommitmentReported)
    assert (report.event_type, report.via, report.status) == (2, "new", "0000")
    assert report.committed == tuple(UIDS)
    assert (report.failed, report.reasons) == (("1.2.3.4",), ("0112",))


def test_nothing_listens_before_the_modality_does(tmp_path: Path) -> None:
    reports = Reports("CT1", HOST, lambda _: None)
    try:
        with pytest.raises(PeerError, match="nothing listens"):
            commitment.report_association("GW", _address(reports.port))
        reports.listen()
        commitment.report_association("GW", _address(reports.port)).release()
    finally:
        reports.stop()


def _address(port: int) -> Address:
    return Address("CT1", HOST, port)
