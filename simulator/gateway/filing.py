"""How an instance becomes a file of the store: a small one at once when it is whole, a large one while it comes."""

from __future__ import annotations

from collections.abc import Callable

from simulator.gateway.header import Header
from simulator.gateway.store import Part, Store
from simulator.wire import data_set, part10
from simulator.wire.association import StoreRequest
from simulator.wire.gathering import Kept

_DIGESTED_AT_ONCE = 65536  # bytes of a data set whose digest is sooner made than handed to another thread


def begin(request: StoreRequest, store: Store) -> Part:
    """Begin the file of an instance of which the data set is coming. Raises `OSError`."""
    return store.begin(_head(request))


def write(request: StoreRequest, header: Header, store: Store) -> tuple[str, str, Callable[[], str] | None]:
    """Have the file complete under its final name, and return that, with the digest of its data set.

    The digest is empty where it takes a while to make it; it is what the third returns then. Raises `OSError`.
    """
    head, encoded = _head(request), request.data_set
    part = request.incoming if isinstance(request.incoming, Part) else None
    left = (head, encoded) if part is None else (memoryview(encoded)[part.size :],)
    name = store.write(header.study_instance_uid, header.sop_instance_uid, *left, part=part)
    if len(encoded) <= _DIGESTED_AT_ONCE:
        return name, data_set.digest(encoded), None
    kept, size = None if request.gathered is None else request.gathered.keep(), len(encoded)
    if kept is None:
        return name, "", lambda: store.digest(name, len(head))
    return name, "", lambda: _digest(kept, size)


def _digest(kept: Kept, size: int) -> str:
    """Return the digest of a data set that is still in memory, and give that back; called once."""
    with memoryview(kept.data) as data, data[:size] as encoded:
        found = data_set.digest(encoded)
    kept.give_back()
    return found


def _head(request: StoreRequest) -> bytes:
    """Return what stands before the data set: its UIDs are those of the command, with which the data set agrees."""
    uids = request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid
    return part10.head(*uids, request.calling_ae_title)
