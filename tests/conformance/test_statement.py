"""The statement against a gateway that runs: what it says is accepted and rejected is so, and nothing else."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.presentation import build_context

from simulator import site as profile
from simulator.conformance import annexes, statement
from simulator.conformance.document import Document
from simulator.gateway import header, statuses
from simulator.gateway.acts import Correction
from simulator.gateway.correction import BY_OPERATOR, Copy
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES
from simulator.site import Site
from simulator.wire import acceptor, data_set, part10, rewriting
from tests import processes
from tests.conformance.statements import only, tables
from tests.gateway import made as gateway_made
from tests.processes import RunningGateway
from tests.synthesis import made
from tests.wire import pdus

ROOT = Path(__file__).resolve().parents[2]
CALLER = "CT01"
SETTINGS = {"callers": [{"ae_title": CALLER}], "sop_classes": "extended"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway"), **SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def document() -> Document:
    return statement.build(profile.overridden(Site(), SETTINGS))


def associate(gateway: RunningGateway, contexts: list[tuple[str, list[str]]]) -> Association:
    ae = AE(ae_title=CALLER)
    ae.acse_timeout = ae.connection_timeout = 30
    built = [build_context(uid, syntaxes) for uid, syntaxes in contexts]
    return ae.associate("127.0.0.1", gateway.dicom_port, built, ae_title=gateway.ae_title)


VERIFICATION = ("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])


def test_exactly_the_presentation_contexts_of_the_tables_are_accepted(
    gateway: RunningGateway, document: Document
) -> None:
    """Every class is proposed in every transfer syntax that PS3.6 knows, one syntax a context."""
    rows = [row for table in tables(document, "Accepted Presentation Contexts") for row in table]
    names = {row["Transfer syntaxes"] for row in rows}
    lists = {name: [row["UID"] for row in only(document, f"Transfer Syntaxes, {name}")] for name in names}
    said = {(row["UID"], uid) for row in rows for uid in lists[row["Transfer syntaxes"]]}
    known = [uid for uid in map(UID, sorted(_transfer_syntaxes())) if uid.is_transfer_syntax]
    every = [row["UID"] for row in rows]
    others = ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.31"]
    proposed = [(sop_class, str(syntax)) for sop_class in (*every, *others) for syntax in known]
    accepted: set[tuple[str, str]] = set()
    for first in range(0, len(proposed), 128):
        association = associate(gateway, [(uid, [syntax]) for uid, syntax in proposed[first : first + 128]])
        if association.is_established:
            accepted |= {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
            association.release()
    assert accepted == said
    assert len(every) == 2 + len(SEED_IMAGE_CLASSES) + len(EXTENDED_CLASSES)


def _transfer_syntaxes() -> set[str]:
    return {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}


def test_of_several_transfer_syntaxes_the_first_of_the_list_is_taken(
    gateway: RunningGateway, document: Document
) -> None:
    listed = [row["UID"] for row in only(document, "Transfer Syntaxes, List 2")]
    association = associate(gateway, [(SEED_IMAGE_CLASSES[2].uid, listed[::-1])])
    assert [str(c.transfer_syntax[0]) for c in association.accepted_contexts] == [listed[0]]
    association.release()


def test_the_associations_parameters_are_the_tables(gateway: RunningGateway, document: Document) -> None:
    general = {row["Parameter"]: row["Value"] for row in only(document, "General Association Policies")}
    identity = {row["Parameter"]: row["Value"] for row in only(document, "Implementation Class and Version")}
    association = associate(gateway, [VERIFICATION])
    accepted = association.acceptor
    assert str(accepted.maximum_length) == general["Maximum PDU size received, in bytes"]
    assert accepted.primitive is not None
    assert str(accepted.primitive.application_context_name) == general["Application context name"]
    assert str(accepted.implementation_class_uid) == identity["Implementation Class UID"]
    assert accepted.implementation_version_name == identity["Implementation Version Name"]
    assert accepted.asynchronous_operations == (1, 1)
    association.release()


LIMIT = (2, 3, 2)


def test_rejections_are_the_tables(gateway: RunningGateway, document: Document) -> None:
    said = {
        (int(row["Result"][0]), int(row["Source"]), int(row["Reason"]))
        for row in only(document, "Association Rejections")
    }
    seen = {
        _rejection(gateway, called=b"NONESUCH"),
        _rejection(gateway, calling=b"STRANGER"),
        _rejection(gateway, version=2),
        _rejection(gateway, application_context=b"1.2.840.10008.3.1.1.2"),
    }
    assert seen | {LIMIT} == said


def test_as_many_associations_as_the_table_says_are_accepted(tmp_path: Path, document: Document) -> None:
    acceptor_row = next(row for row in only(document, "Number of Associations") if row["Role"] == "Acceptor")
    limit = int(acceptor_row["Simultaneous associations"].partition(";")[0])
    with processes.gateway(tmp_path, **SETTINGS) as gateway, ExitStack() as open_ones:
        for _ in range(limit):
            association = associate(gateway, [VERIFICATION])
            assert association.is_established
            open_ones.callback(association.release)
        assert _rejection(gateway) == LIMIT


def _rejection(
    gateway: RunningGateway,
    calling: bytes = CALLER.encode(),
    called: bytes = b"HAGATEWAY",
    version: int = 1,
    application_context: bytes = b"1.2.840.10008.3.1.1.1",
) -> tuple[int, int, int]:
    """Return result, source and reason with which an A-ASSOCIATE-RQ is rejected (PS3.8 9.3.2, 9.3.4)."""
    context = b"\1\0\0\0" + _item(0x30, VERIFICATION[0].encode()) + _item(0x40, VERIFICATION[1][0].encode())
    user = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    head = struct.pack(">HH16s16s32x", version, 0, called.ljust(16), calling.ljust(16))
    content = head + _item(0x10, application_context) + _item(0x20, context) + _item(0x50, user)
    with socket.create_connection(("127.0.0.1", gateway.dicom_port), timeout=processes.DEADLINE) as connection:
        connection.sendall(struct.pack(">BBL", 0x01, 0, len(content)) + content)
        answer = pdus.read_pdu(connection)
    assert answer[0] == 0x03
    return answer[7], answer[8], answer[9]


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def test_user_identity_is_not_negotiated(gateway: RunningGateway) -> None:
    ae = AE(ae_title=CALLER)
    wanted = UserIdentityNegotiation()
    wanted.user_identity_type, wanted.primary_field, wanted.positive_response_requested = 1, b"somebody", True
    association = ae.associate(
        "127.0.0.1", gateway.dicom_port, [build_context(*VERIFICATION)], gateway.ae_title, ext_neg=[wanted]
    )
    assert association.is_established
    assert association.acceptor.user_identity is None
    association.release()


def test_every_status_of_the_table_is_one_that_the_standard_gives_to_c_store() -> None:
    strict = profile.overridden(Site(), {"image_limit": {"mode": "reject", "status": "C123"}})
    table = only(statement.build(strict), "C-STORE Response Status")
    assert [row["Status"] for row in table] == [status.text for status in statuses.store_statuses(strict)]
    assert all(re.fullmatch("0000|A7..|A9..|C...", row["Status"]) for row in table)
    assert "C123" in {row["Status"] for row in table}
    relaxed = only(statement.build(Site()), "C-STORE Response Status")
    assert {row["Status"] for row in table} - {row["Status"] for row in relaxed} == {"C123"}


def test_what_the_library_answers_when_a_service_fails_is_the_tables() -> None:
    assert statuses.FAILED.code == acceptor.SERVICE_FAILED == 0xC211


def test_every_attribute_that_is_read_is_listed_with_a_purpose() -> None:
    rows = only(statement.build(Site()), "Attributes Read")
    assert [row["Tag"] for row in rows] == [data_set.tag_text(tag) for tag in sorted(header.JUDGED)]
    assert all(row["What for"] for row in rows)


def test_a_corrected_copy_differs_in_the_listed_attributes_alone() -> None:
    """Every key of the order is another than the study's; the copy is compared with what came, element by element."""
    keys = MajorKeys(hkid="QX9999992", name="LEE^SIU MING", birth_date="19010203", sex="O")
    correction = Correction(OrderKeys("SYNXR9900000009Z", keys), BY_OPERATOR, "2026-01-02T03:04:05.000000Z")
    came = gateway_made.outgoing(made.a_study("corrected").instances[0])
    sent = Copy(correction, "HAGATEWAY").as_sent(came, "CT01")
    before, after = (dcmread(BytesIO(part10.build(each, "CT01"))) for each in (came, sent))
    changed = {tag for tag in after.keys() | before.keys() if before.get(tag) != after.get(tag)}
    assert changed == {tag for tag, _ in annexes.CORRECTED} | {rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE}
    (item,) = after[rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE].value
    table = {row["Attribute"]: row for row in only(statement.build(Site()), "Item of Original Attributes Sequence")}
    assert {element.name: data_set.tag_text(element.tag) for element in item} == {
        name: row["Tag"] for name, row in table.items()
    }
    assert item.ModifyingSystem == table["Modifying System"]["Value"]
    assert item.ReasonForTheAttributeModification in table["Reason for the Attribute Modification"]["Value"]


