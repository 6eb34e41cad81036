"""The shape of a scenario file. Every key is explained in docs/scenarios.md; unknown keys are errors.

A story may have cases: `for_each` lists them (rows), or spans them (a mapping of lists, every combination). A
row's own `given`, `mutate`, `when` and `then` are laid over the story's. Expectations are literals: nothing
that the gateway could compute is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Status = Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")]
RemoteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,15}$")]
State = Literal["receiving", "unmatched", "matched", "forwarding", "forwarded", "rejected", "failed"]


TransferSyntax = Literal[
    "ImplicitVRLittleEndian",
    "ExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "DeflatedExplicitVRLittleEndian",
    "RLELossless",
    "JPEGBaseline8Bit",
    "JPEGLosslessSV1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
]
CharacterSet = Literal["ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "GB18030", "ISO 2022 IR 58"]


class Strict(BaseModel):
    """A model that takes the keys it knows and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Acknowledge = Literal["AL", "NE", "ER", "SU"]
Key = Literal["another-hkid", "another-name", "another-birth-date", "another-sex"]


class Enhanced(Strict):
    """HL7's enhanced acknowledgement mode: which acknowledgements are asked for (table 0155)."""

    accept: Acknowledge = Field(default="AL", description="MSH-15: CA, CE or CR, that the message is in safe storage.")
    application: Acknowledge = Field(default="AL", description="MSH-16: AA, AE or AR, what became of it.")


class OrderSpec(Strict):
    """An order to make: the HL7 message that carries it, and for which modality."""

    message: Literal["ORM^O01", "OMI^O23", "ORU^R01"] = "ORM^O01"
    modality: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "CT"
    enhanced: Enhanced | None = Field(
        default=None, description="The enhanced acknowledgement mode, for every message about the order."
    )


class SeriesSpec(Strict):
    """A series to make. `sop_class` is a name, keyword or UID of the standard; sizes are pixels."""

    sop_class: str = "CTImageStorage"
    instances: int = Field(default=1, ge=1, le=20000)
    rows: int = Field(default=128, ge=16, le=4096)
    columns: int = Field(default=128, ge=16, le=4096)
    transfer_syntax: TransferSyntax = "ExplicitVRLittleEndian"


class StudySpec(Strict):
    """A study to make: for which order, and of which series."""

    order: Name = "order"
    series: tuple[SeriesSpec, ...] = Field(default=(SeriesSpec(instances=2),), min_length=1)
    character_set: CharacterSet = Field(default="ISO_IR 6", description="Specific Character Set of the names.")
    again: Name | None = Field(
        default=None, description="The study whose instances these are once more, encoded or mutated in another way."
    )


Title = Annotated[str, Field(min_length=1, max_length=16)]
Certificate = Literal["none", "modality", "expired", "stranger", "other-name"]


class ModalitySpec(Strict):
    """How the modality calls the gateway. A title goes as its bytes; shorter than 16, spaces follow."""

    calling: Title | None = Field(default=None, description="Default: a title that the site takes calls from.")
    called: Title | None = Field(default=None, description="Default: the gateway's.")
    address: str | None = Field(default=None, description="The address of this machine to call from, as 127.0.0.2.")
    tls: Certificate | None = Field(
        default=None, description="Speaks TLS, with this certificate of the run's test set; `none`: without one."
    )
    trust: Literal["ca", "other-ca"] | None = Field(default=None, description="Whose certificates it takes: `ca`.")
    port: Literal["dicom", "dicom-tls"] | None = Field(default=None, description="Default: the one that fits `tls`.")


class AssociateSpec(ModalitySpec):
    """An association to open; what is not said is as in `given.modality`."""

    name: Name
    hold: bool = Field(default=False, description="Keep it open until all steps are done; else echo, and release.")


