"""DCMTK as remote SCP: the gateway forwards to storescp, and `simulate send` delivers to it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydicom import dcmread

from simulator.rules.sop_classes import by_name
from simulator.scenario.messages import order_message
from simulator.synthesis.studies import Study
from tests import processes
from tests.interop import dcmtk
from tests.processes import simulate
from tests.synthesis import made

pytestmark = dcmtk.needed


def assert_arrived(out: Path, study: Study) -> None:
    """Every instance lies there once, with the pixels and keys that it was sent with."""
    arrived = {str(image.SOPInstanceUID): image for image in map(dcmread, out.iterdir())}
    assert set(arrived) == {instance.sop_instance_uid for instance in study.instances}
    for instance in study.instances:
        image, sent = arrived[instance.sop_instance_uid], made.read(instance)
        assert image.PixelData == sent.PixelData
        for keyword in ("AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
            assert image[keyword].value == sent[keyword].value
        assert image.StudyInstanceUID == study.study_instance_uid


@pytest.mark.parametrize("way", ["fields", "file"])
def test_a_matched_study_is_forwarded(way: str, tmp_path: Path) -> None:
    order = made.an_order(way)
    study = made.a_study(way, instances=3, size=32)
    files = processes.written(study, tmp_path / "study")
    (tmp_path / "order.hl7").write_bytes(order_message(order, "OMI^O23").message)
    told = {"fields": processes.order_options(order), "file": ["--file", "order.hl7"]}[way]
    with dcmtk.storescp(tmp_path) as (port, out):
        there = {"destinations": [{"ae_title": "STORESCP", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            assert simulate("order", "--to", gateway.hl7, *told, folder=tmp_path).returncode == 0
            where = ["-aec", gateway.ae_title, "127.0.0.1", str(gateway.dicom_port)]
            done = dcmtk.run("storescu", "-v", *where, *files, folder=tmp_path)
            assert done.returncode == 0, done.stdout
            (held,) = gateway.await_states(1, ["forwarded", "failed", "unmatched"])
            assert (held["state"], held["reasons"], held["order"]) == ("forwarded", [], order.accession_number)
        assert_arrived(out, study)


def test_an_unmatched_study_is_not_forwarded(tmp_path: Path) -> None:
    files = processes.written(made.a_study("held"), tmp_path / "study")
    with dcmtk.storescp(tmp_path) as (port, out):
        there = {"destinations": [{"ae_title": "STORESCP", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            where = ["-aec", gateway.ae_title, "127.0.0.1", str(gateway.dicom_port)]
            assert dcmtk.run("dcmsend", *where, *files, folder=tmp_path).returncode == 0
            (held,) = gateway.await_states(1)
            assert held["reasons"] == ["order.not-found"]
        assert list(out.iterdir()) == []


def test_a_destination_that_is_not_there_fails_the_study(tmp_path: Path) -> None:
    study = made.a_study("nowhere")
    files = processes.written(study, tmp_path / "study")
    (tmp_path / "order.hl7").write_bytes(order_message(made.an_order("nowhere"), "ORM^O01").message)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and does not listen
        there = {"destinations": [{"ae_title": "STORESCP", "port": nobody.getsockname()[1]}], "retry_after": 0}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            assert simulate("order", "--to", gateway.hl7, "--file", "order.hl7", folder=tmp_path).returncode == 0
            where = ["-aec", gateway.ae_title, "127.0.0.1", str(gateway.dicom_port)]
            assert dcmtk.run("storescu", *where, *files, folder=tmp_path).returncode == 0
            (held,) = gateway.await_states(1, ["failed", "forwarded"])
            assert (held["state"], held["instances"]) == ("failed", 1)


@pytest.mark.parametrize("sop_class", ["CT Image", "Ultrasound Image", "Hardcopy Color Image"])
def test_send_delivers(sop_class: str, tmp_path: Path) -> None:
    study = made.a_study("delivered", by_name(sop_class), instances=2, size=32)
    files = processes.written(study, tmp_path / "study")
    with dcmtk.storescp(tmp_path) as (port, out):
        done = simulate("send", *files, "--to", f"STORESCP@127.0.0.1:{port}", folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == f"2 of 2 instances stored by STORESCP@127.0.0.1:{port}"
        assert_arrived(out, study)


def test_send_to_one_that_refuses_every_association(tmp_path: Path) -> None:
    files = processes.written(made.a_study("refused"), tmp_path / "study")
    with dcmtk.storescp(tmp_path, "--refuse") as (port, out):
        done = simulate("send", *files, "--to", f"STORESCP@127.0.0.1:{port}", folder=tmp_path)
        assert done.returncode == 1
        assert "rejected the association of MODALITY1 permanently: no reason given" in done.stdout
        assert list(out.iterdir()) == []


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--refuse",), 1)])
def test_the_gateway_asks_storescp_for_verification(options: tuple[str, ...], code: int, tmp_path: Path) -> None:
    with dcmtk.storescp(tmp_path, *options) as (port, _):
        there = {"destinations": [{"ae_title": "STORESCP", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            done = simulate("echo", "STORESCP", "--url", gateway.http_url, folder=tmp_path)
    assert done.returncode == code, done.stderr
    told = {0: f"STORESCP@127.0.0.1:{port} answered 0000", 1: "rejected the association of HAGATEWAY permanently"}
    assert told[code] in done.stdout + done.stderr