@pytest.mark.parametrize("term", annexes.CHARACTER_SETS)
def test_every_character_set_that_is_listed_is_read(term: str) -> None:
    values = {
        data_set.SPECIFIC_CHARACTER_SET: (term if term.startswith(("ISO_IR", "GB")) else f"\\{term}").encode(),
        data_set.PATIENT_NAME: b"CHAN^TAI MAN",
    }
    assert data_set.text(values, data_set.PATIENT_NAME) == "CHAN^TAI MAN"


@pytest.mark.parametrize("file", [None, *sorted((ROOT / "fixtures" / "sites").glob("*.yaml"))], ids=str)
def test_each_sites_own_facts_stand_in_it(file: Path | None) -> None:
    site = profile.load(file) if file else Site()
    document = statement.build(site)
    (local,) = only(document, "Local Application Entity")
    assert (local["AE title"], local["Host"]) == (site.gateway.ae_title, site.gateway.host)
    if site.callers != "any":
        assert [row["Calling AE title"] for row in only(document, "Callers")] == [c.ae_title for c in site.callers]
    if site.forwarding.destinations:
        rows = only(document, "Destinations")
        assert [row["Called AE title"] for row in rows] == [d.ae_title for d in site.forwarding.destinations]
    parameters = {row["Parameter"]: row for row in only(document, "Configuration Parameters")}
    assert parameters["gateway.ae_title"]["Default"] == "HAGATEWAY"
    assert parameters["site"]["At this site"] == (site.site if file and file.stem != "default" else "")


