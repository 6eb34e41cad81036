"""Scenes made of real bytes: PDUs, HL7 messages and data sets as they would have been seen on the wire, without one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from simulator.certify.cards import Card, Evidence
from simulator.certify.declaration import Declaration
from simulator.certify.marking import runs
from simulator.certify.scene import Kind, Scene, Wanted
from simulator.events import Event
from simulator.rules import sop_classes
from simulator.scenario.messages import ORDER_PLACER
from simulator.synthesis import compression, people
from simulator.synthesis.character_sets import DEFAULT_REPERTOIRE, CharacterSet
from simulator.synthesis.lies import LIES, Lie
from simulator.synthesis.orders import Order, order
from simulator.synthesis.studies import Instance, SeriesSpec, study
from simulator.wire import hl7_acknowledgements, hl7_segments, pdu_builders
from simulator.wire.command_set import FIELDS, CommandSet, command_set, response_to
from simulator.wire.conversation import Conversation, Ending, How, Protocol, Segment, Side
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import Envelope, OrderMessage, build_order
from simulator.wire.pdu_builders import Answered, Proposed, message

BEGUN = datetime.fromisoformat("2026-11-23T01:00:00+00:00")
"""When the test began: nine in the morning in Hong Kong."""

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = sop_classes.VERIFICATION.uid
COMMITMENT = sop_classes.STORAGE_COMMITMENT.uid
IMPLICIT, EXPLICIT, JPEG_2000 = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"
OTHER: Mapping[Side, Side] = {"requestor": "acceptor", "acceptor": "requestor"}

ORDER = order("diagnosis", people.person("diagnosis"))
SHEET = ORDER.person


def declaration(*, orders: str = "tool", tls: bool = False, gateway_tls: bool = False, **of_ct01: Any) -> Declaration:
    """Return a facility with a modality CT01, a PACS that receives, and a RIS."""
    modality = {
        "name": "CT01",
        "ae_title": "CT01",
        "host": "192.0.2.10",
        "port": 11113,
        "does": ["sends", "commitment"],
        "sop_classes": ["CT Image Storage"],
        "tls": tls,
    }
    pacs = {
        "name": "PACS",
        "ae_title": "PACS",
        "host": "192.0.2.20",
        "port": 104,
        "does": ["receives"],
        "sop_classes": ["CT Image Storage", "MR Image Storage"],
    }
    secured = {"certificate": "gateway.pem", "key": "gateway.key", "ca": "ca.pem"} if tls or gateway_tls else None
    return Declaration.model_validate(
        {
            "facility": {"name": "Harbour Imaging Centre"},
            "gateway": {"host": "192.0.2.1", "tls": secured},
            "systems": [modality | of_ct01, pacs],
            "orders": {"sent_by": orders, "system": "RIS"},
        }
    )


def scene(
    kind: Kind,
    conversations: Iterable[Conversation | Talking] = (),
    events: Iterable[Event] = (),
    *,
    met: bool = False,
    system: str = "CT01",
    declared: Declaration | None = None,
    sop_class_uid: str = CT,
    seconds: float = 300.0,
) -> Scene:
    """Return a test of a system, with what was seen."""
    facility = declared or declaration()
    tested = facility.system(system) if system else None
    has_patient = kind not in ("preflight", "echo")
    wanted = Wanted(
        test=f"{(system or 'RIS').lower()}.{kind}",
        kind=kind,
        system=tested,
        accession_number=ORDER.accession_number if has_patient else "",
        hkid=SHEET.hkid if has_patient else "",
        name=SHEET.name if has_patient else "",
        birth_date=SHEET.birth_date if has_patient else "",
        sex=SHEET.sex if has_patient else "",
        sop_class_uid=sop_class_uid if has_patient and kind != "order" else "",
    )
    made = tuple(each.conversation if isinstance(each, Talking) else each for each in conversations)
    numbered = tuple(replace(each, number=number) for number, each in enumerate(made, start=1))
    return Scene(
        declared=facility,
        wanted=wanted,
        conversations=numbered,
        events=tuple(events),
        met=met,
        seconds=seconds,
        moment=(BEGUN + timedelta(seconds=seconds)).isoformat(),
        captures={(each.link, each.number): f"evidence/{each.number}.pcap" for each in numbered},
    )


@dataclass
class Talking:
    """A conversation in the making: each thing that is said comes a tenth of a second after the one before."""

    link: str = "CT01->gateway"
    protocol: Protocol = "DICOM"
    acceptor: tuple[str, int] = ("192.0.2.1", 11112)
    after: float = 10.0
    at: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    unreached: str = ""
    contexts: tuple[Proposed, ...] = ()
    number: int = 0

    @property
    def conversation(self) -> Conversation:
        """The conversation as far as it has come."""
        opened = (BEGUN + timedelta(seconds=self.after)).isoformat()
        return Conversation(
            self.link,
            1,
            self.protocol,
            opened,
            ("192.0.2.10", 50001),
            self.acceptor,
            tuple(self.segments),
            tuple(self.endings),
            self.unreached,
        )

    def says(self, by: Side, data: bytes, wait: float = 0.1) -> Talking:
        """Let a side send bytes."""
        self.at += wait
        self.segments.append(Segment(round(self.at, 3), by, data, len(data)))
        return self

    def ends(self, by: Side, how: How = "fin", wait: float = 0.1) -> Talking:
        """Let a side end it."""
        self.at += wait
        self.endings.append(Ending(round(self.at, 3), by, how))
        return self

    def asks(self, *contexts: Proposed, called: bytes = b"", calling: bytes = b"", **fields: Any) -> Talking:
        """Let the requestor ask for an association; titles as bytes stand as they are given."""
        self.contexts = contexts
        names = {"called_ae_title": "HAGATEWAY", "calling_ae_title": "CT01"}
        if not self.link.endswith("gateway"):
            names = {"called_ae_title": self.link.rpartition("->")[2], "calling_ae_title": "HAGATEWAY"}
        raw = bytearray(pdu_builders.associate_rq(contexts=contexts, **{**names, **fields}))
        raw[10:26] = called.ljust(16) if called else raw[10:26]
        raw[26:42] = calling.ljust(16) if calling else raw[26:42]
        return self.says("requestor", bytes(raw))

    def accepts(self, *answers: Answered, **fields: Any) -> Talking:
        """Let the acceptor accept it: each context in its first transfer syntax, unless answers are given."""
        told = answers or tuple(Answered(each.context_id, each.transfer_syntax_uids[0]) for each in self.contexts)
        return self.says("acceptor", pdu_builders.associate_ac(contexts=told, **fields))

    def rejects(self, result: int, source: int, reason: int) -> Talking:
        """Let the acceptor reject it, and close."""
        self.says("acceptor", pdu_builders.associate_rj(result=result, source=source, reason=reason))
        return self.ends("acceptor")

    def releases(self) -> Talking:
        """Let the requestor release it, and both close."""
        self.says("requestor", pdu_builders.release_rq()).says("acceptor", pdu_builders.release_rp())
        return self.ends("requestor").ends("acceptor")

    def echoes(self, status: int = 0, context_id: int = 1) -> Talking:
        """Let the requestor echo."""
        self.number += 1
        asked = command_set(
            affected_sop_class_uid=VERIFICATION,
            command_field=FIELDS["C-ECHO-RQ"],
            message_id=self.number,
            data_set_type=0x0101,
        )
        return self.exchanges(asked, b"", status, context_id=context_id)

    def stores(
        self, instance: Instance, status: int | None = 0, comment: str = "", context_id: int = 1, length: int = 16384
    ) -> Talking:
        """Let the requestor send an instance in PDUs of `length`, and be answered unless the status is None."""
        self.number += 1
        return self.exchanges(store(instance, self.number), instance.data_set, status, comment, context_id, length)

    def exchanges(
        self,
        asked: CommandSet,
        data: bytes = b"",
        status: int | None = 0,
        comment: str = "",
        context_id: int = 1,
        length: int = 16384,
        by: Side = "requestor",
    ) -> Talking:
        """Let a side send a message and be answered, unless the status is None."""
        self.says(by, message(context_id, asked, data, maximum_length=length))
        if status is None:
            return self
        return self.says(OTHER[by], message(context_id, response_to(asked, status, comment)))


def store(instance: Instance, number: int = 1) -> CommandSet:
    """Return a C-STORE-RQ."""
    return command_set(
        affected_sop_class_uid=instance.sop_class_uid,
        command_field=FIELDS["C-STORE-RQ"],
        message_id=number,
        priority=0,
        data_set_type=1,
        affected_sop_instance_uid=instance.sop_instance_uid,
    )


@cache
def images(
    count: int = 2,
    *lies: str | Lie,
    of: Order = ORDER,
    sop_class_uid: str = CT,
    syntax: str = "ExplicitVRLittleEndian",
    character_set: CharacterSet = DEFAULT_REPERTOIRE,
) -> tuple[Instance, ...]:
    """Return a synthetic study, with lies by their names."""
    spec = SeriesSpec(sop_classes.by_name(sop_class_uid), count, 16, 16, compression.by_name(syntax))
    told = [LIES[lie] if isinstance(lie, str) else lie for lie in lies]
    return tuple(study("diagnosis", of, [spec], told, character_set).instances)


def sent(instances: Sequence[Instance], status: int | None = 0, **fields: Any) -> Talking:
    """Return a whole association in which CT01 sends instances."""
    talk = Talking(**fields).asks(Proposed(1, CT, (EXPLICIT,)), Proposed(3, CT)).accepts()
    for each in instances:
        talk.stores(each, status)
    return talk.releases()


def echoed(**fields: Any) -> Talking:
    """Return a whole association in which CT01 echoes."""
    return Talking(**fields).asks(Proposed(1, VERIFICATION)).accepts().echoes().releases()


def called(system: str = "PACS", **fields: Any) -> Talking:
    """Return a conversation in which the gateway calls a system."""
    ports = {"PACS": ("192.0.2.20", 104), "CT01": ("192.0.2.10", 11113)}
    return Talking(f"gateway->{system}", acceptor=ports[system], **fields)


# --- HL7 -------------------------------------------------------------------------------------------------


def hl7_order(
    accept: str = "",
    application: str = "",
    *,
    sent_at: str = "20261123090010",
    message_type: str = "ORM^O01",
    **changed: str,
) -> bytes:
    """Return the order of the sheet as a message, nine in the morning and ten seconds in Hong Kong."""
    fields = {
        "message_type": message_type,
        "version": "2.5.1" if message_type == "OMI^O23" else "2.3.1",
        "control_id": "M1",
        "sender": ORDER_PLACER,
        "order_control": "NW",
        "accession_number": ORDER.accession_number,
        "placer_order_number": ORDER.placer_order_number,
        "filler_order_number": ORDER.filler_order_number,
        "requested_procedure_id": ORDER.requested_procedure_id,
        "study_instance_uid": ORDER.study_instance_uid,
        "modality": "CT",
        "patient_id": SHEET.hkid,
        "patient_name": SHEET.name,
        "patient_birth_date": SHEET.birth_date,
        "patient_sex": SHEET.sex,
    }
    return build_order(OrderMessage(**(fields | changed)), Envelope(sent_at, accept, application))


def acknowledgement(of: bytes, code: str = "AA", fault: Fault | None = None) -> bytes:
    """Return an acknowledgement of a message."""
    header = hl7_segments.read_header(of)
    return hl7_acknowledgements.build_acknowledgement(header, code, fault, "A1", "20261123090011")


def block(content: bytes) -> bytes:
    """Return an MLLP block."""
    return b"\x0b" + content + b"\x1c\x0d"


def ordered(*pieces: bytes, codes: Sequence[str] = ("AA",), fault: Fault | None = None) -> Talking:
    """Return a conversation in which the RIS sends messages, each answered with the codes; without any: the order."""
    talk = Talking("RIS->gateway", "HL7", ("192.0.2.1", 2575))
    for piece in pieces or (hl7_order(),):
        talk.says("requestor", block(piece))
        for code in codes:
            talk.says("acceptor", block(acknowledgement(piece, code, fault)))
    return talk.ends("requestor").ends("acceptor")


# --- what is expected of a diagnosis -----------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A scene that provokes a diagnosis, and what its card says: parts of its texts, and the bytes that are marked.

    beside: ids of cards that weigh less and come with it, rightly.
    """

    id: str
    scene: Scene
    expected: str
    got: str
    because: str
    marked: tuple[bytes, ...] = ()
    level: str = ""
    beside: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        """The name of the test."""
        return f"{self.id}-{self.name}" if self.name else self.id


def marked(card: Card) -> tuple[bytes, ...]:
    """Return the bytes that the evidence of a card marks."""
    return tuple(each.data[start:end] for each in card.evidence for start, end in each.marks)


def is_where_it_says(evidence: Evidence, scene: Scene) -> bool:
    """Tell whether the bytes of an evidence stand at its offset in the conversation of its capture."""
    captured = [
        each for each in scene.conversations if scene.captures.get((each.link, each.number)) == evidence.capture
    ]
    sides: tuple[Side, Side] = ("requestor", "acceptor")
    streams = [(begin, run) for each in captured for side in sides for begin, run in runs(each, side)]
    return any(
        run[evidence.offset - begin : evidence.offset - begin + len(evidence.data)] == evidence.data
        for begin, run in streams
        if begin <= evidence.offset
    )
