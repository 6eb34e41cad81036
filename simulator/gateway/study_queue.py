"""A queue of studies, each due at its moment, worked through one after the other in a thread of its own.

DICOM has no end-of-study signal: a study counts as complete when no new instance came for the site's quiet
period. So a study waits here after each instance, and is due at once when it is looked at for another reason.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_RETRY_AFTER, _RETRY_AT_MOST = 1.0, 300.0
"""Seconds until a study that failed is tried again; they double each time."""

_LOG = logging.getLogger(__name__)


class StudyQueue:
    """Calls `act` with each study's UID when it is due; never with two studies at once."""

    def __init__(self, name: str, act: Callable[[str], None], delay: float = 0.0) -> None:
        """`delay`: seconds of quiet after the last `postpone` until a study is due."""
        self._act = act
        self._delay = delay
        self._name = name
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start working."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the study in hand and stop. What is still due is found again at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def postpone(self, study_instance_uid: str, delay: float | None = None) -> None:
        """Have the study due a whole delay from now, even if it was due before; `delay` in seconds, for this once."""
        due = time.monotonic() + (self._delay if delay is None else delay)
        with self._changed:
            before = self._due.get(study_instance_uid)
            self._due[study_instance_uid] = due
            if before is None or due < before:  # else whoever waits finds out when it would have been due
                self._changed.notify()

    def expedite(self, study_instance_uid: str) -> None:
        """Have the study due now if it waits here."""
        with self._changed:
            if study_instance_uid in self._due:
                self._due[study_instance_uid] = time.monotonic()
                self._changed.notify()

    def hasten(self, study_instance_uid: str) -> None:
        """Have the study due now, unless it is still postponed."""
        with self._changed:
            self._due.setdefault(study_instance_uid, time.monotonic())
            self._changed.notify()

    def _run(self) -> None:
        while (study := self._next()) is not None:
            try:
                self._act(study)
                self._failures.pop(study, None)
            except Exception:  # noqa: BLE001 - one study that cannot be worked on must not hold up the others
                wait = self._put_off(study)
                _LOG.exception("%s: study %s failed; it is kept, and tried again in %g s", self._name, study, wait)

    def _put_off(self, study: str) -> float:
        """Have a study that failed due again later, unless it is due by itself; return after how many seconds."""
        failures = self._failures[study] = self._failures.get(study, 0) + 1
        wait = min(_RETRY_AFTER * 2.0 ** (failures - 1), _RETRY_AT_MOST)
        with self._changed:
            self._due.setdefault(study, time.monotonic() + wait)
        return wait

    def _next(self) -> str | None:
        """Wait for the next study that is due; None when stopping."""
        with self._changed:
            while not self._stopping:
                study = min(self._due, key=self._due.__getitem__, default=None)
                wait = None if study is None else self._due[study] - time.monotonic()
                if study is not None and wait is not None and wait <= 0:
                    del self._due[study]
                    return study
                self._changed.wait(wait)
        return None
