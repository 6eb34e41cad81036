from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from simulator.actors.order_placer import OrderPlacer
from simulator.errors import Hl7ParseError
from simulator.events import Event, OrderAcknowledged, OrderFailed
from simulator.wire import hl7_acknowledgements, hl7_segments
from simulator.wire.hl7_acknowledgements import Fault
from tests.wire.sockets import HOST, PATIENCE, closed_port, peer, read_to_end, read_until

START, END = b"\x0b", b"\x1c\r"
MESSAGE = b"MSH|^~\\&|RIS|FACILITY|HAGATEWAY|HAHO|20240102030405||ORM^O01|MSG1|P|2.3.1\rPID|1\r"


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def converse(connection: socket.socket) -> None:
        assert read_until(connection, END) == START + MESSAGE + END
        connection.sendall(answer)

    return converse


def acknowledgement(code: str, text: str = "") -> bytes:
    header = hl7_segments.read_header(MESSAGE)
    return (
        START
        + hl7_acknowledgements.build_acknowledgement(
            header, code, Fault(text) if text else None, "ACK1", "20240102030405"
        )
        + END
    )


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
    assert hl7_segments.read_header(MESSAGE).control_id == "MSG1"
    with pytest.raises(Hl7ParseError):
        hl7_acknowledgements.read_acknowledgement(MESSAGE)


# --- the modes of acknowledgement --------------------------------------------------------------------


def asking(accept: str, application: str) -> bytes:
    return MESSAGE.replace(b"|P|2.3.1\r", f"|P|2.3.1|||{accept}|{application}\r".encode())


def sent(accept: str, application: str, *codes: str, time_out: float = PATIENCE) -> tuple[bool, list[str]]:
    """Send a message to a peer that answers with `codes`; return whether it was accepted, and what was told."""
    message = asking(accept, application)
    events: list[Event] = []

    def converse(connection: socket.socket) -> None:
        assert read_until(connection, END) == START + message + END
        for code in codes:
            connection.sendall(acknowledgement(code))
        read_to_end(connection)

    with peer(converse) as port:
        accepted = OrderPlacer(HOST, port, events.append, time_out=time_out).send(message, "A1", "MSG1")
    return accepted, [event.code if isinstance(event, OrderAcknowledged) else type(event).__name__ for event in events]


@pytest.mark.parametrize(
    ("accept", "application", "codes", "accepted"),
    [
        ("", "", ["AA"], True),
        ("", "", ["CA"], False),  # it asked for the original mode
        ("AL", "AL", ["CA", "AA"], True),
        ("AL", "AL", ["AA", "CA"], True),  # nothing says that they come in this order
        ("AL", "AL", ["CA", "AE"], False),
        ("AL", "AL", ["CR"], False),  # and nothing else is waited for
        ("AL", "AL", ["CE"], False),
        ("AL", "NE", ["CA"], True),
        ("NE", "AL", ["AA"], True),
        ("NE", "AL", ["AR"], False),
        ("SU", "SU", ["CA", "AA"], True),
        ("AL", "ER", ["CA", "AE"], False),
    ],
)
def test_every_acknowledgement_is_told(accept: str, application: str, codes: list[str], accepted: bool) -> None:
    assert sent(accept, application, *codes) == (accepted, codes)


@pytest.mark.parametrize(("accept", "codes"), [("AL", ["CA"]), ("NE", []), ("ER", [])])
def test_what_comes_on_a_condition_may_not_come(accept: str, codes: list[str]) -> None:
    assert sent(accept, "ER", *codes) == (True, codes or ["OrderUnanswered"])


def test_what_asks_for_nothing_is_sent_whole_and_not_waited_for() -> None:
    assert sent("NE", "NE") == (True, ["OrderUnanswered"])


@pytest.mark.parametrize("codes", [["CA"], ["AA"]])
def test_an_acknowledgement_that_is_due_and_does_not_come_is_a_failure(codes: list[str]) -> None:
    assert sent("AL", "AL", *codes, time_out=0.3) == (False, [*codes, "OrderFailed"])


def test_a_failure_says_what_came_before_it() -> None:
    events: list[Event] = []
    message = asking("AL", "AL")

    def converse(connection: socket.socket) -> None:
        read_until(connection, END)
        connection.sendall(acknowledgement("CA"))

    with peer(converse) as port:
        OrderPlacer(HOST, port, events.append).send(message, "A1", "MSG1")
    assert isinstance(events[-1], OrderFailed)
    assert events[-1].problem.startswith("after CA: ")
    assert "closed the connection" in events[-1].problem
