"""Does the steps of a case one by one, with those who are on stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from simulator.events import Event, ForwardAsked, NotCarriedOut, StoreAnswered, StudyRecognised, WaitEnded
from simulator.scenario import proposals
from simulator.scenario.binding import MODALITY
from simulator.scenario.history import Recorder
from simulator.scenario.messages import PlannedMessage
from simulator.scenario.model_steps import AssociateSpec, Commit, Ending, Forward, PlacedStep, Reconcile, Step, Wait
from simulator.scenario.plan import Plan
from simulator.scenario.sending import sendings
from simulator.scenario.stage import OPERATOR, Stage
from simulator.scenario.waiting import Waiting


class Steps:
    """The steps of one case. `patience`: seconds without any event after which a wait is given up.

    `ask` gets what a person is to do at a real system, `before` the steps that are done when it returns.
    """

    def __init__(
        self,
        planned: Plan,
        stage: Stage,
        recorder: Recorder,
        waiting: Waiting,
        patience: float,
        ask: Callable[[str], None],
        before: Callable[[Sequence[Sequence[PlacedStep]]], None],
    ) -> None:
        self._ask = ask
        self._before = before
        self._plan = planned
        self._stage = stage
        self._recorder = recorder
        self._waiting = waiting
        self._patience = patience
        self._held: list[Callable[[], None]] = []

    def do_all(self) -> None:
        """Do every step, and release the associations that were held open meanwhile."""
        try:
            for branches in self._plan.case.turns:
                self._before(branches)
                _at_once([partial(self._do_in_turn, branch) for branch in branches])
        finally:
            for close in self._held:
                close()

    def _do_in_turn(self, steps: Sequence[PlacedStep]) -> None:
        for step in steps:
            self._do(step)

    def _do(self, placed: PlacedStep) -> None:
        step = placed.step
        acts: dict[str, Callable[[Any], object]] = {
            "echo": lambda _: self._echo(step),
            "send_order": lambda order: self._send_message(self._plan.orders[order]),
            "store": lambda _: self._store(step),
            "associate": self._associate,
            "wait": lambda wait: self._wait(placed.id, wait),
            "commit": lambda commit: self._commit(placed.number, commit),
            "take_reports": lambda _: self._stage.reports.listen(),
            "forward": lambda asked: self._forward(placed.id, asked),
            "start_remote": self._stage.start_remote,
            "restart": lambda _: self._end_and_start(step.ending, self._stage.stop_gateway),
            "kill": lambda _: self._end_and_start(step.ending, self._stage.kill_gateway),
            "reconcile": lambda ruling: self._reconcile(placed.id, ruling),
            "play": self._stage.play,
        }
        if step.about is not None:
            self._send_message(self._plan.messages[placed.number])
        else:
            acts[step.key](getattr(step, step.key))

    def _echo(self, step: Step) -> None:
        if step.asks_remote is None:
            self._stage.modality(step.by).echo()
        else:  # the gateway tells what it was answered
            self._stage.gateway_api().echo(self._stage.ae_title(step.asks_remote))

    def _send_message(self, planned: PlannedMessage) -> None:
        placer = self._stage.order_placer(self._patience)
        placer.send(planned.message, planned.accession_number, planned.control_id)

    def _store(self, step: Step) -> None:
        assert step.storing is not None
        if self._stage.is_real(MODALITY) and step.by is None:
            self._await_study(step.storing.names[0])
            return
        parts = sendings(step.storing, self._plan.studies)
        modality = self._stage.sender(step.storing)
        acts = [partial(modality.send, part, part.pairs) for part in parts]
        for turn in [acts] if step.storing.at_once else [[act] for act in acts]:
            _at_once(turn)

    def _await_study(self, name: str) -> None:
        """Have a person send a study at a real modality, and wait until all of it came."""
        made = self._plan.studies[name].made
        classes = ", ".join(each.name for each in made.instances.series_by_class())
        number = made.accession_number
        self._ask(f"At the modality, send study {name}: {len(made.instances)} of {classes}, accession number {number}")
        if self._recorder.wait_until(lambda: self._waiting.uid_of(number) != "", self._patience):
            uid = self._waiting.uid_of(number)
            self._recorder.observe(StudyRecognised(observer="runner", study=name, study_instance_uid=uid))
        else:
            reason = f"nobody sent study {name} (accession number {number}) within {self._patience:g} s"
            self._recorder.observe(NotCarriedOut(observer="runner", reason=reason))

    def _associate(self, asked: AssociateSpec) -> None:
        modality = self._stage.modality(asked.by, asked)
        if not asked.hold and proposals.verification_in(asked):
            modality.echo()
        elif association := modality.open():
            if asked.hold:
                self._held.append(partial(modality.close, association))
            else:
                modality.close(association)

    def _wait(self, step: str, wait: Wait) -> None:
        met = self._recorder.wait_until(lambda: self._waiting.has_come(wait), self._patience)
        self._recorder.observe(WaitEnded(observer="runner", waited_for=wait.words, met=met, step=step))

    def _commit(self, number: int, step: Commit) -> None:
        if step.listener == "up":
            self._stage.reports.listen()
        planned = self._plan.commitment(number)
        self._stage.modality(step.by).commit(
            planned.request,
            planned.study_instance_uid,
            self._stage.reports,
            action_type=planned.action_type,
            sop_instance_uid=planned.sop_instance_uid,
            takes_here=step.takes == "either",
            patience=self._patience if step.release == "after-report" else 0.0,
        )

    def _forward(self, step: str, asked: Forward) -> None:
        study = self._plan.studies[asked.study]
        series, instance = study.selected(asked.series, asked.instance)
        named = {"series_instance_uid": series, "sop_instance_uid": instance}
        body = {"study_instance_uid": study.study_instance_uid, "destination": self._stage.ae_title(asked.to)}
        asking = body | {"by": OPERATOR} | {k: v for k, v in named.items() if v}
        code, answer = self._stage.gateway_api().forward(asking)
        told = str(answer.get("error", ""))
        self._recorder.observe(ForwardAsked(observer="runner", **body, **named, status_code=code, text=told, step=step))

    def _reconcile(self, step: str, ruling: Reconcile) -> None:
        number = self._plan.orders[ruling.order].accession_number if ruling.order else ""
        self._stage.operator(step).reconcile(self._plan.studies[ruling.study].study_instance_uid, number)

    def _end_and_start(self, how: Ending | None, end: Callable[[], None]) -> None:
        """End the gateway, in between or in the midst of an association, and start it on the same folder."""
        how = how or Ending()
        if how.storing is not None:
            self._store_until(how.storing, how.after or 1, end)
        end()  # unless it has ended already
        self._stage.start_gateway(how.site)

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
        self._stage.modality(observe=observe).store(study, study.pairs, study.study_instance_uid)


def _at_once(acts: Sequence[Callable[[], object]]) -> None:
    """Do all of them at the same time, and return when the last one is done. Raises what one of them raised."""
    if len(acts) == 1:
        acts[0]()
        return
    threads = ThreadPoolExecutor(len(acts))
    try:
        for done in [threads.submit(act) for act in acts]:
            done.result()
    finally:
        threads.shutdown(wait=False)  # who interrupts a run does not wait for what they wait for
