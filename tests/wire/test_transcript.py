from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import pdu_builders, transcript
from simulator.wire.command_set import FIELDS, command_set
from simulator.wire.conversation import Conversation, Segment, Side
from simulator.wire.pdu_builders import Answered, Proposed, message, p_data, pdu
from simulator.wire.pdu_stream import Pdu, PduStream, Pdv
from simulator.wire.pdus import ABORT, ASSOCIATE_AC, ASSOCIATE_RQ, P_DATA_TF, RELEASE_RP, RELEASE_RQ
from simulator.wire.recording import Recording
from simulator.wire.transcript import KEPT, SaidMessage, SaidPdu, Transcript
from tests.wire.made import steady
from tests.wire.streams import cuts, in_pieces, streams

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
STORE = command_set(
    affected_sop_class_uid=CT, command_field=FIELDS["C-STORE-RQ"], message_id=1, data_set_type=1, priority=0
)
ANSWER = command_set(
    command_field=FIELDS["C-STORE-RSP"], message_id_being_responded_to=1, data_set_type=0x0101, status=0
)
RQ = pdu_builders.associate_rq(contexts=[Proposed(1, CT, (EXPLICIT,)), Proposed(3, CT)])
AC = pdu_builders.associate_ac(contexts=[Answered(1, EXPLICIT), Answered(3, "", result=4)])
EMPTY = Conversation("here->there", 1, "DICOM", "2026-01-01T00:00:00+00:00", ("127.0.0.1", 1), ("127.0.0.1", 2))


def said(*pieces: tuple[Side, bytes]) -> Conversation:
    """Return a conversation in which each piece comes a second after the one before."""
    segments = (Segment(float(at), by, data, len(data)) for at, (by, data) in enumerate(pieces))
    return replace(EMPTY, segments=tuple(segments))


def read(*pieces: tuple[Side, bytes]) -> Transcript:
    return transcript.read(said(*pieces))


def timeless(read: Transcript) -> Any:
    """Return what a transcript says but for times."""

    def by(side: Side) -> list[Any]:
        pdus = [replace(each, at=0.0) for each in read.pdus if each.by == side]
        messages = [replace(m, at=0.0, ended=None if m.ended is None else 0.0) for m in read.messages if m.by == side]
        return [pdus, messages]

    return by("requestor"), by("acceptor"), read.unreadable, set(read.malformed)


def recorded(conversation: Conversation) -> tuple[Conversation, list[SaidPdu | SaidMessage]]:
    """Return what a recording keeps of a conversation, and what it tells."""
    told: list[SaidPdu | SaidMessage] = []

    def tell(what: str, _: Conversation, each: Any) -> None:
        told.extend([each] if what == "said" else [])

    recording = Recording(EMPTY, tell)
    for segment in conversation.segments:
        recording.add(segment.at, segment.by, memoryview(segment.data))
    recording.close()
    return recording.conversation(), told


def interleaved(there: list[bytes], back: list[bytes], turns: Sequence[bool]) -> Conversation:
    """Return a conversation of these pieces, taken in turns."""
    pieces: list[tuple[Side, bytes]] = []
    for turn in turns:
        source, side = (there, "requestor") if turn else (back, "acceptor")
        pieces += [(side, source.pop(0))] if source else []  # type: ignore[list-item]
    return said(*pieces, *[("requestor", each) for each in there], *[("acceptor", each) for each in back])


# --- however it is cut -----------------------------------------------------------------------------------


@steady
@given(streams, streams, cuts, cuts, st.lists(st.booleans(), max_size=40))
def test_what_was_said_is_the_same_however_the_streams_are_cut(
    there: bytes, back: bytes, where: list[int], where_back: list[int], turns: list[bool]
) -> None:
    whole = read(("requestor", RQ), ("acceptor", AC), ("requestor", there), ("acceptor", back))
    cut = interleaved([RQ, *in_pieces(there, where)], [AC, *in_pieces(back, where_back)], [True, False, *turns])
    assert timeless(transcript.read(cut)) == timeless(whole)


@steady
@given(st.lists(st.one_of(streams, st.binary(max_size=40)), max_size=3).map(b"".join), cuts)
def test_so_is_what_is_no_dicom(data: bytes, where: list[int]) -> None:
    cut = said(*(("requestor", piece) for piece in in_pieces(data, where)))
    whole = read(("requestor", data))
    assert timeless(transcript.read(cut)) == timeless(whole)
    assert sum(each.length - each.missing for each in whole.pdus) == len(data)


