from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom import Dataset

from simulator import resources
from simulator.actors.raw_peer import RawPeer
from simulator.errors import UsageError
from simulator.events import ConnectionEnded, PduReceived, PduSent, ScriptEnded
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Association, Context, Outgoing, Response, StoreRequest
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.pdu_builders import abort, release_rq
from simulator.wire.pdu_script import script
from simulator.wire.script_contents import hexadecimal
from tests.actors.relayed import (
    ACCEPTED,
    ANSWER,
    ASKED,
    CT,
    RELEASED,
    RELEASING,
    VERIFICATION,
    Played,
    listening,
    store,
)
from tests.wire.made import written
from tests.wire.sockets import HOST, PATIENCE, closed_port, connected, no_thread_beside, peer, silent_peer


def ended(played: Played) -> tuple[int, str]:
    (event,) = played.of(ScriptEnded)
    return event.done, event.problem


def how(played: Played) -> list[tuple[str, str]]:
    return [(event.how, event.by) for event in played.of(ConnectionEnded)]


@pytest.fixture
def scp() -> Any:
    acceptor = Acceptor("HAGATEWAY", HOST, 0, [Context(CT, ("1.2.840.10008.1.2",))], lambda _: Response(0xA700))
    yield acceptor.start()
    acceptor.stop()


def test_two_scripts_hold_a_whole_dialogue() -> None:
    with listening(*ACCEPTED, *ANSWER, *RELEASING) as (there, port):
        here = Played([*ASKED, store(1), {"recv": "C-STORE-RSP"}, *RELEASED])
        assert here.peer.play(HOST, port)
    assert ended(here) == (7, "")
    assert ended(there) == (7, "")
    heard = [(event.kind, event.message, event.status) for event in here.of(PduReceived)]
    assert heard == [("A-ASSOCIATE-AC", "", ""), ("P-DATA-TF", "C-STORE-RSP", "0000"), ("A-RELEASE-RP", "", "")]
    sent, got = here.of(PduSent), there.of(PduReceived)
    assert [(e.kind, e.message, e.length, e.head) for e in sent] == [(e.kind, e.message, e.length, e.head) for e in got]
    assert [event.message for event in sent] == ["", "C-STORE-RQ", "", ""]
    assert (how(here), how(there)) == ([("fin", "script")], [("fin", "peer")])


def test_it_speaks_to_an_scp_of_the_product(scp: int) -> None:
    here = Played([*ASKED, store(1), {"recv": "C-STORE-RSP"}, *RELEASED])
    assert here.peer.play(HOST, scp)
    assert [event.status for event in here.of(PduReceived)] == ["", "A700", ""]


def test_an_scu_of_the_product_speaks_to_it() -> None:
    answer: list[Any] = [{"recv": "C-ECHO-RQ"}, {"send": {"message": "C-ECHO-RSP", "status": 0x0122}}]
    with listening(*ACCEPTED, *answer, *RELEASING) as (there, port):
        contexts = [Context(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN,))]
        with Association.request("SCU", Address("SCP", HOST, port), contexts) as association:
            assert association.echo().status == 0x0122
        assert there.peer.join(PATIENCE)
    assert ended(there)[1] == ""


def test_another_pdu_than_expected_ends_the_script(scp: int) -> None:
    here = Played([ASKED[0], {"recv": "A-ASSOCIATE-RJ"}, {"send": {"pdu": "A-ABORT"}}])
    assert not here.peer.play(HOST, scp)
    assert ended(here) == (1, "step 2: expected A-ASSOCIATE-RJ, got A-ASSOCIATE-AC")
    assert how(here) == [("fin", "script")]


def test_another_message_than_expected_ends_the_script() -> None:
    with listening(*ACCEPTED, {"recv": "C-ECHO-RQ"}) as (there, port):
        assert not Played([*ASKED, store(1), {"recv": "C-STORE-RSP", "within": 5}]).peer.play(HOST, port)
    assert ended(there) == (2, "step 3: expected C-ECHO-RQ, got C-STORE-RQ")


def test_a_message_in_many_pdus_is_one() -> None:
    request = store(1, size=5000)
    request["send"]["maximum_length"] = 512
    with listening(*ACCEPTED, *ANSWER) as (there, port):
        assert Played([*ASKED, request, {"recv": "C-STORE-RSP"}]).peer.play(HOST, port)
    assert [event.message for event in there.of(PduReceived)] == ["", "C-STORE-RQ"] + [""] * 10


