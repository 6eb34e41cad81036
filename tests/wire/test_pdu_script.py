from __future__ import annotations

from typing import Any

import pytest

from simulator.wire import pdu_builders
from simulator.wire.association import Outgoing
from simulator.wire.command_set import STATUS
from simulator.wire.data_set import IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.pdu_builders import Answered, Proposed
from simulator.wire.pdu_script import AwaitEnd, Close, Pause, Receive, Send, instances_in, script, step
from simulator.wire.pdu_stream import Message, MessageReader, Pdu, PduStream, Pdv
from simulator.wire.script_contents import Bytes, FromFile, Heard, NamedMessage, hexadecimal

UID = "1.2.840.10008.1.1"
PROPOSED = {"context_id": 1, "abstract_syntax_uid": UID}


def built(written: dict[str, Any], heard: Heard | None = None) -> bytes:
    """Return what a send step sends."""
    made = step({"send": written})
    assert isinstance(made, Send)
    assert not isinstance(made.what, FromFile)
    return made.what.build(heard or Heard())


def test_steps_are_read_as_they_are_written() -> None:
    assert script(
        [
            {"send": {"hex": "07 00 0000 # the head\n0004"}},
            {"send": {"file": "http-request"}},
            {"recv": "A-ABORT", "within": 3},
            {"recv": "C-STORE-RSP"},
            {"await_end": "rst", "within": 0.5},
            {"close": "half"},
            {"recv": "A-ASSOCIATE-RJ", "expect": {"reason": 7}},
            {"wait": 0.5},
            {"send": {"hl7": "MSH|a\n PID|b\n"}},
        ]
    ) == (
        Send(Bytes(b"\7\0\0\0\0\4")),
        Send(FromFile("http-request")),
        Receive("A-ABORT", 3.0),
        Receive("C-STORE-RSP", 10.0),
        AwaitEnd("rst", 0.5),
        Close("half"),
        Receive("A-ASSOCIATE-RJ", 10.0, {"reason": 7}),
        Pause(0.5),
        Send(Bytes(b"\x0bMSH|a\rPID|b\r\x1c\r")),
    )


def test_a_pdu_is_built_from_its_fields() -> None:
    assert built({"pdu": "A-ABORT", "source": 2, "reason": 6}) == pdu_builders.abort(source=2, reason=6)
    assert built({"pdu": "A-ABORT", "length": 99}) == b"\7\0\0\0\0\x63" + bytes(4)
    asked = built({"pdu": "A-ASSOCIATE-RQ", "called_ae_title": "X", "contexts": [PROPOSED], "user_items": "51 00"})
    assert asked == pdu_builders.associate_rq(called_ae_title="X", contexts=[Proposed(1, UID)], user_items=b"\x51\0")
    answered = built({"pdu": "A-ASSOCIATE-AC", "contexts": [{"context_id": 9, "result": 4}]})
    assert answered == pdu_builders.associate_ac(contexts=[Answered(9, result=4)])


def test_what_is_left_out_is_taken_from_what_came() -> None:
    request = pdu_builders.associate_rq(
        called_ae_title="SCP", calling_ae_title="SCU", contexts=[Proposed(1, UID, ("1.2", "1.3")), Proposed(5, "1.9")]
    )
    answered = built({"pdu": "A-ASSOCIATE-AC"}, Heard(request=Pdu(request)))
    contexts = [Answered(1, "1.2"), Answered(5)]
    assert answered == pdu_builders.associate_ac(called_ae_title="SCP", calling_ae_title="SCU", contexts=contexts)
    (pdv,) = Pdu(built({"message": "C-ECHO-RQ", "message_id": 7, "context_id": 3})).pdvs()
    asked = MessageReader().read(pdv)
    assert asked is not None
    (pdv,) = Pdu(built({"message": "C-ECHO-RSP", "status": 0x0122}, Heard(message=asked))).pdvs()
    response = MessageReader().read(pdv)
    assert isinstance(response, Message)
    assert (response.kind, response.context_id) == ("C-ECHO-RSP", 3)
    assert response.command.number(STATUS) == 0x0122
    assert response.command.number(0x0120) == 7


