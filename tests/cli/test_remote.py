"""`simulate remote`: takes what `send` and the gateway send, and writes files that others read."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from pydicom import dcmread

from simulator.synthesis.studies import Study
from tests import processes
from tests.processes import simulate
from tests.synthesis import made


def assert_arrived(out: Path, study: Study) -> None:
    """Every file is a DICOM file of the study, its data set as it was sent, and nothing else lies there."""
    read = {dcmread(file).SOPInstanceUID: file for file in out.iterdir()}
    assert set(read) == {instance.sop_instance_uid for instance in study.instances}
    for instance in study.instances:
        file = read[instance.sop_instance_uid]
        assert dcmread(file).file_meta.MediaStorageSOPClassUID == instance.sop_class_uid
        assert dcmread(file).pixel_array.shape == made.read(instance).pixel_array.shape
        assert file.read_bytes().endswith(instance.data_set)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_modality_sends(number: signal.Signals, tmp_path: Path) -> None:
    study = made.a_study("sent", instances=2)
    files = processes.written(study, tmp_path / "study")
    with processes.remote(tmp_path, "--ae-title", "ARCHIVE") as (process, port, out):
        done = simulate("send", *files, "--to", f"ARCHIVE@127.0.0.1:{port}", "--calling", "CT1", folder=tmp_path)
        assert done.returncode == 0, done.stdout
        refused = simulate("send", *files, "--to", f"REMOTE1@127.0.0.1:{port}", folder=tmp_path)
        assert refused.returncode == 1
        assert processes.end(process, number) == 0
        assert process.stdout is not None
        assert process.stdout.read().splitlines() == [f"0000  {i.sop_instance_uid}  from CT1" for i in study.instances]
        said = (tmp_path / "remote.log").read_text(encoding="utf-8")
        assert said.startswith("association of MODALITY1 at 127.0.0.1:")
        assert "rejected: it called 'REMOTE1', this is 'ARCHIVE'; A-ASSOCIATE-RJ (result 1, source 1, reason 7)" in said
    assert_arrived(out, study)


def test_what_the_gateway_forwards(tmp_path: Path) -> None:
    study = made.a_study("forwarded", instances=3)
    files = processes.written(study, tmp_path / "study")
    options = processes.order_options(made.an_order("forwarded"))
    with processes.remote(tmp_path) as (process, port, out):
        there = {"destinations": [{"ae_title": "REMOTE1", "port": port}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            assert simulate("order", "--to", gateway.hl7, *options, folder=tmp_path).returncode == 0
            assert simulate("send", *files, "--to", gateway.address, folder=tmp_path).returncode == 0
            (held,) = gateway.await_states(1, ["forwarded", "failed"])
            assert (held["state"], held["order"]) == ("forwarded", study.accession_number)
        assert processes.end(process) == 0
    assert_arrived(out, study)


def test_a_port_in_use_is_3(tmp_path: Path) -> None:
    with processes.remote(tmp_path) as (_, port, _):
        done = simulate("remote", "--port", str(port), "--out", "other", folder=tmp_path)
    assert done.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
