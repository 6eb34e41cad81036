"""The modality for Locust, as a stranger runs it: a master and two workers on this machine, against a real gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.load import LOCUST_FILE
from tests import processes
from tests.processes import RunningGateway, free_port

# Locust is looked for and not imported: it would change the standard library under all other tests.
pytestmark = [
    pytest.mark.locust,
    pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed: pip install '.[load]'"),
]

LOCUST = (sys.executable, "-m", "locust", "-f", LOCUST_FILE, "--loglevel", "INFO")
SMALL = ("--images", "5", "--size", "64")
KEPT = ("--json-file", "found")  # in place of the summary
USERS = 4
DEADLINE = 60.0


def headless(host: str, seconds: int = 4) -> tuple[str, ...]:
    return (
        *("--headless", "--host", host, "--users", str(USERS), "--spawn-rate", str(USERS)),
        *("--run-time", f"{seconds}s", "--stop-timeout", "10", "--only-summary"),
    )


def found_in(folder: Path) -> dict[str, tuple[int, int, float]]:
    """Return requests, failures and the longest in milliseconds, by the kind of request."""
    rows = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return {row["method"]: (row["num_requests"], row["num_failures"], row["max_response_time"]) for row in rows}


def held(gateway: RunningGateway) -> int:
    return sum(study["instances"] for study in gateway.studies())


def test_a_master_and_two_workers_tell_what_the_gateway_holds(tmp_path: Path) -> None:
    port = str(free_port())
    with processes.gateway(tmp_path / "gateway") as gateway, ExitStack() as stack:
        options = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
        command = [*LOCUST, *options, *headless(gateway.address), *SMALL, *KEPT, "--orders", gateway.hl7]
        master = stack.enter_context(processes.running(command, tmp_path, tmp_path / "master.log"))
        workers = [
            stack.enter_context(
                processes.running(
                    [*LOCUST, "--worker", "--master-host", "127.0.0.1", "--master-port", port],
                    tmp_path,
                    tmp_path / f"worker-{number}.log",
                )
            )
            for number in (1, 2)
        ]
        said = master.communicate(timeout=DEADLINE)[0] + (tmp_path / "master.log").read_text(encoding="utf-8")
        assert master.returncode == 0, said
        assert [worker.wait(DEADLINE) for worker in workers] == [0, 0]
        found = found_in(tmp_path)
        answered, failed, longest = found["C-STORE"]
        assert failed == found["A-ASSOCIATE"][1] == found["HL7"][1] == 0, said
        assert longest > 0
        assert 10 < answered <= held(gateway) <= answered + USERS
        states = [study["state"] for study in gateway.studies()]
        assert len(states) <= found["A-ASSOCIATE"][0] <= found["HL7"][0]
        gateway.await_states(len(states), ("matched",))


def alone(folder: Path, host: str, *options: str) -> subprocess.CompletedProcess[str]:
    return processes.run([*LOCUST, *headless(host, 2), *SMALL, *options], folder, DEADLINE)


@pytest.mark.parametrize("plane", ["on", "off"])
def test_without_a_master_both_with_and_without_the_send_plane(
    plane: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SIMULATE_DATA_PLANE", plane)
    with processes.gateway(tmp_path / "gateway") as gateway:
        done = alone(tmp_path, gateway.address, *KEPT)
        assert done.returncode == 0, done.stdout + done.stderr
        answered, failed, _ = found_in(tmp_path)["C-STORE"]
        assert failed == 0
        assert 10 < answered <= held(gateway) <= answered + USERS


def test_what_fails_is_told_in_words(tmp_path: Path) -> None:
    limit = {"limit": 3, "mode": "reject", "status": "A7FF"}
    with processes.gateway(tmp_path / "gateway", image_limit=limit) as gateway:
        wrong = alone(tmp_path, gateway.address.replace(gateway.ae_title, "SOMEBODY"))
        refused = alone(tmp_path, gateway.address)
    assert wrong.returncode == refused.returncode == 1
    assert "A-ASSOCIATE SOMEBODY" in wrong.stdout + wrong.stderr
    assert "called AE title" in wrong.stdout + wrong.stderr
    assert "NotStored('A7FF" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("host", "options", "said"),
    [
        ("HAGW@192.0.2.7:104", (), "192.0.2.7:104 is not on this machine"),
        ("http://127.0.0.1:104", (), "is not an address"),
        ("HAGW@127.0.0.1:104", ("--sop-class", "CTImageStorag"), "CTImageStorag"),
        ("HAGW@127.0.0.1:104", ("--size", "8"), "16 to 65535 rows and columns"),
    ],
)
def test_bad_usage_is_2_and_nothing_is_sent(host: str, options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = alone(tmp_path, host, *options, *KEPT)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert found_in(tmp_path) == {}
