"""What peers answer wrongly to who requests an association: no wait without end, no false success, and what came."""

from __future__ import annotations

import dataclasses
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from simulator.actors.raw_peer import RawPeer
from simulator.errors import ContextNotAccepted, PeerAborted, PeerError, PeerSilent
from simulator.events import Event, ScriptEnded
from simulator.wire import commitment, store_plane
from simulator.wire.association import VERIFICATION, Address, Association, Context, Outgoing, Response, TimeOuts
from simulator.wire.commitment import PUSH_MODEL, Reference, Request
from simulator.wire.data_set import IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.pdu_script import script
from simulator.wire.pdu_stream import Pdu
from simulator.wire.script_contents import Heard, NamedPdu, content
from tests.synthesis.made import CT
from tests.wire.pdus import read_pdu
from tests.wire.sockets import HOST, PATIENCE, no_thread_beside, peer

LONG = TimeOuts(acse=60, dimse=60, pdu=60)
SHORT = TimeOuts(acse=0.3, dimse=0.3, pdu=0.3)
CONTEXTS = [Context(CT.uid, (IMPLICIT_VR_LITTLE_ENDIAN,))] * 2
INSTANCE = Outgoing(CT.uid, "1.2.3", IMPLICIT_VR_LITTLE_ENDIAN, b"\x08\0\x16\0\0\0\0\0")

Step = dict[str, Any]
ASKED: Step = {"recv": "A-ASSOCIATE-RQ"}
ACCEPT: Step = {"send": {"pdu": "A-ASSOCIATE-AC"}}
STORE: Step = {"recv": "C-STORE-RQ"}
STORED: Step = {"send": {"message": "C-STORE-RSP"}}
ABORT = bytes.fromhex("0700 0000 0004 0000 0200")
ABORTED: Step = {"recv": "A-ABORT"}
RELEASED: list[Step] = [{"recv": "A-RELEASE-RQ"}, {"send": {"pdu": "A-RELEASE-RP"}}]
END: Step = {"await_end": "any", "within": PATIENCE}


@pytest.fixture(params=["plane", "library"], autouse=True)
def switched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_plane, "is_on", lambda: request.param == "plane")


@contextmanager
def playing(*steps: Step) -> Iterator[Address]:
    """Play a script as acceptor; all of it must go as written, and nothing of this side may be left."""
    events: list[Event] = []
    before = set(threading.enumerate())
    peer = RawPeer(script(steps), events.append)
    try:
        yield Address("REMOTE", HOST, peer.listen())
        assert peer.join(PATIENCE)
    finally:
        peer.stop()
    assert [event.problem for event in events if isinstance(event, ScriptEnded)] == [""]
    assert no_thread_beside(before)


def stored(address: Address, time_outs: TimeOuts = LONG, instance: Outgoing = INSTANCE) -> list[Response]:
    """Send an instance twice."""
    with Association.request("HAGATEWAY", address, CONTEXTS, time_outs) as association:
        return [association.store(instance) for _ in range(2)]


def refused(address: Address) -> str:
    """Return why an instance could not be sent, as it is said of a peer that ends the association or is aborted."""
    with pytest.raises(PeerAborted) as caught:
        stored(address)
    return str(caught.value)


def accepting(**fields: Any) -> Step:
    return {"send": {"pdu": "A-ASSOCIATE-AC", **fields}}


def answering(**fields: Any) -> Step:
    return {"send": {"message": "C-STORE-RSP", **fields}}


def raw(hexadecimal: str) -> Step:
    return {"send": {"hex": hexadecimal}}


