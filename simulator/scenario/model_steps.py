"""What is done in a story: one step after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

from simulator.scenario.model_given import ModalitySpec
from simulator.scenario.model_words import Name, RemoteName, State, Strict

Key = Literal["another-hkid", "another-name", "another-birth-date", "another-sex"]


class ProposalSpec(Strict):
    """A presentation context to propose (PS3.8 9.3.2.2), by names, keywords or UIDs of the standard."""

    sop_class: str
    transfer_syntaxes: tuple[str, ...] = Field(default=("ImplicitVRLittleEndian",), min_length=1)


class AssociateSpec(ModalitySpec):
    """An association to open; what is not said is as with the modality that opens it."""

    name: Name
    by: Name | None = Field(default=None, description="Which of `given.modalities`; without it `given.modality`.")
    hold: bool = Field(default=False, description="Keep it open until all steps are done; else echo, and release.")
    propose: tuple[ProposalSpec, ...] = Field(
        default=(), description="The contexts that it proposes, in order; without them, one for Verification."
    )
    contexts: int | None = Field(
        default=None, ge=1, le=128, description="So many contexts in all: those of `propose` over and over."
    )


class Echo(Strict):
    """A modality asks the gateway for Verification, or the gateway one of its destinations."""

    by: Name | None = Field(default=None, description="Which of `given.modalities`; without it `given.modality`.")
    to: RemoteName | None = Field(
        default=None, description="The gateway asks this remote SCP, as `simulate echo` does."
    )

    @model_validator(mode="after")
    def _is_asked_by_one(self) -> Echo:
        if self.by is not None and self.to is not None:
            raise ValueError("a modality asks the gateway (by), or the gateway a remote SCP (to)")
        return self


class Store(Strict):
    """A modality sends one study, or several with their instances in turns, over one association or several."""

    study: Name | None = None
    studies: tuple[Name, ...] = Field(
        default=(), description="Several studies, interleaved: one instance of each in turn."
    )
    by: Name | None = Field(default=None, description="Which of `given.modalities`; without it `given.modality`.")
    associations: int = Field(default=1, ge=1, description="Over so many associations, each with its share.")
    at_once: bool = Field(default=False, description="The associations are open at once; else one after the other.")
    name: Name | None = Field(default=None, description="What `then.wire.associations` calls them.")
    offers: tuple[Literal["ExplicitVRLittleEndian", "ImplicitVRLittleEndian"], ...] = Field(
        default=(),
        description="One context for each SOP class, with all of these; instances go in the one that is accepted.",
    )

    @model_validator(mode="after")
    def _says_what(self) -> Store:
        if (self.study is None) == (not self.studies):
            raise ValueError("give study, or studies for several that are interleaved")
        if self.at_once and self.associations == 1:
            raise ValueError("at_once is for several associations: give associations too")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The studies that are sent."""
        return self.studies or ((self.study,) if self.study else ())


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
    by: Name | None = Field(default=None, description="Which of `given.modalities`; without it `given.modality`.")
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

    echo: Literal["gateway"] | Echo | None = Field(default=None, description="The modality asks for Verification.")
    send_order: Name | None = Field(default=None, description="The order placer sends this order by MLLP.")
    store: Name | Store | None = Field(default=None, description="The modality sends this study by C-STORE.")
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
    play: Name | None = Field(default=None, description="A peer plays its script, one of `given.peers`.")
    together: tuple[Step | tuple[Step, ...], ...] | None = Field(
        default=None, min_length=2, description="Steps done at the same time; a list among them is done in its order."
    )

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
    def storing(self) -> Store | None:
        """What the modality sends in this step, if it does so to its end."""
        return Store(study=self.store) if isinstance(self.store, str) else self.store

    @property
    def sends(self) -> tuple[str, ...]:
        """The studies that a modality sends in this step."""
        if self.storing is not None:
            return self.storing.names
        return (self.ending.storing,) if self.ending and self.ending.storing else ()

    @property
    def asks_remote(self) -> str | None:
        """The remote SCP that the gateway asks for Verification in this step, if it does."""
        return self.echo.to if isinstance(self.echo, Echo) else None

    @property
    def by(self) -> str | None:
        """Which of several modalities does this step; None for the one without a name, and for what none does."""
        return getattr(self.echo or self.storing or self.associate or self.commit, "by", None)


class PlacedStep(NamedTuple):
    """A step that is done by itself: its place below `when` in the file, and its number among all of them (from 0)."""

    number: int
    path: tuple[int | str, ...]
    step: Step

    @property
    def id(self) -> str:
        """The place as checks and events name it: `2`, or `2.together.0.1`."""
        return ".".join(str(part) for part in self.path)


def turns(steps: tuple[Step, ...]) -> tuple[tuple[tuple[PlacedStep, ...], ...], ...]:
    """Return what is done in turn: each time branches that are done at the same time, of steps in their order."""
    numbers = itertools.count()
    return tuple(
        tuple(
            tuple(PlacedStep(next(numbers), path, each) for path, each in branch) for branch in _branches(place, step)
        )
        for place, step in enumerate(steps)
    )


def _branches(place: int, step: Step) -> Iterator[list[tuple[tuple[int | str, ...], Step]]]:
    if step.together is None:
        yield [((place,), step)]
        return
    for number, branch in enumerate(step.together):
        where = (place, "together", number)
        yield [(where, branch)] if isinstance(branch, Step) else [((*where, i), each) for i, each in enumerate(branch)]
