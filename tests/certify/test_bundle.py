"""The evidence bundle: what was signed verifies to the byte, and nothing else does."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.certify import bundle, sealed_zip
from simulator.errors import HarnessError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
FILES: dict[str, bytes | Path] = {
    "report.html": b"<!DOCTYPE html>\n",
    "captures/ct01-study.pcap": b"\xd4\xc3\xb2\xa1" + bytes(range(256)),
    "log.txt": b"",
}
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def written(folder: Path, key: Ed25519PrivateKey = KEY) -> bytes:
    return bundle.write(folder, FILES, key).read_bytes()


def judged(folder: Path, content: bytes, trusted: bytes | None = None) -> bundle.Verification:
    changed = folder / "changed.zip"
    changed.write_bytes(content)
    return bundle.verify(changed, trusted)


def signed(manifest: bytes, key: Ed25519PrivateKey = KEY, files: dict[str, bytes] | None = None) -> bytes:
    """Return a sealed zip of any manifest, signed as it is."""
    target = io.BytesIO()
    entries = {"manifest.json": manifest, "manifest.sig": key.sign(manifest)}
    entries |= {"public-key.pem": bundle.public_pem(key.public_key())} | (files or {})
    sealed_zip.write(target, [(name, content, sealed_zip.measure(content)) for name, content in entries.items()])
    return target.getvalue()


def manifest_of(content: bytes) -> dict[str, object]:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return dict(json.loads(opened.read("manifest.json")))


def test_a_bundle_verifies_and_says_what_is_in_it(tmp_path: Path) -> None:
    found = bundle.verify(bundle.write(tmp_path, FILES, KEY))
    assert found.verified
    assert found.files == ("captures/ct01-study.pcap", "log.txt", "report.html")
    assert found.fingerprint == bundle.fingerprint(KEY.public_key())
    assert found.trusted is None


def test_any_program_unpacks_it(tmp_path: Path) -> None:
    file = bundle.write(tmp_path, FILES, KEY)
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in FILES} == FILES
        assert opened.namelist()[:3] == ["manifest.json", "manifest.sig", "public-key.pem"]
    if unzip := shutil.which("unzip"):
        done = subprocess.run([unzip, "-t", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_openssl_agrees_about_the_signature_and_the_fingerprint(tmp_path: Path) -> None:
    """The commands of docs/evidence-bundle.md: nobody need believe this program."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    with zipfile.ZipFile(bundle.write(tmp_path, FILES, KEY)) as opened:
        opened.extractall(tmp_path)
    verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem", "-rawin", "-in", "manifest.json"]
    done = subprocess.run(
        [openssl, *verify, "-sigfile", "manifest.sig"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    to_der = [openssl, "pkey", "-pubin", "-in", "public-key.pem", "-outform", "DER"]
    der = subprocess.run(to_der, cwd=tmp_path, capture_output=True, check=True).stdout
    digest = sealed_zip.measure(der).sha256
    assert bundle.fingerprint(KEY.public_key()).replace(" ", "") == digest


def test_the_same_files_and_key_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path)
    assert written(tmp_path) == first
    (tmp_path / "page").write_bytes(b"<!DOCTYPE html>\n")
    from_disk = FILES | {"report.html": tmp_path / "page"}
    assert bundle.write(tmp_path, dict(reversed(from_disk.items())), KEY).read_bytes() == first


def test_any_one_byte_that_changes_is_found(tmp_path: Path) -> None:
    """Headers, names, times, check sums, contents, the directory and the end: every byte of a small bundle."""
    content = written(tmp_path)
    for place in range(len(content)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(content)
            changed[place] ^= flip
            found = judged(tmp_path, bytes(changed))
            assert not found.verified, f"byte {place} changed by {flip:02X}"
            assert all(found.problems), place


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    files: dict[str, bytes | Path] = {f"captures/{n}.pcap": bytes([n]) * 70_001 for n in range(40)}
    return bundle.write(tmp_path_factory.mktemp("large"), files, KEY).read_bytes()


@given(st.data())
@settings(max_examples=150, parent=same_folder)
def test_so_it_is_in_a_large_one(large: bytes, tmp_path: Path, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(large) - 1), "byte")
    changed = bytearray(large)
    changed[place] ^= data.draw(st.integers(1, 255), "flip")
    assert not judged(tmp_path, bytes(changed)).verified


@given(st.data())
@settings(max_examples=150, parent=same_folder)
def test_nor_may_bytes_come_or_go(tmp_path: Path, data: st.DataObject) -> None:
    content = written(tmp_path)
    start = data.draw(st.integers(0, len(content)), "from")
    end = data.draw(st.integers(start, len(content)), "to")
    put = data.draw(st.binary(max_size=64), "put there")
    changed = content[:start] + put + content[end:]
    assert judged(tmp_path, changed).verified == (changed == content)


@given(st.binary(max_size=300))
@same_folder
def test_garbage_is_told_in_words(tmp_path: Path, garbage: bytes) -> None:
    for content in (garbage, b"PK\x03\x04" + garbage):
        (problem,) = judged(tmp_path, content).problems
        assert problem.startswith("this is no bundle, or it was changed: ")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
@same_folder
def test_a_signed_manifest_of_anything_is_told_in_words(tmp_path: Path, manifest: bytes) -> None:
    found = judged(tmp_path, signed(manifest))
    assert found.problems == ("manifest.json is no list of files of a bundle",)


def test_a_manifest_nested_too_deeply_is_told_in_words(tmp_path: Path) -> None:
    assert not judged(tmp_path, signed(b'{"format":' + b"[" * 200_000)).verified


def test_what_was_changed_is_named(tmp_path: Path) -> None:
    content = written(tmp_path)
    changed = content.replace(b"<!DOCTYPE", b"<!doctype").replace(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
    assert judged(tmp_path, changed).problems == (
        "captures/ct01-study.pcap was changed: its digest is not the one that was signed",
        "report.html was changed: its digest is not the one that was signed",
    )


def test_a_bundle_that_was_packed_anew_does_not_verify(tmp_path: Path) -> None:
    """Its contents are the same to the byte; but who knows what else is in the file."""
    file = bundle.write(tmp_path, FILES, KEY)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert not bundle.verify(tmp_path / "new.zip").verified


def test_a_file_that_is_not_listed_or_that_is_missing_is_found(tmp_path: Path) -> None:
    manifest = json.dumps(manifest_of(written(tmp_path))).encode()
    listed = {name: FILES[name] for name in sorted(FILES)}
    contents = {name: content for name, content in listed.items() if isinstance(content, bytes)}
    assert judged(tmp_path, signed(manifest, files=contents)).verified
    assert not judged(tmp_path, signed(manifest, files=contents | {"more.txt": b"more"})).verified
    assert not judged(tmp_path, signed(manifest, files={"report.html": contents["report.html"]})).verified
    assert not judged(tmp_path, signed(manifest)).verified


def test_another_version_and_another_format_are_told_apart_from_damage(tmp_path: Path) -> None:
    manifest = manifest_of(written(tmp_path))
    (problem,) = judged(tmp_path, signed(json.dumps(manifest | {"version": 2, "new": 1}).encode())).problems
    assert problem == (
        "the bundle has version 2, and this program knows version 1; verify it with the program that wrote it"
    )
    (problem,) = judged(tmp_path, signed(json.dumps(manifest | {"format": "somebody/else"}).encode())).problems
    assert problem == "this is no evidence bundle but 'somebody/else'"


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"name": "../up", "size": 0, "sha256": "0" * 64}]},
        {"files": [{"name": "/etc/passwd", "size": 0, "sha256": "0" * 64}]},
        {"files": [{"name": "c:\\up", "size": 0, "sha256": "0" * 64}]},
        {"files": [{"name": "manifest.sig", "size": 0, "sha256": "0" * 64}]},
        {"files": [{"name": "a", "size": -1, "sha256": "0" * 64}]},
        {"files": [{"name": "a", "size": 1 << 64, "sha256": "0" * 64}]},
        {"files": [{"name": "b", "size": 0, "sha256": "0" * 64}, {"name": "a", "size": 0, "sha256": "0" * 64}]},
        {"more": 1},
        {"tool_version": 7},
    ],
)
def test_a_list_that_cannot_be_is_told_though_it_is_signed(tmp_path: Path, change: dict[str, object]) -> None:
    manifest = json.dumps(manifest_of(written(tmp_path)) | change).encode()
    (problem,) = judged(tmp_path, signed(manifest)).problems
    assert problem.startswith("manifest.json is signed, and yet no list of files: ")


