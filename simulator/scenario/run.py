"""The whole story of a run: start everyone, do the steps, watch, stop, judge.

For each case: plan (pure) -> start the remote SCP and the gateway, each on a free port -> do the steps one by
one -> wait until what is expected was seen, or nothing more happens -> stop the gateway, and look at its folder
-> check (pure). Only this module starts gateways and actors. Nothing sleeps: waits are for events, and end when
no event came for `PATIENCE` seconds.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.operator import Operator
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.remote_scp import RemoteSCP
from simulator.errors import NotDicom, SimulatorError
from simulator.events import (
    AssociationRejected,
    CommitmentDelivered,
    CommitmentReported,
    CommitmentRequested,
    CommitmentUndelivered,
    ConnectionBroken,
    Event,
    FileFound,
    GatewayStarted,
    HarnessFailed,
    InstanceReceived,
    InstanceStored,
    StoreAnswered,
    StudyChanged,
    WaitEnded,
)
from simulator.rules import transfer_syntaxes
from simulator.scenario import audit_trail, gateway_process
from simulator.scenario.checks import Finding, Verdict, check, worst
from simulator.scenario.gateway_process import GatewayProcess
from simulator.scenario.history import History, Recorder
from simulator.scenario.messages import PlannedMessage
from simulator.scenario.model import (
    ArrivalExpectation,
    AssociateSpec,
    Case,
    Commit,
    Ending,
    Reconcile,
    Scenario,
    Step,
    Wait,
)
from simulator.scenario.plan import Picture, Plan, case_id, pictures, plan
from simulator.site import Site, overridden, with_files_from
from simulator.wire import certificates, data_set, part10
from simulator.wire.association import Address, Association, Context

PATIENCE = 20.0
"""Seconds without any event after which a wait is given up."""

WATCH = 0.3
"""Seconds to watch for what must not happen, after everything that must happen did."""

THUMBNAIL = 128
"""Pixels of the longer side of a picture in the report."""

MODALITY = "MODALITY1"
REMOTE = "REMOTE1"
OPERATOR = "OPERATOR1"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is given: the seed, the site profile, a folder to work in, and how to start the gateway."""

    seed: int
    site: Site
    folder: Path
    gateway_command: Sequence[str] = gateway_process.COMMAND
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A case that was run: what was seen, what it amounts to, how long it took in seconds, and what was sent."""

    id: str
    case: Case
    history: History
    findings: tuple[Finding, ...]
    seconds: float
    pictures: tuple[Picture, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its checks."""
        return worst([finding.verdict for finding in self.findings])


