"""What goes wrong when an association is asked for, and how associations end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.certify.diagnosis import diagnose
from simulator.certify.diagnosis_association import title_fault
from simulator.events import AssociationRejected, ConnectionBroken, Event
from simulator.wire import pdu_builders
from simulator.wire.conversation import Segment
from simulator.wire.pdu_builders import Answered, Proposed
from tests.certify.diagnosed import check
from tests.certify.scenes import (
    CT,
    EXPLICIT,
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

OURS = b"HAGATEWAY".ljust(16)
THEIRS = b"CT01".ljust(16)


def titled(identifier: str, got: str, because: str, *, reason: int, expected: str = "", **titles: bytes) -> Case:
    """Return a case in which a title is rejected (PS3.8 9.3.4: result 1, source 1)."""
    talk = Talking().asks(Proposed(1, CT), **titles).rejects(1, 1, reason)
    (wrong,) = titles.values()
    return Case(identifier, scene("echo", [talk]), expected, got, because, (wrong.ljust(16),), name=f"reason-{reason}")


def rejected(field: str, called_title: str, calling_title: str) -> AssociationRejected:
    return AssociationRejected(
        observer="gateway",
        calling_ae_title=calling_title,
        called_ae_title=called_title,
        peer="192.0.2.77:50001",
        result=1,
        source=1,
        reason=7 if field == "called-ae-title" else 3,
        meaning="it is not known here",
        field=field,
    )


def over_tls(identifier: str, got: str, field: str, called_title: str, calling_title: str) -> Case:
    """Return a case whose A-ASSOCIATE-RQ nobody but the gateway could read."""
    talk = Talking(acceptor=("192.0.2.1", 2762)).says("requestor", b"\x17\x03\x03\x00\x04abcd").ends("acceptor")
    seen = scene("echo", [talk], [rejected(field, called_title, calling_title)], declared=declaration(tls=True))
    return Case(identifier, seen, "", got, "", name="tls")


def broken(problem: str, words: str) -> ConnectionBroken:
    return ConnectionBroken(
        observer="gateway",
        peer="192.0.2.10:50001",
        calling_ae_title="CT01",
        called_ae_title="HAGATEWAY",
        problem=problem,
        words=words,
        answer="A-ABORT",
    )


def half(talk: Talking, number: int, *, cut: bool) -> Talking:
    """Let the first PDUs of an image come; `cut`: and a part of the one that follows."""
    whole = Talking().stores(images(5)[number], None, length=256).segments[0].data
    at = 0
    while at < 900:
        at += 6 + int.from_bytes(whole[at + 2 : at + 6])
    return talk.says("requestor", whole[: at + 100 if cut else at])


def dying(count: int = 2, *, cut: bool = True) -> Talking:
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts()
    for instance in images(5)[:count]:
        talk.stores(instance)
    return half(talk, count, cut=cut)


def kept_open() -> Talking:
    return Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts().stores(images(5)[0])


def study(*talks: Talking, events: tuple[Event, ...] = (), **fields: Any) -> Any:
    return scene("study", talks, events, **fields)


AE_TITLES = (
    titled(
        "ae-title.called.wrong",
        'Called AE title "ARCHIVE" (41 52 43 48',
        "compared letter by letter",
        reason=7,
        expected="Called AE title HAGATEWAY.",
        called=b"ARCHIVE",
    ),
    titled(
        "ae-title.called.case",
        '"HAGateway" (48 41 47 61',
        "compared with case",
        reason=7,
        expected="HAGATEWAY (48 41 47 41 54 45 57 41 59 20",
        called=b"HAGateway",
    ),
    titled("ae-title.called.spaces", '"HA GATEWAY"', "A space was typed", reason=7, called=b"HA GATEWAY"),
    titled("ae-title.called.nul", '"HAGATEWAY␀AB"', "fills the field with NULs", reason=7, called=b"HAGATEWAY\0AB"),
    titled(
        "ae-title.calling.unknown",
        "calling AE title not recognised (result 1, source 1, reason 3: rejected-permanent)",
        "The own AE title of CT01 is another than in the site file",
        reason=3,
        expected="Calling AE title CT01, as declared for CT01.",
        calling=b"CTSCANNER",
    ),
    titled("ae-title.calling.case", '"ct01"', "compared with case", reason=3, calling=b"ct01"),
    titled("ae-title.calling.spaces", '"CT 01"', "A space was typed", reason=3, calling=b"CT 01"),
    titled("ae-title.calling.nul", '"CT01␀␀OLD"', "fills the field", reason=3, calling=b"CT01\0\0OLD"),
    titled("ae-title.blank", "A called AE title without a character (20 20", "never filled in", reason=7, called=b" "),
    titled("ae-title.blank", "A calling AE title without", "never filled in", reason=3, calling=b"\0" * 16),
    Case(
        "ae-title.called.nul",
        scene(
            "echo",
            [Talking().asks(Proposed(1, VERIFICATION), called=OURS.replace(b" ", b"\0")).accepts().echoes().releases()],
            met=True,
        ),
        "padded by spaces",
        "the gateway accepted it all the same.",
        "fills the field with NULs",
        (OURS.replace(b" ", b"\0"),),
        level="note",
        name="tolerated",
    ),
    Case(
        "ae-title.called.spaces",
        scene(
            "echo",
            [Talking().asks(Proposed(1, VERIFICATION), called=b"  HAGATEWAY").accepts().echoes().releases()],
            met=True,
        ),
        "padded by spaces behind it alone",
        'Called AE title "  HAGATEWAY"',
        "the screen does not show it",
        (b"  HAGATEWAY     ",),
        level="note",
        name="leading",
    ),
    over_tls("ae-title.called.wrong", 'title "ARCHIVE" (41', "called-ae-title", "ARCHIVE", "CT01"),
    over_tls("ae-title.called.case", 'title "hagateway"', "called-ae-title", "hagateway", "CT01"),
    over_tls("ae-title.calling.unknown", "it is not known here", "calling-ae-title", "HAGATEWAY", "CT02X"),
    Case(
        "ae-title.calling.address",
        scene("echo", [Talking().asks(Proposed(1, CT)).rejects(1, 1, 3)], [rejected("address", "HAGATEWAY", "CT01")]),
        "CT01 calls from 192.0.2.10.",
        '"CT01" called from 192.0.2.77:50001',
        "a router translates it (NAT)",
    ),
)
NEGOTIATION = (
    Case(
        "application-context",
        scene("echo", [Talking().asks(Proposed(1, CT), application_context="1.2.840.10008.3.1.1.2").rejects(1, 1, 2)]),
        "Application context 1.2.840.10008.3.1.1.1.",
        "Application context 1.2.840.10008.3.1.1.2.",
        "no screen sets this",
        (b"1.2.840.10008.3.1.1.2",),
    ),
    Case(
        "protocol-version",
        scene("echo", [Talking().asks(Proposed(1, CT), protocol_version=2).rejects(1, 2, 2)]),
        "0001H",
        "Protocol version 0002H.",
        "no screen sets this",
        (b"\0\2",),
    ),
    Case(
        "association.rejected",
        scene("preflight", [called().asks(Proposed(1, VERIFICATION)).rejects(1, 1, 3)], system="PACS"),
        "PACS at 192.0.2.20:104 accepts an association of HAGATEWAY.",
        "calling AE title not recognised (result 1, source 1, reason 3: rejected-permanent).",
        "add the gateway's AE title and address",
        (b"\1\1\3",),
        name="calling",
    ),
    Case(
        "association.rejected",
        scene("preflight", [called().asks(Proposed(1, VERIFICATION)).rejects(1, 1, 7)], system="PACS"),
        "",
        "called AE title not recognised (result 1, source 1, reason 7",
        "compare both, letter by letter",
        (b"\1\1\7",),
        name="called",
    ),
    Case(
        "peer.busy",
        scene("receive", [called().asks(Proposed(1, CT)).rejects(2, 3, 2)], system="PACS"),
        "PACS accepts an association",
        "local limit exceeded (result 2, source 3, reason 2: rejected-transient)",
        "It may be tried again",
        (b"\2\3\2",),
    ),
    Case(
        "association.too-many",
        study(kept_open(), kept_open(), Talking(after=11.0).asks(Proposed(1, CT)).rejects(2, 3, 2)),
        "that the gateway allows",
        "local limit exceeded (result 2, source 3, reason 2), with 3 of CT01 open.",
        "opens one after the other",
        (b"\2\3\2",),
    ),
    Case(
        "contexts.too-many",
        study(
            Talking()
            .asks(*(Proposed(1 + 2 * (number % 128), CT, (EXPLICIT,)) for number in range(130)))
            .says("acceptor", pdu_builders.abort(source=2, reason=6))
            .ends("acceptor")
        ),
        "128 presentation contexts at most",
        "130 presentation contexts, ID 1, 3 given twice.",
        "runs out of IDs",
        (b"\1",),
        name="130",
    ),
    Case(
        "contexts.too-many",
        study(
            Talking()
            .asks(Proposed(1, CT), Proposed(2, VERIFICATION))
            .says("acceptor", pdu_builders.abort(source=2, reason=6))
        ),
        "each with an odd ID",
        "2 presentation contexts, ID 2 even.",
        "",
        (b"\2",),
        name="even",
    ),
)
TOO_LONG = (
    Talking()
    .asks(Proposed(1, CT, (EXPLICIT,)))
    .accepts(maximum_length=512)
    .stores(images(5)[0], None, length=1024)
    .says("acceptor", pdu_builders.abort(source=2, reason=6))
    .ends("acceptor")
)
ENDINGS = (
    Case(
        "association.died",
        study(dying().ends("requestor", "rst")),
        "A-RELEASE-RQ (PS3.8 7.2)",
        "It died at image 3: CT01 broke the TCP connection (RST), 0.1 s after the last byte.",
        "It was in the midst of a message; whoever ended it knows why.",
        (b"\4",),
        name="rst",
    ),
    Case(
        "association.died",
        study(dying().ends("requestor", "fin", wait=1.5), sent(images(5), after=60.0)),
        "Every image in full",
        "It died at image 3 of 5: CT01 closed the TCP connection (FIN), 1.5 s after the last byte.",
        "",
        (b"\4",),
        name="fin-of-5",
    ),
    Case(
        "association.died",
        study(dying(cut=False).says("requestor", pdu_builders.abort(), wait=0.2).ends("requestor")),
        "",
        "It died at image 3: CT01 sent A-ABORT, service-user (source 0), 0.2 s after",
        "",
        (b"\0\0",),
        name="abort",
    ),
    Case(
        "association.died",
        study(
            dying().says("acceptor", pdu_builders.abort(source=2), wait=31.0).ends("acceptor"),
            events=(broken("time-out.pdu", "P-DATA-TF not whole within 30 s"),),
        ),
        "",
        "It died at image 3: the gateway sent A-ABORT, service-provider: reason not specified (source 2, reason 0) "
        "(P-DATA-TF not whole within 30 s), 31.0 s after the last byte.",
        "Nothing had come for that long: something on the way, or a time-out, cuts idle connections.",
        (b"\2\0",),
        name="idle",
    ),
    Case(
        "association.died",
        study(dying()),
        "",
        "It died at image 3: CT01 is silent on a connection that is open still, 289",
        "Nothing had come for that long",
        name="open",
    ),
    Case(
        "association.died",
        study(
            Talking()
            .asks(Proposed(1, CT, (EXPLICIT,)))
            .accepts()
            .stores(images(5)[0])
            .says("acceptor", pdu_builders.abort(source=2), wait=60.0)
            .ends("acceptor"),
            events=(broken("time-out.idle", "nothing came for 60 s"),),
        ),
        "",
        "It died after image 1: the gateway sent A-ABORT",
        "cuts idle connections",
        (b"\2\0",),
        name="between",
    ),
    Case(
        "association.died",
        scene(
            "receive",
            [called().asks(Proposed(1, CT, (EXPLICIT,))).accepts().stores(images(5)[0], None).ends("acceptor", "rst")],
            system="PACS",
        ),
        "",
        "It died at image 1: PACS broke the TCP connection (RST)",
        "",
        (b"\2",),
        name="receiver",
    ),
    Case(
        "association.died",
        study(Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts().stores(images(5)[0]).ends("requestor"), met=True),
        "",
        "It died after image 1: CT01 closed the TCP connection (FIN)",
        "without a release nobody can tell whether more was to come.",
        (b"\4",),
        name="met",
    ),
    Case(
        "association.died",
        study(dying().ends("requestor", "rst"), sent(images(5), after=60.0), met=True),
        "",
        "It died at image 3 of 5",
        "",
        (b"\4",),
        level="should",
        name="made-good",
    ),
    Case(
        "association.not-released",
        scene("echo", [Talking().asks(Proposed(1, VERIFICATION)).accepts().echoes().ends("requestor")], met=True),
        "A-RELEASE-RQ at the end",
        "No A-RELEASE-RQ; CT01 closed the TCP connection (FIN).",
        "Nothing was lost this time",
        (b"\4",),
    ),
    Case(
        "association.one-per-image",
        study(*(sent(images(5)[number : number + 1], after=10.0 + number) for number in range(4)), met=True),
        "One association for a series",
        "4 associations with one image each.",
        "no other setting",
    ),
    Case(
        "association.protocol-error",
        study(
            Talking()
            .asks(Proposed(1, CT, (EXPLICIT,)))
            .accepts()
            .says("requestor", pdu_builders.associate_rq(contexts=[Proposed(1, CT)]))
            .says("acceptor", pdu_builders.abort(source=2, reason=2))
            .ends("acceptor"),
            events=(broken("pdu.unexpected", "A-ASSOCIATE-RQ on an association that is established"),),
        ),
        "in the order of its state machine",
        "service-provider: unexpected PDU (source 2, reason 2); A-ASSOCIATE-RQ on an association that is established.",
        "a device on the way changes bytes",
        (pdu_builders.associate_rq(contexts=[Proposed(1, CT)])[:6], b"\2\2"),
    ),
    Case(
        "pdu.too-long",
        study(TOO_LONG),
        "P-DATA-TF of 512 bytes at most",
        "A P-DATA-TF of 1024 bytes.",
        "a fixed PDU size",
        ((1024).to_bytes(4),),
    ),
)
CASES = (*AE_TITLES, *NEGOTIATION, *ENDINGS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_diagnosed(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    ("padded", "fault"),
    [
        (b"HAGATEWAY       ", ""),
        (b"                ", "blank"),
        (b"\0" * 16, "blank"),
        (b"HAGATEWAY\0\0\0\0\0\0\0", "nul"),
        (b"HAGATEWAY\0GARBAGE"[:16], "nul"),
        (b" HAGATEWAY      ", "spaces"),
        (b"HA GATE WAY     ", "spaces"),
        (b"hagateway       ", "case"),
        (b"HAGATEWAY1      ", "wrong"),
        (b"hagateway\0\0\0\0\0\0\0", "case"),
    ],
)
def test_a_title_is_compared_byte_by_byte(padded: bytes, fault: str) -> None:
    assert title_fault(padded, "HAGATEWAY") == fault


def test_both_titles_may_be_wrong_in_one_request() -> None:
    talk = Talking().asks(Proposed(1, CT), called=b"ARCHIVE", calling=b"MODALITY").rejects(1, 1, 7)
    assert [card.id for card in diagnose(scene("echo", [talk]))] == [
        "ae-title.called.wrong",
        "ae-title.calling.unknown",
    ]


def test_a_gateway_that_stops_at_the_end_of_a_test_breaks_nobodys_association() -> None:
    kept = kept_open().says("acceptor", pdu_builders.abort(source=2), wait=60.0).ends("acceptor")
    assert diagnose(study(kept, met=True)) == ()
    (card,) = diagnose(study(dying().says("acceptor", pdu_builders.abort(), wait=200.0).ends("acceptor")))
    assert "CT01 is silent on a connection that is open still" in card.got


def test_what_a_later_attempt_made_good_is_no_failure() -> None:
    """The wrong title was mended within the test, and all was seen that it expects."""
    wrong = Talking().asks(Proposed(1, VERIFICATION), called=b"ARCHIVE").rejects(1, 1, 7)
    (card,) = diagnose(scene("echo", [wrong, echoed(after=60.0)], met=True))
    assert (card.id, card.level) == ("ae-title.called.wrong", "should")


def test_the_same_again_is_counted_and_not_said_again() -> None:
    wrong = [Talking(after=float(n)).asks(Proposed(1, CT), called=b"ARCHIVE").rejects(1, 1, 7) for n in range(1, 4)]
    (card,) = diagnose(scene("echo", wrong))
    assert card.got.endswith(" The same 2 times more.")
    assert card.evidence[0].capture == "evidence/1.pcap"


def test_a_rejection_while_no_gateway_is_up_is_nobodys_fault() -> None:
    busy = Talking().asks(Proposed(1, VERIFICATION)).rejects(2, 3, 1)
    assert diagnose(scene("echo", [busy, echoed(after=60.0)], met=True)) == ()


def test_another_system_of_the_facility_is_not_judged_here() -> None:
    other = Talking("PACS->gateway").asks(Proposed(1, CT), called=b"ARCHIVE").rejects(1, 1, 7)
    unknown = Talking("unknown->gateway").asks(Proposed(1, CT), called=b"ARCHIVE", calling=b"PACS").rejects(1, 1, 7)
    assert diagnose(scene("echo", [other, unknown, echoed()], met=True)) == ()


def test_the_offset_of_evidence_counts_bytes_that_were_not_kept() -> None:
    """Of a long data set the middle is not kept; what comes behind it still stands at its own place."""
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts().stores(images(5)[0], length=0)
    shortened = []
    for segment in talk.segments:
        cut = len(segment.data) > 1000
        shortened.append(replace(segment, data=segment.data[:800]) if cut else segment)
    sent_before = sum(segment.length for segment in shortened if segment.by == "requestor")
    talk.segments = shortened
    assert any(isinstance(segment, Segment) and segment.length > len(segment.data) for segment in shortened)
    talk.says("requestor", pdu_builders.abort()).ends("requestor")
    (card,) = diagnose(scene("study", [talk]))
    assert (card.id, card.evidence[0].offset) == ("association.died", sent_before)


def test_a_rejected_context_is_not_taken_for_a_death() -> None:
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,))).accepts(Answered(1, "", 3))
    talk.says("requestor", pdu_builders.abort()).ends("requestor")
    assert [card.id for card in diagnose(scene("study", [talk]))] == ["context.class-not-supported"]