def test_every_element_of_a_message_can_be_wrong() -> None:
    sent = built({"message": "C-STORE-RQ", "data_set": "00 01", "data_set_type": 0x0101, "maximum_length": 40})
    pdus = [part for part in PduStream(whole=True).feed(sent) if isinstance(part, Pdu)]
    assert [[pdv.is_command for pdv in pdu.pdvs()] for pdu in pdus] == [[True], [True], [False]]
    assert max(len(pdu.raw) for pdu in pdus) == 46
    assert sent.endswith(b"\0\0\0\4\1\2\0\1")


def pdvs(sent: bytes) -> list[list[Pdv]]:
    """Return the PDVs of each PDU."""
    return [list(part.pdvs()) for part in PduStream(whole=True).feed(sent) if isinstance(part, Pdu)]


def test_pdvs_stand_in_one_pdu_as_they_are_written() -> None:
    parts = [{"context_id": 1, "hex": "0102", "command": True, "last": False}, {"context_id": 3, "hex": ""}]
    assert pdvs(built({"pdu": "P-DATA-TF", "pdvs": parts})) == [[Pdv(1, 1, b"\1\2"), Pdv(3, 2, b"")]]
    assert built({"pdu": "P-DATA-TF", "pdvs": [], "length": 9}) == b"\4\0\0\0\0\x09"


def test_a_message_is_cut_and_marked_as_the_script_says() -> None:
    message = {"message": "C-STORE-RQ", "context_id": 5, "data_set": "0011 2233"}
    ((command, data),) = pdvs(built(message | {"in_one_pdu": True}))
    assert (command.control, data) == (3, Pdv(5, 2, b"\x00\x11\x22\x33"))
    assert pdvs(built(message | {"ends": False}))[-1] == [Pdv(5, 0, b"\x00\x11\x22\x33")]
    assert pdvs(built(message | {"data_set_context_id": 7}))[-1] == [Pdv(7, 2, b"\x00\x11\x22\x33")]
    ((command,), _) = pdvs(built(message | {"group_length": 4}))
    assert command.fragment[:12] == b"\0\0\0\0\4\0\0\0\4\0\0\0"
    assert [len(pdv.fragment) for (pdv,) in pdvs(built(message | {"maximum_length": 8}))][-2:] == [2, 2]


def test_interleaved_messages_take_turns() -> None:
    one = {"message": "C-ECHO-RQ", "context_id": 1, "maximum_length": 50}
    taken = [pdv.context_id for (pdv,) in pdvs(built({"interleaved": [one, one | {"context_id": 3}]}))]
    assert taken == [1, 3]
    longer = one | {"context_id": 3, "data_set": "00" * 60}
    taken = [pdv.context_id for (pdv,) in pdvs(built({"interleaved": [longer, one]}))]
    assert taken == [3, 1, 3, 3]


