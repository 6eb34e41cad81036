from __future__ import annotations

import pytest

from simulator.events import (
    ConnectionEnded,
    Event,
    FaultInjected,
    FaultMissed,
    PduReceived,
    PduSent,
    RelayBlind,
    ScriptEnded,
)
from simulator.report import story
from tests.report import made


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            PduSent(observer="raw-peer", kind="A-ABORT", message="", length=10, head="07 00"),
            "A-ABORT sent (10 bytes: 07 00)",
        ),
        (
            PduReceived(
                observer="raw-peer", kind="P-DATA-TF", message="C-STORE-RSP", status="A700", length=80, head="04"
            ),
            "P-DATA-TF with C-STORE-RSP received, status A700 (80 bytes: 04)",
        ),
        (
            PduSent(observer="raw-peer", kind="", message="", length=3, head="47 45 54"),
            "bytes that are no whole PDU sent (3 bytes: 47 45 54)",
        ),
        (ConnectionEnded(observer="raw-peer", how="rst", by="peer"), "the peer reset the connection (RST)"),
        (ScriptEnded(observer="raw-peer", done=3, steps=3), "all 3 steps of the script went as written"),
        (
            ScriptEnded(observer="raw-peer", done=1, steps=3, problem="step 2: expected A-ABORT, got A-RELEASE-RP"),
            "the script ended after 1 of 3 steps: step 2: expected A-ABORT, got A-RELEASE-RP",
        ),
        (
            FaultInjected(
                observer="a->b",
                fault_at="C-STORE-RQ#3",
                do="abort",
                done="A-ABORT went to both peers",
                connection=1,
                direction="requestor->acceptor",
                offset=7,
            ),
            "fault 'abort' at C-STORE-RQ#3 (connection 1, requestor->acceptor, byte 7): A-ABORT went to both peers",
        ),
        (
            FaultMissed(observer="a->b", fault_at="C-STORE-RQ#3", do="abort", seen=2),
            "fault 'abort' at C-STORE-RQ#3 was not injected: of its kind 2 came",
        ),
        (
            RelayBlind(observer="a->b", connection=1, direction="requestor->acceptor", why="TLS"),
            "connection 1, requestor->acceptor, passes without faults: TLS",
        ),
    ],
)
def test_each_is_told_in_the_story(event: Event, words: str) -> None:
    assert [sentence for _, _, sentence in story.tell(made.history("case", event))] == [words]
