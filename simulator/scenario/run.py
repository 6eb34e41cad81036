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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.modality import Modality
from simulator.actors.operator import Operator
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.remote_scp import Behaviour, RemoteSCP
from simulator.errors import NotDicom, SimulatorError
from simulator.events import (
    AssociationRejected,
    CommitmentDelivered,
    CommitmentReported,
    CommitmentRequested,
    CommitmentUndelivered,
    ConnectionBroken,
    DispatchChanged,
    Event,
    FileFound,
    ForwardAsked,
    GatewayStarted,
    HarnessFailed,
    InstanceReceived,
    InstanceStored,
    StoreAnswered,
    StudyChanged,
    StudyPurged,
    WaitEnded,
)
from simulator.rules import transfer_syntaxes
from simulator.scenario import audit_trail, gateway_process
from simulator.scenario.checks import check
from simulator.scenario.findings import Finding, Verdict, worst
from simulator.scenario.gateway_process import GatewayProcess
from simulator.scenario.history import History, Recorder
from simulator.scenario.messages import PlannedMessage
from simulator.scenario.model import Case, Scenario
from simulator.scenario.model_expectations import ArrivalExpectation, StudyExpectation
from simulator.scenario.model_given import RemoteSpec
from simulator.scenario.model_steps import AssociateSpec, Commit, Ending, Forward, Reconcile, Step, Wait
from simulator.scenario.plan import Picture, Plan, case_id, pictures, plan
from simulator.site import Site, overridden, with_files_from
from simulator.synthesis import compression
from simulator.wire import certificates, data_set, part10
from simulator.wire.association import Address, Association, Context
from simulator.wire.gateway_api import GatewayApi

PATIENCE = 20.0
"""Seconds without any event after which a wait is given up."""

WATCH = 0.3
"""Seconds to watch for what must not happen, after everything that must happen did."""

THUMBNAIL = 128
"""Pixels of the longer side of a picture in the report."""

