"""Storage commitment (PS3.4 Annex J): what the gateway takes and answers, and how it brings its reports back."""

from __future__ import annotations

from simulator.conformance import shown
from simulator.conformance.diagram import Flow
from simulator.conformance.document import Bullets, Code, Paragraph, Section, Table
from simulator.gateway import statuses
from simulator.gateway.reporting import LONGEST_WAIT, TIME_OUTS
from simulator.gateway.safekeeping import HOLD
from simulator.rules.sop_classes import STORAGE_COMMITMENT
from simulator.site import Site
from simulator.wire.association import Context
from simulator.wire.commitment import ALL_COMMITTED, FAILURES_EXIST, TRANSFER_SYNTAXES

FLOWS = (
    Flow("Have a destination commit", "N-ACTION", "Keep instances safe (a hospital's PACS)", "out"),
    Flow("Note what a destination keeps", "N-EVENT-REPORT", "Report what is kept safe", "in"),
    Flow("Commit to instances", "N-ACTION", "Ask that instances be kept safe", "in"),
    Flow("Report what is committed", "N-EVENT-REPORT", "Learn what is kept safe", "out"),
)
_CONTEXT = Context(STORAGE_COMMITMENT.uid, TRANSFER_SYNTAXES)
_NEGOTIATED = "SCP/SCU role selection"


def acceptance() -> Section:
    """Return the activity in which a remote AE asks for commitment."""
    row = (STORAGE_COMMITMENT.name, Code(STORAGE_COMMITMENT.uid), "List 3", "SCP", _NEGOTIATED)
    return Section(
        "Activity: Commit to Instances",
        sections=(
            Section("Description and Sequencing", (_sequence(),)),
            Section(
                "Accepted Presentation Contexts",
                (
                    Table("Accepted Presentation Contexts", shown.CONTEXT_COLUMNS, (row,)),
                    shown.transfer_syntaxes("Transfer Syntaxes, List 3", _CONTEXT),
                ),
            ),
            Section("SOP-specific Conformance for Storage Commitment", _conformance()),
        ),
    )


def asking(site: Site) -> Section:
    """Return the activity in which the gateway asks a destination to commit."""
    row = (STORAGE_COMMITMENT.name, Code(STORAGE_COMMITMENT.uid), "as for reports", "SCU", "None")
    return Section(
        "Activity: Have a Destination Commit",
        sections=(
            Section(
                "Description and Sequencing",
                (
                    Bullets(
                        (
                            "Where the site profile says so of a destination, it is asked for storage commitment once "
                            "all instances are stored there. The study is forwarded when it has committed to all.",
                            f"The association of the request is kept for {HOLD:g} s for the report. Else the report "
                            "comes on an association that the destination requests.",
                            f"Without a report within {site.forwarding.report_within:g} s it is asked again, under a "
                            "new Transaction UID, as often as a destination is tried.",
                            "An instance that the destination says it does not have (0112) is sent again.",
                        )
                    ),
                ),
            ),
            Section(
                "Proposed Presentation Contexts",
                (Table("Proposed Presentation Contexts", shown.CONTEXT_COLUMNS, (row,)),),
            ),
            Section(
                "SOP-specific Conformance for Storage Commitment",
                (
                    Table(
                        "N-ACTION Response Status Taken",
                        ("Service status", "Status", "What it does"),
                        (
                            ("Success", Code("0000"), "The report is waited for."),
                            ("Any other", Code("*"), "The try has failed; it is made again."),
                        ),
                    ),
                ),
            ),
        ),
    )


def reports() -> Section:
    """Return the activity in which a destination reports on an association of its own."""
    words = (
        "A destination that was asked to commit reports by N-EVENT-REPORT, on the association of the request or on "
        "one that it requests. On that it proposes the SCP role for itself, which the gateway accepts."
    )
    return Section(
        "Activity: Note What a Destination Keeps",
        sections=(
            Section("Description and Sequencing", (Paragraph(words),)),
            Section(
                "Accepted Presentation Contexts",
                (Paragraph("The same as for requests of storage commitment, with the roles the other way round."),),
            ),
            Section(
                "SOP-specific Conformance for Storage Commitment",
                (
                    Table(
                        "N-EVENT-REPORT Response Status",
                        shown.STATUS_COLUMNS,
                        tuple(map(shown.status, statuses.report_statuses())),
                    ),
                ),
            ),
        ),
    )


