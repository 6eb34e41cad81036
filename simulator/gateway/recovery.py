"""At a start, index and files are brought together: what one has and the other lacks is found, and said.

A killed process may leave a file that is not indexed yet; a power cut may take a file that is, or leave it torn, since
0000 alone does not promise to survive one. Nothing is passed over in silence, and nothing is found twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from simulator.errors import NotDicom
from simulator.gateway import header, pipeline
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.store import Store
from simulator.wire import data_set, part10

_LOG = logging.getLogger(__name__)


def recover(store: Store, index: Index, add: Callable[[InstanceRow], None]) -> None:
    """Index files that the index lacks, by `add`; take out of it what has no file any more."""
    held = set(store.names())
    _lose(index, index.files() - held)
    for name in sorted(held - index.files()):
        found = _read(store, name)
        if isinstance(found, str):
            kept_as = store.reject(name, found)
            _LOG.error("%s in the store is not an instance: %s; it lies in %s now", name, found, kept_as)
        elif index.instance(found.sop_instance_uid) is not None:
            _LOG.error("%s in the store is a second file of instance %s", name, found.sop_instance_uid)
        else:
            add(found)


def _read(store: Store, name: str) -> InstanceRow | str:
    """Return what the index says of a file, or what is wrong with it."""
    try:
        file = store.read(name)
        found = part10.read(file)
        head = header.read(found.data_set, found.transfer_syntax_uid)
        digest = data_set.digest(found.data_set)
        return pipeline.row(head, found.transfer_syntax_uid, digest, name, part10.sender(file))
    except (NotDicom, OSError) as error:
        return str(error)


def _lose(index: Index, files: frozenset[str]) -> None:
    lost = [row for name in sorted(files) for row in index.instances_in(name)]
    for row in lost:
        _LOG.error("instance %s is indexed, but its file %s is gone", row.sop_instance_uid, row.file)
    if lost:
        index.lose(lost)