MODALITY = "MODALITY1"
OPERATOR = "OPERATOR1"
REMOTE = "remote1"
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
        self._remotes = {name: _remote(name, spec, planned, recorder) for name, spec in _remotes(planned.case).items()}
        self._reports = Reports(_calling_ae_title(planned.site), _LOOPBACK, recorder.observe)
        site = _on_free_ports(planned, self._destinations())
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
            self._tell_remotes()
        except BaseException:  # an interrupt too must leave no process behind
            self._gateway.stop()
            self._stop_remotes()
            self._reports.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.stop()
        self._stop_remotes()
        self._reports.stop()
        for found in _files(self._gateway.data):
            self._recorder.observe(found)
        for act in audit_trail.found(self._gateway.data):
            self._recorder.observe(act)
        shutil.rmtree(self._gateway.data, ignore_errors=True)

    def _destinations(self) -> list[dict[str, Any]]:
        """Put up the remote SCPs that are up, and return all of them as the site profile names destinations."""
        specs = _remotes(self._plan.case)
        return [
            {
                **specs[name].destination,
                "ae_title": name.upper(),
                "host": _LOOPBACK,
                "port": remote.start() if specs[name].starts == "up" else remote.reserve(),
            }
            for name, remote in self._remotes.items()
        ]

    def _tell_remotes(self) -> None:
        """Tell the remote SCPs where the gateway listens now."""
        assert self._started is not None
        for remote in self._remotes.values():
            remote.report_to(Address(self._started.ae_title, _LOOPBACK, self._started.dicom_port))

    def _stop_remotes(self) -> None:
        for remote in self._remotes.values():
            remote.stop()

    def perform(self) -> None:
        """Do every step, then wait for what is expected and watch for what is not."""
        arrivals = self._plan.case.then.downstream.arrivals()
        for name in sorted({study for _, study, arrival in arrivals if arrival.pixel_values}):
            self._recorder.observe(self._plan.studies[name].pixels())
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
        acts: dict[str, Callable[[Any], object]] = {
            "echo": lambda _: self._modality().echo(),
            "send_order": lambda order: self._send_message(self._plan.orders[order]),
            "store": self._store,
            "associate": self._associate,
            "wait": self._wait,
            "commit": lambda commit: self._commit(number, commit),
            "take_reports": lambda _: self._reports.listen(),
            "forward": self._forward,
            "start_remote": lambda remote: self._remotes[remote].start(),
            "restart": lambda _: self._end_and_start(step.ending, self._gateway.stop),
            "kill": lambda _: self._end_and_start(step.ending, self._gateway.kill),
            "reconcile": self._reconcile,
        }
        if step.about is not None:
            self._send_message(self._plan.messages[number])
        else:
            acts[step.key](getattr(step, step.key))

    def _store(self, name: str) -> None:
        study = self._plan.studies[name]
        self._modality().store(study, study.pairs, study.study_instance_uid)

    def _wait(self, wait: Wait) -> None:
        met = self._recorder.wait_until(lambda: self._has_come(wait), self._patience)
        self._recorder.observe(WaitEnded(observer="runner", waited_for=wait.words, met=met))

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
        if wait.purged is not None:
            return self._tally.purged[uid] > 0
        return wait.state in self._tally.states.get(uid, [])

    def _forward(self, asked: Forward) -> None:
        assert self._started is not None
        study = self._plan.studies[asked.study]
        series, instance = study.selected(asked.series, asked.instance)
        named = {"series_instance_uid": series, "sop_instance_uid": instance}
        body = {"study_instance_uid": study.study_instance_uid, "destination": asked.to.upper()}
        code, answer = GatewayApi(self._started.http_url).forward(
            body | {"by": OPERATOR} | {k: v for k, v in named.items() if v}
        )
        told = str(answer.get("error", ""))
        self._recorder.observe(ForwardAsked(observer="runner", **body, **named, status_code=code, text=told))

    def _end_and_start(self, how: Ending | None, end: Callable[[], None]) -> None:
        """End the gateway, in between or in the midst of an association, and start it on the same folder."""
        how = how or Ending()
        if how.storing is not None:
            self._store_until(how.storing, how.after or 1, end)
        end()  # unless it has ended already
        self._started = self._gateway.start(overridden(self._gateway.site, how.site))
        self._tell_remotes()

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
        then, tally = self._plan.case.then, self._tally
        return (
            all(self._study_is_settled(name, study) for name, study in then.gateway.studies.items())
            and tally.rejected >= Counter(then.gateway.rejected or {})
            and tally.broken >= Counter(then.gateway.broken or {})
            and all(
                tally.reports.get(self._uid(name), []).count("taken") >= commitment.expected_reports
                for name, commitment in then.wire.commitments.items()
            )
            and all(
                len(arrived) >= (arrival.instances or 0) and arrived.total() - len(arrived) >= (arrival.repeated or 0)
                for arrival, arrived in self._arrivals()
            )
        )

    def _study_is_settled(self, name: str, study: StudyExpectation) -> bool:
        uid = self._uid(name)
        states = self._tally.states.get(uid, [])
        return (
            (study.state is None or states[-1:] == [study.state])
            and len(states) >= len(study.states or ())
            and len(self._tally.stored.get(uid, ())) >= (study.instances or 0)
            and self._tally.purged[uid] >= (study.purged or 0)
            and all(
                there.state is None or self._tally.dispatches.get((remote.upper(), uid)) == there.state
                for remote, there in study.destinations.items()
            )
        )

    def _uid(self, name: str) -> str:
        return self._plan.studies[name].study_instance_uid

    def _must_not_happen(self) -> bool:
        """Tell whether something must not happen: an arrival, or a second one, a commitment report, a purge."""
        then = self._plan.case.then
        counts = [
            *(count for arrival, _ in self._arrivals() for count in (arrival.instances, arrival.repeated)),
            *(commitment.reports for commitment in then.wire.commitments.values()),
            *(study.purged for study in then.gateway.studies.values()),
        ]
        return 0 in counts

    def _has_happened(self) -> bool:
        return any(
            (arrival.instances == 0 and arrived) or (arrival.repeated == 0 and arrived.total() > len(arrived))
            for arrival, arrived in self._arrivals()
        )

    def _arrivals(self) -> Iterator[tuple[ArrivalExpectation, Counter[str]]]:
        """Yield what is expected of each study somewhere, with how often each of its instances arrived there."""
        for remote, name, arrival in self._plan.case.then.downstream.arrivals():
            uid = self._plan.studies[name].study_instance_uid
            yield arrival, self._tally.arrived.get((remote, uid), Counter())


