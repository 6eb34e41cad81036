"""Presentation contexts that one side does not offer or take, and what DIMSE messages are answered."""

from __future__ import annotations

import pytest

from simulator.certify.diagnosis import diagnose
from simulator.events import DispatchChanged, InstanceRefused
from simulator.wire import pdu_builders
from simulator.wire.pdu_builders import Answered, Proposed
from tests.certify.diagnosed import check
from tests.certify.scenes import (
    COMMITMENT,
    CT,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    MR,
    VERIFICATION,
    Case,
    Talking,
    called,
    declaration,
    echoed,
    images,
    scene,
    sent,
)

MPEG_2 = "1.2.840.10008.1.2.4.100"
ADVANCED = declaration(transfer_syntaxes=["ExplicitVRLittleEndian", "JPEG2000Lossless"])


def abandoned(*contexts: Proposed, answers: tuple[Answered, ...] = ()) -> Talking:
    """Return an association that the system aborts as soon as it is accepted."""
    talk = Talking(after=30.0).asks(*contexts).accepts(*answers)
    return talk.says("requestor", pdu_builders.abort()).ends("requestor")


def refused(status: int, comment: str) -> Talking:
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts()
    return talk.stores(images()[0], status, comment).releases()


def answered(status: int | None, comment: str = "") -> Talking:
    talk = called().asks(Proposed(1, CT, (EXPLICIT,))).accepts()
    talk.stores(images()[0], status, comment)
    return talk.releases() if status is not None else talk.says("requestor", pdu_builders.abort(), wait=30.0)


def status_bytes(status: int) -> bytes:
    return status.to_bytes(2, "little")


def syntax_item(uid: str) -> bytes:
    return pdu_builders.item(0x40, uid.encode())


def class_item(uid: str) -> bytes:
    return pdu_builders.item(0x30, uid.encode())


