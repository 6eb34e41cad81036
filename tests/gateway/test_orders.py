from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simulator.gateway.index import Index
from simulator.gateway.orders import Orders
from simulator.gateway.store import Store
from simulator.site import Site
from simulator.synthesis.orders import Order
from simulator.wire import hl7_messages
from simulator.wire.hl7_messages import Acknowledgement
from tests.gateway.made import a_message, events, opened
from tests.synthesis.made import an_order

ORDER = an_order()
NUMBER = ORDER.accession_number


@dataclass
class Desk:
    """Orders over a real store and index; `changed` is what was told of."""

    folder: Path
    store: Store
    index: Index
    site: Site = field(default_factory=Site)
    changed: list[str] = field(default_factory=list)

    def answer(self, raw: bytes) -> Acknowledgement:
        orders = Orders(self.site, self.index, self.store, self.changed.append)
        return hl7_messages.read_acknowledgement(orders.answer(raw))

    def refused(self) -> list[tuple[bytes, dict[str, Any]]]:
        """Return what lies in `refused/`, each with its reason."""
        found = sorted((self.folder / "refused").glob("*.hl7"))
        return [(file.read_bytes(), json.loads(file.with_suffix(".json").read_bytes())) for file in found]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as (store, index):
        yield Desk(tmp_path, store, index)


# --- accepted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("message_type", hl7_messages.VERSIONS)
def test_an_order_is_kept(desk: Desk, message_type: str) -> None:
    raw = a_message(ORDER, message_type)
    assert desk.answer(raw) == Acknowledgement("AA", f"MSG{NUMBER}", "")
    kept = desk.index.order(NUMBER)
    assert kept is not None
    assert not kept.cancelled
    assert (kept.keys.hkid, kept.keys.name) == (ORDER.person.hkid, ORDER.person.name)
    assert (kept.keys.birth_date, kept.keys.sex) == (ORDER.person.birth_date, ORDER.person.sex)
    assert desk.changed == [NUMBER]
    assert desk.refused() == []
    [event] = events(desk.index, "OrderReceived")
    assert (event["accession_number"], event["message_type"], event["order_control"]) == (NUMBER, message_type, "NW")
    assert event["message_control_id"] == f"MSG{NUMBER}"


@pytest.mark.parametrize("control", ["NW", "SC", "XO"])
@pytest.mark.parametrize("processing", ["P", "T", "D"])
def test_what_brings_an_order_into_force(desk: Desk, control: str, processing: str) -> None:
    raw = a_message(ORDER, order_control=control).replace(b"|P|2.3.1|", f"|{processing}|2.3.1|".encode())
    assert desk.answer(raw).code == "AA"
    kept = desk.index.order(NUMBER)
    assert kept is not None
    assert not kept.cancelled


@pytest.mark.parametrize("control", ["CA", "OC"])
def test_an_order_is_cancelled_and_comes_back(desk: Desk, control: str) -> None:
    for sent, cancelled in (("NW", False), (control, True), ("NW", False)):
        assert desk.answer(a_message(ORDER, order_control=sent)).code == "AA"
        kept = desk.index.order(NUMBER)
        assert kept is not None
        assert kept.cancelled is cancelled
    assert desk.changed == [NUMBER] * 3
    assert [event["order_control"] for event in events(desk.index, "OrderReceived")] == ["NW", control, "NW"]


def test_an_order_is_changed(desk: Desk) -> None:
    desk.answer(a_message(ORDER))
    assert desk.answer(a_message(ORDER, order_control="XO", patient_name="OTHER^NAME")).code == "AA"
    kept = desk.index.order(NUMBER)
    assert kept is not None
    assert kept.keys.name == "OTHER^NAME"
    assert len(desk.index.orders()) == 1


@pytest.mark.parametrize("version", sorted(hl7_messages.READABLE_VERSIONS))
def test_every_readable_version_is_read(desk: Desk, version: str) -> None:
    assert desk.answer(a_message(ORDER, version=version)).code == "AA"


def test_a_number_is_kept_without_the_spaces_around_it(desk: Desk) -> None:
    assert desk.answer(a_message(ORDER, accession_number=f" {NUMBER}  ")).code == "AA"
    assert [order.accession_number for order in desk.index.orders()] == [NUMBER]
    assert desk.changed == [NUMBER]


def test_a_patient_without_a_name_is_still_an_order(desk: Desk) -> None:
    assert desk.answer(a_message(ORDER, patient_name="", patient_sex="")).code == "AA"


def test_the_acknowledgement_names_the_message_and_goes_back(desk: Desk) -> None:
    orders = Orders(desk.site, desk.index, desk.store, desk.changed.append)
    header = hl7_messages.read_header(orders.answer(a_message(ORDER)))
    assert (header.sending_application, header.receiving_application) == ("HAGATEWAY", "RIS")
    assert (header.sending_facility, header.receiving_facility) == ("HAHO", "FACILITY")
    assert header.message_type == "ACK^O01"
    assert 0 < len(header.control_id) <= 20


# --- refused -----------------------------------------------------------------------------------------