INSTEAD, UNTAKEN = "answered the association request with ", "sent what cannot be taken: "


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"send": {"text": "HTTP/1.1 400\r\n\r\n"}}, INSTEAD + "bytes that are no PDU (48 54 54 50 2F 31): a web"),
        (raw("15 03 01 00 02 02 0A"), INSTEAD + "bytes that are no PDU (15 03 01 00 02 02): it speaks TLS"),
        ({"send": {"message": "C-STORE-RSP"}}, INSTEAD + "P-DATA-TF"),
        ({"send": {"pdu": "A-RELEASE-RQ"}}, INSTEAD + "A-RELEASE-RQ"),
        ({"send": {"pdu": "A-ASSOCIATE-RQ", "contexts": []}}, INSTEAD + "A-ASSOCIATE-RQ"),
        (raw("02 00 0000 0001 00"), INSTEAD + "A-ASSOCIATE-AC that cannot be read (02 00 00 00 00 01 00)"),
        (
            raw("02 00 7fff ffff 0001"),
            INSTEAD + "A-ASSOCIATE-AC announced with 2147483647 bytes; more than 1048576 can",
        ),
        (raw("07 00 0000 0000"), INSTEAD + "A-ABORT announced with 0 bytes; it has 4"),
        (raw("03 00 0000 0005 00 01 01 01 00"), INSTEAD + "A-ASSOCIATE-RJ announced with 5 bytes; it has 4"),
        ({"send": {"pdu": "A-ABORT", "source": 2, "reason": 1}}, "association request (A-ABORT, source 2, reason 1)"),
    ],
)
def test_what_came_instead_of_an_answer_is_told(instead: Step, words: str) -> None:
    with playing(ASKED, instead, {"close": "half"}, END) as address:
        assert words in refused(address)


# A time-out that is to be kept to is short, and no other is.
ANSWER_IN_TIME, MESSAGE_IN_TIME = TimeOuts(acse=0.3, dimse=60, pdu=60), TimeOuts(acse=60, dimse=0.3, pdu=60)
PDU_IN_TIME = TimeOuts(acse=60, dimse=60, pdu=0.3)


def unheard(address: Address, time_outs: TimeOuts, instance: Outgoing = INSTANCE) -> str:
    """Return why an instance could not be sent, as it is said of a peer that does not go on; it is said soon."""
    started = time.monotonic()
    with pytest.raises(PeerSilent) as caught:
        stored(address, time_outs, instance)
    assert time.monotonic() - started < PATIENCE
    return str(caught.value)


