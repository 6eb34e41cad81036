from __future__ import annotations

import dataclasses
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules.accession import AccessionNumber, AccessionRules
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import REASONS, OrderKeys, StudyKeys, decide
from tests.rules.strategies import accession_numbers, major_keys, paddings, respelled, steady

NUMBER = "XXXXR0700000101H"
CHAN = MajorKeys("A1234563", "CHAN^TAI MAN", "19700131", "M")
STUDY = StudyKeys(NUMBER, CHAN)
ORDER = OrderKeys(NUMBER, CHAN)
ANY = AccessionRules()

# What a key of the study may be like: its text, and the reason for it with an order and without one.
KEY_CASES = {
    "hkid": (("A1234563", "", ""), ("", ".missing", ".missing"), ("A1234564", ".invalid", ".invalid"),
             ("AB1234569", ".mismatch", "")),
    "name": (("Chan^Tai Man", "", ""), ("^", ".missing", ".missing"), ("陳^大文", ".invalid", ".invalid"),
             ("CHAN^TAI MEN", ".mismatch", "")),
    "birth-date": (("19700131", "", ""), ("", ".missing", ".missing"), ("19700231", ".invalid", ".invalid"),
                   ("19700130", ".mismatch", "")),
    "sex": (("M", "", ""), ("", ".missing", ".missing"), ("X", ".invalid", ".invalid"), ("U", ".mismatch", "")),
}  # fmt: skip
ACCESSION_CASES = (
    (NUMBER, ()),
    (f"{NUMBER} ", ()),
    ("", ("accession.missing",)),
    ("X", ("accession.malformed.length",)),
    ("-XX-RO70000010A*", ("accession.malformed.hospital", "accession.malformed.department",
                          "accession.malformed.year", "accession.malformed.running", "accession.malformed.check")),
)  # fmt: skip


def test_reasons_are_the_stable_ids() -> None:
    """The ids are a contract: reports, scenarios and people's own scripts name them."""
    parts = ("length", "hospital", "department", "year", "running", "check")
    assert set(REASONS) == {
        "accession.missing",
        *(f"accession.malformed.{part}" for part in parts),
        "accession.duplicate",
        "order.not-found",
        "order.cancelled",
        *(f"{k}.{f}" for k in ("hkid", "name", "birth-date", "sex") for f in ("missing", "invalid", "mismatch")),
        "study.inconsistent",
        "image-count.exceeded",
    }
    assert len(REASONS) == len(set(REASONS)) == 24


def test_matched() -> None:
    assert decide([STUDY], ORDER, ANY) == ()


@given(st.data(), major_keys, accession_numbers())
@steady
def test_matched_however_it_is_spelled(data: st.DataObject, keys: MajorKeys, number: AccessionNumber) -> None:
    studies = [StudyKeys(f"{number}{data.draw(paddings)}", data.draw(respelled(keys))) for _ in range(3)]
    order = OrderKeys(str(number), data.draw(respelled(keys)))
    assert decide(studies, order, ANY) == ()


@pytest.mark.parametrize("text", ["", "X", NUMBER])
def test_no_keys_is_a_mistake_of_the_caller(text: str) -> None:
    with pytest.raises(ValueError, match="at least one"):
        decide([], OrderKeys(text, CHAN), ANY)


@pytest.mark.parametrize(("taken", "duplicate"), [(False, ()), (True, ("accession.duplicate",))])
def test_order_reasons(taken: bool, duplicate: tuple[str, ...]) -> None:
    cancelled = dataclasses.replace(ORDER, cancelled=True)
    assert decide([STUDY], ORDER, ANY, taken) == duplicate
    assert decide([STUDY], None, ANY, taken) == (*duplicate, "order.not-found")
    assert decide([STUDY], cancelled, ANY, taken) == (*duplicate, "order.cancelled")


def test_an_order_under_another_number_is_not_this_studys() -> None:
    other = OrderKeys("XXXXR0700000102H", MajorKeys("", "", "", ""), cancelled=True)
    assert decide([STUDY], other, ANY) == ("order.not-found",)


def test_nothing_is_looked_up_by_a_malformed_number() -> None:
    order = OrderKeys("X", dataclasses.replace(CHAN, sex="F"), cancelled=True)
    study = StudyKeys("X", dataclasses.replace(CHAN, name=""))
    assert decide([study], order, ANY, accession_taken=True) == ("accession.malformed.length", "name.missing")


def test_a_cancelled_order_is_still_compared() -> None:
    order = OrderKeys(NUMBER, dataclasses.replace(CHAN, sex="F"), cancelled=True)
    assert decide([STUDY], order, ANY) == ("order.cancelled", "sex.mismatch")


def test_the_rules_of_the_site_are_applied() -> None:
    rules = AccessionRules("iso7064-mod37-36", hospital_codes=frozenset({"ABC"}))
    assert decide([STUDY], ORDER, rules) == ("accession.malformed.hospital", "accession.malformed.check")