class RemoteSpec(Strict):
    """A remote SCP, and how it behaves; its AE title is its name in capital letters. Without keys it takes everything.

    It counts C-STORE requests over all associations, from 1 on.
    """

    starts: Literal["up", "down"] = Field(default="up", description="down: nothing listens until `start_remote`.")
    rejects: bool = Field(default=False, description="It rejects every association.")
    accepts: tuple[TransferSyntax, ...] = Field(default=(), description="The transfer syntaxes it takes; empty: all.")
    answers: Status = Field(default="0000", description="The status with which it answers.")
    times: int | None = Field(default=None, ge=1, description="To so many requests `answers` goes; without it, to all.")
    aborts_at: int | None = Field(default=None, ge=1, description="It aborts the association at this request.")
    hangs_at: int | None = Field(default=None, ge=1, description="It never answers this request.")
    commits: Literal["honestly", "never-reports", "leaves-one-out", "another-transaction", "refuses", "no"] = Field(
        default="honestly", description="What becomes of a request for storage commitment."
    )
    loses: int = Field(default=0, ge=0, description="So many of the first instances are gone when it is first asked.")
    reports: Literal["same", "new"] = Field(
        default="same", description="Whether it reports on the association of the request or on a new one."
    )
    destination: dict[str, Any] = Field(
        default_factory=dict, description="Laid over what the site profile says of it as a destination."
    )


class Given(Strict):
    """What is there before the story begins: settings, orders, studies and remote SCPs, by names of your choice."""

    site: dict[str, Any] = Field(default_factory=dict, description="Laid over the site profile of the run.")
    orders: dict[Name, OrderSpec] = Field(default_factory=dict)
    studies: dict[Name, StudySpec] = Field(default_factory=dict)
    modality: ModalitySpec = ModalitySpec()
    remotes: dict[RemoteName, RemoteSpec] = Field(
        default_factory=dict, description="Every one is a destination; without any there is one, REMOTE1."
    )


class Wait(Strict):
    """Wait until the gateway says that a study is in this state, or purged, or how a commitment report of it went."""

    study: Name
    state: State | None = None
    report: Literal["delivered", "undelivered"] | None = None
    purged: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_for_one_thing(self) -> Wait:
        if sum(each is not None for each in (self.state, self.report, self.purged)) != 1:
            raise ValueError("a wait is for a state, for a report, or for 'purged: true'")
        return self

    @property
    def words(self) -> str:
        """What is waited for, as the history and the check say it."""
        purged_or_report = "purged" if self.purged else f"report {self.report}"
        return f"study {self.study} {self.state or purged_or_report}"


class Commit(Strict):
    """The modality asks for storage commitment of a study (N-ACTION), by a request that may be wrong on purpose."""

    study: Name
    release: Literal["after-report", "at-once"] = Field(
        default="after-report", description="When the association of the request is released."
    )
    takes: Literal["either", "new"] = Field(
        default="either", description="`new`: a report on the association of the request is refused."
    )
    listener: Literal["up", "down", "none"] = Field(
        default="up", description="Whether the modality listens for new associations; `none`: nor has an address."
    )
    leave_out: int = Field(default=0, ge=0, description="Instances at the end of the study that are not named.")
    unknown: int = Field(default=0, ge=0, description="Instances named beside that nobody ever sent.")
    another_class: int = Field(default=0, ge=0, description="Instances named under another class of the site.")
    unsupported_class: int = Field(default=0, ge=0, description="Instances named under a class not of the site.")
    transaction: Literal["new", "repeated"] = Field(default="new", description="Its Transaction UID.")
    wrong: (
        Literal["action-type", "sop-instance", "transaction-missing", "transaction-malformed", "references-missing"]
        | None
    ) = Field(default=None, description="What of the N-ACTION itself is wrong.")


class Ending(Strict):
    """How the gateway is ended before it is started again: in between, or while a study is being sent."""

    storing: Name | None = Field(default=None, description="The study that the modality is sending meanwhile.")
    after: int | None = Field(default=None, ge=1, description="So many of its instances are answered before the end.")
    site: dict[str, Any] = Field(default_factory=dict, description="Laid over the site profile from then on.")

    @model_validator(mode="after")
    def _says_when(self) -> Ending:
        if (self.storing is None) != (self.after is None):
            raise ValueError("storing and after go together: which study, and after how many of its instances")
        return self


