"""A zip file of which every byte follows from the names and contents in it, so that none can change unseen.

Nothing is compressed: a compressed stream can be written in several ways that read the same, and a newer library writes
another one. Times are fixed. Every entry and the directory are in the ZIP64 form (APPNOTE.TXT 6.3 section 4.3), which
has no limit of 4 GiB and leaves no choice between two forms. What holds anything else is not sealed: `read` compares
each header with the one that `write` would have written.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

Content = bytes | Path

_STEP = 1 << 20
_NEEDED, _MADE_BY = 45, (3 << 8) | 45  # version 4.5 has ZIP64; made by 3, Unix, whose permissions stand below
_UTF8 = 0x0800
_STORED = 0
_TIME, _DATE = 0, (1 << 5) | 1  # 1980-01-01 00:00, the first moment that a zip file can tell
_FULL = 0xFFFFFFFF  # "see the ZIP64 extra field"
_MODE = 0o100644 << 16
_FIXED = struct.Struct("<4sHHHHHIIIHH")


class NotSealed(Exception):
    """The file is no such zip file, or no longer; the message says where that shows. Bad data, told by its reader."""


class ContentChanged(Exception):
    """A file changed between the two times that it was read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is written of a content beside itself: its length in bytes, its CRC-32, and its SHA-256 in hexadecimal."""

    size: int
    crc: int
    sha256: str


def measure(content: Content) -> Measured:
    """Read a content through. Raises `OSError`."""
    with _opened(content) as source:
        return _pass_on(source, None)


def write(target: BinaryIO, entries: Iterable[tuple[str, Content, Measured]]) -> None:
    """Write the entries in their order. Raises `OSError`, and `ContentChanged` where one is not as it was measured."""
    directory, offset = [], 0
    for name, content, measured in entries:
        head = _local_header(name, measured)
        target.write(head)
        with _opened(content) as source:
            if _pass_on(source, target.write) != measured:
                raise ContentChanged(name)
        directory.append(_directory_header(name, measured, offset))
        offset += len(head) + measured.size
    target.write(_ending(directory, offset))


class Reader:
    """Reads a sealed zip file from its beginning, entry by entry; the caller knows the order and the names."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._directory: list[bytes] = []
        self._offset = 0

    def small(self, name: str, limit: int) -> bytes:
        """Return the content of the next entry, which has this name and no more bytes than `limit`.

        Raises `NotSealed`.
        """
        # Its length is not known before: it is read from the header, which is then compared as a whole.
        start = self._exactly(_FIXED.size, f"before {name}")
        if start[:4] != b"PK\x03\x04":
            raise NotSealed(f"{name} does not stand where it has to")
        (length, extra) = struct.unpack("<HH", start[26:])
        rest = self._exactly(length + extra, f"in the header of {name}")
        size = int.from_bytes(rest[length + 4 : length + 12], "little")
        if size > limit:
            raise NotSealed(f"{name} is said to have {size} bytes, which is more than it can have")
        content = self._exactly(size, f"in {name}")
        self._compare(start + rest, name, measure(content))
        return content

    def has_next(self, name: str, size: int, sha256: str) -> bool:
        """Read the next entry, which has this name and length, and tell whether its content has this digest.

        Raises `NotSealed`.
        """
        head = self._exactly(len(_local_header(name, Measured(size, 0, ""))), f"before {name}")
        taken = _pass_on(self._source, None, size)
        if taken.size != size:
            raise NotSealed(f"the file ends in {name}")
        if unchanged := taken.sha256 == sha256:
            self._compare(head, name, taken)
        else:
            # The header has the check sum of what stood there, and what follows can still be looked at.
            self._compare(head, name, Measured(size, int.from_bytes(head[14:18], "little"), sha256))
        return unchanged

    def end(self) -> None:
        """Read what stands behind the last entry. Raises `NotSealed`."""
        wanted = _ending(self._directory, self._offset)
        if self._source.read(len(wanted)) != wanted:
            raise NotSealed("the directory at the end of the zip file is not the one that belongs to its files")
        if self._source.read(1):
            raise NotSealed("something stands behind the end of the zip file")

    def _compare(self, head: bytes, name: str, measured: Measured) -> None:
        wanted = _local_header(name, measured)
        if head != wanted:
            raise NotSealed(f"the header of {name} is not the one that belongs to its content")
        self._directory.append(_directory_header(name, measured, self._offset))
        self._offset += len(wanted) + measured.size

    def _exactly(self, count: int, where: str) -> bytes:
        taken = self._source.read(count)
        if len(taken) != count:
            raise NotSealed(f"the file ends {where}")
        return taken


def _local_header(name: str, measured: Measured) -> bytes:
    """4.3.7, with the ZIP64 extra field of 4.5.3: original and compressed size."""
    extra = struct.pack("<HHQQ", 1, 16, measured.size, measured.size)
    path = name.encode()
    crc, lengths = measured.crc, (len(path), len(extra))
    fixed = _FIXED.pack(b"PK\x03\x04", _NEEDED, _UTF8, _STORED, _TIME, _DATE, crc, _FULL, _FULL, *lengths)
    return fixed + path + extra


def _directory_header(name: str, measured: Measured, offset: int) -> bytes:
    """4.3.12; no comment."""
    extra = struct.pack("<HHQQQ", 1, 24, measured.size, measured.size, offset)
    path = name.encode()
    versions = struct.pack("<4sHH", b"PK\x01\x02", _MADE_BY, _NEEDED)
    fixed = struct.pack("<HHHHIII", _UTF8, _STORED, _TIME, _DATE, measured.crc, _FULL, _FULL)
    rest = struct.pack("<HHHHHII", len(path), len(extra), 0, 0, 0, _MODE, _FULL)
    return versions + fixed + rest + path + extra


def _ending(directory: list[bytes], offset: int) -> bytes:
    """4.3.12 to 4.3.16: the directory, its ZIP64 end record and where that is, and the end record; no comment."""
    headers = b"".join(directory)
    count, size = len(directory), len(headers)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, _MADE_BY, _NEEDED, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, _FULL, _FULL, 0)
    return headers + record + locator + end


def _pass_on(source: BinaryIO, write: Callable[[bytes], object] | None, limit: int | None = None) -> Measured:
    digest, crc, size = hashlib.sha256(), 0, 0
    for part in _parts(source, limit):
        digest.update(part)
        crc = zlib.crc32(part, crc)
        size += len(part)
        if write is not None:
            write(part)
    return Measured(size, crc, digest.hexdigest())


def _parts(source: BinaryIO, limit: int | None) -> Iterator[bytes]:
    left = limit
    while part := source.read(_STEP if left is None else min(_STEP, left)):
        yield part
        left = None if left is None else left - len(part)


@contextmanager
def _opened(content: Content) -> Iterator[BinaryIO]:
    if isinstance(content, Path):
        with content.open("rb") as source:
            yield source
    else:
        yield io.BytesIO(content)
