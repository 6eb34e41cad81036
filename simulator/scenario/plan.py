"""Turns a case and a seed into everything that will be sent: pure, so the same seed gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from simulator.events import CasePlanned, PixelsPlanned
from simulator.rules import sop_classes
from simulator.scenario import cast
from simulator.scenario.messages import Asking, PlannedMessage, order_message, patient_data, patient_message
from simulator.scenario.model import Case, Scenario
from simulator.scenario.model_given import OrderSpec, PersonSpec, SeriesSpec
from simulator.scenario.model_steps import Commit
from simulator.site import Site, overridden
from simulator.synthesis import changes, character_sets, compression, orders, studies
from simulator.synthesis.lies import LIES
from simulator.synthesis.orders import Order
from simulator.synthesis.people import Person
from simulator.synthesis.studies import Study
from simulator.synthesis.uids import uid
from simulator.wire import data_set, hl7_messages, hl7_patients
from simulator.wire.association import Outgoing
from simulator.wire.commitment import PUSH_MODEL_INSTANCE, REQUEST_ACTION, Reference, Request

_UNSUPPORTED_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"  # Encapsulated PDF Storage: of no site


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """One study, ready to send: each instance is made when its turn comes."""

    made: Study
    uncompressed: Callable[[], Study] = field(repr=False, compare=False)

    def selected(self, series: int | None, instance: int | None) -> tuple[str, str]:
        """Return Series and SOP Instance UID of a series and of an instance in it, counted from 1; empty for None."""
        if series is None:
            return "", ""
        first = sum(self.made.instances.series_sizes[: series - 1])
        found = self.made.instances[first + (instance or 1) - 1]
        return found.series_instance_uid, found.sop_instance_uid if instance is not None else ""

    def pixels(self) -> PixelsPlanned:
        """Return the digests of Pixel Data before it was compressed, instance by instance."""
        digests = {
            each.sop_instance_uid: data_set.pixel_data_digest(each.data_set, each.transfer_syntax_uid)
            for each in self.uncompressed().instances
        }
        return PixelsPlanned(observer="runner", study_instance_uid=self.study_instance_uid, digests=digests)

    @property
    def study_instance_uid(self) -> str:
        """The truth, also where the instances lie about it."""
        return self.made.study_instance_uid

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each SOP Class UID with a transfer syntax UID that its instances are in."""
        return self.made.instances.pairs()

    def __len__(self) -> int:
        return len(self.made.instances)

    def __iter__(self) -> Iterator[Outgoing]:
        return map(self.outgoing, range(len(self)))

    def outgoing(self, place: int) -> Outgoing:
        """Return the instance at `place` (from 0), as it is sent."""
        made = self.made.instances[place]
        return Outgoing(made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax_uid, made.data_set)


@dataclass(frozen=True, slots=True)
class PlannedCommitment:
    """One request for commitment, ready to send, and what is asked of it beside."""

    study_instance_uid: str
    request: Request
    action_type: int
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A case, ready to run. `id` is `scenario` or `scenario[case]`.

    `messages` holds what is said of an order or its patient after the order itself, by the number of the step
    (`PlacedStep.number`).
    """

    id: str
    seed: int
    case: Case
    site: Site
    orders: Mapping[str, PlannedMessage]
    studies: Mapping[str, PlannedStudy]
    messages: Mapping[int, PlannedMessage]

    def commitment(self, number: int) -> PlannedCommitment:
        """Return what the step `number` (`PlacedStep.number`) asks to hold safe."""
        step = self.case.steps[number].step.commit
        assert step is not None
        return _commitment(self, number, step)

    def event(self) -> CasePlanned:
        """Return what the judge needs to know of the plan: which UIDs the names stand for."""
        return CasePlanned(
            observer="runner",
            seed=self.seed,
            studies={name: study.study_instance_uid for name, study in self.studies.items()},
            instances={name: len(study) for name, study in self.studies.items()},
            orders={name: order.control_id for name, order in self.orders.items()},
            order_keys={name: order.key_digests for name, order in self.orders.items()},
            messages={
                message.control_id: self.case.steps[number].step.about or ""
                for number, message in self.messages.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of what a case sends, for its report: the middle of the series of one SOP class in one study.

    sop_class: its name (PS3.6). transfer_syntaxes: keywords, of all its series. png: a thumbnail.
    """

    study: str
    sop_class: str
    accession_number: str
    instances: int
    transfer_syntaxes: tuple[str, ...]
    png: bytes


def pictures(planned: Plan, side: int) -> tuple[Picture, ...]:
    """Return a picture for each study that the case sends and each SOP class in it, `side` pixels the longer side."""
    sent = dict.fromkeys(study for placed in planned.case.steps for study in placed.step.sends)
    return tuple(picture for name in sent for picture in _pictures(name, planned.studies[name].made, side))


def _pictures(name: str, study: Study, side: int) -> Iterator[Picture]:
    for sop_class, series in study.instances.series_by_class().items():
        yield Picture(
            study=name,
            sop_class=sop_class.name,
            accession_number=study.accession_number,
            instances=sum(each.instances for each in series),
            transfer_syntaxes=tuple(dict.fromkeys(each.transfer_syntax.keyword for each in series)),
            png=study.instances.preview(sop_class, side),
        )


def case_id(scenario: Scenario, case: Case) -> str:
    """Return the id under which a case is reported: `scenario` or `scenario[case]`."""
    return f"{scenario.name}[{case.name}]" if case.name else scenario.name


