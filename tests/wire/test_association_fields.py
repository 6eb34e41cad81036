"""What A-ASSOCIATE-RQ and -AC say, and where each of it stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import association_fields, pdu_builders
from simulator.wire.pdu_builders import Answered, Proposed, item
from tests.wire.made import steady

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
ROLE = item(0x54, len(CT).to_bytes(2) + CT.encode() + b"\0\1")
VERSION_NAME = item(0x55, b"SIMULATED_1")
RQ = pdu_builders.associate_rq(
    called_ae_title="GATEWAY",
    calling_ae_title="CT01",
    contexts=[Proposed(1, CT, (EXPLICIT, IMPLICIT)), Proposed(3, MR)],
    maximum_length=32768,
    user_items=ROLE + VERSION_NAME,
)
AC = pdu_builders.associate_ac(contexts=[Answered(1, EXPLICIT), Answered(3, "", 3)])


def test_a_request_is_read_with_its_places() -> None:
    said = association_fields.read(RQ)
    assert (said.called, said.calling) == (b"GATEWAY".ljust(16), b"CT01".ljust(16))
    assert (said.protocol_version, said.maximum_length) == (1, 32768)
    assert said.application_context_name == "1.2.840.10008.3.1.1.1"
    offered = [(each.context_id, each.abstract_syntax_uid, each.transfer_syntax_uids) for each in said.offers]
    assert offered == [(1, CT, (EXPLICIT, IMPLICIT)), (3, MR, (IMPLICIT,))]
    assert RQ[said.offers[1].at.start : said.offers[1].at.end] == item(0x20, said.offers[1].at.content)
    assert [(each.sop_class_uid, each.scu, each.scp) for each in said.roles] == [(CT, False, True)]
    assert RQ[said.roles[0].at.start : said.roles[0].at.end] == ROLE
    assert said.implementation_version_name == "SIMULATED_1"
    assert said.implementation_class_uid == pdu_builders.IMPLEMENTATION_CLASS_UID
    assert said.answers == ()


def test_an_acceptance_is_read_with_its_places() -> None:
    said = association_fields.read(AC)
    answered = [(each.context_id, each.result, each.transfer_syntax_uid) for each in said.answers]
    assert answered == [(1, 0, EXPLICIT), (3, 3, "")]
    assert AC[said.answers[1].at.start + 6] == 3
    assert not said.offers
    assert not said.roles


@steady
@given(st.integers(0, len(RQ)), st.binary(max_size=40))
def test_it_reads_as_far_as_items_are_whole(until: int, further: bytes) -> None:
    """Whatever is cut off, or stands there instead."""
    said = association_fields.read(RQ[:until] + further)
    assert len(said.offers) <= 4


def test_of_nothing_it_reads_nothing() -> None:
    said = association_fields.read(b"")
    assert (said.called, said.offers, said.maximum_length, said.application_context_name) == (b"", (), None, "")
