"""Fragments of messages in an order that the standard forbids (PS3.8 E.1): nothing is put together of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from simulator.wire import store_plane
from simulator.wire.association import VERIFICATION
from simulator.wire.pdu_builders import p_data
from simulator.wire.pdu_stream import MessageReader, Pdu, Pdv
from tests.synthesis.made import CT, EXPLICIT
from tests.wire import pdus
from tests.wire.listening import Listening, listening, to_the_end
from tests.wire.sockets import PATIENCE, connected

ABORT = pdus.pdu(0x07, bytes((0, 0, 2, 0)))
REQUEST = pdus.request(proposed=((1, CT.uid, EXPLICIT), (3, CT.uid, EXPLICIT), (5, VERIFICATION, EXPLICIT)))
COMMAND, LAST = 1, 2


def store(number: int) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    uid = CT.uid.encode() + b"\0" * (len(CT.uid) % 2)
    message_id = struct.pack("<H", number)
    return pdus.command(
        e0002=uid, e0100=b"\1\0", e0110=message_id, e0700=b"\0\0", e0800=b"\0\0", e1000=b"1.2.%d\0" % number
    )


def whole(context_id: int, number: int) -> Pdv:
    return Pdv(context_id, COMMAND | LAST, store(number))


@pytest.fixture(params=["plane", "library"])
def gateway(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    monkeypatch.setattr(store_plane, "is_on", lambda: request.param == "plane")
    with listening() as running:
        yield running


@pytest.mark.parametrize(
    ("fragments", "words"),
    [
        (
            [whole(1, 1), whole(1, 2), Pdv(1, LAST, b"of 1"), Pdv(1, LAST, b"of 2")],
            "a command set before the data set of the message before it has ended",
        ),
        (
            [whole(1, 1), Pdv(1, 0, b"of 1"), whole(1, 2), Pdv(1, LAST, b"of 2")],
            "a command set before the data set of the message before it has ended",
        ),
        ([whole(1, 1), Pdv(3, LAST, b"data")], "a fragment in presentation context 3 of a message in context 1"),
        (
            [Pdv(1, COMMAND, store(1)[:20]), Pdv(3, COMMAND | LAST, store(1)[20:])],
            "a fragment in presentation context 3 of a message in context 1",
        ),
        (
            [Pdv(1, COMMAND, store(1)[:20]), Pdv(1, LAST, b"data")],
            "a fragment of a data set before the command set has ended",
        ),
        ([Pdv(1, LAST, b"data")], "a fragment of a data set, and no command set before it (02 64 61 74 61)"),
        ([Pdv(1, 0, b"data")], "a fragment of a data set, and no command set before it (00 64 61 74 61)"),
    ],
)
@pytest.mark.parametrize("together", [False, True], ids=["a PDU each", "in one PDU"])
def test_fragments_out_of_order_are_aborted_and_the_first_is_named(
    gateway: Listening, fragments: list[Pdv], words: str, together: bool
) -> None:
    with connected(gateway.port) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(REQUEST)
        assert pdus.read_pdu(connection)[0] == 0x02
        connection.sendall(b"".join(map(p_data, [fragments] if together else [[each] for each in fragments])))
        assert to_the_end(connection) == ABORT
    told = gateway.told()
    assert told.problem == "dimse.malformed"
    assert words in told.words
    assert gateway.still_serves()


def test_what_follows_a_message_in_one_pdu_is_not_lost(gateway: Listening) -> None:
    echoes = [Pdv(5, COMMAND | LAST, pdus.echo(number)) for number in (1, 2)]
    with connected(gateway.port) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(REQUEST)
        assert pdus.read_pdu(connection)[0] == 0x02
        connection.sendall(p_data([*echoes, whole(1, 3), Pdv(1, LAST, b"data")]))
        answered = [MessageReader().read(Pdu(pdus.read_pdu(connection)).pdvs()[0]) for _ in range(3)]
        connection.sendall(pdus.RELEASE_REQUEST)
        assert to_the_end(connection)[:1] == b"\6"
    assert [each and (each.kind, each.command.number(0x0120)) for each in answered] == [
        ("C-ECHO-RSP", 1),
        ("C-ECHO-RSP", 2),
        ("C-STORE-RSP", 3),
    ]
