"""What can be read of TLS without keys: records, the versions that a ClientHello offers, alerts (RFC 8446, RFC 5246).

Pure. Once a side has sent ChangeCipherSpec its alerts are encrypted, and are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TLS_1_2 = 0x0303
VERSIONS: Mapping[int, str] = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}
# RFC 8446 6 and RFC 5246 7.2, those that end a handshake.
ALERTS: Mapping[int, str] = {
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    48: "unknown_ca",
    49: "access_denied",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    116: "certificate_required",
}
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE = 0x14, 0x15, 0x16
_RECORDS = range(0x14, 0x18)
_CLIENT_HELLO = 1
_SUPPORTED_VERSIONS = 43
_HEAD = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is not encrypted, and where its record begins; `fatal` unless it is a warning."""

    description: int
    fatal: bool
    offset: int
    record: bytes

    @property
    def words(self) -> str:
        """What the RFC calls it."""
        return ALERTS.get(self.description, f"alert {self.description}")


@dataclass(frozen=True, slots=True)
class Hello:
    """A ClientHello: the highest version that it offers, and where that stands (`at` in the stream, two bytes)."""

    version: int
    at: int

    @property
    def version_words(self) -> str:
        """The version by its name."""
        return VERSIONS.get(self.version, f"version {self.version:04X}H")


def is_tls(first: bytes) -> bool:
    """Tell whether a stream begins with a TLS record."""
    return len(first) > 1 and first[0] in _RECORDS and first[1] == 3


def hello(stream: bytes) -> Hello | None:
    """Return the ClientHello with which a requestor's bytes begin, as far as it came; None where there is none."""
    if not (is_tls(stream) and stream[0] == _HANDSHAKE and stream[5:6] == bytes((_CLIENT_HELLO,)) and len(stream) > 11):
        return None
    told = Hello(int.from_bytes(stream[9:11]), 9)
    offered = [Hello(version, at) for version, at in _supported_versions(stream) if version in VERSIONS]
    return max(offered, key=lambda each: each.version, default=told)


def alert(stream: bytes) -> Alert | None:
    """Return the first fatal alert that a side sent in the clear."""
    for offset, kind, content in _records(stream):
        if kind == _CHANGE_CIPHER_SPEC:
            return None
        if kind == _ALERT and len(content) == 2 and content[0] == 2:
            return Alert(content[1], True, offset, stream[offset : offset + _HEAD + 2])
    return None


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while is_tls(stream[at:]) and len(stream) - at >= _HEAD:
        length = int.from_bytes(stream[at + 3 : at + 5])
        yield at, stream[at], stream[at + _HEAD : at + _HEAD + length]
        at += _HEAD + length


def _supported_versions(stream: bytes) -> Iterator[tuple[int, int]]:
    """Yield each version of the extension supported_versions (RFC 8446 4.2.1) with its place."""
    try:
        at = 11 + 32
        at += 1 + stream[at]  # session ID
        at += 2 + struct.unpack_from(">H", stream, at)[0]  # cipher suites
        at += 1 + stream[at]  # compression methods
        end = at + 2 + struct.unpack_from(">H", stream, at)[0]
        at += 2
        while at < end:
            kind, length = struct.unpack_from(">HH", stream, at)
            if kind == _SUPPORTED_VERSIONS:
                for place in range(at + 5, at + 4 + length, 2):
                    yield struct.unpack_from(">H", stream, place)[0], place
            at += 4 + length
    except (IndexError, struct.error):  # it was cut off
        return