CASES = (
    Case(
        "context.class-not-offered",
        scene("study", [Talking().asks(Proposed(1, MR, (EXPLICIT,))).accepts().releases()]),
        "A presentation context for CT Image Storage.",
        "Presentation contexts for MR Image Storage.",
        "not switched on for this node",
        (class_item(MR) + syntax_item(EXPLICIT),),
    ),
    Case(
        "context.class-not-supported",
        scene("study", [abandoned(Proposed(1, CT), answers=(Answered(1, "", 3),))]),
        "A class of the gateway's list",
        "CT Image Storage was refused (result 3, abstract syntax not supported).",
        "The slide does not have the class",
        (class_item(CT) + syntax_item(IMPLICIT), b"\3"),
    ),
    Case(
        "context.syntax-not-offered",
        scene("study", [abandoned(Proposed(1, CT, (MPEG_2,)), answers=(Answered(1, "", 4),))]),
        "Implicit or Explicit VR Little Endian",
        "CT Image Storage in MPEG2 Main Profile / Main Level (1.2.840.10008.1.2.4.100) "
        "(result 4, transfer syntaxes not supported).",
        "Implicit VR Little Endian must be offered",
        (class_item(CT) + syntax_item(MPEG_2), b"\4"),
    ),
    Case(
        "context.syntax-missing",
        scene("study", [sent(images())], met=True, declared=ADVANCED),
        "CT Image Storage in JPEG2000Lossless too.",
        "CT Image Storage in Explicit VR Little Endian (1.2.840.10008.1.2.1), Implicit VR Little Endian",
        "or the site file says more than CT01 does",
    ),
    Case(
        "context.class-refused-by-system",
        scene(
            "preflight",
            [
                called()
                .asks(Proposed(1, VERIFICATION), Proposed(3, CT), Proposed(5, MR))
                .accepts(Answered(1), Answered(3), Answered(5, "", 3))
                .echoes()
                .releases()
            ],
            system="PACS",
        ),
        "PACS accepts the classes that are declared",
        "MR Image Storage was refused (result 3, abstract syntax not supported).",
        "not for the caller HAGATEWAY",
        (class_item(MR) + syntax_item(IMPLICIT), b"\3"),
        name="class",
    ),
    Case(
        "context.class-refused-by-system",
        scene(
            "preflight",
            [called().asks(Proposed(1, VERIFICATION)).accepts(Answered(1, "", 1)).releases()],
            system="PACS",
        ),
        "and Verification (PS3.4 Annex A)",
        "Verification SOP Class was refused (result 1, user rejection).",
        "",
        (class_item(VERIFICATION) + syntax_item(IMPLICIT), b"\1"),
        name="verification",
    ),
    Case(
        "context.syntax-refused-by-system",
        scene(
            "receive",
            [
                called()
                .asks(Proposed(1, CT, (EXPLICIT,)), Proposed(3, CT))
                .accepts(Answered(1, "", 4), Answered(3, "", 4))
                .releases()
            ],
            system="PACS",
        ),
        "PACS accepts Implicit VR Little Endian at least",
        "CT Image Storage in Explicit VR Little Endian (1.2.840.10008.1.2.1), Implicit VR Little Endian "
        "(1.2.840.10008.1.2) was refused (result 4",
        "list of accepted transfer syntaxes is too short",
        (class_item(CT) + syntax_item(EXPLICIT), b"\4"),
    ),
    Case(
        "context.wrong-syntax-answered",
        scene(
            "receive",
            [called().asks(Proposed(1, CT, (EXPLICIT,))).accepts(Answered(1, JPEG_2000)).releases()],
            system="PACS",
        ),
        "Presentation context 1 (CT Image Storage) in one of: Explicit VR Little Endian",
        "It was accepted in JPEG 2000 Image Compression (Lossless Only) (1.2.840.10008.1.2.4.90).",
        "its own favourite",
        (syntax_item(JPEG_2000),),
    ),
    Case(
        "echo-works-store-fails",
        scene("study", [echoed()]),
        "A C-STORE request for CT Image Storage.",
        "C-ECHO was answered 0000; after the C-ECHO no other association came.",
        "Storing is set up apart from the echo",
        name="nothing-more",
    ),
    Case(
        "echo-works-store-fails",
        scene("study", [echoed(), abandoned(Proposed(1, VERIFICATION))]),
        "",
        "one more association came, and proposed Verification SOP Class alone.",
        "",
        (class_item(VERIFICATION) + syntax_item(IMPLICIT),),
        name="no-storage",
    ),
    Case(
        "echo-works-store-fails",
        scene("study", [echoed(), Talking(after=30.0).asks(Proposed(1, CT, (EXPLICIT,))).accepts().releases()]),
        "",
        "one association for images was accepted, and ended before a C-STORE request.",
        "",
        (class_item(CT) + syntax_item(EXPLICIT),),
        name="no-request",
    ),
    Case(
        "store.refused",
        scene("study", [refused(0xA900, "Modality (0008,0060) is not of the SOP class")]),
        "C-STORE-RSP with status 0000.",
        "Status A900 (data set does not match SOP class) for an instance of CT Image Storage; Error Comment "
        '(0000,0902): "Modality (0008,0060) is not of the SOP class".',
        "the Error Comment names the attribute",
        (status_bytes(0xA900),),
        name="bytes",
    ),
    Case(
        "store.refused",
        scene(
            "study",
            [Talking(acceptor=("192.0.2.1", 2762)).says("requestor", b"\x17\x03\x03\x00\x04abcd").ends("acceptor")],
            [
                InstanceRefused(
                    observer="gateway",
                    study_instance_uid="1.2",
                    sop_instance_uid="1.2.3",
                    sop_class_uid=CT,
                    calling_ae_title="CT01",
                    status="C000",
                    error_comment="",
                    kept_as="",
                )
            ],
            declared=declaration(tls=True),
        ),
        "",
        "Status C000 (cannot understand) for an instance of CT Image Storage; no Error Comment",
        "",
        name="tls",
    ),
    Case(
        "store.refused-by-system",
        scene("receive", [answered(0xA700, "disk full")], system="PACS"),
        "or with a warning",
        'Status A700 (out of resources) for an instance of CT Image Storage; Error Comment (0000,0902): "disk full".',
        "A7xx: it has no room",
        (status_bytes(0xA700),),
    ),
    Case(
        "store.warning-by-system",
        scene("receive", [answered(0xB000)], system="PACS", met=True),
        "status 0000",
        "Status B000 (coercion of data elements)",
        "It coerces attributes",
        (status_bytes(0xB000),),
    ),
    Case(
        "message.unanswered-by-system",
        scene("receive", [answered(None)], system="PACS"),
        "A response to each request",
        "No response to a C-STORE-RQ, for 30.0 s.",
        "It hangs, or waits for its own storage",
    ),
    Case(
        "echo.refused-by-system",
        scene(
            "preflight", [called().asks(Proposed(1, VERIFICATION)).accepts().echoes(0x0122).releases()], system="PACS"
        ),
        "C-ECHO-RSP with status 0000.",
        "Status 0122 (SOP class not supported).",
        "no right to it",
        (status_bytes(0x0122),),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_diagnosed(case: Case) -> None:
    check(case)


def test_contexts_that_nobody_needs_may_be_refused() -> None:
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,)), Proposed(3, "1.2.840.113619.4.2"), Proposed(5, CT, (MPEG_2,)))
    talk.accepts(Answered(1, EXPLICIT), Answered(3, "", 3), Answered(5, "", 4)).stores(images()[0]).releases()
    assert diagnose(scene("study", [talk], met=True)) == ()
    there = called().asks(Proposed(1, VERIFICATION), Proposed(3, CT), Proposed(5, "1.2.840.10008.5.1.4.1.1.1"))
    there.accepts(Answered(1), Answered(3), Answered(5, "", 3)).echoes().releases()
    declared = declaration()
    assert [card.id for card in diagnose(scene("preflight", [there], system="PACS", declared=declared, met=True))] == []


