"""What must be seen: on the wire, by the operator, in the gateway, downstream. Each leaf is one check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from simulator.scenario.model_words import ContextAnswer, Name, RemoteName, State, Status, Strict, TransferSyntax

ComparedKey = Literal["accession", "hkid", "name", "birth-date", "sex"]
Answer = Literal[
    "done",
    "study.not-found",
    "study.not-unmatched",
    "order.not-found",
    "order.cancelled",
    "order.taken",
    "order.unusable",
]


class EchoExpectation(Strict):
    """What C-ECHO is answered with."""

    status: Status | None = None


class OrderExpectation(Strict):
    """What the order placer sees: MSA-1 of acknowledgements (table 0008)."""

    acknowledgement: Literal["AA", "AE", "AR"] | None = Field(
        default=None, description="What the application made of the order itself."
    )
    acknowledgements: tuple[Literal["AA", "AE", "AR", "CA", "CE", "CR", "missing"], ...] | None = Field(
        default=None, description="Every acknowledgement of every message about the order, in the order of coming."
    )


class AnswersExpectation(Strict):
    """What the modalities see: how many C-STORE responses came with each status, and what they said beside it."""

    answers: dict[Status, int] | None = None
    error_comments: dict[Status, str] | None = Field(
        default=None, description="Words that stand in every Error Comment (0000,0902) that came with a status."
    )


class AssociationExpectation(Strict):
    """What the modality sees of an association that it asked for: PS3.8 9.3.4's fields where it was rejected."""

    outcome: Literal["accepted", "rejected", "failed"] | None = None
    result: int | None = Field(default=None, ge=0, le=255)
    source: int | None = Field(default=None, ge=0, le=255)
    reason: int | None = Field(default=None, ge=0, le=255)
    contexts: tuple[ContextAnswer, ...] | None = Field(
        default=None, description="How each context was answered, as proposed: the transfer syntax, or why none."
    )
    accepted: int | None = Field(default=None, ge=0, description="How many contexts were accepted.")
    longest_pdu: Literal["within"] | None = Field(
        default=None, description="No P-DATA-TF came that is longer than the modality announced."
    )


class CommitmentExpectation(Strict):
    """What the modality sees of its requests for commitment of a study; of several reports, the last is judged."""

    answers: dict[Status, int] | None = Field(default=None, description="N-ACTION responses by status.")
    reports: int | None = Field(default=None, ge=0, description="Reports under its Transaction UIDs that it took.")
    event_type: Literal[1, 2] | None = Field(default=None, description="1: all committed; 2: failures exist.")
    committed: int | None = Field(default=None, ge=0)
    failed: int | None = Field(default=None, ge=0)
    failure_reasons: dict[Status, int] | None = Field(default=None, description="Failed instances by reason.")
    references: Literal["complete"] | None = Field(
        default=None, description="Each instance that was named stands in exactly one of the two sequences."
    )
    via: Literal["same", "new"] | None = Field(default=None, description="The association that the report came on.")
    ae_title: str | None = Field(default=None, description="The AE title under which a new association brought it.")

    @property
    def expected_reports(self) -> int:
        """Reports without which nothing of this can be judged."""
        if self.reports is not None:
            return self.reports
        of_a_report = (
            self.event_type,
            self.committed,
            self.failed,
            self.failure_reasons,
            self.references,
            self.via,
            self.ae_title,
            self.ae_title,
        )
        return int(any(value is not None for value in of_a_report))


class PeerExpectation(Strict):
    """What a peer that plays a script sees."""

    script: Literal["complete"] | None = Field(default=None, description="Every step of it went as written.")
    ended: Literal["fin", "rst", "abort", "timeout"] | None = Field(
        default=None, description="How its connection ended."
    )


class WireExpectation(Strict):
    """What is seen on the wire."""

    echo: EchoExpectation | None = None
    orders: dict[Name, OrderExpectation] = Field(default_factory=dict)
    studies: dict[Name, AnswersExpectation] = Field(default_factory=dict)
    associations: dict[Name, AssociationExpectation] = Field(default_factory=dict)
    commitments: dict[Name, CommitmentExpectation] = Field(default_factory=dict)
    peers: dict[Name, PeerExpectation] = Field(default_factory=dict)


class OperatorExpectation(Strict):
    """What the operator sees: how each `reconcile` of the story was answered, in order."""

    answers: tuple[Answer, ...] | None = None


class DestinationExpectation(Strict):
    """What the gateway says of a study at one destination: the last word about it."""

    state: Literal["waiting", "done", "failed", "withdrawn"] | None = None
    attempts: int | None = Field(default=None, ge=0, description="How often it tried.")
    missing: int | None = Field(default=None, ge=0, description="Instances that the destination has not stored.")
    problem: str | None = Field(default=None, description="Words that stand in what went wrong; empty: nothing did.")


