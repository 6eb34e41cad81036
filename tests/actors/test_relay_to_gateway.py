"""Faults between the product's own actors and its gateway, a process of its own: what each side then says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.order_placer import OrderPlacer
from simulator.events import (
    CommitmentAnswered,
    CommitmentReported,
    Event,
    FaultInjected,
    OrderAcknowledged,
    OrderFailed,
    StoreAnswered,
    StoreFailed,
)
from simulator.wire import part10
from simulator.wire.association import Address, Outgoing
from simulator.wire.commitment import Reference, Request
from simulator.wire.gateway_api import GatewayApi
from tests import processes
from tests.actors.relayed import Relaying, relaying
from tests.gateway.made import a_message, remote
from tests.processes import RunningGateway
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def instances(seed: str) -> list[Outgoing]:
    return [
        Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set)
        for i in a_study(seed, instances=4).instances
    ]


def sent(relay: Relaying, gateway: RunningGateway, outgoing: list[Outgoing]) -> list[str]:
    """Send the instances over one association, and return the answer to each."""
    seen: list[Event] = []
    Modality("MODALITY", Address(gateway.ae_title, HOST, relay.port), seen.append).store(outgoing)
    return [
        event.status if isinstance(event, StoreAnswered) else "none"
        for event in seen
        if isinstance(event, StoreAnswered | StoreFailed)
    ]


def held(gateway: RunningGateway, outgoing: list[Outgoing]) -> list[bool]:
    """Tell of each instance whether the gateway has it as it was sent."""
    files = [part10.read(file.read_bytes()).data_set for file in gateway.data.glob("instances/*/*.dcm")]
    return [each.data_set in files for each in outgoing]


@pytest.mark.parametrize(
    ("at", "do", "answers", "kept"),
    [
        ("C-STORE-RQ#2", "truncate", ["0000", "C000", "0000", "0000"], [True, False, True, True]),
        ("C-STORE-RQ#2", "garbage", ["0000", "C000", "0000", "0000"], [True, False, True, True]),
        ("C-STORE-RQ#2", "status A700", ["0000", "A700", "0000", "0000"], [True, False, True, True]),
        ("C-STORE-RSP#2", "status A700", ["0000", "A700", "0000", "0000"], [True] * 4),
        ("C-STORE-RQ#3", "abort", ["0000", "0000", "none", "none"], [True, True, False, False]),
        ("C-STORE-RQ#3", "drop rst", ["0000", "0000", "none", "none"], [True, True, False, False]),
        ("C-STORE-RQ#1", "delay 200ms", ["0000"] * 4, [True] * 4),
    ],
)
def test_the_gateway_keeps_what_it_took_and_nothing_else(
    gateway: RunningGateway, at: str, do: str, answers: list[str], kept: list[bool]
) -> None:
    outgoing = instances(f"{at} {do}")
    with relaying(gateway.dicom_port, (at, do)) as relay:
        assert sent(relay, gateway, outgoing) == answers
        assert held(gateway, outgoing) == kept
        assert relay.injected() == [(at, str(do).replace("200ms", "0.2s"))]
        # It goes on: what was lost is sent again over a new association, and taken.
        assert sent(relay, gateway, outgoing) == ["0000"] * 4
        assert held(gateway, outgoing) == [True] * 4


def ordered(relay: Relaying, seed: str) -> str:
    """Send an order and return MSA-1, or what is said of its absence."""
    seen: list[Event] = []
    OrderPlacer(HOST, relay.port, seen.append).send(a_message(an_order(seed)))
    (event,) = seen
    if isinstance(event, OrderFailed):
        return event.problem.partition(" ")[2]
    assert isinstance(event, OrderAcknowledged)
    return event.code


CLOSED = "closed the connection without a whole acknowledgement"


@pytest.mark.parametrize(
    ("at", "do", "second"),
    [
        ("HL7#2", "drop", CLOSED),
        ("HL7#2", "drop rst", CLOSED),
        ("HL7#2", "delay 200ms", "AA"),
        ("HL7#2", "garbage", "AR"),
        ("HL7#2", "slow 10KB/s", "AA"),
        ("ACK#2", "drop", CLOSED),
        ("ACK#2", "delay 200ms", "AA"),
    ],
)
def test_an_order_placer_and_the_gateway_after_each_fault(
    gateway: RunningGateway, at: str, do: str, second: str
) -> None:
    with relaying(gateway.hl7_port, (at, do), protocol="HL7") as relay:
        assert [ordered(relay, f"{at} {do} {number}") for number in range(3)] == ["AA", second, "AA"]
        (injected,) = relay.rest()
    assert isinstance(injected, FaultInjected)
    assert (injected.connection, injected.offset) == (2, 0)


@pytest.mark.parametrize(
    ("at", "do", "answered", "reported"),
    [
        ("N-ACTION-RQ#1", "status 0110", "0110", []),
        ("N-ACTION-RSP#1", "status 0110", "0110", []),
        ("N-EVENT-REPORT-RQ#1", "status 0110", "0000", []),
        ("N-EVENT-REPORT-RSP#1", "status 0110", "0000", ["0000"]),
        ("N-EVENT-REPORT-RQ#1", "delay 300ms", "0000", ["0000"]),
    ],
)
def test_storage_commitment_between_a_modality_and_the_gateway(
    gateway: RunningGateway, at: str, do: str, answered: str, reported: list[str]
) -> None:
    outgoing = instances(f"{at} {do}")
    seen: list[Event] = []
    reports = Reports("MODALITY", HOST, seen.append)
    with relaying(gateway.dicom_port, (at, do)) as relay:
        modality = Modality("MODALITY", Address(gateway.ae_title, HOST, relay.port), seen.append)
        assert modality.store(outgoing) == 4
        references = tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in outgoing)
        request = Request(f"1.2.3.{len(at)}.{len(do)}", references)
        modality.commit(request, "1.2", reports, patience=2.0 if reported else 0.5)
        assert relay.injected() == [(at, do.replace("300ms", "0.3s"))]
    assert [event.status for event in seen if isinstance(event, CommitmentAnswered)] == [answered]
    assert [event.status for event in seen if isinstance(event, CommitmentReported)] == reported


def until_sent(gateway: RunningGateway) -> Iterator[dict[str, Any]]:
    """Yield the gateway's events until a study was sent on, or was not."""
    for event in GatewayApi(gateway.http_url).events():
        yield event
        if event["event"] == "StudyChanged" and event["state"] in ("forwarded", "failed"):
            return


