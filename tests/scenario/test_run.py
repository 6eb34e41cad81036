"""A run that does not come to its end: it is an error of the harness, and nobody is left standing."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from simulator.events import GatewayStarted, HarnessFailed
from tests import running
from tests.wire.sockets import no_thread_beside


@pytest.mark.parametrize(
    "identity", ["matched[ORM^O01]", "tls[with-certificate]", "storage-commitment[new-association]"]
)
def test_a_gateway_that_does_not_start_leaves_nobody_standing(tmp_path: Path, identity: str) -> None:
    before = set(threading.enumerate())
    scenario, case = running.named(identity)
    ends = (sys.executable, "-c", "import sys; print('no licence'); sys.exit(3)")
    outcome = running.run(scenario, case, tmp_path, command=ends)
    assert no_thread_beside(before)
    assert not outcome.history.of(GatewayStarted)
    [failed] = outcome.history.of(HarnessFailed)
    assert "ended with code 3 instead of starting" in failed.problem
    assert "no licence" in failed.problem
    assert [(finding.check, finding.verdict) for finding in outcome.findings] == [("harness", "error")]
