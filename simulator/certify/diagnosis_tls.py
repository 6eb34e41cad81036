"""What goes wrong in the TLS handshake: seen in its records where they are in the clear, else told by who ends TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.diagnosis_connection import speaks_tls
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Seen, Talk
from simulator.events import ConnectionBroken
from simulator.wire import tls_records
from simulator.wire.tls_records import Alert

# What the gateway says of a broken handshake -> the diagnosis.
_PROBLEMS: Mapping[str, str] = {
    "tls.plain-dicom": "tls.plain-on-tls-port",
    "tls.old-version": "tls.version",
    "tls.unknown-ca": "tls.unknown-certificate",
    "tls.no-certificate": "tls.no-certificate",
    "tls.expired": "tls.certificate-dates",
    "tls.not-yet-valid": "tls.certificate-dates",
    "tls.other-name": "tls.certificate-name",
    "tls.no-common-cipher": "tls.cipher",
    "tls.closed": "tls.broken-off",
    "tls.time-out": "tls.broken-off",
    "tls.not-verified": "tls.broken-off",
    "tls.failed": "tls.broken-off",
}
# Alerts of the system -> the diagnosis. What it complains of is the certificate that it was shown.
_ALERTS: Mapping[int, str] = {
    40: "tls.cipher",
    42: "tls.unknown-certificate",
    45: "tls.certificate-dates",
    46: "tls.unknown-certificate",
    48: "tls.unknown-certificate",
    70: "tls.version",
    71: "tls.cipher",
    116: "tls.no-certificate",
}


def _plain(seen: Seen) -> Iterator[Finding]:
    """DICOM without TLS comes to the port for TLS."""
    for talk in seen.incoming:
        first = talk.first_bytes("requestor")
        if first[:2] == b"\x01\x00" and speaks_tls(seen, talk):
            shown = marking.of_bytes(seen.capture(talk.conversation), 0, first, "its first bytes", (0, 2))
            yield Finding("tls.plain-on-tls-port", {"got": _hex(first[:6])}, (shown,))


def _not_spoken(seen: Seen) -> Iterator[Finding]:
    """The system is called with TLS, and its port has none."""
    for talk in seen.outgoing:
        answer = talk.first_bytes("acceptor")
        if tls_records.is_tls(talk.first_bytes("requestor")) and answer and not tls_records.is_tls(answer):
            shown = marking.of_bytes(seen.capture(talk.conversation), 0, answer, "its answer", (0, min(6, len(answer))))
            yield Finding("tls.not-spoken", {"got": _hex(answer[:6])}, (shown,))


def _version(seen: Seen) -> Iterator[Finding]:
    """A ClientHello that offers nothing from TLS 1.2 on."""
    for talk in seen.incoming:
        stream = talk.conversation.said("requestor")
        hello = tls_records.hello(stream)
        if hello is not None and hello.version < tls_records.TLS_1_2:
            mark = (hello.at, hello.at + 2)
            shown = marking.of_bytes(seen.capture(talk.conversation), 0, stream, "its ClientHello", mark)
            yield Finding("tls.version", {"got": f"its ClientHello offers {hello.version_words} at most"}, (shown,))


def _alerts(seen: Seen) -> Iterator[Finding]:
    """The system breaks off a handshake and says why."""
    for talk in seen.talks:
        alert = tls_records.alert(talk.conversation.said(talk.theirs))
        if alert is not None and tls_records.is_tls(talk.first_bytes(talk.ours)):
            values = {"got": f"its alert {alert.description} ({alert.words}; RFC 8446 6)"}
            yield Finding(_ALERTS.get(alert.description, "tls.broken-off"), values, (_alert_shown(seen, talk, alert),))


def _told(seen: Seen) -> Iterator[Finding]:
    """The gateway says why a handshake failed; of a connection that was only opened and closed it says so too.

    What the bytes show already is not said again, and what it says of other systems is not said of this one.
    """
    shown = {finding.id for rule in _BY_BYTES for finding in rule(seen)}
    spoke = {_address(talk): False for talk in seen.talks}
    spoke |= {_address(talk): True for talk in seen.talks if tls_records.is_tls(talk.first_bytes("requestor"))}
    for event in seen.events(ConnectionBroken):
        identifier = _PROBLEMS.get(event.problem, "")
        if not identifier or identifier in shown or event.peer not in spoke:
            continue
        if spoke[event.peer] or event.problem != "tls.closed":
            yield Finding(identifier, {"got": f"the gateway says: {event.words}"})


def _address(talk: Talk) -> str:
    """Return where the system is in a conversation, as events write it."""
    seen = talk.conversation
    host, port = seen.requestor if talk.incoming else seen.acceptor
    return f"{host}:{port}"


def _alert_shown(seen: Seen, talk: Talk, alert: Alert) -> Evidence:
    return marking.of_bytes(seen.capture(talk.conversation), alert.offset, alert.record, "its TLS alert", (5, 7))


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()


_BY_BYTES: tuple[Rule, ...] = (_plain, _not_spoken, _version, _alerts)
RULES: tuple[Rule, ...] = (*_BY_BYTES, _told)