def test_disagreeing_instances_come_first_and_the_best_is_judged_whichever_came_first() -> None:
    other = StudyKeys(NUMBER, dataclasses.replace(CHAN, sex="F"))
    numberless = StudyKeys("", CHAN)
    assert decide([STUDY, other], ORDER, ANY) == decide([other, STUDY], ORDER, ANY) == ("study.inconsistent",)
    assert decide([STUDY, numberless], ORDER, ANY) == decide([numberless, STUDY], ORDER, ANY) == ("study.inconsistent",)
    both = ("study.inconsistent", "sex.mismatch")
    worse = StudyKeys(NUMBER, MajorKeys("AB1234569", "LEE^SIU MING", "19700131", "F"))
    assert decide([other, worse], ORDER, ANY) == decide([worse, other], ORDER, ANY) == both


def test_of_keys_that_fit_equally_badly_the_first_reason_decides() -> None:
    nameless, sexless = (StudyKeys(NUMBER, dataclasses.replace(CHAN, **{key: ""})) for key in ("name", "sex"))
    expected = ("study.inconsistent", "name.missing")
    assert decide([nameless, sexless], ORDER, ANY) == decide([sexless, nameless], ORDER, ANY) == expected


def test_an_empty_key_on_one_instance_is_a_disagreement() -> None:
    empty = StudyKeys(NUMBER, dataclasses.replace(CHAN, hkid=""))
    assert decide([STUDY, empty], ORDER, ANY) == ("study.inconsistent",)


def test_a_key_that_the_order_lacks_is_a_mismatch() -> None:
    order = OrderKeys(NUMBER, MajorKeys("", "", "", ""))
    assert decide([STUDY], order, ANY) == (
        "hkid.mismatch",
        "name.mismatch",
        "birth-date.mismatch",
        "sex.mismatch",
    )


@given(
    hkid=st.sampled_from(KEY_CASES["hkid"]),
    name=st.sampled_from(KEY_CASES["name"]),
    birth_date=st.sampled_from(KEY_CASES["birth-date"]),
    sex=st.sampled_from(KEY_CASES["sex"]),
    number=st.sampled_from(ACCESSION_CASES),
    order=st.sampled_from(("stands", "none", "cancelled")),
    taken=st.booleans(),
    disagree=st.booleans(),
)
@steady
def test_all_reasons_together(
    hkid: tuple[str, str, str],
    name: tuple[str, str, str],
    birth_date: tuple[str, str, str],
    sex: tuple[str, str, str],
    number: tuple[str, tuple[str, ...]],
    order: str,
    taken: bool,
    disagree: bool,
) -> None:
    """Every combination of faults is told in full: no fault hides another, and none is invented."""
    cases = {"hkid": hkid, "name": name, "birth-date": birth_date, "sex": sex}
    text, malformed = number
    worst = StudyKeys("-XX-RO70000010A*", MajorKeys("?", "陳", "?", "?"))  # nine reasons, more than any of the cases
    study = StudyKeys(text, MajorKeys(*(case[0] for case in cases.values())))
    studies = [worst, study] if disagree else [study]
    placed = None if order == "none" else dataclasses.replace(ORDER, cancelled=order == "cancelled")

    looked_up = not malformed
    column = 1 if looked_up and placed else 2
    expected = [
        *(["study.inconsistent"] if disagree else []),
        *malformed,
        *(["accession.duplicate"] if looked_up and taken else []),
        *(["order.not-found"] if looked_up and order == "none" else []),
        *(["order.cancelled"] if looked_up and order == "cancelled" else []),
        *(f"{stem}{case[column]}" for stem, case in cases.items() if case[column]),
    ]
    assert decide(studies, placed, ANY, taken) == tuple(expected)


texts = st.one_of(st.text(max_size=5), st.sampled_from((NUMBER, "A1234563", "CHAN", "19700131", "M", "U")))
any_keys = st.builds(MajorKeys, texts, texts, texts, texts)


@given(
    st.lists(st.builds(StudyKeys, texts, any_keys), min_size=1, max_size=3),
    st.none() | st.builds(OrderKeys, texts, any_keys, st.booleans()),
    st.booleans(),
)
@steady
def test_reasons_do_not_depend_on_which_instance_came_first(
    studies: list[StudyKeys], order: OrderKeys | None, taken: bool
) -> None:
    assert len({decide(turned, order, ANY, taken) for turned in permutations(studies)}) == 1


@given(
    st.lists(st.builds(StudyKeys, texts, any_keys), min_size=1, max_size=3),
    st.none() | st.builds(OrderKeys, texts, any_keys, st.booleans()),
    st.booleans(),
)
@steady
def test_reasons_are_always_known_once_and_in_order(
    studies: list[StudyKeys], order: OrderKeys | None, taken: bool
) -> None:
    reasons = decide(studies, order, ANY, taken)
    assert list(reasons) == [reason for reason in REASONS if reason in reasons]
