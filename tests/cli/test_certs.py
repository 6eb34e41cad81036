"""`simulate certs`, and what the other commands do with the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.wire import certificates
from tests import processes
from tests.processes import simulate
from tests.synthesis import made


def test_a_set_is_made_and_each_file_explained(tmp_path: Path) -> None:
    done = simulate("certs", "tls", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "tls").iterdir()} == set(certificates.FILES)
    lines = done.stdout.splitlines()
    assert len(lines) == len(certificates.FILES)
    for line, (name, purpose) in zip(lines, certificates.FILES.items(), strict=True):
        assert line.startswith(f"tls/{name} ")
        assert line.endswith(purpose)


def test_a_folder_that_is_not_empty_is_left_alone_unless_told(tmp_path: Path) -> None:
    mine = tmp_path / "tls" / "gateway.key"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    refused = simulate("certs", "tls", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: tls is not empty\n  hint: name another folder, or --force to replace a set that is there\n"
    )
    assert mine.read_text(encoding="utf-8") == "mine"
    assert simulate("certs", "tls", "--force", folder=tmp_path).returncode == 0
    assert "PRIVATE KEY" in mine.read_text(encoding="utf-8")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("", encoding="utf-8")
    done = simulate("certs", "tls", folder=tmp_path)
    assert done.returncode == 2
    assert "tls is a file" in done.stderr


def test_the_readmes_tls_works_from_paths_relative_to_the_profile(tmp_path: Path) -> None:
    assert simulate("certs", "gateway/certificates", folder=tmp_path).returncode == 0
    (image,) = processes.written(made.a_study("over TLS"), tmp_path / "study")
    names = {"certificate": "gateway.pem", "key": "gateway.key", "ca": "ca.pem"}
    tls = {key: f"certificates/{name}" for key, name in names.items()} | {"port": 0, "client_certificates": "required"}
    options = ["--ca", "gateway/certificates/ca.pem"]
    own = [
        f"--{key}=gateway/certificates/modality.{suffix}" for key, suffix in (("certificate", "pem"), ("key", "key"))
    ]
    with processes.gateway(tmp_path / "gateway", gateway={"tls": tls}) as gateway:
        to = ["--to", f"{gateway.ae_title}@127.0.0.1:{gateway.dicom_tls_port}"]
        sent = simulate("send", image, *to, *options, *own, folder=tmp_path)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        without = simulate("send", image, *to, *options, folder=tmp_path)
        assert without.returncode == 1
        assert "the peer asks for a certificate and got none" in without.stdout
        plain = simulate("send", image, *to, folder=tmp_path)
        assert plain.returncode == 1
        listing = (gateway.folder / "gateway.log").read_text(encoding="utf-8")
    assert "tls.no-certificate: the peer presented no certificate" in listing
    assert "tls.plain-dicom" in listing


def test_a_remote_scp_over_tls(tmp_path: Path) -> None:
    certificates.make(tmp_path / "tls")
    (image,) = processes.written(made.a_study("to a remote SCP"), tmp_path / "study")
    listen = ["--certificate", "tls/gateway.pem", "--key", "tls/gateway.key", "--ca", "tls/ca.pem"]
    own = ["--ca", "tls/ca.pem", "--certificate", "tls/modality.pem", "--key", "tls/modality.key"]
    with processes.remote(tmp_path, *listen) as (_, port, out):
        done = simulate("send", image, "--to", f"REMOTE1@127.0.0.1:{port}", *own, folder=tmp_path)
        assert done.returncode == 0, done.stdout
        assert len(list(out.glob("*.dcm"))) == 1
        bare = simulate("send", image, "--to", f"REMOTE1@127.0.0.1:{port}", "--tls", folder=tmp_path)
        assert bare.returncode == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--certificate", "a.pem"], "--certificate and --key go together"),
        (["--ca", "nonesuch.pem"], "nonesuch.pem: no such file"),
    ],
)
def test_options_that_do_not_fit_are_2(options: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("", encoding="utf-8")
    (image,) = processes.written(made.a_study("options"), tmp_path / "study")
    done = simulate("send", image, "--to", "A@127.0.0.1:1", *options, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_gateway_whose_files_are_not_there_says_which(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "gateway:\n  tls:\n    certificate: no.pem\n    key: no.key\n    port: 0\n", encoding="utf-8"
    )
    done = simulate("gateway", "--site", "site.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "site.yaml:3:5: gateway.tls.certificate: there is no file" in done.stderr
    assert "site.yaml:4:5: gateway.tls.key: there is no file" in done.stderr
    assert "simulate certs" in done.stderr
