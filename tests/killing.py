"""A gateway that is killed again and again while modalities send to it and it forwards; and what must hold after all.

The modalities behave as real ones do: what got no answer is sent again, what was answered 0000 never. The moments of
the kills come from a seed. `tests/gateway/test_kill.py` runs this, and `benchmarks/soak_kill.py` for longer.
"""

from __future__ import annotations

import copy
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulator.actors import modality as actors
from simulator.actors.commitment import Reports
from simulator.actors.remote_scp import RemoteSCP
from simulator.errors import PeerError
from simulator.events import CommitmentReported, Event, InstanceReceived
from simulator.gateway.index import Index
from simulator.rules.sop_classes import by_name
from simulator.synthesis import compression, orders, people, studies
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import Study
from simulator.synthesis.uids import uid
from simulator.wire import data_set, hl7_acknowledgements, mllp, part10
from simulator.wire.association import Address, Association, Context, Outgoing, TimeOuts
from simulator.wire.commitment import Reference, Request
from tests.gateway.made import a_message, contexts_of
from tests.processes import DEADLINE, RunningGateway, gateway

HOST = "127.0.0.1"
MODALITIES = 3
LONGEST = 0.25  # seconds from the first answer of a life to its end, at most
_TIME_OUTS = TimeOuts(connection=DEADLINE, acse=DEADLINE, dimse=DEADLINE)
_CT = by_name("CT Image")


@dataclass
class Modality:
    """Sends one study after the other, each with its order, asks for commitment, and knows what it was answered."""

    name: str
    draw: random.Random
    study: Study | None = None
    order: Order | None = None
    ordered: bool = False
    unanswered: list[Outgoing] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    studies: list[str] = field(default_factory=list)
    begun: int = 0
    asked: dict[str, frozenset[str]] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    reported: list[CommitmentReported] = field(default_factory=list)
    _uncommitted: list[Study] = field(default_factory=list)
    _requests: int = 0

    def __post_init__(self) -> None:
        self.reports = Reports(self.name, HOST, self._observe)
        self.reports.listen()

    def _observe(self, event: Event) -> None:
        if isinstance(event, CommitmentReported):
            self.reported.append(event)

    def _ask_for_commitment(self, to: RunningGateway) -> None:
        """Ask about what was sent whole, until the request was received; the report comes when it comes."""
        address = Address(to.ae_title, HOST, to.dicom_port)
        while self._uncommitted:
            study = self._uncommitted[0]
            self._requests += 1
            references = tuple(Reference(i.sop_class_uid, i.sop_instance_uid) for i in study.instances)
            request = Request(uid("transaction", self.name, self._requests), references)
            # A gateway that is killed before it answers may have written it down all the same.
            self.asked[request.transaction_uid] = frozenset(each.sop_instance_uid for each in references)
            if not actors.Modality(self.name, address, self._observe).commit(
                request, study.study_instance_uid, self.reports
            ):
                raise PeerError("the gateway is gone")
            self.received.append(request.transaction_uid)
            del self._uncommitted[0]

    def send(self, to: RunningGateway, answered: threading.Event, last: bool) -> None:
        """Send until the gateway is gone; in its last life, until the study in hand is complete."""
        try:
            while self._next(last):
                self._place_order(to)
                address = Address(to.ae_title, HOST, to.dicom_port)
                with Association.request(self.name, address, contexts_of(self.unanswered), _TIME_OUTS) as association:
                    while self.unanswered:
                        response = association.store(self.unanswered[0])
                        assert response.status == 0x0000, response
                        sent = self.unanswered.pop(0)
                        self.stored[sent.sop_instance_uid] = sent.data_set
                        answered.set()
                assert self.study is not None
                self._uncommitted.append(self.study)
                self._ask_for_commitment(to)
            self._ask_for_commitment(to)
        except PeerError:
            assert not last

    def _next(self, last: bool) -> bool:
        """Go on with the study in hand, or begin another; False when it is complete and none is begun any more."""
        if not self.unanswered:
            if last:
                return False
            self.begun += 1
            self.study, self.order = _a_study(f"{self.name}-{self.begun}", self.draw)
            self.ordered = False
            self.studies.append(self.study.study_instance_uid)
            self.unanswered = [
                Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set)
                for i in self.study.instances
            ]
        return True

    def _place_order(self, to: RunningGateway) -> None:
        assert self.order is not None
        if not self.ordered:
            acknowledgement = mllp.exchange(HOST, to.hl7_port, a_message(self.order))
            assert hl7_acknowledgements.read_acknowledgement(acknowledgement).code == "AA"
            self.ordered = True


def _a_study(seed: str, draw: random.Random) -> tuple[Study, Order]:
    """Return a study of small instances and a large one, which takes long enough to write that a kill may hit it."""
    person = people.person(seed)
    order = orders.order(seed, person, modality="CT")
    syntax = compression.by_name("ExplicitVRLittleEndian")
    small = studies.SeriesSpec(_CT, draw.randint(5, 30), 16, 16, syntax)
    large = studies.SeriesSpec(_CT, 1, 1024, 1024, syntax)
    return studies.study(seed, order, [small, large]), order


@dataclass(frozen=True)
class Outcome:
    """What was answered 0000 (data sets by SOP Instance UID), and what arrived at the remote SCP, in its order."""

    kills: int
    stored: dict[str, bytes]
    studies: tuple[str, ...]
    arrived: tuple[InstanceReceived, ...]
    asked: dict[str, frozenset[str]]
    received: frozenset[str]
    reported: tuple[CommitmentReported, ...]
    data: Path
    log: str

    @property
    def repeated(self) -> int:
        """How many times an instance reached the remote SCP that had reached it before."""
        return len(self.arrived) - len({event.sop_instance_uid for event in self.arrived})


