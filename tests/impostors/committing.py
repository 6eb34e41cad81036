"""Wrong gateways that break what storage commitment promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.events import CommitmentReported
from simulator.gateway.safekeeping import Asked, Progress
from simulator.gateway.server import Gateway
from simulator.gateway.transactions import Transaction
from simulator.site import Site
from simulator.wire.association import Response
from simulator.wire.commitment import Action, Failure, Reference, Report
from simulator.wire.dialogue import Dialogue
from tests.impostors.caught import Caught

# what is seen of a study of three instances whose commitment is never reported
_UNREPORTED: dict[str, tuple[object, object]] = {
    "wire.commitments.study.reports": (1, 0),
    "wire.commitments.study.event_type": (1, None),
    "wire.commitments.study.committed": (3, None),
    "wire.commitments.study.failed": (0, None),
    "wire.commitments.study.references": ("complete", None),
    "gateway.studies.study.held": (3, 0),
}


class CommitsToWhatItLacks(Gateway):
    """Commits to whatever it is asked for, without looking."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)

        def everything(references: Sequence[Reference]) -> tuple[tuple[Reference, int | None], ...]:
            return tuple((reference, None) for reference in references)

        self.commitments.outcome = everything  # type: ignore[method-assign]


class LosesWhatItCommittedTo(Gateway):
    """Looks, commits, and loses an instance."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        outcome = self.commitments.outcome

        def loses(references: Sequence[Reference]) -> tuple[tuple[Reference, int | None], ...]:
            decided = outcome(references)
            row = self.index.instance(decided[0][0].sop_instance_uid)
            assert row is not None
            (data / "instances" / row.file).unlink()
            return decided

        self.commitments.outcome = loses  # type: ignore[method-assign]


class ReportsOneInstanceTwice(Gateway):
    """Has the first instance in both sequences of its reports."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        alter_reports(lambda report: dataclasses.replace(report, failed=(Failure(report.committed[0], 0x0110),)))


class ReportsUnderAnotherTransaction(Gateway):
    """Reports under a Transaction UID of its own."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        alter_reports(lambda report: dataclasses.replace(report, transaction_uid="2.25.1"))


class NeverReports(Gateway):
    """Receives requests for commitment, decides them, and keeps it to itself."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.commitments._reporter.bring = lambda transaction: None  # type: ignore[method-assign]


class ForgetsReportsWhenKilled(Gateway):
    """Reports what it decided, but for what the run before it left over."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.commitments._transactions.under_way = tuple  # type: ignore[method-assign]


class AlwaysCallsBack(Gateway):
    """Opens a new association for every report, whatever stands."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.commitments._reporter.remember = lambda number, dialogue: None  # type: ignore[method-assign]


class ForwardsWithoutCommitment(Gateway):
    """Counts a study as forwarded once it is stored at the destination, whatever the site asks for."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.outbox.safekeeping.secure = lambda *_, **__: Progress()  # type: ignore[method-assign]


class TakesAnyReportForACommitment(Gateway):
    """Asks the destination, and takes whatever it reports for a commitment to everything."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        note = self.outbox.safekeeping._note

        def trusting(asked: Asked, report: Report, event: CommitmentReported) -> str:
            everything = tuple(Reference("1.2.840.10008.5.1.4.1.1.2", uid) for uid in asked.sop_instance_uids)
            return note(asked, Report(report.transaction_uid, everything, ()), event)

        self.outbox.safekeeping._note = trusting  # type: ignore[method-assign]


class TakesEveryCommitmentRequest(Gateway):
    """Answers 0000 to any N-ACTION, and forgets those that are wrong."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self.commitments.answer

        def friendly(action: Action, dialogue: Dialogue) -> Response:
            answer(action, dialogue)
            return Response(0x0000)

        self.commitments.answer = friendly  # type: ignore[method-assign]


def alter_reports(change: Callable[[Report], Report]) -> None:
    """Have every report of this process changed."""
    true_report = Transaction.report
    Transaction.report = lambda self: change(true_report(self))  # type: ignore[method-assign]


CAUGHT = (
    Caught(
        "commits-to-what-it-lacks",
        CommitsToWhatItLacks,
        "storage-commitment[one-missing]",
        {
            "wire.commitments.study.event_type": (2, 1),
            "wire.commitments.study.committed": (3, 4),
            "wire.commitments.study.failed": (1, 0),
            "wire.commitments.study.failure_reasons": ({"0112": 1}, {}),
        },
    ),
    Caught(
        "loses-what-it-committed-to",
        LosesWhatItCommittedTo,
        "storage-commitment[released-at-once]",
        {"gateway.studies.study.held": (3, 2)},
    ),
    Caught(
        "reports-one-instance-twice",
        ReportsOneInstanceTwice,
        "storage-commitment[same-association]",
        {
            "wire.commitments.study.event_type": (1, 2),
            "wire.commitments.study.failed": (0, 1),
            "wire.commitments.study.references": ("complete", "1 missing, twice or not asked for"),
        },
    ),
    Caught(
        "reports-under-another-transaction",
        ReportsUnderAnotherTransaction,
        "storage-commitment[new-association]",
        _UNREPORTED
        | {"wire.commitments.study.via": ("new", None), "wire.commitments.study.ae_title": ("HAGATEWAY", None)},
    ),
    Caught(
        "never-reports",
        NeverReports,
        "storage-commitment[same-association]",
        _UNREPORTED | {"wire.commitments.study.via": ("same", None)},
    ),
    Caught(
        "forgets-reports-when-killed",
        ForgetsReportsWhenKilled,
        "storage-commitment[killed-with-the-report-outstanding]",
        _UNREPORTED
        | {
            "wire.commitments.study.via": ("new", None),
        },
    ),
    Caught(
        "always-calls-back",
        AlwaysCallsBack,
        "storage-commitment[same-association]",
        {"wire.commitments.study.via": ("same", "new")},
    ),
    Caught(
        "forwards-without-commitment",
        ForwardsWithoutCommitment,
        "destination-commitment[refused]",
        {
            "gateway.studies.study.state": ("failed", "forwarded"),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.archive.state": ("failed", "done"),
            "gateway.studies.study.destinations.archive.attempts": (3, 1),
            "gateway.studies.study.destinations.archive.problem": (
                "refused the request for storage commitment with 0213",
                "",
            ),
        },
    ),
    Caught(
        "takes-any-report-for-a-commitment",
        TakesAnyReportForACommitment,
        "destination-commitment[one-lost]",
        {
            "gateway.studies.study.destinations.archive.attempts": (2, 1),
            "downstream.studies.study.repeated": (1, 0),
        },
    ),
    Caught(
        "takes-every-commitment-request",
        TakesEveryCommitmentRequest,
        "commitment-refused[transaction-missing]",
        {"wire.commitments.study.answers": ({"0115": 1}, {"0000": 1})},
    ),
)
