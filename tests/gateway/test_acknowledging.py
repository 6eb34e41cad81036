from __future__ import annotations

import itertools

import pytest

from simulator.gateway import acknowledging
from simulator.gateway.acknowledging import Outcome
from simulator.wire.hl7_segments import Header

CONDITIONS = ("AL", "NE", "ER", "SU")


def a_header(accept: str, application: str) -> Header:
    return Header("RIS", "F", "G", "H", "ORM^O01", "MSG1", "P", "2.3.1", accept, application)


@pytest.mark.parametrize("header", [None, a_header("", "")])
def test_the_original_mode_has_one_acknowledgement(header: Header | None) -> None:
    told = {outcome: acknowledging.codes(header, outcome) for outcome in Outcome}
    assert told == {
        Outcome.APPLIED: ("AA",),
        Outcome.UNUSABLE: ("AE",),
        Outcome.REJECTED: ("AR",),
        Outcome.LOST: ("AE",),
    }


# MSH-15, MSH-16, and what is answered when it is applied, unusable, rejected, lost (HL7 v2, 2.9.3 and table 0155)
ENHANCED = [
    ("AL", "AL", "CA AA", "CA AE", "CR", "CE"),
    ("AL", "NE", "CA", "CA", "CR", "CE"),
    ("AL", "", "CA", "CA", "CR", "CE"),
    ("AL", "ER", "CA", "CA AE", "CR", "CE"),
    ("AL", "SU", "CA AA", "CA", "CR", "CE"),
    ("NE", "AL", "AA", "AE", "AR", "AE"),
    ("", "AL", "AA", "AE", "AR", "AE"),
    ("NE", "NE", "", "", "", ""),
    ("NE", "ER", "", "AE", "AR", "AE"),
    ("NE", "SU", "AA", "", "", ""),
    ("ER", "AL", "AA", "AE", "CR", "CE"),
    ("ER", "NE", "", "", "CR", "CE"),
    ("ER", "ER", "", "AE", "CR", "CE"),
    ("ER", "SU", "AA", "", "CR", "CE"),
    ("SU", "AL", "CA AA", "CA AE", "AR", "AE"),
    ("SU", "NE", "CA", "CA", "", ""),
    ("SU", "ER", "CA", "CA AE", "AR", "AE"),
    ("SU", "SU", "CA AA", "CA", "", ""),
]


def test_the_table_has_every_pair() -> None:
    assert {row[:2] for row in ENHANCED} >= set(itertools.product(CONDITIONS, CONDITIONS))


@pytest.mark.parametrize(("accept", "application", "applied", "unusable", "rejected", "lost"), ENHANCED)
def test_the_enhanced_mode(
    accept: str, application: str, applied: str, unusable: str, rejected: str, lost: str
) -> None:
    header = a_header(accept, application)
    told = [" ".join(acknowledging.codes(header, outcome)) for outcome in Outcome]
    assert told == [applied, unusable, rejected, lost]


@pytest.mark.parametrize(("accept", "application", "where"), [("XX", "AL", "MSH-15"), ("AL", "al", "MSH-16")])
def test_a_condition_of_no_table_is_named_and_rejected(accept: str, application: str, where: str) -> None:
    header = a_header(accept, application)
    fault = acknowledging.complaint(header)
    assert fault is not None
    assert fault.where == where
    assert "is not AL, NE, ER or SU" in fault.text
    assert acknowledging.codes(header, Outcome.REJECTED) == ("AR",)


@pytest.mark.parametrize(("accept", "application"), [*itertools.product(CONDITIONS, CONDITIONS), ("", ""), ("AL", "")])
def test_the_conditions_of_the_table_are_fine(accept: str, application: str) -> None:
    assert acknowledging.complaint(a_header(accept, application)) is None
