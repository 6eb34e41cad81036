"""Deliberately wrong gateways. Each is the reference gateway with one lie in it; the scenarios must catch them all.

Run as a program it is `simulate gateway` with the name of a lie in front: `impostors.py NAME --site F --data D ...`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from simulator import site as profile
from simulator.cli.gateway_command import serve
from simulator.events import CommitmentReported, Event, StudyPurged
from simulator.gateway import by_hand
from simulator.gateway.correction import Copy
from simulator.gateway.forward_queue import Dispatch, Selection
from simulator.gateway.forwarding import Forwarder
from simulator.gateway.index import InstanceRow, StudyRow
from simulator.gateway.safekeeping import Asked, Progress
from simulator.gateway.server import Gateway
from simulator.gateway.steps import Matched, Received, Unmatched, Verdict
from simulator.gateway.transactions import Transaction
from simulator.rules.matching import OrderKeys
from simulator.site import Site
from simulator.wire import hl7_patients, part10, rewriting, transcoding
from simulator.wire.association import Association, Outgoing, Response, StoreRequest
from simulator.wire.commitment import Action, Failure, Reference, Report
from simulator.wire.dialogue import Dialogue
from simulator.wire.hl7_patients import PatientMessage
from simulator.wire.incidents import AssociationRequest, Rejection


class AcknowledgesWithoutStoring(Gateway):
    """Answers 0000, indexes the instance and tells of it; only the file is missing."""

    def _keep(self, received: Received) -> None:
        write = self.store.write

        def unwritten(study_instance_uid: str, sop_instance_uid: str, part10: bytes) -> str:
            name = write(study_instance_uid, sop_instance_uid, part10)
            (self.data / "instances" / name).unlink()
            return name

        self.store.write = unwritten  # type: ignore[method-assign]
        super()._keep(received)
        self.store.write = write  # type: ignore[method-assign]

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


class DropsAfterAcknowledging(Gateway):
    """Answers 0000 and does nothing at all."""

    def take(self, request: StoreRequest) -> Response:
        return Response(0x0000)


class MatchesEveryone(Gateway):
    """Finds every study matched, whatever its keys say."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        return dataclasses.replace(super().policy(outcome), state="matched", reasons=())


class IgnoresTheImageLimit(Gateway):
    """Takes any number of images, whatever the site says."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"image_limit": {"limit": 10**9}}), data)


class WarnsOfNothing(Gateway):
    """Takes a study over the recommended size without a word."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        return dataclasses.replace(super().policy(outcome), warnings=())


class ForwardsUnmatched(Gateway):
    """Says `unmatched`, keeps to it, and forwards the study all the same."""

    def decide(self, study_instance_uid: str) -> None:
        super().decide(study_instance_uid)
        _send_all(self, study_instance_uid)


class AltersAPixel(Gateway):
    """Turns one bit of the last pixel on the way to the remote SCP."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        read = self.store.read

        def altered(name: str) -> bytes:
            file = bytearray(read(name))
            file[-1] ^= 1
            return bytes(file)

        self.store.read = altered  # type: ignore[method-assign]


class LosesTheLastInstance(Gateway):
    """Forwards all of a study but its last instance, and says `forwarded`."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        instances = self.index.instances

        def fewer(study_instance_uid: str) -> tuple[InstanceRow, ...]:
            return instances(study_instance_uid)[:-1]

        self.index.instances = fewer  # type: ignore[method-assign]


class ForgetsOrders(Gateway):
    """Acknowledges every order with AA and keeps none."""

    def decide(self, study_instance_uid: str) -> None:
        def no_order(accession_number: str) -> None:
            return None

        self.index.order = no_order  # type: ignore[method-assign]
        super().decide(study_instance_uid)


class NeverLooksAgain(Gateway):
    """Decides a study once; an order that comes later heals nothing."""

    def _order_changed(self, accession_number: str) -> None:
        pass


class GivesOneReasonForAll(Gateway):
    """Finds out that a study is unmatched, and always says that it has no order."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        verdict = super().policy(outcome)
        return dataclasses.replace(verdict, reasons=("order.not-found",)) if verdict.reasons else verdict


class CannotTakeHardcopy(Gateway):
    """Accepts the Hardcopy contexts and then fails to understand what comes, as a library without them does."""

    def take(self, request: StoreRequest) -> Response:
        if request.sop_class_uid.startswith("1.2.840.10008.5.1.1."):
            return Response(0xC000, "cannot understand")
        return super().take(request)


class LetsEveryoneIn(Gateway):
    """Asks nobody who he is."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"callers": "any", "promiscuous": True}), data)


