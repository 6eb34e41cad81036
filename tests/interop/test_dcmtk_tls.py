"""DICOM over TLS with DCMTK on the other side: as modality, and as destination."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from simulator.wire import certificates
from tests import processes
from tests.interop import dcmtk
from tests.processes import RunningGateway, simulate
from tests.synthesis import made

pytestmark = dcmtk.needed

PROFILES = ["--profile-bcp195-nd", "--profile-bcp195", "--profile-bcp195-ex"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder


def tls(files: Path, clients: str = "required") -> dict[str, object]:
    return {
        "port": 0,
        "certificate": str(files / "gateway.pem"),
        "key": str(files / "gateway.key"),
        "ca": str(files / "ca.pem"),
        "client_certificates": clients,
    }


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[RunningGateway]:
    """A gateway that asks callers for a certificate."""
    with processes.gateway(tmp_path_factory.mktemp("strict"), gateway={"tls": tls(files)}) as running:
        yield running


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[RunningGateway]:
    """A gateway that asks for none, on the TLS port alone."""
    settings = {"dicom_port": "off", "tls": tls(files, "none")}
    with processes.gateway(tmp_path_factory.mktemp("open"), gateway=settings) as running:
        yield running


def identity(files: Path, name: str) -> list[str]:
    return ["--enable-tls", str(files / f"{name}.key"), str(files / f"{name}.pem")]


def trusting(files: Path, name: str = "ca") -> list[str]:
    return ["--add-cert-file", str(files / f"{name}.pem")]


def to(gateway: RunningGateway) -> list[str]:
    return ["-v", "-aec", gateway.ae_title, "127.0.0.1", str(gateway.dicom_tls_port)]


@pytest.mark.parametrize("profile", PROFILES)
def test_echoscu_with_a_certificate(profile: str, strict: RunningGateway, files: Path, tmp_path: Path) -> None:
    options = [*identity(files, "modality"), *trusting(files), profile]
    done = dcmtk.run("echoscu", *options, *to(strict), folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Received Echo Response (Success)" in done.stdout


def test_echoscu_without_a_certificate(open_to_all: RunningGateway, files: Path, tmp_path: Path) -> None:
    assert open_to_all.dicom_port == 0
    done = dcmtk.run("echoscu", "--anonymous-tls", *trusting(files), *to(open_to_all), folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Received Echo Response (Success)" in done.stdout


def test_storescu_sends_images(strict: RunningGateway, files: Path, tmp_path: Path) -> None:
    study = made.a_study("dcmtk-tls", instances=3)
    images = processes.written(study, tmp_path / "study")
    options = [*identity(files, "modality"), *trusting(files)]
    done = dcmtk.run("storescu", *options, *to(strict), *images, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Response (Success)") == 3
    held = {str(dcmread(file).SOPInstanceUID) for file in strict.data.glob("instances/*/*.dcm")}
    assert held == {instance.sop_instance_uid for instance in study.instances}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["expired"], "tls.expired: the peer's certificate has expired"),
        (["stranger"], "tls.unknown-ca: the peer's certificate comes from a CA that is not trusted here"),
        ([], "tls.no-certificate: the peer presented no certificate"),
        (["modality", "other-ca"], "tls.unknown-ca: the peer does not trust the CA of the certificate it was shown"),
    ],
)
def test_wrong_certificates_are_named_in_the_log(
    options: list[str], said: str, strict: RunningGateway, files: Path, tmp_path: Path
) -> None:
    own = identity(files, options[0]) if options else ["--anonymous-tls"]
    done = dcmtk.run("echoscu", *own, *trusting(files, *options[1:]), *to(strict), folder=tmp_path)
    assert done.returncode != 0
    # The association is gone for the peer before the gateway has written its line; the next one comes after it.
    good = [*identity(files, "modality"), *trusting(files)]
    assert dcmtk.run("echoscu", *good, *to(strict), folder=tmp_path).returncode == 0
    assert said in (strict.folder / "gateway.log").read_text(encoding="utf-8")


def test_encryption_is_no_option(open_to_all: RunningGateway, files: Path, tmp_path: Path) -> None:
    """PS3.15's authentication without encryption; DCMTK offers its suites up to TLS 1.2 alone."""
    options = [*identity(files, "modality"), *trusting(files), "--profile-null"]
    done = dcmtk.run("echoscu", *options, *to(open_to_all), folder=tmp_path)
    assert done.returncode != 0, done.stdout
    assert dcmtk.run("echoscu", *options[:-1], *to(open_to_all), folder=tmp_path).returncode == 0
    assert "tls.no-common-cipher: " in (open_to_all.folder / "gateway.log").read_text(encoding="utf-8")