def test_the_cause_stands_in_place_of_the_echo_that_worked() -> None:
    """Storing fails for a reason that the bytes show: that is the card, and no other."""
    cases = {
        "context.class-not-supported": abandoned(Proposed(1, CT), answers=(Answered(1, "", 3),)),
        "context.syntax-not-offered": abandoned(Proposed(1, CT, (MPEG_2,)), answers=(Answered(1, "", 4),)),
        "store.refused": refused(0xC000, "cut off"),
        "ae-title.calling.unknown": Talking().asks(Proposed(1, CT), calling=b"CTSTORE").rejects(1, 1, 3),
        "context.class-not-offered": Talking()
        .asks(Proposed(1, MR, (EXPLICIT,)))
        .accepts()
        .stores(images(1, sop_class_uid=MR)[0])
        .releases(),
    }
    for identifier, talk in cases.items():
        cards = diagnose(scene("study", [echoed(), talk]))
        assert [card.id for card in cards] == [identifier]


def test_an_association_for_commitment_alone_offers_no_image_class() -> None:
    asked = Talking(after=60.0).asks(Proposed(1, COMMITMENT)).accepts().releases()
    assert diagnose(scene("study", [sent(images()), asked], met=True)) == ()


def test_forwarding_that_fails_for_a_reason_that_was_seen_is_said_once() -> None:
    failed = DispatchChanged(
        observer="gateway",
        study_instance_uid="1.2",
        series_instance_uid="",
        sop_instance_uid="",
        destination="PACS",
        state="failed",
        attempts=3,
        missing=2,
        problem="answered A700 (out of resources)",
    )
    cards = diagnose(scene("receive", [answered(0xA700)], [failed], system="PACS"))
    assert [card.id for card in cards] == ["store.refused-by-system"]
