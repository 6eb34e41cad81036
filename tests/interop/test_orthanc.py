"""Orthanc as remote SCP and as sender: studies of every class, in every transfer syntax, both ways, byte for byte."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import httpx
from pydicom import Dataset, dcmread

from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import compression, studies
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import SeriesSpec, Study
from simulator.wire.acceptor import VERIFICATION_CONTEXT
from simulator.wire.association import Address, Association
from tests import processes
from tests.interop import orthanc
from tests.interop.orthanc import Orthanc
from tests.processes import RunningGateway, simulate
from tests.synthesis import made

pytestmark = orthanc.needed

SIZE = 32
CT = by_name("CT Image")
# Classes whose samples have 8 bits, which JPEG Baseline can hold.
BASELINE = by_name("Ultrasound Image")


def specs() -> list[SeriesSpec]:
    """Return a series of each class of the slide, and one in each transfer syntax that a study can be made in."""
    every = [_spec(sop_class, compression.EXPLICIT_VR_LITTLE_ENDIAN) for sop_class in SEED_IMAGE_CLASSES]
    others = [each for each in compression.TRANSFER_SYNTAXES if each is not compression.EXPLICIT_VR_LITTLE_ENDIAN]
    return every + [_spec(BASELINE if each is compression.JPEG_BASELINE else CT, each) for each in others]


def _spec(sop_class: SopClass, syntax: compression.TransferSyntax) -> SeriesSpec:
    return SeriesSpec(sop_class, 2, SIZE, SIZE, syntax)


def a_study(seed: str) -> tuple[Order, Study]:
    order = made.an_order(seed)
    return order, studies.study(seed, order, specs())


def ordered(order: Order, gateway: RunningGateway, folder: Path) -> None:
    done = simulate("order", "--to", gateway.hl7, *processes.order_options(order), folder=folder)
    assert done.returncode == 0, done.stderr


def assert_same(arrived: bytes, sent: studies.Instance) -> None:
    """Every attribute is as it was sent, Pixel Data included, in the transfer syntax that it was sent in."""
    image, original = dcmread(BytesIO(arrived)), made.read(sent)
    assert image.file_meta.TransferSyntaxUID == sent.transfer_syntax_uid
    assert image.PixelData == original.PixelData
    assert Dataset(image) == Dataset(original)


def test_verification_both_ways(tmp_path: Path) -> None:
    with processes.gateway(tmp_path / "gateway") as gateway, orthanc.running(tmp_path) as archive:
        archive.know("gateway", gateway.ae_title, gateway.dicom_port)
        assert archive.post("/modalities/gateway/echo", {}) == {}
        archive.know("nobody", "NONESUCH", gateway.dicom_port)
        assert archive.http.post("/modalities/nobody/echo", content=b"{}").status_code == 500
        peer = Address(orthanc.AE_TITLE, "127.0.0.1", archive.dicom_port)
        with Association.request(gateway.ae_title, peer, [VERIFICATION_CONTEXT]) as association:
            assert association.echo().status == 0x0000


def test_a_matched_study_is_forwarded_to_orthanc(tmp_path: Path) -> None:
    order, study = a_study("to orthanc")
    files = processes.written(study, tmp_path / "study")
    with orthanc.running(tmp_path) as archive:
        there = {"destinations": [{"ae_title": orthanc.AE_TITLE, "port": archive.dicom_port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            ordered(order, gateway, tmp_path)
            assert simulate("send", *files, "--to", gateway.address, folder=tmp_path).returncode == 0
            (held,) = gateway.await_states(1, ["forwarded", "failed", "unmatched"])
            assert (held["state"], held["instances"]) == ("forwarded", len(files))
        counted = archive.get("/statistics")
        assert (counted["CountStudies"], counted["CountSeries"]) == (1, len(specs()))
        found = archive.instances()
        assert set(found) == {instance.sop_instance_uid for instance in study.instances}
        for instance in study.instances:
            assert_same(archive.file(found[instance.sop_instance_uid]), instance)
        (identifier,) = archive.get("/studies")
        tags = archive.get(f"/studies/{identifier}")
        assert tags["MainDicomTags"]["AccessionNumber"] == order.accession_number
        assert tags["PatientMainDicomTags"]["PatientID"] == order.person.hkid


def test_an_unmatched_study_does_not_reach_orthanc(tmp_path: Path) -> None:
    _, study = a_study("held back")
    files = processes.written(study, tmp_path / "study")
    with orthanc.running(tmp_path) as archive:
        there = {"destinations": [{"ae_title": orthanc.AE_TITLE, "port": archive.dicom_port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            assert simulate("send", *files, "--to", gateway.address, folder=tmp_path).returncode == 0
            gateway.await_states(1, ["unmatched"])
        assert archive.instances() == {}


def test_orthanc_sends_a_study_that_the_gateway_matches(tmp_path: Path) -> None:
    order, study = a_study("from orthanc")
    with orthanc.running(tmp_path) as archive, processes.gateway(tmp_path / "gateway") as gateway:
        ordered(order, gateway, tmp_path)
        sent = sent_by(archive, gateway, study)
        (held,) = gateway.await_states(1, ["matched", "unmatched"])
        assert (held["state"], held["instances"], held["order"]) == ("matched", sent, order.accession_number)
        files = [file.read_bytes() for file in gateway.data.glob("instances/*/*.dcm")]
    kept = {str(dcmread(BytesIO(file), stop_before_pixels=True).SOPInstanceUID): file for file in files}
    for instance in study.instances:
        assert_same(kept[instance.sop_instance_uid], instance)


def sent_by(archive: Orthanc, gateway: RunningGateway, study: Study) -> int:
    """Let Orthanc take the study by its REST API and send it to the gateway; return how many instances."""
    done = asked_to_send(archive, gateway, study)
    assert done.status_code == 200, done.text
    assert (done.json()["InstancesCount"], done.json()["FailedInstancesCount"]) == (len(study.instances), 0)
    return len(study.instances)


def asked_to_send(archive: Orthanc, gateway: RunningGateway, study: Study) -> httpx.Response:
    for instance in study.instances:
        archive.post("/instances", instance.part10())
    archive.know("gateway", gateway.ae_title, gateway.dicom_port)
    order = {"Resources": archive.get("/studies"), "Synchronous": True}
    return archive.http.post("/modalities/gateway/store", content=json.dumps(order))


def test_orthanc_is_told_that_an_instance_is_refused(tmp_path: Path) -> None:
    study = made.a_study("limited", instances=2, size=SIZE)
    limit = {"limit": 1, "mode": "reject", "status": "A7FE"}
    with (
        orthanc.running(tmp_path) as archive,
        processes.gateway(tmp_path / "gateway", image_limit=limit) as gateway,
    ):
        told = asked_to_send(archive, gateway, study)
        assert 'C-STORE SCU to AET "HAGATEWAY" has failed with DIMSE status 0xA7FE' in told.json()["Details"]
        (held,) = gateway.await_states(1, ["rejected"])
        assert (held["instances"], held["reasons"]) == (1, ["image-count.exceeded"])
