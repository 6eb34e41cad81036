"""Where the site takes synthetic people alone, nothing of anybody else is kept, and that is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.site import Site
from tests.gateway.made import a_message, a_site, events, running
from tests.synthesis.made import a_study, an_order

PREFIXES = ["Q", "QX"]


def files(folder: Path) -> list[Path]:
    return [file for place in ("instances", "refused") for file in (folder / place).rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("hkid", "taken"),
    [
        *((each, True) for each in ("Q1234563", "QX1234560", "q123456(3)", "HKID:Q1234563", "Q12")),
        *((each, False) for each in ("A1234563", "AQ1234563", "QQ1234563", "1234", "")),
    ],
)
def test_who_is_taken(hkid: str, taken: bool) -> None:
    assert a_site(only_hkid_prefixes=PREFIXES).takes_patient(hkid) is taken
    assert Site().takes_patient(hkid)


def test_images_of_anybody_else_are_refused_and_not_kept(tmp_path: Path) -> None:
    theirs = a_study("theirs", lies={"PatientID": "A1234563"}, instances=2)
    ours = a_study("ours", instances=2)
    with running(tmp_path, a_site(only_hkid_prefixes=PREFIXES)) as serving:
        answers = serving.store(*theirs.instances)
        assert {(each.status_text, each.error_comment) for each in answers} == {
            ("0124", "Patient ID is not of a synthetic person; nothing is kept")
        }
        cut_off = replace(theirs.instances[0], data_set=theirs.instances[0].data_set[:-3])
        assert serving.store(cut_off)[0].status == 0xC000
        assert files(tmp_path) == []
        assert {event["kept_as"] for event in events(serving.index, "InstanceRefused")} == {""}
        assert [each.status for each in serving.store(*ours.instances)] == [0, 0]


@pytest.mark.parametrize("hkid", ["A1234563", ""])
def test_orders_of_anybody_else_are_refused_and_not_kept(hkid: str, tmp_path: Path) -> None:
    with running(tmp_path, a_site(only_hkid_prefixes=PREFIXES)) as serving:
        answer = serving.order(a_message(an_order(), patient_id=hkid))
        assert answer.code == "AE"
        assert files(tmp_path) == []
        assert serving.order(b"garbage").code == "AR"
        assert files(tmp_path) == []
        assert serving.order(a_message(an_order())).code == "AA"
