"""What goes wrong before DICOM begins: names, addresses, ports, and what speaks on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.certify import marking
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Seen, Talk
from simulator.wire import pdus, tls_records
from simulator.wire.conversation import Conversation

_UNREACHED: Mapping[str, str] = {
    "refused": "tcp.refused",
    "silent": "tcp.silent",
    "unresolved": "tcp.unresolved",
    "unroutable": "tcp.unroutable",
}
_SPOKEN_ON_OTHER_PORTS = (
    ((b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTIONS", b"CONNECT", b"PRI *", b"HTTP/"), "HTTP"),
    ((b"\x0b", b"MSH|"), "HL7"),
    ((b"SSH-",), "SSH"),
)


def _unreached(seen: Seen) -> Iterator[Finding]:
    """The system was called, and nobody was there."""
    reached = {talk.conversation.acceptor for talk in seen.outgoing if not talk.conversation.unreached}
    for talk in seen.outgoing:
        called = talk.conversation
        if called.unreached in _UNREACHED and called.acceptor not in reached:
            yield Finding(_UNREACHED[called.unreached], _address(called))


def _not_dicom(seen: Seen) -> Iterator[Finding]:
    """Who connected, or who was called, speaks something else."""
    for talk in seen.talks:
        side = talk.theirs
        first = talk.first_bytes(side)
        if not first or first[0] in pdus.NAMES or (tls_records.is_tls(first) and speaks_tls(seen, talk)):
            continue
        spoken = _spoken(first)
        port = "the DICOM port of the gateway" if talk.incoming else f"{_host_port(talk.conversation)}"
        marks = (0, min(len(first), 8))
        shown = marking.of_bytes(seen.capture(talk.conversation), 0, first, "its first bytes", marks)
        yield Finding("tcp.not-dicom", {"spoken": spoken, "place": port, "bytes": first[:8].hex(" ").upper()}, (shown,))


def _closed_without_request(seen: Seen) -> Iterator[Finding]:
    """A connection that was opened and closed, as port checks and load balancers do."""
    for talk in seen.incoming:
        ended = [each for each in talk.conversation.endings if each.by == "requestor"]
        if ended and not talk.first_bytes("requestor") and not talk.conversation.unreached:
            how = "reset it (RST)" if ended[0].how == "rst" else "closed it (FIN)"
            yield Finding("tcp.closed-without-request", {"how": how, "seconds": f"{ended[0].at:.1f}"})


def _no_answer(seen: Seen) -> Iterator[Finding]:
    """The system took the connection and left A-ASSOCIATE-RQ without an answer."""
    for talk in seen.outgoing:
        if talk.request is None or talk.first_bytes("acceptor"):
            continue
        ended = [each for each in talk.conversation.endings if each.by == "acceptor"]
        if ended:
            how = "reset the connection (RST)" if ended[0].how == "rst" else "closed the connection (FIN)"
            did = f"it {how} after {ended[0].at - talk.request.at:.1f} s, without a word"
        else:
            did = "it took the connection and then sent nothing"
        shown = marking.of_pdu(seen.capture(talk.conversation), talk.request, "what it was asked", (0, 1), end=74)
        yield Finding("association.no-answer", {**_address(talk.conversation), "did": did}, (shown,))


def _nothing_came(seen: Seen) -> Iterator[Finding]:
    """The test is over, and the system never opened a connection. Of orders `hl7.no-order` says it."""
    if not seen.scene.met and not seen.incoming and (seen.scene.wanted.kind == "echo" or seen.stores):
        yield Finding("nothing-came", {"port_called": str(_dicom_port(seen))})


def _dicom_port(seen: Seen) -> int:
    here, system = seen.scene.declared.gateway, seen.scene.wanted.system
    if system is not None and system.tls and here.tls is not None and isinstance(here.tls.port, int):
        return here.tls.port
    return here.dicom_port


def _spoken(first: bytes) -> str:
    if tls_records.is_tls(first):
        return "TLS"
    for starts, name in _SPOKEN_ON_OTHER_PORTS:
        if first.startswith(starts):
            return name
    return "something that is no DICOM"


def speaks_tls(seen: Seen, talk: Talk) -> bool:
    """Tell whether the bytes are to be TLS by the declaration: by the port, else by what the system does."""
    here, system = seen.scene.declared.gateway, seen.scene.wanted.system
    if talk.conversation.within_tls:
        return False
    if talk.incoming and here.tls is not None and talk.conversation.acceptor[1] == here.tls.port:
        return True
    if talk.incoming and talk.conversation.acceptor[1] == here.dicom_port:
        return False
    return system is not None and system.tls


def _address(called: Conversation) -> dict[str, str]:
    return {"called_host": called.acceptor[0], "called_port": str(called.acceptor[1])}


def _host_port(called: Conversation) -> str:
    return f"{called.acceptor[0]}:{called.acceptor[1]}"


RULES: tuple[Rule, ...] = (_unreached, _not_dicom, _closed_without_request, _no_answer, _nothing_came)
