from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import AE, build_role, evt

from simulator.actors.front_door import FrontDoor
from simulator.wire import transcript
from simulator.wire.negotiation import Context, Implementation, Roles, implementation, maximum_length, proposed
from simulator.wire.pdu_builders import IMPLEMENTATION_CLASS_UID, Answered, Proposed, associate_ac, associate_rq, item
from simulator.wire.transcript import Transcript
from tests.wire.made import steady
from tests.wire.sockets import HOST
from tests.wire.test_transcript import read

VERIFICATION, CT, COMMITMENT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.20.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def roles(uid: str, scu: int, scp: int) -> bytes:
    return item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes((scu, scp)))


RQ = associate_rq(
    contexts=[
        Proposed(1, CT, (EXPLICIT, IMPLICIT)),
        Proposed(3, CT, ("1.2.840.10008.1.2.4.70",)),
        Proposed(5, COMMITMENT),
    ],
    user_items=item(0x55, b"PACS 1.0 ") + roles(COMMITMENT, 1, 1),
    maximum_length=0,
)
AC = associate_ac(contexts=[Answered(1, EXPLICIT), Answered(3, "1.2", result=4)], user_items=roles(COMMITMENT, 0, 1))


def test_contexts_are_told_with_their_answers() -> None:
    assert proposed(read(("requestor", RQ), ("acceptor", AC))) == (
        Context(1, CT, (EXPLICIT, IMPLICIT), 0, EXPLICIT),
        Context(3, CT, ("1.2.840.10008.1.2.4.70",), 4),
        Context(5, COMMITMENT, (IMPLICIT,), None, "", Roles(True, True), Roles(False, True)),
    )


def test_without_an_answer_there_are_the_proposals() -> None:
    found = proposed(read(("requestor", RQ)))
    assert [(each.result, each.is_accepted, each.transfer_syntax_uid) for each in found] == [(None, False, "")] * 3
    assert proposed(read(("acceptor", AC))) == ()


def test_each_side_says_what_it_runs_on() -> None:
    found = read(("requestor", RQ), ("acceptor", AC))
    assert implementation(found, "requestor") == (IMPLEMENTATION_CLASS_UID, "PACS 1.0")
    assert implementation(found, "acceptor") == (IMPLEMENTATION_CLASS_UID, "")
    assert (maximum_length(found, "requestor"), maximum_length(found, "acceptor")) == (0, 16384)
    nothing = read(("requestor", b"\1\0\0"))
    assert implementation(nothing, "requestor") == Implementation("", "")
    assert maximum_length(nothing, "acceptor") is None


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\xff1.2", b"\0\x031.2\1"])
def test_a_role_selection_that_is_none_says_nothing(content: bytes) -> None:
    request = associate_rq(contexts=[Proposed(1, "1.2")], user_items=item(0x54, content))
    (found,) = proposed(read(("requestor", request)))
    assert found.roles_proposed is None


@steady
@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 400))
def test_whatever_comes_is_read_as_far_as_it_can_be(there: bytes, back: bytes, cut: int) -> None:
    request = associate_rq(contexts=[Proposed(1, CT)], user_items=there)
    for asked in (request, request[:cut], b"\1\0" + struct.pack(">L", len(there)) + there):
        found = read(("requestor", asked), ("acceptor", b"\2\0" + struct.pack(">L", len(back)) + back))
        assert len(proposed(found)) <= 200
        assert isinstance(implementation(found, "requestor").class_uid, str)


def associated() -> Transcript:
    """Return the transcript of an association between two peers of the library that the product stands on."""
    scp = AE("SCP")
    scp.implementation_version_name = "ACCEPTOR"
    scp.add_supported_context(CT, [EXPLICIT])
    scp.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    listening = scp.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0)])
    assert listening is not None
    door = FrontDoor("a->b", "DICOM", print, target=(HOST, listening.server_address[1]))
    try:
        scu = AE("SCU")
        scu.add_requested_context(CT, [IMPLICIT, EXPLICIT])
        scu.add_requested_context(VERIFICATION)
        scu.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scu_role=False, scp_role=True)
        association = scu.associate(HOST, door.start(), ae_title="SCP", max_pdu=32768, ext_neg=[role])
        assert association.is_established
        association.release()
        return transcript.read(door.conversations()[0])
    finally:
        door.stop()
        listening.shutdown()


def test_what_the_library_says_is_read() -> None:
    found = associated()
    ct, verification, commitment = proposed(found)
    assert (ct.result, ct.transfer_syntax_uids, ct.transfer_syntax_uid) == (0, (IMPLICIT, EXPLICIT), EXPLICIT)
    assert (verification.result, verification.transfer_syntax_uid) == (3, "")
    assert (commitment.roles_proposed, commitment.roles_accepted) == (Roles(False, True), Roles(False, True))
    assert implementation(found, "acceptor").version_name == "ACCEPTOR"
    assert implementation(found, "requestor").class_uid.startswith("1.2.826.0.1.3680043.9.3811.")
    assert maximum_length(found, "requestor") == 32768
