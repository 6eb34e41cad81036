from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.gateway import second_look
from simulator.gateway.acts import Correction
from simulator.gateway.rows import StudyRow
from simulator.gateway.steps import Inspected, Verdict
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys, StudyKeys

NUMBER = "SYNCT2500000101H"
STUDY = MajorKeys("Q1234567", "CHAN^TAI MAN", "19700131", "M")
ROW = StudyRow("1.2", NUMBER, "forwarded", (), ("image-count.exceeded", "name.mismatch"), NUMBER)


def warnings(verdict: Verdict, order: MajorKeys, sent_as: MajorKeys | None = None) -> tuple[str, ...]:
    found = Inspected("1.2", (StudyKeys(NUMBER, STUDY),), 2, False, OrderKeys(NUMBER, order), False)
    correction = Correction(OrderKeys(NUMBER, sent_as), "COERCE", "2025-01-01T00:00:00Z") if sent_as else None
    after = second_look.warned(ROW, found, verdict, correction)
    assert (after.state, after.reasons, after.order_accession) == ("forwarded", (), NUMBER)
    return after.warnings


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict("matched", (), (), NUMBER), ()),
        (Verdict("unmatched", ("order.cancelled",), (), ""), ("order.cancelled",)),
        (Verdict("unmatched", ("hkid.mismatch", "sex.mismatch"), (), ""), ("hkid.mismatch", "sex.mismatch")),
        (Verdict("matched", (), ("sex.mismatch",), NUMBER), ("sex.mismatch",)),  # the site would correct it now
    ],
)
def test_a_warning_comes_and_goes_with_the_order(verdict: Verdict, expected: tuple[str, ...]) -> None:
    assert warnings(verdict, STUDY) == ("image-count.exceeded", *expected)


def test_a_study_that_was_sent_corrected_is_compared_as_it_was_sent() -> None:
    ordered = replace(STUDY, sex="F")
    would_be = Verdict("matched", (), ("sex.mismatch",), NUMBER)
    kept = ("image-count.exceeded",)
    # The order is as it was when the copies were made: what was corrected stays said, and nothing else.
    assert warnings(would_be, ordered, sent_as=ordered) == (*kept, "sex.mismatch")
    # It has another name since: the copies do not.
    renamed = replace(ordered, name="NEW^NAME")
    assert warnings(would_be, renamed, sent_as=ordered) == (*kept, "name.mismatch", "sex.mismatch")
    # It is what the study said at first, and what was sent is not.
    assert warnings(Verdict("matched", (), (), NUMBER), STUDY, sent_as=ordered) == (*kept, "sex.mismatch")
    cancelled = Verdict("unmatched", ("order.cancelled", "sex.mismatch"), (), "")
    assert warnings(cancelled, ordered, sent_as=ordered) == (*kept, "order.cancelled", "sex.mismatch")


@pytest.mark.parametrize(
    ("state", "verdict", "stays"),
    [
        ("forwarded", "unmatched", True),
        ("forwarded", "matched", True),
        ("forwarding", "matched", True),
        ("forwarding", "unmatched", False),
        ("failed", "matched", False),
        ("unmatched", "matched", False),
        ("matched", "unmatched", False),
    ],
)
def test_who_stays(state: str, verdict: str, stays: bool) -> None:
    found = Inspected("1.2", (StudyKeys(NUMBER, STUDY),), 2, False, None, False)
    assert second_look.stays(replace(ROW, state=state), found, Verdict(verdict, (), (), ""), None) is stays


@pytest.mark.parametrize(("sent", "stays"), [(True, True), (False, False)])
def test_a_study_on_its_way_goes_with_the_new_keys_unless_something_went_with_the_old_ones(
    sent: bool, stays: bool
) -> None:
    found = Inspected("1.2", (StudyKeys(NUMBER, STUDY),), 2, False, None, False, sent=sent)
    old, new = (
        Correction(OrderKeys(NUMBER, replace(STUDY, name=name), cancelled=False), "COERCE", "")
        for name in ("FAN^LOK WAH", "FAN^LOK WOH")
    )
    verdict = Verdict("matched", (), (), NUMBER, new)
    assert second_look.stays(replace(ROW, state="forwarding"), found, verdict, old) is stays
    assert second_look.stays(replace(ROW, state="forwarding"), found, verdict, new)
    warned = second_look.told_of_other_keys(verdict, found, old).warnings
    assert warned == (("forwarded.before",) if sent else ())
    assert second_look.told_of_other_keys(verdict, found, new) == verdict


def test_what_went_before_is_said_of_what_does_not_match() -> None:
    found = Inspected("1.2", (StudyKeys(NUMBER, STUDY),), 2, False, None, False, sent=True)
    unmatched, matched = Verdict("unmatched", ("order.not-found",), (), ""), Verdict("matched", (), (), NUMBER)
    assert second_look.told(unmatched, found).warnings == ("forwarded.before",)
    assert second_look.told(unmatched, replace(found, sent=False)) == unmatched
    assert second_look.told(matched, found) == matched
