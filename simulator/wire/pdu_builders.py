"""PDUs built as bytes (PS3.8 9.3), every field settable, also to what the standard forbids."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simulator.wire.command_set import CommandSet
from simulator.wire.pdu_stream import Pdu, Pdv
from simulator.wire.pdus import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, HEAD, P_DATA_TF, RELEASE_RP, RELEASE_RQ

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
# Said by peers that are played from a script (PS3.7 D.3.3.2).
IMPLEMENTATION_CLASS_UID = "2.25.316471893226045293846018476511983514212"
_FIXED = 68  # bytes of A-ASSOCIATE-RQ and -AC between the head and the first item
_ITEM = struct.Struct(">BBH")


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context item of A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...] = (IMPLICIT_VR_LITTLE_ENDIAN,)


@dataclass(frozen=True, slots=True)
class Answered:
    """A presentation context item of A-ASSOCIATE-AC (PS3.8 9.3.3.2): `result` 0 is acceptance."""

    context_id: int
    transfer_syntax_uid: str = IMPLICIT_VR_LITTLE_ENDIAN
    result: int = 0


def pdu(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return a PDU of any type; `length` only to announce a wrong one."""
    return struct.pack(">BBL", kind, 0, len(content) if length is None else length) + content


def associate_rq(
    *,
    called_ae_title: str = "HAGATEWAY",
    calling_ae_title: str = "RAWPEER",
    contexts: Sequence[Proposed],
    protocol_version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
    maximum_length: int = 16384,
    user_items: bytes = b"",
) -> bytes:
    """Return an A-ASSOCIATE-RQ; `user_items` are further sub-items of the user information, as bytes."""
    proposed = b"".join(
        item(0x20, bytes((c.context_id, 0, 0, 0)) + _uid(0x30, c.abstract_syntax_uid) + _uids(c.transfer_syntax_uids))
        for c in contexts
    )
    titles = _title(called_ae_title) + _title(calling_ae_title)
    return _associate(ASSOCIATE_RQ, protocol_version, titles, application_context, proposed, maximum_length, user_items)


def associate_ac(
    *,
    called_ae_title: str = "HAGATEWAY",
    calling_ae_title: str = "RAWPEER",
    contexts: Sequence[Answered],
    protocol_version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
    maximum_length: int = 16384,
    user_items: bytes = b"",
) -> bytes:
    """Return an A-ASSOCIATE-AC; the AE titles are sent back as they came (PS3.8 9.3.3)."""
    answered = b"".join(
        item(0x21, bytes((c.context_id, 0, c.result, 0)) + _uid(0x40, c.transfer_syntax_uid)) for c in contexts
    )
    titles = _title(called_ae_title) + _title(calling_ae_title)
    return _associate(ASSOCIATE_AC, protocol_version, titles, application_context, answered, maximum_length, user_items)


def associate_rj(*, result: int = 1, source: int = 1, reason: int = 1) -> bytes:
    """Return an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return pdu(ASSOCIATE_RJ, bytes((0, result, source, reason)))


def release_rq() -> bytes:
    """Return an A-RELEASE-RQ (PS3.8 9.3.6)."""
    return pdu(RELEASE_RQ, bytes(4))


def release_rp() -> bytes:
    """Return an A-RELEASE-RP (PS3.8 9.3.7)."""
    return pdu(RELEASE_RP, bytes(4))


def abort(*, source: int = 0, reason: int = 0) -> bytes:
    """Return an A-ABORT (PS3.8 9.3.8); source 0 is the service-user, 2 the service-provider."""
    return pdu(ABORT, bytes((0, 0, source, reason)))


def p_data(pdvs: Iterable[Pdv], length: int | None = None) -> bytes:
    """Return a P-DATA-TF of these PDVs."""
    return pdu(P_DATA_TF, b"".join(map(_pdv, pdvs)), length)


def fragments(data: bytes, context_id: int, *, command: bool, maximum_length: int = 16384) -> Iterator[Pdv]:
    """Yield a command set or data set as PDVs for a peer that takes PDUs of `maximum_length` bytes (0: any)."""
    size = maximum_length - 6 if maximum_length else max(1, len(data))
    for at in range(0, max(1, len(data)), size):
        last = at + size >= len(data)
        yield Pdv(context_id, command + 2 * last, data[at : at + size])


def message(context_id: int, command: CommandSet, data_set: bytes = b"", *, maximum_length: int = 16384) -> bytes:
    """Return a DIMSE message as PDUs of one PDV each; the data set goes along when there is any."""
    parts = [*fragments(command.encode(), context_id, command=True, maximum_length=maximum_length)]
    if data_set:
        parts += fragments(data_set, context_id, command=False, maximum_length=maximum_length)
    return b"".join(p_data([part]) for part in parts)


def item(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return an item or sub-item of the association PDUs; `length` only to announce a wrong one."""
    return _ITEM.pack(kind, 0, len(content) if length is None else length) + content


def items(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the items in `content`, as far as they are whole."""
    at = 0
    while len(content) - at >= _ITEM.size:
        kind, _, length = _ITEM.unpack_from(content, at)
        yield kind, content[at + 4 : at + 4 + length]
        at += 4 + length


def proposed_in(request: Pdu) -> list[Proposed]:
    """Return the presentation contexts of an A-ASSOCIATE-RQ."""
    found = []
    for kind, content in items(request.raw[HEAD + _FIXED :]):
        if kind == 0x20 and content:
            inner = [(k, value.rstrip(b"\0 ").decode("latin-1")) for k, value in items(content[4:])]
            abstract = next((uid for k, uid in inner if k == 0x30), "")
            found.append(Proposed(content[0], abstract, tuple(uid for k, uid in inner if k == 0x40)))
    return found


def titles_in(request: Pdu) -> tuple[str, str]:
    """Return the called and the calling AE title of an A-ASSOCIATE-RQ or -AC, without padding."""
    called, calling = request.raw[10:26], request.raw[26:42]
    return called.strip(b"\0 ").decode("latin-1"), calling.strip(b"\0 ").decode("latin-1")


def _associate(
    kind: int, version: int, titles: bytes, application: str, contexts: bytes, maximum_length: int, user_items: bytes
) -> bytes:
    user = item(0x51, struct.pack(">L", maximum_length)) + _uid(0x52, IMPLEMENTATION_CLASS_UID) + user_items
    fixed = struct.pack(">HH", version, 0) + titles + bytes(32)
    return pdu(kind, fixed + _uid(0x10, application) + contexts + item(0x50, user))


def _title(text: str) -> bytes:
    return text.encode("latin-1", "replace").ljust(16)[:16]


def _uid(kind: int, uid: str) -> bytes:
    return item(kind, uid.encode("latin-1", "replace"))


def _uids(uids: Iterable[str]) -> bytes:
    return b"".join(_uid(0x40, uid) for uid in uids)


def _pdv(pdv: Pdv) -> bytes:
    return struct.pack(">LBB", len(pdv.fragment) + 2, pdv.context_id, pdv.control) + pdv.fragment
