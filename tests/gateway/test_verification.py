"""`POST /echo`: the gateway asks a destination for Verification, as SCU."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.actors.raw_peer import RawPeer
from simulator.actors.remote_scp import Behaviour, RemoteSCP
from simulator.events import Event
from simulator.wire.pdu_script import script
from tests.gateway.made import Running, a_site, remote, running, to
from tests.wire.sockets import HOST, PATIENCE, closed_port


def echo(gateway: Running, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{gateway.url}/echo", json=body, headers=headers, timeout=PATIENCE, trust_env=False)


def asked(gateway: Running, name: str = "REMOTE") -> dict[str, Any]:
    answer = echo(gateway, {"destination": name})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def a_remote_scp(behaviour: Behaviour) -> Iterator[int]:
    seen: list[Event] = []
    scp = RemoteSCP("REMOTE", HOST, 0, (), seen.append, behaviour=behaviour)
    port = scp.start()
    try:
        yield port
    finally:
        scp.stop()


def a_gateway(folder: Path, *ports: int, **changes: Any) -> Any:
    there = [to(port, name) for port, name in zip(ports, ("REMOTE", "OTHER"), strict=False)]
    return running(folder, a_site(forwarding={"destinations": there}, **changes))


def test_a_destination_that_answers(tmp_path: Path) -> None:
    with a_remote_scp(Behaviour()) as port, a_gateway(tmp_path, port) as gateway:
        told = asked(gateway)
        assert told == {
            "destination": "REMOTE",
            "address": f"REMOTE@{HOST}:{port}",
            "status": "0000",
            "problem": None,
        }
        gateway.await_event("VerificationAnswered", destination="REMOTE", status="0000", problem="", observer="gateway")


def test_one_that_rejects_and_one_that_is_down(tmp_path: Path) -> None:
    rejecting = a_remote_scp(Behaviour(rejects=(1, 1, 3)))
    with rejecting as port, closed_port() as down, a_gateway(tmp_path, port, down) as gateway:
        rejected, unreachable = asked(gateway), asked(gateway, "OTHER")
        assert (rejected["status"], unreachable["status"]) == (None, None)
        assert f"REMOTE@{HOST}:{port} rejected the association of HAGATEWAY" in rejected["problem"]
        assert "calling AE title not recognised" in rejected["problem"]
        assert unreachable["problem"].startswith(f"nothing listens on {HOST}:{down}")
        for name, told in (("REMOTE", rejected), ("OTHER", unreachable)):
            gateway.await_event("VerificationAnswered", destination=name, status="", problem=told["problem"])


def test_it_waits_as_long_as_the_site_says(tmp_path: Path) -> None:
    limits = {"time_outs": {"acse": 0.3}}
    silent = socket.create_server((HOST, 0))
    with silent, a_gateway(tmp_path, silent.getsockname()[1], gateway=limits) as gateway:
        told = asked(gateway)
    assert told["problem"].endswith("took the connection but did not answer within 0.3 s")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"send": {"hex": "02 00 0000 00b4 0001"}}], "the beginning of A-ASSOCIATE-AC announced with 180 bytes came"),
        (
            [{"send": {"pdu": "A-ASSOCIATE-AC"}}, {"recv": "C-ECHO-RQ"}, {"send": {"hex": "04 00 0000 0064 0000"}}],
            "the beginning of P-DATA-TF announced with 100 bytes came",
        ),
        (
            [{"send": {"pdu": "A-ASSOCIATE-AC"}}, {"recv": "C-ECHO-RQ"}, {"send": {"message": "C-STORE-RSP"}}],
            "answered another message than the one it was sent",
        ),
    ],
    ids=["half an acceptance", "half a response", "another response"],
)
def test_it_takes_no_half_and_no_other_answer(tmp_path: Path, steps: list[dict[str, Any]], words: str) -> None:
    whole = [{"recv": "A-ASSOCIATE-RQ"}, *steps, {"await_end": "any", "within": PATIENCE}]
    scripted = RawPeer(script(whole), lambda _: None)
    try:
        with a_gateway(tmp_path, scripted.listen(), gateway={"time_outs": {"pdu": 0.3}}) as gateway:
            told = asked(gateway)
        assert (told["status"], scripted.join(PATIENCE)) == (None, True)
        assert words in told["problem"]
    finally:
        scripted.stop()


def test_a_gateway_stops_while_a_destination_hangs(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as silent:
        silent.settimeout(PATIENCE)
        with a_gateway(tmp_path, silent.getsockname()[1]) as gateway:
            ended = threading.Event()

            def ask() -> None:
                with suppress(httpx.HTTPError):
                    echo(gateway, {"destination": "REMOTE"})
                ended.set()

            threading.Thread(target=ask, daemon=True).start()
            connection, _ = silent.accept()
            assert connection.recv(1) == b"\x01"
            started = time.monotonic()
            gateway.stop()
            assert time.monotonic() - started < 15  # the default time-out of an association request is 30 s
            assert ended.wait(PATIENCE)
            connection.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with remote() as (_, port), a_gateway(tmp_path_factory.mktemp("quiet"), port) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("body", "code", "error", "hint"),
    [
        ({"destination": "REMOTES"}, 404, "there is no destination REMOTES", "did you mean REMOTE?"),
        ({"destination": "remote"}, 404, "there is no destination remote", "did you mean REMOTE?"),
        ({"destination": "X"}, 404, "there is no destination X", "known: REMOTE"),
        ({"destination": ""}, 400, "destination: String should have at least 1 character", ""),
        ({}, 400, "destination: Field required", ""),
        ([], 400, "the body: Input should be a valid dictionary or instance of EchoRequest", ""),
    ],
)
def test_what_is_not_asked_well_is_refused(body: Any, code: int, error: str, hint: str, quiet: Running) -> None:
    answer = echo(quiet, body)
    assert (answer.status_code, answer.json()) == (code, {"error": error, "hint": hint})


def test_no_foreign_page_asks(quiet: Running) -> None:
    assert echo(quiet, {"destination": "REMOTE"}, origin="http://evil.example").status_code == 403
    plain = httpx.post(f"{quiet.url}/echo", content='{"destination": "REMOTE"}', trust_env=False)
    assert plain.status_code == 415