def kill_again_and_again(folder: Path, kills: int, seed: int) -> Outcome:
    """Kill a gateway over `folder` so often, then let it finish, and return what was seen."""
    draw = random.Random(seed)
    modalities = [Modality(f"MODALITY{n}", random.Random(f"{seed}-{n}")) for n in range(MODALITIES)]
    arrived: list[InstanceReceived] = []
    with _remote(arrived) as port:
        forwarding = {"destinations": [{"ae_title": "REMOTE", "port": port}], "retry_after": 0.1}
        site = {
            "gateway": {"quiet_period": 0.05},
            "forwarding": forwarding,
            "callers": [{"ae_title": each.name, "host": HOST, "port": each.reports.port} for each in modalities],
            "commitment": {"attempts": 100, "retry_after": 0.1},
        }
        for _ in range(kills):
            with (
                gateway(folder, **copy.deepcopy(site)) as running,
                _sending(modalities, running, last=False) as answered,
            ):
                assert answered.wait(DEADLINE)
                threading.Event().wait(draw.uniform(0, LONGEST))  # any moment is as good as another
                running.process.kill()
                assert running.process.wait(DEADLINE) == -signal.SIGKILL
        studies_ = tuple(study for modality in modalities for study in modality.studies)
        with gateway(folder, **copy.deepcopy(site)) as running:
            with _sending(modalities, running, last=True):
                pass
            running.await_states(len(studies_), ("forwarded",))
            for modality in modalities:
                for transaction in modality.received:
                    assert modality.reports.wait(transaction, 0, lambda: True, DEADLINE), "a report never came"
    for modality in modalities:
        modality.reports.stop()
    stored = {uid: data for modality in modalities for uid, data in modality.stored.items()}
    log = (folder / "gateway.log").read_text(encoding="utf-8")
    asked = {transaction: uids for modality in modalities for transaction, uids in modality.asked.items()}
    received = frozenset(transaction for modality in modalities for transaction in modality.received)
    reported = tuple(report for modality in modalities for report in modality.reported)
    return Outcome(kills, stored, studies_, tuple(arrived), asked, received, reported, folder / "data", log)


def check(outcome: Outcome) -> None:
    """Assert that nothing was lost, nothing torn, nothing doubled."""
    held: Counter[str] = Counter()
    for file in outcome.data.rglob("*.dcm"):
        instance = part10.read(file.read_bytes())
        held[instance.sop_instance_uid] += 1
        assert instance.data_set == outcome.stored[instance.sop_instance_uid], "an instance is not what was sent"
    assert held == Counter(outcome.stored.keys()), "what was answered 0000, and what lies there once"
    assert not list(outcome.data.rglob("*.part")), "half a file was left"
    assert not list((outcome.data / "refused").iterdir()), "something was refused"

    index = Index(outcome.data / "index.sqlite", read_only=True)
    try:
        rows = [row for study in index.studies() for row in index.instances(study.study_instance_uid)]
        digests = {uid: data_set.digest(data) for uid, data in outcome.stored.items()}
        assert {row.sop_instance_uid: row.data_set_digest for row in rows} == digests
        assert {row.calling_ae_title[:8] for row in rows} == {"MODALITY"}
        assert {study.study_instance_uid: study.state for study in index.studies()} == dict.fromkeys(
            outcome.studies, "forwarded"
        )
        told = Counter(r["sop_instance_uid"] for _, r in index.events(limit=10**9) if r["event"] == "InstanceStored")
        assert told == held, "each instance is told of once"
    finally:
        index.close()

    for report in outcome.reported:
        assert (frozenset(report.committed), report.failed) == (outcome.asked[report.transaction_uid], ())
    assert {report.transaction_uid for report in outcome.reported} >= outcome.received, "each request is reported"
    assert {e.sop_instance_uid: e.data_set_digest for e in outcome.arrived} == digests, "what arrived downstream"
    assert outcome.repeated <= outcome.log.count("may arrive twice") <= outcome.kills, "a repeat is said, one a kill"
    assert "Traceback" not in outcome.log


@contextmanager
def _sending(modalities: Sequence[Modality], running: RunningGateway, *, last: bool) -> Iterator[threading.Event]:
    """Have all modalities send in threads of their own; the event is set at the first 0000."""
    answered = threading.Event()
    failures: list[BaseException] = []

    def send(modality: Modality) -> None:
        try:
            modality.send(running, answered, last)
        except BaseException as failure:  # noqa: BLE001 - told by the thread that waits
            failures.append(failure)

    threads = [threading.Thread(target=send, args=(modality,)) for modality in modalities]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        for thread in threads:
            thread.join(DEADLINE)
        assert not failures, failures
        assert not any(thread.is_alive() for thread in threads)


@contextmanager
def _remote(arrived: list[InstanceReceived]) -> Iterator[int]:
    def observe(event: Event) -> None:
        assert isinstance(event, InstanceReceived)
        arrived.append(event)

    syntaxes = (data_set.EXPLICIT_VR_LITTLE_ENDIAN,)
    remote = RemoteSCP("REMOTE", HOST, 0, [Context(_CT.uid, syntaxes)], observe)
    try:
        yield remote.start()
    finally:
        remote.stop()