class Reconcile(Strict):
    """What an operator rules about an unmatched study: it belongs to this order, or to none and is rejected."""

    study: Name
    order: Name | None = None
    reject: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_ruling(self) -> Reconcile:
        if (self.order is None) == (self.reject is None):
            raise ValueError("a study is bound to an order or rejected: give order, or reject: true")
        return self


class Forward(Strict):
    """Somebody asks the gateway to forward a study, one series of it, or one instance of that series."""

    study: Name
    series: int | None = Field(default=None, ge=1, description="Which series of the study, counted from 1.")
    instance: int | None = Field(default=None, ge=1, description="Which instance of that series, counted from 1.")
    to: RemoteName
    answer: Literal["queued", "refused"] = Field(default="queued", description="What the gateway must answer.")

    @model_validator(mode="after")
    def _names_the_series_of_the_instance(self) -> Forward:
        if self.instance is not None and self.series is None:
            raise ValueError("an instance is counted in its series, so name the series too")
        return self


class Change(Strict):
    """What is said of an order, or of its patient, after the order."""

    order: Name
    to: tuple[Key, ...] = Field(
        default=(), description="Keys that are others now: those that a study of the order tells as lies of this name."
    )


class Step(Strict):
    """One thing to do; exactly one key."""

    echo: Literal["gateway"] | None = Field(default=None, description="The modality asks for Verification.")
    send_order: Name | None = Field(default=None, description="The order placer sends this order by MLLP.")
    store: Name | None = Field(default=None, description="The modality sends this study by C-STORE.")
    wait: Wait | None = None
    forward: Forward | None = Field(default=None, description="By hand, as `simulate forward` does.")
    start_remote: RemoteName | None = Field(default=None, description="A remote SCP that was down listens from now on.")
    change_order: Change | None = Field(default=None, description="The order placer changes the order (ORC-1 XO).")
    cancel_order: Name | None = Field(default=None, description="The order placer cancels the order (ORC-1 CA).")
    update_patient: Change | None = Field(default=None, description="The patient's data are others now (ADT^A08).")
    merge_patient: Name | None = Field(
        default=None, description="The order's patient is merged into another HKID (ADT^A40)."
    )
    restart: Literal["gateway"] | Ending | None = Field(
        default=None, description="The gateway is stopped cleanly, and started again on the same folder."
    )
    kill: Literal["gateway"] | Ending | None = Field(
        default=None, description="The gateway is killed (SIGKILL), and started again on the same folder."
    )
    associate: AssociateSpec | None = Field(default=None, description="The modality opens an association.")
    commit: Commit | None = None
    take_reports: Literal["modality"] | None = Field(
        default=None, description="The modality starts to listen for commitment reports."
    )
    reconcile: Reconcile | None = Field(default=None, description="The operator rules about an unmatched study.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Step:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a step is one thing: {', '.join(type(self).model_fields)}")
        return self

    @property
    def key(self) -> str:
        """What is done: the one key that the step has."""
        return next(iter(self.model_fields_set))

    @property
    def about(self) -> str | None:
        """The order that a message of this step is about, if it is one that comes after the order."""
        change = self.change_order or self.update_patient
        return change.order if change else self.cancel_order or self.merge_patient

    @property
    def to(self) -> tuple[str, ...]:
        """The keys that are others after this step."""
        change = self.change_order or self.update_patient
        return change.to if change else ()

    @property
    def ending(self) -> Ending | None:
        """How the gateway is ended in this step, if it is."""
        given = self.restart or self.kill
        return Ending() if given == "gateway" else given

    @property
    def sends(self) -> str | None:
        """The study that the modality sends in this step, if it does."""
        return self.store or (self.ending.storing if self.ending else None)


