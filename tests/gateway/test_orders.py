from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.gateway.index import Index
from simulator.gateway.order_book import OrderBook
from simulator.gateway.orders import Orders
from simulator.gateway.store import Store
from simulator.site import Site
from simulator.synthesis.orders import Order
from simulator.wire import hl7_acknowledgements, hl7_messages, hl7_patients, hl7_segments
from simulator.wire.hl7_acknowledgements import Acknowledgement
from simulator.wire.hl7_messages import Envelope
from simulator.wire.hl7_patients import MERGE, UPDATE, PatientData, PatientMessage
from tests.gateway.made import a_message, events, opened
from tests.synthesis.made import an_order
from tests.wire.made import steady

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
        [answer] = orders.answer(raw)
        return hl7_acknowledgements.read_acknowledgement(answer)

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


@pytest.mark.parametrize("version", sorted(hl7_segments.READABLE_VERSIONS))
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
    [answer] = orders.answer(a_message(ORDER))
    header = hl7_segments.read_header(answer)
    assert (header.sending_application, header.receiving_application) == ("HAGATEWAY", "RIS")
    assert (header.sending_facility, header.receiving_facility) == ("HAHO", "FACILITY")
    assert header.message_type == "ACK^O01"
    assert 0 < len(header.control_id) <= 20


# --- refused -----------------------------------------------------------------------------------------

AE = {
    "order control": ({"order_control": "XX"}, "order control XX (ORC-1) is not NW, SC, XO, CA, OC or DC"),
    "no order control": ({"order_control": ""}, "order control (none)"),
    "no number": ({"accession_number": ""}, "accession.missing"),
    "short number": ({"accession_number": NUMBER[:-1]}, "accession.malformed.length"),
    "bad year": ({"accession_number": NUMBER[:5] + "XX" + NUMBER[7:]}, "accession.malformed.year"),
    "no patient": ({"patient_id": ""}, "PID-3 is empty"),
}  # fmt: skip
AR = {
    "not HL7": (b"GET / HTTP/1.1\r\n\r\n", "does not begin with MSH"),
    "nothing": (b"", "does not begin with MSH"),
    "type": (a_message(ORDER).replace(b"ORM^O01", b"ADT^A01"), "message type ADT^A01 is not supported; known: ORM^O01"),
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


@pytest.mark.parametrize("case", ["character set", "not its character set", "type", "version"])
def test_a_rejected_message_is_named_in_its_acknowledgement(desk: Desk, case: str) -> None:
    assert desk.answer(AR[case][0]).control_id == f"MSG{NUMBER}"


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
    assert "the message cannot be kept" in answer.text
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


# --- patients ----------------------------------------------------------------------------------------


def an_adt(kind: str, *patients: PatientData, accept: str = "", application: str = "") -> bytes:
    message = PatientMessage(kind, "2.3.1", "ADT1", "REG|FACILITY", patients)
    return hl7_patients.build_patients(message, Envelope("20240102030405", accept, application))


def test_an_update_changes_every_order_of_the_patient(desk: Desk) -> None:
    second = a_message(ORDER, accession_number=an_order("second").accession_number)
    other = an_order("of another patient")
    for raw in (a_message(ORDER), second, a_message(other)):
        desk.answer(raw)
    desk.changed.clear()
    raw = an_adt(UPDATE, PatientData(f"HKID:{ORDER.person.hkid}", "NEW^NAME"))
    assert desk.answer(raw) == Acknowledgement("AA", "ADT1", "")
    told = [NUMBER, an_order("second").accession_number]
    assert desk.changed == told
    assert [order.keys.name for order in desk.index.orders()] == ["NEW^NAME", "NEW^NAME", other.person.name]
    assert [order.keys.hkid for order in desk.index.orders()][:2] == [ORDER.person.hkid] * 2
    [event] = events(desk.index, "PatientChanged")
    assert (event["message_type"], event["message_control_id"], event["orders"]) == (UPDATE, "ADT1", told)


def test_a_merge_moves_every_order_of_the_prior_identifier(desk: Desk) -> None:
    desk.answer(a_message(ORDER))
    assert desk.answer(an_adt(MERGE, PatientData("TP1490258", prior_id=ORDER.person.hkid))).code == "AA"
    kept = desk.index.order(NUMBER)
    assert kept is not None
    assert (kept.keys.hkid, kept.keys.name) == ("TP1490258", ORDER.person.name)
    book = OrderBook(desk.index)
    assert [order.accession_number for order in book.of_patient("TP149025(8)")] == [NUMBER]
    assert book.of_patient(ORDER.person.hkid) == ()


@pytest.mark.parametrize("kind", [UPDATE, MERGE])
def test_a_patient_whom_nobody_knows_touches_nothing_and_says_so(desk: Desk, kind: str) -> None:
    desk.answer(a_message(ORDER))
    before = desk.index.orders()
    assert desk.answer(an_adt(kind, PatientData("TP1490258", "X", prior_id="" if kind == UPDATE else "Z"))).code == "AA"
    assert desk.index.orders() == before
    assert [event["orders"] for event in events(desk.index, "PatientChanged")] == [[]]
    assert desk.changed == [NUMBER]
    assert desk.refused() == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (an_adt(UPDATE, PatientData("TP1490258", prior_id="A1234563")), "send a merge (ADT^A40)"),
        (an_adt(MERGE, PatientData("TP1490258", prior_id="TP149025(8)")), "nothing is to be merged"),
        (an_adt(UPDATE, PatientData("")), "PID-3 is empty"),
        (an_adt(MERGE, PatientData("TP1490258")), "MRG-1 is empty"),
        (an_adt(UPDATE, PatientData("A"), PatientData("B")), "more than one patient"),
    ],
)
def test_an_adt_that_cannot_be_used_is_refused(desk: Desk, raw: bytes, why: str) -> None:
    assert_refused(desk, raw, "AE", why)


