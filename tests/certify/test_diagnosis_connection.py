"""What goes wrong before DICOM begins, and in TLS."""

from __future__ import annotations

import ssl
import warnings
from typing import Final

import pytest
import trustme

from simulator.events import ConnectionBroken
from simulator.wire.pdu_builders import Proposed, abort
from tests.certify.diagnosed import check
from tests.certify.scenes import CT, VERIFICATION, Case, Talking, called, declaration, echoed, scene

TLS_PORT = ("192.0.2.1", 2762)
VERSION_ALERT = bytes.fromhex("15030100020246")


def client_hello(version: ssl.TLSVersion, maximum: ssl.TLSVersion) -> bytes:
    """Return the ClientHello that OpenSSL makes of these versions."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions, on purpose
        context.minimum_version, context.maximum_version = version, maximum
    to_peer = ssl.MemoryBIO()
    speaker = context.wrap_bio(ssl.MemoryBIO(), to_peer, server_hostname="gateway.test")
    with pytest.raises(ssl.SSLWantReadError):
        speaker.do_handshake()
    return to_peer.read()


def distrustful() -> Talking:
    """Return a handshake of TLS 1.2, as OpenSSL does it, in which the modality does not know the gateway's CA."""
    accepting, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().issue_cert("gateway.test").configure_cert(accepting)
    trustme.CA().configure_trust(asking)
    asking.maximum_version = ssl.TLSVersion.TLSv1_2
    to_gateway, to_modality = ssl.MemoryBIO(), ssl.MemoryBIO()
    gateway = accepting.wrap_bio(to_gateway, to_modality, server_side=True)
    modality_in = ssl.MemoryBIO()
    modality = asking.wrap_bio(modality_in, modality_out := ssl.MemoryBIO(), server_hostname="gateway.test")
    talk = Talking(acceptor=TLS_PORT)
    with pytest.raises(ssl.SSLWantReadError):
        modality.do_handshake()
    talk.says("requestor", hello := modality_out.read())
    to_gateway.write(hello)
    with pytest.raises(ssl.SSLWantReadError):
        gateway.do_handshake()
    talk.says("acceptor", shown := to_modality.read())
    modality_in.write(shown)
    with pytest.raises(ssl.SSLCertVerificationError):
        modality.do_handshake()
    return talk.says("requestor", modality_out.read()).ends("requestor")


