"""Brings an instance to an uncompressed transfer syntax, for a destination that does not take the one it is held in."""

from __future__ import annotations

from dataclasses import replace

from simulator.wire import data_set
from simulator.wire.decompression import decompressed
from simulator.wire.reencoding import reencoded
from simulator.wire.terms import Outgoing

UNCOMPRESSED = (data_set.EXPLICIT_VR_LITTLE_ENDIAN, data_set.IMPLICIT_VR_LITTLE_ENDIAN)
"""What an instance can be brought to, the better one first: explicit says more of private elements."""


def transcoded(held: Outgoing, transfer_syntax_uid: str) -> Outgoing:
    """Return the instance in one of the `UNCOMPRESSED` syntaxes; its values and samples are the same.

    Raises `NotDicom` when that is not possible, saying why.
    """
    source = held.transfer_syntax_uid
    whole = data_set.plain(held.data_set, source)
    if source == data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        source = data_set.EXPLICIT_VR_LITTLE_ENDIAN
    changes = {} if source in data_set.NATIVE else decompressed(whole, source)
    data = reencoded(whole, source, transfer_syntax_uid, changes)
    return replace(held, transfer_syntax_uid=transfer_syntax_uid, data_set=data)