def test_the_key_that_was_asked_for_must_have_signed_it(tmp_path: Path) -> None:
    file = bundle.write(tmp_path, FILES, KEY)
    assert bundle.verify(file, bundle.public_pem(KEY.public_key())).trusted is True
    found = bundle.verify(file, bundle.public_pem(OTHER.public_key()))
    assert (found.verified, found.trusted) == (False, False)
    assert found.problems[0].startswith("it was signed by another key than the one asked for: by ")
    assert not bundle.verify(file, b"no key").verified


def test_a_manifest_that_another_key_signed_says_so(tmp_path: Path) -> None:
    manifest = manifest_of(written(tmp_path)) | {"files": []}
    found = judged(tmp_path, signed(json.dumps(manifest).encode(), OTHER))
    assert found.problems == ("manifest.json names another key than the one that signed it",)


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    assert bundle.verify(tmp_path / "none.zip").problems == ("the bundle cannot be read: No such file or directory",)
    assert bundle.verify(tmp_path).problems == ("the bundle cannot be read: Is a directory",)


@pytest.mark.parametrize(
    "name", ["", "../a", "/a", "a//b", "a\\b", ".hidden", "a/..", "manifest.json", "MANIFEST.SIG/x"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"no name of a file|the bundle's own"):
        bundle.write(tmp_path, {name: b""}, KEY)


def test_names_that_some_systems_take_for_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="case alone"):
        bundle.write(tmp_path, {"Log.txt": b"", "log.txt": b""}, KEY)


def test_a_file_that_changes_while_it_is_packed_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(tmp_path)
    log = tmp_path / "log"
    log.write_text("first")
    sealed = bundle._sealing

    def written_to(*arguments: object) -> list[tuple[str, bytes]]:
        log.write_text("second")
        return sealed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bundle, "_sealing", written_to)
    with pytest.raises(HarnessError, match=r"log\.txt changed while it was packed"):
        bundle.write(tmp_path, {"log.txt": log}, KEY)
    assert (tmp_path / bundle.NAME).read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["evidence.zip", "log"]


def test_a_sessions_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made = bundle.new_key(tmp_path)
    assert (tmp_path / bundle.KEY).stat().st_mode & 0o777 == 0o600
    assert bundle.load_key(tmp_path).private_bytes_raw() == made.private_bytes_raw()
    with pytest.raises(FileExistsError):
        bundle.new_key(tmp_path)
    assert bundle.load_key(tmp_path).private_bytes_raw() == made.private_bytes_raw()


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\n", b"\x00\xff"])
def test_a_key_that_cannot_be_read_is_told_in_words(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / bundle.KEY).write_bytes(content)
    with pytest.raises(HarnessError, match="the session's key cannot be read"):
        bundle.load_key(tmp_path)
