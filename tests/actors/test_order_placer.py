from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from simulator.actors.order_placer import OrderPlacer
from simulator.errors import Hl7ParseError
from simulator.events import Event, OrderAcknowledged, OrderFailed
from simulator.wire import hl7_messages
from tests.wire.sockets import HOST, closed_port, peer, read_until

START, END = b"\x0b", b"\x1c\r"
MESSAGE = b"MSH|^~\\&|RIS|FACILITY|HAGATEWAY|HAHO|20240102030405||ORM^O01|MSG1|P|2.3.1\rPID|1\r"


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def converse(connection: socket.socket) -> None:
        assert read_until(connection, END) == START + MESSAGE + END
        connection.sendall(answer)

    return converse


def acknowledgement(code: str, text: str = "") -> bytes:
    header = hl7_messages.read_header(MESSAGE)
    return START + hl7_messages.build_acknowledgement(header, code, text, "ACK1", "20240102030405") + END


def placed(answer: bytes) -> tuple[bool, Event]:
    events: list[Event] = []
    with peer(answering(answer)) as port:
        accepted = OrderPlacer(HOST, port, events.append, "the-placer").send(MESSAGE, "A1", "MSG1")
    [event] = events
    assert event.observer == "the-placer"
    return accepted, event


@pytest.mark.parametrize(
    ("code", "text", "accepted"),
    [("AA", "", True), ("AE", "PID-3 is empty", False), ("AR", "not supported | 陳", False), ("CA", "", False)],
)
def test_an_acknowledgement_is_told(code: str, text: str, accepted: bool) -> None:
    result, event = placed(acknowledgement(code, text))
    assert result is accepted
    assert isinstance(event, OrderAcknowledged)
    assert (event.code, event.text, event.accession_number, event.message_control_id) == (code, text, "A1", "MSG1")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "closed the connection without a whole acknowledgement"),
        (START + b"MSH|^~", "closed the connection without a whole acknowledgement"),
        (b"HTTP/1.1 400 Bad Request" + END, "no MLLP block"),
        (START + b"what?" + END, "does not begin with MSH"),
        (START + MESSAGE + END, "segment MSA is missing"),
        (START + b"MSH|^~\\&\xff" + END, "character set"),
    ],
)
def test_what_is_no_acknowledgement_is_told_as_a_failure(answer: bytes, problem: str) -> None:
    accepted, event = placed(answer)
    assert not accepted
    assert isinstance(event, OrderFailed)
    assert problem in event.problem
    assert (event.accession_number, event.message_control_id) == ("A1", "MSG1")


def test_nobody_there_is_told_as_a_failure() -> None:
    events: list[Event] = []
    with closed_port() as port:
        assert not OrderPlacer(HOST, port, events.append).send(MESSAGE)
    [event] = events
    assert isinstance(event, OrderFailed)
    assert f"no HL7 listener at {HOST}:{port}" in event.problem


def test_the_answer_is_told_under_the_control_id_that_it_names() -> None:
    other = acknowledgement("AA").replace(b"MSA|AA|MSG1", b"MSA|AA|OTHER")
    _, event = placed(other)
    assert isinstance(event, OrderAcknowledged)
    assert event.message_control_id == "OTHER"


def test_the_message_of_these_tests_is_one() -> None:
    assert hl7_messages.read_header(MESSAGE).control_id == "MSG1"
    with pytest.raises(Hl7ParseError):
        hl7_messages.read_acknowledgement(MESSAGE)
