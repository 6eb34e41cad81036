from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as library

from simulator.errors import NotDicom
from simulator.wire import command_set, pdu_builders
from simulator.wire.command_set import CommandSet
from simulator.wire.command_set import command_set as a_command_set
from simulator.wire.pdu_builders import Answered, Proposed, fragments, message, p_data
from simulator.wire.pdu_stream import MessageReader, Pdu, PduStream, Pdv
from simulator.wire.pdus import ABORT, P_DATA_TF
from tests.wire.made import steady
from tests.wire.streams import a_stream, cuts, in_pieces, streams

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
ECHO = a_command_set(affected_sop_class_uid=VERIFICATION, command_field=0x0030, message_id=7, data_set_type=0x0101)


def read(data: bytes, pieces: list[bytes], *, whole: bool) -> tuple[bytes, list[Pdu]]:
    """Return every byte that a stream gives back, and its PDUs."""
    stream = PduStream(whole=whole)
    out, pdus = bytearray(), []
    for piece in pieces:
        for part in stream.feed(piece):
            if isinstance(part, Pdu):
                pdus.append(part)
            out += part.raw if isinstance(part, Pdu) else part
    return bytes(out + stream.rest()), pdus


# --- streams -----------------------------------------------------------------------------------------


@steady
@given(streams, cuts, st.booleans())
def test_no_byte_is_lost_or_changed_however_the_stream_is_cut(data: bytes, where: list[int], whole: bool) -> None:
    out, _ = read(data, in_pieces(data, where), whole=whole)
    assert out == data


@steady
@given(streams, cuts)
def test_the_pdus_are_the_same_however_the_stream_is_cut(data: bytes, where: list[int]) -> None:
    _, whole = read(data, [data], whole=True)
    assert read(data, in_pieces(data, where), whole=True) == (data, whole)
    assert b"".join(pdu.raw for pdu in whole) == data


@steady
@given(st.binary(max_size=200), cuts, st.booleans())
def test_bytes_that_are_no_dicom_pass_too(data: bytes, where: list[int], whole: bool) -> None:
    assert read(data, in_pieces(data, where), whole=whole)[0] == data


def test_fragments_of_data_sets_pass_as_they_come_and_nothing_else_does() -> None:
    command, data = fragments(ECHO.encode(), 1, command=True), Pdv(1, 0, b"x" * 1000)
    stream = PduStream()
    assert [part.name for part in stream.feed(p_data(command)) if isinstance(part, Pdu)] == ["P-DATA-TF"]
    sent = p_data([data])
    (early,) = stream.feed(sent[:100])
    assert bytes(early) == sent[:100]  # type: ignore[arg-type]
    assert not stream.between_pdus
    (late,) = stream.feed(sent[100:])
    assert bytes(late) == sent[100:]  # type: ignore[arg-type]
    assert stream.between_pdus
    assert list(stream.feed(pdu_builders.release_rq()[:9])) == []
    assert stream.rest() == pdu_builders.release_rq()[:9]


def test_with_whole_set_fragments_come_as_pdus_from_the_next_on() -> None:
    sent = p_data([Pdv(1, 0, b"x" * 50)])
    stream = PduStream()
    assert not isinstance(next(stream.feed(sent[:40])), Pdu)
    stream.whole = True
    parts = list(stream.feed(sent[40:] + sent))
    assert [bytes(parts[0]), parts[1]] == [sent[40:], Pdu(sent)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "TLS: what is inside cannot be read"),
        (b"\x16", "TLS: what is inside cannot be read"),
        (b"GET / HTTP/1.1", "bytes that are no PDU: 47 45 54 20 2f 20"),
        (struct.pack(">BBL", ABORT, 0, 0x7FFFFFFF), "bytes that are no PDU: 07 00 7f ff ff ff"),
    ],
)
def test_what_is_no_dicom_is_said_and_not_held_back(data: bytes, why: str) -> None:
    stream = PduStream()
    assert b"".join(bytes(part) for part in stream.feed(data)) == data  # type: ignore[arg-type]
    assert stream.unreadable == why
    assert not stream.between_pdus
    assert [bytes(part) for part in stream.feed(b"more")] == [b"more"]  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"\0\0\0\1\1", b"\0\0\0\7\1\3abc", b"\0\0\0\1\1\3", b"\0\0"])
