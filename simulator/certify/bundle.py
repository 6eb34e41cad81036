"""The evidence bundle: what a session left behind, with a list of its digests that the session's key signed.

What the signature proves: no byte of the bundle has changed since it was made, and whoever holds the key with this
fingerprint signed everything in it together. What it does not prove: who that is. A session makes its own key, and so
can anybody; compare the fingerprint with the one at the head of the report that you were handed
(docs/evidence-bundle.md).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

import simulator
from simulator.certify import sealed_zip
from simulator.certify.sealed_zip import Content, Measured, NotSealed
from simulator.errors import HarnessError

NAME = "evidence.zip"
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public-key.pem"
KEY = "session.key"
"""The private key's file, in the session's folder; it never goes into a bundle."""

_FORMAT, _VERSION = "ha-dicom-gateway-simulator/evidence", 1
_LONGEST_MANIFEST, _LONGEST_KEY, _SIGNATURE_LENGTH = 64 << 20, 4096, 64
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]*")
_OWN = (MANIFEST, SIGNATURE, PUBLIC_KEY)


def _path(name: str) -> str:
    """Check that a name stays within the folder that a bundle is unpacked into, on any system."""
    if len(name) > 200 or not all(_PART.fullmatch(part) for part in name.split("/")):
        raise ValueError(f"no name of a file in a bundle: {name[:200]!r}")
    if name.partition("/")[0].casefold() in _OWN:
        raise ValueError(f"{name} is the bundle's own")
    return name


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Listed(_Shape):
    """A file of the bundle."""

    name: Annotated[str, AfterValidator(_path)]
    size: Annotated[int, Field(ge=0, lt=1 << 63)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(_Shape):
    """Every file of a bundle but the three that seal it, by name."""

    format: str = _FORMAT
    version: int = _VERSION
    tool_version: str
    public_key_fingerprint: str
    files: list[Listed]

    @model_validator(mode="after")
    def _lists_each_once_and_in_order(self) -> Manifest:
        names = [listed.name for listed in self.files]
        if names != sorted(set(names)):
            raise ValueError("its files are not in the order of their names, each once")
        return self


class _Head(BaseModel):
    """What a manifest of any version has."""

    format: str
    version: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What a bundle turned out to be. problems: why it does not verify, in words; none where it does.

    fingerprint: of the key that signed it, once that much is known. trusted: whether that is the key that was asked
    for; None where none was.
    """

    problems: tuple[str, ...]
    fingerprint: str = ""
    trusted: bool | None = None
    tool_version: str = ""
    files: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the bundle is, to the byte, what was signed (by the key that was asked for, where one was)."""
        return not self.problems


def new_key(folder: Path) -> Ed25519PrivateKey:
    """Make the key of a session and keep it in its folder, for its owner to read alone.

    Raises `FileExistsError` where the session has one, and `OSError`.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key


