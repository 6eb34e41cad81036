"""What was said in a conversation, PDU by PDU and message by message (PS3.8 9.3, PS3.7 9.3). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.wire.command_set import CommandSet
from simulator.wire.conversation import Conversation, Side


@dataclass(frozen=True, slots=True)
class SaidPdu:
    """A PDU, or bytes that are none (`kind` 0). at: seconds. offset: of its first byte in what its side sent.

    raw: its bytes; of a P-DATA-TF with a fragment of a data set, no more than the first 64. length: of all of it.
    """

    at: float
    by: Side
    offset: int
    kind: int
    raw: bytes
    length: int


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """A DIMSE message: its command set, and the first bytes of its data set, as far as they were kept.

    ended: when the last fragment came; None where it never did. fragments: so many bytes of data set came.
    transfer_syntax_uid: of its presentation context, empty where that was not accepted.
    """

    at: float
    by: Side
    offset: int
    context_id: int
    command: CommandSet
    transfer_syntax_uid: str = ""
    data_set: bytes = b""
    fragments: int = 0
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A DICOM conversation that was read. unreadable: why one side's bytes were no DICOM from somewhere on."""

    conversation: Conversation
    pdus: tuple[SaidPdu, ...]
    messages: tuple[SaidMessage, ...]
    unreadable: str = ""