def plan(scenario: Scenario, case: Case, seed: int, site: Site) -> Plan:
    """Return everything that the case sends. The site is the run's, with the case's settings laid over it."""
    identity = case_id(scenario, case)
    here = overridden(site, case.given.site)
    people = {name: cast.person(f"{seed}/{identity}/{name}", spec) for name, spec in case.given.people.items()}
    made = {name: _order(f"{seed}/{identity}/{name}", case, name, people, here) for name in case.given.orders}
    return Plan(
        id=identity,
        seed=seed,
        case=case,
        site=here,
        orders={
            name: order_message(made[name], spec.message, asking=_asking(spec, here))
            for name, spec in case.given.orders.items()
        },
        studies={
            name: _study(f"{seed}/{identity}/{spec.again or name}", case, name, made)
            for name, spec in case.given.studies.items()
        },
        messages={
            number: _message(f"{seed}/{identity}", case, number, made, here)
            for number, _, step in case.steps
            if step.about is not None
        },
    )


def _commitment(plan: Plan, number: int, step: Commit) -> PlannedCommitment:
    study = plan.studies[step.study]
    named = [Reference(each.sop_class_uid, each.sop_instance_uid) for each in study]
    named = named[: len(named) - step.leave_out]
    first = named[0].sop_class_uid if named else sop_classes.SEED_IMAGE_CLASSES[0].uid
    another = next(each.uid for each in plan.site.storage_classes() if each.uid != first)
    wrong = [another] * step.another_class + [_UNSUPPORTED_CLASS] * step.unsupported_class
    for place, sop_class_uid in enumerate(wrong[: len(named)]):
        named[place] = Reference(sop_class_uid, named[place].sop_instance_uid)
    seed = f"{plan.seed}/{plan.id}/{step.study}"
    named += [Reference(first, uid(f"{seed}/unknown", place)) for place in range(step.unknown)]
    earlier = [other.number for other in plan.case.steps[:number] if other.step.commit is not None]
    own = number if step.transaction == "new" or not earlier else earlier[-1]
    transaction_uid = uid(f"{seed}/transaction", own)
    if step.wrong in ("transaction-missing", "transaction-malformed"):
        transaction_uid = "" if step.wrong == "transaction-missing" else "not-a-uid"
    return PlannedCommitment(
        study_instance_uid=study.study_instance_uid,
        request=Request(transaction_uid, () if step.wrong == "references-missing" else tuple(named)),
        action_type=2 if step.wrong == "action-type" else REQUEST_ACTION,
        sop_instance_uid=uid(f"{seed}/instance") if step.wrong == "sop-instance" else PUSH_MODEL_INSTANCE,
    )


def _order(seed: str, case: Case, name: str, people: Mapping[str, Person], site: Site) -> Order:
    spec = case.given.orders[name]
    patient = people[spec.person] if spec.person is not None else cast.person(seed, PersonSpec())
    return orders.order(seed, patient, modality=spec.modality, rules=site.accession_rules())


def _asking(spec: OrderSpec, site: Site, number: int = 0) -> Asking:
    asked = (spec.enhanced.accept, spec.enhanced.application) if spec.enhanced else ("", "")
    return Asking(number, *asked, site.hl7.accession_location)


def _message(seed: str, case: Case, number: int, made: Mapping[str, Order], site: Site) -> PlannedMessage:
    """Return what a step says of an order or its patient; other keys are those that the order's study tells."""
    step = case.steps[number].step
    name = step.about or ""
    spec, order = case.given.orders[name], made[name]
    study = next((study for study, each in case.given.studies.items() if each.order == name), name)
    to = step.to if step.merge_patient is None else ("another-hkid",)
    after = changes.changed(f"{seed}/{study}", order, to)
    asking = _asking(spec, site, number)
    if step.change_order is not None:
        return order_message(after, spec.message, "XO", asking)
    if step.cancel_order is not None:
        return order_message(order, spec.message, "CA", asking)
    prior = order.person.hkid if after.person.hkid != order.person.hkid else ""
    message_type = hl7_patients.UPDATE if step.update_patient is not None else hl7_patients.MERGE
    patient = patient_data(after.person, prior)
    return patient_message(after, message_type, patient, hl7_messages.VERSIONS[spec.message], asking)


def _study(seed: str, case: Case, name: str, made: Mapping[str, Order]) -> PlannedStudy:
    spec = case.given.studies[name]
    order = made[spec.order]
    if spec.study_instance_uid == "own":
        order = replace(order, study_instance_uid=uid(seed, "study instance"))
    lies = [LIES[lie] for lie in case.mutate.get(name, ())]
    series = [_series(each) for each in spec.series]
    character_set = character_sets.by_name(spec.character_set)
    native = [replace(each, transfer_syntax=compression.EXPLICIT_VR_LITTLE_ENDIAN) for each in series]
    return PlannedStudy(
        studies.study(seed, order, series, lies, character_set),
        partial(studies.study, seed, order, native, lies, character_set),
    )


def _series(spec: SeriesSpec) -> studies.SeriesSpec:
    return studies.SeriesSpec(
        sop_class=sop_classes.by_name(spec.sop_class),
        instances=spec.instances,
        rows=spec.rows,
        columns=spec.columns,
        transfer_syntax=compression.by_name(spec.transfer_syntax),
    )
