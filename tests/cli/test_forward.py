"""`simulate forward` against a gateway and remote SCPs that are processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.scenario.messages import order_message
from tests import processes
from tests.processes import simulate
from tests.synthesis import made


def test_by_hand_a_part_and_then_the_rest(tmp_path: Path) -> None:
    study = made.a_study("forward", instances=3)
    uid, first = study.study_instance_uid, study.instances[0]
    processes.written(study, tmp_path / "study")
    (tmp_path / "order.hl7").write_bytes(order_message(made.an_order("forward"), "ORM^O01").message)
    with processes.remote(tmp_path) as (_, port, out):
        there = {"destinations": [{"ae_title": "REMOTE1", "port": port, "forward": "by-hand"}]}
        with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
            assert simulate("order", "--to", gateway.hl7, "--file", "order.hl7", folder=tmp_path).returncode == 0
            assert simulate("send", "study", "--to", gateway.address, folder=tmp_path).returncode == 0
            gateway.await_states(1, ["matched"])
            to = ("--to", "REMOTE1", "--url", gateway.http_url)

            done = simulate("forward", uid, "--instance", first.sop_instance_uid, *to, folder=tmp_path)
            assert (done.returncode, done.stdout) == (0, "queued for REMOTE1: 1 instances\n")
            done = simulate("forward", uid, "--series", first.series_instance_uid, *to, "--json", folder=tmp_path)
            assert json.loads(done.stdout)["level"] == "series"
            done = simulate("forward", uid, *to, folder=tmp_path)
            assert done.returncode == 0
            gateway.await_states(1, ["forwarded"])
            assert len(list(out.glob("*.dcm"))) == 3
            done = simulate("forward", uid, *to, folder=tmp_path)
            assert done.stdout == "REMOTE1 has stored all 3 instances already; nothing is sent\n"

            done = simulate("forward", uid[:-1], *to, folder=tmp_path)
            assert (done.returncode, done.stdout) == (2, "")
            assert f"there is no study {uid[:-1]}" in done.stderr
            assert f"did you mean {uid}?" in done.stderr


def test_what_is_not_matched_does_not_leave_and_what_is_wrong_is_shown(tmp_path: Path) -> None:
    study = made.a_study("kept")
    processes.written(study, tmp_path / "study")
    there = {"destinations": [{"ae_title": "REMOTE1", "port": 1}], "attempts": 1}
    with processes.gateway(tmp_path / "gateway", forwarding=there) as gateway:
        assert simulate("send", "study", "--to", gateway.address, folder=tmp_path).returncode == 0
        gateway.await_states(1, ["unmatched"])
        to = ("--to", "REMOTE1", "--url", gateway.http_url)
        done = simulate("forward", study.study_instance_uid, *to, folder=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"error: study {study.study_instance_uid} is unmatched (order.not-found); only what is matched is "
            "forwarded (correct the study or its order first)\n"
        )
        order = order_message(made.an_order("kept"), "ORM^O01").message
        (tmp_path / "order.hl7").write_bytes(order)
        assert simulate("order", "--to", gateway.hl7, "--file", "order.hl7", folder=tmp_path).returncode == 0
        gateway.await_states(1, ["failed"])
        shown = simulate("status", "--url", gateway.http_url, folder=tmp_path).stdout
        assert "REMOTE1 lacks 1 of 1: failed after attempt 1: nothing listens on 127.0.0.1:1" in shown


def test_no_gateway_is_there(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{processes.free_port()}"
    done = simulate("forward", "1.2.3", "--to", "REMOTE1", "--url", url, folder=tmp_path)
    assert done.returncode == 1
    assert f"no gateway answers at {url}" in done.stderr
