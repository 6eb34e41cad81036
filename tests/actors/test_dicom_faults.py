"""Faults on streams of PDUs, without a socket: each hits its message, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.actors.dicom_faults import DicomReader
from simulator.actors.effects import Answer, Blind, Effect, End, Injected, Pace, Pass, Reader, Tally, Wait
from simulator.actors.hl7_faults import Hl7Reader
from simulator.errors import NotDicom
from simulator.wire.command_set import (
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    STATUS,
    WITHOUT_DATA_SET,
    CommandSet,
    command_set,
)
from simulator.wire.faults import PDU_KINDS, Fault
from simulator.wire.pdu_builders import abort, message, p_data, release_rq
from simulator.wire.pdu_stream import MessageReader, Pdu, PduStream
from simulator.wire.pdus import P_DATA_TF
from tests.wire.made import steady
from tests.wire.streams import Said, a_stream, built, cuts, dialogues, in_pieces, streams, togethers


@dataclass
class Done:
    """What a reader said is to be done; `passed` is what went on, up to each of the other effects."""

    passed: bytearray = field(default_factory=bytearray)
    others: list[tuple[int, Effect]] = field(default_factory=list)
    ended: bool = False

    def of(self, kind: type[Effect]) -> list[Effect]:
        return [effect for _, effect in self.others if isinstance(effect, kind)]


def carried_out(reader: Reader, pieces: Sequence[bytes]) -> Done:
    done = Done()
    for effects in (*(reader.feed(memoryview(piece)) for piece in pieces), reader.finish()):
        for effect in effects:
            if isinstance(effect, Pass):
                done.passed += effect.data
            else:
                done.others.append((len(done.passed), effect))
            if isinstance(effect, End):
                return done
    return done


@dataclass(frozen=True)
class Spoken:
    """A PDU or message as its receiver understands it."""

    kind: str
    command: CommandSet | None = None
    data_set: bytes = b""


def spoken(data: bytes) -> list[Spoken]:
    """Return what a stream says; bytes that do not make a whole message are none."""
    stream, reader = PduStream(whole=True), MessageReader()
    found: list[Spoken] = []
    command: CommandSet | None = None
    fragments: list[bytes] = []
    for part in stream.feed(data):
        assert isinstance(part, Pdu)
        if part.kind != P_DATA_TF:
            found.append(Spoken(part.name))
            continue
        for pdv in part.pdvs():
            try:
                whole = reader.read(pdv)
            except NotDicom:
                found.append(Spoken("garbled"))
                continue
            if whole is not None:
                command, fragments = whole.command, []
            elif not pdv.is_command:
                fragments.append(pdv.fragment)
            if command is not None and pdv.is_last and not (pdv.is_command and command.has_data_set):
                found.append(Spoken(command.kind, command, b"".join(fragments)))
    return found


@steady
@given(streams, cuts)
def test_without_a_fault_every_byte_passes(data: bytes, where: list[int]) -> None:
    done = carried_out(DicomReader(Tally([]), 0), in_pieces(data, where))
    assert done.passed == data
    assert done.others == []


@steady
@given(streams, cuts)
def test_a_fault_whose_message_does_not_come_changes_nothing(data: bytes, where: list[int]) -> None:
    tally = Tally([Fault.parse("C-STORE-RQ#100", "abort")])
    done = carried_out(DicomReader(tally, 0), in_pieces(data, where))
    assert done.passed == data
    assert [str(fault) for fault in tally.pending()] == ["abort at C-STORE-RQ#100"]


Faulty = tuple[list[Said], int, Fault, bytes]
DOS = ("abort", "drop rst", "delay 2s", "garbage", "half-pdu", "slow 10KB/s", "status A700", "truncate")


def possible(kind: str, do: str) -> bool:
    """Tell whether this can be done to a message of this kind."""
    if do.startswith("status"):
        return kind not in PDU_KINDS
    return do != "truncate" or kind not in (*PDU_KINDS, *WITHOUT_DATA_SET)


@st.composite
def faulty(draw: st.DrawFn, do: str) -> Faulty:
    """A dialogue, one of its messages, a fault at it, and the stream."""
    said = draw(dialogues.filter(lambda some: any(possible(one.kind, do) for one in some)))
    which = draw(st.sampled_from([number for number, one in enumerate(said) if possible(one.kind, do)]))
    kind = said[which].kind
    fault = Fault.parse(f"{kind}#{[one.kind for one in said[: which + 1]].count(kind)}", do)
    return said, which, fault, built(said, draw(togethers))


@pytest.mark.parametrize("do", DOS)
@steady
@given(st.data(), cuts)
def test_a_fault_hits_its_message_and_nothing_else(do: str, draws: st.DataObject, where: list[int]) -> None:
    case = draws.draw(faulty(do))
    said, which, fault, data = case
    done = carried_out(DicomReader(Tally([fault]), 7), in_pieces(data, where))
    was, became = spoken(data), spoken(bytes(done.passed))
    assert len(was) == len(said)
    (injected,) = done.of(Injected)
    assert isinstance(injected, Injected)
    assert injected.fault == fault
    assert len(spoken(data[: injected.offset])) <= which
    hurt = was[which]
    verb, before, after = str(fault.do).split(" ")[0], was[:which], was[which + 1 :]
    if verb in ("abort", "drop"):
        assert spoken(bytes(done.passed)) == before
        assert [type(effect) for _, effect in done.others] == [Injected, End]
    elif verb in ("delay", "slow"):
        assert became == was
        ((at, effect),) = [(at, effect) for at, effect in done.others if isinstance(effect, Wait | Pace)]
        assert effect in (Wait(2.0), Pace(10_000))
        assert spoken(bytes(done.passed[:at])) == before
    elif verb == "half-pdu":
        assert became == before
        assert begun(bytes(done.passed))
    elif verb == "status" and hurt.kind.endswith("-RQ"):
        assert became == before + after
        (answer,) = done.of(Answer)
        assert isinstance(answer, Answer)
        (response,) = spoken(answer.data)
        assert response.kind == hurt.kind.replace("-RQ", "-RSP")
        assert response.command is not None
        assert hurt.command is not None
        assert response.command.number(STATUS) == 0xA700
        assert response.command.number(MESSAGE_ID_BEING_RESPONDED_TO) == hurt.command.number(MESSAGE_ID)
    elif verb == "status":
        assert hurt.command is not None
        changed = Spoken(hurt.kind, hurt.command.but(status=0xA700), hurt.data_set)
        assert became == [*before, changed, *after]
    elif verb == "truncate":
        assert became == [*before, Spoken(hurt.kind, hurt.command, hurt.data_set[: len(hurt.data_set) // 2]), *after]
    else:
        assert verb == "garbage"
        assert became[:which] == before
        assert became[which + 1 :] == after
        garbled = became[which]
        assert (garbled.kind == hurt.kind) or hurt.kind in WITHOUT_DATA_SET
        assert len(garbled.data_set) == len(hurt.data_set)
        assert garbled.data_set[256:] == hurt.data_set[256:]
        assert garbled.data_set != hurt.data_set or not hurt.data_set


def begun(data: bytes) -> bytes:
    """Return the bytes of the PDU with which a stream stops."""
    stream = PduStream(whole=True)
    assert all(isinstance(part, Pdu) for part in stream.feed(data))
    return stream.rest()


def test_what_a_direction_says_of_its_own_stands_between_two_pdus() -> None:
    """A fragment of a data set is in hand: the answer waits for its end, also when the peer sends without pause."""
    command, *data = Said("C-STORE-RQ", 5000, 1000).pdvs(1)
    stream = b"".join(p_data([pdv]) for pdv in (command, *data))
    reader = DicomReader(Tally([]), 0)
    done = carried_out_partly(reader, stream[:600])
    assert list(reader.insert(release_rq())) == []
    done += carried_out_partly(reader, stream[600:])
    assert [one.kind for one in spoken(done)] == ["A-RELEASE-RQ", "C-STORE-RQ"]
    assert len(done) == len(stream) + len(release_rq())
    assert [bytes(effect.data) for effect in reader.insert(abort()) if isinstance(effect, Pass)] == [abort()]


def carried_out_partly(reader: Reader, piece: bytes) -> bytes:
    return b"".join(bytes(effect.data) for effect in reader.feed(memoryview(piece)) if isinstance(effect, Pass))


def test_two_messages_of_one_pdu_are_told_apart() -> None:
    first, second = Said("C-ECHO-RQ", maximum=0).pdvs(1), Said("C-ECHO-RQ", maximum=0).pdvs(2)
    tally = Tally([Fault.parse("C-ECHO-RQ#2", "status 0122")])
    done = carried_out(DicomReader(tally, 0), [p_data([*first, *second])])
    assert bytes(done.passed) == p_data(first)
    assert len(done.of(Answer)) == 1


def test_the_same_seed_gives_the_same_garbage() -> None:
    data = a_stream(["C-STORE-RQ"])

    def garbled(seed: int) -> bytes:
        tally = Tally([Fault.parse("C-STORE-RQ#1", "garbage")])
        return bytes(carried_out(DicomReader(tally, seed), [data]).passed)

    assert garbled(1) == garbled(1)
    assert garbled(1) != garbled(2)


def test_messages_are_counted_over_directions_and_connections() -> None:
    tally = Tally([Fault.parse("C-STORE-RQ#3", "status A700")])
    readers = [DicomReader(tally, 0) for _ in range(3)]
    answered = [len(carried_out(reader, [a_stream(["C-STORE-RQ"])]).of(Answer)) for reader in readers]
    assert answered == [0, 0, 1]
    assert tally.seen("C-STORE-RQ") == 3
    assert tally.pending() == ()


def test_one_message_has_one_fault() -> None:
    with pytest.raises(ValueError, match="two faults at C-STORE-RQ#1"):
        Tally([Fault.parse("C-STORE-RQ#1", "drop"), Fault.parse("C-STORE-RQ#1", "abort")])


def test_a_data_set_that_is_missing_cannot_be_cut_and_it_is_said() -> None:
    bare = command_set(command_field=0x0001, message_id=2, data_set_type=0x0101)
    stream = p_data(Said("C-ECHO-RQ", maximum=0).pdvs(1)) + message(1, bare)
    done = carried_out(DicomReader(Tally([Fault.parse("C-STORE-RQ#1", "truncate")]), 0), [stream])
    assert [one.kind for one in spoken(bytes(done.passed))] == ["C-ECHO-RQ", "C-STORE-RQ"]
    (injected,) = done.of(Injected)
    assert isinstance(injected, Injected)
    assert injected.done == "nothing: the message has no data set"


def test_tls_passes_and_is_said_to_be_unreadable() -> None:
    hello = b"\x16\x03\x01\x00\xa5" + bytes(165)
    done = carried_out(DicomReader(Tally([Fault.parse("A-ASSOCIATE-RQ#1", "drop")]), 0), [hello[:3], hello[3:], hello])
    assert done.passed == hello + hello
    assert done.of(Blind) == [Blind("TLS: what is inside cannot be read")]
    assert len(done.others) == 1


# --- HL7 ---------------------------------------------------------------------------------------------

frames = st.lists(st.binary(max_size=30).map(lambda b: bytes(c for c in b if c >= 0x20)), max_size=6)


HL7_DOS = ("drop", "delay 1s", "garbage", "half-frame", "slow 1KB/s")


def mllp(messages: Sequence[bytes]) -> bytes:
    return b"".join(b"\x0b" + message + b"\x1c\r" for message in messages)


@steady
@given(frames, cuts)
def test_without_a_fault_every_byte_of_hl7_passes(messages: list[bytes], where: list[int]) -> None:
    data = mllp(messages) + b"no frame \x0b never ended"
    tally = Tally([])
    assert carried_out(Hl7Reader(tally, "HL7", 0), in_pieces(data, where)).passed == data
    assert tally.seen("HL7") == len(messages) + 1


@steady
@given(
    frames.filter(bool), cuts, st.sampled_from(("drop", "delay 1s", "garbage", "half-frame", "slow 1KB/s")), st.data()
)
def test_a_fault_hits_its_hl7_message_and_nothing_else(
    messages: list[bytes], where: list[int], do: str, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(messages) - 1))
    fault = Fault.parse(f"HL7#{which + 1}", do)
    done = carried_out(Hl7Reader(Tally([fault]), "HL7", 3), in_pieces(mllp(messages), where))
    passed, before = bytes(done.passed), mllp(messages[:which])
    (injected,) = done.of(Injected)
    assert isinstance(injected, Injected)
    assert injected.offset == len(before)
    if do == "drop":
        assert passed == before
        assert done.of(End) == [End("fin")]
    elif do == "half-frame":
        frame = mllp(messages[which : which + 1])
        assert passed == before + frame[: len(frame) // 2]
    elif do == "garbage":
        assert len(passed) == len(mllp(messages))
        assert passed.startswith(before)
        assert passed.endswith(mllp(messages[which + 1 :]))
        assert passed.count(b"\x0b") == len(messages)
    else:
        assert passed == mllp(messages)
        assert [at for at, effect in done.others if isinstance(effect, Wait | Pace)] == [len(before)]
