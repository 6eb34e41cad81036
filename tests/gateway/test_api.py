"""The HTTP API as a stranger's program meets it."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from simulator.events import MessageRefused
from simulator.gateway.status import Status, StudyStatus
from simulator.wire.gateway_api import GatewayApi
from tests.gateway.made import Running, a_message, running
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST, PATIENCE

STUDY, OTHER = a_study(instances=3), a_study("other")
ORDER = an_order()


def fill(run: Running) -> None:
    """Make the gateway hold a matched and an unmatched study."""
    run.order(a_message(ORDER))
    run.store(*STUDY.instances)
    run.await_state(STUDY, "matched")
    run.store(*OTHER.instances)
    run.await_state(OTHER, "unmatched")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that holds nothing; for tests that only read."""
    with running(tmp_path_factory.mktemp("empty")) as run:
        yield run


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with two studies; for tests that only read."""
    with running(tmp_path_factory.mktemp("filled")) as run:
        fill(run)
        yield run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    """A gateway with two studies that the test may change and stop."""
    with running(tmp_path) as run:
        fill(run)
        yield run


def get(run: Running, path: str, host: str | None = None) -> httpx.Response:
    headers = {"Host": host} if host is not None else {}
    return httpx.get(run.url + path, headers=headers, timeout=PATIENCE, trust_env=False)


def one_reader() -> httpx.Client:
    """Return a reader that opens as many connections as it is asked to."""
    return httpx.Client(timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_connections=None))


def test_studies(filled: Running) -> None:
    answer = get(filled, "/studies")
    assert answer.headers["content-type"] == "application/json"
    matched, unmatched = Status.model_validate_json(answer.content).studies
    assert matched == StudyStatus(
        study_instance_uid=STUDY.study_instance_uid,
        accession_number=ORDER.accession_number,
        state="matched",
        reasons=(),
        warnings=(),
        instances=3,
        series=1,
        purged=None,
        order=ORDER.accession_number,
        forwarding=(),
        answers={},
    )
    assert (unmatched.study_instance_uid, unmatched.state) == (OTHER.study_instance_uid, "unmatched")
    assert (unmatched.reasons, unmatched.order) == (("order.not-found",), None)


def test_no_studies(empty: Running) -> None:
    assert get(empty, "/studies").json() == {"studies": []}
    assert get(empty, "/orders").json() == {"orders": []}
    assert get(empty, "/events").json() == []


def test_one_study(filled: Running) -> None:
    answer = get(filled, f"/studies/{STUDY.study_instance_uid}")
    assert answer.json() == get(filled, "/studies").json()["studies"][0]
    StudyStatus.model_validate_json(answer.content)


@pytest.mark.parametrize("path", ["/studies/1.2.3", "/studies/%00", "/studies/..%2f..", "/nothing", "/"])
def test_what_is_not_there(empty: Running, path: str) -> None:
    assert get(empty, path).status_code == 404


def test_an_unknown_study_is_named(empty: Running) -> None:
    assert get(empty, "/studies/1.2.3").json() == {"error": "no study 1.2.3"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(filled: Running, method: str) -> None:
    for path in ("/studies", f"/studies/{STUDY.study_instance_uid}", "/orders", "/events"):
        answer = httpx.request(method, filled.url + path, timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 405


def test_orders_tell_nothing_of_the_patient(own: Running) -> None:
    own.order(a_message(an_order("other"), order_control="CA"))
    answer = get(own, "/orders")
    assert answer.json() == {
        "orders": [
            {"accession_number": ORDER.accession_number, "cancelled": False},
            {"accession_number": an_order("other").accession_number, "cancelled": True},
        ]
    }
    assert ORDER.person.hkid not in answer.text


def test_an_order_tells_its_history(own: Running) -> None:
    order = an_order("other")
    for control in ("NW", "XO", "CA"):
        own.order(a_message(order, order_control=control, control_id=f"{control}1"))
    answer = get(own, f"/orders/{order.accession_number}")
    found = answer.json()
    assert (found["accession_number"], found["cancelled"]) == (order.accession_number, True)
    told = [(m["message_type"], m["order_control"], m["message_control_id"]) for m in found["messages"]]
    assert told == [("ORM^O01", "NW", "NW1"), ("ORM^O01", "XO", "XO1"), ("ORM^O01", "CA", "CA1")]
    assert order.person.hkid not in answer.text
    missing = get(own, "/orders/NOTHING")
    assert (missing.status_code, missing.json()) == (404, {"error": "no order NOTHING"})


def test_events(filled: Running) -> None:
    found = get(filled, "/events").json()
    assert [event["sequence"] for event in found] == list(range(1, len(found) + 1))
    assert [event["event"] for event in found] == [
        "OrderReceived",
        "InstanceStored",
        "StudyChanged",
        "InstanceStored",
        "InstanceStored",
        "StudyChanged",
        "InstanceStored",
        "StudyChanged",
        "StudyChanged",
    ]
    assert get(filled, "/events?after=7").json() == found[7:]
    assert get(filled, "/events?after=999999").json() == []


@pytest.mark.parametrize("path", ["/events", "/events/stream"])
@pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "１", "9" * 19, "0x1", "1%200"])
def test_a_number_that_is_none_is_refused(empty: Running, path: str, after: str) -> None:
    answer = get(empty, f"{path}?after={after}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "after must be the number of an event"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8104", "127.0.0.1.evil.example", "169.254.169.254", ""])
def test_a_page_on_another_host_learns_nothing(filled: Running, host: str) -> None:
    for path in ("/studies", "/orders", "/events", "/events/stream"):
        answer = get(filled, path, host)
        assert answer.status_code == 400
        assert STUDY.study_instance_uid not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:1234"])
def test_loopback_has_several_names(empty: Running, host: str) -> None:
    assert get(empty, "/studies", host).status_code == 200


def test_it_listens_on_loopback_alone(empty: Running) -> None:
    """A neighbour on the network must not read it, whatever host the gateway's other ports listen on."""
    assert empty.url.startswith("http://127.0.0.1:")