# --- the history of an order -------------------------------------------------------------------------


def test_an_order_keeps_every_message_that_made_or_changed_it(desk: Desk) -> None:
    sent = [
        a_message(ORDER),
        an_adt(UPDATE, PatientData(ORDER.person.hkid, "NEW^NAME")),
        a_message(ORDER, order_control="XO", patient_name="陳^大文"),
        a_message(ORDER, order_control="CA"),
    ]
    refused = a_message(ORDER, order_control="XO")
    for raw in (*sent, refused):
        desk.answer(raw)
    history = OrderBook(desk.index).history(NUMBER)
    assert [row.message.encode("latin-1") for row in history] == sent
    assert [(row.message_type, row.order_control) for row in history] == [
        ("ORM^O01", "NW"),
        (UPDATE, ""),
        ("ORM^O01", "XO"),
        ("ORM^O01", "CA"),
    ]
    assert [row.control_id for row in history] == [f"MSG{NUMBER}", "ADT1", f"MSG{NUMBER}", f"MSG{NUMBER}"]
    assert [row.at for row in history] == sorted(row.at for row in history)


def test_an_order_whose_studies_were_not_matched_yet_is_matched_at_the_next_start(desk: Desk) -> None:
    def killed(accession_number: str) -> None:
        raise sqlite3.OperationalError("the process ended here")

    assert Orders(desk.site, desk.index, desk.store, killed).answer(a_message(ORDER))[0].count(b"MSA|AE") == 1
    assert desk.index.order(NUMBER) is not None
    for expected in ([NUMBER], []):
        desk.changed.clear()
        Orders(desk.site, desk.index, desk.store, desk.changed.append).resume()
        assert desk.changed == expected


# --- which acknowledgements --------------------------------------------------------------------------


def asking(raw: bytes, accept: str, application: str) -> bytes:
    """Return the message with MSH-15 and MSH-16."""
    first, rest = raw.split(b"\r", 1)
    fields = first.split(b"|")
    fields[14:16] = [accept.encode(), application.encode()]
    return b"|".join(fields) + b"\r" + rest


def codes(desk: Desk, raw: bytes) -> list[tuple[str, str]]:
    answers = Orders(desk.site, desk.index, desk.store, desk.changed.append).answer(raw)
    read = [hl7_acknowledgements.read_acknowledgement(answer) for answer in answers]
    return [(answer.code, answer.control_id) for answer in read]


def test_the_enhanced_mode_has_two_acknowledgements(desk: Desk) -> None:
    name = f"MSG{NUMBER}"
    assert codes(desk, asking(a_message(ORDER), "AL", "AL")) == [("CA", name), ("AA", name)]
    assert codes(desk, asking(a_message(ORDER, order_control="XX"), "AL", "AL")) == [("CA", name), ("AE", name)]
    assert codes(desk, asking(a_message(ORDER, version="2.1"), "AL", "AL")) == [("CR", name)]
    assert [why["code"] for _, why in desk.refused()].count("AE") == 1
    assert [why["code"] for _, why in desk.refused()].count("AR") == 1


def test_no_acknowledgement_is_sent_that_is_not_asked_for(desk: Desk) -> None:
    assert codes(desk, asking(a_message(ORDER), "NE", "NE")) == []
    assert desk.index.order(NUMBER) is not None
    assert codes(desk, asking(a_message(ORDER, order_control="XX"), "NE", "NE")) == []
    assert len(desk.refused()) == 1


