"""DICOM TLS over real sockets: contexts, handshakes that fail and what is said of them, peers that say nothing."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from simulator.errors import PeerAborted, StartError
from simulator.wire import certificates, tls
from simulator.wire.association import VERIFICATION, Address, Association, Context, TimeOuts
from simulator.wire.incidents import Incident
from simulator.wire.tls import Credentials
from tests.synthesis.made import EXPLICIT
from tests.wire import pdus
from tests.wire.listening import LONG, Listening, listening, no_more, to_the_end
from tests.wire.sockets import HOST, PATIENCE, connected, no_thread_beside, peer

ECHO = [Context(VERIFICATION, (EXPLICIT,))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder


def of(files: Path, name: str, authority: str = "ca") -> Credentials:
    found = certificates.credentials(files, name, authority)
    assert found is not None
    return found


@contextmanager
def over_tls(
    files: Path, time_outs: TimeOuts = LONG, *, name: str = "gateway", require: bool = True
) -> Iterator[Listening]:
    context = tls.acceptor_context(of(files, name), require_certificate=require)
    with listening(time_outs, tls=context) as running:
        yield running


def echo(running: Listening, credentials: Credentials) -> int:
    address = Address("GATEWAY", HOST, running.port)
    with Association.request("MODALITY", address, ECHO, tls=credentials) as association:
        return association.echo().status


# --- the set -----------------------------------------------------------------------------------------


def test_a_set_has_every_file_that_it_is_said_to_have(files: Path) -> None:
    assert {file.name for file in files.iterdir()} == set(certificates.FILES)
    for key in files.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_is_wrong_with_each_is_what_it_is_said_to_be(files: Path) -> None:
    read = {name: x509.load_pem_x509_certificate((files / f"{name}.pem").read_bytes()) for name in ("ca", "other-ca")}
    for name in ("gateway", "modality", "expired", "stranger", "other-name"):
        certificate = x509.load_pem_x509_certificate((files / f"{name}.pem").read_bytes())
        issuer = read["other-ca" if name == "stranger" else "ca"]
        certificate.verify_directly_issued_by(issuer)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
        assert hosts == (["elsewhere.example"] if name == "other-name" else ["localhost"])
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert (lifetime.days < 2) == (name == "expired")


# --- who gets through --------------------------------------------------------------------------------


def test_both_sides_show_a_certificate(files: Path) -> None:
    with over_tls(files) as running:
        assert echo(running, of(files, "modality")) == 0
        assert running.incidents.empty()


def test_a_caller_without_a_certificate_where_none_is_asked_for(files: Path) -> None:
    with over_tls(files, require=False) as running:
        assert echo(running, of(files, "none")) == 0
        assert echo(running, Credentials()) == 0  # and one that believes whoever answers


def test_a_name_that_is_not_the_host_is_taken_where_it_is_the_one_expected(files: Path) -> None:
    with over_tls(files, name="other-name") as running:
        expecting = replace(of(files, "modality"), peer_name="elsewhere.example")
        assert echo(running, expecting) == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_associations_over_both_versions(version: ssl.TLSVersion, files: Path) -> None:
    with over_tls(files, require=False) as running, connected(running.port) as plain:
        context = ssl.create_default_context(cafile=files / "ca.pem")
        context.minimum_version = context.maximum_version = version
        with context.wrap_socket(plain, server_hostname="localhost") as secured:
            cipher = secured.cipher()
            assert cipher is not None
            assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
            secured.sendall(pdus.request() + pdus.data(1, 3, pdus.echo()))
            assert pdus.read_pdu(secured)[0] == 0x02
            assert pdus.read_pdu(secured)[0] == 0x04


# --- who does not, and what is said ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "authority", "ours", "theirs"),
    [
        ("none", "ca", "tls.no-certificate: the peer presented no certificate", "asks for a certificate and got none"),
        (
            "stranger",
            "ca",
            "tls.unknown-ca: the peer's certificate comes from a CA that is not",
            "does not trust the CA",
        ),
        ("expired", "ca", "tls.expired: the peer's certificate has expired", "says that the certificate has expired"),
        (
            "modality",
            "other-ca",
            "tls.unknown-ca: the peer does not trust the CA",
            "a CA that is not trusted here",
        ),
    ],
)
def test_both_sides_say_what_was_wrong(name: str, authority: str, ours: str, theirs: str, files: Path) -> None:
    with over_tls(files) as running:
        with pytest.raises(PeerAborted, match=f"no TLS with GATEWAY@127.0.0.1:{running.port}: ") as failed:
            echo(running, of(files, name, authority))
        assert theirs in str(failed.value)
        told = running.told()
        assert f"{told.problem}: {told.words}".startswith(ours)
        assert told.answer == "hang-up"
        assert told.peer.startswith("127.0.0.1:")
        assert echo(running, of(files, "modality")) == 0


def refused(running: Listening, sent: bytes) -> Incident:
    with connected(running.port) as connection:
        connection.sendall(sent)
        to_the_end(connection)
    return running.told()


@pytest.mark.parametrize(
    ("sent", "problem", "words"),
    [
        (pdus.request(), "tls.plain-dicom", "the peer speaks plain DICOM to the TLS port (01 00 00 00 00"),
        (b"GET / HTTP/1.1\r\n\r\n", "tls.not-tls", "the peer sent what is no TLS (47 45 54 20"),
        (bytes(300), "tls.not-tls", "(00 00 00 00"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "tls.failed", "the TLS handshake failed"),
    ],
)
def test_what_is_no_tls_is_named(sent: bytes, problem: str, words: str, files: Path) -> None:
    with over_tls(files) as running:
        told = refused(running, sent)
        assert told.problem == problem
        assert words in told.words


@pytest.mark.parametrize(
    ("ciphers", "version", "problem"),
    [
        ("AES128-SHA:AES128-SHA256", ssl.TLSVersion.TLSv1_2, "tls.no-common-cipher"),
        ("ECDHE-RSA-AES128-SHA256", ssl.TLSVersion.TLSv1_2, "tls.no-common-cipher"),
        ("ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1, "tls.old-version"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_weak_suites_and_old_versions_are_refused(
    ciphers: str, version: ssl.TLSVersion, problem: str, files: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files / "ca.pem")
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    with over_tls(files, require=False) as running:
        with connected(running.port) as plain, pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="localhost")
        assert running.told().problem == problem


def test_an_scu_that_meets_a_port_without_tls_says_so(files: Path) -> None:
    with listening() as running:
        with pytest.raises(PeerAborted, match="the peer answered with what is no TLS; switch TLS on at the peer"):
            echo(running, of(files, "modality"))
        assert running.told().words.startswith("a TLS handshake (16 03 01")


def read_hello(connection: socket.socket) -> None:
    assert connection.recv(10000).startswith(b"\x16\x03")


def test_an_scu_says_that_a_peer_hung_up_on_its_hello(files: Path) -> None:
    ended = pytest.raises(PeerAborted, match="ended the connection during the TLS handshake")
    with peer(read_hello) as port, ended:
        Association.request("M", Address("A", HOST, port), ECHO, tls=of(files, "modality"))


# --- who says nothing --------------------------------------------------------------------------------


def test_silent_peers_hold_up_nobody_and_are_hung_up_on(files: Path) -> None:
    with over_tls(files, TimeOuts(acse=1.0)) as running:
        silent = [socket.create_connection((HOST, running.port), PATIENCE) for _ in range(5)]
        half = socket.create_connection((HOST, running.port), PATIENCE)
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert echo(running, of(files, "modality")) == 0
        for connection in (*silent, half):
            with connection:
                to_the_end(connection)
        problems = [running.incidents.get(timeout=PATIENCE).problem for _ in range(6)]
        assert problems == ["tls.time-out"] * 6


def test_half_a_pdu_inside_tls_times_out_too(files: Path) -> None:
    with over_tls(files, TimeOuts(pdu=0.2), require=False) as running, connected(running.port) as plain:
        context = ssl.create_default_context(cafile=files / "ca.pem")
        with context.wrap_socket(plain, server_hostname="localhost") as secured:
            secured.sendall(pdus.request())
            assert pdus.read_pdu(secured)[0] == 0x02
            secured.sendall(pdus.data(1, 3, pdus.echo())[:20])
            assert pdus.read_pdu(secured) == pdus.pdu(0x07, b"\0\0\2\0")
        assert running.told().problem == "time-out.pdu"


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_stop_cuts_a_handshake_that_is_under_way(sent: bytes, files: Path) -> None:
    with over_tls(files) as running:
        silent = socket.create_connection((HOST, running.port), PATIENCE)
        silent.sendall(sent)
        assert echo(running, of(files, "modality")) == 0
    with silent:
        to_the_end(silent)


def test_handshakes_that_fail_leave_no_thread_and_no_file(files: Path) -> None:
    bad = [
        pdus.request(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\x02",
        b"",
    ]
    with over_tls(files) as running:
        assert echo(running, of(files, "modality")) == 0
        threads, open_files = set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir()))
        for number in range(50):
            with connected(running.port) as connection:
                connection.sendall(bad[number % len(bad)])
                no_more(connection)
                to_the_end(connection)
        assert no_thread_beside(threads)
        assert len(list(Path("/proc/self/fd").iterdir())) <= open_files
        assert echo(running, of(files, "modality")) == 0


# --- files -------------------------------------------------------------------------------------------


def test_files_that_do_not_fit_are_named(files: Path, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"gateway.pem and .*modality.key are no certificate with its key"):
        tls.acceptor_context(Credentials(files / "gateway.pem", files / "modality.key"), require_certificate=False)
    with pytest.raises(StartError, match=r"nonesuch.pem"):
        tls.acceptor_context(Credentials(tmp_path / "nonesuch.pem", files / "gateway.key"), require_certificate=False)
    with pytest.raises(StartError, match=r"gateway.key holds no certificates of CAs"):
        tls.RequestorContext(Credentials(authorities=files / "gateway.key"))