@pytest.mark.parametrize(
    ("end", "seen"),
    [
        (lambda connection: None, "fin"),
        (lambda connection: connection.sendall(abort()), "abort"),
        (lambda connection: reset(connection), "rst"),
    ],
)
def test_ends_are_told_apart(end: Any, seen: str) -> None:
    with peer(end) as port:
        here = Played([{"await_end": seen, "within": 5}])
        assert here.peer.play(HOST, port), ended(here)
    assert how(here) == [(seen, "peer")]


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_another_end_than_expected_is_said() -> None:
    with peer(reset) as port:
        here = Played([{"await_end": "fin", "within": 5}])
        assert not here.peer.play(HOST, port)
    assert ended(here) == (0, "step 1: expected the end of the connection (fin); the peer reset the connection (RST)")


def test_who_says_nothing_is_a_time_out_of_the_script() -> None:
    with silent_peer() as port:
        here = Played([{"recv": "A-ABORT", "within": 0.1}])
        assert not here.peer.play(HOST, port)
    assert ended(here) == (0, "step 1: expected A-ABORT; the peer said nothing more in time")
    assert how(here) == [("timeout", "script")]


def test_bytes_that_are_no_pdu_are_told_whole_or_not() -> None:
    with peer(lambda connection: connection.sendall(b"HTTP/1.1 400")) as port:
        here = Played([{"send": {"file": "http-request"}}, {"recv": "A-ABORT", "within": 5}])
        assert not here.peer.play(HOST, port)
    assert ended(here)[1] == "step 2: expected A-ABORT, got bytes that are no PDU"
    (told,) = here.of(PduSent)
    assert (told.kind, told.length, told.head) == ("", 18, b"GET / HTTP/1.1\r\n\r\n".hex(" "))
    with peer(lambda connection: connection.sendall(release_rq()[:7])) as port:
        here = Played([{"recv": "A-RELEASE-RQ", "within": 5}])
        assert not here.peer.play(HOST, port)
    (came,) = here.of(PduReceived)
    assert (came.kind, came.head) == ("", release_rq()[:7].hex(" "))
    assert ended(here)[1] == "step 1: expected A-RELEASE-RQ; the peer closed the connection (FIN)"


def test_half_a_pdu_is_sent_as_it_is(scp: int) -> None:
    here = Played([{"send": {"file": "half-associate-rq"}}, {"close": "rst"}])
    assert here.peer.play(HOST, scp)
    (told,) = here.of(PduSent)
    assert (told.kind, told.length) == ("", 20)
    assert how(here) == [("rst", "script")]


def test_a_peer_that_takes_no_more_bytes_is_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.actors.raw_peer._SEND_SECONDS", 0.2)
    with silent_peer() as port:
        here = Played([store(1, size=20_000_000)])
        assert not here.peer.play(HOST, port)
    assert ended(here)[1] == "step 1: the peer takes no more bytes"


def test_bytes_that_a_peer_takes_no_more_are_well_where_its_end_is_awaited() -> None:
    for end, seen in ((reset, "rst"), (lambda connection: connection.sendall(abort()), "abort")):
        with peer(end) as port:
            here = Played([store(1, size=5_000_000), {"await_end": seen, "within": 5}])
            assert here.peer.play(HOST, port), ended(here)
        assert how(here) == [(seen, "peer")]
        with peer(end) as port:
            here = Played([store(1, size=5_000_000), {"close": "fin"}])
            assert not here.peer.play(HOST, port)
        assert ended(here) == (0, "step 1: the peer had ended the connection before this was sent")


def test_who_is_not_there_is_said() -> None:
    with closed_port() as port:
        here = Played([{"close": "fin"}])
        assert not here.peer.play(HOST, port)
    assert ended(here) == (0, f"no connection to {HOST}:{port}: Connection refused")


def test_a_listener_to_whom_nobody_comes_is_stopped() -> None:
    before = set(threading.enumerate())
    played = Played([{"recv": "A-ASSOCIATE-RQ"}])
    played.peer.listen()
    played.peer.stop()
    assert ended(played) == (0, "nobody connected")
    assert no_thread_beside(before)


