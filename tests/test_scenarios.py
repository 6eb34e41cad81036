"""What holds of scenarios beside that each case passes; the cases themselves are collected from `scenarios/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import resources, site
from simulator.events import InstanceRefused, OrderAcknowledged, StoreAnswered
from simulator.scenario.model import Case
from simulator.scenario.plan import plan
from simulator.site import Site
from tests import running

pytestmark = pytest.mark.scenario


def test_the_same_seed_sends_the_same_bytes_and_another_seed_does_not() -> None:
    scenario, case = running.named("unmatched[hkid]")
    first, again, other = (plan(scenario, case, seed, Site()) for seed in (7, 7, 8))
    assert first.orders == again.orders
    assert list(first.studies["study"]) == list(again.studies["study"])
    assert first.orders["order"].message != other.orders["order"].message
    assert next(iter(first.studies["study"])).data_set != next(iter(other.studies["study"])).data_set


def test_a_case_needs_the_lie_that_it_tells(tmp_path: Path) -> None:
    """Without its lie an unmatched case must go red: it is the lie that is found, nothing else."""
    scenario, case = running.named("unmatched[birth-date]")
    honest = case.model_copy(update={"mutate": {}})
    red = running.failures(running.run(scenario, honest, tmp_path / "cases", patience=2.0))
    assert red["gateway.studies.study.state"] == ("unmatched", "forwarded")
    assert red["gateway.studies.study.reasons"] == (["birth-date.mismatch"], [])
    assert red["downstream.studies.study.instances"] == (0, 2)


def test_what_the_wire_says_is_what_the_gateway_says(tmp_path: Path) -> None:
    """Status and Error Comment as the modality saw them, and as the gateway told them, are the same."""
    scenario, case = running.named("over-1000-images[1001-reject]")
    limit = {"gateway": {"quiet_period": 0.3}, "image_limit": {"limit": 3, "mode": "reject", "status": "A701"}}
    series = [{"instances": 4}]
    small = Case.model_validate(
        case.model_dump(exclude_none=True)
        | {
            "given": {"site": limit, "orders": {"order": {}}, "studies": {"study": {"series": series}}},
            "then": {"gateway": {"studies": {"study": {"state": "rejected"}}}},
        }
    )
    outcome = running.run(scenario, small, tmp_path / "cases")
    assert outcome.verdict == "pass", running.failures(outcome)
    refused = outcome.history.of(InstanceRefused)[0]
    answers = {a.sop_instance_uid: a for a in outcome.history.of(StoreAnswered)}
    assert answers[refused.sop_instance_uid].status == refused.status == "A701"
    assert (
        answers[refused.sop_instance_uid].error_comment == refused.error_comment == "more than 3 images in this study"
    )
    assert [a.code for a in outcome.history.of(OrderAcknowledged)] == ["AA"]


@pytest.mark.parametrize("profile", ["strict", "imaging-centre"])
@pytest.mark.parametrize("identity", ["matched[ORU^R01]", "unmatched[hkid]", "malformed-accession[lower-case]"])
def test_scenarios_hold_at_other_sites_too(profile: str, identity: str, tmp_path: Path) -> None:
    """A scenario pins the policies that it speaks of, and takes the rest from the site of the run."""
    here = site.load(resources.folder("fixtures") / "sites" / f"{profile}.yaml")
    outcome = running.run(*running.named(identity), tmp_path / "cases", site=here)
    assert outcome.verdict == "pass", running.failures(outcome)
