"""The operator, in front of a gateway's API and of what is none."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from simulator.actors.operator import Operator
from simulator.errors import HarnessError
from simulator.events import Event, ReconcileAnswered
from tests.wire.sockets import HOST, closed_port, peer, read_until


def answering(status: str, body: str, seen: list[bytes]) -> Callable[[socket.socket], None]:
    def converse(connection: socket.socket) -> None:
        seen.append(read_until(connection, b"}"))
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n{body}".encode())

    return converse


def ruled(status: str, body: str, accession_number: str) -> tuple[bool, ReconcileAnswered, bytes]:
    events: list[Event] = []
    seen: list[bytes] = []
    with peer(answering(status, body, seen)) as port:
        operator = Operator("DR WONG", f"http://{HOST}:{port}", events.append)
        done = operator.reconcile("1.2.3", accession_number, "typed")
    [event] = events
    assert isinstance(event, ReconcileAnswered)
    assert (event.observer, event.study_instance_uid) == ("operator", "1.2.3")
    return done, event, seen[0]


@pytest.mark.parametrize(("number", "said"), [("A1", b'"order":"A1"'), ("", b'"reject":true')])
def test_a_ruling_is_sent_and_its_answer_told(number: str, said: bytes) -> None:
    done, event, request = ruled("200 OK", '{"study_instance_uid": "1.2.3"}', number)
    assert done
    assert (event.answer, event.words, event.accession_number) == ("done", "", number)
    assert request.startswith(b"POST /studies/1.2.3/reconcile ")
    for part in (said, b'"by":"DR WONG"', b'"reason":"typed"'):
        assert part in request.replace(b": ", b":").replace(b", ", b",")


def test_a_refusal_is_told_with_its_code_and_words() -> None:
    done, event, _ = ruled("409 Conflict", '{"error": "order A1 is cancelled", "code": "order.cancelled"}', "A1")
    assert not done
    assert (event.answer, event.words) == ("order.cancelled", "order A1 is cancelled")


def test_a_gateway_that_is_gone_gives_no_answer() -> None:
    events: list[Event] = []
    with closed_port() as port:
        assert not Operator("X", f"http://{HOST}:{port}", events.append).reconcile("1.2", "A")
    [event] = events
    assert isinstance(event, ReconcileAnswered)
    assert event.answer == "no answer"


@pytest.mark.parametrize(("status", "body"), [("404 Not Found", "[]"), ("200 OK", "x"), ("500 Oh", '{"a": 1}')])
def test_what_is_no_gateway_of_the_simulator_is_the_harness_fault(status: str, body: str) -> None:
    with pytest.raises(HarnessError, match="is no gateway of this simulator"):
        ruled(status, body, "A1")
