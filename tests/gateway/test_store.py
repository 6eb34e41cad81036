from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import StartError
from simulator.gateway.store import Store
from tests.processes import run
from tests.wire.made import steady

EVIL = (
    "../../../evil",
    "/etc/evil",
    "..",
    ".",
    "a/b",
    "a\\b",
    "evil\0",
    "陳",
    "x" * 5000,
    "",
    "CON",
)


def everything(root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def test_an_instance_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.write("1.2", "1.2.3", b"content")
    assert store.read(name) == b"content"
    assert list(store.names()) == [name]
    assert list(Store(tmp_path).names()) == [name]


def test_names_are_digests(tmp_path: Path) -> None:
    name = Store(tmp_path).write("1.2", "1.2.3", b"")
    study, instance = (hashlib.sha256(uid).hexdigest()[:32] for uid in (b"1.2", b"1.2.3"))
    assert name == f"{study}/{instance}.dcm"


@pytest.mark.parametrize("uid", EVIL, ids=range(len(EVIL)))
def test_no_uid_becomes_a_path(tmp_path: Path, uid: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = outside / "data"
    store = Store(root)
    names = {store.write(uid, "1.2.3", b"a"), store.write("1.2", uid, b"b"), store.write(uid, uid, b"c")}
    assert len(names) == 3
    assert everything(tmp_path) == {f"outside/data/instances/{name}" for name in names}
    assert [store.read(name) for name in sorted(names)]


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), unique=True, max_size=20))
@steady
def test_no_two_instances_share_a_name(tmp_path_factory: pytest.TempPathFactory, uids: list[tuple[str, str]]) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    names = [store.write(study, instance, repr((study, instance)).encode()) for study, instance in uids]
    assert [store.read(name) for name in names] == [repr(pair).encode() for pair in uids]
    assert list(store.names()) == sorted(names)


def test_the_same_instance_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.write("1.2", "1.2.3", b"first") == store.write("1.2", "1.2.3", b"second")
    assert [store.read(name) for name in store.names()] == [b"second"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.write("1.2", "1.2.3", b"kept")
    folder = (tmp_path / "instances" / name).parent
    # A folder stands where the second file must come to lie, so the last step of the write fails.
    second = hashlib.sha256(b"1.2.4").hexdigest()[:32]
    (folder / f"{second}.dcm" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        store.write("1.2", "1.2.4", b"lost")
    assert everything(tmp_path) == {f"instances/{name}"}
    assert store.read(name) == b"kept"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A file size limit is the one full disk that a test can have to itself."""
    pytest.importorskip("resource")
    code = (
        "import resource, signal, sys; from pathlib import Path; from simulator.gateway.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.write('1.2', '1.2.3', b'small')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: store.write('1.2', '1.2.4', bytes(1_000_000))\n"
        "except OSError as error: sys.exit(7)\n"
    )
    assert run([sys.executable, "-c", code, str(tmp_path)], tmp_path).returncode == 7
    store = Store(tmp_path)
    assert [store.read(name) for name in store.names()] == [b"small"]
    assert len(everything(tmp_path)) == 1


def test_a_start_removes_what_a_killed_process_left_half_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.write("1.2", "1.2.3", b"whole")
    rubbish = tmp_path / "instances" / Path(name).parent / "x.dcm.01234567.part"
    refused = tmp_path / "refused" / "y.dataset.01234567.part"
    for file in (rubbish, refused):
        file.write_bytes(b"half")
    assert list(store.names()) == [name]
    again = Store(tmp_path)
    assert everything(tmp_path) == {f"instances/{name}"}
    assert again.read(name) == b"whole"


def test_a_start_leaves_other_peoples_files_alone(tmp_path: Path) -> None:
    """The data folder may be one that the user has other things in."""
    mine = tmp_path / "downloads" / "film.part"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    Store(tmp_path)
    assert mine.read_bytes() == b"mine"


def test_what_is_refused_is_kept_with_the_reason(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.keep_aside(b"\x00\xffraw", ".dataset", {"status": "C000", "comment": "陳"})
    assert kept.startswith("refused/")
    assert (tmp_path / kept).read_bytes() == b"\x00\xffraw"
    why = json.loads((tmp_path / kept).with_suffix(".json").read_bytes())
    assert why == {"status": "C000", "comment": "陳"}
    assert list(store.names()) == []


def test_the_same_refused_twice_is_kept_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = {store.keep_aside(b"raw", ".hl7", {"why": number}) for number in range(5)}
    assert len(kept) == 5
    assert len(everything(tmp_path)) == 10


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(StartError, match=f"the data folder {tmp_path / 'data'} cannot be used"):
        Store(tmp_path / "data")
