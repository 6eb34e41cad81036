"""The remote SCP as SCP of storage commitment: reports on what it took, or lies about it as it is told to.

| commits            | what becomes of a request                                                                       |
|--------------------|-------------------------------------------------------------------------------------------------|
| `honestly`         | what it holds is committed, what it does not hold fails with 0112                               |
| `never-reports`    | N-ACTION is answered with success, and nothing follows                                          |
| `leaves-one-out`   | the first instance stands in neither sequence                                                   |
| `another-transaction` | the report comes under another Transaction UID                                               |
| `refuses`          | N-ACTION is answered 0213                                                                       |
| `no`               | it does not take part: its acceptor has no context for storage commitment                       |
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Literal

from simulator.errors import PeerError
from simulator.wire import commitment
from simulator.wire.association import Address, Response
from simulator.wire.commitment import Action, Failure, Reference, Report
from simulator.wire.dialogue import Dialogue

Commits = Literal["honestly", "never-reports", "leaves-one-out", "another-transaction", "refuses", "no"]

_NO_SUCH_INSTANCE = 0x0112
_PATIENCE = 15.0

_LOG = logging.getLogger(__name__)


class Safekeeper:
    """What one remote SCP holds, and what it says of it."""

    def __init__(self, ae_title: str, commits: Commits, loses: int, same_association: bool) -> None:
        """loses: so many of the instances taken first are gone at the first request."""
        self._ae_title = ae_title
        self._commits = commits
        self._loses = loses
        self._same_association = same_association
        self._held: dict[str, str] = {}
        self._changing = threading.Lock()
        self._telling: list[threading.Thread] = []
        self.gateway: Address | None = None

    def hold(self, sop_class_uid: str, sop_instance_uid: str) -> None:
        """Take in an instance."""
        with self._changing:
            self._held[sop_instance_uid] = sop_class_uid

    def answer(self, action: Action, dialogue: Dialogue) -> Response:
        """Answer a request, and report on it in a thread of its own."""
        if self._commits == "refuses" or action.request is None:
            return Response(0x0213, "no room for requests")
        if self._commits != "never-reports":
            report = self._report(action.request.transaction_uid, action.request.references)
            thread = threading.Thread(target=self._tell, args=(report, dialogue), daemon=True)
            self._telling.append(thread)
            thread.start()
        return Response(0x0000)

    def stop(self) -> None:
        """Wait for the reports in hand, but not for ever."""
        for thread in self._telling:
            thread.join(_PATIENCE)

    def _report(self, transaction_uid: str, references: tuple[Reference, ...]) -> Report:
        with self._changing:
            for lost in list(self._held)[: self._loses]:
                del self._held[lost]
            self._loses = 0
            held = {reference for reference in references if self._holds(reference)}
        committed = tuple(reference for reference in references if reference in held)
        failed = tuple(Failure(reference, _NO_SUCH_INSTANCE) for reference in references if reference not in held)
        report = Report(transaction_uid, committed, failed)
        if self._commits == "leaves-one-out":
            return replace(report, committed=committed[1:])
        if self._commits == "another-transaction":
            return replace(report, transaction_uid=f"{transaction_uid}.1"[-64:])
        return report

    def _holds(self, reference: Reference) -> bool:
        return self._held.get(reference.sop_instance_uid) == reference.sop_class_uid

    def _tell(self, report: Report, dialogue: Dialogue) -> None:
        try:
            if self._same_association:
                dialogue.report(report, _PATIENCE)
            elif self.gateway is not None:
                with commitment.report_association(self._ae_title, self.gateway) as association:
                    commitment.tell(association, report)
        except PeerError as error:
            _LOG.warning("%s cannot bring its storage commitment report: %s", self._ae_title, error)