def test_a_pdv_whose_length_cannot_be_right_is_said(content: bytes) -> None:
    with pytest.raises(NotDicom, match="the PDV at byte 6 says"):
        Pdu(pdu_builders.pdu(P_DATA_TF, content)).pdvs()


# --- messages ----------------------------------------------------------------------------------------


@steady
@given(st.integers(7, 40), st.sampled_from(list(command_set.FIELDS.items())))
def test_a_command_set_in_any_number_of_fragments_is_read(size: int, named: tuple[str, int]) -> None:
    kind, field = named
    command = ECHO.but(command_field=field)
    reader = MessageReader()
    found = [reader.read(pdv) for pdv in fragments(command.encode(), 3, command=True, maximum_length=size)]
    assert found[:-1] == [None] * (len(found) - 1)
    assert not reader.in_command
    last = found[-1]
    assert last is not None
    assert (last.kind, last.context_id, last.has_data_set) == (kind, 3, False)
    assert last.command == command


def test_a_command_set_that_is_cut_off_by_a_data_set_is_forgotten() -> None:
    reader = MessageReader()
    assert reader.read(Pdv(1, 1, b"\0\0")) is None
    assert reader.in_command
    assert reader.read(Pdv(1, 2, b"data")) is None
    assert not reader.in_command


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x08\0\x05\0\0\0\0\0", r"\(0008,0005\) at byte 0 is not of group 0000"),
        (b"\0\0\0\1\2", "5 bytes at byte 0 are no element"),
        (b"\0\0\0\1\x09\0\0\0ab", r"\(0000,0100\) has 9 bytes, 2 are left"),
    ],
)
def test_bytes_that_are_no_command_set_are_said(data: bytes, words: str) -> None:
    reader = MessageReader()
    with pytest.raises(NotDicom, match=words):
        reader.read(Pdv(1, 3, data))
    assert not reader.in_command


def test_a_command_field_that_is_not_the_standards_has_its_number_for_a_name() -> None:
    assert ECHO.but(command_field=0x0999).kind == "command field 0999H"
    assert CommandSet({}).kind == "no command field"


def test_a_command_set_is_what_the_standards_example_is() -> None:
    """PS3.7 6.3.1: implicit VR, group length first, elements in order, UIDs padded by NUL."""
    uid = b"1.2.840.10008.1.1\0"
    elements = b"\0\0\2\0\x12\0\0\0" + uid
    elements += b"\0\0\0\1\2\0\0\0\x30\0" + b"\0\0\x10\1\2\0\0\0\7\0" + b"\0\0\0\x08\2\0\0\0\1\1"
    assert ECHO.encode() == b"\0\0\0\0\4\0\0\0" + struct.pack("<L", len(elements)) + elements
    assert ECHO.encode(group_length=9)[8:12] == b"\x09\0\0\0"


def test_a_response_refers_to_its_request() -> None:
    asked = a_command_set(
        requested_sop_class_uid="1.2.840.10008.1.20.1",
        command_field=0x0130,
        message_id=9,
        data_set_type=1,
        requested_sop_instance_uid="1.2.840.10008.1.20.1.1",
        action_type_id=1,
    )
    answer = command_set.response_to(asked, 0x0110, "no room")
    assert (answer.kind, answer.has_data_set) == ("N-ACTION-RSP", False)
    assert answer.number(command_set.STATUS) == 0x0110
    assert answer.number(command_set.MESSAGE_ID_BEING_RESPONDED_TO) == 9
    assert answer.text(command_set.AFFECTED_SOP_CLASS_UID) == "1.2.840.10008.1.20.1"
    assert answer.text(command_set.AFFECTED_SOP_INSTANCE_UID) == "1.2.840.10008.1.20.1.1"
    assert answer.number(command_set.ACTION_TYPE_ID) == 1
    assert answer.text(command_set.ERROR_COMMENT) == "no room"


