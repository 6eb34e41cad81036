"""What the waits of a run look at: whether what is expected was seen, and whether what must not happen has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from simulator.events import (
    AssociationRejected,
    CommitmentDelivered,
    CommitmentReported,
    CommitmentRequested,
    CommitmentUndelivered,
    ConnectionBroken,
    DispatchChanged,
    Event,
    InstanceReceived,
    InstanceStored,
    LengthsMeasured,
    RoleBound,
    ScriptEnded,
    StudyChanged,
    StudyPurged,
    StudyRecognised,
)
from simulator.scenario.evidence import arrivals_unseen
from simulator.scenario.model_expectations import ArrivalExpectation, StudyExpectation
from simulator.scenario.model_steps import Wait
from simulator.scenario.plan import Plan

WATCH = 0.2
"""Seconds without any event to watch for what must not happen, after everything that must happen did."""


class Waiting:
    """What is waited for in one case. It counts as events come, so that no wait reads the whole history again.

    What a wait asks is asked under the recorder's lock, as `count` is called.
    """

    def __init__(self, planned: Plan) -> None:
        self._plan = planned
        self._then = planned.case.then
        self._tally = _Tally()

    def count(self, event: Event) -> None:
        """Take in one event."""
        self._tally.count(event)

    def uid_of(self, accession_number: str) -> str:
        """Return the UID of a study that came whole under this accession number, empty before it did."""
        return self._tally.whole.get(accession_number, "")

    def has_come(self, wait: Wait) -> bool:
        """Tell whether what a step waits for was seen."""
        uid = self._uid(wait.study)
        if wait.report is not None:
            return wait.report in self._tally.reports.get(uid, [])
        if wait.purged is not None:
            return self._tally.purged[uid] > 0
        return wait.state in self._tally.states.get(uid, [])

    def is_settled(self) -> bool:
        """Tell whether everything that is expected of states and counts was seen."""
        then, tally = self._then, self._tally
        return (
            ("gateway" in tally.bound or self._gateway_is_settled())
            and all(
                tally.reports.get(self._uid(name), []).count("taken") >= commitment.expected_reports
                for name, commitment in then.wire.commitments.items()
            )
            and tally.played >= set(then.wire.peers)
            and all(
                remote in tally.measured or arrivals_unseen(tally.bound, remote)
                for remote, there in then.downstream.remotes.items()
                if there.longest_pdu is not None
            )
            and all(
                len(arrived) >= (arrival.instances or 0) and arrived.total() - len(arrived) >= (arrival.repeated or 0)
                for arrival, arrived in self._arrivals()
            )
        )

    def _gateway_is_settled(self) -> bool:
        expected, tally = self._then.gateway, self._tally
        return (
            all(self._study_is_settled(name, study) for name, study in expected.studies.items())
            and tally.rejected >= Counter(expected.rejected or {})
            and tally.broken >= Counter(expected.broken or {})
        )

    def must_not_happen(self) -> bool:
        """Tell whether something must not happen: an arrival, or a second one, a commitment report, a purge."""
        counts = [
            *(count for _, _, each in self._then.downstream.arrivals() for count in (each.instances, each.repeated)),
            *(commitment.reports for commitment in self._then.wire.commitments.values()),
            *(study.purged for study in self._then.gateway.studies.values()),
        ]
        return 0 in counts

    def watch(self) -> float:
        """Return how many seconds without any event to watch for what must not happen.

        Where no state of a study is expected, nobody has waited for the gateway to make up its mind: it may still send.
        """
        decided = any(study.state or study.states for study in self._then.gateway.studies.values())
        return WATCH + (0.0 if decided else self._plan.site.gateway.quiet_period)

    def has_happened(self) -> bool:
        """Tell whether an arrival that must not happen has."""
        return any(
            (arrival.instances == 0 and arrived) or (arrival.repeated == 0 and arrived.total() > len(arrived))
            for arrival, arrived in self._arrivals()
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
                there.state is None or self._tally.dispatches.get((self._ae_title(remote), uid)) == there.state
                for remote, there in study.destinations.items()
            )
        )

    def _arrivals(self) -> Iterator[tuple[ArrivalExpectation, Counter[str]]]:
        """Yield what is expected of each study somewhere, with how often each of its instances arrived there."""
        for remote, name, arrival in self._then.downstream.arrivals():
            if not arrivals_unseen(self._tally.bound, remote):
                yield arrival, self._tally.arrived.get((remote, self._uid(name)), Counter())

    def _uid(self, name: str) -> str:
        return self._tally.recognised.get(name) or self._plan.studies[name].study_instance_uid

    def _ae_title(self, remote: str) -> str:
        bound = self._tally.bound
        return bound[remote].ae_title if remote in bound else remote.upper()


class _Tally:
    """Counts of what was seen: by study, by study and place, or of the whole case."""

    def __init__(self) -> None:
        self.bound: dict[str, RoleBound] = {}
        self.recognised: dict[str, str] = {}  # Study Instance UIDs of real studies, by the story's name
        self.whole: dict[str, str] = {}  # Study Instance UIDs of studies that are complete, by accession number
        self.states: dict[str, list[str]] = {}
        self.stored: dict[str, set[str]] = {}
        self.arrived: dict[tuple[str, str], Counter[str]] = {}
        self.dispatches: dict[tuple[str, str], str] = {}
        self.rejected: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.reports: dict[str, list[str]] = {}
        self.purged: Counter[str] = Counter()
        self.played: set[str] = set()  # peers whose script has ended
        self.measured: set[str] = set()  # who said how long the longest P-DATA-TF was
        self._studies: dict[str, str] = {}  # by the Transaction UID that the modality asked under

    def count(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, StudyChanged):
            self.states.setdefault(event.study_instance_uid, []).append(event.state)
            if event.state != "receiving":
                self.whole[event.accession_number] = event.study_instance_uid
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
        elif isinstance(event, ScriptEnded):
            self.played.add(event.observer)
        elif isinstance(event, LengthsMeasured):
            self.measured.add(event.observer)
        elif isinstance(event, ConnectionBroken):
            self.broken[event.problem] += 1
        else:
            self._count_real_system(event)
            self._count_commitment(event)

    def _count_real_system(self, event: Event) -> None:
        if isinstance(event, RoleBound):
            self.bound[event.role] = event
        elif isinstance(event, StudyRecognised):
            self.recognised[event.study] = event.study_instance_uid

    def _count_commitment(self, event: Event) -> None:
        if isinstance(event, CommitmentRequested | CommitmentReported) and event.observer == "gateway":
            return  # the gateway as SCU: not the modality's request
        if isinstance(event, CommitmentRequested):
            self._studies[event.transaction_uid] = event.study_instance_uid
        elif isinstance(event, CommitmentReported | CommitmentDelivered | CommitmentUndelivered):
            study = self._studies.get(event.transaction_uid, "")
            self.reports.setdefault(study, []).append(_fate(event))


def _fate(event: CommitmentReported | CommitmentDelivered | CommitmentUndelivered) -> str:
    """Return what a report's event says of it: `taken` or `refused` by the modality, `delivered` or `undelivered`."""
    if isinstance(event, CommitmentReported):
        return "taken" if event.status == "0000" else "refused"
    return "delivered" if isinstance(event, CommitmentDelivered) else "undelivered"
