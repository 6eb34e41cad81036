"""DICOM TLS: contexts for both sides of a connection, and what a failed handshake means in words.

TLS 1.2 or later with forward secrecy and authenticated encryption, as the Non-Downgrading BCP 195 TLS Profile asks
(PS3.15 B.10; RFC 9325 4.2); the DHE suites of that list work for who brings parameters, which OpenSSL here does as
requestor alone.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import StartError
from simulator.wire.incidents import hexadecimal

# TLS 1.2; the three suites of TLS 1.3 (RFC 8446) are all authenticated and stay OpenSSL's.
CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    )
)

# X.509 verification results of OpenSSL (openssl-verification-options(1)) -> (id, words, what to do)
_NOT_YET, _EXPIRED, _NAME, _ADDRESS = 9, 10, 62, 64
_UNKNOWN_CA = frozenset((2, 18, 19, 20, 21))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who this side is in TLS, and whom it believes: files in PEM.

    certificate, key: this side's own, None for an SCU without one. authorities: certificates of the CAs that the
    peer's certificate must come from; None trusts nobody's, and the peer is asked for none. peer_name: the name that
    an SCP's certificate must bear, empty for the host that was connected to.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None
    peer_name: str = ""


@dataclass(frozen=True, slots=True)
class TlsFailure:
    """Why there is no TLS connection: a stable id, words, and what to do."""

    problem: str
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.words}; {self.advice}"


def acceptor_context(credentials: Credentials, *, require_certificate: bool) -> ssl.SSLContext:
    """Return the context of an SCP. Raises `StartError` for files that do not fit."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, credentials)
    context.verify_mode = ssl.CERT_REQUIRED if require_certificate else ssl.CERT_NONE
    return context


def requestor_context(credentials: Credentials) -> ssl.SSLContext:
    """Return the context of an SCU; without authorities it believes whoever answers.

    Raises `StartError` for files that do not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, credentials)
    if credentials.authorities is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def outdated_context() -> ssl.SSLContext:
    """Return the context of an SCU that offers TLS 1.1 at most and believes whoever answers: wrong on purpose."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


class RequestorContext:
    """The context of one SCU association, which remembers why its handshake failed.

    pynetdicom logs that reason and forgets it; this stands where the library expects an `ssl.SSLContext`.
    """

    def __init__(self, credentials: Credentials) -> None:
        """Load the files. Raises `StartError` for those that do not fit."""
        self.failure: TlsFailure | None = None
        self._name = credentials.peer_name
        self._context = requestor_context(credentials)
        self._context.sslsocket_class = self._watched()

    def peer_name(self, host: str) -> str:
        """Return the name that the certificate of the peer at `host` must bear."""
        return self._name or host

    def wrap_socket(self, connection: socket.socket, **options: Any) -> ssl.SSLSocket:
        """Do what `ssl.SSLContext.wrap_socket` does."""
        return self._context.wrap_socket(connection, **options)

    def _watched(self) -> type[ssl.SSLSocket]:
        """Return a socket class that notes what goes wrong; an SCP's complaint comes with the first read (TLS 1.3)."""
        watcher = self

        class Watched(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                try:
                    super().do_handshake(block)
                except OSError as error:
                    watcher.failure = failure(error)
                    raise

            def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
                try:
                    return super().recv(buflen, flags)
                except ssl.SSLWantReadError:
                    raise  # nothing has come yet
                except ssl.SSLError as error:
                    watcher.failure = failure(error)
                    raise

        return Watched


class Handshake:
    """The handshake of an SCP on one connection; another thread may cut it off."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._context = context

    def do(self, seconds: float) -> ssl.SSLSocket | TlsFailure:
        """Return the secured connection; whatever goes wrong within so many seconds is a value, and the end of it."""
        first = b""
        try:
            self._connection.settimeout(seconds)
            first = self._connection.recv(8, socket.MSG_PEEK)
            secured = self._context.wrap_socket(self._connection, server_side=True, do_handshake_on_connect=False)
            self._connection = secured  # the one before is an empty shell now
            secured.settimeout(seconds)
            secured.do_handshake()
        except OSError as error:
            self._connection.close()
            return failure(error, first)
        return secured

    def cut(self) -> None:
        """End it at once."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


def failure(error: OSError, first: bytes = b"") -> TlsFailure:
    """Return what an error of a handshake means; `first`: the first bytes that the peer sent."""
    if isinstance(error, TimeoutError):
        return TlsFailure("tls.time-out", "no TLS handshake in time", "is the peer set to TLS, and is it still there?")
    if first[:1] == b"\x01":
        words = f"the peer speaks plain DICOM to the TLS port ({hexadecimal(first)})"
        return TlsFailure("tls.plain-dicom", words, "switch TLS on at the peer, or give it the port without TLS")
    if first and first[:1] != b"\x16":
        words = f"the peer sent what is no TLS ({hexadecimal(first)})"
        return TlsFailure("tls.not-tls", words, "this port is for DICOM over TLS alone")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error)
    if isinstance(error, ssl.SSLError):
        return _complaint(error)
    return TlsFailure("tls.closed", "the peer ended the connection during the TLS handshake", "its own log says why")


