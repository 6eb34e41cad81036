"""Masked conversations: no name, no identifier and no birth date is left, and everything else is as it was."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread

from simulator.wire import pcap, pdu_builders, transcript
from simulator.wire.conversation import Conversation
from simulator.wire.data_set import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from simulator.wire.masking import IDENTIFYING, masked
from simulator.wire.pdu_builders import item, message, p_data, pdu
from simulator.wire.pdu_stream import Pdv
from simulator.wire.pdus import P_DATA_TF
from simulator.wire.transcript import KEPT
from tests.gateway.made import a_message
from tests.synthesis.made import a_study, an_order
from tests.wire.made import (
    NATIVE,
    fragments,
    sequence,
    steady,
    unknown_sequence,
    written,
)
from tests.wire.streams import cuts, in_pieces, streams
from tests.wire.test_transcript import AC, ANSWER, RQ, STORE, recorded, said

NAME, NUMBER, BORN = b"CHAN^TAI MAN", b"A1234563", b"19800229"
TELLING = (NAME, NUMBER, BORN)


def person() -> list[DataElement]:
    return [
        DataElement(0x00100010, "PN", NAME.decode()),
        DataElement(0x00100020, "LO", NUMBER.decode()),
        DataElement(0x00100030, "DA", BORN.decode()),
        DataElement(0x00100040, "CS", "M"),
    ]


def of(*elements: DataElement) -> Dataset:
    made = Dataset()
    for each in elements:
        made.add(each)
    return made


def a_data_set(*more: DataElement, pixels: int = 500) -> Dataset:
    """Return a data set that names its patient in four places."""
    other = of(DataElement(0x00100020, "LO", NUMBER.decode()), DataElement(0x00100022, "CS", "TEXT"))
    original = of(sequence(0x04000550, [of(*person())], undefined=True, undefined_items=True))
    return of(
        DataElement(0x00080005, "CS", "ISO_IR 100"),
        DataElement(0x00080050, "SH", "XXXXR0700000101H"),
        *person(),
        sequence(0x00101002, [other], undefined_items=True),
        DataElement(0x00104000, "LT", "as " + NAME.decode()),
        DataElement(0x00200010, "SH", "STUDY"),
        sequence(0x04000561, [original]),
        *more,
        DataElement(0x7FE00010, "OW", bytes(pixels)),
    )


def sent(data: bytes, maximum: int = 200, where: list[int] | None = None) -> Conversation:
    """Return a conversation in which a data set is stored twice."""
    stream = message(1, STORE, data, maximum_length=maximum) * 2
    pieces = in_pieces(stream, where or [])
    return said(
        ("requestor", RQ), ("acceptor", AC), *(("requestor", each) for each in pieces), ("acceptor", message(1, ANSWER))
    )


def everything(conversation: Conversation) -> bytes:
    return conversation.said("requestor") + conversation.said("acceptor")


def shape(conversation: Conversation) -> object:
    return [(each.at, each.by, len(each.data), each.length) for each in conversation.segments]


# --- DICOM -------------------------------------------------------------------------------------------------


@steady
@given(st.sampled_from(NATIVE), st.sampled_from((7, 50, 200, 0)), cuts)
def test_nothing_that_tells_is_left_and_the_rest_is_as_it_was(syntax: str, maximum: int, where: list[int]) -> None:
    data = written(a_data_set(), syntax)
    before = sent(data, maximum, where)
    after = masked(before)
    assert shape(after) == shape(before)
    kept = [m.data_set for m in transcript.read(after).messages if m.data_set]
    assert [len(each) for each in kept] == [len(data)] * 2
    for each in kept:
        assert not any(value in each for value in TELLING)
        same(each, data, syntax)
    assert masked(after) == after


def same(found: bytes, data: bytes, syntax: str) -> None:
    """Check that two data sets differ in nothing but the values that tell."""
    was, now = plain(data, syntax), plain(found, syntax)
    assert now.AccessionNumber == was.AccessionNumber
    for before, after in zip(was.iterall(), now.iterall(), strict=True):
        assert (before.tag, before.VR) == (after.tag, after.VR)
        if before.tag in IDENTIFYING:
            assert set(str(after.value)) <= {"X", " "}
        elif before.VR != "SQ":
            assert before.value == after.value


def plain(data: bytes, syntax: str) -> Dataset:
    return dcmread(BytesIO(file_meta(syntax) + data), force=True)


def file_meta(syntax: str) -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    return bytes(128) + b"DICM" + b"\2\0\x10\0UI" + struct.pack("<H", len(uid)) + uid


def test_what_was_not_kept_hides_nothing() -> None:
    before, _ = recorded(sent(written(a_data_set(pixels=3 * KEPT)), 16384, [100, 70_000]))
    after = masked(before)
    assert shape(after) == shape(before)
    assert not any(value in everything(after) for value in TELLING)
    assert len(pcap.encoded(after)) == len(pcap.encoded(before))
    differing = sum(a != b for a, b in zip(everything(before), everything(after), strict=True))
    assert 0 < differing < 2 * 4 * (len(NAME) + len(NUMBER) + len(BORN))


def test_values_are_found_behind_fragments_and_in_what_nobody_knows() -> None:
    inner = of(*person())
    icon = sequence(0x00880200, [of(DataElement(0x00280010, "US", 1), fragments(b"ab" * 9, b"cd"))], undefined=True)
    known = sequence(0x04000500, [inner], undefined=True, undefined_items=True)
    little = written(a_data_set(icon, known, unknown_sequence(0x00191001, [inner])), EXPLICIT_VR_LITTLE_ENDIAN)
    for data in (little, written(a_data_set(known), EXPLICIT_VR_BIG_ENDIAN)):
        after = masked(sent(data, maximum=0))
        assert not any(value in everything(after) for value in TELLING)
        assert everything(after).count(b"STUDY") == 2


def test_a_private_sequence_without_a_representation_is_gone_into() -> None:
    """In Implicit VR nobody knows what a private attribute is; this one has items."""
    inner = written(of(*person()), NATIVE[0])
    value = b"\xfe\xff\0\xe0" + struct.pack("<L", len(inner)) + inner
    data = (
        written(of(DataElement(0x00080050, "SH", "XXX")), NATIVE[0])
        + b"\x19\0\1\x10"
        + struct.pack("<L", len(value))
        + value
    )
    after = masked(sent(data))
    assert not any(value in everything(after) for value in TELLING)


@pytest.mark.parametrize("sent_in", NATIVE)
def test_what_was_encoded_otherwise_than_negotiated_is_masked_all_the_same(sent_in: str) -> None:
    """The context was accepted in Explicit VR Little Endian."""
    after = masked(sent(written(a_data_set(), sent_in), maximum=0))
    assert not any(value in everything(after) for value in TELLING)
    assert everything(after).count(b"XXXXR0700000101H") == 2


@pytest.mark.parametrize(
    "data",
    [
        written(a_data_set(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN),
        file_meta(EXPLICIT_VR_LITTLE_ENDIAN) + written(a_data_set()),
        b"1234",
    ],
)
def test_a_data_set_that_cannot_be_read_is_overwritten_whole(data: bytes) -> None:
    (first, second) = (m.data_set for m in transcript.read(masked(sent(data))).messages if m.data_set)
    assert first == second == b"X" * len(data)


def test_where_a_data_set_goes_wrong_it_is_overwritten_from_there_on() -> None:
    whole = written(a_data_set())
    begin = whole.index(b"\x20\0\x10\0SH")
    wrong = whole[: begin + 4] + b"??" + whole[begin + 6 :]
    (found, _) = (m.data_set for m in transcript.read(masked(sent(wrong))).messages if m.data_set)
    assert found[begin:] == b"X" * (len(wrong) - begin)
    assert b"XXXXR0700000101H" in found


def test_a_length_that_leads_beyond_the_data_set_hides_nothing() -> None:
    whole = written(a_data_set())
    begin = whole.index(b"\x08\0\x50\0SH") + 6
    wrong = whole[:begin] + struct.pack("<H", 60_000) + whole[begin + 2 :]
    assert not any(value in everything(masked(sent(wrong))) for value in TELLING)


def test_half_a_data_set_is_masked_as_far_as_it_came() -> None:
    data = written(of(*person()))
    stream = message(1, STORE, data)
    for cut in range(len(stream) - len(data), len(stream)):
        after = masked(said(("requestor", stream[:cut])))
        assert NAME[:6] not in everything(after)
        assert NUMBER[:6] not in everything(after)


def test_pdvs_that_do_not_add_up_are_overwritten() -> None:
    content = b"\0\0\xff\xff\1\2" + written(of(*person()))
    before = said(("requestor", pdu(P_DATA_TF, content)))
    after = masked(before).said("requestor")
    assert after[:12] == before.said("requestor")[:12]
    assert set(after[12:]) == {ord("X")}


def test_command_and_data_set_in_one_pdu_are_told_apart() -> None:
    data = written(of(*person()))
    both = p_data([Pdv(1, 3, STORE.encode()), Pdv(1, 0, data[:25]), Pdv(1, 2, data[25:])])
    after = masked(said(("requestor", both)))
    assert not any(value in everything(after) for value in TELLING)
    assert [m.command for m in transcript.read(after).messages] == [STORE]


def test_user_identities_are_masked_and_the_rest_of_the_request_is_not() -> None:
    identity = item(0x58, b"\2\0" + struct.pack(">H", 5) + b"admin" + struct.pack(">H", 6) + b"secret")
    request = pdu_builders.associate_rq(contexts=[pdu_builders.Proposed(1, "1.2.3")], user_items=identity)
    after = masked(said(("requestor", request[:-9]), ("requestor", request[-9:]))).said("requestor")
    assert after == request[:-13] + b"X" * 13


@steady
@given(streams, cuts)
def test_what_names_nobody_is_left_but_for_data_sets_that_are_none(data: bytes, where: list[int]) -> None:
    before = said(*(("requestor", piece) for piece in in_pieces(data, where)))
    after = masked(before)
    assert shape(after) == shape(before)
    was, now = transcript.read(before), transcript.read(after)
    assert [(each.kind, each.length, each.offset) for each in was.pdus] == [
        (p.kind, p.length, p.offset) for p in now.pdus
    ]
    assert [m.command for m in was.messages] == [m.command for m in now.messages]


@steady
@given(st.binary(max_size=300), cuts)
def test_any_bytes_can_be_masked(data: bytes, where: list[int]) -> None:
    for protocol in ("DICOM", "HL7"):
        pieces = in_pieces(data, where)
        before = replace(said(*(("requestor", piece) for piece in pieces)), protocol=protocol)
        after = masked(before)
        assert shape(after) == shape(before)
        whole = replace(said(("requestor", data)), protocol=protocol)
        assert masked(whole).said("requestor") == after.said("requestor")


@steady
@given(st.binary(max_size=200), st.sampled_from(NATIVE))
def test_any_bytes_in_a_data_set_can_be_masked(data: bytes, syntax: str) -> None:
    before = sent(written(of(*person()), syntax) + data)
    after = masked(before)
    assert shape(after) == shape(before)
    assert not any(value in everything(after) for value in TELLING)


def test_a_synthetic_study_is_anonymous() -> None:
    study = a_study(instances=2)
    order = an_order("tests")
    conversation = sent(study.instances[0].data_set, 16384)
    assert order.person.hkid.encode() in everything(conversation)
    after = everything(masked(conversation))
    for value in (order.person.hkid, order.person.name, order.person.birth_date):
        assert value.encode() not in after
    assert order.accession_number.encode() in after


# --- HL7 -----------------------------------------------------------------------------------------------------


def hl7(*pieces: bytes) -> Conversation:
    return replace(said(*(("requestor", piece) for piece in pieces)), protocol="HL7")


@steady
@given(cuts)
def test_an_order_tells_nobody(where: list[int]) -> None:
    order = an_order("hl7")
    block = b"\x0b" + a_message(order) + b"\x1c\r"
    before = hl7(*in_pieces(block * 2, where))
    after = masked(before)
    assert shape(after) == shape(before)
    found = after.said("requestor")
    for value in (order.person.hkid, order.person.birth_date, order.person.name.partition("^")[0]):
        assert value.encode() in block
        assert value.encode() not in found
    assert found.count(order.accession_number.encode()) == block.count(order.accession_number.encode()) * 2
    assert [len(line) for line in found.split(b"\r")] == [len(line) for line in before.said("requestor").split(b"\r")]


def fields_of(message: bytes) -> bytes:
    return masked(hl7(message)).said("requestor")


def test_what_parts_a_field_stays() -> None:
    found = fields_of(b"\x0bMSH|^~\\&|A\rPID|1|x|A1^^^HKID~B2||CHAN^TAI\\T\\MAN||19800229|M\rMRG|Z99\r\x1c\r")
    assert found == b"\x0bMSH|^~\\&|A\rPID|1|X|XX^^^XXXX~XX||XXXX^XXXXXXXXX||XXXXXXXX|M\rMRG|XXX\r\x1c\r"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"MSH#*%!$#A\nPID#1##A1*B%C##N*M\n", b"MSH#*%!$#A\nPID#1##XX*X%X##X*X\n"),
        (b'MSH|^~\\&|A\rPID|1||""||""||""\r', b'MSH|^~\\&|A\rPID|1||""||""||""\r'),
        (b"PID|||A1||CHAN", b"PID|||XX||XXXX"),
        (b"ZPI|||A1||CHAN\rOBR|PID|||A1", b"ZPI|||A1||CHAN\rOBR|PID|||A1"),
        (b"MSH|^~\\&\rMSA|AA|1\r", b"MSH|^~\\&\rMSA|AA|1\r"),
        (b"MSH||\rPID|||A^1|\r", b"MSH||\rPID|||XXX|\r"),
    ],
)
def test_segments_are_found_however_they_are_written(before: bytes, after: bytes) -> None:
    assert fields_of(before) == after


# In Big5 their second bytes are those of | and ^, and of ~.
@pytest.mark.parametrize("name", ["\u5c1a\u543e", "\u54c1"])
def test_a_character_whose_second_byte_parts_fields_does_not_shift_them(name: str) -> None:
    encoded = name.encode("big5hkscs")
    header = b"MSH|^~\\&|A|B|C|D|1||ORM^O01|1|P|2.3.1||||||BIG-5\r"
    found = fields_of(header + b"PID|1||A1||" + encoded + b"^X||19800229|M\r")
    assert found == header + b"PID|1||XX||" + b"X" * len(encoded) + b"^X||XXXXXXXX|M\r"


def test_hl7_on_the_dicom_port_is_masked_too() -> None:
    found = masked(said(("requestor", b"\x0bMSH|^~\\&|A\rPID|1||A1||"), ("requestor", b"CHAN\r"))).said("requestor")
    assert found == b"\x0bMSH|^~\\&|A\rPID|1||XX||XXXX\r"


def test_of_what_nobody_knows_the_beginning_is_shown_and_tls_is_left() -> None:
    junk, tls = b"GET /" + bytes(100), b"\x16\x03\1" + bytes(100)
    assert masked(said(("requestor", junk))).said("requestor") == junk[:64] + b"X" * 41
    assert masked(said(("requestor", tls))).said("requestor") == tls