@steady
@given(streams, cuts)
def test_the_pdus_are_those_of_the_stream(data: bytes, where: list[int]) -> None:
    stream = PduStream(whole=True)
    expected = [part.raw for part in stream.feed(data) if isinstance(part, Pdu)]
    found = transcript.read(said(*(("requestor", piece) for piece in in_pieces(data, where)))).pdus
    assert [(each.kind, each.length) for each in found] == [(raw[0], len(raw)) for raw in expected]
    assert all(raw.startswith(each.raw) for each, raw in zip(found, expected, strict=True))
    offsets = [sum(map(len, expected[:position])) for position in range(len(expected))]
    assert [each.offset for each in found] == offsets


@steady
@given(streams, cuts)
def test_a_recording_tells_what_its_transcript_says(data: bytes, where: list[int]) -> None:
    kept, told = recorded(said(*(("requestor", piece) for piece in in_pieces(data, where))))
    assert kept.said("requestor") == data
    found = transcript.read(kept)
    assert sorted(told, key=repr) == sorted([*found.pdus, *found.messages], key=repr)


@steady
@given(st.sampled_from((0, 1, KEPT - 1, KEPT, KEPT + 1, 300_000)), st.sampled_from((1000, 16384, 131072, 0)), cuts)
def test_what_is_not_kept_of_a_data_set_is_stepped_over(size: int, maximum: int, where: list[int]) -> None:
    stored = message(1, STORE, b"d" * size, maximum_length=maximum) if size else message(1, STORE)
    data = RQ + stored + stored + pdu_builders.release_rq()
    full = said(("requestor", b""), ("acceptor", AC), *(("requestor", piece) for piece in in_pieces(data, where)))
    kept, told = recorded(full)
    heads = 12 * (size // (maximum - 6 if maximum else size or 1) + 1)
    assert len(kept.said("requestor")) <= len(RQ) + 2 * (200 + min(size, KEPT) + heads) + 10
    assert sum(segment.length for segment in kept.segments) == len(data) + len(AC)
    found = transcript.read(kept)

    def lengths(each: Transcript) -> Any:
        return [replace(pdu, raw=pdu.raw[:12]) for pdu in each.pdus], each.messages, each.unreadable

    assert lengths(found) == lengths(transcript.read(full))
    assert [m.data_set for m in found.messages if m.ended] == ([b"d" * min(size, KEPT)] * 2 if size else [])
    assert len([each for each in told if isinstance(each, SaidPdu)]) == len(found.pdus)


# --- what is read ------------------------------------------------------------------------------------------


def test_an_association_is_read_with_its_times_and_offsets() -> None:
    stored = message(1, STORE, b"12345678")
    command, data = stored[: len(stored) - 20], stored[len(stored) - 20 :]
    found = read(
        ("requestor", RQ[:50]),
        ("requestor", RQ[50:]),
        ("acceptor", AC),
        ("requestor", command),
        ("requestor", data[:15]),
        ("requestor", data[15:]),
        ("acceptor", message(1, ANSWER)),
        ("requestor", pdu_builders.release_rq()),
        ("acceptor", pdu_builders.release_rp()),
    )
    kinds = [(each.at, each.by, each.kind, each.offset) for each in found.pdus]
    assert kinds == [
        (1, "requestor", ASSOCIATE_RQ, 0),
        (2, "acceptor", ASSOCIATE_AC, 0),
        (3, "requestor", P_DATA_TF, len(RQ)),
        (5, "requestor", P_DATA_TF, len(RQ) + len(command)),
        (6, "acceptor", P_DATA_TF, len(AC)),
        (7, "requestor", RELEASE_RQ, len(RQ) + len(stored)),
        (8, "acceptor", RELEASE_RP, len(AC) + len(message(1, ANSWER))),
    ]
    asked, answered = found.messages
    assert asked == SaidMessage(3, "requestor", len(RQ), 1, STORE, EXPLICIT, b"12345678", 8, 5)
    assert answered == SaidMessage(6, "acceptor", len(AC), 1, ANSWER, EXPLICIT, b"", 0, 6)
    assert (found.unreadable, found.malformed) == ("", ())


def test_a_message_on_a_context_that_was_not_accepted_has_no_transfer_syntax() -> None:
    (found,) = read(("acceptor", AC), ("requestor", message(3, STORE, b"d"))).messages
    assert (found.context_id, found.transfer_syntax_uid) == (3, "")


def test_command_and_data_set_in_one_pdu_are_read() -> None:
    both = p_data([Pdv(1, 3, STORE.encode()), Pdv(1, 0, b"ab"), Pdv(1, 2, b"")])
    found = read(("requestor", both))
    assert found.messages == (SaidMessage(0, "requestor", 0, 1, STORE, "", b"ab", 2, 0),)
    assert [(len(each.raw), each.length) for each in found.pdus] == [(64, len(both))]


@pytest.mark.parametrize("size", [1, 5, 6, 11, 12, 40])
def test_half_a_pdu_is_told_with_what_is_missing(size: int) -> None:
    stored = message(1, STORE)
    (found,) = read(("requestor", stored[:size])).pdus
    assert (found.kind, found.raw) == (P_DATA_TF, stored[:size])
    assert found.missing == (len(stored) if size >= 6 else 6) - size


def test_a_message_whose_data_set_does_not_end_has_not_ended() -> None:
    pieces = message(1, STORE, b"d" * 100, maximum_length=50)
    cut_off, other = read(("requestor", pieces[:-20]), ("requestor", b"")).messages, message(1, ANSWER)
    assert [(m.fragments, m.ended) for m in cut_off] == [(88, None)]
    followed = read(("requestor", pieces[:-24] + other)).messages
    assert [(m.command.kind, m.ended) for m in followed] == [("C-STORE-RQ", None), ("C-STORE-RSP", 0)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x02\0\1", "TLS: what is inside cannot be read"),
        (b"\x15\x03\x03\0\2\2\x46", "TLS: what is inside cannot be read"),
        (b"GET / HTTP/1.1", "an HTTP request (47 45 54 20 2F 20): the peer takes the DICOM port for a web address"),
        (b"\x0bMSH|^~\\&|", "an MLLP block (0B 4D 53 48 7C 5E): the peer sends HL7 to the DICOM port"),
        (struct.pack(">BBL", ABORT, 0, 0x7FFFFFFF), "bytes that are no PDU: 07 00 7F FF FF FF"),
        (b"\xff", "PDU type FFH is none of the standard's (FF 6D 6F 72 65)"),
    ],
)
def test_what_is_no_dicom_is_said(data: bytes, words: str) -> None:
    found = read(("acceptor", AC + data), ("acceptor", b"more"))
    assert found.unreadable == words
    assert [(each.kind, each.offset, each.raw) for each in found.pdus] == [
        (ASSOCIATE_AC, 0, AC),
        (0, len(AC), data + b"more"),
    ]


