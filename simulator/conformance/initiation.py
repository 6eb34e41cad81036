"""Association initiation: what the gateway proposes when it sends, and how it takes the answers."""

from __future__ import annotations

from pydicom.uid import UID

from simulator.conformance import commitment, services, shown
from simulator.conformance.document import Bullets, Code, Inline, Paragraph, Section, Table
from simulator.gateway.access import time_outs
from simulator.site import Site
from simulator.wire import decompression, transcoding
from simulator.wire.acceptor import VERIFICATION_CONTEXT
from simulator.wire.association import MAXIMUM_CONTEXTS, Response

# PS3.4 B.2.3 and PS3.7 Annex C: (codes, an example of them, service status, further meaning).
_ANSWERS = (
    ("0000", 0x0000, "Success", "Success"),
    ("0001", 0x0001, "Warning", "Requested optional attributes are not supported"),
    ("0107", 0x0107, "Warning", "Attribute list error"),
    ("0116", 0x0116, "Warning", "Attribute value out of range"),
    ("B000", 0xB000, "Warning", "Coercion of data elements"),
    ("B006", 0xB006, "Warning", "Elements discarded"),
    ("B007", 0xB007, "Warning", "Data set does not match SOP class"),
    ("Bxxx", 0xB123, "Warning", "Any other warning"),
    ("A7xx", 0xA700, "Failure", "Refused: out of resources"),
    ("A9xx", 0xA900, "Failure", "Error: data set does not match SOP class"),
    ("Cxxx", 0xC000, "Failure", "Error: cannot understand"),
    ("any other", 0x0122, "Failure", "As PS3.7 Annex C has it"),
)


def section(site: Site) -> Section:
    """Return the association initiation policy."""
    words = (
        "The gateway requests associations to forward, to ask for storage commitment and to report it, and to ask for "
        "Verification."
    )
    return Section(
        "Association Initiation Policy",
        (Paragraph(words if site.forwarding.destinations else f"{words} At this site no destination is named."),),
        (_verify(site), _forward(site), commitment.asking(site), commitment.initiation(site)),
    )


def _verify(site: Site) -> Section:
    context, limits = VERIFICATION_CONTEXT, time_outs(site)
    row = ("Verification SOP Class", Code(context.abstract_syntax_uid), "List 4", "SCU", "None")
    told = "The operator is told; nothing is tried again."
    return Section(
        "Activity: Verify a Destination",
        sections=(
            Section(
                "Description and Sequencing",
                (
                    Paragraph(
                        "An operator has the gateway ask a destination by C-ECHO whether it answers, over the address, "
                        "TLS and time-outs by which studies are forwarded to it. The association is released at once."
                    ),
                ),
            ),
            Section(
                "Proposed Presentation Contexts",
                (
                    Table("Proposed Presentation Contexts", shown.CONTEXT_COLUMNS, (row,)),
                    shown.transfer_syntaxes("Transfer Syntaxes, List 4", context),
                ),
            ),
            Section(
                "SOP-specific Conformance for Verification",
                (
                    Table(
                        "C-ECHO Response Status Taken",
                        ("Service status", "Status", "What it does"),
                        (
                            ("Success", Code("0000"), "The destination answers."),
                            ("Any other", Code("*"), told),
                            (f"No answer within {limits.dimse:g} s, or no association", "none", told),
                        ),
                    ),
                ),
            ),
        ),
    )


def _forward(site: Site) -> Section:
    uncompressed = " and ".join(str(UID(uid).name) for uid in transcoding.UNCOMPRESSED)
    rows = tuple(
        (each.shown_name, Code(each.sop_class.uid), "as held; uncompressed", "SCU", "None")
        for each in services.storage(site)
    )
    return Section(
        "Activity: Forward a Study",
        sections=(
            Section("Description and Sequencing", (_sequence(site),)),
            Section(
                "Proposed Presentation Contexts",
                (
                    Paragraph(
                        "Each SOP class among the instances is proposed in several contexts of one transfer syntax: "
                        "one for each that its instances are held in, so that what is compressed stays so where the "
                        f"destination takes it, and one each for {uncompressed}. A study that needs more than "
                        f"{MAXIMUM_CONTEXTS} contexts goes over several associations."
                    ),
                    Table("Proposed Presentation Contexts", shown.CONTEXT_COLUMNS, rows),
                ),
            ),
            Section("SOP-specific Conformance for Storage", _conformance(site)),
        ),
    )


def _sequence(site: Site) -> Bullets:
    forwarding = site.forwarding
    return Bullets(
        (
            "A study that has matched is queued for every destination that gets such studies by itself. Each "
            "destination has a queue of its own, which survives a restart.",
            "A whole study, a series or an instance goes to any destination when an operator says so.",
            "Only instances that the destination has not stored yet are sent.",
            f"A destination is tried {forwarding.attempts} times, the second {forwarding.retry_after:g} s after the "
            f"first, with twice the wait before each further one, {forwarding.retry_at_most:g} s at most. Then what it "
            "is to get is failed, until an operator sends it again.",
            "After a crash the instance in hand may be sent twice, with the same SOP Instance UID and content.",
        )
    )


def _conformance(site: Site) -> tuple[Table | Paragraph, ...]:
    waits, again = time_outs(site), "The try has failed; it is made again."
    return (
        Paragraph(
            "An instance whose transfer syntax the destination does not accept is brought to one that it accepts, "
            "where that is possible without loss; else it is not sent, and the study is failed with the reason. From "
            "these transfer syntaxes it can be decompressed:"
        ),
        Table(
            "Transfer Syntaxes that Are Decompressed",
            ("Transfer syntax", "UID"),
            tuple((str(UID(uid).name), Code(uid)) for uid in decompression.DECODED),
        ),
        Table(
            "C-STORE Response Status Taken", ("Service status", "Further meaning", "Status", "What it does"), _answers()
        ),
        Table(
            "Communication Failures",
            ("Exception", "What it does"),
            (
                (f"No TCP connection within {waits.connection:g} s", again),
                ("Association rejected, or no context accepted", again),
                (f"No answer to the association request within {waits.acse:g} s", again),
                (f"No C-STORE response within {waits.dimse:g} s", "The association is aborted; the try has failed."),
                ("The peer aborts or the connection breaks", "What was stored before counts; the rest is tried again."),
            ),
        ),
    )


def _answers() -> tuple[tuple[Inline, ...], ...]:
    words = {
        True: "The instance counts as stored. The status is noted.",
        False: "The instance counts as not stored; the study is tried again, and failed after the last try.",
    }
    return tuple((kind, meaning, Code(shown), words[Response(code).stored]) for shown, code, kind, meaning in _ANSWERS)
