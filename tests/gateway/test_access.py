"""Who may open an association: the site's rules as values, and the whole gateway over sockets."""

from __future__ import annotations

import threading
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom import dcmread

from simulator.errors import PeerRefused
from simulator.gateway import access
from simulator.site import Site
from simulator.wire import data_set
from simulator.wire.association import VERIFICATION, Address, Association, Context, Outgoing
from simulator.wire.incidents import AssociationRequest
from tests.gateway.made import a_site, events, outgoing, running
from tests.synthesis.made import EXPLICIT, a_study
from tests.wire import pdus
from tests.wire.listening import no_more, to_the_end
from tests.wire.sockets import connected, no_thread_beside

CT01 = AssociationRequest(
    address="127.0.0.1",
    port=50000,
    calling_ae_title="CT01",
    called_ae_title="HAGATEWAY",
    calling_bytes=b"CT01".ljust(16),
    called_bytes=b"HAGATEWAY".ljust(16),
    application_context=access.APPLICATION_CONTEXT,
)
LISTED = a_site(
    callers=[
        {"ae_title": "CT01", "addresses": ["127.0.0.1", "10.0.0.0/8"]},
        {"ae_title": "CT01", "addresses": ["2001:db8::/32"]},
        {"ae_title": "XR01"},
    ],
    gateway={"maximum_associations": 3},
)
ECHO = Context(VERIFICATION, (EXPLICIT,))


def verdict(asked: AssociationRequest, site: Site = LISTED) -> tuple[int, int, int, str] | None:
    rejection = access.admit(asked, site)
    return None if rejection is None else (rejection.result, rejection.source, rejection.reason, rejection.field)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "2001:db8::7", "::ffff:10.9.8.7", "2001:db8::7%eth0"])
def test_a_listed_caller_is_admitted_from_its_addresses(address: str) -> None:
    assert verdict(replace(CT01, address=address)) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"address": "127.0.0.2"}, (1, 1, 3, "address")),
        ({"address": "2001:db9::7"}, (1, 1, 3, "address")),
        ({"calling_ae_title": "CT02"}, (1, 1, 3, "calling-ae-title")),
        ({"calling_ae_title": "ct01"}, (1, 1, 3, "calling-ae-title")),
        ({"calling_ae_title": ""}, (1, 1, 3, "calling-ae-title")),
        ({"called_ae_title": "PACS"}, (1, 1, 7, "called-ae-title")),
        ({"called_ae_title": "PACS", "calling_ae_title": "CT02"}, (1, 1, 7, "called-ae-title")),
        ({"application_context": "1.2.3"}, (1, 1, 2, "application-context")),
        ({"open_associations": 3}, (2, 3, 2, "maximum-associations")),
        ({"open_associations": 3, "calling_ae_title": "CT02"}, (1, 1, 3, "calling-ae-title")),
    ],
)
def test_whoever_is_not_admitted_is_told_why(change: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert verdict(replace(CT01, **change)) == expected


def test_a_caller_without_addresses_calls_from_anywhere() -> None:
    assert verdict(replace(CT01, calling_ae_title="XR01", address="192.0.2.9")) is None


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.text(max_size=70))
def test_any_title_gets_an_answer_in_words(calling: bytes, called: bytes, context: str) -> None:
    asked = replace(
        CT01,
        calling_ae_title=calling.decode("latin-1"),
        called_ae_title=called.decode("latin-1"),
        calling_bytes=calling,
        called_bytes=called,
        application_context=context,
    )
    rejection = access.admit(asked, LISTED)
    assert rejection is not None
    assert rejection.words.isprintable()


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"gateway": {"host": "0.0.0.0"}}, "must name its callers"),
        ({"callers": [{"ae_title": "A"}], "promiscuous": True}, "promiscuous takes any caller"),
        ({"callers": [{"ae_title": "A", "addresses": ["10.0.0.1/8"]}]}, "has host bits set"),
        ({"callers": [{"ae_title": "A", "addresses": ["pacs"]}]}, "no IP address or network"),
        ({"gateway": {"dicom_port": "off"}}, "dicom_port: off needs `tls`"),
        ({"forwarding": {"destinations": [{"ae_title": "A", "port": 1, "tls": True}]}}, "needs `gateway.tls`"),
        (
            {"gateway": {"tls": {"certificate": "a", "key": "b", "client_certificates": "required"}}},
            "client_certificates: required needs `ca`",
        ),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(site: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Site.model_validate(site)


def test_promiscuous_opens_a_gateway_beyond_loopback() -> None:
    site = Site.model_validate({"gateway": {"host": "0.0.0.0"}, "promiscuous": True})
    assert verdict(replace(CT01, address="203.0.113.5", calling_ae_title="ANY"), site) is None


# --- over sockets ------------------------------------------------------------------------------------


def test_titles_padded_with_nul_are_the_titles_everywhere(tmp_path: Path) -> None:
    [instance] = a_study().instances
    with running(tmp_path, a_site(callers=[{"ae_title": "CT01"}])) as gateway:
        address = replace(gateway.address, ae_title="HAGATEWAY".ljust(16, "\0"))
        contexts = [Context(instance.sop_class_uid, (instance.transfer_syntax_uid,))]
        with Association.request("CT01".ljust(16, "\0"), address, contexts) as association:
            assert association.store(outgoing(instance)).status == 0
        [stored] = events(gateway.index, "InstanceStored")
        row = gateway.index.instance(instance.sop_instance_uid)
        assert events(gateway.index, "AssociationRejected") == []
    assert stored["calling_ae_title"] == "CT01"
    assert row is not None
    assert row.calling_ae_title == "CT01"
    [file] = (tmp_path / "instances").rglob("*.dcm")
    assert dcmread(file).file_meta.SourceApplicationEntityTitle == "CT01"


def test_a_rejection_is_an_event_that_names_the_bytes(tmp_path: Path) -> None:
    with running(tmp_path, a_site(callers=[{"ae_title": "CT01"}])) as gateway:
        with pytest.raises(PeerRefused) as refused:
            Association.request("CT01\0X", gateway.address, [ECHO])
        assert (refused.value.result, refused.value.source, refused.value.reason) == (1, 1, 3)
        event = gateway.await_event("AssociationRejected")
    assert event["field"] == "calling-ae-title"
    assert event["calling_ae_title"] == "CT01\\x00X"
    assert event["called_ae_title"] == "HAGATEWAY"
    assert event["peer"].startswith("127.0.0.1:")
    assert "43 54 30 31 00 58 20" in event["meaning"]


def test_a_limit_counts_what_is_open_and_nothing_that_was_released(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"maximum_associations": 2})) as gateway:
        first = Association.request("A", gateway.address, [ECHO])
        for _ in range(5):  # a place is free as soon as the release was answered
            with Association.request("B", gateway.address, [ECHO]) as second:
                assert second.echo().status == 0
                with pytest.raises(PeerRefused) as refused:
                    Association.request("C", gateway.address, [ECHO])
                assert (refused.value.result, refused.value.source, refused.value.reason) == (2, 3, 2)
        first.release()
        assert len(events(gateway.index, "AssociationRejected")) == 5