def test_a_listener_is_stopped_in_the_midst_of_a_script() -> None:
    played = Played([{"recv": "A-ASSOCIATE-RQ", "within": 60}])
    with connected(played.peer.listen()) as connection:
        connection.sendall(b"\1")
        assert not played.peer.join(0.05)
        played.peer.stop()
    assert ended(played) == (0, "step 1: the script was stopped")
    assert how(played) == [("fin", "script")]


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"nonesuch\.hex cannot be read"):
        RawPeer(script([{"send": {"file": "nonesuch"}}]), print)


@pytest.mark.parametrize("file", sorted(resources.folder("fixtures/pdu").glob("*.hex")), ids=lambda file: file.stem)
def test_every_file_of_pdus_says_what_it_is_and_is_hexadecimal(file: Any) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert hexadecimal(text)


REJECTS: list[Any] = [{"recv": "A-ASSOCIATE-RQ"}, {"send": {"pdu": "A-ASSOCIATE-RJ", "source": 3, "reason": 1}}]


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"result": 1, "source": 3, "reason": 1}, ""),
        ({"reason": 1}, ""),
        ({"source": 1, "reason": 7}, "step 2: A-ASSOCIATE-RJ: source is 3, not 1; reason is 1, not 7"),
    ],
)
def test_what_a_pdu_says_is_compared_with_what_was_expected(expect: dict[str, int], problem: str) -> None:
    with listening(*REJECTS, {"await_end": "any"}) as (_, port):
        here = Played([ASKED[0], {"recv": "A-ASSOCIATE-RJ", "expect": expect}])
        assert here.peer.play(HOST, port) is not problem.startswith("step")
    assert ended(here)[1] == problem


def test_contexts_and_statuses_are_compared_one_by_one(scp: int) -> None:
    contexts = [
        {"context_id": 1, "abstract_syntax_uid": CT, "transfer_syntax_uids": ["1.2.840.10008.1.2"]},
        {"context_id": 3, "abstract_syntax_uid": "1.2.3", "transfer_syntax_uids": ["1.2.840.10008.1.2"]},
        {"context_id": 5, "abstract_syntax_uid": CT, "transfer_syntax_uids": ["1.2.3.4"]},
    ]
    steps: list[Any] = [
        {"send": {"pdu": "A-ASSOCIATE-RQ", "contexts": contexts}},
        {"recv": "A-ASSOCIATE-AC", "expect": {"contexts": {1: 0, 3: 3, 5: 4}, "maximum_length": 131072}},
        store(1),
        {"recv": "C-STORE-RSP", "expect": {"status": "A700", "message_id_being_responded_to": 1}},
    ]
    here = Played(steps)
    assert here.peer.play(HOST, scp), ended(here)
    steps[1] = {"recv": "A-ASSOCIATE-AC", "expect": {"contexts": {1: 4, 7: 0}}}
    here = Played(steps)
    assert not here.peer.play(HOST, scp)
    assert ended(here)[1] == "step 2: A-ASSOCIATE-AC: contexts 1 is 0, not 4; contexts 7 is missing, not 0"


def test_a_peer_that_waits_hears_what_comes_meanwhile_and_notices_the_end() -> None:
    with listening({"recv": "A-ASSOCIATE-RQ"}, {"wait": 0.05}, *ACCEPTED[1:], {"close": "fin"}) as (_, port):
        here = Played([ASKED[0], {"wait": 0.3}, {"recv": "A-ASSOCIATE-AC"}])
        assert not here.peer.play(HOST, port)
    assert ended(here)[1] == "step 2: expected nothing during the wait; the peer closed the connection (FIN)"
    with listening({"recv": "A-ASSOCIATE-RQ"}, *ACCEPTED[1:], {"wait": 5}) as (there, port):
        here = Played([ASKED[0], {"wait": 0.1}, {"recv": "A-ASSOCIATE-AC"}])
        assert here.peer.play(HOST, port)
    assert "step 3: expected nothing during the wait" in ended(there)[1]


def test_it_speaks_hl7_too() -> None:
    acknowledgement = "MSH|^~\\&|||||||ACK|1|P|2.3.1\nMSA|AR|M1"
    with listening({"recv": "HL7"}, {"send": {"hl7": acknowledgement}}) as (there, port):
        here = Played(
            [{"send": {"hl7": "MSH|^~\\&|A|B"}}, {"recv": "HL7", "expect": {"code": "AR", "control_id": "M1"}}]
        )
        assert here.peer.play(HOST, port)
    assert ended(there)[1] == ""
    with listening({"recv": "HL7"}, {"send": {"hl7": acknowledgement}}) as (_, port):
        here = Played([{"send": {"hl7": "MSH|^~\\&|A|B"}}, {"recv": "HL7", "expect": {"code": "AA"}}])
        assert not here.peer.play(HOST, port)
    assert ended(here)[1] == "step 2: HL7: code is AR, not AA"