def _sequence() -> Bullets:
    return Bullets(
        (
            "A remote AE names instances by N-ACTION, on the association on which it sent them or on another one.",
            "Success is answered once the request is written down. It means received, not committed.",
            "Off the association the file of each instance and its folder are brought to the disk (fsync), and its "
            "content is compared with the digest that was taken when it came. Only then it is committed.",
            "Requests are decided one after another, and are found again after a restart.",
            "A request that names every instance of a study that is held, and none that is not, closes the study: it "
            "is matched without waiting for the quiet period.",
        )
    )


def _conformance() -> tuple[Paragraph | Bullets | Table, ...]:
    return (
        Table("N-ACTION Response Status", shown.STATUS_COLUMNS, tuple(map(shown.status, statuses.action_statuses()))),
        Table(
            "Event Types Reported",
            ("Event Type ID", "Meaning"),
            (
                (str(ALL_COMMITTED), "Every instance is committed."),
                (str(FAILURES_EXIST), "Some are not: each instance stands in exactly one of the two sequences."),
            ),
        ),
        Table(
            "Failure Reason (0008,1197)",
            ("Meaning", "Value", "When the gateway gives it"),
            tuple((each.meaning, Code(each.text), each.when) for each in statuses.failure_reasons()),
        ),
        Bullets(
            (
                "The Transaction UID of the request is that of the report. One that was used before is answered with "
                "success and reported with a failure for each instance.",
                "Commitment holds until the study is purged: the gateway is temporary storage.",
                "Optional attributes Storage Media File-Set ID and UID and Retrieve AE Title are not sent.",
            )
        ),
    )


def initiation(site: Site) -> Section:
    """Return the activity in which the gateway brings a report back over an association of its own."""
    row = (STORAGE_COMMITMENT.name, Code(STORAGE_COMMITMENT.uid), "as below", "SCP", _NEGOTIATED)
    return Section(
        "Activity: Report What Is Committed",
        sections=(
            Section("Description and Sequencing", (_reporting(site),)),
            Section(
                "Proposed Presentation Contexts",
                (
                    Paragraph("The SCP role is proposed for the gateway (SCU role 0, SCP role 1, PS3.7 D.3.3.4)."),
                    Table("Proposed Presentation Contexts", shown.CONTEXT_COLUMNS, (row,)),
                    shown.transfer_syntaxes("Transfer Syntaxes Proposed for Reports", _CONTEXT),
                ),
            ),
            Section(
                "SOP-specific Conformance for Storage Commitment",
                (
                    Table(
                        "N-EVENT-REPORT Response Status Taken",
                        ("Service status", "Status", "What it does"),
                        (
                            ("Success", Code("0000"), "The transaction is over."),
                            ("Any other", Code("*"), "The report has not arrived; it is tried again."),
                        ),
                    ),
                ),
            ),
        ),
    )


def _reporting(site: Site) -> Bullets:
    policy = site.commitment
    return Bullets(
        (
            "A report goes over the association of the request while that stands and the peer is at rest on it.",
            "Else the gateway requests an association, under the AE title that the request was sent to, with the host "
            "and port that the site profile has for the requester. Without these there is no second way.",
            f"A report is tried {policy.attempts} times, the second {policy.retry_after:g} s after the first, with "
            f"twice the wait before each further one, up to {LONGEST_WAIT:g} s; it survives a restart.",
            f"It waits {TIME_OUTS.connection:g} s for a connection, {TIME_OUTS.acse:g} s for the answer to the "
            f"association request, {TIME_OUTS.dimse:g} s for the response.",
        )
    )
