"""Storage Commitment Push Model (PS3.4 Annex J): what is asked and reported, and how it is said over an association.

The SCU asks by N-ACTION (Action Type 1) to hold a set of instances safe; a success means *received*. The SCP says
later by N-EVENT-REPORT what it holds (Event Type 1: all; 2: failures exist), on the association of the request or on
one that it opens itself, on which it proposes the SCP role for itself (PS3.4 J.3.3; PS3.7 D.3.3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.uid import UID
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import decode, encode

from simulator.errors import ContextNotAccepted, NotDicom
from simulator.wire import data_set
from simulator.wire.association import Association
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.terms import Address, Context, Response, TimeOuts
from simulator.wire.tls import Credentials

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known instance (PS3.4 J.3.5)
TRANSFER_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
REQUEST_ACTION = 1  # PS3.4 J.3.2
ALL_COMMITTED, FAILURES_EXIST = 1, 2  # PS3.4 J.3.3


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance as Referenced SOP Sequence (0008,1199) names it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that is not committed, and its Failure Reason (0008,1197; PS3.3 C.14.1.1)."""

    reference: Reference
    reason: int

    @property
    def reason_text(self) -> str:
        """The reason as the standard prints it: four hexadecimal digits."""
        return f"{self.reason:04X}"


@dataclass(frozen=True, slots=True)
class Request:
    """Action Information (PS3.4 table J.3-1)."""

    transaction_uid: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Event Information (PS3.4 table J.3-2)."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[Failure, ...]

    @property
    def event_type(self) -> int:
        """1 when every instance is committed, 2 when failures exist."""
        return FAILURES_EXIST if self.failed else ALL_COMMITTED


@dataclass(frozen=True, slots=True)
class Action:
    """An N-ACTION-RQ as an SCP receives it; `request` is None where `problem` says why it cannot be read."""

    calling_ae_title: str
    peer: str
    sop_class_uid: str
    sop_instance_uid: str
    action_type: int | None
    request: Request | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """An N-EVENT-REPORT-RQ as an SCU receives it; `report` is None where `problem` says why it cannot be read."""

    peer_ae_title: str
    sop_class_uid: str
    sop_instance_uid: str
    event_type: int | None
    report: Report | None
    problem: str = ""


def report_association(
    calling_ae_title: str, peer: Address, time_outs: TimeOuts | None = None, *, tls: Credentials | None = None
) -> Association:
    """Open an association on which this side is SCP of storage commitment (role selection: SCU 0, SCP 1).

    tls: with what it goes over TLS. Raises what `Association.request` raises, and `ContextNotAccepted` when the peer
    does not accept the role.
    """
    context = Context(PUSH_MODEL, TRANSFER_SYNTAXES, role="scp")
    association = Association.request(calling_ae_title, peer, [context], time_outs, tls=tls)
    if not association.is_scp_of(PUSH_MODEL):
        association.release()
        raise ContextNotAccepted(f"{peer} does not accept the SCP role for storage commitment (PS3.7 D.3.3.4)")
    return association


def ask(
    association: Association,
    request: Request,
    *,
    action_type: int = REQUEST_ACTION,
    sop_instance_uid: str = PUSH_MODEL_INSTANCE,
) -> Response:
    """Send N-ACTION-RQ and return the response. Raises `PeerError` when none comes."""
    message = N_ACTION()
    message.RequestedSOPClassUID = UID(PUSH_MODEL)
    message.RequestedSOPInstanceUID = UID(sop_instance_uid)
    message.ActionTypeID = action_type
    message.ActionInformation = BytesIO(request_bytes(request, _syntax(association)))
    return association.ask(message, PUSH_MODEL)


def tell(association: Association, report: Report) -> Response:
    """Send N-EVENT-REPORT-RQ and return the response. Raises `PeerError` when none comes."""
    return association.ask(report_message(report, _syntax(association)), PUSH_MODEL)