def test_an_instance_of_a_study_goes_along() -> None:
    outgoing = Outgoing("1.2.3", "1.2.3.4", IMPLICIT_VR_LITTLE_ENDIAN, b"\0\1" * 8)
    steps = script(
        [
            {"send": {"message": "C-STORE-RQ", "instance": "study#2", "affected_sop_class_uid": "1.9"}},
            {"send": {"interleaved": [{"message": "C-STORE-RQ", "instance": "other#1"}, {"message": "C-ECHO-RQ"}]}},
            {"recv": "A-ABORT"},
        ]
    )
    assert list(instances_in(steps)) == ["study#2", "other#1"]
    assert isinstance(steps[0], Send)
    assert isinstance(steps[0].what, NamedMessage)
    command, data = pdvs(steps[0].what.with_instance(outgoing).build(Heard()))
    asked = MessageReader().read(command[0])
    assert asked is not None
    assert (asked.command.text(0x0002), asked.command.text(0x1000), asked.has_data_set) == ("1.9", "1.2.3.4", True)
    assert data[0].fragment == outgoing.data_set


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"snd": {"hex": "00"}}, "there is no step 'snd' (near: send)"),
        ({}, "there is no step '' (known: send, recv, wait, await_end, close)"),
        ({"send": "00"}, "send takes a mapping with one of hex, file, pdu, message"),
        (
            {"send": {"hex": "00", "pdu": "A-ABORT"}},
            "send takes one of hex, file, pdu, message, interleaved, hl7, text; here are hex, pdu",
        ),
        ({"send": {}}, "send takes one of hex, file, pdu, message, interleaved, hl7, text; here are none"),
        ({"send": {"hex": "0g"}}, "not hexadecimal: "),
        ({"send": {"hex": "00", "with": 1}}, "there is no key 'with'"),
        ({"send": {"pdu": "A-ABORD"}}, "there is no PDU 'A-ABORD' (near: A-ABORT"),
        ({"send": {"pdu": "A-ABORT", "reson": 1}}, "there is no key 'reson' (near: reason"),
        ({"send": {"pdu": "A-ABORT", "reason": 900}}, "no A-ABORT can be made of it"),
        ({"send": {"pdu": "A-ASSOCIATE-RQ"}}, "an A-ASSOCIATE-RQ needs contexts"),
        (
            {"send": {"pdu": "A-ASSOCIATE-RQ", "contexts": [{"context_id": 1}]}},
            "a presentation context needs abstract_syntax_uid",
        ),
        (
            {"send": {"pdu": "A-ASSOCIATE-RQ", "contexts": [PROPOSED | {"result": 1}]}},
            "there is no key 'result'",
        ),
        ({"send": {"message": "C-ECHO"}}, "there is no message 'C-ECHO' (near: C-ECHO-RQ"),
        ({"send": {"message": "C-ECHO-RQ", "mesage_id": 1}}, "there is no key 'mesage_id' (near: message_id"),
        ({"send": {"message": "C-ECHO-RQ", "message_id": 70000}}, "no C-ECHO-RQ can be made of it"),
        ({"send": {"pdu": "P-DATA-TF"}}, "a P-DATA-TF needs pdvs (an empty list for none)"),
        (
            {"send": {"pdu": "P-DATA-TF", "pdvs": [{"context_id": 1, "lost": True}]}},
            "there is no key 'lost' (near: last",
        ),
        ({"send": {"pdu": "P-DATA-TF", "pdvs": [{"hex": "00"}]}}, "no P-DATA-TF can be made of it"),
        ({"send": {"message": "C-STORE-RQ", "instance": "study"}}, "instance: 'study' is no instance of a study"),
        ({"send": {"message": "C-STORE-RQ", "instance": "study#0"}}, "the first of study `a` is a#1"),
        ({"send": {"message": "C-STORE-RQ", "ends": "no"}}, "ends: 'no' is neither true nor false"),
        ({"send": {"message": "C-STORE-RQ", "maximum_length": 6}}, "no C-STORE-RQ can be made of it"),
        ({"send": {"interleaved": {"message": "C-ECHO-RQ"}}}, "interleaved takes a list of messages"),
        ({"send": {"interleaved": [{"hex": "00"}]}}, "send takes one of"),
        ({"recv": "A-ASSOCIATE"}, "there is no PDU or message 'A-ASSOCIATE' (near: A-ASSOCIATE-"),
        ({"recv": "A-ABORT", "within": 0}, "within: 0 is no number of seconds above 0"),
        ({"recv": "A-ABORT", "within": "5"}, "within: '5' is no number of seconds above 0"),
        ({"recv": "A-ABORT", "withing": 5}, "there is no key 'withing' (near: within"),
        ({"close": "fin", "within": 5}, "there is no key 'within'"),
        ({"recv": "A-ASSOCIATE-RJ", "expect": {"reson": 7}}, "there is no key 'reson' (near: reason"),
        ({"recv": "C-STORE-RSP", "expect": {"reason": 7}}, "there is no key 'reason'"),
        ({"recv": "A-RELEASE-RP", "expect": {"reason": 7}}, "there is no key 'reason' (known: none)"),
        ({"recv": "A-ABORT", "expect": 2}, "expect: 2 is no mapping"),
        ({"wait": 0}, "wait: 0 is no number of seconds above 0"),
        ({"wait": 1, "within": 5}, "there is no key 'within'"),
        ({"await_end": "reset"}, "there is no end of a connection 'reset'"),
        ({"close": "abort"}, "there is no way to close 'abort'"),
    ],
)
def test_a_mistake_is_said_with_its_step(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"^step 2: ") as caught:
        script([{"close": "fin"}, written])
    assert words in str(caught.value)


def test_hexadecimal_has_comments_and_any_spaces() -> None:
    assert hexadecimal("# nothing\n 0a0B  # two\n\n0c") == b"\x0a\x0b\x0c"