class GivesOneReasonToReject(Gateway):
    """Rejects whom it must, and always says that the calling AE title is the reason."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        admit = self.gatekeeper.admit

        def wrongly(asked: AssociationRequest) -> Rejection | None:
            rejection = admit(asked)
            return rejection and dataclasses.replace(rejection, result=1, source=1, reason=3)

        self.gatekeeper.admit = wrongly  # type: ignore[method-assign]


class RejectsWithoutAWord(Gateway):
    """Rejects as it should, and tells nobody."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.gatekeeper.tell = bool  # type: ignore[assignment, method-assign]


class AsksForNoCertificate(Gateway):
    """Listens over TLS, and takes a caller without the certificate that the site asks for."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"gateway": {"tls": {"client_certificates": "none"}}}), data)


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


class TakesEveryCommitmentRequest(Gateway):
    """Answers 0000 to any N-ACTION, and forgets those that are wrong."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self.commitments.answer

        def friendly(action: Action, dialogue: Dialogue) -> Response:
            answer(action, dialogue)
            return Response(0x0000)

        self.commitments.answer = friendly  # type: ignore[method-assign]


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


def alter_reports(change: Callable[[Report], Report]) -> None:
    """Have every report of this process changed."""
    true_report = Transaction.report
    Transaction.report = lambda self: change(true_report(self))  # type: ignore[method-assign]


class IgnoresPatientUpdates(Gateway):
    """Acknowledges ADT^A08 with AA and changes nothing."""

    deaf_to = hl7_patients.UPDATE

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        understood = self._orders._patient_change

        def nobody(message: PatientMessage) -> Any:
            deaf = message.message_type == self.deaf_to
            return understood(dataclasses.replace(message, patients=()) if deaf else message)

        self._orders._patient_change = nobody  # type: ignore[method-assign]


class MergesNobody(IgnoresPatientUpdates):
    """Acknowledges ADT^A40 with AA and merges nothing."""

    deaf_to = hl7_patients.MERGE


class ForwardsCancelledOrders(Gateway):
    """Acknowledges a cancel with AA, and matches and forwards what comes for the order all the same."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        found = self.index.order

        def in_force(accession_number: str) -> OrderKeys | None:
            order = found(accession_number)
            return order and dataclasses.replace(order, cancelled=False)

        self.index.order = in_force  # type: ignore[method-assign]


class SaysNothingAfterForwarding(Gateway):
    """Takes a change of an order whose study is forwarded, and warns nobody of it."""

    def _look_again(self, study: StudyRow) -> None:
        if study.state != "forwarded":
            super()._look_again(study)


class CommitsAndSaysNoMore(Gateway):
    """Sends the commit acknowledgement, and never the one of the application."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self._orders.answer
        self._orders.answer = lambda raw: answer(raw)[:1]  # type: ignore[method-assign]


class KnowsTheOriginalModeAlone(Gateway):
    """Answers every message once, with AA, AE or AR, whatever MSH-15 and MSH-16 ask for."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self._orders.answer
        self._orders.answer = lambda raw: answer(raw.replace(b"|AL|AL|", b"||||"))  # type: ignore[method-assign]


class ReadsTheUsualPlaceAlone(Gateway):
    """Looks for the accession number where IHE has it, whatever the site says."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"hl7": {"accession_location": "by-message-type"}}), data)


class DiesAtTheEnd(Gateway):
    """Does everything right and then ends with an error."""

    def _finish(self) -> None:
        super()._finish()
        sys.stderr.flush()
        raise SystemExit(70)


class AcknowledgesBeforeWriting(Gateway):
    """Answers 0000 at once, and writes what it took when it is asked to stop."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.unwritten: list[StoreRequest] = []

    def take(self, request: StoreRequest) -> Response:
        self.unwritten.append(request)
        return Response(0x0000)

    def _finish(self) -> None:
        for request in self.unwritten:
            super().take(request)
        super()._finish()


class ForwardsAgainAfterARestart(Gateway):
    """Remembers across a restart which studies it matched, and not that it has sent them on."""

    def _resume(self) -> None:
        super()._resume()
        for study in self.index.studies():
            if study.state == "forwarded":
                _send_all(self, study.study_instance_uid)


class SendsAllAgain(Gateway):
    """After an association that broke it sends everything again, also what the destination has stored."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        queue, index = self.outbox.queue, self.index

        def everything(dispatch: Dispatch) -> frozenset[str]:
            return frozenset(row.sop_instance_uid for row in index.instances(dispatch.selection.study_instance_uid))

        queue.missing = everything  # type: ignore[method-assign]


