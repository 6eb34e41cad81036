"""One modality: sends study after study, each over an association of its own, and notes how long each answer took.

What it found is told as tallies, one for each tick of its clock, so that nothing is kept here that grows with the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator.errors import PeerError, PeerSilent
from simulator.load.instances import STUDIES_AT_MOST, Pictures, Recipe
from simulator.load.tally import Tally
from simulator.wire.association import Address, Association, Context, Outgoing

TICK = 0.5
"""Seconds of one tally."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # after an association that was not given
_GRACE = 2.0  # seconds for the answer to what is on its way, once the run is stopped


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one modality does, number `number` from 0: so many studies, or for so many seconds, whichever ends first."""

    number: int
    ae_title: str
    gateway: Address
    recipe: Recipe
    studies: int = STUDIES_AT_MOST
    seconds: float | None = None


class Sender:
    """Sends what an assignment says, and tells `tell` the tick and the tally of it.

    awaits: called before each study with its number; returns once its order was acknowledged, False when there is to be
    none since the run is stopped. `stop` is for another thread, everything else for one.
    """

    def __init__(
        self, assignment: Assignment, tell: Callable[[int, Tally], None], awaits: Callable[[int, float | None], bool]
    ) -> None:
        """Make the pictures; nothing is sent yet."""
        self._assignment = assignment
        self._tell = tell
        self._awaits = awaits
        self._pictures = Pictures(assignment.recipe, assignment.number)
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._association: Association | None = None
        self._tally, self._tick = Tally(), 0
        self._started = 0.0
        self._pause = _FIRST_PAUSE

    def run(self) -> None:
        """Send until the assignment is done, or `stop` is called."""
        self._started = time.monotonic()
        try:
            for study in range(self._assignment.studies):
                if self._is_over() or not self._order_is_there(study):
                    return
                self._send(study)
        finally:
            self._ended.set()
            self._tell_now()

    def stop(self) -> None:
        """End soon: what is on its way gets two seconds for its answer. Returns when nothing is."""
        self._stopped.set()
        association = self._association
        if not self._ended.wait(_GRACE) and association is not None:
            association.hang_up()

    def _order_is_there(self, study: int) -> bool:
        began = time.monotonic()
        left = None if self._assignment.seconds is None else self._started + self._assignment.seconds - began
        is_there = self._awaits(study, left)
        self._here_and_now().orders_awaited += time.monotonic() - began
        return is_there and not self._is_over()

    def _send(self, study: int) -> None:
        began = time.monotonic()
        try:
            self._association = association = self._associate()
        except PeerError as error:
            self._here_and_now().fail("association", str(error))
            self._tell_now()
            self._stopped.wait(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return
        self._here_and_now().associations.add(time.monotonic() - began)
        self._pause = _FIRST_PAUSE
        with association:
            whole = self._store_all(association, study)
        self._here_and_now().studies += whole

    def _associate(self) -> Association:
        here, pictures = self._assignment, self._pictures
        context = Context(pictures.sop_class_uid, (pictures.transfer_syntax_uid,))
        return Association.request(here.ae_title, here.gateway, [context])

    def _store_all(self, association: Association, study: int) -> bool:
        """Send the instances of a study; return whether all of them were stored."""
        all_stored = True
        for instance in self._pictures.study(study):
            if self._is_over():
                return False
            try:
                all_stored &= self._store(association, instance)
            except PeerError as error:
                self._here_and_now().fail("C-STORE", self._words(error))
                return False
        return all_stored

    def _store(self, association: Association, instance: Outgoing) -> bool:
        began = time.monotonic()
        response = association.store(instance)
        took = time.monotonic() - began
        tally = self._here_and_now()
        tally.stores.add(took)
        tally.statuses[response.status_text] += 1
        if response.stored:
            tally.stored += 1
            tally.bytes += len(instance.data_set)
        else:
            tally.fail("C-STORE", response.error_comment, response.status_text)
        return response.stored

    def _words(self, error: PeerError) -> str:
        if self._stopped.is_set() and not isinstance(error, PeerSilent):
            return "no answer yet when the run was stopped"
        return str(error)

    def _is_over(self) -> bool:
        seconds = self._assignment.seconds
        return self._stopped.is_set() or (seconds is not None and time.monotonic() - self._started >= seconds)

    def _here_and_now(self) -> Tally:
        """Return the tally of this tick; that of one that is over is told."""
        tick = int((time.monotonic() - self._started) / TICK)
        if tick != self._tick:
            self._tell_now()
            self._tick = tick
        return self._tally

    def _tell_now(self) -> None:
        if not self._tally.is_empty:
            self._tell(self._tick, self._tally)
            self._tally = Tally()