class StudyExpectation(Strict):
    """What is seen in the gateway of a study when all is over."""

    state: State | None = None
    states: tuple[State, ...] | None = Field(default=None, description="Every state it went through, in order.")
    reasons: tuple[str, ...] | None = None
    warnings: tuple[str, ...] | None = None
    instances: int | None = Field(default=None, ge=0, description="Distinct instances that it says it stored.")
    refused: int | None = Field(default=None, ge=0, description="Instances that it says it refused and kept aside.")
    purged: int | None = Field(default=None, ge=0, description="Instances that it says it purged.")
    files: int | None = Field(default=None, ge=0, description="Instance files found in its folder, read apart from it.")
    held: int | None = Field(
        default=None, ge=0, description="Committed instances whose file lies there with the content that was sent."
    )
    originals: Literal["identical"] | None = Field(
        default=None, description="The data sets in those files are byte for byte what the modality sent."
    )
    acts: tuple[str, ...] | None = Field(
        default=None, description="What its audit log says was done about the study, in order."
    )
    destinations: dict[RemoteName, DestinationExpectation] = Field(default_factory=dict)


class GatewayExpectation(Strict):
    """What is seen in the gateway."""

    studies: dict[Name, StudyExpectation] = Field(default_factory=dict)
    rejected: dict[str, int] | None = Field(
        default=None, description="How many associations it says it rejected, by the field that was wrong."
    )
    broken: dict[str, int] | None = Field(
        default=None, description="How many connections it says it broke off, by the id of the problem."
    )
    verifications: dict[RemoteName, Status | Literal["unanswered"]] | None = Field(
        default=None, description="What it says of its last C-ECHO to each of these destinations."
    )
    audit: Literal["intact"] | None = Field(
        default=None, description="Its audit log, read apart from it, is a whole chain."
    )


class ArrivalExpectation(Strict):
    """What is seen of a study at the remote SCP."""

    instances: int | None = Field(default=None, ge=0, description="Distinct instances that arrived.")
    stored: int | None = Field(
        default=None, ge=0, description="Distinct instances that the remote SCP answered with success or a warning."
    )
    repeated: int | None = Field(default=None, ge=0, description="Arrivals of an instance that had arrived before.")
    pixel_data: Literal["identical"] | None = Field(
        default=None, description="Pixel Data of all that arrived is byte for byte what the modality sent."
    )
    data_set: Literal["identical"] | None = Field(
        default=None, description="The whole data set of all that arrived is byte for byte what the modality sent."
    )
    pixel_values: Literal["identical"] | None = Field(
        default=None,
        description="The samples of all that arrived are those that were planned: Pixel Data is byte for byte what it "
        "was before it was compressed, or still the compressed bytes that were sent.",
    )
    transfer_syntax: Literal["identical"] | TransferSyntax | None = Field(
        default=None, description="In which transfer syntax each instance arrived; identical: as it was sent."
    )
    keys: Name | None = Field(
        default=None, description="Whose accession number and major keys arrived: an order's by its name, or `study`."
    )
    original_attributes: tuple[ComparedKey, ...] | None = Field(
        default=None, description="Keys whose values, as sent, stand in the last item of Original Attributes Sequence."
    )


class RemoteExpectation(Strict):
    """What is seen at one remote SCP."""

    longest_pdu: Literal["within"] | None = Field(
        default=None, description="No P-DATA-TF came that is longer than it announced."
    )
    studies: dict[Name, ArrivalExpectation] = Field(default_factory=dict)


class DownstreamExpectation(Strict):
    """What is seen at all remote SCPs together, and at each."""

    studies: dict[Name, ArrivalExpectation] = Field(default_factory=dict)
    remotes: dict[RemoteName, RemoteExpectation] = Field(default_factory=dict)

    def arrivals(self) -> Iterator[tuple[str, str, ArrivalExpectation]]:
        """Yield every expectation: the remote SCP, empty for all together, the study, and what is expected there."""
        yield from (("", study, arrival) for study, arrival in self.studies.items())
        for remote, there in self.remotes.items():
            yield from ((remote, study, arrival) for study, arrival in there.studies.items())


class Then(Strict):
    """What must be seen: on the wire, in the gateway, downstream. Each leaf is one check."""

    wire: WireExpectation = WireExpectation()
    operator: OperatorExpectation = OperatorExpectation()
    gateway: GatewayExpectation = GatewayExpectation()
    downstream: DownstreamExpectation = DownstreamExpectation()
