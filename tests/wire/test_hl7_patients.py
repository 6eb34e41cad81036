from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.errors import Hl7ParseError
from simulator.wire import hl7_patients
from simulator.wire.hl7_messages import Envelope
from simulator.wire.hl7_patients import MERGE, UPDATE, PatientData, PatientMessage
from tests.wire.made import steady
from tests.wire.test_hl7_messages import joined, names, texts

ENVELOPE = Envelope("20240102030405")
MSH = "MSH|^~\\&|REG|FACILITY|HAGATEWAY|HAHO|20240102030405||{}|MSG1|P|2.3.1"
PID = "PID|1||A1234563||CHAN^TAI MAN||19700131|M"

_identifiers = texts.filter(bool)
_names = st.one_of(st.none(), names)
_dates = st.one_of(st.none(), st.just(""), st.dates().map(lambda day: f"{day:%Y%m%d}".zfill(8)))
_patients = st.builds(
    PatientData, patient_id=_identifiers, name=_names, birth_date=_dates, sex=st.one_of(st.none(), texts)
)


@st.composite
def messages(draw: st.DrawFn) -> PatientMessage:
    update = draw(st.booleans())
    prior = texts if update else _identifiers
    patients = draw(st.lists(st.builds(_with_prior, _patients, prior), min_size=1, max_size=1 if update else 4))
    sender = f"{draw(texts.filter(lambda text: '|' not in text))}|{draw(texts)}"
    version = draw(st.sampled_from(("2.3.1", "2.5.1")))
    return PatientMessage(UPDATE if update else MERGE, version, draw(texts), sender, tuple(patients))


def _with_prior(patient: PatientData, prior: str) -> PatientData:
    return PatientData(patient.patient_id, patient.name, patient.birth_date, patient.sex, prior)


# --- round trips -------------------------------------------------------------------------------------


@given(messages())
@example(PatientMessage(UPDATE, "2.3.1", "1", "|", (PatientData("A"),)))
@example(PatientMessage(MERGE, "2.5.1", "1", "|", (PatientData("A|^~", "", "", "", "B\\&\rC"),) * 2))
@steady
def test_a_message_is_read_back_whatever_stands_in_it(message: PatientMessage) -> None:
    assert hl7_patients.read_patients(hl7_patients.build_patients(message, ENVELOPE)) == message


def test_an_update_has_the_segments_of_its_structure() -> None:
    message = PatientMessage(UPDATE, "2.3.1", "1", "REG|F", (PatientData("A1234563", "CHAN^TAI MAN", "", None),))
    lines = hl7_patients.build_patients(message, ENVELOPE).decode().split("\r")[:-1]
    assert lines[0].split("|")[8] == "ADT^A08^ADT_A01"
    assert lines[1:] == ["EVN|A08|20240102030405", 'PID|1||A1234563||CHAN^TAI MAN||""', "PV1||U"]


def test_a_merge_has_a_group_for_each_patient() -> None:
    patients = (PatientData("A1", prior_id="B1"), PatientData("A2", "N", prior_id="B2"))
    lines = hl7_patients.build_patients(PatientMessage(MERGE, "2.5.1", "1", "R|F", patients), ENVELOPE)
    assert lines.decode().split("\r")[1:-1] == [
        "EVN|A40|20240102030405",
        "PID|1||A1",
        "MRG|B1",
        "PID|1||A2||N",
        "MRG|B2",
    ]


# --- absent, null and there --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pid", "expected"),
    [
        ("PID|1||A", PatientData("A")),
        ("PID|1||A||||", PatientData("A")),
        ('PID|1||A||""||""|""', PatientData("A", "", "", "")),
        ("PID|1||A^^^HA~B^^^MR||CHAN^TAI MAN~X||197001311230|M", PatientData("A", "CHAN^TAI MAN", "19700131", "M")),
        ("PID|1||A||^TAI MAN", PatientData("A", "^TAI MAN")),
    ],
)
def test_an_absent_field_is_not_a_null_one(pid: str, expected: PatientData) -> None:
    assert hl7_patients.read_patients(joined(MSH.format(UPDATE), "EVN|A08", pid, "PV1|1|O")).patients == (expected,)


def test_other_segments_stand_between_pid_and_its_mrg() -> None:
    raw = joined(MSH.format(MERGE), "EVN|A40", PID, "PD1||", "MRG|B1", "PV1||O", PID.replace("A1234563", "C"), "MRG|B2")
    found = hl7_patients.read_patients(raw).patients
    assert [(patient.patient_id, patient.prior_id) for patient in found] == [("A1234563", "B1"), ("C", "B2")]


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message_type", "segments", "problem", "where"),
    [
        (UPDATE, (), "segment PID is missing", "PID"),
        (MERGE, ("MRG|B",), "segment PID is missing", "PID"),
        (UPDATE, ("PID|1",), "PID-3 is empty", "PID-3"),
        (UPDATE, ('PID|1||""',), "PID-3 is empty", "PID-3"),
        (UPDATE, (PID, PID), "more than one patient", "PID"),
        (MERGE, (PID,), "MRG-1 is empty or missing", "MRG-1"),
        (MERGE, (PID, "MRG|"), "MRG-1 is empty or missing", "MRG-1"),
        (MERGE, (PID, "MRG|B", PID), "MRG-1 is empty or missing", "MRG-1"),
        (MERGE, ("MRG|B", PID), "no PID is before it", "MRG"),
        (MERGE, (PID, "MRG|B", "MRG|C"), "no PID is before it", "MRG"),
        ("ADT^A01", (PID,), "a patient comes as ADT\\^A08, ADT\\^A40", "MSH-9"),
    ],
)
def test_what_names_no_patient_is_refused(
    message_type: str, segments: tuple[str, ...], problem: str, where: str
) -> None:
    with pytest.raises(Hl7ParseError, match=problem) as raised:
        hl7_patients.read_patients(joined(MSH.format(message_type), *segments))
    assert raised.value.where == where


_pieces = st.lists(
    st.sampled_from(
        [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"MSH", b"PID|1||A", b"MRG|B", b"EVN", b'""', b"\xff", b" ",
         b"PV1", b"X0", "陳".encode()]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@given(st.sampled_from((UPDATE, MERGE, "")), st.one_of(st.binary(max_size=60), _pieces))
@steady
def test_garbage_is_refused_and_nothing_else(message_type: str, tail: bytes) -> None:
    with suppress(Hl7ParseError):
        found = hl7_patients.read_patients(joined(MSH.format(message_type)) + tail)
        assert found.patients
        assert all(patient.patient_id for patient in found.patients)