def test_plain_dicom_on_the_tls_port_does_not_hold_up_others(
    strict: RunningGateway, files: Path, tmp_path: Path
) -> None:
    with socket.create_connection(("127.0.0.1", strict.dicom_tls_port)):  # says nothing, for as long as this lasts
        assert dcmtk.run("echoscu", *to(strict), folder=tmp_path).returncode != 0
        good = [*identity(files, "modality"), *trusting(files)]
        assert dcmtk.run("echoscu", *good, *to(strict), folder=tmp_path).returncode == 0
    assert "the peer speaks plain DICOM to the TLS port (01 00" in (strict.folder / "gateway.log").read_text()


# --- the gateway as SCU ------------------------------------------------------------------------------


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[tuple[int, Path]]:
    """Run DCMTK's `storescp` over TLS on a free port; it listens once a connection is taken."""
    out, log, port = folder / "arrived", folder / "storescp.log", processes.free_port()
    out.mkdir(parents=True)
    command = [dcmtk.FOLDER / "storescp", "-v", *options, "--output-directory", out, str(port)]
    with processes.running(command, folder, log) as process:
        processes.await_port(port, process, log)
        yield port, out
        process.terminate()


@pytest.mark.parametrize(
    ("server", "check", "state"),
    [
        ("gateway", "--require-peer-cert", "forwarded"),
        ("gateway", "--ignore-peer-cert", "forwarded"),
        ("stranger", "--ignore-peer-cert", "failed"),
        ("expired", "--ignore-peer-cert", "failed"),
        ("other-name", "--ignore-peer-cert", "failed"),
    ],
)
def test_storescp_as_destination(server: str, check: str, state: str, files: Path, tmp_path: Path) -> None:
    study = made.a_study("forwarded-over-tls", instances=2)
    images = processes.written(study, tmp_path / "study")
    options = [*identity(files, server), *trusting(files), check]
    with storescp(tmp_path / "storescp", *options) as (port, out):
        destination = {"ae_title": "PACS", "host": "127.0.0.1", "port": port, "tls": True}
        site = {"gateway": {"tls": tls(files)}, "forwarding": {"destinations": [destination], "attempts": 1}}
        with processes.gateway(tmp_path / "gateway", **site) as gateway:
            order = processes.order_options(made.an_order("forwarded-over-tls"))
            assert simulate("order", "--to", gateway.hl7, *order, folder=tmp_path).returncode == 0
            assert simulate("send", *images, "--to", gateway.address, folder=tmp_path).returncode == 0
            gateway.await_states(1, (state,))
            log = (gateway.folder / "gateway.log").read_text(encoding="utf-8")
        arrived = {str(dcmread(file).SOPInstanceUID) for file in out.iterdir()}
    if state == "forwarded":
        assert arrived == {instance.sop_instance_uid for instance in study.instances}
    else:
        assert arrived == set()
        words = {"stranger": "not trusted here", "expired": "has expired", "other-name": "for another name"}
        assert f"no TLS with PACS@127.0.0.1:{port}: the peer's certificate" in log
        assert words[server] in log