def test_what_cannot_be_kept_is_not_committed(desk: Desk) -> None:
    shutil.rmtree(desk.folder / "refused")
    assert [code for code, _ in codes(desk, asking(a_message(ORDER, order_control="XX"), "AL", "AL"))] == ["CE"]
    with sqlite3.connect(desk.folder / "index.sqlite") as other:
        other.execute("DROP TABLE orders")
    other.close()
    assert [code for code, _ in codes(desk, asking(a_message(ORDER), "AL", "AL"))] == ["CE"]


def test_a_condition_that_does_not_exist_is_rejected(desk: Desk) -> None:
    assert_refused(desk, asking(a_message(ORDER), "ALWAYS", "AL"), "AR", "MSH-15 ALWAYS is not AL, NE, ER or SU")


def test_an_acknowledgement_is_not_acknowledged(desk: Desk) -> None:
    """Or two systems that both acknowledge would never come to an end."""
    header = hl7_segments.read_header(a_message(ORDER))
    raw = hl7_acknowledgements.build_acknowledgement(header, "CA", None, "ACK1", "20240102030405")
    assert codes(desk, raw) == []
    assert desk.refused() == []


def test_where_the_fault_is_stands_in_err(desk: Desk) -> None:
    orders = Orders(desk.site, desk.index, desk.store, desk.changed.append)
    [answer] = orders.answer(a_message(ORDER, accession_number=""))
    assert answer.split(b"\r")[2] == b"ERR|OBR^1^18^101&Required field missing&HL70357"
    [answer] = orders.answer(a_message(ORDER, "OMI^O23", order_control="XX"))
    assert answer.split(b"\r")[2].startswith(b"ERR||ORC^1^1|103^Table value not found^HL70357|E||||order control XX")


# --- the site's place of the accession number --------------------------------------------------------


def test_the_number_is_read_where_the_site_puts_it(desk: Desk) -> None:
    desk.site = Site.model_validate({"hl7": {"accession_location": "OBR-3"}})
    assert desk.answer(a_message(ORDER, filler_order_number=NUMBER, accession_number="")).code == "AA"
    assert [order.accession_number for order in desk.index.orders()] == [NUMBER]
    answer = desk.answer(a_message(ORDER, filler_order_number=""))
    assert (answer.code, "(OBR-3) cannot be used: accession.missing" in answer.text) == ("AE", True)


def test_messages_at_once_are_applied_one_after_another(desk: Desk) -> None:
    orders = Orders(desk.site, desk.index, desk.store, desk.changed.append)
    orders.answer(a_message(ORDER))
    updates = [an_adt(UPDATE, PatientData(ORDER.person.hkid, sex=sex)) for sex in "MF" * 20]
    changes = [a_message(ORDER, order_control="XO", patient_name=f"NAME^{number}") for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(orders.answer, updates + changes))
    assert all(b"MSA|AA" in answer for [answer] in answers)
    history = OrderBook(desk.index).history(NUMBER)
    # The last message of each kind decides what it says; none is lost, and none undone by one that read before it.
    last = hl7_messages.read_order([r for r in history if r.order_control == "XO"][-1].message.encode("latin-1"))
    kept = desk.index.order(NUMBER)
    assert kept is not None
    assert kept.keys.name == last.patient_name


# --- garbage -----------------------------------------------------------------------------------------

_ADTS = (an_adt(UPDATE, PatientData("A")), an_adt(MERGE, PatientData("A", prior_id="B")))
_HEADS = (b"", b"MSH|^~\\&|", a_message(ORDER), *_ADTS)
_PIECES = [
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"PID|1||A",
    b"MRG|B",
    b"ORC|NW",
    b"MSA|AA",
    b"ADT^A08",
    b"|AL",
    b"\xff",
]
_tails = st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join)


def test_whatever_comes_is_answered_and_what_is_refused_is_kept(tmp_path: Path) -> None:
    with opened(tmp_path) as (store, index):
        desk = Desk(tmp_path, store, index)

        @given(
            st.sampled_from(_HEADS), st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join), st.integers(0, 400)
        )
        @steady
        def is_answered(head: bytes, tail: bytes, cut: int) -> None:
            raw = head[: len(head) - cut] + tail if cut < len(head) else tail
            before = len(desk.refused())
            answers = Orders(Site(), index, store, desk.changed.append).answer(raw)
            read = [hl7_acknowledgements.read_acknowledgement(answer).code for answer in answers]
            assert set(read) <= {"AA", "AE", "AR", "CA", "CE", "CR"}
            assert (len(desk.refused()) > before) == bool({"AE", "AR", "CR"} & set(read)) or not read

        is_answered()