def test_a_called_title_in_another_case_is_said_to_differ_by_that_alone(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        with pytest.raises(PeerRefused):
            Association.request("A", Address("hagateway", gateway.address.host, gateway.address.port), [ECHO])
        assert "differ by upper and lower case alone" in gateway.await_event("AssociationRejected")["meaning"]


# --- time-outs and hostile peers, as the site sets them and the gateway tells them ----------------------


@pytest.mark.parametrize(
    ("limit", "sent", "problem", "words"),
    [
        ("acse", b"", "time-out.acse", "no A-ASSOCIATE-RQ within 0.2 s"),
        (
            "pdu",
            pdus.request(called=b"HAGATEWAY") + b"\4\0\0\0\1\0half",
            "time-out.pdu",
            "10 of 262 bytes of P-DATA-TF",
        ),
        ("dimse", pdus.request(called=b"HAGATEWAY") + pdus.data(1, 1, b"half"), "time-out.dimse", "4 bytes of a DIMSE"),
        ("idle", pdus.request(called=b"HAGATEWAY"), "time-out.idle", "no PDU within 0.2 s"),
        ("idle", b"GET / HTTP/1.1\r\n\r\n", "pdu.unknown-type", "an HTTP request (47 45 54 20 2F 20)"),
    ],
)
def test_what_does_not_go_on_is_ended_and_told(
    limit: str, sent: bytes, problem: str, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, a_site(gateway={"time_outs": {limit: 0.2}})) as gateway:
        with connected(gateway.address.port) as connection:
            connection.sendall(sent)
            to_the_end(connection)
            peer = "{}:{}".format(*connection.getsockname())
        event = gateway.await_event("ConnectionBroken")
        assert (event["problem"], event["peer"]) == (problem, peer)
        assert words in event["words"]
        assert event["words"] in caplog.text
        assert event["calling_ae_title"] == ("MODALITY" if sent.startswith(b"\1") else "")
        assert gateway.store(*a_study().instances)[0].status == 0


def test_garbage_on_the_hl7_port_is_kept_and_its_sender_named(tmp_path: Path) -> None:
    with running(tmp_path, a_site(gateway={"time_outs": {"pdu": 0.2}})) as gateway:
        with connected(gateway.ready.hl7_port) as connection:
            connection.sendall(b"\x0bMSH|half a message")
            to_the_end(connection)
            peer = "{}:{}".format(*connection.getsockname())
        event = gateway.await_event("ConnectionBroken")
        assert (event["problem"], event["peer"]) == ("time-out.mllp", peer)
        kept = gateway.await_event("MessageRefused")["kept_as"]
    assert (tmp_path / kept).read_bytes() == b"\x0bMSH|half a message"


def test_a_deflate_bomb_is_refused_and_kept_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_set, "MAXIMUM_INFLATED", 10_000_000)
    deflating = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflating.compress(bytes(200_000_000)) + deflating.flush()
    bomb += b"\0" * (len(bomb) % 2)
    syntax = data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    [instance] = a_study().instances
    with running(tmp_path) as gateway:
        [answer] = gateway.send([Outgoing(instance.sop_class_uid, "1.2.3", syntax, bomb)])
        assert answer.status == 0xC000
        assert answer.error_comment.startswith("the deflated data set cannot be inflated")
        assert gateway.store(instance)[0].status == 0
        [event] = events(gateway.index, "InstanceRefused")
    assert (tmp_path / event["kept_as"]).read_bytes() == bomb


def test_a_hundred_hostile_connections_leave_the_gateway_as_it_was(tmp_path: Path) -> None:
    bad = [b"GET / HTTP/1.1\r\n\r\n", pdus.request(called=b"X"), pdus.request()[:90], b"", b"\x16\x03\x01\0\5hello"]
    with running(tmp_path) as gateway:
        gateway.store(*a_study("first").instances)
        gateway.order(b"MSH|^~\\&|nothing")
        threads = set(threading.enumerate())
        files = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(100):
            with connected(gateway.ready.hl7_port if number % 2 else gateway.address.port) as connection:
                connection.sendall(bad[number % len(bad)])
                no_more(connection)
                to_the_end(connection)
        assert gateway.store(*a_study("last").instances)[0].status == 0
        left = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
        assert no_thread_beside(threads | (set(threading.enumerate()) - left))
        assert len(list(Path("/proc/self/fd").iterdir())) <= files
