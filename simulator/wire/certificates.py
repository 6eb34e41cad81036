"""A set of certificates to try DICOM TLS with: right ones, and wrong ones on purpose. For tests alone.

RSA keys, since the suites that PS3.15 B.10 lists are for RSA. Made anew each time; nothing of it is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from simulator.wire.tls import Credentials

HERE = ("localhost", "127.0.0.1", "::1")
ELSEWHERE = ("elsewhere.example",)

FILES: Mapping[str, str] = {
    "ca.pem": "the CA that issued all but one of these: what both sides are to trust (`ca`)",
    "gateway.pem": "the gateway's certificate, for localhost, 127.0.0.1 and ::1 (`certificate`)",
    "gateway.key": "its private key (`key`)",
    "modality.pem": "a caller's certificate, issued by the same CA",
    "modality.key": "its private key",
    "expired.pem": "wrong on purpose: it expired yesterday",
    "expired.key": "its private key",
    "other-ca.pem": "another CA, that nobody is to trust",
    "stranger.pem": "wrong on purpose: issued by that other CA",
    "stranger.key": "its private key",
    "other-name.pem": "wrong on purpose: for elsewhere.example, not for this machine",
    "other-name.key": "its private key",
}
"""Each file of a set, and what it is for."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    authority: trustme.CA
    names: tuple[str, ...] = HERE
    days: int = 365


def make(folder: Path) -> None:
    """Write a set (`FILES`) into `folder`, which is made; files of the same names are replaced. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    organisation = "HA DICOM Gateway simulator, for tests alone"
    ours = trustme.CA(organization_name=organisation, key_type=trustme.KeyType.RSA)
    other = trustme.CA(organization_name=f"{organisation}: another CA", key_type=trustme.KeyType.RSA)
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other-ca.pem"))
    for wanted in (
        _Wanted("gateway", ours),
        _Wanted("modality", ours),
        _Wanted("expired", ours, days=-1),
        _Wanted("stranger", other),
        _Wanted("other-name", ours, names=ELSEWHERE),
    ):
        _write(wanted, folder)


def credentials(folder: Path, name: str | None, authority: str | None = None) -> Credentials | None:
    """Return what a peer speaks TLS with: its certificate of the set in `folder` (`none`: without one), and its CA.

    name: None, for no TLS. authority: `ca` (the default) or `other-ca`.
    """
    if name is None:
        return None
    authorities = folder / f"{authority or 'ca'}.pem"
    if name == "none":
        return Credentials(authorities=authorities)
    return Credentials(folder / f"{name}.pem", folder / f"{name}.key", authorities)


def _write(wanted: _Wanted, folder: Path) -> None:
    now = datetime.now(UTC)
    issued = wanted.authority.issue_cert(
        *wanted.names,
        common_name=wanted.name,
        not_before=now - timedelta(days=2),
        not_after=now + timedelta(days=wanted.days),
        key_type=trustme.KeyType.RSA,
    )
    with (folder / f"{wanted.name}.pem").open("wb") as file:
        for certificate in issued.cert_chain_pems:
            file.write(certificate.bytes())
    key = folder / f"{wanted.name}.key"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
