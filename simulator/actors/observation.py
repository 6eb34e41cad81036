"""What an actor notes of an instance: whose study it is, and digests that prove what was sent or received."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.errors import NotDicom
from simulator.events import Event
from simulator.wire import data_set

Observe = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Observation:
    """Study Instance UID, and SHA-256 of the data set and of the value of Pixel Data; empty where not readable."""

    study_instance_uid: str
    data_set_digest: str
    pixel_data_digest: str


def observation(data: bytes, transfer_syntax_uid: str) -> Observation:
    """Return what can be noted of an encoded data set, whole or not."""
    digest = data_set.digest(data)
    try:
        values = data_set.read(data, transfer_syntax_uid, {data_set.STUDY_INSTANCE_UID})
        study = data_set.text(values, data_set.STUDY_INSTANCE_UID)
        return Observation(study, digest, data_set.pixel_data_digest(data, transfer_syntax_uid))
    except NotDicom:
        return Observation("", digest, "")
