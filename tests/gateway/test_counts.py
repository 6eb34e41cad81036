"""What one instance costs in calls of the operating system and of the index, counted: times depend on the machine.

Counted is what Python code calls, by thread, so the gateway and the modality may be in one process. How a stream is cut
into reads is TCP's affair, so of those there is a bound on the average.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from simulator.gateway import backlog
from simulator.wire import gathering, store_plane
from simulator.wire.association import Association, Outgoing, Response
from tests.gateway.made import Running, contexts_of, outgoing, running
from tests.synthesis.made import a_study
from tests.wire import pdus
from tests.wire.sockets import PATIENCE, connected

pytestmark = pytest.mark.skipif(not store_plane.is_on(), reason="the data planes are switched off")

SMALL = [outgoing(instance) for instance in a_study("small", instances=150, size=64).instances]
LARGE = [outgoing(instance) for instance in a_study("large", instances=60, size=512).instances]
WARM = 30
ON_FILES = ("open", "writev", "close", "replace", "rename", "unlink", "statvfs", "mkdir", "stat", "fsync", "urandom")
ON_SOCKETS = ("recv", "recv_into", "recvmsg_into", "send", "sendall", "sendmsg", "settimeout", "setsockopt")


class Calls:
    """How often each thread called what, since the last `clear`."""

    def __init__(self) -> None:
        self._counts: dict[int, Counter[str]] = {}

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._counts.setdefault(threading.get_ident(), Counter())[name] += 1
            return call(*arguments, **named)

        return counted

    def clear(self) -> None:
        self._counts = {}

    def here(self) -> Counter[str]:
        """Return the calls of this thread."""
        return self._counts.get(threading.get_ident(), Counter())

    def of_who_writes(self) -> Counter[str]:
        """Return the calls of the one thread that wrote files."""
        [found] = [each for each in self._counts.values() if each["writev"]]
        return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()
    for name in ON_FILES:
        monkeypatch.setattr(os, name, found.wrap(name, getattr(os, name)))
    for name in ON_SOCKETS:
        monkeypatch.setattr(socket.socket, name, found.wrap(name, getattr(socket.socket, name)))
    poll = select.poll

    class Poll:
        def __init__(self) -> None:
            own = poll()
            self.register, self.poll = own.register, found.wrap("poll", own.poll)

    monkeypatch.setattr(select, "poll", Poll)
    return found


def sent(serving: Running, instances: list[Outgoing], calls: Calls) -> int:
    """Send the instances over one association, counting from where modules are loaded; return how many are counted."""
    with Association.request("MODALITY", serving.address, contexts_of(instances)) as association:
        for number, instance in enumerate(instances):
            if number == WARM:
                calls.clear()
            assert association.store(instance) == Response(0)
    return len(instances) - WARM


def test_a_small_instance_is_one_file_one_write_and_one_answer(tmp_path: Any, calls: Calls) -> None:
    with running(tmp_path) as serving:
        count = sent(serving, SMALL, calls)
    found = calls.of_who_writes()
    each = {name: found[name] / count for name in (*ON_FILES, *ON_SOCKETS)}
    once = ("open", "writev", "close", "replace", "statvfs")
    assert {name: found[name] for name in once} == dict.fromkeys(once, count)
    assert found["send"] == count + 1  # and the release
    reads = each["recv_into"] + each["recvmsg_into"]
    assert 1 <= reads <= 4, each
    assert found["poll"] / count <= reads + 1, each
    assert sum(found[name] for name in ("rename", "unlink", "mkdir", "stat", "fsync", "urandom")) == 0, each
    assert sum(found[name] for name in ("recv", "sendall", "sendmsg", "settimeout", "setsockopt")) <= count / 10, each


def test_a_large_instance_is_written_fragment_by_fragment(tmp_path: Any, calls: Calls) -> None:
    with running(tmp_path) as serving:
        count = sent(serving, LARGE, calls)
    found = calls.of_who_writes()
    fragments = len(LARGE[0].data_set) // 131066 + 1
    once = ("open", "close", "replace")
    assert {name: found[name] for name in once} == dict.fromkeys(once, count)
    assert found["send"] == count + 1  # and the release
    assert count * fragments <= found["writev"] <= count * (fragments + 1)  # it may take two for one
    assert found["statvfs"] == 2 * count  # before it is begun, and before it counts
    assert found["unlink"] == found["fsync"] == found["stat"] == 0


def test_sending_is_one_write_where_the_peer_keeps_up(tmp_path: Any, calls: Calls) -> None:
    with running(tmp_path) as serving:
        count = sent(serving, SMALL, calls)
        found = calls.here()
    assert found["sendmsg"] == count  # heads, command set and data set
    assert count <= found["recv_into"] <= 2 * count
    assert found["send"] + found["sendall"] <= 2  # the release
    assert found["writev"] == found["open"] == 0


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="this system has no TCP_QUICKACK")
def test_a_peer_that_pauses_in_the_middle_of_a_message_is_acknowledged(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one with Nagle's algorithm would not go on until TCP's delayed acknowledgement, some 40 ms an instance."""
    acknowledged = threading.Event()
    set_option = socket.socket.setsockopt

    def noted(connection: socket.socket, level: int, option: int, value: Any) -> None:
        set_option(connection, level, option, value)
        if (level, option, value) == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1):
            acknowledged.set()

    [context] = contexts_of(SMALL)
    proposed = ((1, context.abstract_syntax_uid, context.transfer_syntax_uids[0]),)
    request = store_plane.store_request(1, SMALL[0].sop_class_uid, SMALL[0].sop_instance_uid)
    with running(tmp_path) as serving, connected(serving.ready.dicom_port) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(pdus.request(b"HAGATEWAY", b"MODALITY", proposed=proposed))
        assert pdus.read_pdu(connection)[0] == 0x02
        monkeypatch.setattr(socket.socket, "setsockopt", noted)
        connection.sendall(pdus.data(1, 3, request.encode()))
        assert acknowledged.wait(PATIENCE)
        connection.sendall(pdus.data(1, 2, SMALL[0].data_set))
        assert pdus.read_pdu(connection)[0] == 0x04


