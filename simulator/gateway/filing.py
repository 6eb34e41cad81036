"""How an instance becomes a file of the store: a small one at once when it is whole, a large one while it comes."""

from __future__ import annotations

from simulator.gateway.header import Header
from simulator.gateway.store import Part, Store
from simulator.wire import data_set, part10
from simulator.wire.association import StoreRequest


def begin(request: StoreRequest, store: Store) -> Part:
    """Begin the file of an instance of which the data set is coming. Raises `OSError`."""
    return store.begin(_head(request))


def write(request: StoreRequest, header: Header, store: Store) -> tuple[str, str]:
    """Have the file complete under its final name; return that, and the digest of its data set. Raises `OSError`."""
    encoded = request.data_set
    part = request.incoming if isinstance(request.incoming, Part) else None
    left = (_head(request), encoded) if part is None else (memoryview(encoded)[part.size :],)
    name = store.write(header.study_instance_uid, header.sop_instance_uid, *left, part=part)
    return name, data_set.digest(encoded)


def _head(request: StoreRequest) -> bytes:
    """Return what stands before the data set: its UIDs are those of the command, with which the data set agrees."""
    uids = request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid
    return part10.head(*uids, request.calling_ae_title)