class EchoExpectation(Strict):
    """What C-ECHO is answered with."""

    status: Status | None = None


class OrderExpectation(Strict):
    """What the order placer sees: MSA-1 of acknowledgements (table 0008)."""

    acknowledgement: Literal["AA", "AE", "AR"] | None = Field(
        default=None, description="What the application made of the order itself."
    )
    acknowledgements: tuple[Literal["AA", "AE", "AR", "CA", "CE", "CR"], ...] | None = Field(
        default=None, description="Every acknowledgement of every message about the order, in the order of coming."
    )


class AnswersExpectation(Strict):
    """What the modality sees: how many C-STORE responses came with each status."""

    answers: dict[Status, int] | None = None


class AssociationExpectation(Strict):
    """What the modality sees of an association that it asked for: PS3.8 9.3.4's fields where it was rejected."""

    outcome: Literal["accepted", "rejected", "failed"] | None = None
    result: int | None = Field(default=None, ge=0, le=255)
    source: int | None = Field(default=None, ge=0, le=255)
    reason: int | None = Field(default=None, ge=0, le=255)


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

    @property
    def expected_reports(self) -> int:
        """Reports without which nothing of this can be judged."""
        if self.reports is not None:
            return self.reports
        of_a_report = (self.event_type, self.committed, self.failed, self.failure_reasons, self.references, self.via)
        return int(any(value is not None for value in of_a_report))


class WireExpectation(Strict):
    """What is seen on the wire."""

    echo: EchoExpectation | None = None
    orders: dict[Name, OrderExpectation] = Field(default_factory=dict)
    studies: dict[Name, AnswersExpectation] = Field(default_factory=dict)
    associations: dict[Name, AssociationExpectation] = Field(default_factory=dict)
    commitments: dict[Name, CommitmentExpectation] = Field(default_factory=dict)


Answer = Literal[
    "done",
    "study.not-found",
    "study.not-unmatched",
    "order.not-found",
    "order.cancelled",
    "order.taken",
    "order.unusable",
]


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
    original_attributes: tuple[Literal["accession", "hkid", "name", "birth-date", "sex"], ...] | None = Field(
        default=None, description="Keys whose values, as sent, stand in the last item of Original Attributes Sequence."
    )


class RemoteExpectation(Strict):
    """What is seen at one remote SCP."""

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


class Case(Strict):
    """One case of a story, its overlays applied; this is what is planned, run and judged."""

    name: str = ""
    given: Given = Given()
    mutate: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict, description="By study: the lies its instances tell (`simulate list --lies`)."
    )
    when: tuple[Step, ...] = Field(min_length=1)
    then: Then


class Row(Strict):
    """A row of `for_each`: the values that name the case, and what is laid over the story."""

    with_: dict[Name, str | int] = Field(alias="with", min_length=1)
    given: dict[str, Any] = Field(default_factory=dict)
    mutate: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    when: tuple[dict[str, Any], ...] = ()
    then: dict[str, Any] = Field(default_factory=dict)


class Story(Strict):
    """A scenario file as written."""

    scenario: Name
    title: str = Field(min_length=1)
    explain: str = Field(min_length=1, description="For a person: what it means, and whose screen to edit.")
    level: Literal["must", "should", "informational"] = "must"
    tags: tuple[Name, ...] = ()
    verifies: tuple[str, ...] = Field(min_length=1, description="Ids in fixtures/requirements.csv.")
    given: dict[str, Any] = Field(default_factory=dict)
    mutate: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    when: tuple[dict[str, Any], ...] = ()
    then: dict[str, Any] = Field(default_factory=dict)
    for_each: tuple[Row, ...] | dict[Name, tuple[str | int, ...]] = ()


class Scenario(Strict):
    """A scenario, loaded: its story and its cases."""

    name: str
    title: str
    explain: str
    level: Literal["must", "should", "informational"]
    tags: tuple[str, ...]
    verifies: tuple[str, ...]
    cases: tuple[Case, ...]
    file: str
