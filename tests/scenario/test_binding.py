"""Roles that a real system plays: what can be seen is judged, and what cannot is inconclusive, never passed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from simulator.errors import UsageError
from simulator.rules import sop_classes
from simulator.scenario.binding import bindings
from simulator.scenario.findings import Finding
from simulator.scenario.run import CaseOutcome
from simulator.site import Site, overridden
from simulator.synthesis import orders, people, studies
from simulator.wire.association import Address
from tests import processes, running

INCONCLUSIVE = "nobody could see this: "


def by_check(outcome: CaseOutcome) -> dict[str, Finding]:
    return {finding.check: finding for finding in outcome.findings}


def verdicts(outcome: CaseOutcome) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in outcome.findings}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("HAGW@127.0.0.1:104", "names no role", "write ROLE=AET@HOST:PORT"),
        ("gatewai=HAGW@127.0.0.1:104", "there is no role 'gatewai'", "did you mean 'gateway'?"),
        ("gateway=HAGW", "'HAGW' is not an address", "write AET@HOST:PORT"),
        ("gateway=HAGW@192.0.2.7:104", "is not on this machine", "say --i-own-this-endpoint"),
    ],
)
def test_a_binding_that_is_none_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        bindings([text], (), owned=False)
    assert hint in caught.value.hint


def test_a_role_is_bound_once_and_an_owner_may_bind_what_is_elsewhere() -> None:
    with pytest.raises(UsageError, match="bound twice"):
        bindings(["remote=A@127.0.0.1:1", "remote=B@127.0.0.1:2"], (), owned=False)
    bound = bindings(["gateway=HAGW@192.0.2.7:104"], (), owned=True)
    assert bound == {"gateway": Address("HAGW", "192.0.2.7", 104)}


def at(gateway: processes.RunningGateway, destination: int = 0) -> Site:
    """Return the profile of a real gateway as its facility writes it down."""
    known = [{"ae_title": "REMOTE1", "port": destination}] if destination else []
    ports = {"dicom_port": gateway.dicom_port, "hl7_port": gateway.hl7_port}
    return overridden(Site(), {"gateway": ports, "forwarding": {"destinations": known}})


def test_with_a_real_gateway_what_reaches_the_simulated_remote_is_judged(tmp_path: Path) -> None:
    port = processes.free_port()
    forwarding = {"destinations": [{"ae_title": "REMOTE1", "port": port}]}
    with processes.gateway(tmp_path / "real", forwarding=forwarding) as real:
        bound = {"gateway": Address.parse(real.address)}
        outcome = running.run(*running.named("matched[ORM^O01]"), tmp_path / "cases", site=at(real, port), bound=bound)
    seen = verdicts(outcome)
    assert {check for check, verdict in seen.items() if verdict == "pass"} == {
        "wire.orders.order.acknowledgement",
        "wire.studies.study.answers",
        "downstream.studies.study.instances",
        "downstream.studies.study.pixel_data",
        "downstream.studies.study.transfer_syntax",
    }
    unseen = [finding for finding in outcome.findings if finding.verdict != "pass"]
    assert {finding.verdict for finding in unseen} == {"inconclusive"}
    assert all(finding.because.startswith(INCONCLUSIVE) for finding in unseen)
    assert outcome.verdict == "inconclusive"


def test_with_a_real_gateway_that_does_not_forward_nothing_is_proven_by_what_did_not_arrive(tmp_path: Path) -> None:
    scenario, case = running.named("unmatched[hkid]")
    with processes.gateway(tmp_path / "real") as real:
        bound = {"gateway": Address.parse(real.address)}
        blind = by_check(running.run(scenario, case, tmp_path / "blind", site=at(real), bound=bound))
        port = processes.free_port()
        watching = by_check(running.run(scenario, case, tmp_path / "watching", site=at(real, port), bound=bound))
    check = "downstream.studies.study.instances"
    assert blind[check].verdict == watching[check].verdict == "inconclusive"
    assert "names no destination that is a simulated remote SCP" in blind[check].because
    assert "may still send it" in watching[check].because


def test_a_real_gateway_that_answers_wrongly_fails(tmp_path: Path) -> None:
    scenario, case = running.named("matched[ORM^O01]")
    with processes.gateway(tmp_path / "real", sop_classes="seed", image_limit={"limit": 2, "mode": "reject"}) as real:
        bound = {"gateway": Address.parse(real.address)}
        outcome = running.run(scenario, case, tmp_path / "cases", site=at(real), bound=bound)
    finding = by_check(outcome)["wire.studies.study.answers"]
    assert (finding.verdict, finding.observed) == ("fail", {"0000": 2, "A700": 3})


@pytest.mark.parametrize(
    ("identity", "role", "reason"),
    [
        ("restart[killed-after-the-order]", "gateway", "step 1: a real gateway is not ended by a test (kill)"),
        ("reconcile[rejected]", "gateway", "a real gateway has no HTTP API for it (reconcile)"),
        ("unmatched[sex]", "modality", "a real modality tells no lie on request (study)"),
        ("echo", "modality", "step 0: a person would have to do it at the modality"),
        ("destination-down[rejects]", "remote", "a real remote SCP behaves as it does, not as remote1 is to"),
        ("forward-levels[series-by-hand]", "remote", "the case has several remote SCPs (remote1, remote2)"),
    ],
)
def test_what_a_real_system_cannot_be_made_to_do_is_not_begun(
    identity: str, role: str, reason: str, tmp_path: Path
) -> None:
    bound = {role: Address("REAL", "127.0.0.1", 9)}
    outcome = running.run(*running.named(identity), tmp_path / "cases", bound=bound)
    [finding] = outcome.findings
    assert (finding.check, finding.verdict) == ("bind", "inconclusive")
    assert reason in finding.because
    assert not (tmp_path / "cases").exists()


def test_with_a_real_remote_the_gateway_is_judged_and_what_arrived_is_not(tmp_path: Path) -> None:
    with processes.remote(tmp_path, "--ae-title", "REALPACS") as (_, port, out):
        bound = {"remote": Address("REALPACS", "127.0.0.1", port)}
        outcome = running.run(*running.named("matched[ORM^O01]"), tmp_path / "cases", bound=bound)
        assert len(list(out.glob("*.dcm"))) == 5
    seen = verdicts(outcome)
    assert seen.pop("gateway.studies.study.state") == "pass"
    unseen = {check for check, verdict in seen.items() if verdict != "pass"}
    keys = ("instances", "repeated", "pixel_data", "transfer_syntax")
    assert unseen == {f"downstream.studies.study.{key}" for key in keys}
    assert {seen[check] for check in unseen} == {"inconclusive"}


def test_a_real_modality_is_asked_and_its_study_recognised_by_its_accession_number(tmp_path: Path) -> None:
    scenario, case = running.named("matched[ORM^O01]")
    port, hl7 = processes.free_port(), processes.free_port()
    here = overridden(Site(), {"gateway": {"dicom_port": port, "hl7_port": hl7, "http_port": 0}})
    seed = f"{running.SEED}/matched[ORM^O01]/order"
    # What the modality takes from its worklist; its UIDs are its own.
    order = orders.order(seed, people.person(seed), modality="CT")
    sent = studies.study("a real modality", order, [studies.SeriesSpec(sop_classes.by_name("CT Image"), instances=5)])
    said: list[str] = []

    def send(what: str) -> None:
        said.append(what)
        files = processes.written(sent, tmp_path / "at-the-modality")
        to = ("--to", f"HAGATEWAY@127.0.0.1:{port}", "--calling", "CT01")
        command = [*processes.SIMULATE, "send", *files, *to]
        threading.Thread(target=processes.run, args=(command, tmp_path), daemon=True).start()

    bound = {"modality": Address("CT01", "127.0.0.1", processes.free_port())}
    outcome = running.run(scenario, case, tmp_path / "cases", site=here, bound=bound, asked=send)
    assert said == [
        f"At the modality, send study study: 5 of CT Image Storage, accession number {order.accession_number}"
    ]
    seen = by_check(outcome)
    assert seen["gateway.studies.study.state"].verdict == "pass"
    assert seen["gateway.studies.study.files"].verdict == "pass"
    assert seen["downstream.studies.study.instances"].verdict == "pass"
    for check in ("wire.studies.study.answers", "downstream.studies.study.pixel_data"):
        assert seen[check].verdict == "inconclusive"
        assert seen[check].because == "nobody could see this: the modality is a real system"


def test_a_person_who_sends_nothing_leaves_the_case_inconclusive(tmp_path: Path) -> None:
    here = overridden(Site(), {"gateway": {"dicom_port": processes.free_port(), "hl7_port": processes.free_port()}})
    bound = {"modality": Address("CT01", "127.0.0.1", 9)}
    scenario, case = running.named("matched[ORM^O01]")
    outcome = running.run(scenario, case, tmp_path / "cases", site=here, bound=bound, patience=0.5)
    [finding] = outcome.findings
    assert finding.verdict == "inconclusive"
    assert "nobody sent study study" in finding.because
