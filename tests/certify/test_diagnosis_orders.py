"""HL7 orders of the facility's own system, storage commitment, and what remains."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.certify.diagnosis import diagnose
from simulator.events import (
    CommitmentDelivered,
    CommitmentReceived,
    CommitmentUndelivered,
    DispatchChanged,
    InstanceStored,
    StudyChanged,
)
from simulator.synthesis import people
from simulator.synthesis.lies import saying
from simulator.synthesis.orders import order
from simulator.wire import commitment, pdu_builders
from simulator.wire.command_set import FIELDS, CommandSet, command_set
from simulator.wire.commitment import Failure, Reference, Report, Request
from simulator.wire.hl7_acknowledgements import Fault, build_acknowledgement
from simulator.wire.pdu_builders import Answered, Proposed
from tests.certify.diagnosed import check
from tests.certify.scenes import (
    COMMITMENT,
    CT,
    EXPLICIT,
    ORDER,
    SHEET,
    Case,
    Talking,
    acknowledgement,
    block,
    called,
    declaration,
    hl7_order,
    images,
    ordered,
    scene,
    sent,
)

FACILITY = declaration(orders="facility")
ANOTHER = order("another", people.person("another"))
NUMBER = ORDER.accession_number
WELL_KNOWN = commitment.PUSH_MODEL_INSTANCE


def hl7(*talks: Talking, **fields: Any) -> Any:
    return scene("order", talks, system="", declared=FACILITY, **fields)


def raw(data: bytes) -> Talking:
    return Talking("RIS->gateway", "HL7", ("192.0.2.1", 2575)).says("requestor", data)


def became(state: str, *reasons: str) -> StudyChanged:
    return StudyChanged(
        observer="gateway", study_instance_uid="1.2", accession_number=NUMBER, state=state, reasons=reasons
    )


def unreadable() -> Talking:
    """Return a conversation in which what stands in a block is no HL7."""
    talk = raw(block(b"PID|1||" + SHEET.hkid.encode() + b"\r"))
    fault = Fault("the message does not begin with MSH")
    return talk.says("acceptor", block(build_acknowledgement(None, "AR", fault, "A1", "20261123090011")))


ORDERS = (
    Case(
        "hl7.not-mllp",
        hl7(raw(hl7_order()).ends("acceptor")),
        "A first byte 0B at port 2575.",
        "bare HL7, without MLLP: 4D 53 48 7C",
        "raw TCP instead of MLLP",
        (b"MSH|",),
        name="bare",
    ),
    Case(
        "hl7.not-mllp",
        hl7(raw(pdu_builders.associate_rq(contexts=[Proposed(1, CT)])).ends("acceptor")),
        "",
        "DICOM: 01 00",
        "another protocol goes to the HL7 port",
        (b"\x01\0\0\0",),
        name="dicom",
    ),
    Case(
        "hl7.no-end-block",
        hl7(raw(b"\x0b" + hl7_order() + b"\x1c")),
        "1C 0D behind the last segment.",
        f"{len(hl7_order()) + 2} bytes came, the last of them",
        "set to others (0D alone, 1C alone)",
        (b"\x0d\x1c",),
        name="1c",
    ),
    Case(
        "hl7.no-end-block",
        hl7(raw(b"\x0b" + hl7_order()).ends("requestor")),
        "",
        "and no 1C 0D.",
        "",
        (hl7_order()[-2:],),
        name="none",
    ),
    Case(
        "hl7.refused",
        hl7(ordered(codes=["AR"], fault=Fault("MSH-12 is 2.8; known: 2.3.1", "MSH-12", 203))),
        "MSA-1 AA",
        "AR (application reject) to message M1: MSH-12 is 2.8; known: 2.3.1.",
        "its words say which",
        (b"AR",),
    ),
    Case(
        "hl7.key-missing",
        hl7(ordered(hl7_order(patient_birth_date=""), codes=["AE"], fault=Fault("PID-7 is empty", "PID-7", 101))),
        f"PID-3 {SHEET.hkid}, PID-5 {SHEET.name}, PID-7 {SHEET.birth_date}",
        "In the ORM^O01 is missing: the date of birth (PID-7).",
        "does not map the field",
        (b"|",),
        name="birth-date",
    ),
    Case(
        "hl7.key-missing",
        hl7(ordered(hl7_order(message_type="OMI^O23", accession_number=""), codes=["AE"])),
        "",
        "In the OMI^O23 is missing: the accession number (IPC-1).",
        "",
        (b"|",),
        name="accession",
    ),
    Case(
        "hl7.not-the-sheet",
        hl7(ordered(hl7_order(patient_name="CHAN^SIU MING"))),
        f"name {SHEET.name}",
        'the name in PID-5 is "CHAN^SIU MING".',
        "registered otherwise in RIS",
        (b"CHAN^SIU MING",),
    ),
    Case(
        "hl7.not-the-sheet",
        hl7(ordered(hl7_order(accession_number=ANOTHER.accession_number))),
        f"Accession number {NUMBER}",
        f'the accession number in OBR-18 is "{ANOTHER.accession_number}".',
        "",
        (ANOTHER.accession_number.encode(),),
        name="number",
    ),
    Case(
        "hl7.refused",
        hl7(unreadable()),
        "MSA-1 AA",
        "AR (application reject) to a message without MSH-10: the message does not begin with MSH.",
        "",
        (b"AR",),
        name="no-msh",
    ),
    Case(
        "hl7.no-order",
        hl7(),
        "",
        f"For {NUMBER} no HL7 connection was opened.",
        "",
        name="nothing",
    ),
    Case(
        "hl7.wrong-acknowledgement-mode",
        hl7(ordered(hl7_order("AL", "NE"), codes=["CA"]), met=True),
        "",
        "MSH-15 is AL, MSH-16 is NE.",
        "never what became of it (AA, AE or AR).",
        (b"AL", b"NE"),
        level="should",
        name="commit-alone",
    ),
    Case(
        "hl7.wrong-acknowledgement-mode",
        hl7(ordered(hl7_order("NE", "NE"), codes=[])),
        "Both empty (original mode)",
        "MSH-15 is NE, MSH-16 is NE.",
        "So nobody tells it that an order was taken",
        (b"NE", b"NE"),
        name="never",
    ),
    Case(
        "hl7.wrong-acknowledgement-mode",
        hl7(ordered(hl7_order("AL", "NE"), hl7_order("AL", "NE"), hl7_order("AL", "NE"), codes=["CA"])),
        "AL where the sender waits",
        "MSH-15 is AL, MSH-16 is NE. The same 2 times more.",
        "It was answered CA, as it had asked, and sent the same message again: it waits for another.",
        (b"AL", b"NE"),
        name="again",
    ),
    Case(
        "hl7.no-order",
        hl7(ordered(hl7_order(accession_number=ANOTHER.accession_number, patient_id=ANOTHER.person.hkid))),
        f"An order for accession number {NUMBER} from RIS, by HL7 to port 2575.",
        f"For {NUMBER} orders came for {ANOTHER.accession_number}.",
        "sent it under another number",
        name="another",
    ),
    Case(
        "hl7.no-order",
        scene("study", [sent(images())], declared=FACILITY),
        "",
        f"For {NUMBER} no HL7 connection was opened.",
        "RIS has not released the order",
        name="images-alone",
    ),
    Case(
        "hl7.no-order",
        scene("unmatched", [sent(images())], [became("unmatched", "order.not-found")], declared=FACILITY),
        "",
        f"For {NUMBER} no HL7 connection was opened.",
        "",
        name="after-the-study",
    ),
    Case(
        "clock.off",
        hl7(ordered(hl7_order(sent_at="20261123084500")), met=True),
        "About 2026-11-23 09:00:10",
        "MSH-7 says 2026-11-23 08:45:00: 15 minutes behind.",
        "The clock or time zone of the sender",
        (b"20261123084500",),
        name="hl7",
    ),
    Case(
        "person.not-synthetic",
        hl7(ordered(hl7_order(patient_id="H12345", patient_name="CHAN^SIU MING"), codes=["AE"])),
        f"HKID {SHEET.hkid}.",
        "PID-3 of an HL7 message has a value of 6 characters that is no synthetic HKID.",
        "its own patient number in place of the HKID",
        name="hl7",
    ),
)


def action(uids: list[str], number: int = 9) -> tuple[CommandSet, bytes]:
    request = Request("2.25.1", tuple(Reference(CT, uid) for uid in uids))
    asked = command_set(
        requested_sop_class_uid=COMMITMENT,
        command_field=FIELDS["N-ACTION-RQ"],
        message_id=number,
        data_set_type=1,
        requested_sop_instance_uid=WELL_KNOWN,
        action_type_id=1,
    )
    return asked, commitment.request_bytes(request, "1.2.840.10008.1.2")


def report(*failed: tuple[str, int]) -> tuple[CommandSet, bytes]:
    told = Report("2.25.1", (Reference(CT, "1.2.3"),), tuple(Failure(Reference(CT, u), why) for u, why in failed))
    asked = command_set(
        affected_sop_class_uid=COMMITMENT,
        command_field=FIELDS["N-EVENT-REPORT-RQ"],
        message_id=1,
        data_set_type=1,
        affected_sop_instance_uid=WELL_KNOWN,
        event_type_id=told.event_type,
    )
    return asked, commitment.report_bytes(told, "1.2.840.10008.1.2")


def role(scu: int, scp: int) -> bytes:
    """Return an SCP/SCU role selection (PS3.7 D.3.3.4)."""
    uid = COMMITMENT.encode()
    return pdu_builders.item(0x54, len(uid).to_bytes(2) + uid + bytes((scu, scp)))


def asking(status: int = 0, comment: str = "") -> Talking:
    """Return an association in which CT01 sends images and asks for commitment."""
    talk = Talking().asks(Proposed(1, CT, (EXPLICIT,)), Proposed(5, COMMITMENT)).accepts()
    for instance in images():
        talk.stores(instance)
    command, data = action([instance.sop_instance_uid for instance in images()])
    return talk.exchanges(command, data, status, comment, context_id=5).releases()


def reporting(*failed: tuple[str, int], status: int = 0, comment: str = "", selection: bytes = role(0, 1)) -> Talking:
    """Return an association in which the gateway reports to CT01."""
    talk = called("CT01", after=20.0).asks(Proposed(1, COMMITMENT), user_items=role(0, 1)).accepts(user_items=selection)
    if selection == role(0, 1):
        command, data = report(*failed)
        talk.exchanges(command, data, status, comment)
    return talk.releases()


def undelivered(problem: str, attempt: int = 3) -> CommitmentUndelivered:
    return CommitmentUndelivered(
        observer="gateway",
        transaction_uid="2.25.1",
        calling_ae_title="CT01",
        attempt=attempt,
        problem=problem,
        abandoned=False,
    )


def nobody(why: str) -> Talking:
    talk = called("CT01", after=20.0)
    talk.unreached = why
    return talk


COMMITMENTS = (
    Case(
        "commitment.not-requested",
        scene("commitment", [sent(images())]),
        "N-ACTION-RQ for the images",
        "2 images were stored; it never proposed the SOP class.",
        "switched off for this node",
        name="never",
    ),
    Case(
        "commitment.not-requested",
        scene(
            "commitment",
            [
                Talking()
                .asks(Proposed(1, CT, (EXPLICIT,)), Proposed(5, COMMITMENT))
                .accepts()
                .stores(images()[0])
                .releases()
            ],
        ),
        "",
        "1 images were stored; it proposed the SOP class and did not use it.",
        "",
        name="unused",
    ),
    Case(
        "commitment.refused",
        scene("commitment", [asking(0x0112, "not the well-known instance")]),
        "N-ACTION-RSP with status 0000.",
        'Status 0112 (no such SOP instance); Error Comment: "not the well-known instance".',
        "lacks its Transaction UID",
        (b"\x12\x01",),
    ),
    Case(
        "commitment.no-way-back",
        scene("commitment", [asking(), nobody("refused"), nobody("refused")], [undelivered("no answer", 2)]),
        "CT01 at 192.0.2.10:11113 accepts an association of HAGATEWAY.",
        "Calling 192.0.2.10:11113 failed, 2 times: the connection was refused: nothing listens there.",
        "Modalities often only call and never listen.",
        name="refused",
    ),
    Case(
        "commitment.no-way-back",
        scene("preflight", [called("CT01").asks(Proposed(1, COMMITMENT), user_items=role(0, 1)).rejects(1, 1, 1)]),
        "",
        "Calling 192.0.2.10:11113 failed, once: it rejected the association: no reason given (result 1, source 1",
        "a firewall that lets the gateway in",
        (b"\1\1\1",),
        name="preflight",
    ),
    Case(
        "commitment.no-way-back",
        scene(
            "commitment",
            [asking(), called("CT01").asks(Proposed(1, COMMITMENT), user_items=role(0, 1)).rejects(1, 1, 3)],
        ),
        "",
        "it rejected the association: calling AE title not recognised (result 1, source 1, reason 3",
        "",
        (b"\1\1\3",),
        name="rejected",
    ),
    Case(
        "commitment.no-way-back",
        scene(
            "commitment",
            [
                asking(),
                called("CT01")
                .asks(Proposed(1, COMMITMENT), user_items=role(0, 1))
                .accepts(Answered(1, "", 3))
                .releases(),
            ],
        ),
        "",
        "it does not accept the Storage Commitment Push Model (result 3, abstract syntax not supported)",
        "",
        (pdu_builders.item(0x30, COMMITMENT.encode()) + pdu_builders.item(0x40, b"1.2.840.10008.1.2"), b"\3"),
        name="class",
    ),
    Case(
        "commitment.no-way-back",
        scene("commitment", [asking()], [undelivered("the site profile has no address for the requester")]),
        "",
        "Calling CT01 failed, 3 times: the site profile has no address for the requester.",
        "",
        name="told",
    ),
    Case(
        "commitment.role-selection-missing",
        scene("commitment", [asking(), reporting(selection=b"")], [undelivered("it does not accept the SCP role")]),
        "A role selection item (54H)",
        "The role was not accepted: its A-ASSOCIATE-AC has no role selection (item 54H).",
        "ignores the role selection",
        (b"\1",),
        name="absent",
    ),
    Case(
        "commitment.role-selection-missing",
        scene("commitment", [asking(), reporting(selection=role(1, 0))]),
        "with SCP role 1",
        "it answered the role selection with SCP role 0.",
        "",
        (b"\1", b"\0"),
        name="refused",
    ),
    Case(
        "commitment.role-selection-missing",
        scene(
            "preflight",
            [
                called("CT01")
                .asks(Proposed(1, COMMITMENT), user_items=role(0, 1))
                .accepts(Answered(1, "", 1))
                .says("requestor", pdu_builders.abort(source=2))
                .ends("requestor")
            ],
        ),
        "",
        "has no role selection (item 54H), and refuses the context (result 1, user rejection).",
        "",
        (b"\1",),
        name="context",
    ),
    Case(
        "commitment.report-refused",
        scene(
            "commitment",
            [asking(), reporting(status=0x0110, comment="unknown transaction")],
            [undelivered("answered 0110")],
        ),
        "N-EVENT-REPORT-RSP with status 0000.",
        'Status 0110 (processing failure); Error Comment: "unknown transaction".',
        "does not know the Transaction UID any more",
        (b"\x10\x01",),
    ),
    Case(
        "commitment.unknown-instance",
        scene("commitment", [asking(), reporting(("1.2.9", 0x0112))]),
        "for the instances that were stored",
        "1 of 2 instances are not committed: 0112 (no such object instance). The first is 1.2.9.",
        "names images that it did not send here",
        (b"\x12\x01",),
    ),
    Case(
        "commitment.failed",
        scene("commitment", [asking(), reporting(("1.2.9", 0x0131), ("1.2.10", 0x0131))]),
        "Every instance committed",
        "2 of 3 instances are not committed: 0131 (duplicate Transaction UID). The first is 1.2.9.",
        "0131: the Transaction UID was used before",
        (b"\x31\x01",),
    ),
)


def dispatch(problem: str) -> DispatchChanged:
    return DispatchChanged(
        observer="gateway",
        study_instance_uid="1.2",
        series_instance_uid="",
        sop_instance_uid="",
        destination="PACS",
        state="failed",
        attempts=3,
        missing=2,
        problem=problem,
    )


def stored(number: int) -> InstanceStored:
    return InstanceStored(
        observer="gateway",
        study_instance_uid="1.2",
        series_instance_uid="1.2.3",
        sop_instance_uid=f"1.2.3.{number}",
        sop_class_uid=CT,
        transfer_syntax_uid=EXPLICIT,
        data_set_digest="0",
        calling_ae_title="CT01",
    )


REMAINDER = (
    Case(
        "forward.failed",
        scene("receive", [], [dispatch("it cannot be brought there without loss")], system="PACS"),
        "PACS at 192.0.2.20:104 stores the study.",
        "After 3 attempts PACS has not all of it: it cannot be brought there without loss.",
        "The gateway's words say where",
    ),
    Case(
        "expected-not-seen",
        scene(
            "study",
            [sent(images())],
            [stored(1), stored(2), became("receiving"), became("unmatched", "order.cancelled")],
        ),
        "All that test ct01.study asks for.",
        "1 DICOM connection; 2 images stored; a study is unmatched (order.cancelled) within 300 s.",
        "Nothing is wrong with what was seen",
    ),
)
CASES = (*ORDERS, *COMMITMENTS, *REMAINDER)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_diagnosed(case: Case) -> None:
    check(case)


def test_orders_that_this_tool_sends_are_not_the_facilitys() -> None:
    wrong = ordered(hl7_order(patient_id="", sent_at="20200101000000"), codes=["AE"])
    assert diagnose(scene("study", [wrong, sent(images())], met=True)) == ()


def test_an_order_that_differs_from_the_sheet_explains_images_that_follow_it() -> None:
    name = "CHAN^SIU MING"
    seen = [ordered(hl7_order(patient_name=name)), sent(images(2, saying("PatientName", name)))]
    assert [card.id for card in diagnose(scene("study", seen, declared=FACILITY))] == ["hl7.not-the-sheet"]


def test_a_patient_who_is_not_synthetic_is_named_in_no_card() -> None:
    message = hl7_order(patient_id="H12345", patient_name="CHAN^SIU MING", patient_birth_date="")
    (card,) = diagnose(hl7(ordered(message, codes=["AE"], fault=Fault("PID-7 of CHAN SIU MING is empty"))))
    assert card.id == "person.not-synthetic"
    assert all(secret not in repr(card) for secret in ("CHAN", "H12345"))


def test_enhanced_mode_that_is_answered_as_it_asks_is_no_fault() -> None:
    both = ordered(hl7_order("AL", "AL"), codes=["CA", "AA"])
    assert diagnose(hl7(both, ordered(hl7_order("NE", "AL")), met=True)) == ()


def test_a_report_that_came_back_in_the_end_is_no_failure() -> None:
    delivered = CommitmentDelivered(observer="gateway", transaction_uid="2.25.1", calling_ae_title="CT01", via="new")
    received = CommitmentReceived(
        observer="gateway",
        transaction_uid="2.25.1",
        calling_ae_title="CT01",
        instances=2,
        status="0000",
        error_comment="",
    )
    seen = scene("commitment", [asking(), reporting()], [received, undelivered("no answer", 1), delivered], met=True)
    assert diagnose(seen) == ()


def test_two_messages_in_one_piece_are_two_blocks() -> None:
    """And a half acknowledgement is none."""
    talk = raw(block(hl7_order()) + block(hl7_order(control_id="M2", patient_sex="")))
    talk.says("acceptor", block(acknowledgement(hl7_order()))).says("acceptor", b"\x0bMSH|")
    assert [card.id for card in diagnose(hl7(talk))] == ["hl7.key-missing"]