class _Tally:
    """Counts of what the waits of a run look at, so that none of them reads the whole history again."""

    def __init__(self) -> None:
        self.states: dict[str, list[str]] = {}
        self.stored: dict[str, set[str]] = {}
        self.arrived: dict[tuple[str, str], Counter[str]] = {}
        self.dispatches: dict[tuple[str, str], str] = {}
        self.rejected: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.reports: dict[str, list[str]] = {}
        self._studies: dict[str, str] = {}
        self.purged: Counter[str] = Counter()

    def count(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, StudyChanged):
            self.states.setdefault(event.study_instance_uid, []).append(event.state)
        elif isinstance(event, InstanceStored):
            self.stored.setdefault(event.study_instance_uid, set()).add(event.sop_instance_uid)
        elif isinstance(event, StudyPurged):
            self.purged[event.study_instance_uid] += event.instances
        elif isinstance(event, InstanceReceived):
            for where in ("", event.observer):
                self.arrived.setdefault((where, event.study_instance_uid), Counter())[event.sop_instance_uid] += 1
        elif isinstance(event, DispatchChanged):
            self.dispatches[event.destination, event.study_instance_uid] = event.state
        elif isinstance(event, AssociationRejected):
            self.rejected[event.field] += 1
        elif isinstance(event, ConnectionBroken):
            self.broken[event.problem] += 1
        elif isinstance(event, CommitmentRequested | CommitmentReported) and event.observer == "gateway":
            return  # the gateway as SCU: not the modality's request
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


def _on_free_ports(planned: Plan, destinations: list[dict[str, Any]]) -> Site:
    site = planned.site
    # A profile may switch the plain port off for good; only a story that says so does without it.
    off = planned.case.given.site.get("gateway", {}).get("dicom_port") == "off"
    ports: dict[str, Any] = {"host": _LOOPBACK, "dicom_port": "off" if off else 0, "hl7_port": 0, "http_port": 0}
    if site.gateway.tls is not None and site.gateway.tls.port != "off":
        ports["tls"] = {"port": 0}
    callers: dict[str, Any] = {}
    if site.callers != "any" and "callers" not in planned.case.given.site:
        # Whoever calls in this run does so from this machine; a story about addresses names them itself.
        callers = {"callers": [caller.model_dump(mode="json") | {"addresses": []} for caller in site.callers]}
    return overridden(site, {"gateway": ports, "forwarding": {"destinations": destinations}, **callers})


def _remotes(case: Case) -> dict[str, RemoteSpec]:
    return dict(case.given.remotes) or {REMOTE: RemoteSpec()}


def _remote(name: str, spec: RemoteSpec, planned: Plan, recorder: Recorder) -> RemoteSCP:
    """Return a remote SCP that is to be put up; its AE title is its name in capital letters."""
    accepted = tuple(compression.by_name(each).uid for each in spec.accepts) or transfer_syntaxes.ACCEPTED
    behaviour = Behaviour(
        status=int(spec.answers, 16),
        times=spec.times,
        aborts_at=spec.aborts_at or 0,
        hangs_at=spec.hangs_at or 0,
        rejects=spec.rejects,
        commits=spec.commits,
        loses=spec.loses,
        reports=spec.reports,
    )
    return RemoteSCP(
        name.upper(),
        _LOOPBACK,
        0,
        [Context(sop_class.uid, accepted) for sop_class in planned.site.storage_classes()],
        recorder.observe,
        observer=name if planned.case.given.remotes else "remote",
        behaviour=behaviour,
    )


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
