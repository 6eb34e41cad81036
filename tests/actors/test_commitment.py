"""A modality that asks for storage commitment, and what it tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.events import (
    AssociationAccepted,
    AssociationFailed,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentReported,
    CommitmentRequested,
    Event,
)
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Response
from simulator.wire.commitment import Action, Failure, Reference, Report, Request
from simulator.wire.dialogue import Dialogue
from tests.wire.sockets import HOST, PATIENCE, closed_port

REFERENCES = (Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1"), Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.2"))
REQUEST = Request("1.2.9", REFERENCES)
REPORT = Report("1.2.9", REFERENCES[:1], (Failure(REFERENCES[1], 0x0112),))


class Gateway:
    """Answers requests, and reports on the same association when told to."""

    def __init__(self, report: Report | None, answer: Response) -> None:
        self.report = report
        self.answer = answer
        self.answers: list[Response] = []
        self.told = threading.Event()

    def act(self, _: Action, dialogue: Dialogue) -> Response:
        if self.report is not None:
            threading.Thread(target=self._tell, args=(dialogue, self.report)).start()
        return self.answer

    def _tell(self, dialogue: Dialogue, report: Report) -> None:
        self.answers.append(dialogue.report(report, PATIENCE))
        self.told.set()


@contextmanager
def a_gateway(report: Report | None = None, answer: Response | None = None) -> Iterator[tuple[Gateway, int]]:
    gateway = Gateway(report, answer or Response(0x0000))
    acceptor = Acceptor("GATEWAY", HOST, 0, [], lambda _: Response(0xA700), on_action=gateway.act)
    try:
        yield gateway, acceptor.start()
    finally:
        acceptor.stop()


class Asking:
    """A modality, its ears, and what it told."""

    def __init__(self, port: int) -> None:
        self.events: list[Event] = []
        self.modality = Modality("CT1", Address("GATEWAY", HOST, port), self.events.append)
        self.reports = Reports("CT1", HOST, self.events.append)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self.reports.stop()

    def kinds(self) -> list[type[Event]]:
        return [type(event) for event in self.events]


def test_it_keeps_the_association_until_the_report_came() -> None:
    with a_gateway(REPORT) as (gateway, port), Asking(port) as asking:
        assert asking.modality.commit(REQUEST, "1.2.3", asking.reports, patience=PATIENCE) is True
        assert gateway.told.wait(PATIENCE)
    assert gateway.answers == [Response(0x0000)]
    assert asking.kinds() == [CommitmentRequested, AssociationAccepted, CommitmentAnswered, CommitmentReported]
    requested, _, answered, reported = asking.events
    assert isinstance(requested, CommitmentRequested)
    assert requested.sop_instance_uids == ("1.2.3.1", "1.2.3.2")
    assert isinstance(answered, CommitmentAnswered)
    assert (answered.status, answered.transaction_uid) == ("0000", "1.2.9")
    assert isinstance(reported, CommitmentReported)
    assert (reported.committed, reported.failed, reported.reasons) == (("1.2.3.1",), ("1.2.3.2",), ("0112",))
    assert (reported.via, reported.status, reported.event_type) == ("same", "0000", 2)


def test_it_refuses_a_report_where_it_takes_none() -> None:
    with a_gateway(REPORT) as (gateway, port), Asking(port) as asking:
        assert asking.modality.commit(REQUEST, "1.2.3", asking.reports, takes_here=False, patience=0.5) is True
        assert gateway.told.wait(PATIENCE)
        assert asking.reports.count("1.2.9") == 0
    assert gateway.answers[0].status == 0x0211
    refused = asking.events[-1]
    assert isinstance(refused, CommitmentReported)
    assert refused.status == "0211"


def test_it_waits_no_longer_than_its_patience_and_not_at_all_after_a_failure() -> None:
    with a_gateway(None) as (_, port), Asking(port) as asking:
        assert asking.modality.commit(REQUEST, "1.2.3", asking.reports, patience=0.1) is True
    with a_gateway(None, Response(0x0115, "no")) as (_, port), Asking(port) as asking:
        assert asking.modality.commit(REQUEST, "1.2.3", asking.reports, patience=1e9) is False
        assert asking.kinds()[-1] is CommitmentAnswered


def test_without_an_association_the_failure_is_told() -> None:
    with closed_port() as port, Asking(port) as asking:
        assert asking.modality.commit(REQUEST, "1.2.3", asking.reports) is False
    assert asking.kinds() == [CommitmentRequested, AssociationFailed, CommitmentFailed]


def test_a_gateway_that_accepts_no_storage_commitment_is_told() -> None:
    acceptor = Acceptor("GATEWAY", HOST, 0, [], lambda _: Response(0xA700))
    try:
        with Asking(acceptor.start()) as asking:
            assert asking.modality.commit(REQUEST, "1.2.3", asking.reports) is False
    finally:
        acceptor.stop()
    failed = asking.events[-2]
    assert isinstance(failed, AssociationFailed)
    assert "no presentation context for Storage Commitment Push Model" in failed.problem


@pytest.mark.parametrize("patience", [0.0, PATIENCE])
def test_a_gateway_that_hangs_up_is_told(patience: float) -> None:
    def hang_up(_: Action, dialogue: Dialogue) -> Response:
        dialogue._library.abort()
        return Response(0x0000)

    acceptor = Acceptor("GATEWAY", HOST, 0, [], lambda _: Response(0xA700), on_action=hang_up)
    try:
        with Asking(acceptor.start()) as asking:
            assert asking.modality.commit(REQUEST, "1.2.3", asking.reports, patience=patience) is False
    finally:
        acceptor.stop()
    assert asking.kinds()[-1] is CommitmentFailed
