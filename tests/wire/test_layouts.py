"""A survey by layout is the survey: the same values, the same place of Pixel Data, the same complaints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from simulator.errors import NotDicom
from simulator.gateway import header
from simulator.wire import data_set, layouts
from simulator.wire.data_set import Survey
from simulator.wire.layouts import Layouts
from tests.synthesis.made import a_study
from tests.wire.made import in_any_syntax, steady, written
from tests.wire.test_data_set import WHOLE, content

JUDGED = header.JUDGED
Outcome = Survey | str


def plainly(data: bytes, syntax: str) -> Outcome:
    try:
        return data_set.survey(data, syntax, JUDGED)
    except NotDicom as error:
        return str(error)


def by_layout(known: Layouts, data: bytes, syntax: str) -> Outcome:
    try:
        return known.survey(memoryview(data), syntax)
    except NotDicom as error:
        return str(error)


def changed(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    found = bytearray(data)
    for at, value in changes:
        if found:
            found[at % len(found)] = value
    return bytes(found[: len(found) - cut])


changes = st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), max_size=3)


@given(in_any_syntax, st.lists(st.tuples(changes, st.sampled_from((0, 0, 0, 1, 8))), max_size=10))
@steady
def test_whatever_changes_in_a_data_set_that_is_known(
    made: tuple[Dataset, str], others: list[tuple[list[tuple[int, int]], int]]
) -> None:
    data, syntax = written(*made), made[1]
    known = Layouts(JUDGED)
    for _ in range(3):
        assert by_layout(known, data, syntax) == plainly(data, syntax)
    for each, cut in others:
        other = changed(data, each, cut)
        assert by_layout(known, other, syntax) == plainly(other, syntax)


@pytest.mark.parametrize("name", WHOLE)
def test_every_byte_of_a_head_counts(name: str) -> None:
    data, syntax = content(name)
    known = Layouts(JUDGED)
    for _ in range(3):
        assert by_layout(known, data, syntax) == plainly(data, syntax)
    if isinstance(plainly(data, syntax), str) or syntax == data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return
    [(_, one)] = known._known.items()
    places = [at for start, end in data_set.heads(data, syntax) for at in range(start, end)]
    for at in places:
        other = changed(data, [(at, data[at] ^ 1)], 0)
        assert not one[0].fits(other)
    between = sorted(set(range(len(data))) - set(places))
    for at in between[:: len(between) // 50 + 1]:  # a value, whatever it says, is not what a survey judges
        other = changed(data, [(at, data[at] ^ 1)], 0)
        assert one[0].fits(other)
        assert by_layout(known, other, syntax) == plainly(other, syntax)


def test_a_series_is_hardly_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []
    survey = data_set.survey

    def counted(data: bytes | memoryview, syntax: str, tags: frozenset[int]) -> Survey:
        walked.append(len(data))
        return survey(data, syntax, tags)

    monkeypatch.setattr(data_set, "survey", counted)
    known = Layouts(JUDGED)
    study = a_study(instances=200)
    for each in study.instances:
        assert known.survey(each.data_set, each.transfer_syntax_uid) == survey(
            each.data_set, each.transfer_syntax_uid, JUDGED
        )
    assert len(walked) < 40


def test_what_is_remembered_is_bounded() -> None:
    known = Layouts(JUDGED)
    for size in range(0, 20 * layouts._SIZES, 2):
        element = b"\x10\x00\x10\x00PN" + size.to_bytes(2, "little") + bytes(size)
        for _ in range(2):
            known.survey(element, data_set.EXPLICIT_VR_LITTLE_ENDIAN)
    for number in range(100):  # of one size: two elements that share it in a hundred ways
        first = b"\x10\x00\x10\x00PN" + (2 * number).to_bytes(2, "little") + bytes(2 * number)
        second = b"\x10\x00\x20\x00LO" + (200 - 2 * number).to_bytes(2, "little") + bytes(200 - 2 * number)
        known.survey(first + second, data_set.EXPLICIT_VR_LITTLE_ENDIAN)
    assert len(known._known) <= layouts._SIZES
    assert max(len(each) for each in known._known.values()) <= layouts._LAYOUTS
