"""What an actor notes of an instance: whose study it is, and digests that prove what was sent or received."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.errors import NotDicom
from simulator.events import Event
from simulator.wire import data_set, key_digests, rewriting

_TAGS = frozenset(
    (
        data_set.STUDY_INSTANCE_UID,
        data_set.SPECIFIC_CHARACTER_SET,
        rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE,
        *key_digests.TAGS.values(),
    )
)
Observe = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Observation:
    """Study Instance UID, and digests of the data set and of the value of Pixel Data; empty where not readable.

    keys, original: as `wire.key_digests` makes them, of the data set and of what its correction kept.
    """

    study_instance_uid: str
    data_set_digest: str
    pixel_data_digest: str
    keys: Mapping[str, str] = field(default_factory=dict)
    original: Mapping[str, str] = field(default_factory=dict)


def observation(data: bytes, transfer_syntax_uid: str) -> Observation:
    """Return what can be noted of an encoded data set, whole or not."""
    digest = data_set.digest(data)
    try:
        whole = data_set.plain(data, transfer_syntax_uid)
        found = data_set.read_plain(whole, transfer_syntax_uid, _TAGS)
        values = found.values
        study = data_set.text(values, data_set.STUDY_INSTANCE_UID)
        corrected = rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE in values
        return Observation(
            study,
            digest,
            data_set.digest_at(whole, found.pixel_data),
            key_digests.of_values(values),
            key_digests.of_originals(data, transfer_syntax_uid) if corrected else {},
        )
    except NotDicom:
        return Observation("", digest, "")
