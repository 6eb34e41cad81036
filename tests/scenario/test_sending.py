"""Which instance goes over which association, and when it is made: one ahead of the one that is sent, never more."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pytest

from simulator.scenario.model_steps import Store
from simulator.scenario.plan import PlannedStudy
from simulator.scenario.sending import Sending, sendings
from simulator.synthesis import studies
from simulator.synthesis.draft import Draft
from simulator.synthesis.lies import Lie
from simulator.wire.association import Outgoing
from tests.processes import DEADLINE
from tests.synthesis.made import a_study


def planned(seed: str, instances: int, *lies: Lie) -> PlannedStudy:
    def made() -> studies.Study:
        return a_study(seed, instances=instances, lies=lies)

    return PlannedStudy(made(), made)


def numbers(sending: Sending, named: dict[str, PlannedStudy]) -> list[str]:
    """Return what is sent over an association, each as the name of its study and its place there."""
    places = {
        (study.study_instance_uid, instance): f"{name}{place}"
        for name, study in named.items()
        for place, instance in enumerate(study)
    }
    sent = [places[each] for each in sending]
    assert len(sending) == len(sent)
    return sent


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (Store(study="a"), ["a0 a1 a2 a3 a4"]),
        (Store(study="a", associations=2), ["a0 a1 a2", "a3 a4"]),
        (Store(study="a", associations=2, at_once=True), ["a0 a2 a4", "a1 a3"]),
        (Store(studies=("a", "b")), ["a0 b0 a1 b1 a2 a3 a4"]),
        (Store(studies=("b", "a"), associations=3), ["b0 a0 b1", "a1 a2 a3", "a4"]),
        (Store(studies=("a", "b"), associations=2, at_once=True), ["a0 a1 a2 a4", "b0 b1 a3"]),
    ],
)
def test_each_instance_goes_once_in_its_order(store: Store, expected: list[str]) -> None:
    named = {"a": planned("a", 5), "b": planned("b", 2)}
    assert [" ".join(numbers(each, named)) for each in sendings(store, named)] == expected


@dataclass
class Making:
    """Watches instances while they are made, as a lie that changes nothing; at the place of `wrong` it raises.

    begun: of each instance that was made, its place and how many had been taken until then.
    """

    wrong: int = -1
    taken: int = 0
    begun: list[tuple[int, int]] = field(default_factory=list)
    told: threading.Condition = field(default_factory=threading.Condition)

    def tamper(self, draft: Draft, _: Draft) -> Draft:
        with self.told:
            place = len(self.begun)
            self.begun.append((place, self.taken))
            self.told.notify_all()
        if place == self.wrong:
            raise ValueError(f"no instance at {place}")
        return draft

    def sending(self, instances: int) -> Sending:
        lie = Lie("watched", (), "It changes nothing.", tamper=self.tamper)
        study = planned("watched", instances, lie)
        return Sending((), [(study, place) for place in range(instances)])

    def take(self, sending: Iterator[tuple[str, Outgoing]]) -> Outgoing:
        _, instance = next(sending)
        self.taken += 1
        return instance

    def await_begun(self, count: int) -> None:
        with self.told:
            assert self.told.wait_for(lambda: len(self.begun) >= count, DEADLINE), self.begun


def makers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("making")]


def test_the_next_one_is_made_while_one_is_in_hand_and_none_beyond_it() -> None:
    making = Making()
    sending = iter(making.sending(6))
    assert making.begun == []
    for number in range(6):
        making.take(sending)
        making.await_begun(min(number + 2, 6))
    assert next(sending, None) is None
    assert [place for place, _ in making.begun] == list(range(6))
    assert all(place - taken <= 1 for place, taken in making.begun)


def test_one_that_cannot_be_made_is_an_error_at_its_own_turn() -> None:
    making = Making(wrong=2)
    sending = iter(making.sending(5))
    first = making.take(sending)
    second = making.take(sending)
    making.await_begun(3)  # it went wrong while the second is in hand
    assert [first, second] == list(islice(planned("watched", 5), 2))
    with pytest.raises(ValueError, match="no instance at 2"):
        making.take(sending)
    assert next(sending, None) is None
    assert makers() == []


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_who_ends_early_leaves_no_thread_and_has_nothing_more_made(taken: int) -> None:
    making = Making()
    sending = iter(making.sending(5))
    for _ in range(taken):
        making.take(sending)
    assert len(makers()) == bool(taken)
    assert isinstance(sending, Generator)
    sending.close()
    assert makers() == []
    assert len(making.begun) == (taken + 1 if taken else 0)


def test_who_fails_with_one_in_hand_leaves_no_thread() -> None:
    def send() -> None:
        for _ in Making().sending(5):
            raise ConnectionError("the gateway hung up")

    with pytest.raises(ConnectionError):
        send()
    assert makers() == []
