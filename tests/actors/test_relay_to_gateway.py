"""Faults between the product's own actors and its gateway, a process of its own: what each side then says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.actors.modality import Modality
from simulator.actors.order_placer import OrderPlacer
from simulator.events import Event, FaultInjected, OrderAcknowledged, OrderFailed, StoreAnswered, StoreFailed
from simulator.wire import part10
from simulator.wire.association import Address, Outgoing
from tests import processes
from tests.actors.relayed import Relaying, relaying
from tests.gateway.made import a_message
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
