"""A modality's ears for storage commitment: takes reports both ways, and lets the modality wait for them."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable

from simulator.actors.observation import Observe
from simulator.errors import StartError
from simulator.events import CommitmentReported
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Response, StoreRequest
from simulator.wire.commitment import Notice, Report
from simulator.wire.dialogue import ReportService

_PROCESSING_FAILURE = 0x0110
_NOT_HERE = Response(0x0211, "reports are taken on a new association alone")
_POLL_SECONDS = 0.05


class Reports:
    """Every N-EVENT-REPORT that reaches one modality, on associations of its own and on those that others open."""

    def __init__(self, ae_title: str, host: str, observe: Observe, observer: str = "modality") -> None:
        """Reserve a port, on which nothing listens before `listen`."""
        self._ae_title = ae_title
        self._host = host
        self._observe = observe
        self._observer = observer
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, 0))
        self._acceptor: Acceptor | None = None
        self._taken: Counter[str] = Counter()
        self._grown = threading.Condition()

    @property
    def port(self) -> int:
        """The port for new associations."""
        return int(self._reserved.getsockname()[1])

    def listen(self) -> None:
        """Accept associations that bring reports, if it does not yet. Raises `StartError`."""
        if self._acceptor is None:
            acceptor = Acceptor(self._ae_title, self._host, self.port, (), _stores_nothing, on_report=self.by("new"))
            try:
                acceptor.start()
            except StartError:
                acceptor.stop()
                raise
            self._acceptor = acceptor

    def stop(self) -> None:
        """Stop listening and give the port back."""
        if self._acceptor is not None:
            self._acceptor.stop()
        self._reserved.close()

    def by(self, via: str, *, refuse: bool = False) -> ReportService:
        """Return what takes a report `via` the `same` association or a `new` one, or refuses it there."""

        def take(notice: Notice) -> Response:
            response = _NOT_HERE if refuse else _verdict(notice)
            self._note(notice, via, response)
            return response

        return take

    def count(self, transaction_uid: str) -> int:
        """Return how many reports were taken under the Transaction UID."""
        return self._taken[transaction_uid]

    def wait(self, transaction_uid: str, more_than: int, stands: Callable[[], bool], patience: float) -> bool:
        """Wait until more reports came than that; False when the association ended or `patience` seconds passed."""
        with self._grown:
            deadline = patience
            while self._taken[transaction_uid] <= more_than:
                if not stands() or deadline <= 0:
                    return False
                self._grown.wait(_POLL_SECONDS)
                deadline -= _POLL_SECONDS
        return True

    def _note(self, notice: Notice, via: str, response: Response) -> None:
        report = notice.report or Report("", (), ())  # what cannot be read is told too, by its status
        self._observe(
            CommitmentReported(
                observer=self._observer,
                transaction_uid=report.transaction_uid,
                event_type=notice.event_type or 0,
                committed=tuple(each.sop_instance_uid for each in report.committed),
                failed=tuple(each.reference.sop_instance_uid for each in report.failed),
                reasons=tuple(each.reason_text for each in report.failed),
                via=via,
                status=response.status_text,
                peer_ae_title=notice.peer_ae_title,
            )
        )
        if response.status == 0:
            with self._grown:
                self._taken[report.transaction_uid] += 1
                self._grown.notify_all()


def _verdict(notice: Notice) -> Response:
    return Response(0x0000) if notice.report is not None else Response(_PROCESSING_FAILURE, notice.problem)


def _stores_nothing(_: StoreRequest) -> Response:
    return Response(0x0122, "only storage commitment reports are taken here")