def report_message(report: Report, transfer_syntax_uid: str) -> N_EVENT_REPORT:
    """Return the N-EVENT-REPORT-RQ that carries a report."""
    message = N_EVENT_REPORT()
    message.AffectedSOPClassUID = UID(PUSH_MODEL)
    message.AffectedSOPInstanceUID = UID(PUSH_MODEL_INSTANCE)
    message.EventTypeID = report.event_type
    message.EventInformation = BytesIO(report_bytes(report, transfer_syntax_uid))
    return message


# --- encoding ----------------------------------------------------------------------------------------


def request_bytes(request: Request, transfer_syntax_uid: str) -> bytes:
    """Return the encoded Action Information; an empty Transaction UID or sequence is left out."""
    data = Dataset()
    if request.transaction_uid:
        # As it was given: a modality of a scenario may lie.
        data.add(DataElement(0x00081195, "UI", request.transaction_uid, validation_mode=IGNORE))
    if request.references:
        data.ReferencedSOPSequence = [_item(reference) for reference in request.references]
    return _encoded(data, transfer_syntax_uid)


def report_bytes(report: Report, transfer_syntax_uid: str) -> bytes:
    """Return the encoded Event Information; a sequence that has no item is left out (PS3.4 table J.3-2, 1C)."""
    data = Dataset()
    data.TransactionUID = report.transaction_uid
    if report.committed:
        data.ReferencedSOPSequence = [_item(reference) for reference in report.committed]
    if report.failed:
        data.FailedSOPSequence = [_item(failure.reference) for failure in report.failed]
        for item, failure in zip(data.FailedSOPSequence, report.failed, strict=True):
            item.FailureReason = failure.reason
    return _encoded(data, transfer_syntax_uid)


def read_request(data: bytes, transfer_syntax_uid: str) -> Request:
    """Return what Action Information says; what is not there is empty. Raises `NotDicom` when it cannot be read."""
    try:
        decoded = _decoded(data, transfer_syntax_uid)
        return Request(_text(decoded, "TransactionUID"), _references(decoded, "ReferencedSOPSequence"))
    except Exception as error:
        raise NotDicom(f"the Action Information cannot be read: {error}") from error


def read_report(data: bytes, transfer_syntax_uid: str) -> Report:
    """Return what Event Information says; what is not there is empty. Raises `NotDicom` when it cannot be read."""
    try:
        decoded = _decoded(data, transfer_syntax_uid)
        items = decoded.get("FailedSOPSequence") or ()
        reasons = [int(item.get("FailureReason") or 0) for item in items]
        failed = map(Failure, _references(decoded, "FailedSOPSequence"), reasons)
        committed = _references(decoded, "ReferencedSOPSequence")
        return Report(_text(decoded, "TransactionUID"), committed, tuple(failed))
    except Exception as error:
        raise NotDicom(f"the Event Information cannot be read: {error}") from error


def _syntax(association: Association) -> str:
    agreed = association.accepted_syntaxes(PUSH_MODEL)
    if not agreed:
        raise ContextNotAccepted(f"{association.peer} accepted no presentation context for storage commitment")
    return agreed[0]


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _references(data: Dataset, keyword: str) -> tuple[Reference, ...]:
    items = data.get(keyword) or ()
    return tuple(
        Reference(_text(item, "ReferencedSOPClassUID"), _text(item, "ReferencedSOPInstanceUID")) for item in items
    )


def _text(data: Dataset, keyword: str) -> str:
    return str(data.get(keyword) or "").strip(" \0")


def _encoded(data: Dataset, transfer_syntax_uid: str) -> bytes:
    encoded = encode(data, transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN, True)
    if encoded is None:
        raise ValueError("the data set of storage commitment cannot be encoded")
    return encoded


def _decoded(data: bytes, transfer_syntax_uid: str) -> Dataset:
    for _ in data_set.elements(data, transfer_syntax_uid):
        pass  # raises for what is not whole; pydicom makes something of anything
    return decode(BytesIO(data), transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN, True)