class SendsTheWholeStudy(Gateway):
    """Whatever was selected by hand, the whole study goes."""

    def forward(self, selection: Selection, destination: str, who: str) -> Dispatch:
        self.index.record(by_hand.act(selection, destination, who, 0))
        return self.outbox.forward(selection, destination, self.index.instances(selection.study_instance_uid))


class CountsFailuresAsForwarded(Gateway):
    """Takes any answer of a destination for success."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        for line in self.outbox._lines.values():
            send = line._forwarder._send

            def careless(association: Association, row: InstanceRow, send: Any = send) -> str:
                send(association, row)
                return ""

            line._forwarder._send = careless  # type: ignore[method-assign]


class AltersAPixelWhenTranscoding(Gateway):
    """Turns one bit of the last pixel where it decompresses, and nowhere else."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        transcoded = transcoding.transcoded

        def altered(held: Outgoing, transfer_syntax_uid: str) -> Outgoing:
            made = transcoded(held, transfer_syntax_uid)
            return dataclasses.replace(
                made, data_set=made.data_set[:-2] + bytes([made.data_set[-2] ^ 1, made.data_set[-1]])
            )

        transcoding.transcoded = altered


class ServesDestinationsInTurn(Gateway):
    """Sends nothing to a destination while another one lacks something."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        queue = self.outbox.queue
        following = queue.next

        def in_turn(destination: str) -> Dispatch | None:
            first = site.forwarding.destinations[0].ae_title
            return following(destination) if destination == first or following(first) is None else None

        queue.next = in_turn  # type: ignore[method-assign]


class ForwardsWhatIsUnmatchedByHand(Gateway):
    """Does by hand whatever it is asked."""

    def forward(self, selection: Selection, destination: str, who: str) -> Dispatch:
        _send_all(self, selection.study_instance_uid)
        return self.outbox.forward(selection, destination, self.index.instances(selection.study_instance_uid))


def _send_all(gateway: Gateway, study_instance_uid: str) -> None:
    """Send a study to every destination, past the queue."""
    for destination in gateway.site.forwarding.destinations:
        sending = Forwarder(gateway.site, destination, gateway.index, gateway.store)
        sending.send(gateway.index.instances(study_instance_uid))


class CorrectsWithoutKeeping(Gateway):
    """Writes the order's keys and keeps nothing of what stood there before."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        rewriting._originals = lambda *_: b""


class ForwardsUncorrected(Gateway):
    """Says that the study is matched and corrected, and sends it as it came."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.index.correction = lambda study_instance_uid: None  # type: ignore[method-assign]


class AltersTheStoredOriginal(Gateway):
    """Puts the corrected copy in the place of what was received."""

    def sent(self, study_instance_uid: str) -> None:
        super().sent(study_instance_uid)
        copy = Copy(self.index.correction(study_instance_uid), "IMPOSTOR")
        for row in self.index.instances(study_instance_uid):
            sent = copy.as_sent(part10.read(self.store.read(row.file)), "")
            self.store.write(row.study_instance_uid, row.sop_instance_uid, part10.build(sent, ""))


class ForgetsToAudit(Gateway):
    """Does what an operator says, and writes nothing of it into the audit log."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        change = self.index.change_study

        def silently(study: StudyRow, event: Event, *decided: Any) -> None:
            change(study, event, *decided[:2])

        self.index.change_study = silently  # type: ignore[method-assign,assignment]


class EditsItsAuditLog(Gateway):
    """Gets round the triggers and puts another name under an operator's act."""

    def _finish(self) -> None:
        super()._finish()
        with closing(sqlite3.connect(self.data / "index.sqlite")) as db:
            db.execute("DROP TRIGGER audit_is_never_changed")
            db.execute("UPDATE audit SET who = 'somebody else' WHERE act = 'reconcile'")
            db.commit()

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


class StoresDuplicatesTwice(Gateway):
    """Answers 0000 to an instance that it holds already, and keeps a second file of it."""

    def take(self, request: StoreRequest) -> Response:
        held = self.index.instance(request.sop_instance_uid)
        response = super().take(request)
        if held is not None and response.stored:
            file = self.data / "instances" / held.file
            file.with_suffix(".again.dcm").write_bytes(file.read_bytes())
        return response

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


class SaysYesToOtherContent(Gateway):
    """Answers 0000 to other content under a UID that it holds, and keeps the first."""

    def take(self, request: StoreRequest) -> Response:
        response = super().take(request)
        return Response(0x0000) if response.status == 0xC001 else response


