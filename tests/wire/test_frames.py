from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire.conversation import Conversation
from simulator.wire.frames import SaidFrame, frames
from simulator.wire.recording import Recording, Told
from tests.wire.made import steady
from tests.wire.streams import cuts, in_pieces
from tests.wire.test_transcript import EMPTY, said

HL7 = replace(EMPTY, protocol="HL7")


def spoken(*pieces: bytes) -> Conversation:
    return replace(said(*(("requestor", piece) for piece in pieces)), protocol="HL7")


def timeless(found: tuple[SaidFrame, ...]) -> list[SaidFrame]:
    return [replace(each, at=0.0) for each in found]


def test_blocks_of_both_sides_are_told_in_their_order() -> None:
    conversation = said(
        ("requestor", b"\x0bMSH|1"), ("requestor", b"\r\x1c\r"), ("acceptor", b"\x0bMSH|2\x1c\r\x0bMSH|3\x1c\r")
    )
    assert frames(replace(conversation, protocol="HL7")) == (
        SaidFrame(1, "requestor", 0, b"MSH|1\r", 9),
        SaidFrame(2, "acceptor", 0, b"MSH|2", 8),
        SaidFrame(2, "acceptor", 8, b"MSH|3", 8),
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x0bMSH|1\x1c", SaidFrame(0, "requestor", 0, b"MSH|1\x1c", 7, is_whole=False)),
        (b"MSH|1\r", SaidFrame(0, "requestor", 0, b"MSH|1\r", 6, is_block=False, is_whole=False)),
        (b"x" * 5000, SaidFrame(0, "requestor", 0, b"x" * 1024, 5000, is_block=False, is_whole=False)),
    ],
)
def test_what_is_no_whole_block_is_told_too(data: bytes, expected: SaidFrame) -> None:
    assert frames(spoken(data)) == (expected,)


def test_bytes_between_blocks_are_told_apart() -> None:
    found = frames(spoken(b"\x0ba\x1c\r\n\n\x0bb\x1c\r"))
    assert [(each.offset, each.raw, each.is_block) for each in found] == [
        (0, b"a", True),
        (4, b"\n\n", False),
        (6, b"b", True),
    ]


@steady
@given(st.lists(st.sampled_from((b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|")), max_size=20).map(b"".join), cuts)
def test_blocks_are_the_same_however_the_stream_is_cut(data: bytes, where: list[int]) -> None:
    pieces = in_pieces(data, where)
    whole = frames(spoken(data))
    assert timeless(frames(spoken(*pieces))) == timeless(whole)
    assert sum(each.length for each in whole) == len(data)
    told: list[Told] = []
    recording = Recording(HL7, lambda what, _, each: told.extend([each] if what == "said" else []))
    for at, piece in enumerate(pieces):
        recording.add(float(at), "requestor", memoryview(piece))
    recording.close()
    assert tuple(told) == frames(recording.conversation())