MODERN: Final = client_hello(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
OLD: Final = client_hello(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)


def secured(hello: bytes = MODERN) -> Talking:
    return Talking(acceptor=TLS_PORT).says("requestor", hello)


def broken(problem: str, words: str) -> ConnectionBroken:
    return ConnectionBroken(
        observer="gateway",
        peer="192.0.2.10:50001",
        calling_ae_title="",
        called_ae_title="",
        problem=problem,
        words=words,
        answer="hang-up",
    )


def tls_case(identifier: str, problem: str, words: str, because: str) -> Case:
    """Return a case in which the handshake cannot be read, and the gateway says what was wrong."""
    declared = declaration(tls=True)
    seen = scene("echo", [secured().ends("acceptor")], [broken(problem, words)], declared=declared)
    return Case(identifier, seen, "", f"the gateway says: {words}.", because, name=problem)


def unreached(why: str, system: str = "PACS") -> Case:
    talk = called(system)
    talk.unreached = why
    words = {
        "refused": ("PACS listens at 192.0.2.20:104.", "to 192.0.2.20:104 was refused", "the network is fine"),
        "silent": ("PACS listens at 192.0.2.20:104.", "Nobody answered", "a firewall that drops packets"),
        "unresolved": ("The host 192.0.2.20 has an IP", "No address was found", "mistyped in the site file"),
        "unroutable": ("PACS is reached at 192.0.2.20:104.", "no route to 192.0.2.20", "no route into that network"),
    }[why]
    return Case(f"tcp.{why}", scene("preflight", [talk], system=system), *words)


HTTP = b"GET / HTTP/1.1\r\nHost: 192.0.2.1:11112\r\n\r\n"
CASES = (
    *(unreached(why) for why in ("refused", "silent", "unresolved", "unroutable")),
    Case(
        "tcp.not-dicom",
        scene("study", [Talking().says("requestor", HTTP).ends("acceptor")]),
        "first byte 01H to 07H",
        "HTTP at the DICOM port of the gateway: 47 45 54 20 2F 20 48 54",
        "HL7 goes to port 2575, DICOM to port 11112",
        (HTTP[:8],),
        name="http",
    ),
    Case(
        "tcp.not-dicom",
        scene("study", [Talking().says("requestor", b"\x0bMSH|^~\\&|RIS|").ends("acceptor")]),
        "A-ASSOCIATE-RQ",
        "HL7 at the DICOM port of the gateway: 0B 4D 53 48",
        "belongs to another service",
        (b"\x0bMSH|^~\\",),
        name="hl7",
    ),
    Case(
        "tcp.not-dicom",
        scene("study", [Talking().says("requestor", MODERN).ends("acceptor")], declared=declaration(gateway_tls=True)),
        "A-ASSOCIATE-RQ",
        "TLS at the DICOM port of the gateway: 16 03 01",
        "DICOM over TLS to port 2762",
        (MODERN[:8],),
        name="tls",
    ),
    Case(
        "tcp.not-dicom",
        scene(
            "preflight", [called().asks(Proposed(1, VERIFICATION)).says("acceptor", b"SSH-2.0-x\r\n")], system="PACS"
        ),
        "A-ASSOCIATE-RQ",
        "SSH at 192.0.2.20:104: 53 53 48",
        "belongs to another service",
        (b"SSH-2.0-",),
        name="called",
    ),
    Case(
        "tcp.closed-without-request",
        scene("echo", [Talking().ends("requestor"), echoed()], met=True),
        "An A-ASSOCIATE-RQ on each connection.",
        "the caller closed it (FIN) after 0.1 s",
        "A port check proves that the way is open",
    ),
    Case(
        "nothing-came",
        scene("study"),
        "CT01 opens an association to 192.0.2.1, port 11112.",
        "No connection was opened",
        "CT01 sends to another address",
        name="images",
    ),
    Case(
        "nothing-came",
        scene("echo", declared=declaration(tls=True)),
        "CT01 opens an association to 192.0.2.1, port 2762.",
        "No connection was opened",
        "a firewall on the way",
        name="tls",
    ),
    Case(
        "association.no-answer",
        scene("preflight", [called().asks(Proposed(1, VERIFICATION)).ends("acceptor", wait=2.0)], system="PACS"),
        "A-ASSOCIATE-AC of PACS at 192.0.2.20:104.",
        "At 192.0.2.20:104 it closed the connection (FIN) after 2.0 s",
        "hang up on callers that they do not know",
        (b"\x01",),
        name="closed",
    ),
    Case(
        "association.no-answer",
        scene("preflight", [called().asks(Proposed(1, VERIFICATION))], system="PACS"),
        "A-ASSOCIATE-AC of PACS",
        "it took the connection and then sent nothing",
        "a firewall or load balancer took the connection",
        (b"\x01",),
        name="silent",
    ),
    Case(
        "tls.plain-on-tls-port",
        scene(
            "study",
            [Talking(acceptor=TLS_PORT).asks(Proposed(1, CT)).ends("acceptor")],
            [broken("tls.plain-dicom", "the peer speaks plain DICOM to the TLS port")],
            declared=declaration(tls=True),
        ),
        "A TLS handshake at port 2762",
        "DICOM in the clear: 01 00",
        "TLS is switched off for this node on CT01",
        (b"\x01\x00",),
    ),
    Case(
        "tls.not-spoken",
        scene(
            "preflight",
            [called("CT01").says("requestor", MODERN).says("acceptor", abort(source=2, reason=1)).ends("acceptor")],
            declared=declaration(tls=True),
        ),
        "CT01 answers a TLS handshake at 192.0.2.10:11113.",
        "An answer without TLS: 07 00 00 00 00 04",
        "its secure listener is not configured",
        (abort()[:6],),
    ),
    Case(
        "tls.version",
        scene(
            "echo",
            [secured(OLD).ends("acceptor")],
            [broken("tls.old-version", "the peer offers only TLS 1.1 or older")],
            declared=declaration(tls=True),
        ),
        "TLS 1.2 or 1.3.",
        "its ClientHello offers TLS 1.1 at most.",
        "old TLS versions only",
        (b"\x03\x02",),
        name="hello",
    ),
    Case(
        "tls.version",
        scene(
            "preflight",
            [called("CT01").says("requestor", MODERN).says("acceptor", VERSION_ALERT).ends("acceptor")],
            declared=declaration(tls=True),
        ),
        "TLS 1.2 or 1.3.",
        "its alert 70 (protocol_version; RFC 8446 6).",
        "old TLS versions only",
        (b"\x02\x46",),
        name="alert",
    ),
    Case(
        "tls.unknown-certificate",
        scene(
            "echo",
            [distrustful()],
            [broken("tls.unknown-ca", "the peer does not trust the CA of the certificate it was shown")],
            declared=declaration(tls=True),
        ),
        "the CA of the other's certificate in its trust store",
        "its alert 48 (unknown_ca; RFC 8446 6).",
        "The CA certificate was not installed there",
        (b"\x02\x30",),
        name="alert",
    ),
    tls_case(
        "tls.unknown-certificate",
        "tls.unknown-ca",
        "the peer's certificate comes from a CA that is not trusted here",
        "or the certificate is self-signed",
    ),
    tls_case(
        "tls.no-certificate", "tls.no-certificate", "the peer presented no certificate", "No certificate with its"
    ),
    tls_case("tls.certificate-dates", "tls.expired", "the peer's certificate has expired", "was not renewed"),
    tls_case("tls.certificate-dates", "tls.not-yet-valid", "the peer's certificate is not valid yet", "or the clock"),
    tls_case("tls.certificate-name", "tls.other-name", "the peer's certificate is for another name", "another name"),
    tls_case("tls.cipher", "tls.no-common-cipher", "the peer offers none of the cipher suites", "forward secrecy"),
    tls_case("tls.broken-off", "tls.closed", "the peer ended the connection", "does not trust the gateway's"),
    tls_case("tls.broken-off", "tls.failed", "the TLS handshake failed (bad record mac)", "Its own log says it"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_diagnosed(case: Case) -> None:
    check(case)
