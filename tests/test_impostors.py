"""Wrong gateways must be caught, each by the check that is meant for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import running
from tests.impostors import CAUGHT
from tests.impostors.caught import Caught

pytestmark = pytest.mark.scenario


def test_a_name_is_one_impostor() -> None:
    assert len({each.name for each in CAUGHT}) == len({each.gateway for each in CAUGHT})


@pytest.mark.parametrize("caught", CAUGHT, ids=[f"{each.name}-{each.case}" for each in CAUGHT])
def test_an_impostor_is_caught(caught: Caught, tmp_path: Path) -> None:
    # A wrong gateway often leaves the run waiting for what never comes, so be impatient; but a large study
    # must not be cut short by it.
    patience = 8.0 if "1001" in caught.case else 2.0
    command = (*running.IMPOSTOR, caught.name)
    outcome = running.run(*running.named(caught.case), tmp_path / "cases", command=command, patience=patience)
    assert running.failures(outcome) == caught.red
    assert outcome.verdict == "fail"
