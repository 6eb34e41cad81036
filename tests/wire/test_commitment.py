"""Storage commitment over sockets: what each side hears, and who may say what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE, build_role, evt
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT

from simulator.errors import ContextNotAccepted, NotDicom, PeerAborted, PeerSilent
from simulator.wire import commitment
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Association, Context, Outgoing, Response, StoreRequest, TimeOuts
from simulator.wire.commitment import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    TRANSFER_SYNTAXES,
    Action,
    Failure,
    Notice,
    Reference,
    Report,
    Request,
)
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.dialogue import Dialogue, long_string
from tests.wire.made import steady
from tests.wire.sockets import HOST, PATIENCE, no_thread_beside

CT = "1.2.840.10008.5.1.4.1.1.2"
REFERENCES = (Reference(CT, "1.2.3.1"), Reference(CT, "1.2.3.2"))
REQUEST = Request("1.2.9", REFERENCES)
REPORT = Report("1.2.9", REFERENCES[:1], (Failure(REFERENCES[1], 0x0112),))
SUCCESS = Response(0x0000)


class Scp:
    """An SCP of storage commitment: what it was asked, and the dialogue of the last request."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.dialogues: list[Dialogue] = []
        self.answer = SUCCESS
        self.on_store: Callable[[StoreRequest], Response] = lambda _: SUCCESS
        self.port = 0

    def act(self, action: Action, dialogue: Dialogue) -> Response:
        self.actions.append(action)
        self.dialogues.append(dialogue)
        return self.answer


@contextmanager
def an_scp(**services: Any) -> Iterator[Scp]:
    scp = Scp()
    acceptor = Acceptor(
        "SCP",
        HOST,
        0,
        [Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))],
        lambda request: scp.on_store(request),
        **{"on_action": scp.act, **services},
    )
    scp.port = acceptor.start()
    try:
        yield scp
    finally:
        acceptor.stop()


