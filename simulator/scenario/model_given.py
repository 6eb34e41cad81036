"""What is there before a story begins: people, orders, studies, modalities, remote SCPs and scripted peers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.scenario.model_words import CharacterSet, MaximumLength, Name, RemoteName, Status, Strict, TransferSyntax

Acknowledge = Literal["AL", "NE", "ER", "SU"]
Title = Annotated[str, Field(min_length=1, max_length=16)]
Certificate = Literal["none", "modality", "expired", "stranger", "other-name"]


class Enhanced(Strict):
    """HL7's enhanced acknowledgement mode: which acknowledgements are asked for (table 0155)."""

    accept: Acknowledge = Field(default="AL", description="MSH-15: CA, CE or CR, that the message is in safe storage.")
    application: Acknowledge = Field(default="AL", description="MSH-16: AA, AE or AR, what became of it.")


class PersonSpec(Strict):
    """A synthetic person; keys that are not given are drawn from the seed."""

    hkid: str | None = Field(
        default=None, description="Of the range of made-up people (Q or QX), with its check digit."
    )
    name: str | None = Field(default=None, description="In English, surname first: CHAN^TAI MAN.")
    ideographic: str | None = Field(default=None, description="The name in Traditional characters; needs `name`.")
    birth_date: str | None = Field(default=None, description="YYYYMMDD; quote it.")
    sex: Literal["M", "F", "O"] | None = None


class OrderSpec(Strict):
    """An order to make: the HL7 message that carries it, for which modality, and of whom."""

    person: Name | None = Field(
        default=None, description="Whose order it is, one of `given.people`; without it somebody of its own."
    )

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

    study_instance_uid: Literal["order", "own"] = Field(
        default="order", description="`own`: the modality makes one up, as where it takes none from a worklist."
    )

    @property
    def instances(self) -> int:
        """How many instances all its series have."""
        return sum(series.instances for series in self.series)


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
    maximum_length: MaximumLength | None = Field(
        default=None, description="The length of P-DATA-TF, in bytes, that it announces; 0: any."
    )


class FaultSpec(Strict):
    """What is done to one message between two peers (`simulator.wire.faults` has the grammar)."""

    on: str = Field(description="Between whom: who opens the connection, `->`, and who takes it.")
    at: str = Field(description="Which message: its kind and number, as C-STORE-RQ#3.")
    do: str = Field(
        description="What is done: abort, drop, delay 2s, status A700, truncate, garbage, half-pdu, slow 10KB/s."
    )

    @property
    def link(self) -> tuple[str, str]:
        """Who opens the connection, and who takes it."""
        requestor, _, acceptor = self.on.partition("->")
        return requestor.strip(), acceptor.strip()


class PeerSpec(Strict):
    """A peer that plays a script of PDUs against the gateway (`simulator.wire.pdu_script` has the grammar)."""

    to: Literal["dicom", "hl7"] = Field(default="dicom", description="Which port of the gateway it connects to.")
    script: tuple[dict[str, Any], ...] = Field(min_length=1)


class RejectionSpec(Strict):
    """How a remote SCP rejects associations (A-ASSOCIATE-RJ, PS3.8 9.3.4)."""

    result: Literal[1, 2] = Field(default=1, description="1: for good; 2: for now.")
    source: Literal[1, 2, 3] = 1
    reason: int = Field(default=3, ge=0, le=255)
    times: int | None = Field(default=None, ge=1, description="So many associations; without it, every one.")


class RemoteSpec(Strict):
    """A remote SCP, and how it behaves; its AE title is its name in capital letters. Without keys it takes everything.

    It counts C-STORE requests over all associations, from 1 on.
    """

    starts: Literal["up", "down"] = Field(default="up", description="down: nothing listens until `start_remote`.")
    rejects: Literal[True] | RejectionSpec | None = Field(
        default=None, description="It rejects every association, for its calling AE title; or as this says."
    )
    takes: tuple[str, ...] = Field(
        default=(), description="The SOP classes it takes, by name, keyword or UID; empty: all of the site's."
    )
    accepts: tuple[TransferSyntax, ...] = Field(default=(), description="The transfer syntaxes it takes; empty: all.")
    context_result: Literal[1, 2] | None = Field(
        default=None, description="It accepts no presentation context: 1, user rejection, or 2, no reason."
    )
    maximum_length: MaximumLength | None = Field(
        default=None, description="The length of P-DATA-TF, in bytes, that it announces; 0: any."
    )
    answers: Status = Field(default="0000", description="The status with which it answers.")
    answers_wrongly: Literal["message-id", "sop-instance", "sop-class", "no-status"] | None = Field(
        default=None, description="What is wrong with each of its answers; the instance is stored."
    )
    times: int | None = Field(default=None, ge=1, description="To so many requests `answers` goes; without it, to all.")
    aborts_at: int | None = Field(default=None, ge=1, description="It aborts the association at this request.")
    hangs_at: int | None = Field(default=None, ge=1, description="It never answers this request.")
    commits: Literal["honestly", "never-reports", "leaves-one-out", "another-transaction", "refuses", "no"] = Field(
        default="honestly", description="What becomes of a request for storage commitment."
    )
    loses: int = Field(default=0, ge=0, description="So many of the first instances are gone when it is first asked.")
    tls: Certificate | None = Field(
        default=None, description="It speaks TLS alone, with this certificate of the run's test set."
    )
    reports: Literal["same", "new"] = Field(
        default="same", description="Whether it reports on the association of the request or on a new one."
    )
    script: tuple[dict[str, Any], ...] = Field(
        default=(), description="It plays this script of PDUs to the first who connects, and behaves in no other way."
    )
    destination: dict[str, Any] = Field(
        default_factory=dict, description="Laid over what the site profile says of it as a destination."
    )

    @property
    def rejection(self) -> RejectionSpec | None:
        """How it rejects associations, if it does."""
        return RejectionSpec() if self.rejects is True else self.rejects


class Given(Strict):
    """What is there before the story begins: settings, orders, studies and remote SCPs, by names of your choice."""

    site: dict[str, Any] = Field(default_factory=dict, description="Laid over the site profile of the run.")
    people: dict[Name, PersonSpec] = Field(default_factory=dict)
    orders: dict[Name, OrderSpec] = Field(default_factory=dict)
    studies: dict[Name, StudySpec] = Field(default_factory=dict)
    modality: ModalitySpec = ModalitySpec()
    modalities: dict[Name, ModalitySpec] = Field(
        default_factory=dict, description="Others beside that one, for steps that say `by`."
    )
    peers: dict[Name, PeerSpec] = Field(default_factory=dict, description="Peers that play a script to the gateway.")
    remotes: dict[RemoteName, RemoteSpec] = Field(
        default_factory=dict, description="Every one is a destination; without any there is one, REMOTE1."
    )

    @property
    def remote_scps(self) -> dict[str, RemoteSpec]:
        """The remote SCPs by name: those that are given, or the one that is there without any."""
        return dict(self.remotes) or {"remote1": RemoteSpec()}