@pytest.mark.parametrize("time_outs", [ANSWER_IN_TIME, PDU_IN_TIME], ids=["acse", "pdu"])
@pytest.mark.parametrize(
    ("half", "words"),
    [
        ("02", "the beginning of a PDU (02)"),
        ("02 00 0000 00b4 0001", "the beginning of A-ASSOCIATE-AC announced with 180 bytes"),
        ("03 00 0000 0004 00", "the beginning of A-ASSOCIATE-RJ announced with 4 bytes"),
    ],
)
def test_half_an_answer_is_not_waited_for(half: str, words: str, time_outs: TimeOuts) -> None:
    with playing(ASKED, raw(half), END) as address:
        assert f"took the connection but gave no whole answer in time: {words} came" in unheard(address, time_outs)


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_without_end() -> None:
    def drip(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(bytes.fromhex("0200 0000 00b4"))
        connection.settimeout(0.02)
        while True:
            with suppress(TimeoutError):
                assert connection.recv(10) == ABORT  # before the 180 bytes have come
                return
            connection.sendall(b"\0")

    with peer(drip) as port:
        words = unheard(Address("REMOTE", HOST, port), PDU_IN_TIME)
    assert "the beginning of A-ASSOCIATE-AC announced with 180 bytes" in words


@pytest.mark.parametrize("length", [1, 6])
def test_a_length_in_which_nothing_has_room(length: int) -> None:
    with playing(ASKED, accepting(maximum_length=length), ABORTED, END) as address:
        assert f"takes P-DATA-TF of {length} bytes at most, and no message has room" in refused(address)


@pytest.mark.parametrize("length", [0, 7, 8, 24, 4096, 2**32 - 1])
def test_no_pdu_is_longer_than_the_peer_takes(length: int) -> None:
    took: list[Step] = [STORE if length == 0 else {**STORE, "expect": {"pdus_within": length}}, STORED]
    with playing(ASKED, accepting(maximum_length=length), *took, *took, *RELEASED) as address:
        assert stored(address) == [Response(0)] * 2


@pytest.mark.parametrize("syntax", ["", "1.2.840.10008.1.2.4.50"])
def test_a_transfer_syntax_that_was_not_proposed_carries_nothing(syntax: str) -> None:
    contexts = [{"context_id": 1, "transfer_syntax_uid": syntax}, {"context_id": 3, "result": 3}]
    answer = accepting(contexts=contexts)
    with playing(ASKED, answer, ABORTED, END) as address, pytest.raises(ContextNotAccepted):
        stored(address)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answering(message_id_being_responded_to=99), "answered another message than the one it was sent"),
        (answering(command_field=0x8030), "answered another message than the one it was sent"),
        (answering(command_field=0x8130), "answered another message than the one it was sent"),
        (answering(affected_sop_instance_uid="1.9"), "1.9"),
        (answering(affected_sop_class_uid="1.9"), "1.9"),
        (answering(context_id=3), "answered in presentation context 3; it was asked in 1"),
        (answering(context_id=99), "presentation context ID 99 at byte 10 is none accepted (1, 3)"),
        (answering(status=None), "answered without a status"),
        ({"send": {"message": "C-ECHO-RQ"}}, "answered another message than the one it was sent"),
    ],
)
def test_an_answer_to_something_else_is_none(answer: Step, words: str) -> None:
    with playing(ASKED, ACCEPT, STORE, answer, ABORTED, END) as address:
        assert words in refused(address)


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"send": {"pdu": "A-RELEASE-RQ"}}, "ended the association before it answered (A-RELEASE-RQ)"),
        (accepting(), "sent A-ASSOCIATE-AC where a response was expected"),
        (raw("09 00 0000 0004 00000000"), f"{UNTAKEN}bytes that are no PDU (09 00 00 00 00 04)"),
        (raw("04 00 0000 0008 0000 00ff 01 03 0000"), f"{UNTAKEN}P-DATA-TF: the PDV at byte 6 is announced with 255"),
        (raw("04 00 ffff fff0 0000"), f"{UNTAKEN}P-DATA-TF of 4294967280 bytes; this side announced that it takes"),
        (raw("04 00 0002 0001 0000"), f"{UNTAKEN}P-DATA-TF of 131073 bytes; this side announced that it takes 131072"),
        ({"send": {"pdu": "A-ABORT", "source": 2, "reason": 6}}, "before it answered (A-ABORT, source 2, reason 6)"),
        (
            {"send": {"pdu": "P-DATA-TF", "pdvs": [{"context_id": 1, "hex": "00"}]}},
            f"{UNTAKEN}a fragment of a data set, and no command set before it",
        ),
    ],
)
def test_what_came_instead_of_a_response_is_told_at_once(instead: Step, words: str) -> None:
    with playing(ASKED, ACCEPT, STORE, instead, {"close": "half"}, END) as address:
        assert words in refused(address)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_connection_that_the_peer_ends(how: str) -> None:
    with playing(ASKED, ACCEPT, STORE, {"close": how}) as address:
        assert re.search(r"ended the association before it answered$", refused(address))


HALF_A_PDU = raw("04 00 0000 0064 0000 0060 01 03")


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (HALF_A_PDU, "gave no whole answer in time: the beginning of P-DATA-TF announced with 100 bytes came"),
        (answering(ends=False), "gave no whole answer in time: the beginning of a message came"),
        (answering(data_set_type=1), "gave no whole answer in time: the beginning of a message came"),
    ],
)
def test_half_a_response_is_not_waited_for(instead: Step, words: str) -> None:
    with playing(ASKED, ACCEPT, STORE, instead, END) as address:
        assert words in unheard(address, MESSAGE_IN_TIME)


def test_half_a_pdu_has_a_time_out_of_its_own() -> None:
    with playing(ASKED, ACCEPT, STORE, HALF_A_PDU, END) as address:
        assert "the beginning of P-DATA-TF announced with 100 bytes came" in unheard(address, PDU_IN_TIME)


@pytest.mark.parametrize("time_outs", [ANSWER_IN_TIME, PDU_IN_TIME], ids=["acse", "pdu"])
def test_half_an_answer_to_the_release_is_not_waited_for(time_outs: TimeOuts) -> None:
    released = ({"recv": "A-RELEASE-RQ"}, raw("06 00 0000 0004 00"))
    started = time.monotonic()
    with playing(ASKED, ACCEPT, STORE, STORED, STORE, STORED, *released, END) as address:
        assert stored(address, time_outs) == [Response(0)] * 2
    assert time.monotonic() - started < PATIENCE


