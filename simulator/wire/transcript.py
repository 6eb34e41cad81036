"""What was said in a conversation, PDU by PDU and message by message (PS3.8 9.3, PS3.7 9.3). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from simulator.errors import NotDicom
from simulator.wire import pdu_facts
from simulator.wire.command_set import CommandSet
from simulator.wire.conversation import Conversation, Side
from simulator.wire.pdu_stream import MessageReader, Pdu, Pdv
from simulator.wire.pdu_walk import Area, Part, Walk
from simulator.wire.pdus import ASSOCIATE_AC, HEAD, MAXIMUM_ASSOCIATE

KEPT = 64 * 1024
"""So many bytes of a data set are kept, from the first on: what identifies it stands there, and its pixels do not."""

_KEPT_OF_DATA = 64  # of a P-DATA-TF with a fragment of a data set
_KEPT_OF_FOREIGN = 1024
_WITHIN_PDV = (Area.COMMAND, Area.FRAGMENT)


@dataclass(frozen=True, slots=True)
class SaidPdu:
    """A PDU, or bytes that are none (`kind` 0). at: seconds, when its last byte came. offset: of its first byte in
    what its side sent.

    raw: its bytes; of a P-DATA-TF with a fragment of a data set no more than the first 64, and of what is no PDU no
    more than 1024. length: of all of it, as its head announces it. missing: so many bytes of that never came.
    """

    at: float
    by: Side
    offset: int
    kind: int
    raw: bytes
    length: int
    missing: int = 0


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """A DIMSE message: its command set, and the first bytes of its data set, as far as they were kept.

    at: when its command set was whole. offset: of the PDU in which that begins. ended: when the last fragment came;
    None where it never did. fragments: so many bytes of data set came.
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
    """A DICOM conversation that was read: PDUs in the order of their ends, messages in that of their command sets.

    unreadable: why one side's bytes were no DICOM from somewhere on. malformed: what was wrong with PDVs and command
    sets, a sentence each; what comes behind them is read all the same.
    """

    conversation: Conversation
    pdus: tuple[SaidPdu, ...]
    messages: tuple[SaidMessage, ...]
    unreadable: str = ""
    malformed: tuple[str, ...] = ()


Said = SaidPdu | SaidMessage


def read(conversation: Conversation) -> Transcript:
    """Return what was said, as far as it is DICOM and has come."""
    if conversation.protocol != "DICOM":
        return Transcript(conversation, (), (), f"{conversation.protocol}, not DICOM")
    reading = Reading()
    said: list[Said] = []
    for segment in conversation.segments:
        for part in reading.walk(segment.by).feed(segment.data, segment.length):
            said += reading.take(segment.at, segment.by, part)
    said += reading.finish()
    pdus = [each for each in said if isinstance(each, SaidPdu)]
    messages = [each for each in said if isinstance(each, SaidMessage)]
    return Transcript(
        conversation,
        tuple(sorted(pdus, key=attrgetter("at"))),
        tuple(sorted(messages, key=attrgetter("at"))),
        reading.unreadable,
        reading.malformed,
    )


class Reading:
    """Reads both sides of a DICOM conversation while it goes on, by the parts that their walks yield."""

    def __init__(self) -> None:
        self._accepted: dict[int, str] = {}  # transfer syntaxes, by presentation context ID
        sides: tuple[Side, Side] = ("requestor", "acceptor")
        self._sides: Mapping[Side, _SideReader] = {side: _SideReader(side, self._accepted) for side in sides}

    @property
    def unreadable(self) -> str:
        """Why one side's bytes are no DICOM from somewhere on; of both, if neither's are."""
        return "; ".join(dict.fromkeys(words for each in self._sides.values() if (words := each.walk.unreadable)))

    @property
    def malformed(self) -> tuple[str, ...]:
        """What was wrong with PDVs and command sets, a sentence each."""
        return tuple(f"{side}: {words}" for side, each in self._sides.items() for words in each.walk.malformed)

    def walk(self, by: Side) -> Walk:
        """Return the walk through what a side says."""
        return self._sides[by].walk

    def take(self, at: float, by: Side, part: Part) -> Iterator[Said]:
        """Yield the PDU and the messages that end with a part of what a side said."""
        yield from self._sides[by].take(at, part)

    def unfinished(self, by: Side) -> SaidPdu | None:
        """Return as much as has come of the PDU that a side is saying, or of what is none; None between two."""
        return self._sides[by].unfinished()

    def finish(self) -> Iterator[Said]:
        """Yield what has begun and never ended."""
        for each in self._sides.values():
            yield from each.finish()