class Scu:
    """Takes reports."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.answer = SUCCESS
        self.before_answering: Callable[[], object] = bool

    def take(self, notice: Notice) -> Response:
        self.notices.append(notice)
        self.before_answering()
        return self.answer


@contextmanager
def asking(port: int, scu: Scu, *contexts: Context, time_outs: TimeOuts | None = None) -> Iterator[Association]:
    with Association.request(
        "SCU",
        Address("SCP", HOST, port),
        [Context(PUSH_MODEL, TRANSFER_SYNTAXES), *contexts],
        time_outs,
        attend=lambda library: Dialogue(library, on_report=scu.take),
    ) as association:
        yield association


# --- what is said ------------------------------------------------------------------------------------

uids = st.lists(st.integers(0, 99999), min_size=2, max_size=6).map(lambda parts: ".".join(map(str, parts)))
references = st.builds(Reference, uids, uids)
syntaxes = st.sampled_from(TRANSFER_SYNTAXES)


@steady
@given(uids, st.lists(references, max_size=5).map(tuple), syntaxes)
def test_a_request_is_read_as_it_was_written(uid: str, named: tuple[Reference, ...], syntax: str) -> None:
    request = Request(uid, named)
    assert commitment.read_request(commitment.request_bytes(request, syntax), syntax) == request


@steady
@given(
    uids,
    st.lists(references, max_size=5).map(tuple),
    st.lists(st.builds(Failure, references, st.integers(1, 0xFFFF)), max_size=5).map(tuple),
    syntaxes,
)
def test_a_report_is_read_as_it_was_written(
    uid: str, committed: tuple[Reference, ...], failed: tuple[Failure, ...], syntax: str
) -> None:
    report = Report(uid, committed, failed)
    assert commitment.read_report(commitment.report_bytes(report, syntax), syntax) == report
    assert report.event_type == (2 if failed else 1)


def test_a_report_is_encoded_as_the_standard_says() -> None:
    data = dcmread(BytesIO(commitment.report_bytes(REPORT, IMPLICIT_VR_LITTLE_ENDIAN)), force=True)
    assert [element.keyword for element in data] == ["TransactionUID", "FailedSOPSequence", "ReferencedSOPSequence"]
    assert data.FailedSOPSequence[0].FailureReason == 0x0112
    without = dcmread(BytesIO(commitment.report_bytes(Report("1.2", REFERENCES, ()), TRANSFER_SYNTAXES[1])), force=True)
    assert "FailedSOPSequence" not in without


def test_what_is_missing_is_empty() -> None:
    for syntax in TRANSFER_SYNTAXES:
        assert commitment.read_request(b"", syntax) == Request("", ())
        assert commitment.read_report(b"", syntax) == Report("", (), ())


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x08\x00\x95\x11UI\xff\xff1.2", b"\x08\x00\x99\x11SQ\0\0\xff\xff\xff\x7f1"]
)
def test_garbage_is_said_to_be_garbage(data: bytes) -> None:
    for read in (commitment.read_request, commitment.read_report):
        with pytest.raises(NotDicom, match="Information cannot be read"):
            read(data, EXPLICIT_VR_LITTLE_ENDIAN)


# --- over an association -----------------------------------------------------------------------------


def test_a_request_is_heard_as_it_was_made_and_its_answer_too() -> None:
    with an_scp() as scp, asking(scp.port, Scu()) as association:
        assert commitment.ask(association, REQUEST) == SUCCESS
        scp.answer = Response(0x0115, "no good\\at all \u4e2d")
        assert commitment.ask(association, REQUEST, action_type=7, sop_instance_uid="1.2") == Response(
            0x0115, "no good/at all ?"
        )
    first, second = scp.actions
    assert first == Action("SCU", HOST, PUSH_MODEL, PUSH_MODEL_INSTANCE, 1, REQUEST)
    assert (second.action_type, second.sop_instance_uid) == (7, "1.2")


def test_a_report_comes_back_on_the_association_of_the_request() -> None:
    scu = Scu()
    with an_scp() as scp, asking(scp.port, scu) as association:
        commitment.ask(association, REQUEST)
        assert scp.dialogues[0].report(REPORT, PATIENCE) == SUCCESS
        scu.answer = Response(0x0110, "cannot take it")
        assert scp.dialogues[0].report(REPORT, PATIENCE) == Response(0x0110, "cannot take it")
        assert commitment.ask(association, REQUEST) == SUCCESS
    assert scu.notices == [Notice("SCP", PUSH_MODEL, PUSH_MODEL_INSTANCE, 2, REPORT)] * 2


def test_reports_from_several_threads_get_each_its_own_answer() -> None:
    scu = Scu()
    with an_scp() as scp, asking(scp.port, scu) as association:
        commitment.ask(association, REQUEST)
        answers: list[Response] = []
        threads = [
            threading.Thread(
                target=lambda n=number: answers.append(scp.dialogues[0].report(Report(f"1.{n}", REFERENCES, ()), 5))
            )
            for number in range(1, 9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert answers == [SUCCESS] * 8
    told = {notice.report.transaction_uid for notice in scu.notices if notice.report}
    assert told == {f"1.{number}" for number in range(1, 9)}


def test_a_report_waits_until_the_request_of_the_peer_is_answered() -> None:
    scu, storing, go_on, told = Scu(), threading.Event(), threading.Event(), threading.Event()

    def slowly(_: StoreRequest) -> Response:
        storing.set()
        go_on.wait(PATIENCE)
        # The report was asked for, and did not go out meanwhile.
        assert not told.is_set()
        return SUCCESS

    with an_scp() as scp, asking(scp.port, scu, Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))) as association:
        scp.on_store = slowly
        scu.before_answering = told.set
        commitment.ask(association, REQUEST)
        answers: list[Response] = []
        store = threading.Thread(
            target=lambda: answers.append(
                association.store(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b"\0" * 64))
            )
        )
        store.start()
        assert storing.wait(PATIENCE)
        assert scp.dialogues[0].goes_on
        report = threading.Thread(target=lambda: answers.append(scp.dialogues[0].report(REPORT, PATIENCE)))
        report.start()
        assert not told.wait(0.3)
        go_on.set()
        store.join(PATIENCE)
        report.join(PATIENCE)
    assert answers == [SUCCESS, SUCCESS]
    assert told.is_set()


def test_a_report_after_a_release_finds_the_association_ended() -> None:
    with an_scp() as scp:
        with asking(scp.port, Scu()) as association:
            commitment.ask(association, REQUEST)
            assert scp.dialogues[0].stands
        with pytest.raises(PeerAborted, match="ended the association"):
            scp.dialogues[0].report(REPORT, PATIENCE)
        assert not scp.dialogues[0].stands


def test_a_report_that_is_never_answered_is_given_up() -> None:
    scu, end = Scu(), threading.Event()
    scu.before_answering = lambda: end.wait(PATIENCE)
    with an_scp() as scp, asking(scp.port, scu) as association:
        commitment.ask(association, REQUEST)
        with pytest.raises(PeerSilent, match="gave no answer to the report"):
            scp.dialogues[0].report(REPORT, 0.4)
        end.set()


def test_an_abort_ends_the_wait_for_an_answer() -> None:
    scu = Scu()
    before = set(threading.enumerate())
    with an_scp() as scp, asking(scp.port, scu) as association:
        scu.before_answering = association.abort
        commitment.ask(association, REQUEST)
        with pytest.raises(PeerAborted):
            scp.dialogues[0].report(REPORT, PATIENCE)
    assert no_thread_beside(before)


# --- roles -------------------------------------------------------------------------------------------


def test_on_a_new_association_the_scp_proposes_its_role_and_keeps_its_ae_title() -> None:
    scu = Scu()
    with (
        an_scp(on_action=None, on_report=scu.take) as listener,
        commitment.report_association("GATEWAY", Address("SCP", HOST, listener.port)) as association,
    ):
        proposed = association._library.requestor.role_selection.items()
        assert [(uid, role.scu_role, role.scp_role) for uid, role in proposed] == [(PUSH_MODEL, False, True)]
        assert association.is_scp_of(PUSH_MODEL)
        assert commitment.tell(association, REPORT) == SUCCESS
    assert scu.notices == [Notice("GATEWAY", PUSH_MODEL, PUSH_MODEL_INSTANCE, 2, REPORT)]


def test_without_the_role_no_report_goes_out() -> None:
    """pynetdicom lets it out: an acceptor that ignores the role selection is found out by ours alone."""
    scu = Scu()
    with an_scp() as scp, pytest.raises(ContextNotAccepted):
        commitment.report_association("GATEWAY", Address("SCP", HOST, scp.port))
    ignorant = AE("SCP")
    ignorant.add_supported_context(PUSH_MODEL, list(TRANSFER_SYNTAXES))
    told: list[object] = []
    server = ignorant.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, told.append)])
    assert server is not None
    try:
        with pytest.raises(ContextNotAccepted, match="does not accept the SCP role"):
            commitment.report_association("GATEWAY", Address("SCP", HOST, server.server_address[1]))
    finally:
        server.shutdown()
    assert told == scu.notices == []


def test_a_peer_in_the_wrong_role_is_told_so() -> None:
    scu = Scu()
    with an_scp(on_report=scu.take) as both:
        # The role of the requestor is SCP alone: it may report, and not ask.
        with commitment.report_association("GATEWAY", Address("SCP", HOST, both.port)) as association:
            assert commitment.ask(association, REQUEST).status == 0x0211
            assert commitment.tell(association, REPORT) == SUCCESS
        with asking(both.port, Scu()) as association:
            assert commitment.tell(association, REPORT).status == 0x0211
            assert commitment.ask(association, REQUEST) == SUCCESS
    assert len(both.actions) == len(scu.notices) == 1


def test_a_requestor_may_propose_both_roles_and_answers_say_what_they_are_about() -> None:
    """Class and instance may be left out of the two responses (PS3.7 10.3.1, 10.3.4), but Orthanc insists on them."""
    scu, answers = Scu(), []

    def heard(event: evt.Event) -> None:
        command = event.message.command_set
        answers.append((command.AffectedSOPClassUID, command.AffectedSOPInstanceUID))

    with an_scp(on_report=scu.take) as both:
        ae = AE("BOTH")
        ae.add_requested_context(PUSH_MODEL)
        association = ae.associate(
            HOST,
            both.port,
            ae_title="SCP",
            ext_neg=[build_role(PUSH_MODEL, scu_role=True, scp_role=True)],
            evt_handlers=[(evt.EVT_DIMSE_RECV, heard)],
        )
        assert association.is_established
        (context,) = association.accepted_contexts
        assert (context.as_scu, context.as_scp) == (True, True)
        information = Dataset()
        information.TransactionUID = "1.2.9"
        asked, _ = association.send_n_action(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        told, _ = association.send_n_event_report(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        association.release()
    assert asked.Status == told.Status == 0x0000
    assert answers == [(PUSH_MODEL, PUSH_MODEL_INSTANCE)] * 2


# --- peers that break the protocol -------------------------------------------------------------------


def test_an_incomplete_n_action_is_answered_not_left_alone() -> None:
    """pynetdicom says nothing at all to one without Action Type ID."""
    with an_scp() as scp, asking(scp.port, Scu(), time_outs=TimeOuts(dimse=PATIENCE)) as association:
        request = N_ACTION()
        request.RequestedSOPClassUID = UID("1.2.840.10008.1.20.4")
        request.RequestedSOPInstanceUID = UID(PUSH_MODEL_INSTANCE)
        request.ActionTypeID = 1
        scp.answer = Response(0x0118)
        assert association.ask(request, PUSH_MODEL).status == 0x0118
    (action,) = scp.actions
    assert action.sop_class_uid == "1.2.840.10008.1.20.4"
    assert action.request == Request("", ())


def test_information_that_cannot_be_read_is_a_value() -> None:
    scu = Scu()
    with an_scp(on_report=scu.take) as both:
        with asking(both.port, Scu()) as association:
            request = N_ACTION()
            request.RequestedSOPClassUID, request.RequestedSOPInstanceUID = UID(PUSH_MODEL), UID(PUSH_MODEL_INSTANCE)
            request.ActionTypeID = 1
            request.ActionInformation = BytesIO(b"\x08\x00\x99\x11SQ\0\0\xff\xff\xff\x7fgarbage")
            assert association.ask(request, PUSH_MODEL) == SUCCESS
        with commitment.report_association("GATEWAY", Address("SCP", HOST, both.port)) as association:
            report = N_EVENT_REPORT()
            report.AffectedSOPClassUID, report.AffectedSOPInstanceUID = UID(PUSH_MODEL), UID(PUSH_MODEL_INSTANCE)
            report.EventTypeID = 1
            report.EventInformation = BytesIO(b"\x08\x00\x99\x11SQ\0\0\xff\xff\xff\x7fgarbage")
            assert association.ask(report, PUSH_MODEL) == SUCCESS
    assert both.actions[0].request is None
    assert "cannot be read" in both.actions[0].problem
    assert scu.notices[0].report is None


def test_an_association_without_a_context_for_it_raises() -> None:
    with an_scp() as scp:
        contexts = [Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
        with Association.request("SCU", Address("SCP", HOST, scp.port), contexts) as association:
            with pytest.raises(ContextNotAccepted, match="storage commitment"):
                commitment.ask(association, REQUEST)
            assert not association.is_scp_of(PUSH_MODEL)


def test_the_peer_that_ended_is_found_out() -> None:
    with an_scp() as scp, asking(scp.port, Scu()) as association:
        commitment.ask(association, REQUEST)
        assert association.stands
        scp.dialogues[0]._library.abort()
        deadline = threading.Event()
        while association.stands:
            assert not deadline.wait(0.01)
        with pytest.raises(PeerAborted):
            commitment.ask(association, REQUEST)


@pytest.mark.parametrize(("text", "value"), [("a" * 70, "a" * 64), ("b\\c", "b/c"), ("\u4e2d\n", "??"), ("", "")])
def test_a_comment_fits_its_value_representation(text: str, value: str) -> None:
    assert long_string(text) == value


def test_a_release_waits_until_the_report_is_answered() -> None:
    """Or the SCP would not know that it was taken, and bring it again."""
    scu, heard, go_on, released = Scu(), threading.Event(), threading.Event(), threading.Event()
    answers: list[Response] = []

    def slowly() -> None:
        heard.set()
        go_on.wait(PATIENCE)

    def release() -> None:
        association.release()
        released.set()

    scu.before_answering = slowly
    with an_scp() as scp, asking(scp.port, scu) as association:
        commitment.ask(association, REQUEST)
        report = threading.Thread(target=lambda: answers.append(scp.dialogues[0].report(REPORT, PATIENCE)))
        report.start()
        assert heard.wait(PATIENCE)
        threading.Thread(target=release).start()
        assert not released.wait(0.2)
        go_on.set()
        assert released.wait(PATIENCE)
        report.join(PATIENCE)
    assert answers == [SUCCESS]