def test_half_a_pdu_that_nobody_asked_for_is_not_waited_for() -> None:
    with playing(ASKED, ACCEPT, STORE, STORED, HALF_A_PDU, END) as address:
        assert "the beginning of P-DATA-TF announced with 100 bytes came" in unheard(address, PDU_IN_TIME)


@pytest.mark.parametrize("length", [32, 131072])
def test_a_peer_that_takes_no_more_is_not_waited_for(length: int) -> None:
    """It reads the association request and nothing after it; pieces of 32 bytes are pynetdicom's to send."""

    def converse(connection: socket.socket) -> None:
        heard = Heard(Pdu(read_pdu(connection)))
        accepted = content({"pdu": "A-ASSOCIATE-AC", "maximum_length": length})
        assert isinstance(accepted, NamedPdu)
        connection.sendall(accepted.build(heard))
        over.wait(PATIENCE)

    over = threading.Event()
    large = dataclasses.replace(INSTANCE, data_set=INSTANCE.data_set * 2 ** (14 if length == 32 else 21))
    with peer(converse) as port:
        assert "gave no answer within 0.3 s" in unheard(Address("REMOTE", HOST, port), SHORT, large)
        over.set()


ECHO_OR_COMMIT = [Context(uid, (IMPLICIT_VR_LITTLE_ENDIAN,)) for uid in (VERIFICATION, PUSH_MODEL)]


def asking(address: Address, what: str) -> None:
    with Association.request("HAGATEWAY", address, ECHO_OR_COMMIT, LONG) as association:
        if what == "C-ECHO-RQ":
            association.echo()
        else:
            commitment.ask(association, Request("1.2.3", (Reference(CT.uid, "1.2.3"),)))


@pytest.mark.parametrize(
    ("asked", "answer", "words"),
    [
        ("C-ECHO-RQ", {"message": "C-STORE-RSP"}, "another message than"),
        ("C-ECHO-RQ", {"message": "C-ECHO-RSP", "message_id_being_responded_to": 7}, "another message than"),
        ("C-ECHO-RQ", {"message": "C-ECHO-RSP", "context_id": 3}, "in presentation context 3; it was asked in 1"),
        ("C-ECHO-RQ", {"message": "C-ECHO-RSP", "affected_sop_class_uid": "1.9"}, "about another SOP class (1.9)"),
        ("N-ACTION-RQ", {"message": "C-STORE-RSP"}, "another message than"),
        ("N-ACTION-RQ", {"message": "N-EVENT-REPORT-RSP"}, "another message than"),
        ("N-ACTION-RQ", {"message": "N-ACTION-RSP", "context_id": 1}, "in presentation context 1; it was asked in 3"),
        ("N-ACTION-RQ", {"message": "N-ACTION-RSP", "affected_sop_instance_uid": "1.9"}, "another SOP instance (1.9)"),
        ("N-ACTION-RQ", {"message": "N-ACTION-RSP", "status": None}, "without a status"),
    ],
)
def test_verification_and_commitment_take_no_other_answer_either(asked: str, answer: Step, words: str) -> None:
    with playing(ASKED, ACCEPT, {"recv": asked}, {"send": answer}, ABORTED, END) as address:
        with pytest.raises(PeerAborted) as caught:
            asking(address, asked)
        assert words in str(caught.value)


def test_a_response_need_not_name_what_it_is_about_and_comes_in_any_fragments() -> None:
    nameless = answering(affected_sop_class_uid=None, affected_sop_instance_uid=None)
    fragments = answering(maximum_length=8)
    with playing(ASKED, ACCEPT, STORE, nameless, STORE, fragments, *RELEASED) as address:
        assert stored(address) == [Response(0)] * 2


def test_a_second_answer_is_not_taken_for_the_next_one() -> None:
    with playing(ASKED, ACCEPT, STORE, STORED, STORED, END) as address, pytest.raises(PeerError):
        stored(address, SHORT)