@dataclass(slots=True)
class _Pdu:
    """The PDU in hand."""

    offset: int
    raw: bytearray = field(default_factory=bytearray)
    came: int = 0
    limit: int = HEAD + MAXIMUM_ASSOCIATE  # of the bytes that are kept of it
    unkept: bool = False  # whether `raw` ends where bytes are missing

    def take(self, part: Part) -> None:
        self.came += part.length
        if part.area is Area.FRAGMENT:
            self.limit = _KEPT_OF_DATA
        elif part.area is Area.FOREIGN:
            self.limit = _KEPT_OF_FOREIGN
        if not self.unkept:
            self.raw += part.data[: max(0, self.limit - len(self.raw))]
            self.unkept = len(part.data) < part.length


@dataclass(slots=True)
class _Message:
    """The message whose data set comes now."""

    at: float
    offset: int
    context_id: int
    command: CommandSet
    transfer_syntax_uid: str
    data_set: bytearray = field(default_factory=bytearray)
    came: int = 0

    def take(self, part: Part) -> None:
        if self.came == len(self.data_set):  # nothing is missing so far
            self.data_set += part.data[: KEPT - len(self.data_set)]
        self.came += part.length


class _SideReader:
    """Reads one side."""

    def __init__(self, by: Side, accepted: dict[int, str]) -> None:
        self.walk = Walk()
        self._by = by
        self._accepted = accepted
        self._at = 0.0
        self._pdu = _Pdu(0)
        self._fragment = bytearray()  # of a command set
        self._commands = MessageReader()
        self._began = 0  # the PDU in which the command set in hand begins
        self._message: _Message | None = None
        self._is_stray = False

    def take(self, at: float, part: Part) -> Iterator[Said]:
        self._at = at
        self._pdu.take(part)
        found = list(self._within_pdv(part)) if part.area in _WITHIN_PDV else []
        if part.ends_pdu:
            yield self._ended_pdu()
        yield from found

    def unfinished(self) -> SaidPdu | None:
        return self._said(self._pdu) if self._pdu.came else None

    def finish(self) -> Iterator[Said]:
        if said := self.unfinished():
            yield said
        yield from self._close_message(None)

    def _said(self, pdu: _Pdu) -> SaidPdu:
        """Return a PDU, whole or not."""
        raw = bytes(pdu.raw[: pdu.limit])
        if self.walk.unreadable or not raw:
            return SaidPdu(self._at, self._by, pdu.offset, 0, raw, pdu.came)
        length = HEAD + int.from_bytes(raw[2:HEAD]) if len(raw) >= HEAD else HEAD
        return SaidPdu(self._at, self._by, pdu.offset, raw[0], raw, length, length - pdu.came)

    def _ended_pdu(self) -> SaidPdu:
        said = self._said(self._pdu)
        self._pdu = _Pdu(said.offset + said.length)
        if said.kind == ASSOCIATE_AC and not self._accepted:
            self._accepted |= pdu_facts.of_pdu(Pdu(said.raw))["transfer_syntaxes"]
        return said

    def _within_pdv(self, part: Part) -> Iterator[SaidMessage]:
        if part.area is Area.COMMAND:
            self._is_stray = False
            if not self._commands.in_command and not self._fragment:
                self._began = self._pdu.offset
            self._fragment += part.data[: MAXIMUM_ASSOCIATE - len(self._fragment)]
            if part.ends_pdv:
                yield from self._ended_command_fragment(part)
            return
        if self._commands.in_command:
            self.walk.malformed.append("a command set is cut off by a fragment of a data set")
            self._commands.read(Pdv(part.context_id, 0, b""))
        if self._message is None:
            if not self._is_stray:
                self.walk.malformed.append("a fragment of a data set comes without a message that has one")
            self._is_stray = True
            return
        self._message.take(part)
        if part.ends_pdv and part.last:
            yield from self._close_message(self._at)

    def _ended_command_fragment(self, part: Part) -> Iterator[SaidMessage]:
        fragment, self._fragment = bytes(self._fragment), bytearray()
        try:
            found = self._commands.read(Pdv(part.context_id, 1 + 2 * part.last, fragment))
        except NotDicom as error:
            self.walk.malformed.append(str(error))
            return
        if found is None:
            return
        yield from self._close_message(None)
        syntax = self._accepted.get(found.context_id, "")
        self._message = _Message(self._at, self._began, found.context_id, found.command, syntax)
        if not found.has_data_set:
            yield from self._close_message(self._at)

    def _close_message(self, ended: float | None) -> Iterator[SaidMessage]:
        message, self._message = self._message, None
        if message is not None:
            yield SaidMessage(
                message.at,
                self._by,
                message.offset,
                message.context_id,
                message.command,
                message.transfer_syntax_uid,
                bytes(message.data_set),
                message.came,
                ended,
            )
