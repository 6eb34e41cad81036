"""The same instance again: the same content is no news, other content under the same UID is refused.

The content counts, not the bytes: an instance that comes in another transfer syntax is still the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.errors import NotDicom
from simulator.gateway.header import Header
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.store import Store
from simulator.wire import content, data_set, part10
from simulator.wire.association import StoreRequest


@dataclass(frozen=True, slots=True)
class Known:
    """Whether an instance is new, held with the same content, or held (or purged) with other content.

    was_held: it is new, but counts among its study's already, since it was purged.
    """

    verdict: Literal["new", "repeated", "other"]
    was_held: bool = False


def known(found: Header, request: StoreRequest, index: Index, store: Store) -> Known:
    """Tell what is known of an instance.

    One whose file is gone is new, and its loss is told. Raises `OSError` when what is held cannot be read.
    """
    held, purged = index.traces(found.sop_instance_uid)
    row = index.instance(found.sop_instance_uid) if held else None
    if row is not None and not store.holds(row.file):
        index.lose([row])
    elif row is not None:
        digest = data_set.digest(request.data_set)
        return Known("repeated" if row.data_set_digest == digest or _same(row, request, store) else "other")
    if purged is None:
        return Known("new")
    if purged in (_said(request), as_bytes(data_set.digest(request.data_set))):
        return Known("new", was_held=True)
    return Known("other")


def as_bytes(data_set_digest: str) -> str:
    """Return what stands for the content of a data set whose pixels cannot be decoded: its bytes."""
    return f"bytes:{data_set_digest}"


def _same(row: InstanceRow, request: StoreRequest, store: Store) -> bool:
    try:
        first = part10.read(store.read(row.file))
        return content.digest(first.data_set, first.transfer_syntax_uid) == _said(request)
    except NotDicom:
        return False


def _said(request: StoreRequest) -> str:
    try:
        return content.digest(bytes(request.data_set), request.transfer_syntax_uid)
    except NotDicom:  # its pixels cannot be decoded: it equals nothing
        return ""