def test_heads_that_were_not_kept_end_the_reading() -> None:
    conversation = replace(
        EMPTY, segments=(Segment(0, "requestor", RQ, len(RQ) + 100), Segment(1, "requestor", RQ, len(RQ)))
    )
    found = transcript.read(conversation)
    assert found.unreadable == "bytes that the walk needs were not kept"
    assert [each.kind for each in found.pdus] == [ASSOCIATE_RQ, 0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pdu(P_DATA_TF, b"\0\0\0\x09\1\3ab"), "requestor: a PDV says 9 bytes, 4 are left in its P-DATA-TF"),
        (pdu(P_DATA_TF, b"\0\0\0\1\1\3"), "requestor: a PDV says 1 bytes, 2 are left in its P-DATA-TF"),
        (pdu(P_DATA_TF, b"abc"), "requestor: 3 bytes at the end of a P-DATA-TF are no PDV"),
        (p_data([Pdv(1, 3, b"abc")]), "requestor: command set: 3 bytes at byte 0 are no element"),
        (
            p_data([Pdv(1, 1, STORE.encode()), Pdv(1, 2, b"d")]),
            "requestor: a command set is cut off by a fragment of a data set",
        ),
        (p_data([Pdv(1, 2, b"d")]), "requestor: a fragment of a data set comes without a message that has one"),
    ],
)
def test_what_is_malformed_is_said_and_what_follows_is_read(data: bytes, words: str) -> None:
    found = read(("requestor", data + message(1, STORE, b"d")))
    assert words in found.malformed
    assert found.unreadable == ""
    assert found.pdus[0].length == len(data)
    assert [(m.command.kind, m.data_set) for m in found.messages] == [("C-STORE-RQ", b"d")]


def test_hl7_is_not_read() -> None:
    found = transcript.read(replace(said(("requestor", b"\x0bMSH|")), protocol="HL7"))
    assert (found.pdus, found.messages, found.unreadable) == ((), (), "HL7, not DICOM")
