"""What can be read of TLS without keys."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import tls_records
from tests.wire.made import steady


def client_hello(maximum: ssl.TLSVersion) -> bytes:
    """Return the ClientHello that OpenSSL makes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = maximum
    to_peer = ssl.MemoryBIO()
    speaker = context.wrap_bio(ssl.MemoryBIO(), to_peer, server_hostname="gateway.test")
    with pytest.raises(ssl.SSLWantReadError):
        speaker.do_handshake()
    return to_peer.read()


@pytest.mark.parametrize(
    ("maximum", "words"), [(ssl.TLSVersion.TLSv1_2, "TLS 1.2"), (ssl.TLSVersion.TLSv1_3, "TLS 1.3")]
)
def test_the_highest_version_that_is_offered_is_read(maximum: ssl.TLSVersion, words: str) -> None:
    stream = client_hello(maximum)
    hello = tls_records.hello(stream)
    assert hello is not None
    assert hello.version_words == words
    assert int.from_bytes(stream[hello.at : hello.at + 2]) == hello.version


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (bytes.fromhex("15030300020230"), "unknown_ca"),
        (bytes.fromhex("160303000100 15030300020246"), "protocol_version"),
        (bytes.fromhex("150303000202ff"), "alert 255"),
        (bytes.fromhex("15030300020100"), None),  # close_notify, a warning
        (bytes.fromhex("140303000101 15030300020230"), None),  # encrypted
        (b"GET / HTTP/1.1", None),
        (b"", None),
    ],
)
def test_a_fatal_alert_in_the_clear_is_read(stream: bytes, words: str | None) -> None:
    alert = tls_records.alert(stream)
    assert (alert.words if alert else None) == words
    if alert:
        assert stream[alert.offset : alert.offset + 7] == alert.record


@steady
@given(st.integers(0, 600), st.binary(max_size=40))
def test_it_takes_any_bytes(until: int, further: bytes) -> None:
    stream = client_hello(ssl.TLSVersion.TLSv1_3)[:until] + further
    tls_records.hello(stream)
    tls_records.alert(stream)