def test_every_parameter_has_a_meaning_and_its_values() -> None:
    rows = only(statement.build(Site()), "Configuration Parameters")
    assert [row["Parameter"] for row in rows if not row["Meaning"]] == []
    assert [row["Parameter"] for row in rows if not row["Values"]] == []
    assert len(rows) >= 20


def test_the_overview_and_the_specification_name_the_same_classes() -> None:
    document = statement.build(Site())
    overview = [tuple(row.values()) for row in only(document, "Network Services")]
    specified = [(row["SOP class"], row["SCU"], row["SCP"]) for row in only(document, "SOP Classes of the Gateway AE")]
    assert overview == specified
    assert [name for name, *_ in overview if "(Retired)" in name] == [
        "Hardcopy Grayscale Image Storage SOP Class (Retired)",
        "Hardcopy Color Image Storage SOP Class (Retired)",
    ]


def test_verification_is_proposed_as_the_table_says() -> None:
    document = statement.build(Site())
    rows = [row for table in tables(document, "Proposed Presentation Contexts") for row in table]
    (row,) = [row for row in rows if row["UID"] == VERIFICATION[0]]
    assert (row["Role"], row["Transfer syntaxes"]) == ("SCU", "List 4")
    listed = [row["UID"] for row in only(document, "Transfer Syntaxes, List 4")]
    assert tuple(listed) == acceptor.VERIFICATION_CONTEXT.transfer_syntax_uids
    services = {row["SOP class"]: tuple(row.values())[1:] for row in only(document, "Network Services")}
    assert services["Verification SOP Class"] == ("Yes", "Yes")
