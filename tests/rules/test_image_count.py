from __future__ import annotations

import pytest

from simulator.rules.image_count import ImageCountRule

EXCEEDED = ("image-count.exceeded",)


@pytest.mark.parametrize(
    ("instances", "reject", "admitted", "warnings"),
    [
        (0, False, True, ()),
        (1000, False, True, ()),
        (1001, False, True, EXCEEDED),
        (0, True, True, ()),
        (1000, True, True, ()),
        (1001, True, False, EXCEEDED),
    ],
)
def test_the_slides_limit(instances: int, reject: bool, admitted: bool, warnings: tuple[str, ...]) -> None:
    rule = ImageCountRule(reject=reject)
    assert rule.admits(instances) is admitted
    assert rule.warnings(instances) == warnings


def test_a_recommendation_is_the_default() -> None:
    assert ImageCountRule() == ImageCountRule(limit=1000, reject=False)


def test_another_limit() -> None:
    rule = ImageCountRule(limit=2, reject=True)
    assert [rule.admits(count) for count in range(5)] == [True, True, True, False, False]
    assert [bool(rule.warnings(count)) for count in range(5)] == [False, False, False, True, True]