def an_instance(name: str) -> Outgoing:
    """Return an instance of CT, whose UID ends with its number."""
    number = name.partition("#")[2]
    whole = Dataset()
    whole.SOPClassUID, whole.SOPInstanceUID, whole.PatientComments = CT, f"1.2.{number}", "x" * 999
    return Outgoing(CT, f"1.2.{number}", IMPLICIT_VR_LITTLE_ENDIAN, written(whole, IMPLICIT_VR_LITTLE_ENDIAN))


def sends(number: int, **how: Any) -> dict[str, Any]:
    message = {"message": "C-STORE-RQ", "instance": f"study#{number}", "message_id": number, **how}
    return {"send": message}


@pytest.fixture
def took() -> Iterator[tuple[int, list[StoreRequest]]]:
    requests: list[StoreRequest] = []

    def store(request: StoreRequest) -> Response:
        requests.append(request)
        return Response(0)

    acceptor = Acceptor("HAGATEWAY", HOST, 0, [Context(CT, (IMPLICIT_VR_LITTLE_ENDIAN,))], store)
    yield acceptor.start(), requests
    acceptor.stop()


@pytest.mark.parametrize("how", [{}, {"maximum_length": 100}, {"maximum_length": 7}, {"in_one_pdu": True}])
def test_it_sends_a_real_instance_cut_as_the_script_says(took: tuple[int, list[StoreRequest]], how: Any) -> None:
    port, requests = took
    answer = {"recv": "C-STORE-RSP", "expect": {"status": "0000", "message_id_being_responded_to": 1}}
    here = Played([*ASKED, sends(1, **how), answer, sends(1, **how), answer, *RELEASED], an_instance)
    assert here.peer.play(HOST, port), ended(here)
    assert [(each.sop_instance_uid, each.data_set) for each in requests] == [
        ("1.2.1", an_instance("study#1").data_set)
    ] * 2


@pytest.mark.parametrize(
    "wrong", [sends(1, data_set_context_id=3), {"send": {"interleaved": [sends(1)["send"], sends(2)["send"]]}}]
)
def test_it_sends_a_real_instance_wrongly(took: tuple[int, list[StoreRequest]], wrong: Any) -> None:
    port, requests = took
    here = Played([*ASKED, wrong, {"recv": "A-ABORT"}, {"await_end": "any"}], an_instance)
    assert here.peer.play(HOST, port), ended(here)
    assert requests == []


def test_nobody_knows_the_instances_of_a_script() -> None:
    with pytest.raises(UsageError, match="the script sends instance study#1, and there are no studies here"):
        Played([sends(1)])


def test_a_script_is_played_for_so_many_connections() -> None:
    there = Played([*REJECTS, {"await_end": "any"}])
    port = there.peer.listen(connections=2)
    for _ in range(2):
        assert Played([ASKED[0], {"recv": "A-ASSOCIATE-RJ"}]).peer.play(HOST, port)
    assert there.peer.join(PATIENCE)
    assert ended(there) == (3, "")
    assert len(there.of(ConnectionEnded)) == 2
    assert not Played([{"close": "fin"}]).peer.play(HOST, port)


def test_a_connection_that_does_not_come_or_goes_astray_ends_it_all() -> None:
    there = Played([*REJECTS, {"await_end": "any"}])
    assert Played([ASKED[0], {"recv": "A-ASSOCIATE-RJ"}]).peer.play(HOST, there.peer.listen(connections=2))
    there.peer.stop()
    assert ended(there) == (0, "connection 2 did not come")
    there = Played(REJECTS)
    assert not Played([ASKED[0], {"recv": "A-ABORT"}]).peer.play(HOST, there.peer.listen(connections=1))
    assert there.peer.join(PATIENCE)
    astray = Played([{"recv": "A-ABORT"}])
    Played([ASKED[0], {"await_end": "any"}]).peer.play(HOST, astray.peer.listen(connections=3))
    assert astray.peer.join(PATIENCE)
    assert ended(astray) == (0, "step 1: expected A-ABORT, got A-ASSOCIATE-RQ")
