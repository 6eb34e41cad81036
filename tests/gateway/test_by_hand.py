"""`POST /forward` and `GET /destinations`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.made import Remote, Running, a_message, a_site, remote, running, to
from tests.synthesis.made import a_study, an_order
from tests.wire.sockets import PATIENCE, closed_port

ORDER, STUDY = an_order(), a_study(instances=3)
OTHER = a_study("unmatched")
UID, SERIES = STUDY.study_instance_uid, STUDY.instances[0].series_instance_uid
UIDS = [instance.sop_instance_uid for instance in STUDY.instances]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Remote, int]]:
    """Run a gateway that holds a matched study and an unmatched one, with a destination for what is sent by hand."""
    with remote() as (taking, port):
        site = a_site(forwarding={"destinations": [to(port) | {"forward": "by-hand"}]})
        with running(tmp_path_factory.mktemp("by-hand"), site) as gateway:
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances, *OTHER.instances)
            gateway.await_state(STUDY, "matched")
            gateway.await_state(OTHER, "unmatched")
            yield gateway, taking, port


def post(gateway: Running, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{gateway.url}/forward", json=body, headers=headers, timeout=PATIENCE, trust_env=False)


def asked(**changes: str) -> dict[str, str]:
    return {"study_instance_uid": UID, "destination": "REMOTE", "by": "somebody"} | changes


def destinations(gateway: Running) -> list[dict[str, Any]]:
    told = httpx.get(f"{gateway.url}/destinations", timeout=PATIENCE, trust_env=False).json()
    found: list[dict[str, Any]] = told["destinations"]
    return found


@pytest.mark.parametrize(
    ("selected", "level", "uids"),
    [
        ({"series_instance_uid": SERIES, "sop_instance_uid": UIDS[1]}, "instance", UIDS[1:2]),
        ({"sop_instance_uid": UIDS[1]}, "instance", UIDS[1:2]),
        ({"series_instance_uid": SERIES}, "series", UIDS),
        ({}, "study", UIDS),
    ],
)
def test_what_is_selected_goes(
    selected: dict[str, str], level: str, uids: list[str], held: tuple[Running, Remote, int]
) -> None:
    gateway, taking, _ = held
    already, last = set(taking.uids()), gateway.last
    answer = post(gateway, asked(**selected))
    assert answer.status_code == 202
    missing = len(set(uids) - already)
    assert answer.json() == {"destination": "REMOTE", "level": level, "instances": len(uids), "missing": missing}
    gateway.await_event("DispatchChanged", last, state="done")
    assert set(taking.uids()) == already | set(uids)
    assert len(taking.uids()) == len(set(taking.uids()))
    told = httpx.get(f"{gateway.url}/audit", timeout=PATIENCE, trust_env=False).json()
    act = [entry for entry in told["entries"] if entry["act"] == "forward"][-1]
    assert (act["who"], act["study_instance_uid"]) == ("somebody", UID)
    assert act["after"]["destination"] == "REMOTE"
    assert act["after"].get("instance") == selected.get("sop_instance_uid")


@pytest.mark.parametrize(
    ("body", "code", "error", "hint"),
    [
        (asked(destination="REMOTES"), 404, "there is no destination REMOTES", "did you mean REMOTE?"),
        (asked(destination="PACS"), 404, "there is no destination PACS", "known: REMOTE"),
        (asked(study_instance_uid=UID[:-1]), 404, f"there is no study {UID[:-1]}", f"did you mean {UID}?"),
        (
            asked(series_instance_uid=SERIES + "0"),
            404,
            f"there is no series {SERIES}0 in study {UID}",
            f"did you mean {SERIES}?",
        ),
        (asked(sop_instance_uid="1.2.3"), 404, "there is no instance 1.2.3 in that study", "known: "),
        (
            asked(study_instance_uid=OTHER.study_instance_uid),
            409,
            f"study {OTHER.study_instance_uid} is unmatched (order.not-found); only what is matched is forwarded",
            "correct the study or its order first",
        ),
        ({"destination": "REMOTE", "by": "somebody"}, 400, "study_instance_uid: Field required", ""),
        (asked(study_instance_uid=""), 400, "study_instance_uid: String should have at least 1 character", ""),
        (asked(force="yes"), 400, "force: Extra inputs are not permitted", ""),
        ([], 400, "the body: Input should be a valid dictionary", ""),
    ],
)
def test_what_cannot_go_is_told_why(
    body: Any, code: int, error: str, hint: str, held: tuple[Running, Remote, int]
) -> None:
    gateway, taking, _ = held
    before = list(taking.uids())
    answer = post(gateway, body)
    assert answer.status_code == code
    assert answer.json()["error"].startswith(error)
    assert answer.json()["hint"].startswith(hint)
    assert taking.uids() == before


def test_a_page_of_a_browser_cannot_ask(held: tuple[Running, Remote, int]) -> None:
    gateway = held[0]
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = httpx.post(
            f"{gateway.url}/forward",
            content=b'{"study_instance_uid": "1", "destination": "REMOTE"}',
            headers={"Content-Type": kind},
            timeout=PATIENCE,
            trust_env=False,
        )
        assert (answer.status_code, answer.json()["error"]) == (415, "an act comes as application/json")
    assert post(gateway, asked(), Host="evil.example").status_code == 400
    assert post(gateway, asked(), Origin="http://evil.example").status_code == 403


def test_a_body_that_is_no_json(held: tuple[Running, Remote, int]) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = httpx.post(f"{held[0].url}/forward", content=b"{", headers=headers, timeout=PATIENCE, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the body is not JSON")


def test_a_study_that_is_still_coming_is_refused(tmp_path: Path) -> None:
    site = a_site(gateway={"quiet_period": 3600}, forwarding={"destinations": [to(1)]})
    with running(tmp_path, site) as gateway:
        gateway.store(*STUDY.instances)
        answer = post(gateway, asked())
        assert answer.status_code == 409
        assert "is receiving; only what is matched is forwarded" in answer.json()["error"]
        assert answer.json()["hint"] == "wait until it is complete"


def test_destinations_say_what_waits_and_what_is_wrong(tmp_path: Path) -> None:
    with closed_port() as down:
        forwarding = {"destinations": [to(down)], "attempts": 2, "retry_after": 3600, "retry_at_most": 3600}
        with running(tmp_path, a_site(forwarding=forwarding)) as gateway:
            empty = {"waiting": 0, "failed": 0, "next_try": None, "problem": None}
            assert destinations(gateway) == [{"ae_title": "REMOTE", "host": "127.0.0.1", "port": down, **empty}]
            gateway.order(a_message(ORDER))
            gateway.store(*STUDY.instances)
            gateway.await_event("DispatchChanged", attempts=1)
            [told] = destinations(gateway)
            assert (told["waiting"], told["failed"]) == (1, 0)
            assert told["next_try"].endswith("Z")
            assert told["problem"].startswith("nothing listens on")
            [study] = httpx.get(f"{gateway.url}/studies", timeout=PATIENCE, trust_env=False).json()["studies"]
            [forwarding_told] = study["forwarding"]
            assert forwarding_told == {
                "destination": "REMOTE",
                "level": "study",
                "series_instance_uid": None,
                "sop_instance_uid": None,
                "state": "waiting",
                "instances": 3,
                "missing": 3,
                "attempts": 1,
                "next_try": told["next_try"],
                "problem": told["problem"],
            }
