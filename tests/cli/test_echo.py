"""`simulate echo` against a gateway and remote SCPs that are processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from tests import processes
from tests.processes import simulate


def test_what_each_destination_answers(tmp_path: Path) -> None:
    with processes.remote(tmp_path) as (_, port, _):
        there = {"destinations": [{"ae_title": "REMOTE1", "port": port}, {"ae_title": "DOWN", "port": 1}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            url = ("--url", gateway.http_url)
            done = simulate("echo", "REMOTE1", *url, folder=tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (0, f"REMOTE1@127.0.0.1:{port} answered 0000\n", "")
            done = simulate("echo", "REMOTE1", *url, "--json", folder=tmp_path)
            assert json.loads(done.stdout) == {
                "destination": "REMOTE1", "address": f"REMOTE1@127.0.0.1:{port}", "status": "0000", "problem": None,
            }  # fmt: skip
            done = simulate("echo", "DOWN", *url, folder=tmp_path)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith("error: nothing listens on 127.0.0.1:1")
            done = simulate("echo", "DOWN", *url, "--json", folder=tmp_path)
            assert done.returncode == 1
            assert json.loads(done.stdout)["status"] is None
            done = simulate("echo", "remote1", *url, folder=tmp_path)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == "error: there is no destination remote1\n  hint: did you mean REMOTE1?\n"
        log = (gateway.folder / "gateway.log").read_text(encoding="utf-8")
    assert f"REMOTE1@127.0.0.1:{port} answered Verification with 0000" in log
    assert "Verification of DOWN@127.0.0.1:1 failed: nothing listens on 127.0.0.1:1" in log


def test_no_gateway_is_there(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{processes.free_port()}"
    done = simulate("echo", "REMOTE1", "--url", url, folder=tmp_path)
    assert done.returncode == 1
    assert f"no gateway answers at {url}" in done.stderr
