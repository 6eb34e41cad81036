"""DCMTK's `storescp` as a destination that takes little, or dies in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

from simulator.scenario.messages import order_message
from tests import processes
from tests.interop import dcmtk
from tests.processes import simulate
from tests.synthesis import made

pytestmark = dcmtk.needed


def given(study: str, transfer_syntax: str, instances: int, gateway: processes.RunningGateway, folder: Path) -> None:
    """Give the gateway an order and its study."""
    (folder / "order.hl7").write_bytes(order_message(made.an_order(study), "ORM^O01").message)
    processes.written(made.a_study(study, instances=instances, transfer_syntax=transfer_syntax), folder / "study")
    assert simulate("order", "--to", gateway.hl7, "--file", "order.hl7", folder=folder).returncode == 0
    assert simulate("send", "study", "--to", gateway.address, folder=folder).returncode == 0


@pytest.mark.parametrize("syntax", ["JPEGLSLossless", "JPEGLosslessSV1", "ExplicitVRBigEndian"])
def test_one_that_takes_implicit_little_endian_alone(syntax: str, tmp_path: Path) -> None:
    with dcmtk.storescp(tmp_path, "+xi") as (port, out):
        there = {"destinations": [{"ae_title": "STORESCP", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            given("implicit", syntax, 2, gateway, tmp_path)
            (held,) = gateway.await_states(1, ["forwarded", "failed"])
            assert (held["state"], held["answers"]) == ("forwarded", {"0000": 2})
        planned = {i.sop_instance_uid: made.read(i) for i in made.a_study("implicit", instances=2).instances}
        arrived = [dcmread(file) for file in out.iterdir()]
        assert {image.SOPInstanceUID for image in arrived} == set(planned)
        for image in arrived:
            assert image.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
            assert image.PixelData == planned[image.SOPInstanceUID].PixelData


def test_one_that_keeps_what_is_compressed(tmp_path: Path) -> None:
    with dcmtk.storescp(tmp_path, "+xa") as (port, out):
        there = {"destinations": [{"ae_title": "STORESCP", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            given("compressed", "JPEG2000Lossless", 1, gateway, tmp_path)
            (held,) = gateway.await_states(1, ["forwarded", "failed"])
            assert held["state"] == "forwarded"
        (sent,) = made.a_study("compressed", transfer_syntax="JPEG2000Lossless").instances
        (arrived,) = map(dcmread, out.iterdir())
        assert arrived.file_meta.TransferSyntaxUID == sent.transfer_syntax_uid
        assert arrived.PixelData == made.read(sent).PixelData


@pytest.mark.parametrize("how", ["--abort-during", "--abort-after"])
def test_one_that_breaks_off_each_time_until_another_takes_its_place(how: str, tmp_path: Path) -> None:
    """It ends the association in the midst of an instance, or instead of answering."""
    port = processes.free_port()
    forwarding = {"attempts": 100, "retry_after": 0.2, "retry_at_most": 0.2}
    there = {"destinations": [{"ae_title": "STORESCP", "port": port}], **forwarding}
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
        with dcmtk.storescp(tmp_path / "first", how, port=port):
            given("dies", "ExplicitVRLittleEndian", 4, gateway, tmp_path)
            broken = gateway.await_event("DispatchChanged", attempts=2)
            assert (broken["state"], broken["missing"]) == ("waiting", 4)
            assert "ended the association before it answered" in str(broken["problem"])
            assert [study["state"] for study in gateway.studies()] == ["forwarding"]
        with dcmtk.storescp(tmp_path / "second", port=port) as (_, out):
            (held,) = gateway.await_states(1, ["forwarded", "failed"])
            assert (held["state"], held["answers"]) == ("forwarded", {"0000": 4})
            assert len(list(out.iterdir())) == 4


def test_one_that_dies_in_the_middle_gets_the_rest_later(tmp_path: Path) -> None:
    """It is killed when it has some of the study; what it has is not sent again."""
    port = processes.free_port()
    forwarding = {"attempts": 100, "retry_after": 0.2, "retry_at_most": 0.2}
    there = {"destinations": [{"ae_title": "STORESCP", "port": port}], **forwarding}
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    instances = 400
    with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
        with dcmtk.storescp(tmp_path / "first", port=port) as (_, first):
            given("killed", "ExplicitVRLittleEndian", instances, gateway, tmp_path)
            gateway.await_event("InstanceForwarded")
        had = {file.name for file in first.iterdir()}
        assert 0 < len(had) < instances
        with dcmtk.storescp(tmp_path / "second", port=port) as (_, second):
            (held,) = gateway.await_states(1, ["forwarded", "failed"])
            assert (held["state"], held["answers"]) == ("forwarded", {"0000": instances})
        got = {file.name for file in second.iterdir()}
        # The instance in hand when it died may lie there without an answer, and is the only one that came twice.
        assert len(had | got) == instances
        assert len(had & got) <= 1
