"""Command sets that are read and written at once are those that are read and written element by element."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import command_set, store_plane
from simulator.wire.command_set import CommandSet
from simulator.wire.terms import VERIFICATION
from tests.wire.made import steady

CT = "1.2.840.10008.5.1.4.1.1.2"
PLAIN = command_set.command_set(
    affected_sop_class_uid=CT,
    command_field=1,
    message_id=7,
    priority=0,
    data_set_type=1,
    affected_sop_instance_uid="1.2.3",
)
uids = st.one_of(
    st.from_regex(r"\A(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,5}\Z"),
    st.sampled_from(("", "1..2", "01.2", "1.2.", "1.2\0\0", "x", "1" * 65)),
)
words = st.integers(0, 65535)


fields = st.sampled_from((1, 1, 1, 0x30, 0x8001))


@given(uids, uids, words, fields, st.sampled_from((0, 1, 2, 3)), st.sampled_from((1, 257)))
@steady
def test_a_request_is_plain_by_either_way(
    sop_class: str, instance: str, message_id: int, field: int, priority: int, kind: int
) -> None:
    values = {"message_id": message_id, "command_field": field, "priority": priority, "data_set_type": kind}
    encoded = PLAIN.but(affected_sop_class_uid=sop_class, affected_sop_instance_uid=instance, **values).encode()
    assert store_plane.plain_store(encoded) == store_plane._plain_store(encoded)


@given(st.binary(max_size=3), st.integers(0, 200), st.integers(0, 255))
@steady
def test_whatever_becomes_of_a_byte(more: bytes, at: int, value: int) -> None:
    encoded = bytearray(PLAIN.encode())
    encoded[at % len(encoded)] = value
    changed = bytes(encoded) + more
    assert store_plane.plain_store(changed) == store_plane._plain_store(changed)


def test_elements_in_another_order_are_plain_too() -> None:
    turned = b"".join(
        struct.pack("<HHL", 0, number, len(value)) + value
        for number, value in sorted(PLAIN.elements.items(), reverse=True)
    )
    found = store_plane.plain_store(turned)
    assert found is not None
    assert (found.message_id, found.sop_class_uid, found.sop_instance_uid) == (b"\7\0", CT, "1.2.3")


@given(st.sampled_from(("1.2", "1.2.3", CT)), words, words, st.text(st.characters(max_codepoint=126), max_size=80))
@steady
def test_a_response_is_the_same_to_the_byte(instance: str, message_id: int, status: int, comment: str) -> None:
    request = PLAIN.but(message_id=message_id, affected_sop_instance_uid=instance)
    plain = store_plane.plain_store(request.encode())
    assert plain is not None
    expected = command_set.response_to(request, status, comment).encode()
    assert store_plane.store_response(plain, status, comment) == expected


@given(words)
@steady
def test_an_echo_is_answered_to_the_byte(message_id: int) -> None:
    request = store_plane.echo_request(message_id, VERIFICATION)
    asked = store_plane.plain_echo(request.encode())
    assert asked is not None
    expected: CommandSet = command_set.response_to(request, 0)
    assert store_plane.echo_response(asked) == expected.encode()


def test_an_echo_that_says_more_is_the_librarys() -> None:
    request = store_plane.echo_request(1, VERIFICATION)
    assert store_plane.plain_echo(request.but(priority=0).encode()) is None
    assert store_plane.plain_echo(request.but(data_set_type=1).encode()) is None
    assert store_plane.plain_echo(request.but(affected_sop_class_uid=CT).encode()) is None
