from __future__ import annotations

import re

import pytest

from simulator.wire.faults import Abort, At, Delay, Drop, Fault, Garbage, Half, Slow, Status, Truncate


@pytest.mark.parametrize(
    ("at", "do", "read", "written"),
    [
        ("C-STORE-RQ#3", "abort", Abort(), "abort"),
        ("C-STORE-RQ#3", "abort requestor", Abort("requestor"), "abort requestor"),
        ("A-ASSOCIATE-RQ#1", "abort acceptor", Abort("acceptor"), "abort acceptor"),
        ("A-RELEASE-RP#1", "drop", Drop(), "drop"),
        ("A-RELEASE-RP#1", "drop fin", Drop(), "drop"),
        ("C-ECHO-RSP#2", "drop rst", Drop("rst"), "drop rst"),
        ("C-STORE-RQ#12", "delay 2s", Delay(2.0), "delay 2s"),
        ("C-STORE-RQ#12", "delay 250ms", Delay(0.25), "delay 0.25s"),
        ("C-STORE-RSP#2", "status A700", Status(0xA700), "status A700"),
        ("N-ACTION-RQ#1", "status 0110", Status(0x0110), "status 0110"),
        ("C-STORE-RQ#1", "truncate", Truncate(), "truncate"),
        ("N-EVENT-REPORT-RQ#1", "garbage", Garbage(), "garbage"),
        ("A-ABORT#1", "half-pdu", Half(), "half-pdu"),
        ("C-STORE-RQ#1", "slow 10KB/s", Slow(10_000), "slow 10KB/s"),
        ("C-STORE-RQ#1", "slow 1.5KB/s", Slow(1500), "slow 1500B/s"),
        ("C-STORE-RQ#1", "slow 2MB/s", Slow(2_000_000), "slow 2MB/s"),
        ("HL7#2", "half-frame", Half("frame"), "half-frame"),
        ("ACK#1", "drop rst", Drop("rst"), "drop rst"),
    ],
)
def test_a_fault_is_read_and_written(at: str, do: str, read: object, written: str) -> None:
    fault = Fault.parse(at, do)
    assert fault.do == read
    assert str(fault.at) == at
    assert str(fault.do) == written
    assert Fault.parse(str(fault.at), str(fault.do)) == fault


def test_an_address_is_of_a_protocol() -> None:
    assert At.parse("HL7#1").protocol == At.parse("ACK#1").protocol == "HL7"
    assert At.parse("A-ASSOCIATE-RJ#1").protocol == "DICOM"


@pytest.mark.parametrize(
    ("at", "do", "words"),
    [
        ("C-STOR-RQ#3", "abort", "'C-STOR-RQ#3' addresses no message: there is no kind 'C-STOR-RQ' (near: C-STORE-RQ"),
        ("c-store-rq#1", "abort", "there is no kind 'c-store-rq' (near: C-STORE-RQ"),
        ("P-DATA-TF#1", "abort", "there is no kind 'P-DATA-TF'"),
        ("Q#1", "abort", "there is no kind 'Q'; there are A-ASSOCIATE-RQ, "),
        ("C-STORE-RQ", "abort", "'C-STORE-RQ' does not say which one; write C-STORE-RQ#1 for the first"),
        ("C-STORE-RQ#0", "abort", "'C-STORE-RQ#0' addresses no message: after # stands a number from 1 on"),
        ("C-STORE-RQ#1 ", "abort", "after # stands a number from 1 on, as in C-STORE-RQ#1"),
        ("C-STORE-RQ#x", "abort", "after # stands a number from 1 on"),
        ("C-STORE-RQ#1", "abrot", "'abrot' is nothing that can be done (near: abort)"),
        ("C-STORE-RQ#1", "", "'' is nothing that can be done; there are abort, drop, delay, status, "),
        ("C-STORE-RQ#1", "abort peer", "'abort peer' cannot be read; write abort, abort requestor or abort acceptor"),
        ("C-STORE-RQ#1", "drop  rst", "'drop  rst' cannot be read; write drop or drop rst"),
        ("C-STORE-RQ#1", "delay 2", "'delay 2' cannot be read; write delay 2s or delay 250ms"),
        ("C-STORE-RQ#1", "delay 0s", "more than 0 and up to 600s"),
        ("C-STORE-RQ#1", "delay 601s", "more than 0 and up to 600s"),
        ("C-STORE-RQ#1", "status A7", "write status and four hexadecimal digits, as in status A700"),
        ("C-STORE-RQ#1", "truncate 5", "'truncate 5' cannot be read; write truncate alone"),
        ("C-STORE-RQ#1", "slow 10KB", "write slow 10KB/s"),
        ("C-STORE-RQ#1", "slow 0.1B/s", "1 B/s or more"),
        ("A-ASSOCIATE-RQ#1", "status A700", "cannot be done at A-ASSOCIATE-RQ#1: a PDU has no status"),
        ("C-CANCEL-RQ#1", "status A700", "C-CANCEL-RQ has no response"),
        ("C-STORE-RSP#1", "truncate", "C-STORE-RSP has no data set; half-pdu or garbage can be done there"),
        ("A-ASSOCIATE-AC#1", "truncate", "A-ASSOCIATE-AC has no data set"),
        ("C-STORE-RQ#1", "half-frame", "an MLLP frame is of HL7; write half-pdu"),
        ("HL7#1", "half-pdu", "HL7 has drop, delay, garbage, half-frame and slow"),
        ("HL7#1", "status A700", "HL7 has drop, delay, garbage, half-frame and slow"),
        ("ACK#1", "abort", "HL7 has drop, delay, garbage, half-frame and slow"),
    ],
)
def test_a_mistake_is_said_with_what_was_meant(at: str, do: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Fault.parse(at, do)