def load_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key of the session in `folder`. Raises `HarnessError` where there is none that can be read."""
    file = folder / KEY
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HarnessError(f"the session's key cannot be read: {file} ({error})", "begin a new session") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HarnessError(f"{file} is no Ed25519 key", "begin a new session")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key as it lies in a bundle."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key (DER, SubjectPublicKeyInfo) in groups of four, for people to compare."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(der).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def write(folder: Path, files: Mapping[str, Content], key: Ed25519PrivateKey) -> Path:
    """Write the bundle of these files into `folder`, and return where; the same files and key give the same bytes.

    files: by their names in the bundle, such as `captures/ct01-study.pcap`. A bundle that is there is replaced when
    the new one is whole. Raises `ValueError` for a name that cannot be in a bundle, `HarnessError` for a file that
    changes while it is packed, and `OSError`.
    """
    names = sorted(_path(name) for name in files)
    if folded := {name.casefold() for name in names}:
        _refuse_alike(names, folded)
    measured = {name: sealed_zip.measure(files[name]) for name in names}
    sealed = _sealing(measured, key)
    entries: list[tuple[str, Content, Measured]] = []
    entries += [(name, content, sealed_zip.measure(content)) for name, content in sealed]
    entries += [(name, files[name], measured[name]) for name in names]
    target, partial = folder / NAME, folder / f"{NAME}.partial"
    try:
        with partial.open("wb") as file:
            sealed_zip.write(file, entries)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except sealed_zip.ContentChanged as error:
        raise HarnessError(f"{error} changed while it was packed", "end what writes to it, and try again") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def verify(bundle: Path, trusted_public_key: bytes | None = None) -> Verification:
    """Tell whether every byte of a bundle is as it was signed. Takes any file; needs no network.

    trusted_public_key: the one (PEM) that must have signed it. Raises nothing that depends on the file.
    """
    try:
        with bundle.open("rb") as source:
            return _verify(sealed_zip.Reader(source), trusted_public_key)
    except NotSealed as error:
        return Verification((f"this is no bundle, or it was changed: {error}",))
    except OSError as error:
        return Verification((f"the bundle cannot be read: {error.strerror or error}",))


def _refuse_alike(names: list[str], folded: set[str]) -> None:
    if len(folded) != len(names):
        raise ValueError("two names of files in a bundle differ in their case alone")


def _sealing(measured: Mapping[str, Measured], key: Ed25519PrivateKey) -> list[tuple[str, bytes]]:
    manifest = Manifest(
        tool_version=simulator.__version__,
        public_key_fingerprint=fingerprint(key.public_key()),
        files=[Listed(name=name, size=each.size, sha256=each.sha256) for name, each in measured.items()],
    )
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    return [(MANIFEST, content), (SIGNATURE, key.sign(content)), (PUBLIC_KEY, public_pem(key.public_key()))]


def _verify(reader: sealed_zip.Reader, trusted_public_key: bytes | None) -> Verification:
    content = reader.small(MANIFEST, _LONGEST_MANIFEST)
    if told := _foreign(content):
        return Verification((told,))
    signature = reader.small(SIGNATURE, _SIGNATURE_LENGTH)
    key = _public_key(reader.small(PUBLIC_KEY, _LONGEST_KEY))
    if key is None:
        return Verification((f"{PUBLIC_KEY} is no Ed25519 public key in the form that bundles have",))
    signed_by = fingerprint(key)
    try:
        key.verify(signature, content)
        manifest = Manifest.model_validate_json(content)
    except InvalidSignature:
        return Verification((f"the signature does not fit {MANIFEST}: one of them was changed",), signed_by)
    except ValidationError as error:
        return Verification((f"{MANIFEST} is signed, and yet no list of files: {_first(error)}",), signed_by)
    trusted = _is_trusted(key, trusted_public_key)
    return Verification(
        tuple(_problems(reader, manifest, signed_by, trusted)),
        signed_by,
        trusted,
        manifest.tool_version,
        tuple(listed.name for listed in manifest.files),
    )


def _problems(reader: sealed_zip.Reader, manifest: Manifest, signed_by: str, trusted: bool | None) -> list[str]:
    problems = []
    if trusted is False:
        problems.append(f"it was signed by another key than the one asked for: by {signed_by}")
    if manifest.public_key_fingerprint != signed_by:
        problems.append(f"{MANIFEST} names another key than the one that signed it")
    try:
        for listed in manifest.files:
            if not reader.has_next(listed.name, listed.size, listed.sha256):
                problems.append(f"{listed.name} was changed: its digest is not the one that was signed")
        reader.end()
    except NotSealed as error:
        # Behind the first such place nothing has its place any more.
        problems.append(f"the zip file was changed: {error}")
    return problems


def _foreign(manifest: bytes) -> str:
    """Say what this manifest is where it is not one of this version; empty where it seems to be."""
    try:
        head = _Head.model_validate_json(manifest)
    except ValidationError:
        return f"{MANIFEST} is no list of files of a bundle"
    if head.format != _FORMAT:
        return f"this is no evidence bundle but {head.format[:80]!r}"
    if head.version != _VERSION:
        return (
            f"the bundle has version {head.version}, and this program knows version {_VERSION}; "
            "verify it with the program that wrote it"
        )
    return ""


def _public_key(pem: bytes) -> Ed25519PublicKey | None:
    """Return the key, where it stands there in the one form that a bundle has: PEM can be written in several."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) and public_pem(key) == pem else None


def _is_trusted(key: Ed25519PublicKey, wanted: bytes | None) -> bool | None:
    if wanted is None:
        return None
    try:
        other = serialization.load_pem_public_key(wanted)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(other, Ed25519PublicKey) and public_pem(other) == public_pem(key)


def _first(error: ValidationError) -> str:
    mistake = error.errors()[0]
    where = ".".join(str(part) for part in mistake["loc"])
    return f"{where}: {mistake['msg']}" if where else mistake["msg"]
