"""No name, HKID or date of birth in a gateway's log, whatever comes in and however much it says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from simulator.errors import NotDicom, PeerError
from simulator.synthesis.character_sets import by_name
from simulator.synthesis.lies import LIES, Lie, saying
from simulator.synthesis.studies import Study
from simulator.wire import data_set, mllp
from simulator.wire.association import Address, Association, Outgoing
from tests.gateway.made import a_message, contexts_of, outgoing
from tests.processes import RunningGateway, gateway
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import HOST

ORDER = an_order()
PERSON = ORDER.person
NAMED = "SECRETNAME^HIDDEN GIVEN"
CARD = "Z9876543"


def lies() -> list[Study]:
    """Return studies that say wrong things about a known person, each in one way."""
    told = [[lie] for lie in LIES.values() if lie.needs_check_digit == "opaque"]
    own: list[list[Lie]] = [
        [saying("PatientName", NAMED), saying("PatientID", f"{CARD}(1)")],
        [saying("PatientName", "SECRETNAME HIDDEN GIVEN"), saying("PatientID", "SECRETNAME")],
        [saying("PatientName", f"{NAMED}^^^^^^^=^="), saying("PatientID", CARD[:-2])],
        [saying("Modality", "SECRETNAME")],
        [saying("PatientBirthDate", "SECRETNAME"), saying("PatientSex", NAMED)],
        [saying("AccessionNumber", "SECRETNAME")],
    ]
    return [a_study(f"masked {number}", instances=2, lies=each) for number, each in enumerate(told + own)] + [
        a_study(name, instances=2, character_set=by_name(name)) for name in ("ISO_IR 192", "GB18030")
    ]


def send(running: RunningGateway, instances: list[Outgoing]) -> None:
    address = Address(running.ae_title, HOST, running.dicom_port)
    with Association.request("MODALITY", address, contexts_of(instances)) as association:
        for instance in instances:
            try:
                association.store(instance)
            except PeerError:
                return


def garbled(instance: Outgoing) -> list[Outgoing]:
    """Return the instance cut short, with rubbish in it, and under a UID that is a name."""
    data = instance.data_set
    cut = [data[: data.find(b"PN") + 8 + length] for length in (2, 9, 40)]
    broken = [data.replace(b"PN", b"??", 1), data.replace(b"PN", b"\xff\xff", 1), *cut]
    return [
        *(Outgoing(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, d) for d in broken),
        Outgoing(instance.sop_class_uid, "SECRETNAME HIDDEN", instance.transfer_syntax_uid, data),
    ]


def hl7_garbage() -> list[bytes]:
    whole = a_message(ORDER, patient_name=NAMED, patient_id=CARD)
    return [
        whole,
        whole.replace(b"|", b"!"),
        whole.replace(b"MSH|^~\\&|", b"MSH|^~\\&"),
        whole.replace(b"ORM^O01", NAMED.encode()),
        whole.replace(b"|NW|", f"|{NAMED}|".encode()),
        whole.replace(b"|2.3.1", f"|{CARD}".encode()),
        whole.replace(ORDER.accession_number.encode(), NAMED.encode()),
        whole.replace(b"\r", b"\n"),
        whole[:60] + b"\xff\xfe\x80" + NAMED.encode("utf-16"),
        f"PID|1||{CARD}||{NAMED}".encode(),
    ]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_nothing_that_identifies_a_patient_is_in_the_log(tmp_path: Path, level: str) -> None:
    log, secrets = written(tmp_path, {"level": level})
    assert "refused" in log
    assert ("DEBUG" in log) == (level == "debug")
    for secret in secrets:
        found = [line for line in log.splitlines() if secret in line]
        assert not found, (secret, found[:3])


def test_without_the_mask_libraries_name_patients(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    log, secrets = written(tmp_path, {"level": "debug", "mask": False})
    assert [secret for secret in secrets if secret in log]


def written(tmp_path: Path, logs: dict[str, object]) -> tuple[str, set[str]]:
    """Return the log of a gateway to which all of this was sent, and what must not stand in it."""
    studies = lies()
    with gateway(tmp_path, logs=logs, unmatched="correct") as running:
        mllp.exchange(HOST, running.hl7_port, a_message(ORDER))
        for message in hl7_garbage():
            try:
                mllp.exchange(HOST, running.hl7_port, message, time_out=5.0)
            except PeerError:
                continue
        with socket.create_connection((HOST, running.hl7_port)) as raw:
            raw.sendall(f"PID|1||{CARD}||{NAMED}\r".encode())
        with socket.create_connection((HOST, running.dicom_port)) as raw:
            raw.sendall(f"{NAMED} {CARD}".encode() * 20)
        for study in studies:
            send(running, [outgoing(instance) for instance in study.instances])
        send(running, garbled(outgoing(studies[0].instances[0])))
        running.await_states(len(running.studies()), ("unmatched", "matched", "rejected"))
    log = (tmp_path / "gateway.log").read_text(encoding="utf-8")
    parts = {PERSON.name, *PERSON.name.replace("^", " ").split(), PERSON.hkid, PERSON.birth_date, PERSON.ideographic}
    said = {each for study in studies for each in names_in(study)}
    return log, {"SECRETNAME", "HIDDEN", CARD, CARD[:-2], NAMED, *parts, *said} - {""}


def names_in(study: Study) -> set[str]:
    """Return the names and HKIDs that the instances of a study carry, as text of any encoding."""
    found: set[str] = set()
    for instance in study.instances:
        try:
            tags = {data_set.PATIENT_NAME, data_set.PATIENT_ID, data_set.SPECIFIC_CHARACTER_SET}
            values = data_set.read(instance.data_set, instance.transfer_syntax_uid, tags)
        except NotDicom:
            continue
        found |= {data_set.text(values, data_set.PATIENT_NAME), data_set.text(values, data_set.PATIENT_ID)}
    return {text for text in found if len(text) > 3}
