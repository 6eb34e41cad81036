"""What was observed during a run: frozen facts, one class each, and nothing else.

Observers append events; the judge (`simulator.scenario.checks`) reads them. An event says who saw what
and when, never whether it was right. `to_record` and `from_record` turn events into JSON objects and back
without loss, so a saved history can be judged again.

UIDs, AE titles and codes are strings as they stood on the wire; statuses are four hexadecimal digits
(PS3.7 Annex C); digests are those of `wire.data_set.digest`; `at` is ISO 8601 in UTC with microseconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_type_hints

from simulator.errors import HarnessError


def now() -> str:
    """Return the present moment as events record it (ISO 8601, UTC, microseconds)."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # what is cut off is +00:00


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every observation has: its observer (a role's name) and its moment."""

    observer: str
    at: str = dataclasses.field(default_factory=now)


# --- seen on the wire, by the SCU and the order placer -----------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssociationAccepted(Event):
    """A-ASSOCIATE-AC received (PS3.8 9.3.3). `accepted` of `proposed` presentation contexts.

    contexts: in the order proposed, the UID of the transfer syntax accepted, or why none was (9.3.3.2):
    `user-rejection`, `no-reason`, `abstract-syntax-not-supported` or `transfer-syntaxes-not-supported`.
    maximum_length: the length of P-DATA-TF that the peer takes, in bytes (D.1); 0: any; None where nobody noted it.

    In this and those that follow, `association` is what a story calls it, or empty.
    """

    calling_ae_title: str
    called_ae_title: str
    peer: str
    proposed: int
    accepted: int
    contexts: tuple[str, ...] = ()
    maximum_length: int | None = None
    association: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRejected(Event):
    """A-ASSOCIATE-RJ received, or sent by the gateway (PS3.8 9.3.4): result, source and reason/diagnostic.

    `field` is told by the gateway alone: what was wrong (`called-ae-title`, `calling-ae-title`, `address`,
    `application-context`, `protocol-version`, `maximum-associations`).
    """

    calling_ae_title: str
    called_ae_title: str
    peer: str
    result: int
    source: int
    reason: int
    meaning: str
    field: str = ""
    association: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFailed(Event):
    """No association, or one that ended without a release; `problem` says how, in words."""

    calling_ae_title: str
    called_ae_title: str
    peer: str
    problem: str
    association: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LengthsMeasured(Event):
    """An association has ended on which the observer had announced what length of P-DATA-TF it takes (PS3.8 D.1).

    announced: that length in bytes; 0: any. longest: the one of the longest that came; 0: none came.
    """

    announced: int
    longest: int
    association: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EchoAnswered(Event):
    """C-ECHO-RSP received (PS3.7 9.1.5)."""

    status: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VerificationAnswered(Event):
    """A destination was asked by the gateway for Verification: the status of its C-ECHO-RSP (PS3.7 9.1.5).

    status: empty where no answer came. problem: what went wrong, in words; empty where it answered 0000.
    """

    destination: str
    status: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreAnswered(Event):
    """C-STORE-RSP received (PS3.7 9.1.1) for an instance whose digests were taken before sending.

    `keys`: digests of its accession number and major keys by name, so that a history names nobody.
    """

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    status: str
    error_comment: str
    data_set_digest: str
    pixel_data_digest: str
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed(Event):
    """An instance that was to be sent and got no answer; `problem` says why."""

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderAcknowledged(Event):
    """HL7 ACK received: MSA-1 (`AA`, `AE`, `AR`; `CA`, `CE`, `CR`), MSA-2 and the text that came with it."""

    accession_number: str
    message_control_id: str
    code: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderFailed(Event):
    """An HL7 message that got no acknowledgement, or not all that it asked for; `problem` says why."""

    accession_number: str
    message_control_id: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequested(Event):
    """N-ACTION-RQ goes out: the instances to hold safe under this Transaction UID (PS3.4 J.3.2)."""

    study_instance_uid: str
    transaction_uid: str
    sop_instance_uids: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentAnswered(Event):
    """N-ACTION-RSP received: 0000 means that the request was received, not that anything is committed."""

    study_instance_uid: str
    transaction_uid: str
    status: str
    error_comment: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentFailed(Event):
    """A request for commitment that got no N-ACTION-RSP; `problem` says why."""

    study_instance_uid: str
    transaction_uid: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentReported(Event):
    """N-EVENT-REPORT-RQ received (PS3.4 J.3.3) and answered `status`.

    `reasons` stand beside `failed`, four hexadecimal digits each; `via` is `same` for the association of the
    request, `new` for one that the SCP opened, by `peer_ae_title`.
    """

    transaction_uid: str
    event_type: int
    committed: tuple[str, ...]
    failed: tuple[str, ...]
    reasons: tuple[str, ...]
    via: str
    status: str
    peer_ae_title: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileAnswered(Event):
    """The gateway answered an operator: `done`, or the id of why not, with its words. `step`: as of `WaitEnded`."""

    study_instance_uid: str
    accession_number: str
    answer: str
    words: str
    step: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnanswered(Event):
    """An HL7 message was sent that needs no acknowledgement (MSH-15 and MSH-16 are not `AL`), and none came."""

    accession_number: str
    message_control_id: str


# --- seen in the gateway, told by its HTTP API -------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBroken(Event):
    """The gateway hung up on a connection or aborted an association, or the peer ended it without a release.

    problem: a stable id (`time-out.idle`, `pdu.unknown-type`, `tls.expired`, ...). words: what came, with its bytes.
    answer: what the peer was told. Titles are empty where no A-ASSOCIATE-RQ had come.
    """

    peer: str
    calling_ae_title: str
    called_ae_title: str
    problem: str
    words: str
    answer: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStored(Event):
    """The gateway holds the instance: complete under its final name, and indexed."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    data_set_digest: str
    calling_ae_title: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRefused(Event):
    """The gateway answered a failure status and kept the data set aside under `kept_as`, empty where it could not."""

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    calling_ae_title: str
    status: str
    error_comment: str
    kept_as: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderReceived(Event):
    """The gateway acknowledged an order with AA and will match studies against it."""

    accession_number: str
    message_control_id: str
    message_type: str
    order_control: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PatientChanged(Event):
    """The gateway accepted an ADT message; `orders` are the accession numbers whose patient it changed, or none."""

    message_control_id: str
    message_type: str
    orders: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MessageRefused(Event):
    """The gateway answered AE or AR (or CR) to an HL7 message and kept it aside under `kept_as`."""

    message_control_id: str
    code: str
    text: str
    kept_as: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyChanged(Event):
    """A study entered a state (`receiving`, `matched`, ...) for these reasons, with these warnings."""

    study_instance_uid: str
    accession_number: str
    state: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    instances: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceForwarded(Event):
    """A destination answered the gateway's C-STORE-RQ, sent in this transfer syntax, with `status`."""

    study_instance_uid: str
    sop_instance_uid: str
    destination: str
    status: str
    transfer_syntax_uid: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DispatchChanged(Event):
    """What is to be sent to a destination is now `waiting`, `done`, `failed` or `withdrawn`; `problem` is the last one.

    Series and SOP Instance UID are empty where a whole study, or a whole series, is sent. `attempts` counts the
    associations tried. `missing`: instances that the destination does not have yet.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    destination: str
    state: str
    attempts: int
    missing: int
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentReceived(Event):
    """The gateway answered a request for commitment of so many instances with `status`."""

    transaction_uid: str
    calling_ae_title: str
    instances: int
    status: str
    error_comment: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentDecided(Event):
    """The gateway looked after every instance of the request; what it commits to survives a power cut."""

    transaction_uid: str
    committed: int
    failed: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentDelivered(Event):
    """The requester took the report, `via` the `same` association or a `new` one."""

    transaction_uid: str
    calling_ae_title: str
    via: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentUndelivered(Event):
    """The report did not reach the requester at this attempt; `abandoned` when it was the last."""

    transaction_uid: str
    calling_ae_title: str
    attempt: int
    problem: str
    abandoned: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyPurged(Event):
    """The gateway removed the files of a forwarded study, so many, since its retention time was over."""

    study_instance_uid: str
    instances: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLost(Event):
    """The gateway found at its start that the file of an instance is gone or damaged: sent again, it is taken anew."""

    study_instance_uid: str
    sop_instance_uid: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged(Event):
    """A part of the gateway (`storage`, `index`) does not work, or works again where `problem` is empty."""

    part: str
    problem: str


# --- seen downstream, by the remote SCP --------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReceived(Event):
    """A C-STORE-RQ reached the remote SCP, which answered `status`, or nothing where that is empty.

    `keys`: digests of its accession number and major keys by name. `original`: the same of those that the last item
    of its Original Attributes Sequence (0400,0561) keeps.
    """

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    status: str
    data_set_digest: str
    pixel_data_digest: str
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    original: Mapping[str, str] = dataclasses.field(default_factory=dict)


# --- seen or done by the runner ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CasePlanned(Event):
    """Which study UIDs and HL7 message control ids the names of the story stand for in this case.

    `order_keys`: by order, digests of its accession number and major keys by name.
    `messages` says of the control id of each further message (a change, a cancel, an ADT) which order it is about.
    """

    seed: int
    studies: Mapping[str, str]
    instances: Mapping[str, int]
    orders: Mapping[str, str]
    order_keys: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    messages: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoleBound(Event):
    """A real system plays this role (`gateway`, `modality`, or a remote SCP's name): nobody sees into it.

    `reaches`, of a gateway: the simulated remote SCPs that stand where the site profile says it forwards to.
    """

    role: str
    ae_title: str
    peer: str
    reaches: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotCarriedOut(Event):
    """The runner did not begin a case, since a real system cannot be made to do what it asks for."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecognised(Event):
    """A real modality sent a study under the accession number of a study of the story, for which it stands."""

    study: str
    study_instance_uid: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStarted(Event):
    """The gateway process answered that all its ports listen."""

    pid: int
    ae_title: str
    dicom_port: int
    hl7_port: int
    http_url: str
    dicom_tls_port: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStopped(Event):
    """The gateway process ended; a negative `exit_code` is the signal that ended it."""

    exit_code: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKilled(Event):
    """The runner killed the gateway process (SIGKILL), as the story says."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileFound(Event):
    """After the run a Part 10 file with this instance lay in the gateway's folder, read independently."""

    study_instance_uid: str
    sop_instance_uid: str
    data_set_digest: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActFound(Event):
    """After the run this entry stood in the gateway's audit log, read independently.

    `intact`: it follows upon the entry before it, and its digest is that of what it says and of the one before.
    """

    number: int
    act: str
    who: str
    study_instance_uid: str
    intact: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAsked(Event):
    """Somebody asked the gateway to forward a study, a series or an instance; it answered with this HTTP status.

    Series and SOP Instance UID are empty where a whole study, or a whole series, was asked for. `step`: as of
    `WaitEnded`.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    destination: str
    status_code: int
    text: str
    step: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PixelsPlanned(Event):
    """Of each instance of a study, by SOP Instance UID, the digest of its Pixel Data before it was compressed."""

    study_instance_uid: str
    digests: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitEnded(Event):
    """A step waited `for` something; `met` is false when its deadline passed first.

    `step`: its place below `when` in the file, as `2` or `2.together.0.1`.
    """

    waited_for: str
    met: bool
    step: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HarnessFailed(Event):
    """The harness could not carry on; the case ends as `error`, charged to nobody else."""

    problem: str


# --- seen or done by the peers played from a script, and by the relays that inject faults ------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PduSent(Event):
    """A peer played from a script sent `length` bytes: a PDU, or bytes that are none (`kind` is empty then).

    `message` is the DIMSE message whose command set it holds (`C-STORE-RQ`), or empty; `head` is the first 32
    bytes in hexadecimal.
    """

    kind: str
    message: str
    length: int
    head: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PduReceived(Event):
    """A peer played from a script received a PDU (PS3.8 9.3), or bytes that are none; fields as of `PduSent`.

    `status`: of a DIMSE response, else empty.
    """

    kind: str
    message: str
    status: str
    length: int
    head: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnded(Event):
    """The connection of a peer played from a script ended, `how`: fin, rst, abort (A-ABORT, then either) or timeout.

    `by` is `peer` or `script`; timeout is the script's: what it waited for did not come.
    """

    how: str
    by: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded(Event):
    """A script was played: `done` of `steps` steps went as written; `problem` says why the next one did not."""

    done: int
    steps: int
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjected(Event):
    """A relay applied a fault (`fault_at` and `do` as scenarios write them); `done` says what was done in words.

    `direction` is that of the message, `offset` the byte at which it begins in that direction of the relay's
    `connection` (from 1).
    """

    fault_at: str
    do: str
    done: str
    connection: int
    direction: str
    offset: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FaultMissed(Event):
    """A relay was stopped, and the message of a fault had not come; `seen` of its kind had."""

    fault_at: str
    do: str
    seen: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayBlind(Event):
    """What passes through a relay cannot be read (TLS, another protocol), so no fault is applied from there on."""

    connection: int
    direction: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayFailed(Event):
    """A relay could not reach the peer behind it, and reset the connection that was made to it."""

    connection: int
    problem: str


EVENT_TYPES: Mapping[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        AssociationAccepted,
        AssociationRejected,
        AssociationFailed,
        LengthsMeasured,
        EchoAnswered,
        VerificationAnswered,
        StoreAnswered,
        StoreFailed,
        OrderAcknowledged,
        OrderFailed,
        CommitmentRequested,
        CommitmentAnswered,
        CommitmentFailed,
        CommitmentReported,
        ConnectionBroken,
        ReconcileAnswered,
        OrderUnanswered,
        InstanceStored,
        InstanceRefused,
        OrderReceived,
        PatientChanged,
        MessageRefused,
        StudyChanged,
        InstanceForwarded,
        CommitmentReceived,
        CommitmentDecided,
        CommitmentDelivered,
        CommitmentUndelivered,
        DispatchChanged,
        StudyPurged,
        InstanceLost,
        HealthChanged,
        InstanceReceived,
        CasePlanned,
        RoleBound,
        NotCarriedOut,
        StudyRecognised,
        GatewayStarted,
        GatewayStopped,
        GatewayKilled,
        FileFound,
        ActFound,
        ForwardAsked,
        PixelsPlanned,
        WaitEnded,
        HarnessFailed,
        PduSent,
        PduReceived,
        ConnectionEnded,
        ScriptEnded,
        FaultInjected,
        FaultMissed,
        RelayBlind,
        RelayFailed,
    )
}

_TUPLE_FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(field for field, hint in get_type_hints(cls).items() if hint == tuple[str, ...])
    for name, cls in EVENT_TYPES.items()
}


def to_record(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object: its class under `event`, then its fields."""
    return {"event": type(event).__name__} | {
        field.name: getattr(event, field.name) for field in dataclasses.fields(event)
    }


def from_record(record: Mapping[str, Any]) -> Event:
    """Return the event that `to_record` wrote.

    Raises `HarnessError` for a class or field that this version does not know.
    """
    fields = dict(record)
    name = fields.pop("event", None)
    if name not in EVENT_TYPES:
        raise HarnessError(f"unknown event {name!r} in a history", "was it written by another version?")
    for field in _TUPLE_FIELDS[name] & fields.keys():
        fields[field] = tuple(fields[field])
    try:
        return EVENT_TYPES[name](**fields)
    except TypeError as error:
        raise HarnessError(f"event {name} does not fit: {error}") from error
