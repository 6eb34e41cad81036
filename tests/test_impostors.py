"""Wrong gateways must be caught, each by the check that is meant for it, and every scenario catches at least one."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario import load
from tests import running
from tests.impostors import CAUGHT, IMPOSTORS
from tests.impostors.caught import Caught

pytestmark = pytest.mark.scenario

# What the catalogue was asked to find out, and the impostor that does it.
ASKED_FOR = {
    "loses the last instance": "loses-the-last-instance",
    "commits what was lost": "commits-to-what-it-lacks",
    "commits in both sequences": "reports-one-instance-twice",
    "forwards twice": "forwards-twice",
    "forwards only to the first destination": "forwards-to-the-first-destination-alone",
    "swaps two patients": "swaps-two-patients",
    "ignores sex": "ignores-sex",
    "compares names by string": "compares-names-by-string",
    "counts per association": "counts-per-association",
    "rejects at 1000": "rejects-at-1000",
    "answers before storing": "acknowledges-before-writing",
    "forgets after a restart": "forgets-after-a-restart",
    "wrong reject code": "gives-one-reason-to-reject",
    "drops private attributes": "drops-private-attributes",
    "re-encodes pixels": "re-encodes-pixels",
}


def test_a_name_is_one_impostor() -> None:
    assert len({each.name for each in CAUGHT}) == len({each.gateway for each in CAUGHT})


def test_every_impostor_asked_for_is_there() -> None:
    assert set(ASKED_FOR.values()) <= set(IMPOSTORS)


def test_every_scenario_catches_an_impostor() -> None:
    """When this fails: write a gateway that does what the scenario is there to find, and say which checks go red."""
    assert {scenario.name for scenario in load.everything()} == {each.case.partition("[")[0] for each in CAUGHT}


@pytest.mark.parametrize("caught", CAUGHT, ids=[f"{each.name}-{each.case}" for each in CAUGHT])
def test_an_impostor_is_caught(caught: Caught, tmp_path: Path) -> None:
    # A wrong gateway often leaves the run waiting for what never comes, so be impatient; but a large study
    # must not be cut short by it.
    patience = 8.0 if caught.case.startswith("over-1000-images") else 2.0
    command = (*running.IMPOSTOR, caught.name)
    outcome = running.run(*running.named(caught.case), tmp_path / "cases", command=command, patience=patience)
    assert running.failures(outcome) == caught.red
    assert outcome.verdict == "fail"
