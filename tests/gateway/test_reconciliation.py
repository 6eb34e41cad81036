"""The operator's desk: over HTTP against a gateway that runs, with a destination that takes what is sent on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset, dcmread

from simulator.gateway.index import Index
from simulator.gateway.store import Store
from simulator.synthesis.lies import LIES
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import Study
from simulator.wire import part10
from simulator.wire.association import Outgoing, StoreRequest
from tests.gateway.made import Remote, Running, a_message, a_site, remote, running, states, to
from tests.synthesis.made import a_study, an_order

JSON = {"Content-Type": "application/json"}


@dataclass
class Desk:
    """A gateway, its destination, and an operator in front of it."""

    run: Running
    taken: Remote

    def post(self, uid: str, body: Any, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.run.url}/studies/{uid}/reconcile", json=body, headers=headers)

    def bind(self, study: Study, order: Order, by: str = "Dr Wong") -> httpx.Response:
        return self.post(study.study_instance_uid, {"order": order.accession_number, "by": by, "reason": "typed"})

    def reject(self, study: Study) -> httpx.Response:
        return self.post(study.study_instance_uid, {"reject": True, "by": "Dr Wong", "reason": "sent twice"})

    def candidates(self, study: Study, **query: str) -> dict[str, Any]:
        uid = study.study_instance_uid
        answer = httpx.get(f"{self.run.url}/studies/{uid}/candidates", params=query)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def acts(self) -> list[tuple[str, str]]:
        log, _ = self.run.index.audit_log()
        return [(entry.act.act, entry.act.who) for entry in log]

    def held(self, seed: str, *lies: str, instances: int = 2) -> Study:
        """Send a study that tells lies, and its order before it; return it once it is held."""
        study = a_study(seed, instances=instances, lies=[LIES[lie] for lie in lies])
        assert self.run.order(a_message(an_order(seed))).code == "AA"
        self.run.store(*study.instances)
        self.run.await_state(study, "unmatched")
        return study


@contextmanager
def a_desk(folder: Path, **site: Any) -> Iterator[Desk]:
    with remote() as (taken, port):
        here = a_site(**{"forwarding": {"destinations": [to(port)]}} | site)
        with running(folder, here) as run:
            yield Desk(run, taken)


def parsed(request: StoreRequest) -> Dataset:
    uids = request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid
    outgoing = Outgoing(*uids, bytes(request.data_set))
    return dcmread(BytesIO(part10.build(outgoing, "TEST")))


def test_a_study_bound_to_its_order_is_sent_with_the_orders_keys_and_stays_as_it_came(tmp_path: Path) -> None:
    order = an_order("a")
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name", "another-sex")
        before = {name: desk.run.gateway.store.read(name) for name in desk.run.gateway.store.names()}
        assert desk.bind(study, order).status_code == 200
        changed = desk.run.await_state(study, "forwarded")
        assert changed["warnings"] == ["name.mismatch", "sex.mismatch"]
        assert changed["reasons"] == []
        assert {name: desk.run.gateway.store.read(name) for name in desk.run.gateway.store.names()} == before
        assert [each.order_accession for each in desk.run.index.studies()] == [order.accession_number]
    assert len(desk.taken.taken) == 2
    for request in desk.taken.taken:
        sent = parsed(request)
        assert (sent.PatientName, sent.PatientSex) == (order.person.name, order.person.sex)
        (item,) = sent.OriginalAttributesSequence
        assert item.ReasonForTheAttributeModification == "CORRECT"
        assert item.ModifyingSystem == "HAGATEWAY"
        assert item.SourceOfPreviousValues == "MODALITY"
        (kept,) = item.ModifiedAttributesSequence
        assert kept.PatientName != order.person.name


def test_the_audit_log_says_who_when_before_and_after_without_naming_anybody(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name")
        desk.bind(study, an_order("a"))
        entry = desk.run.index.audit_log()[0][-1]
        assert (entry.act.act, entry.act.who, entry.act.why) == ("reconcile", "Dr Wong", "typed")
        assert entry.act.study_instance_uid == study.study_instance_uid
        assert entry.act.before["state"] == "unmatched"
        assert entry.act.after["state"] == "matched"
        assert set(entry.act.before) == set(entry.act.after) == {"state", "name"}
        assert an_order("a").person.name not in str(desk.run.index.audit_log())
        assert entry.at <= desk.run.await_state(study, "forwarded")["at"]


def test_what_the_operator_writes_is_masked_too(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        uid = desk.held("a", "another-name").study_instance_uid
        desk.post(uid, {"reject": True, "by": "me", "reason": "this is CHAN^TAI MAN, A123456(3)"})
        assert desk.run.index.audit_log()[0][-1].act.why == "this is ***, ***"


def test_without_the_mask_the_audit_log_has_the_keys_in_full(tmp_path: Path) -> None:
    with a_desk(tmp_path, logs={"mask": False}) as desk:
        desk.bind(desk.held("a", "another-name"), an_order("a"))
        assert desk.run.index.audit_log()[0][-1].act.after["name"] == an_order("a").person.name


def test_the_candidates_are_the_order_and_the_nearest(tmp_path: Path) -> None:
    person = an_order("a").person
    with a_desk(tmp_path) as desk:
        desk.run.order(a_message(an_order("b")))
        study = desk.held("a", "another-sex", "unknown-accession")
        found = desk.candidates(study)
        assert found["state"] == "unmatched"
        assert found["reasons"] == ["order.not-found"]
        assert found["instances"] == 2
        assert [keys["hkid"] for keys in found["keys"]] == [person.hkid]
        (order,) = found["orders"]
        assert order["accession_number"] == an_order("a").accession_number
        assert (order["hkid"], order["name"]) == (person.hkid, person.name)
        assert (order["birth_date"], order["sex"]) == (person.birth_date, person.sex)
        assert {"hkid.same", "name.similar"} <= set(order["because"])
        assert order["differences"] == ["sex.mismatch"]
        assert (order["cancelled"], order["taken"]) == (False, False)

        asked = desk.candidates(study, order=an_order("b").accession_number)["orders"]
        assert [each["accession_number"] for each in asked] == [
            an_order("b").accession_number, an_order("a").accession_number,
        ]  # fmt: skip
        assert asked[0]["because"] == ["asked-for"]
        missing = httpx.get(f"{desk.run.url}/studies/{study.study_instance_uid}/candidates?order=NONE")
        assert (missing.status_code, missing.json()["code"]) == (404, "order.not-found")
        missing = httpx.get(f"{desk.run.url}/studies/1.2.3/candidates")
        assert (missing.status_code, missing.json()["code"]) == (404, "study.not-found")


def test_every_refusal_has_a_code_words_and_no_effect(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name")
        other = a_study("b")
        desk.run.order(a_message(an_order("b")))
        desk.run.store(*other.instances)
        desk.run.await_state(other, "forwarded")
        desk.run.order(a_message(an_order("c")))
        desk.run.order(a_message(an_order("c"), order_control="CA"))
        desk.run.order(a_message(an_order("d"), patient_id="A1234560"))
        acts, last = desk.acts(), desk.run.last
        uid, by = study.study_instance_uid, {"by": "me"}
        expected: list[tuple[str, dict[str, Any], int, str, str]] = [
            ("1.2.3", {"reject": True}, 404, "study.not-found", "no study 1.2.3"),
            (uid, {"order": "NOSUCH"}, 404, "order.not-found", "NOSUCH"),
            (uid, {"order": an_order("b").accession_number}, 409, "order.taken", "another study"),
            (uid, {"order": an_order("c").accession_number}, 409, "order.cancelled", "cancelled"),
            (uid, {"order": an_order("d").accession_number}, 409, "order.unusable", "hkid.invalid"),
            (other.study_instance_uid, {"reject": True}, 409, "study.not-unmatched", "forwarded"),
        ]
        for target, body, status, code, words in expected:
            answer = desk.post(target, body | by)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert words in answer.json()["error"]
        assert desk.acts() == acts
        assert desk.run.last == last


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "by: Field required"),
        ({"order": "A"}, "by"),
        ({"order": "A", "by": " "}, "by"),
        ({"by": "me"}, 'either "order"'),
        ({"order": "A", "reject": True, "by": "me"}, 'either "order"'),
        ({"order": " ", "by": "me"}, 'either "order"'),
        ({"order": "A", "by": "me", "force": True}, "force"),
        ({"order": "A" * 65, "by": "me"}, "order"),
        ([], "dictionary"),
        ("reject", "dictionary"),
    ],
)
def test_a_request_that_is_none_is_400_and_says_why(tmp_path: Path, body: Any, words: str) -> None:
    with a_desk(tmp_path) as desk:
        answer = desk.post("1.2", body)
        assert answer.status_code == 400
        assert words in answer.json()["error"]


def test_no_web_page_can_act_through_the_operators_browser(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name")
        url = f"{desk.run.url}/studies/{study.study_instance_uid}/reconcile"
        body = '{"reject": true, "by": "me"}'
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            assert httpx.post(url, content=body, headers={"Content-Type": kind}).status_code == 415
        for origin in ("http://evil.example", "null", f"{desk.run.url}.evil.example", "http://127.0.0.1:1"):
            assert httpx.post(url, content=body, headers=JSON | {"Origin": origin}).status_code == 403
        assert httpx.post(url, content=body, headers=JSON | {"Host": "evil.example"}).status_code == 400
        assert httpx.post(url, content="{", headers=JSON).status_code == 400
        # A browser asks before it sends JSON to another origin, and gets no leave.
        asked = httpx.options(url, headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
        assert "access-control-allow-origin" not in asked.headers
        assert states(desk.run.index, study.study_instance_uid)[-1] == "unmatched"
        own = JSON | {"Content-Type": "application/json; charset=utf-8", "Origin": desk.run.url}
        assert httpx.post(url, content=body, headers=own).status_code == 200


def test_a_rejected_study_stays_rejected_until_the_operator_thinks_better_of_it(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name")
        assert desk.reject(study).status_code == 200
        row = desk.run.index.study(study.study_instance_uid)
        assert row is not None
        assert (row.state, row.reasons) == ("rejected", ("operator.rejected",))
        # One more image of the very same patient changes nothing.
        again = a_study("a", instances=3, lies=[LIES["another-name"]])
        last = desk.run.last
        desk.run.store(again.instances[2])
        desk.run.await_state(study, "rejected", last)
        assert desk.taken.taken == []
        assert desk.bind(study, an_order("a")).status_code == 200
        desk.run.await_state(study, "forwarded")
        assert len(desk.taken.taken) == 3


def test_a_ruling_survives_a_restart_and_so_does_the_moment_of_the_correction(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = {"destinations": [to(port)], "attempts": 1}
    with running(tmp_path, a_site(forwarding=nowhere)) as run:
        desk = Desk(run, Remote())
        study = desk.held("a", "another-name")
        desk.bind(study, an_order("a"))
        run.await_state(study, "failed")
        correction = run.index.correction(study.study_instance_uid)
    index = Index(tmp_path / "index.sqlite")
    row = index.study(study.study_instance_uid)
    assert row is not None
    # As a kill would have left it.
    index._db.execute("UPDATE study SET state = 'forwarding'")
    index._db.execute("UPDATE dispatch SET state = 'sending', due = 0")
    index.close()
    with remote(port) as (took, _), running(tmp_path, a_site(forwarding=nowhere)) as run:
        assert run.await_state(study, "forwarded", after=run.last - 1)["warnings"] == ["name.mismatch"]
        assert run.index.correction(study.study_instance_uid) == correction
    assert {str(parsed(each).PatientName) for each in took.taken} == {an_order("a").person.name}
    assert correction is not None
    moments = {parsed(each).OriginalAttributesSequence[0].AttributeModificationDateTime for each in took.taken}
    assert moments == {correction.at[:19].translate(str.maketrans("", "", "-:T")) + "+0000"}


def test_what_came_after_the_ruling_with_other_keys_was_not_ruled_upon(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        study = desk.held("a", "another-name", instances=1)
        desk.bind(study, an_order("a"))
        desk.run.await_state(study, "forwarded")
        last = desk.run.last
        late = a_study("a", instances=2, lies=[LIES["another-hkid"]]).instances[1]
        desk.run.store(late)
        changed = desk.run.await_state(study, "unmatched", last)
        assert changed["reasons"][0] == "study.inconsistent"
        assert desk.run.index.correction(study.study_instance_uid) is None
        assert len(desk.taken.taken) == 1
        # Asked again, the operator sees both, and rules about both.
        assert len(desk.candidates(study)["keys"]) == 2
        assert desk.bind(study, an_order("a")).status_code == 200
        desk.run.await_state(study, "forwarded", desk.run.last - 3)
        assert len(desk.taken.taken) == 2


def test_a_bound_study_frees_the_number_that_it_came_with(tmp_path: Path) -> None:
    """A study that came under the wrong order's number is bound to its own; the number is free for the right one."""
    wrong, right = an_order("wrong"), an_order("right")
    with a_desk(tmp_path) as desk:
        desk.run.order(a_message(wrong))
        desk.run.order(a_message(right))
        stray = a_study("right", lies={"AccessionNumber": wrong.accession_number})
        desk.run.store(*stray.instances)
        desk.run.await_state(stray, "unmatched")
        assert desk.bind(stray, right).status_code == 200
        desk.run.await_state(stray, "forwarded")
        own = a_study("wrong")
        desk.run.store(*own.instances)
        assert desk.run.await_state(own, "forwarded")["reasons"] == []
        # And the one that it was bound to is taken.
        late = a_study("late", lies={"AccessionNumber": right.accession_number})
        desk.run.store(*late.instances)
        assert "accession.duplicate" in desk.run.await_state(late, "unmatched")["reasons"]


def test_an_order_that_is_cancelled_before_the_study_left_takes_the_ruling_with_it(tmp_path: Path) -> None:
    with running(tmp_path, a_site()) as run:  # without a destination: the study stays matched
        desk = Desk(run, Remote())
        study = desk.held("a", "unknown-accession")
        assert desk.bind(study, an_order("a")).status_code == 200
        run.await_state(study, "matched")
        run.order(a_message(an_order("a"), order_control="CA"))
        assert run.await_state(study, "unmatched", run.last - 2)["reasons"] == ["order.cancelled"]
        assert run.index.correction(study.study_instance_uid) is None


def test_the_stored_files_are_never_written_again(tmp_path: Path) -> None:
    with a_desk(tmp_path, unmatched="correct") as desk:
        study = a_study("a", instances=2, lies=[LIES["another-hkid"]])
        desk.run.order(a_message(an_order("a")))
        desk.run.store(*study.instances)
        desk.run.await_state(study, "forwarded")
    store = Store(tmp_path)
    held = [part10.read(store.read(name)).data_set for name in store.names()]
    assert sorted(held) == sorted(instance.data_set for instance in study.instances)
    assert not set(held) & {request.data_set for request in desk.taken.taken}
