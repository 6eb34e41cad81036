"""The judge of corrections, rulings and audit logs, on histories written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.events import ActFound, CasePlanned, FileFound, InstanceReceived, ReconcileAnswered, StoreAnswered
from simulator.scenario.checks import check
from simulator.scenario.findings import Finding
from simulator.scenario.history import History
from simulator.scenario.model import Case
from tests.scenario.test_checks import STARTED, answered, received

SENT = {"accession": "a0", "hkid": "h0", "name": "n0", "birth-date": "b0", "sex": "s0"}
ORDERED = SENT | {"name": "n1"}
OTHER = {"accession": "a2", "hkid": "h2", "name": "n2", "birth-date": "b2", "sex": "s2"}
PLANNED = CasePlanned(
    observer="runner",
    seed=1,
    studies={"study": "1.2"},
    instances={"study": 2},
    orders={"order": "M1", "other": "M2"},
    order_keys={"order": ORDERED, "other": OTHER},
)


def judged(then: dict[str, Any], *events: Any, told: bool = True) -> Finding:
    given: dict[str, Any] = {"orders": {"order": {}, "other": {}}, "studies": {"study": {}}}
    case = Case.model_validate(
        {"given": given, "when": [{"reconcile": {"study": "study", "order": "order"}}], "then": then}
    )
    started = (STARTED,) if told else ()
    (finding,) = check(case, History("story", (PLANNED, *started, *events)))
    return finding


def sent(number: int, keys: dict[str, str] = SENT) -> StoreAnswered:
    return replace(answered("0000", number), keys=keys, data_set_digest=f"d{number}")


def arrived(number: int, keys: dict[str, str], original: dict[str, str] | None = None) -> InstanceReceived:
    return replace(received(number), keys=keys, original=original or {})


@pytest.mark.parametrize(
    ("expected", "keys", "observed"),
    [
        ("order", [ORDERED, ORDERED], "order"),
        ("order", [SENT, SENT], "study"),
        ("study", [SENT, SENT], "study"),
        ("other", [OTHER, OTHER], "other"),
        ("order", [ORDERED, SENT], "order and study"),
        ("order", [ORDERED, OTHER], "order and other"),
        ("order", [ORDERED | {"sex": "x"}], "nobody"),
        ("order", [{}], "nobody"),
        ("order", [], "nothing arrived"),
        ("study", [ORDERED], "order"),
    ],
)
def test_whose_keys_arrived(expected: str, keys: list[dict[str, str]], observed: str) -> None:
    events = [sent(1), sent(2), *(arrived(number, each) for number, each in enumerate(keys, start=1))]
    finding = judged({"downstream": {"studies": {"study": {"keys": expected}}}}, *events)
    assert (finding.observed, finding.verdict) == (observed, "pass" if observed == expected else "fail")
    assert finding.check == "downstream.studies.study.keys"


def test_of_an_order_that_says_what_the_study_says_either_is_right() -> None:
    for expected in ("order", "study"):
        finding = judged(
            {"downstream": {"studies": {"study": {"keys": expected}}}}, sent(1, ORDERED), arrived(1, ORDERED)
        )
        assert finding.verdict == "pass"


@pytest.mark.parametrize(
    ("kept", "observed"),
    [
        ([{"name": "n0"}, {"name": "n0"}], ["name"]),
        ([{"sex": "s0", "name": "n0"}, {"sex": "s0", "name": "n0"}], ["name", "sex"]),
        ([{}, {}], []),
        ([{"name": "n0"}, {}], ["name altered"]),
        ([{"name": "n1"}, {"name": "n0"}], ["name altered"]),
        ([], None),
    ],
)
def test_what_was_kept(kept: list[dict[str, str]], observed: list[str] | None) -> None:
    events = [sent(1), sent(2), *(arrived(number, ORDERED, each) for number, each in enumerate(kept, start=1))]
    finding = judged({"downstream": {"studies": {"study": {"original_attributes": ["name"]}}}}, *events)
    assert (finding.observed, finding.verdict) == (observed, "pass" if observed == ["name"] else "fail")


def test_what_is_kept_of_an_instance_that_was_never_sent_is_altered() -> None:
    finding = judged(
        {"downstream": {"studies": {"study": {"original_attributes": ["name"]}}}}, arrived(1, ORDERED, {"name": "n0"})
    )
    assert finding.observed == ["name altered"]


@pytest.mark.parametrize(
    ("digests", "observed"),
    [(["d1", "d2"], "identical"), (["d1"], "identical"), (["d1", "x"], "changed"), ([], "no file")],
)
def test_whether_the_stored_files_are_what_was_sent(digests: list[str], observed: str) -> None:
    files = [
        FileFound(observer="runner", study_instance_uid="1.2", sop_instance_uid=f"1.2.{number}", data_set_digest=digest)
        for number, digest in enumerate(digests, start=1)
    ]
    finding = judged({"gateway": {"studies": {"study": {"originals": "identical"}}}}, sent(1), sent(2), *files)
    assert (finding.observed, finding.verdict) == (observed, "pass" if observed == "identical" else "fail")


def act(number: int, name: str, study: str = "1.2", intact: bool = True) -> ActFound:
    return ActFound(observer="runner", number=number, act=name, who="me", study_instance_uid=study, intact=intact)


def test_the_acts_about_a_study_are_told_in_order() -> None:
    events = (act(1, "start", ""), act(2, "reject"), act(3, "reconcile", "9.9"), act(4, "reconcile"))
    expected = {"gateway": {"studies": {"study": {"acts": ["reject", "reconcile"]}}}}
    assert judged(expected, *events).verdict == "pass"
    finding = judged(expected, *events[:2])
    assert (finding.verdict, finding.observed) == ("fail", ["reject"])


@pytest.mark.parametrize(
    ("events", "observed"),
    [
        ([act(1, "start"), act(2, "stop")], "intact"),
        ([act(1, "start"), act(2, "stop", intact=False)], "broken"),
        ([], "no entry"),
    ],
)
def test_a_chain_is_whole_or_not(events: list[ActFound], observed: str) -> None:
    finding = judged({"gateway": {"audit": "intact"}}, *events)
    assert (finding.observed, finding.verdict) == (observed, "pass" if observed == "intact" else "fail")


def answer(code: str, words: str = "") -> ReconcileAnswered:
    return ReconcileAnswered(
        observer="operator", study_instance_uid="1.2", accession_number="A", answer=code, words=words, step="0"
    )


def test_the_operators_answers_are_told_with_their_words() -> None:
    expected = {"operator": {"answers": ["done"]}}
    assert judged(expected, answer("done")).verdict == "pass"
    finding = judged(expected, answer("order.taken", "another study has it"))
    assert (finding.verdict, finding.observed) == ("fail", ["order.taken"])
    assert "another study has it" in finding.because
    assert judged(expected).observed == []


@pytest.mark.parametrize(
    "then",
    [
        {"operator": {"answers": ["done"]}},
        {"gateway": {"audit": "intact"}},
        {"gateway": {"studies": {"study": {"acts": []}}}},
        {"gateway": {"studies": {"study": {"originals": "identical"}}}},
    ],
)
def test_of_a_real_gateway_nobody_sees_this(then: dict[str, Any]) -> None:
    assert judged(then, told=False).verdict == "inconclusive"