@dataclass(frozen=True, slots=True)
class ScenarioOutcome:
    """A scenario that was run, with all its cases."""

    scenario: Scenario
    cases: tuple[CaseOutcome, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its cases."""
        return worst([case.verdict for case in self.cases])


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to know how a run goes on: called as cases begin, as events come, and as cases end."""

    begun: Callable[[Plan], None] = lambda _: None
    seen: Callable[[Event], None] = lambda _: None
    ended: Callable[[CaseOutcome], None] = lambda _: None


def run(scenarios: Sequence[Scenario], settings: Settings, listener: Listener | None = None) -> list[ScenarioOutcome]:
    """Run the scenarios one after the other, and judge them.

    A failure of the harness itself becomes the verdict `error` of its case and does not end the run.
    """
    told = listener or Listener()
    return [
        ScenarioOutcome(scenario, tuple(run_case(scenario, case, settings, told) for case in scenario.cases))
        for scenario in scenarios
    ]


def run_case(scenario: Scenario, case: Case, settings: Settings, listener: Listener) -> CaseOutcome:
    """Run one case in a folder of its own, and judge it."""
    started = time.monotonic()
    recorder = Recorder(case_id(scenario, case))
    recorder.watch(listener.seen)
    shown: tuple[Picture, ...] = ()
    try:
        planned = plan(scenario, case, settings.seed, settings.site)
        listener.begun(planned)
        recorder.observe(planned.event())
        with _Stage(planned, settings, recorder) as stage:
            stage.perform()
        shown = pictures(planned, THUMBNAIL)
    except SimulatorError as error:
        recorder.observe(HarnessFailed(observer="runner", problem=str(error)))
    history = recorder.history()
    findings = check(case, history)
    outcome = CaseOutcome(history.case, case, history, findings, time.monotonic() - started, shown)
    listener.ended(outcome)
    return outcome


class _Stage:
    """Everyone who plays in one case: put up, told what to do, and taken down again."""

    def __init__(self, planned: Plan, settings: Settings, recorder: Recorder) -> None:
        self._plan = planned
        self._recorder = recorder
        self._patience = settings.patience
        self._tally = _Tally()
        recorder.watch(self._tally.count)
        self._folder = settings.folder / _folder_name(planned.id)
        self._folder.mkdir(parents=True)
        contexts = [Context(sop_class.uid, transfer_syntaxes.ACCEPTED) for sop_class in planned.site.storage_classes()]
        self._remote = RemoteSCP(REMOTE, _LOOPBACK, 0, contexts, recorder.observe)
        self._reports = Reports(_calling_ae_title(planned.site), _LOOPBACK, recorder.observe)
        site = _on_free_ports(planned, self._remote.start())
        if any(step.commit and step.commit.listener != "none" for step in planned.case.when):
            site = _with_address_of_modality(site, self._reports.port)
        self._certificates = self._folder / "certificates"
        if site.gateway.tls is not None:
            certificates.make(self._certificates)
            site = with_files_from(site, self._certificates)
        self._held: list[Association] = []
        self._gateway = GatewayProcess(site, self._folder, recorder.observe, settings.gateway_command)
        self._started: GatewayStarted | None = None

    def __enter__(self) -> _Stage:
        try:
            self._started = self._gateway.start()
        except BaseException:  # an interrupt too must leave no process behind
            self._gateway.stop()
            self._remote.stop()
            self._reports.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.stop()
        self._remote.stop()
        self._reports.stop()
        for found in _files(self._gateway.data):
            self._recorder.observe(found)
        for act in audit_trail.found(self._gateway.data):
            self._recorder.observe(act)
        shutil.rmtree(self._gateway.data, ignore_errors=True)

    def perform(self) -> None:
        """Do every step, then wait for what is expected and watch for what is not."""
        try:
            for number, step in enumerate(self._plan.case.when):
                self._do(number, step)
        finally:
            for association in self._held:
                association.release()
        self._recorder.wait_until(self._is_settled, self._patience)
        if self._must_not_happen():
            self._recorder.watch_quietly(WATCH, self._has_happened)

    def _do(self, number: int, step: Step) -> None:
        if step.echo is not None:
            self._modality().echo()
        elif step.send_order is not None:
            self._send_message(self._plan.orders[step.send_order])
        elif step.about is not None:
            self._send_message(self._plan.messages[number])
        elif step.store is not None:
            study = self._plan.studies[step.store]
            self._modality().store(study, study.pairs, study.study_instance_uid)
        elif step.wait is not None:
            wait = step.wait
            met = self._recorder.wait_until(lambda: self._has_come(wait), self._patience)
            self._recorder.observe(WaitEnded(observer="runner", waited_for=wait.words, met=met))
        elif step.commit is not None:
            self._commit(number, step.commit)
        elif step.take_reports is not None:
            self._reports.listen()
        elif step.ending is not None:
            self._end_and_start(step.ending, self._gateway.stop if step.restart is not None else self._gateway.kill)
        elif step.associate is not None:
            self._associate(step.associate)
        elif step.reconcile is not None:
            self._reconcile(step.reconcile)

    def _commit(self, number: int, step: Commit) -> None:
        if step.listener == "up":
            self._reports.listen()
        planned = self._plan.commitment(number)
        self._modality().commit(
            planned.request,
            planned.study_instance_uid,
            self._reports,
            action_type=planned.action_type,
            sop_instance_uid=planned.sop_instance_uid,
            takes_here=step.takes == "either",
            patience=self._patience if step.release == "after-report" else 0.0,
        )

    def _has_come(self, wait: Wait) -> bool:
        uid = self._plan.studies[wait.study].study_instance_uid
        if wait.report is not None:
            return wait.report in self._tally.reports.get(uid, [])
        return wait.state in self._tally.states.get(uid, [])

    def _end_and_start(self, how: Ending, end: Callable[[], None]) -> None:
        """End the gateway, in between or in the midst of an association, and start it on the same folder."""
        if how.storing is not None:
            self._store_until(how.storing, how.after or 1, end)
        end()  # unless it has ended already
        self._started = self._gateway.start(overridden(self._gateway.site, how.site))

    def _store_until(self, name: str, answers: int, end: Callable[[], None]) -> None:
        """Send a study; after so many answers `end`, in the thread that sends, so that no instance comes between."""
        answered = 0

        def observe(event: Event) -> None:
            nonlocal answered
            self._recorder.observe(event)
            answered += isinstance(event, StoreAnswered)
            if answered == answers and isinstance(event, StoreAnswered):
                end()

        study = self._plan.studies[name]
        self._modality(observe).store(study, study.pairs, study.study_instance_uid)

    def _associate(self, asked: AssociateSpec) -> None:
        modality = self._modality(asked=asked)
        if not asked.hold:
            modality.echo()
        elif association := modality.open():
            self._held.append(association)

    def _modality(self, observe: Callable[[Event], None] | None = None, asked: AssociateSpec | None = None) -> Modality:
        assert self._started is not None
        how = self._plan.case.given.modality
        if asked is not None:
            how = how.model_copy(update=asked.model_dump(exclude_none=True, exclude={"name", "hold"}))
        over_tls = how.port == "dicom-tls" or (how.port is None and how.tls is not None)
        port = self._started.dicom_tls_port if over_tls else self._started.dicom_port
        return Modality(
            how.calling or _calling_ae_title(self._plan.site),
            Address(how.called or self._started.ae_title, _LOOPBACK, port),
            observe or self._recorder.observe,
            tls=certificates.credentials(self._certificates, how.tls, how.trust),
            source=how.address or "",
            association=asked.name if asked else "",
        )

    def _send_message(self, planned: PlannedMessage) -> None:
        assert self._started is not None
        observe = self._recorder.observe
        placer = OrderPlacer(_LOOPBACK, self._started.hl7_port, observe, time_out=self._patience)
        placer.send(planned.message, planned.accession_number, planned.control_id)

    def _reconcile(self, ruling: Reconcile) -> None:
        assert self._started is not None
        number = self._plan.orders[ruling.order].accession_number if ruling.order else ""
        desk = Operator(OPERATOR, self._started.http_url, self._recorder.observe)
        desk.reconcile(self._plan.studies[ruling.study].study_instance_uid, number)

    def _is_settled(self) -> bool:
        """Tell whether everything that is expected of states and counts was seen."""
        then = self._plan.case.then
        for name, study in then.gateway.studies.items():
            uid = self._plan.studies[name].study_instance_uid
            states = self._tally.states.get(uid, [])
            if study.state is not None and (not states or states[-1] != study.state):
                return False
            if study.states is not None and len(states) < len(study.states):
                return False
            if study.instances is not None and len(self._tally.stored.get(uid, ())) < study.instances:
                return False
        if not self._tally.rejected >= Counter(then.gateway.rejected or {}):
            return False
        if not self._tally.broken >= Counter(then.gateway.broken or {}):
            return False
        for name, commitment in then.wire.commitments.items():
            told = self._tally.reports.get(self._plan.studies[name].study_instance_uid, [])
            if told.count("taken") < commitment.expected_reports:
                return False
        for name, arrival in then.downstream.studies.items():
            arrived = self._tally.arrived.get(self._plan.studies[name].study_instance_uid, Counter())
            if len(arrived) < (arrival.instances or 0) or arrived.total() - len(arrived) < (arrival.repeated or 0):
                return False
        return True

    def _must_not_happen(self) -> bool:
        """Tell whether something is expected not to arrive downstream: a study at all, or a second time."""
        return any(0 in (arrival.instances, arrival.repeated) for arrival in self._arrivals().values()) or any(
            commitment.reports == 0 for commitment in self._plan.case.then.wire.commitments.values()
        )

    def _has_happened(self) -> bool:
        return any(
            (arrival.instances == 0 and arrived) or (arrival.repeated == 0 and arrived.total() > len(arrived))
            for uid, arrival in self._arrivals().items()
            if (arrived := self._tally.arrived.get(uid)) is not None
        )

    def _arrivals(self) -> dict[str, ArrivalExpectation]:
        downstream = self._plan.case.then.downstream.studies
        return {self._plan.studies[name].study_instance_uid: arrival for name, arrival in downstream.items()}


class _Tally:
    """Counts of what the waits of a run look at, so that none of them reads the whole history again."""

    def __init__(self) -> None:
        self.states: dict[str, list[str]] = {}
        self.stored: dict[str, set[str]] = {}
        self.arrived: dict[str, Counter[str]] = {}
        self.rejected: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.reports: dict[str, list[str]] = {}
        self._studies: dict[str, str] = {}

    def count(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, StudyChanged):
            self.states.setdefault(event.study_instance_uid, []).append(event.state)
        elif isinstance(event, InstanceStored):
            self.stored.setdefault(event.study_instance_uid, set()).add(event.sop_instance_uid)
        elif isinstance(event, InstanceReceived):
            self.arrived.setdefault(event.study_instance_uid, Counter())[event.sop_instance_uid] += 1
        elif isinstance(event, AssociationRejected):
            self.rejected[event.field] += 1
        elif isinstance(event, ConnectionBroken):
            self.broken[event.problem] += 1
        elif isinstance(event, CommitmentRequested):
            self._studies[event.transaction_uid] = event.study_instance_uid
        elif isinstance(event, CommitmentReported | CommitmentDelivered | CommitmentUndelivered):
            study = self._studies.get(event.transaction_uid, "")
            self.reports.setdefault(study, []).append(_fate(event))


def _fate(event: CommitmentReported | CommitmentDelivered | CommitmentUndelivered) -> str:
    """Return what a report's event says of it: `taken` or `refused` by the modality, `delivered` or `undelivered`."""
    if isinstance(event, CommitmentReported):
        return "taken" if event.status == "0000" else "refused"
    return "delivered" if isinstance(event, CommitmentDelivered) else "undelivered"


def _with_address_of_modality(site: Site, port: int) -> Site:
    """Return the site with the modality's address, for reports that come on a new association."""
    callers = [{"ae_title": MODALITY}] if site.callers == "any" else site.model_dump(mode="json")["callers"]
    callers[0] |= {"host": _LOOPBACK, "port": port}
    return overridden(site, {"callers": callers})


def _calling_ae_title(site: Site) -> str:
    """Return an AE title that the site takes calls from."""
    return MODALITY if site.callers == "any" else site.callers[0].ae_title


def _on_free_ports(planned: Plan, remote_port: int) -> Site:
    site = planned.site
    # A profile may switch the plain port off for good; only a story that says so does without it.
    off = planned.case.given.site.get("gateway", {}).get("dicom_port") == "off"
    ports: dict[str, Any] = {"host": _LOOPBACK, "dicom_port": "off" if off else 0, "hl7_port": 0, "http_port": 0}
    if site.gateway.tls is not None and site.gateway.tls.port != "off":
        ports["tls"] = {"port": 0}
    remote = {"ae_title": REMOTE, "host": _LOOPBACK, "port": remote_port}
    callers: dict[str, Any] = {}
    if site.callers != "any" and "callers" not in planned.case.given.site:
        # Whoever calls in this run does so from this machine; a story about addresses names them itself.
        callers = {"callers": [caller.model_dump(mode="json") | {"addresses": []} for caller in site.callers]}
    return overridden(site, {"gateway": ports, "forwarding": {"destinations": [remote]}, **callers})


def _folder_name(identity: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in identity).strip("-")


def _files(folder: Path) -> list[FileFound]:
    """Return every instance file below the gateway's folder, whatever its layout, read apart from the gateway."""
    found = []
    for file in sorted(folder.rglob("*.dcm")):
        try:
            instance = part10.read(file.read_bytes())
            values = data_set.read(instance.data_set, instance.transfer_syntax_uid, {data_set.STUDY_INSTANCE_UID})
        except (OSError, NotDicom):
            continue
        found.append(
            FileFound(
                observer="runner",
                study_instance_uid=data_set.text(values, data_set.STUDY_INSTANCE_UID),
                sop_instance_uid=instance.sop_instance_uid,
                data_set_digest=data_set.digest(instance.data_set),
            )
        )
    return found