AE = {
    "order control": ({"order_control": "XX"}, "order control XX (ORC-1) is not NW, SC, XO or CA"),
    "no order control": ({"order_control": ""}, "order control (none)"),
    "no number": ({"accession_number": ""}, "accession.missing"),
    "short number": ({"accession_number": NUMBER[:-1]}, "accession.malformed.length"),
    "bad year": ({"accession_number": NUMBER[:5] + "XX" + NUMBER[7:]}, "accession.malformed.year"),
    "no patient": ({"patient_id": ""}, "PID-3 is empty"),
}  # fmt: skip
AR = {
    "not HL7": (b"GET / HTTP/1.1\r\n\r\n", "does not begin with MSH"),
    "nothing": (b"", "does not begin with MSH"),
    "type": (a_message(ORDER).replace(b"ORM^O01", b"ADT^A08"), "message type ADT^A08 is not supported; known: ORM^O01"),
    "no type": (a_message(ORDER).replace(b"ORM^O01", b""), "message type (none) is not supported"),
    "version": (a_message(ORDER, version="2.1"), "HL7 version 2.1 is not supported"),
    "processing": (a_message(ORDER).replace(b"|P|2.3.1|", b"|Z|2.3.1|"), "MSH-11 processing id Z is not D, P or T"),
    "character set": (a_message(ORDER).replace(b"UNICODE UTF-8", b"KLINGON"), "MSH-18 declares the character set"),
    "not its character set": (a_message(ORDER).replace(b"FACILITY", b"\xff\xfe"), "not in the character set"),
}  # fmt: skip


def assert_refused(desk: Desk, raw: bytes, code: str, why: str) -> None:
    answer = desk.answer(raw)
    assert answer.code == code
    assert why in answer.text
    [(kept, reason)] = desk.refused()
    assert kept == raw
    assert reason == {"code": code, "why": answer.text}
    [event] = events(desk.index, "MessageRefused")
    assert (event["code"], event["text"], event["message_control_id"]) == (code, answer.text, answer.control_id)
    assert (desk.folder / event["kept_as"]).read_bytes() == raw
    assert desk.index.orders() == ()
    assert desk.changed == []


@pytest.mark.parametrize("case", AE)
def test_what_cannot_be_used_is_refused(desk: Desk, case: str) -> None:
    changes, why = AE[case]
    assert_refused(desk, a_message(ORDER, **changes), "AE", why)


@pytest.mark.parametrize("segment", [b"PID", b"ORC", b"OBR"])
def test_a_missing_segment_is_named(desk: Desk, segment: bytes) -> None:
    lines = [line for line in a_message(ORDER).split(b"\r") if not line.startswith(segment)]
    assert_refused(desk, b"\r".join(lines), "AE", f"segment {segment.decode()} is missing")


@pytest.mark.parametrize("case", AR)
def test_what_cannot_be_processed_is_rejected(desk: Desk, case: str) -> None:
    raw, why = AR[case]
    assert_refused(desk, raw, "AR", why)


def test_a_refused_message_is_named_in_its_acknowledgement(desk: Desk) -> None:
    assert desk.answer(a_message(ORDER, order_control="XX", control_id="A|B^C")).control_id == "A|B^C"


def test_a_number_of_another_site_is_refused(desk: Desk) -> None:
    desk.site = Site.model_validate({"accession": {"hospital_codes": ["ABC"]}})
    assert_refused(desk, a_message(ORDER), "AE", "accession.malformed.hospital")


def test_a_refused_change_leaves_the_order_as_it_was(desk: Desk) -> None:
    desk.answer(a_message(ORDER))
    before = desk.index.orders()
    assert desk.answer(a_message(ORDER, order_control="CA", patient_id="")).code == "AE"
    assert desk.index.orders() == before


def test_garbage_is_kept_aside(desk: Desk) -> None:
    Orders(desk.site, desk.index, desk.store, desk.changed.append).refuse_garbage(b"\x00\xffhello")
    [(kept, reason)] = desk.refused()
    assert kept == b"\x00\xffhello"
    assert reason == {"code": "AR", "why": "the bytes are not an MLLP block"}
    assert [event["code"] for event in events(desk.index, "MessageRefused")] == ["AR"]


# --- when nothing can be kept ------------------------------------------------------------------------


def test_an_order_that_cannot_be_kept_is_not_acknowledged_as_kept(desk: Desk) -> None:
    with sqlite3.connect(desk.folder / "index.sqlite") as other:
        other.execute("DROP TABLE orders")
    other.close()
    answer = desk.answer(a_message(ORDER))
    assert answer.code == "AE"
    assert "the order cannot be kept" in answer.text
    assert desk.changed == []


def test_a_refusal_that_cannot_be_kept_is_still_a_refusal(desk: Desk) -> None:
    shutil.rmtree(desk.folder / "refused")
    answer = desk.answer(a_message(ORDER, order_control="XX"))
    assert answer.code == "AE"
    assert "order control XX" in answer.text


@pytest.mark.parametrize("order", [an_order(seed) for seed in "abcde"], ids="abcde")
def test_orders_do_not_get_in_each_others_way(desk: Desk, order: Order) -> None:
    desk.answer(a_message(ORDER))
    assert desk.answer(a_message(order)).code == "AA"
    assert [kept.accession_number for kept in desk.index.orders()] == [NUMBER, order.accession_number]
