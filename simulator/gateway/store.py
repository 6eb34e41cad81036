"""The gateway's local file system: instances under names of the gateway's own, and what it refused.

Layout below the data folder::

    instances/<study>/<instance>.dcm    Part 10 files (PS3.10 chapter 7); both names are hexadecimal digests of UIDs
    refused/<time>-<digest>.dataset     what was refused, as it came (a data set, or .hl7 a message), beside a
                                        .json that says why
    index.sqlite                        see `index`

Nothing that stands in a data set ever becomes part of a path. A large data set is written while it comes, to a file
beside the folders of the studies (`begin`). A file appears under its final name only when
it is complete, so that what a killed process leaves behind is whole or recognisable as rubbish (`*.part`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from simulator.errors import StartError
from simulator.events import now

_numbers = itertools.count()


class Part:
    """A file in the making, which nobody takes for an instance until it has its final name.

    `size`: bytes of the data set that are written; `head`, which stands before them, does not count.
    """

    def __init__(self, file: str, head: bytes = b"") -> None:
        """Begin it. Raises `OSError`."""
        self.size = 0
        self._file = file
        self._head = [memoryview(head)] if head else []
        self._failure: OSError | None = None
        self._opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def add(self, *pieces: bytes | memoryview) -> None:
        """Write what came next; what goes wrong is raised by `finish`."""
        self.size += sum(map(len, pieces))
        views, self._head = [*self._head, *(memoryview(piece) for piece in pieces)], []
        if self._failure is None:
            try:
                _write_all(self._opened, views)
            except OSError as error:
                self._failure = error.with_traceback(None)  # which would keep hold of what was lent

    def finish(self, *pieces: bytes | memoryview) -> None:
        """Write what is left. Raises `OSError` where that or anything before it could not be written."""
        if pieces:
            self.add(*pieces)
        self._close()
        if self._failure is not None:
            raise self._failure

    def name(self, file: str) -> None:
        """Give the file its final name. Raises `OSError`."""
        os.replace(self._file, file)  # noqa: PTH105 - one of the few places that run for every instance
        self._file = ""

    def drop(self) -> None:
        """Have it gone, unless it has its final name."""
        if self._file:
            self._close()
            Path(self._file).unlink(missing_ok=True)
            self._file = ""

    def _close(self) -> None:
        opened, self._opened = self._opened, -1
        if opened >= 0:
            os.close(opened)


class Store:
    """Files below one folder. Safe for use from several threads."""

    def __init__(self, root: Path) -> None:
        """Open the folder, making it when it is new. Raises `StartError` when it cannot be written."""
        self._instances = root / "instances"
        self._refused = root / "refused"
        self._path = str(self._instances)
        try:
            self._instances.mkdir(parents=True, exist_ok=True)
            self._refused.mkdir(exist_ok=True)
            for folder in (self._instances, self._refused):
                for rubbish in folder.glob("**/*.part"):
                    rubbish.unlink()
        except OSError as error:
            raise StartError(f"the data folder {root} cannot be used: {error.strerror}") from error
        if not os.access(root, os.W_OK):
            raise StartError(f"the data folder {root} cannot be written")

    def begin(self, head: bytes) -> Part:
        """Begin the file of an instance whose data set is coming. Raises `OSError`."""
        return _begun(self._path, head)

    def write(
        self,
        study_instance_uid: str,
        sop_instance_uid: str,
        *pieces: bytes | memoryview,
        part: Part | None = None,
    ) -> str:
        """Write one instance, whole and then under its final name; return that name, relative to the store.

        pieces: the Part 10 file, in one or several; of a `part` that was begun, what is left of it. Raises `OSError`
        (disk full, folder gone) and leaves nothing behind then.
        """
        study = _name(study_instance_uid)
        name = f"{study}/{_name(sop_instance_uid)}.dcm"
        part = part or _begun(self._path)
        try:
            part.finish(*pieces)
            try:
                part.name(f"{self._path}/{name}")
            except FileNotFoundError:
                (self._instances / study).mkdir(exist_ok=True)
                part.name(f"{self._path}/{name}")
        except OSError:
            part.drop()
            raise
        return name

    def read(self, name: str) -> bytes:
        """Return the Part 10 file that `write` named."""
        return (self._instances / name).read_bytes()

    def make_durable(self, name: str) -> None:
        """Have the content of the file survive a power cut; `sync_folders` does the rest. Raises `OSError`."""
        _sync(self._instances / name)

    def sync_folders(self, names: Iterable[str]) -> None:
        """Have the names of these files survive a power cut. Raises `OSError`."""
        folders = {(self._instances / name).parent for name in names}
        for folder in (*sorted(folders), self._instances, self._instances.parent):
            _sync(folder)

    def names(self) -> Iterator[str]:
        """Yield the name of every instance that lies in the store."""
        for file in sorted(self._instances.glob("*/*.dcm")):
            yield str(file.relative_to(self._instances))

    def holds(self, name: str) -> bool:
        """Tell whether the file lies there."""
        return (self._instances / name).is_file()

    def remove(self, names: Iterable[str]) -> None:
        """Remove these instances, and the folders that are empty without them; one that is gone already is no error."""
        folders = set()
        for name in names:
            file = self._instances / name
            file.unlink(missing_ok=True)
            folders.add(file.parent)
        for folder in folders:
            with suppress(OSError):  # something else lies in it, or it is gone too
                folder.rmdir()

    def reject(self, name: str, why: str) -> str:
        """Move a file that is no instance from the instances to what was refused; return its new name."""
        file = self._instances / name
        stem = f"{_moment()}-{file.stem[:12]}"
        self._write_aside(f"{stem}.json", json.dumps({"why": why, "was": name}, indent=2).encode())
        file.replace(self._refused / f"{stem}.dcm-damaged")
        return f"refused/{stem}.dcm-damaged"

    def keep_aside(self, data: bytes | memoryview, suffix: str, why: Mapping[str, object]) -> str:
        """Keep what was refused, with the reason beside it; return its name, relative to the data folder."""
        stem = f"{_moment()}-{hashlib.sha256(data).hexdigest()[:12]}"
        self._write_aside(f"{stem}{suffix}", data)
        self._write_aside(f"{stem}.json", json.dumps(dict(why), indent=2).encode())
        return f"refused/{stem}{suffix}"

    def _write_aside(self, name: str, content: bytes | memoryview) -> None:
        part = _begun(str(self._refused))
        try:
            part.finish(content)
            part.name(f"{self._refused}/{name}")
        except OSError:
            part.drop()
            raise


def _begun(folder: str, head: bytes = b"") -> Part:
    return Part(f"{folder}/{os.getpid():x}-{next(_numbers):x}.part", head)


def _moment() -> str:
    return now().replace(":", "").replace(".", "")


def _name(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _write_all(opened: int, pieces: list[memoryview]) -> None:
    while pieces:
        written = os.writev(opened, pieces)
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if pieces:
            pieces[0] = pieces[0][written:]


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