# --- following ---------------------------------------------------------------------------------------


def test_a_stream_tells_everything_and_ends_with_the_gateway(own: Running) -> None:
    lines: list[str] = []
    caught_up = threading.Event()

    def follow() -> None:
        with httpx.stream("GET", f"{own.url}/events/stream", timeout=PATIENCE, trust_env=False) as answer:
            assert answer.headers["content-type"] == "application/x-ndjson"
            for line in answer.iter_lines():
                lines.append(line)
                if len(lines) == 9:
                    caught_up.set()

    following = threading.Thread(target=follow)
    following.start()
    assert caught_up.wait(PATIENCE)
    own.order(a_message(an_order("later")))
    own.stop()
    following.join(PATIENCE)
    assert not following.is_alive()
    records = [json.loads(line) for line in lines]
    assert [record["sequence"] for record in records] == list(range(1, 11))
    assert records[-1]["event"] == "OrderReceived"


def test_a_stream_may_begin_later(filled: Running) -> None:
    with httpx.stream("GET", f"{filled.url}/events/stream?after=8", timeout=PATIENCE, trust_env=False) as answer:
        assert json.loads(next(answer.iter_lines()))["sequence"] == 9


def test_many_who_follow_do_not_lock_others_out(filled: Running) -> None:
    with one_reader() as reader, ExitStack() as streams:
        for _ in range(45):
            answer = streams.enter_context(reader.stream("GET", f"{filled.url}/events/stream?after=8"))
            assert next(answer.iter_lines())
        assert get(filled, "/studies").status_code == 200
        assert get(filled, "/events").status_code == 200


def test_who_went_away_does_not_lock_others_out(filled: Running) -> None:
    with one_reader() as reader:
        for _ in range(45):
            with reader.stream("GET", f"{filled.url}/events/stream?after=8") as answer:
                assert next(answer.iter_lines())
    assert get(filled, "/studies").status_code == 200


def test_who_follows_and_never_reads_does_not_hold_up_a_stop(own: Running) -> None:
    for _ in range(200):
        refused = MessageRefused(observer="gateway", message_control_id="", code="AR", text="x" * 100_000, kept_as="")
        own.index.add_event(refused)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, int(own.url.rpartition(":")[2])))
        connection.sendall(b"GET /events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
        started = time.monotonic()
        own.stop()
        assert time.monotonic() - started < PATIENCE


# --- the API from the other end ----------------------------------------------------------------------


def test_the_simulators_own_reader(own: Running) -> None:
    api = GatewayApi(own.url + "/")
    Status.model_validate(api.status())
    told: queue.Queue[object] = queue.Queue()

    def follow() -> None:
        for record in api.events():
            told.put(record)
        told.put("end")

    threading.Thread(target=follow, daemon=True).start()
    first = told.get(timeout=PATIENCE)
    assert isinstance(first, dict)
    assert (first["event"], first["sequence"]) == ("OrderReceived", 1)
    for _ in range(8):
        told.get(timeout=PATIENCE)
    own.stop()
    assert told.get(timeout=PATIENCE) == "end"