class PurgesWhatIsUnmatched(Gateway):
    """Has its retention time begin when a study is unmatched, too."""

    def decide(self, study_instance_uid: str) -> None:
        super().decide(study_instance_uid)
        study = self.index.study(study_instance_uid)
        if study is not None and study.state == "unmatched":
            self.index.change_study(dataclasses.replace(study, state="forwarded"), _nothing(study_instance_uid))
            self.retention.begin(study_instance_uid)


def _nothing(study_instance_uid: str) -> StudyPurged:
    return StudyPurged(observer="gateway", study_instance_uid=study_instance_uid, instances=0)


class FillsTheDisk(Gateway):
    """Takes instances as long as a byte is left."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"storage": {"keep_free": 0}}), data)


IMPOSTORS: dict[str, type[Gateway]] = {
    "acknowledges-without-storing": AcknowledgesWithoutStoring,
    "drops-after-acknowledging": DropsAfterAcknowledging,
    "matches-everyone": MatchesEveryone,
    "ignores-the-image-limit": IgnoresTheImageLimit,
    "warns-of-nothing": WarnsOfNothing,
    "forwards-unmatched": ForwardsUnmatched,
    "alters-a-pixel": AltersAPixel,
    "loses-the-last-instance": LosesTheLastInstance,
    "forgets-orders": ForgetsOrders,
    "never-looks-again": NeverLooksAgain,
    "gives-one-reason-for-all": GivesOneReasonForAll,
    "cannot-take-hardcopy": CannotTakeHardcopy,
    "lets-everyone-in": LetsEveryoneIn,
    "gives-one-reason-to-reject": GivesOneReasonToReject,
    "rejects-without-a-word": RejectsWithoutAWord,
    "asks-for-no-certificate": AsksForNoCertificate,
    "commits-to-what-it-lacks": CommitsToWhatItLacks,
    "loses-what-it-committed-to": LosesWhatItCommittedTo,
    "reports-one-instance-twice": ReportsOneInstanceTwice,
    "reports-under-another-transaction": ReportsUnderAnotherTransaction,
    "never-reports": NeverReports,
    "forgets-reports-when-killed": ForgetsReportsWhenKilled,
    "always-calls-back": AlwaysCallsBack,
    "forwards-without-commitment": ForwardsWithoutCommitment,
    "takes-any-report-for-a-commitment": TakesAnyReportForACommitment,
    "takes-every-commitment-request": TakesEveryCommitmentRequest,
    "ignores-patient-updates": IgnoresPatientUpdates,
    "merges-nobody": MergesNobody,
    "forwards-cancelled-orders": ForwardsCancelledOrders,
    "says-nothing-after-forwarding": SaysNothingAfterForwarding,
    "commits-and-says-no-more": CommitsAndSaysNoMore,
    "knows-the-original-mode-alone": KnowsTheOriginalModeAlone,
    "reads-the-usual-place-alone": ReadsTheUsualPlaceAlone,
    "dies-at-the-end": DiesAtTheEnd,
    "acknowledges-before-writing": AcknowledgesBeforeWriting,
    "forwards-again-after-a-restart": ForwardsAgainAfterARestart,
    "corrects-without-keeping": CorrectsWithoutKeeping,
    "forwards-uncorrected": ForwardsUncorrected,
    "alters-the-stored-original": AltersTheStoredOriginal,
    "forgets-to-audit": ForgetsToAudit,
    "edits-its-audit-log": EditsItsAuditLog,
    "sends-all-again": SendsAllAgain,
    "sends-the-whole-study": SendsTheWholeStudy,
    "counts-failures-as-forwarded": CountsFailuresAsForwarded,
    "alters-a-pixel-when-transcoding": AltersAPixelWhenTranscoding,
    "serves-destinations-in-turn": ServesDestinationsInTurn,
    "forwards-what-is-unmatched-by-hand": ForwardsWhatIsUnmatchedByHand,
    "stores-duplicates-twice": StoresDuplicatesTwice,
    "says-yes-to-other-content": SaysYesToOtherContent,
    "purges-what-is-unmatched": PurgesWhatIsUnmatched,
    "fills-the-disk": FillsTheDisk,
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("name", choices=sorted(IMPOSTORS))
    for option in ("--site", "--data", "--ready-file"):
        arguments.add_argument(option, type=Path, required=True)
    given = arguments.parse_args()
    serve(IMPOSTORS[given.name](profile.load(given.site), given.data), given.ready_file, given.data)


if __name__ == "__main__":
    main()
