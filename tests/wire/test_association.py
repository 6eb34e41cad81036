from __future__ import annotations

import os
import queue
import resource
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.errors import (
    ContextNotAccepted,
    PeerAborted,
    PeerRefused,
    PeerSilent,
    PeerUnreachable,
    StartError,
    UsageError,
)
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass
from simulator.wire import store_plane
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import (
    VERIFICATION,
    Address,
    Association,
    Context,
    Outgoing,
    Response,
    StoreRequest,
    TimeOuts,
)
from simulator.wire.data_set import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.wire.pdus import ABORT, RELEASE_REQUEST, accept, read_pdu
from tests.wire.sockets import HOST, PATIENCE, closed_port, no_thread_beside, peer, silent_peer

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
ECHO = [Context(VERIFICATION, (IMPLICIT_VR_LITTLE_ENDIAN,))]
STORE_CT = [Context(CT, (EXPLICIT_VR_LITTLE_ENDIAN,))]
SHORT = TimeOuts(connection=2, acse=0.3, dimse=0.3)
keywords = [sop_class.keyword for sop_class in SEED_IMAGE_CLASSES]


def outgoing(number: int = 1, sop_class: str = CT, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Outgoing:
    return Outgoing(sop_class, f"1.2.3.{number}", syntax, b"\x10\x00\x20\x00LO\x08\x00A1234563" + bytes(number % 7 * 2))


def success(_: StoreRequest) -> Response:
    return Response(0x0000)


@contextmanager
def accepting(
    on_store: Callable[[StoreRequest], Response] = success,
    contexts: Collection[Context] = STORE_CT,
    callers: Collection[str] | None = None,
    maximum: int = 100,
) -> Iterator[Address]:
    acceptor = Acceptor(
        "GATEWAY",
        HOST,
        0,
        list(contexts),
        on_store,
        calling_ae_titles=callers,
        maximum_associations=maximum,
    )
    port = acceptor.start()
    try:
        yield Address("GATEWAY", HOST, port)
    finally:
        acceptor.stop()


def request(
    address: Address, contexts: Collection[Context] = STORE_CT, time_outs: TimeOuts | None = None
) -> Association:
    return Association.request("MODALITY", address, list(contexts), time_outs)


# --- what works --------------------------------------------------------------------------------------


def test_echo() -> None:
    with accepting() as address, request(address, ECHO) as association:
        assert association.echo() == Response(0x0000)
        assert association.echo().status_text == "0000"


@pytest.mark.parametrize("sop_class", SEED_IMAGE_CLASSES, ids=keywords)
def test_every_class_of_the_slide_is_stored(sop_class: SopClass) -> None:
    taken: queue.Queue[StoreRequest] = queue.Queue()

    def on_store(store: StoreRequest) -> Response:
        taken.put(store)
        return Response(0xB007, f"coerced {sop_class.keyword[:40]}")

    contexts = [Context(sop_class.uid, (EXPLICIT_VR_LITTLE_ENDIAN,))]
    with accepting(on_store, contexts) as address, request(address, contexts) as association:
        sent = outgoing(sop_class=sop_class.uid)
        response = association.store(sent)
    assert response == Response(0xB007, f"coerced {sop_class.keyword[:40]}")
    assert response.stored
    store = taken.get_nowait()
    assert (store.sop_class_uid, store.sop_instance_uid, store.data_set) == (sop_class.uid, "1.2.3.1", sent.data_set)


def test_one_association_carries_every_class() -> None:
    contexts = [Context(each.uid, (EXPLICIT_VR_LITTLE_ENDIAN,)) for each in SEED_IMAGE_CLASSES]
    with accepting(contexts=contexts) as address, request(address, contexts) as association:
        assert association.answers == (EXPLICIT_VR_LITTLE_ENDIAN,) * 13
        for each in SEED_IMAGE_CLASSES:
            assert association.store(outgoing(sop_class=each.uid)) == Response(0x0000)


def test_a_request_says_who_sends_what_and_how() -> None:
    taken: queue.Queue[StoreRequest] = queue.Queue()

    def on_store(store: StoreRequest) -> Response:
        taken.put(store)
        return Response(0x0000)

    contexts = [Context(CT, (IMPLICIT_VR_LITTLE_ENDIAN,)), Context(CT, (EXPLICIT_VR_BIG_ENDIAN,))]
    offered = [Context(CT, (EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))]
    with accepting(on_store, offered) as address, request(address, contexts) as association:
        association.store(outgoing(5, CT, EXPLICIT_VR_BIG_ENDIAN))
    store = taken.get_nowait()
    assert (store.calling_ae_title, store.called_ae_title, store.peer) == ("MODALITY", "GATEWAY", HOST)
    assert (store.abstract_syntax_uid, store.transfer_syntax_uid) == (CT, EXPLICIT_VR_BIG_ENDIAN)
    assert store.data_set == outgoing(5).data_set


@pytest.mark.parametrize(
    ("response", "stored"),
    [
        (Response(0x0000), True),
        (Response(0xB000, "coerced"), True),
        (Response(0xB006), True),
        (Response(0xA700, "out of resources"), False),
        (Response(0xA900, "does not match"), False),
        (Response(0xC000, "cannot understand"), False),
        (Response(0x0122, "not supported"), False),
        (Response(0x0124), False),
    ],
)
def test_a_status_comes_back_with_its_comment(response: Response, stored: bool) -> None:
    with accepting(lambda _: response) as address, request(address) as association:
        assert association.store(outgoing()) == response
    assert response.stored is stored


@pytest.mark.parametrize(
    ("comment", "arrived"),
    [
        ("x" * 100, "x" * 64),
        ("found b'\\x00\\xff'", "found b'/x00/xff'"),  # a backslash would make two values of it
        ("cannot write 陳", "cannot write ?"),
        ("two\nlines", "two?lines"),
    ],
)
def test_a_comment_is_made_to_fit_its_value_representation(comment: str, arrived: str) -> None:
    with accepting(lambda _: Response(0xC000, comment)) as address, request(address) as association:
        assert association.store(outgoing()) == Response(0xC000, arrived)


def test_three_hundred_instances_in_a_row_are_all_answered() -> None:
    """Each answer is the one to its own request; a reactor that wakes now and then would take some of them away."""

    def on_store(store: StoreRequest) -> Response:
        return Response(0xB000 + int(store.sop_instance_uid.rpartition(".")[2]) % 4096, store.sop_instance_uid)

    with accepting(on_store) as address, request(address, time_outs=TimeOuts(dimse=10)) as association:
        for number in range(300):
            assert association.store(outgoing(number)) == Response(0xB000 + number, f"1.2.3.{number}")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(("switch", "count"), [("on", 300), ("off", 100)])
def test_many_associations_leave_no_thread_and_no_file(
    switch: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store_plane.SWITCH, switch)
    threads, files = set(threading.enumerate()), open_files()
    with accepting() as address:
        for number in range(count):
            with request(address) as association:
                assert association.store(outgoing(number)) == Response(0x0000)
    assert no_thread_beside(threads)
    assert open_files() <= files


@pytest.fixture
def many_files_open() -> Iterator[None]:
    """Hold so many descriptors that the next one is beyond what `select` can look at (1024 in glibc)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = open_files() + 1400
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} descriptors are allowed here")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        held += [os.dup(held[0]) for _ in range(1100)]
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files_open")
@pytest.mark.parametrize("switch", ["on", "off"])
def test_an_association_needs_no_low_descriptor(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store_plane.SWITCH, switch)
    taken: queue.Queue[StoreRequest] = queue.Queue()
    data = bytes(range(256)) * 1000

    def on_store(store: StoreRequest) -> Response:
        taken.put(replace(store, data_set=bytes(store.data_set)))
        return Response(0x0000)

    contexts = [*STORE_CT, *ECHO]
    threads = set(threading.enumerate())
    with accepting(on_store) as address, request(address, contexts) as association:
        wrapped = association._library.dul.socket
        assert wrapped is not None
        assert wrapped.socket is not None
        assert wrapped.socket.fileno() > 1023
        for number in range(3):
            assert association.store(replace(outgoing(number), data_set=data)) == Response(0x0000)
            assert association.echo() == Response(0x0000)
        assert association.stands
    assert [each.data_set for each in taken.queue] == [data] * 3
    assert no_thread_beside(threads)


def test_two_associations_at_once() -> None:
    together = threading.Barrier(2)

    def on_store(store: StoreRequest) -> Response:
        together.wait(PATIENCE)  # passes only when both associations are in the middle of a store
        return Response(0x0000, store.sop_instance_uid)

    def send(first: int) -> list[str]:
        with request(address) as association:
            return [association.store(outgoing(first + number)).error_comment for number in range(30)]

    with accepting(on_store) as address, ThreadPoolExecutor(2) as both:
        sent = list(both.map(send, (0, 1000)))
    assert sent == [[f"1.2.3.{first + number}" for number in range(30)] for first in (0, 1000)]


def test_a_large_data_set_arrives_unharmed() -> None:
    data = bytes(range(256)) * 8192
    taken: queue.Queue[bytes] = queue.Queue()

    def on_store(store: StoreRequest) -> Response:
        taken.put(bytes(store.data_set))
        return Response(0x0000)

    with accepting(on_store) as address, request(address) as association:
        assert association.store(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, data)).stored
    assert taken.get_nowait() == data


def test_a_service_that_fails_answers_a_failure_and_goes_on() -> None:
    def on_store(store: StoreRequest) -> Response:
        if store.sop_instance_uid == "1.2.3.1":
            raise RuntimeError("a bug")
        return Response(0x0000)

    with accepting(on_store) as address, request(address) as association:
        assert not association.store(outgoing(1)).stored
        assert association.store(outgoing(2)) == Response(0x0000)


# --- rejections --------------------------------------------------------------------------------------


def test_an_unknown_called_title_is_rejected() -> None:
    with accepting() as address, pytest.raises(PeerRefused) as refused:
        request(Address("GATEWAI", HOST, address.port))
    error = refused.value
    assert (error.result, error.source, error.reason) == (1, 1, 7)
    assert f"GATEWAI@{HOST}:{address.port} rejected the association of MODALITY permanently" in str(error)
    assert "called AE title not recognised" in str(error)


@pytest.mark.parametrize("callers", [["OTHER"], ["OTHER", "modality"], []], ids=["other", "case", "nobody"])
def test_an_unknown_calling_title_is_rejected(callers: list[str]) -> None:
    with accepting(callers=callers) as address:
        for contexts in (STORE_CT, ECHO):
            with pytest.raises(PeerRefused, match="calling AE title not recognised") as refused:
                request(address, contexts)
            error = refused.value
            assert (error.result, error.source, error.reason) == (1, 1, 3)


@pytest.mark.parametrize("callers", [None, ["MODALITY"], ["OTHER", "MODALITY"]])
def test_a_known_calling_title_is_accepted(callers: list[str] | None) -> None:
    with accepting(callers=callers) as address, request(address, ECHO) as association:
        assert association.echo().status == 0


def test_too_many_associations_are_rejected_for_now() -> None:
    with accepting(maximum=1) as address, request(address), pytest.raises(PeerRefused) as refused:
        request(address)
    error = refused.value
    assert (error.result, error.source, error.reason) == (2, 3, 2)
    assert "for now: local limit exceeded" in str(error)


@pytest.mark.parametrize("fields", [(1, 1, 9), (2, 3, 7), (1, 9, 1), (0, 0, 0), (9, 2, 2)])
def test_a_rejection_that_the_standard_does_not_know(fields: tuple[int, int, int]) -> None:
    def reject(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(b"\x03\0\0\0\0\4\0" + bytes(fields))
        connection.recv(1)

    with peer(reject) as port, pytest.raises(PeerRefused) as refused:
        request(Address("GATEWAY", HOST, port))
    error = refused.value
    assert (error.result, error.source, error.reason) == fields
    assert ("the standard does not define" in str(error)) is (fields != (9, 2, 2))


# --- presentation contexts ---------------------------------------------------------------------------


def test_no_context_accepted() -> None:
    with (
        accepting() as address,
        pytest.raises(ContextNotAccepted, match="no presentation context for MR Image") as caught,
    ):
        request(address, [Context(MR, (EXPLICIT_VR_LITTLE_ENDIAN,))])
    assert caught.value.answers == ("abstract-syntax-not-supported",)


def test_some_contexts_accepted() -> None:
    contexts = [*STORE_CT, Context(MR, (EXPLICIT_VR_LITTLE_ENDIAN,)), Context(CT, (EXPLICIT_VR_BIG_ENDIAN,))]
    with accepting() as address, request(address, contexts) as association:
        assert association.answers == (
            EXPLICIT_VR_LITTLE_ENDIAN,
            "abstract-syntax-not-supported",
            "transfer-syntaxes-not-supported",
        )
        assert association.accepts(CT, EXPLICIT_VR_LITTLE_ENDIAN)
        assert not association.accepts(CT, EXPLICIT_VR_BIG_ENDIAN)
        assert not association.accepts(MR, EXPLICIT_VR_LITTLE_ENDIAN)
        assert association.accepted_syntaxes(CT) == (EXPLICIT_VR_LITTLE_ENDIAN,)
        assert association.accepted_syntaxes(MR) == ()
        with pytest.raises(ContextNotAccepted, match=r"for MR Image Storage \(abstract syntax not supported\)"):
            association.store(outgoing(sop_class=MR))
        with pytest.raises(ContextNotAccepted, match="in Explicit VR Little Endian, not in Explicit VR Big Endian"):
            association.store(outgoing(syntax=EXPLICIT_VR_BIG_ENDIAN))
        with pytest.raises(ContextNotAccepted, match="no context for Verification"):
            association.echo()
        assert association.store(outgoing()) == Response(0x0000)  # and all that harmed nothing


@pytest.mark.parametrize("number", [0, 129])
def test_the_number_of_contexts_has_a_limit(number: int) -> None:
    with accepting() as address, pytest.raises(UsageError, match="1 to 128"):
        request(address, STORE_CT * number)


def test_as_many_contexts_as_there_may_be() -> None:
    with accepting() as address, request(address, STORE_CT * 128) as association:
        assert association.answers == (EXPLICIT_VR_LITTLE_ENDIAN,) * 128


def test_an_empty_data_set_is_a_mistake_of_the_caller() -> None:
    with accepting() as address, request(address) as association:
        with pytest.raises(UsageError, match=r"instance 1\.2\.3 has an empty data set"):
            association.store(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b""))
        assert association.store(outgoing()).stored


# --- peers that misbehave ----------------------------------------------------------------------------


def nothing_listens() -> None:
    with closed_port() as port, pytest.raises(PeerUnreachable, match=f"nothing listens on {HOST}:{port}"):
        request(Address("GATEWAY", HOST, port))


def says_nothing() -> None:
    with silent_peer() as port, pytest.raises(PeerSilent, match=r"did not answer within 0\.3 s"):
        request(Address("GATEWAY", HOST, port), time_outs=SHORT)


def says_nothing_to_a_store() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN))
        while read_pdu(connection)[:1] not in (b"", b"\x07"):
            pass

    with peer(converse) as port, request(Address("GATEWAY", HOST, port), time_outs=SHORT) as association:
        with pytest.raises(PeerSilent, match=r"gave no answer within 0\.3 s"):
            association.store(outgoing())
        with pytest.raises(PeerAborted):
            association.store(outgoing(2))


def hangs_up_on_the_request() -> None:
    def converse(connection: socket.socket) -> None:
        read_pdu(connection)

    with peer(converse) as port, pytest.raises(PeerAborted, match="instead of answering the association request"):
        request(Address("GATEWAY", HOST, port))


def aborts_the_request() -> None:
    def converse(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(ABORT)
        connection.recv(1)

    with peer(converse) as port, pytest.raises(PeerAborted):
        request(Address("GATEWAY", HOST, port))


def is_a_web_server() -> None:
    def converse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(65536)

    with peer(converse) as port, pytest.raises(PeerAborted):
        request(Address("GATEWAY", HOST, port))


def aborts_as_soon_as_it_accepted() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN) + ABORT)
        connection.recv(1)

    started = time.monotonic()
    with peer(converse) as port, pytest.raises(PeerAborted), request(Address("GATEWAY", HOST, port)) as association:
        association.store(outgoing())
    assert time.monotonic() - started < PATIENCE  # not the thirty seconds of a time-out


def aborts_in_the_middle() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN))
        read_pdu(connection)
        connection.sendall(ABORT)
        while connection.recv(65536):
            pass

    with peer(converse) as port, request(Address("GATEWAY", HOST, port)) as association:
        for number in range(2):
            with pytest.raises(PeerAborted):
                association.store(outgoing(number))


def hangs_up_in_the_middle() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN))
        read_pdu(connection)

    with peer(converse) as port, request(Address("GATEWAY", HOST, port)) as association, pytest.raises(PeerAborted):
        association.store(outgoing())


def wants_to_release() -> None:
    def converse(connection: socket.socket) -> None:
        connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN) + RELEASE_REQUEST)
        while read_pdu(connection)[:1] not in (b"", b"\x07"):
            pass

    address = Address("GATEWAY", HOST, 0)
    with peer(converse) as port:
        association = request(replace(address, port=port))
        with pytest.raises(PeerAborted):
            association.store(outgoing())


def rejects_the_request() -> None:
    with accepting() as address, pytest.raises(PeerRefused):
        request(Address("GATEWAI", HOST, address.port))


def accepts_no_context() -> None:
    with accepting() as address, pytest.raises(ContextNotAccepted):
        request(address, [Context(MR, (EXPLICIT_VR_LITTLE_ENDIAN,))])


def is_aborted_by_us() -> None:
    with accepting() as address, request(address) as association:
        association.store(outgoing())
        association.abort()
        with pytest.raises(PeerAborted):
            association.store(outgoing())


def is_left_by_an_exception() -> None:
    with accepting() as address, pytest.raises(UsageError), request(address) as association:
        association.store(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b""))


def is_released() -> None:
    with accepting() as address, request(address) as association:
        association.store(outgoing())
        association.release()
        with pytest.raises(PeerAborted, match="has ended"):
            association.store(outgoing())


def stops_while_an_association_is_open() -> None:
    with accepting() as address:
        association = request(address)
        association.store(outgoing())
    with pytest.raises(PeerAborted):
        association.store(outgoing(2))
    association.release()


ENDS: tuple[Callable[[], None], ...] = (
    nothing_listens,
    says_nothing,
    says_nothing_to_a_store,
    hangs_up_on_the_request,
    aborts_the_request,
    is_a_web_server,
    aborts_as_soon_as_it_accepted,
    aborts_in_the_middle,
    hangs_up_in_the_middle,
    wants_to_release,
    rejects_the_request,
    accepts_no_context,
    is_aborted_by_us,
    is_left_by_an_exception,
    is_released,
    stops_while_an_association_is_open,
)


@pytest.mark.parametrize("peer_that", ENDS, ids=lambda end: end.__name__)
def test_a_peer_is_told_apart_and_leaves_no_thread_behind(peer_that: Callable[[], None]) -> None:
    before = set(threading.enumerate())
    peer_that()
    assert no_thread_beside(before)


@pytest.mark.parametrize("time_outs", [TimeOuts(acse=0.3), TimeOuts(dimse=0.3)], ids=["acse", "dimse"])
def test_a_time_out_is_kept_to(time_outs: TimeOuts) -> None:
    def converse(connection: socket.socket) -> None:
        if time_outs.acse > 1:
            connection.sendall(accept(connection, EXPLICIT_VR_LITTLE_ENDIAN))
        while connection.recv(65536):
            pass

    started = time.monotonic()
    with peer(converse) as port, pytest.raises(PeerSilent):
        request(Address("GATEWAY", HOST, port), time_outs=time_outs).store(outgoing())
    assert 0.3 <= time.monotonic() - started < 5


# --- the acceptor ------------------------------------------------------------------------------------


def test_a_port_in_use_is_named() -> None:
    with accepting() as address:
        second = Acceptor("OTHER", HOST, address.port, STORE_CT, success)
        with pytest.raises(StartError, match=f"cannot listen on {HOST}:{address.port}") as failed:
            second.start()
        assert "port 0 takes any free one" in failed.value.hint
        second.stop()
        with request(address, ECHO) as association:
            assert association.echo().status == 0


def test_nothing_listens_after_a_stop() -> None:
    with accepting() as address:
        pass
    with pytest.raises(PeerUnreachable):
        request(address)


# --- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("HAGATEWAY@127.0.0.1:11112", Address("HAGATEWAY", "127.0.0.1", 11112)),
        ("A@B@host:104", Address("A@B", "host", 104)),
        ("MY GATEWAY@host:0", Address("MY GATEWAY", "host", 0)),
        ("X@[::1]:104", Address("X", "::1", 104)),
        ("0123456789ABCDEF@h:65535", Address("0123456789ABCDEF", "h", 65535)),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HAGATEWAY",
        "HAGATEWAY@host",
        "host:104",
        "@host:104",
        "A@:104",
        "A@host:",
        "A@host:104x",
        "A@host:65536",
        "A@host:-1",
        "A@host:１０４",
        "0123456789ABCDEFG@host:104",
        "A\\B@host:104",
        "陳@host:104",
        "   @host:104",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address") as refused:
        Address.parse(text)
    assert "AET@HOST:PORT" in refused.value.hint


def test_a_stop_hangs_up_on_a_peer_that_has_requested_nothing() -> None:
    """Aborting there would end pynetdicom's thread with an error, which the test run counts as a failure."""
    acceptor = Acceptor("GATEWAY", HOST, 0, [], lambda _: Response(0x0000))
    with socket.create_connection((HOST, acceptor.start()), PATIENCE) as connection:
        deadline = time.monotonic() + PATIENCE
        while not any("AcceptorThread" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        acceptor.stop()
        assert connection.recv(1) == b""


# --- lengths, and answers to something else ----------------------------------------------------------


@pytest.mark.parametrize(("announced", "longest"), [(7, 7), (64, 64), (0, 108)])
def test_an_answer_comes_in_pieces_as_long_as_was_announced(announced: int, longest: int) -> None:
    with accepting() as address:
        association = Association.request("MODALITY", address, STORE_CT, maximum_length=announced)
        with association:
            assert association.store(outgoing()) == Response(0x0000)
            assert association.maximum_length == 131072
    assert association.longest == longest


def test_an_acceptor_that_has_no_room_for_a_message_is_sent_none() -> None:
    acceptor = Acceptor("GATEWAY", HOST, 0, STORE_CT, success, maximum_length=6)
    port = acceptor.start()
    try:
        with pytest.raises(PeerAborted, match="takes P-DATA-TF of 6 bytes at most, and no message has room in that"):
            request(Address("GATEWAY", HOST, port))
    finally:
        acceptor.stop()


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("MessageIDBeingRespondedTo", 7, "another message than the one it was sent"),
        ("AffectedSOPInstanceUID", "1.2.3.9", r"about another SOP instance \(1.2.3.9\) than 1.2.3.1"),
        ("AffectedSOPClassUID", MR, rf"about another SOP class \({MR}\) than {CT}"),
        ("Status", None, "without a status"),
    ],
)
def test_an_answer_to_something_else_is_none(keyword: str, value: object, words: str) -> None:
    acceptor = Acceptor("GATEWAY", HOST, 0, STORE_CT, success, alter=lambda response: setattr(response, keyword, value))
    port = acceptor.start()
    try:
        association = request(Address("GATEWAY", HOST, port))
        with pytest.raises(PeerAborted, match=f"answered {words}"):
            association.store(outgoing())
        assert not association.stands
    finally:
        acceptor.stop()


@pytest.mark.parametrize("keyword", ["AffectedSOPInstanceUID", "AffectedSOPClassUID"])
def test_an_answer_need_not_repeat_what_it_is_about(keyword: str) -> None:
    acceptor = Acceptor("GATEWAY", HOST, 0, STORE_CT, success, alter=lambda response: setattr(response, keyword, None))
    try:
        with request(Address("GATEWAY", HOST, acceptor.start())) as association:
            assert association.store(outgoing()) == Response(0x0000)
    finally:
        acceptor.stop()