# --- PDUs built, and read by pynetdicom --------------------------------------------------------------


def test_an_associate_rq_is_read_by_the_library() -> None:
    contexts = [Proposed(1, VERIFICATION), Proposed(3, CT, ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"))]
    built = pdu_builders.associate_rq(called_ae_title="A", calling_ae_title="B", contexts=contexts, maximum_length=0)
    read_back = library.A_ASSOCIATE_RQ()
    read_back.decode(built)
    assert read_back.encode() == built
    assert (read_back.called_ae_title, read_back.calling_ae_title) == ("A", "B")
    assert [(c.context_id, c.abstract_syntax) for c in read_back.presentation_context] == [(1, VERIFICATION), (3, CT)]
    assert pdu_builders.proposed_in(Pdu(built)) == contexts
    assert pdu_builders.titles_in(Pdu(built)) == ("A", "B")


def test_the_other_pdus_are_read_by_the_library() -> None:
    accepted = pdu_builders.associate_ac(contexts=[Answered(1), Answered(3, result=3)])
    read_back = library.A_ASSOCIATE_AC()
    read_back.decode(accepted)
    assert [(c.context_id, c.result) for c in read_back.presentation_context] == [(1, 0), (3, 3)]
    for built, kind in (
        (pdu_builders.associate_rj(result=2, source=3, reason=1), library.A_ASSOCIATE_RJ),
        (pdu_builders.release_rq(), library.A_RELEASE_RQ),
        (pdu_builders.release_rp(), library.A_RELEASE_RP),
        (pdu_builders.abort(source=2, reason=6), library.A_ABORT_RQ),
        (message(1, ECHO), library.P_DATA_TF),
    ):
        decoded = kind()
        decoded.decode(built)
        assert decoded.encode() == built


def test_the_builders_write_what_the_standard_forbids() -> None:
    assert pdu_builders.p_data([Pdv(2, 0xFF, b"")], length=3)[:12] == b"\4\0\0\0\0\3\0\0\0\2\2\xff"
    assert pdu_builders.item(0x51, b"\0", length=400) == b"\x51\0\1\x90\0"
    wrong = pdu_builders.associate_rq(contexts=[], protocol_version=9, application_context="1.2", user_items=b"junk")
    assert wrong[6:8] == b"\0\x09"
    assert wrong.endswith(b"junk")


@pytest.mark.parametrize("maximum", [7, 20, 0])
def test_a_message_keeps_to_the_length_that_its_receiver_takes(maximum: int) -> None:
    data = message(5, ECHO.but(data_set_type=1), b"d" * 100, maximum_length=maximum)
    _, pdus = read(data, [data], whole=True)
    pdvs = [pdv for pdu in pdus for pdv in pdu.pdvs()]
    assert all(len(pdu.raw) - 6 <= (maximum or 200) for pdu in pdus)
    assert b"".join(pdv.fragment for pdv in pdvs if not pdv.is_command) == b"d" * 100
    assert [pdv.is_last for pdv in pdvs].count(True) == 2
    assert pdvs[-1].is_last


def test_a_whole_dialogue_is_named() -> None:
    data = a_stream(["A-ASSOCIATE-RQ", "C-STORE-RQ", "N-ACTION-RQ", "A-RELEASE-RQ", "A-ABORT"])
    _, pdus = read(data, [data], whole=True)
    reader = MessageReader()
    names = []
    for pdu in pdus:
        pdvs = pdu.pdvs() if pdu.kind == P_DATA_TF else ()
        names += [found.kind for pdv in pdvs if (found := reader.read(pdv))] if pdvs else [pdu.name]
    assert names == ["A-ASSOCIATE-RQ", "C-STORE-RQ", "N-ACTION-RQ", "A-RELEASE-RQ", "A-ABORT"]
