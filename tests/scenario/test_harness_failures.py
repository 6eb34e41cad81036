"""What the harness itself cannot carry out is an error: never a pass, and never a failure of who is tested."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from simulator.errors import HarnessError
from simulator.events import Event, InstanceReceived, InstanceStored
from simulator.scenario import gateway_process
from simulator.scenario.nursery import Nursery
from simulator.scenario.run import CaseOutcome, Listener, Settings, run_case
from simulator.site import Site, overridden
from simulator.wire.association import Address
from tests import running
from tests.wire.sockets import no_thread_beside

STAYS = (sys.executable, "-c", "import os, signal; print('pid', os.getpid(), flush=True); signal.pause()")


def assert_error(outcome: CaseOutcome, because: str) -> None:
    [finding] = outcome.findings
    assert (finding.check, finding.verdict) == ("harness", "error")
    assert because in finding.because
    assert outcome.verdict == "error"


def test_a_nursery_that_is_killed_while_the_modality_sends(tmp_path: Path) -> None:
    """Its gateway dies with it, which is nothing that the gateway did."""
    scenario, case = running.named("matched[ORM^O01]")
    with Nursery() as nursery:

        def kill(event: Event) -> None:
            if isinstance(event, InstanceStored):
                os.kill(nursery.pid, signal.SIGKILL)

        settings = Settings(seed=running.SEED, site=Site(), folder=tmp_path / "one", patience=2.0, nursery=nursery)
        outcome = run_case(scenario, case, settings, Listener(seen=kill))
        again = run_case(scenario, case, Settings(running.SEED, Site(), tmp_path / "two", nursery=nursery), Listener())
    assert_error(outcome, "the process that starts gateways ended, and the gateway with it")
    assert again.verdict == "pass", running.failures(again)


def test_a_gateway_that_is_not_ready_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_process, "_START_SECONDS", 0.5)
    before = set(threading.enumerate())
    outcome = running.run(*running.named("matched[ORM^O01]"), tmp_path, command=STAYS)
    assert_error(outcome, "the gateway was not ready after 0.5 s")
    assert no_thread_beside(before)
    [log] = tmp_path.rglob("gateway.log")
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text().split()[-1]), 0)


def test_a_modality_that_cannot_have_its_address(tmp_path: Path) -> None:
    """192.0.2.7 (RFC 5737) is no address of any machine."""
    scenario, case = running.named("matched[ORM^O01]")
    elsewhere = case.given.modality.model_copy(update={"address": "192.0.2.7"})
    moved = case.model_copy(update={"given": case.given.model_copy(update={"modality": elsewhere})})
    assert_error(running.run(scenario, moved, tmp_path, patience=2.0), "Cannot assign requested address")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "cases").write_text("a file where the folder of the cases should be", encoding="utf-8")
    assert_error(running.run(*running.named("echo"), tmp_path / "cases"), "cases")


def test_a_mistake_of_our_own_is_an_error_of_its_case_alone(tmp_path: Path) -> None:
    """What is raised in the midst of a case, whatever it is, leaves nobody standing and the run going on."""
    scenario, case = running.named("matched[ORM^O01]")
    before = set(threading.enumerate())

    def trip(event: Event) -> None:
        if isinstance(event, InstanceStored):
            raise HarnessError("tripped")

    outcome = run_case(scenario, case, Settings(running.SEED, Site(), tmp_path, patience=2.0), Listener(seen=trip))
    assert outcome.verdict == "error", running.failures(outcome)
    assert no_thread_beside(before)


def test_a_remote_scp_that_dies_of_a_mistake_of_our_own(tmp_path: Path) -> None:
    """The gateway sees an abort, and nobody says that the gateway failed."""
    scenario, case = running.named("matched[ORM^O01]")
    before = set(threading.enumerate())

    def trip(event: Event) -> None:
        if isinstance(event, InstanceReceived):
            raise ValueError("tripped")

    outcome = run_case(scenario, case, Settings(running.SEED, Site(), tmp_path, patience=2.0), Listener(seen=trip))
    assert_error(outcome, "ValueError: tripped")
    assert no_thread_beside(before)


def test_a_port_that_somebody_else_has(tmp_path: Path) -> None:
    """Where a real modality is to find the gateway, its port is the site profile's and no free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = overridden(Site(), {"gateway": {"dicom_port": port, "hl7_port": 0, "http_port": 0}})
        bound = {"modality": Address("CT01", "127.0.0.1", 104)}
        outcome = running.run(*running.named("matched[ORM^O01]"), tmp_path, site=site, bound=bound)
    assert_error(outcome, f":{port}")
    assert "another program uses the port" in outcome.findings[0].because