def _unverified(error: ssl.SSLCertVerificationError) -> TlsFailure:
    code, said = error.verify_code, error.verify_message
    if code == _EXPIRED:
        return TlsFailure("tls.expired", "the peer's certificate has expired", "renew it, and look at both clocks")
    if code == _NOT_YET:
        return TlsFailure("tls.not-yet-valid", "the peer's certificate is not valid yet", "look at both clocks")
    if code in _UNKNOWN_CA:
        words = "the peer's certificate comes from a CA that is not trusted here"
        return TlsFailure("tls.unknown-ca", f"{words} ({said})", "add that CA's certificate to the file `ca`")
    if code in (_NAME, _ADDRESS):
        words = f"the peer's certificate is for another name ({said})"
        return TlsFailure("tls.other-name", words, "connect by the name in the certificate, or set certificate_name")
    return TlsFailure("tls.not-verified", f"the peer's certificate does not hold ({said})", "have it issued anew")


# What OpenSSL calls it -> (id, words, what to do)
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "tls.no-certificate",
        "the peer presented no certificate",
        "give the peer a certificate and key, or set client_certificates: none",
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "tls.no-certificate",
        "the peer asks for a certificate and got none",
        "give this side a certificate and key that the peer's CA issued",
    ),
    "TLSV1_ALERT_UNKNOWN_CA": (
        "tls.unknown-ca",
        "the peer does not trust the CA of the certificate it was shown",
        "add that CA's certificate at the peer",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": ("tls.expired", "the peer says that the certificate has expired", "renew it"),
    "SSLV3_ALERT_BAD_CERTIFICATE": (
        "tls.not-verified",
        "the peer does not take the certificate it was shown",
        "look at its names, dates and CA",
    ),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": (
        "tls.not-verified",
        "the peer does not take the certificate it was shown",
        "look at its names, dates and CA",
    ),
    "NO_SHARED_CIPHER": (
        "tls.no-common-cipher",
        "the peer offers none of the cipher suites of BCP 195",
        "allow ECDHE with AES-GCM at the peer",
    ),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "tls.no-common-cipher",
        "the peer broke off: no common cipher suite, or it wants a certificate",
        "allow ECDHE with AES-GCM, and give this side a certificate",
    ),
    "UNSUPPORTED_PROTOCOL": ("tls.old-version", "the peer offers only TLS 1.1 or older", "allow TLS 1.2 or 1.3 there"),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("tls.old-version", "the peer takes no TLS 1.2 or 1.3", "allow them there"),
    "WRONG_VERSION_NUMBER": (
        "tls.not-tls",
        "the peer answered with what is no TLS",
        "switch TLS on at the peer, or off here, or take its other port",
    ),
    "UNEXPECTED_EOF_WHILE_READING": (
        "tls.closed",
        "the peer ended the connection during the TLS handshake",
        "does it trust this certificate's CA? Its own log says why",
    ),
}


def _complaint(error: ssl.SSLError) -> TlsFailure:
    reason = error.reason or str(error)
    if reason in _REASONS:
        return TlsFailure(*_REASONS[reason])
    return TlsFailure("tls.failed", f"the TLS handshake failed ({reason.replace('_', ' ').lower()})", "see both logs")


def _context(protocol: int, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if credentials.certificate is not None:
        try:
            context.load_cert_chain(credentials.certificate, credentials.key)
        except OSError as error:
            raise StartError(
                f"TLS: {credentials.certificate} and {credentials.key} are no certificate with its key: {error}",
                "both are PEM files, the key without a password; `simulate certs` makes a set to try",
            ) from error
    if credentials.authorities is not None:
        try:
            context.load_verify_locations(credentials.authorities)
        except OSError as error:
            raise StartError(
                f"TLS: {credentials.authorities} holds no certificates of CAs: {error}", "it is a PEM file"
            ) from error
    return context
