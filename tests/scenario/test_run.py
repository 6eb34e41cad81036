"""A run that does not come to its end: it is an error of the harness, and nobody is left standing."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from simulator.events import GatewayStarted, HarnessFailed
from simulator.site import Site, overridden
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


def test_a_story_about_what_the_facility_does_not_do_is_not_applicable(tmp_path: Path) -> None:
    scenario, case = running.named("echo")
    about_orders = scenario.model_copy(update={"applies_to": ("sends", "orders")})
    here = overridden(Site(), {"site": "clinic", "facility": {"does": ["sends"]}})
    outcome = running.run(about_orders, case, tmp_path / "cases", site=here)
    [finding] = outcome.findings
    assert (finding.check, finding.verdict) == ("applies_to", "not-applicable")
    assert finding.because == "the facility of site clinic does not do this: orders"
    assert not (tmp_path / "cases").exists()  # nobody was started
    everything = running.run(about_orders, case, tmp_path / "cases")
    assert everything.verdict == "pass"
