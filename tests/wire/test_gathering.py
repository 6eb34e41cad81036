"""Memory is used again once nobody looks at it, and no sooner."""

from __future__ import annotations

from simulator.wire import gathering
from simulator.wire.gathering import Gathering, Memory


def filled(memory: Memory, value: int, size: int = 1000) -> Gathering:
    found = Gathering(memory)
    found.make_room(0, size)
    found.data[:size] = bytes([value]) * size
    return found


def test_what_is_given_back_is_used_again() -> None:
    memory = Memory()
    one = filled(memory, 1)
    was = one.data
    one.close()
    other = Gathering(memory)
    other.make_room(0, 10)
    assert other.data is was


def test_what_is_there_stays_where_more_room_is_made() -> None:
    one = filled(Memory(), 7, 200_000)
    with memoryview(one.data) as lent:
        one.make_room(200_000, 1_000_000)
        assert one.data[:200_000] == lent[:200_000] == bytes([7]) * 200_000


def test_what_waits_to_be_used_again_is_bounded() -> None:
    memory = Memory()
    several = [filled(memory, 1, gathering._LARGEST_USED_AGAIN) for _ in range(20)]
    for each in [*several, filled(memory, 1, gathering._LARGEST_USED_AGAIN + 1)]:
        each.close()
    assert memory._waiting == sum(len(each) for each in memory._free) <= gathering._MOST
    while memory._free:
        assert len(memory.take()) <= gathering._LARGEST_USED_AGAIN
    assert memory._waiting == 0
