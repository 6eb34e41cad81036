"""Streams of PDUs, and ways to cut them, for tests that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from simulator.wire import pdu_builders
from simulator.wire.command_set import FIELDS, WITHOUT_DATA_SET, command_set
from simulator.wire.pdu_builders import Answered, Proposed, fragments, p_data
from simulator.wire.pdu_stream import Pdv

UID = "1.2.840.10008.5.1.4.1.1.2"
_PDUS = {
    "A-ASSOCIATE-RQ": pdu_builders.associate_rq(contexts=[Proposed(1, UID)]),
    "A-ASSOCIATE-AC": pdu_builders.associate_ac(contexts=[Answered(1)]),
    "A-RELEASE-RQ": pdu_builders.release_rq(),
    "A-RELEASE-RP": pdu_builders.release_rp(),
    "A-ABORT": pdu_builders.abort(),
}
MESSAGES = ("C-STORE-RQ", "C-ECHO-RQ", "C-STORE-RSP", "N-ACTION-RQ", "N-EVENT-REPORT-RQ", "C-ECHO-RSP")


@dataclass(frozen=True)
class Said:
    """One PDU or message: its kind, the size of its data set and how it is cut into PDVs."""

    kind: str
    size: int = 100
    maximum: int = 64

    def pdvs(self, number: int) -> list[Pdv]:
        """Return the PDVs of a message; its number is its message ID."""
        has_data_set = self.kind not in WITHOUT_DATA_SET
        values: dict[str, int | str | bytes] = {
            "affected_sop_class_uid": UID,
            "command_field": FIELDS[self.kind],
            "data_set_type": 1 if has_data_set else 0x0101,
            "message_id_being_responded_to" if self.kind.endswith("RSP") else "message_id": number,
        }
        if self.kind.endswith("RSP"):
            values["status"] = 0
        command = command_set(**values).encode()
        found = [*fragments(command, 1, command=True, maximum_length=self.maximum)]
        if has_data_set:
            data = bytes((number + at) % 251 for at in range(self.size))
            found += fragments(data, 1, command=False, maximum_length=self.maximum)
        return found


def built(said: Sequence[Said], together: Sequence[int] = (1,)) -> bytes:
    """Return the stream; `together`: how many PDVs stand in one P-DATA-TF, in turn."""
    out = bytearray()
    waiting: list[Pdv] = []
    turn = 0

    def flush(size: int) -> None:
        nonlocal turn
        while len(waiting) >= max(1, size):
            count = min(len(waiting), together[turn % len(together)])
            out.extend(p_data(waiting[:count]))
            del waiting[:count]
            turn += 1

    for number, one in enumerate(said, 1):
        if one.kind in _PDUS:
            flush(1)
            out += _PDUS[one.kind]
        else:
            waiting += one.pdvs(number)
            flush(max(together))
    flush(1)
    return bytes(out)


def a_stream(kinds: Sequence[str]) -> bytes:
    """Return a stream of these PDUs and messages."""
    return built([Said(kind) for kind in kinds])


def in_pieces(data: bytes, where: Sequence[int]) -> list[bytes]:
    """Return `data` cut at these places, taken modulo its length."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in where)})
    return [data[start:end] for start, end in pairwise(ends)] or [data]


cuts = st.lists(st.integers(0, 100_000), max_size=20)
dialogues = st.lists(
    st.builds(
        Said,
        kind=st.sampled_from((*_PDUS, *MESSAGES)),
        size=st.integers(1, 600),
        maximum=st.sampled_from((7, 32, 100, 400, 0)),
    ),
    max_size=8,
)
togethers = st.lists(st.integers(1, 4), min_size=1, max_size=3)
streams = st.builds(built, dialogues, togethers)
