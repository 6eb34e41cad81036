"""Looks at every fragment of a DIMSE message before pynetdicom puts the message together (PS3.8 E.1).

The library joins whatever comes: fragments of two messages become one, a data set is read in the context of its command
set whichever it came in, and what follows a whole message in the same P-DATA-TF is lost.
"""

from __future__ import annotations

from typing import Any

from pynetdicom.pdu_primitives import P_DATA

from simulator.wire.incidents import hexadecimal
from simulator.wire.pdus import Fault

# PS3.5 7.1: a value has 32 bits of length, and no object that a modality sends comes near it.
MAXIMUM_MESSAGE = 2**31
_COMMAND = 0x01  # of the message control header (PS3.8 E.2)


class Reassembly:
    """The messages that come on one association; `size`: bytes of the one that is not whole yet."""

    def __init__(self, dimse: Any) -> None:
        self.size = 0
        self._dimse = dimse
        self._receive = dimse.receive_primitive
        self._context_id = 0

    def take(self, primitive: Any) -> Fault | None:
        """Take in the PDVs of one P-DATA-TF; return what is wrong with the first that is not taken."""
        for context_id, value in primitive.presentation_data_value_list:
            fault = self._out_of_order(context_id, value) or self._taken(context_id, value)
            if fault is not None:
                return fault
        return None

    def _out_of_order(self, context_id: int, value: bytes) -> Fault | None:
        message, is_command = self._dimse.message, bool(value[0] & _COMMAND)
        if message is None:
            self._context_id = context_id
            if not is_command:
                return _malformed("a fragment of a data set, and no command set before it", value)
        elif context_id != self._context_id:
            words = f"a fragment in presentation context {context_id} of a message in context {self._context_id}"
            return _malformed(words, value)
        elif is_command and message.context_id is not None:  # the library knows it from the end of the command set on
            return _malformed("a command set before the data set of the message before it has ended", value)
        elif not is_command and message.context_id is None:
            return _malformed("a fragment of a data set before the command set has ended", value)
        return None

    def _taken(self, context_id: int, value: bytes) -> Fault | None:
        self.size += len(value) - 1
        if self.size > MAXIMUM_MESSAGE:
            return Fault("dimse.too-long", f"a message of more than {MAXIMUM_MESSAGE} bytes")
        alone = P_DATA()
        alone.presentation_data_value_list.append((context_id, value))
        try:
            self._receive(alone)
        except Exception as error:  # noqa: BLE001 - whatever the library raises, the peer's bytes were the reason
            return _malformed(f"the command set cannot be read: {error!r}", value)
        if self._dimse.message is None:
            self.size = 0
        return None


def _malformed(words: str, value: bytes) -> Fault:
    return Fault("dimse.malformed", f"{words} ({hexadecimal(value)})")
