"""Storage commitment with Orthanc: it asks the gateway, and takes the report on an association of the gateway's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from simulator.synthesis.studies import Study
from tests import processes
from tests.interop import orthanc
from tests.interop.orthanc import Orthanc
from tests.processes import RunningGateway
from tests.synthesis import made

pytestmark = orthanc.needed


@contextmanager
def both(folder: Path) -> Iterator[tuple[Orthanc, RunningGateway]]:
    """Run Orthanc and a gateway that know each other's addresses."""
    with orthanc.running(folder) as archive:
        here = {"ae_title": orthanc.AE_TITLE, "host": "127.0.0.1", "port": archive.dicom_port}
        with processes.gateway(folder / "gateway", callers=[here]) as gateway:
            archive.know("gateway", gateway.ae_title, gateway.dicom_port)
            yield archive, gateway


def uploaded(archive: Orthanc, study: Study) -> list[str]:
    for instance in study.instances:
        archive.post("/instances", instance.part10())
    studies: list[str] = archive.get("/studies")
    return studies


def references(study: Study) -> set[tuple[str, str]]:
    return {(each.sop_class_uid, each.sop_instance_uid) for each in study.instances}


def listed(items: list[dict[str, Any]]) -> set[tuple[str, str]]:
    found = [(item["SOPClassUID"], item["SOPInstanceUID"]) for item in items]
    assert len(set(found)) == len(found)
    return set(found)


def test_orthanc_sends_and_is_told_that_all_is_committed(tmp_path: Path) -> None:
    study = made.a_study("committed", instances=3, size=32)
    with both(tmp_path) as (archive, gateway):
        order = {"Resources": uploaded(archive, study), "Synchronous": True, "StorageCommitment": True}
        done = archive.post("/modalities/gateway/store", order)
        report = archive.await_report(done["StorageCommitmentTransactionUID"])
        assert report["Status"] == "Success"
        assert listed(report["Success"]) == references(study)
        assert report["Failures"] == []
        assert report["RemoteAET"] == gateway.ae_title
        # It asked for everything that the gateway holds of the study, so the study is complete.
        gateway.await_states(1, ["unmatched"])


def test_orthanc_asks_for_what_was_never_sent(tmp_path: Path) -> None:
    sent, missing = made.a_study("sent", instances=2, size=32), made.a_study("missing", size=32)
    with both(tmp_path) as (archive, _):
        archive.post("/modalities/gateway/store", {"Resources": uploaded(archive, sent), "Synchronous": True})
        asked = [
            {"SOPClassUID": sop_class, "SOPInstanceUID": uid}
            for sop_class, uid in references(sent) | references(missing)
        ]
        told = archive.post("/modalities/gateway/storage-commitment", {"DicomInstances": asked})
        report = archive.await_report(told["ID"])
        assert report["Status"] == "Failure"
        assert listed(report["Success"]) == references(sent)
        assert listed(report["Failures"]) == references(missing)
        assert {item["FailureReason"] for item in report["Failures"]} == {0x0112}


def test_the_gateway_forwards_and_orthanc_commits(tmp_path: Path) -> None:
    """Orthanc always reports on an association of its own, to the modality that it knows under the AE title."""
    order, study = made.an_order("archived"), made.a_study("archived", instances=3, size=32)
    files = processes.written(study, tmp_path / "study")
    with orthanc.running(tmp_path) as archive:
        there = {"ae_title": orthanc.AE_TITLE, "port": archive.dicom_port, "commitment": True}
        with processes.gateway(tmp_path / "gateway", forwarding={"destinations": [there]}) as gateway:
            archive.know("gateway", gateway.ae_title, gateway.dicom_port)
            told = processes.simulate("order", "--to", gateway.hl7, *processes.order_options(order), folder=tmp_path)
            assert told.returncode == 0, told.stderr
            assert processes.simulate("send", *files, "--to", gateway.address, folder=tmp_path).returncode == 0
            gateway.await_states(1, ["forwarded", "failed"])
            (held,) = gateway.studies()
            assert held["state"] == "forwarded", (gateway.folder / "gateway.log").read_text(encoding="utf-8")
            events = httpx.get(f"{gateway.http_url}/events").json()
            (report,) = [each for each in events if each["event"] == "CommitmentReported"]
            assert report["via"] == "new"
            assert set(report["committed"]) == {each.sop_instance_uid for each in study.instances}
            assert set(archive.instances()) == set(report["committed"])
