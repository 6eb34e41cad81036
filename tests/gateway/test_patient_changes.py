from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.gateway import patient_changes
from simulator.rules import hkid
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.wire.hl7_patients import MERGE, UPDATE, PatientData, PatientMessage
from tests.wire.made import steady

CHAN = MajorKeys("Q1234567", "CHAN^TAI MAN", "19700131", "M")
LEE = MajorKeys("Q7654329", "LEE^SIU LAN", "19801231", "F")
FIRST, SECOND = OrderKeys("A1", CHAN), OrderKeys("A2", CHAN, cancelled=True)
OTHER = OrderKeys("B1", LEE)


def book(*orders: OrderKeys) -> Callable[[str], Sequence[OrderKeys]]:
    def of_patient(patient_id: str) -> list[OrderKeys]:
        wanted = hkid.canonical(patient_id)
        return [order for order in orders if hkid.canonical(order.keys.hkid) == wanted]

    return of_patient


def a_message(kind: str, *patients: PatientData) -> PatientMessage:
    return PatientMessage(kind, "2.3.1", "MSG1", "REG|F", patients)


def applied(message: PatientMessage, *orders: OrderKeys) -> dict[str, MajorKeys]:
    changed = patient_changes.applied(message, book(*orders))
    before = {order.accession_number: order for order in orders}
    assert all(order.cancelled == before[order.accession_number].cancelled for order in changed)
    return {order.accession_number: order.keys for order in changed}


# --- updates -----------------------------------------------------------------------------------------


def test_an_update_is_for_every_order_of_the_patient() -> None:
    message = a_message(UPDATE, PatientData("Q1234567", "CHAN^TAI MING"))
    named = replace(CHAN, name="CHAN^TAI MING")
    assert applied(message, FIRST, SECOND, OTHER) == {"A1": named, "A2": named}


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        (PatientData("Q1234567", birth_date=""), replace(CHAN, birth_date="")),
        (PatientData("Q1234567", "", "", ""), replace(CHAN, name="", birth_date="", sex="")),
        (PatientData("q123456(7)", sex="F"), replace(CHAN, sex="F")),
        (
            PatientData("Q1234567", "N", "19990101", "F", prior_id="Q1234567"),
            MajorKeys("Q1234567", "N", "19990101", "F"),
        ),
    ],
)
def test_what_is_absent_stays_and_what_is_null_goes(said: PatientData, keys: MajorKeys) -> None:
    assert applied(a_message(UPDATE, said), FIRST) == {"A1": keys}


@pytest.mark.parametrize("said", [PatientData("Q1234567"), PatientData("Q1234567", CHAN.name, CHAN.birth_date, "M")])
def test_what_says_nothing_new_changes_nothing(said: PatientData) -> None:
    assert applied(a_message(UPDATE, said), FIRST, SECOND) == {}


def test_a_patient_without_orders_changes_nothing() -> None:
    assert applied(a_message(UPDATE, PatientData("Q9999995", "X")), FIRST, OTHER) == {}
    assert applied(a_message(MERGE, PatientData("Q9999995", "X", prior_id="Q8888884")), FIRST, OTHER) == {}


def test_an_update_does_not_change_the_identifier() -> None:
    fault = patient_changes.complaint(a_message(UPDATE, PatientData("Q7654329", prior_id="Q1234567")))
    assert fault is not None
    assert (fault.where, "send a merge (ADT^A40)" in fault.text) == ("MRG-1", True)
    assert patient_changes.complaint(a_message(UPDATE, PatientData("Q1234567", prior_id="HKID:Q123456(7)"))) is None
    assert patient_changes.complaint(a_message(UPDATE, PatientData("Q1234567"))) is None


# --- merges ------------------------------------------------------------------------------------------


def test_the_orders_of_the_prior_identifier_become_the_surviving_patients() -> None:
    message = a_message(MERGE, PatientData(LEE.hkid, LEE.name, LEE.birth_date, LEE.sex, CHAN.hkid))
    assert applied(message, FIRST, SECOND) == {"A1": LEE, "A2": LEE}


def test_what_the_message_leaves_out_comes_from_the_surviving_patients_orders() -> None:
    assert applied(a_message(MERGE, PatientData(LEE.hkid, prior_id=CHAN.hkid)), FIRST, OTHER) == {"A1": LEE}


def test_what_nobody_knows_of_the_surviving_patient_stays() -> None:
    message = a_message(MERGE, PatientData(LEE.hkid, prior_id=CHAN.hkid))
    assert applied(message, FIRST) == {"A1": replace(CHAN, hkid=LEE.hkid)}


def test_one_patient_has_one_name_after_a_merge() -> None:
    message = a_message(MERGE, PatientData(LEE.hkid, "LEE^MAY", prior_id=CHAN.hkid))
    named = replace(LEE, name="LEE^MAY")
    assert applied(message, FIRST, OTHER) == {"A1": named, "B1": named}


def test_merges_follow_one_another() -> None:
    first = PatientData(LEE.hkid, prior_id=CHAN.hkid)
    second = PatientData("QX1234561", "WONG", prior_id=LEE.hkid)
    after = replace(LEE, hkid="QX1234561", name="WONG")
    assert applied(a_message(MERGE, first, second), FIRST, OTHER) == {"A1": after, "B1": after}


def test_there_and_back_changes_nothing_but_what_was_said() -> None:
    there, back = PatientData("QX1234561", prior_id=CHAN.hkid), PatientData(CHAN.hkid, prior_id="QX1234561")
    assert applied(a_message(MERGE, there, back), FIRST, OTHER) == {}


def test_a_merge_of_one_identifier_is_refused() -> None:
    fault = patient_changes.complaint(a_message(MERGE, PatientData("Q1234567", prior_id="HKID:Q123456(7)")))
    assert fault is not None
    assert "nothing is to be merged" in fault.text


_ids = st.sampled_from(("Q1234567", "q123456(7)", "Q7654329", "QX1234561"))
_texts = st.one_of(st.none(), st.sampled_from(("", "X", "Y")))
_orders = st.lists(st.builds(MajorKeys, _ids, st.sampled_from("XY"), st.just(""), st.just("")), max_size=4).map(
    lambda keys: [OrderKeys(f"N{number}", each) for number, each in enumerate(keys)]
)
_patients = st.lists(st.builds(PatientData, _ids, _texts, _texts, _texts, _ids), min_size=1, max_size=4)


@given(_orders, _patients)
@steady
def test_no_order_is_lost_or_left_under_a_prior_identifier(
    orders: list[OrderKeys], patients: list[PatientData]
) -> None:
    message = a_message(MERGE, *patients)
    if patient_changes.complaint(message) is not None:
        return
    changed = patient_changes.applied(message, book(*orders))
    assert {order.accession_number for order in changed} <= {order.accession_number for order in orders}
    after = {order.accession_number: order for order in [*orders, *changed]}
    last = patients[-1]
    assert not [o for o in after.values() if hkid.canonical(o.keys.hkid) == hkid.canonical(last.prior_id)]
    # Applying the last group once more finds nothing left to move.
    again = patient_changes.applied(a_message(MERGE, last), book(*after.values()))
    assert again == ()