def test_the_index_is_asked_once_an_instance_and_written_in_batches(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    with running(tmp_path) as serving:
        with Association.request("MODALITY", serving.address, contexts_of(SMALL)) as association:
            assert association.store(SMALL[0]) == Response(0)
            monkeypatch.setattr(backlog, "_GATHER_SECONDS", 3600)
            assert association.store(SMALL[1]) == Response(0)  # what waits so long is met behind this one
            serving.index._db.set_trace_callback(statements.append)
            for instance in SMALL[2:]:
                assert association.store(instance) == Response(0)
            serving.index._db.set_trace_callback(None)
        asked = Counter(statement.split(None, 1)[0] for statement in statements)
        assert asked["SELECT"] <= len(SMALL)
        assert asked["BEGIN"] <= 2
        assert len(serving.index.instances(_study(serving))) == len(SMALL)


def _study(serving: Running) -> str:
    [study] = serving.index.studies()
    return study.study_instance_uid


def test_no_memory_is_new_once_there_is_enough(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(bytearray):
        def __init__(self, size: int = 0) -> None:
            super().__init__(size)
            made.append(size)

    monkeypatch.setattr(gathering, "bytearray", Counted, raising=False)
    with (
        running(tmp_path) as serving,
        Association.request("MODALITY", serving.address, contexts_of(LARGE)) as association,
    ):
        for number, instance in enumerate(LARGE):
            assert association.store(instance) == Response(0)
            assert len(serving.index.instances(_study(serving))) == number + 1  # who reads writes what waits first
    assert sum(made) < 5 * len(LARGE[0].data_set)