@pytest.mark.parametrize(
    ("at", "do", "statuses", "arrived"),
    [
        ("C-STORE-RSP#2", "status B000", ["0000", "B000", "0000", "0000"], 4),
        ("C-STORE-RQ#2", "delay 200ms", ["0000"] * 4, 4),
        ("C-STORE-RQ#2", "status B006", ["0000", "B006", "0000", "0000"], 3),
    ],
)
def test_the_gateway_forwards_through_a_relay(
    tmp_path: Path, at: str, do: str, statuses: list[str], arrived: int
) -> None:
    seed = f"forwarded {at} {do}"
    with remote() as (taking, port), relaying(port, (at, do)) as relay:
        there = {"destinations": [{"ae_title": "REMOTE", "port": relay.port}]}
        with processes.gateway(tmp_path, forwarding=there) as gateway:
            seen: list[Event] = []
            OrderPlacer(HOST, gateway.hl7_port, seen.append).send(a_message(an_order(seed)))
            Modality("MODALITY", Address(gateway.ae_title, HOST, gateway.dicom_port), seen.append).store(
                instances(seed)
            )
            gateway.await_states(1, ["forwarded", "failed"])
            told = [event["status"] for event in until_sent(gateway) if event["event"] == "InstanceForwarded"]
        assert len(relay.injected()) == 1
    assert told == statuses
    assert len(taking.uids()) == arrived
