"""Association acceptance: what the gateway takes, and what it answers."""

from __future__ import annotations

from simulator.conformance import commitment, services, shown
from simulator.conformance.document import Bullets, Code, Inline, Paragraph, Section, Table
from simulator.gateway import statuses
from simulator.gateway.server import storage_contexts
from simulator.rules.modality import ENUMERATED
from simulator.site import Site
from simulator.wire.acceptor import VERIFICATION_CONTEXT
from simulator.wire.incidents import GROUNDS, REJECT_REASONS, Ground


def section(site: Site) -> Section:
    """Return the association acceptance policy."""
    return Section(
        "Association Acceptance Policy",
        (
            Paragraph("The gateway accepts associations from its start to its end. It rejects these:"),
            Table(
                "Association Rejections",
                ("Result", "Source", "Reason", "Meaning", "When"),
                tuple(map(_rejection, GROUNDS.values())),
            ),
            Paragraph(
                "A presentation context with an abstract syntax that is not listed below is rejected with result 3."
            ),
            Paragraph("One without a transfer syntax that is listed for it is rejected with result 4."),
            Paragraph("A PDU that is malformed, unknown or not expected is answered by A-ABORT (PS3.8 table 9-10)."),
            Table("Time-outs as Acceptor", ("Waits", "For", "Then"), _time_outs(site)),
        ),
        (_verify(), _receive(site), commitment.acceptance(), commitment.reports()),
    )


def _rejection(ground: Ground) -> tuple[Inline, ...]:
    kinds = {1: "1 (permanent)", 2: "2 (transient)"}
    meaning = REJECT_REASONS[ground.source, ground.reason]
    return kinds[ground.result], str(ground.source), str(ground.reason), meaning, ground.when


def _time_outs(site: Site) -> tuple[tuple[Inline, ...], ...]:
    limits = site.gateway.time_outs
    return (
        ("For an association request, or the TLS handshake", f"{limits.acse:g} s", "The connection is closed."),
        ("For the rest of a PDU", f"{limits.pdu:g} s", "A-ABORT"),
        ("For the rest of a DIMSE message", f"{limits.dimse:g} s", "A-ABORT"),
        ("For the next PDU on an open association", f"{limits.idle:g} s", "A-ABORT"),
    )


def _verify() -> Section:
    context = VERIFICATION_CONTEXT
    row = ("Verification SOP Class", Code(context.abstract_syntax_uid), "List 1", "SCP", "None")
    return Section(
        "Activity: Tell that the Gateway Answers",
        sections=(
            Section(
                "Description and Sequencing",
                (
                    Paragraph(
                        "A remote AE asks by C-ECHO whether the gateway answers, at any time and as often as it likes."
                    ),
                ),
            ),
            Section(
                "Accepted Presentation Contexts",
                (
                    Table("Accepted Presentation Contexts", shown.CONTEXT_COLUMNS, (row,)),
                    shown.transfer_syntaxes("Transfer Syntaxes, List 1", context),
                ),
            ),
            Section(
                "SOP-specific Conformance for Verification",
                (Paragraph(("The gateway provides standard conformance. The status is ", Code("0000"), ".")),),
            ),
        ),
    )


def _receive(site: Site) -> Section:
    names = {each.sop_class.uid: each.shown_name for each in services.of(site)}
    contexts = storage_contexts(site)
    rows = tuple((names[c.abstract_syntax_uid], Code(c.abstract_syntax_uid), "List 2", "SCP", "None") for c in contexts)
    return Section(
        "Activity: Receive a Study",
        sections=(
            Section(
                "Description and Sequencing",
                (
                    Paragraph(
                        "A remote AE sends instances by C-STORE, over one association or several, one after another or "
                        "side by side. Of the transfer syntaxes of a presentation context the gateway accepts the one "
                        "that it prefers; a sender that wants compressed data kept as they are proposes them in a "
                        "context of their own."
                    ),
                ),
            ),
            Section(
                "Accepted Presentation Contexts",
                (
                    Table("Accepted Presentation Contexts", shown.CONTEXT_COLUMNS, rows),
                    shown.transfer_syntaxes("Transfer Syntaxes, List 2", contexts[0]),
                ),
            ),
            Section("SOP-specific Conformance for Storage", _storage(site)),
        ),
    )


def _storage(site: Site) -> tuple[Paragraph | Bullets | Table, ...]:
    return (
        Bullets(
            (
                "Level of conformance: 2 (Full). Every attribute is kept, private ones too, in the encoding that it "
                "came in.",
                "No attribute is coerced on receipt.",
                "Level of digital signature support: 1. Signatures are kept as they came and are not verified.",
                "The same instance again, with the same content, is answered with success and not stored twice.",
                _image_limit(site),
            )
        ),
        Table("C-STORE Response Status", shown.STATUS_COLUMNS, tuple(map(shown.status, statuses.store_statuses(site)))),
        Table(
            "Modality (0008,0060) that is Checked",
            ("SOP class", "Values", "Source"),
            tuple(
                (service.shown_name, ", ".join(found.values), f"PS3.3 {found.source}")
                for service in services.storage(site)
                if (found := ENUMERATED.get(service.sop_class.uid))
            ),
        ),
    )


def _image_limit(site: Site) -> str:
    limit = site.image_limit
    if limit.mode == "reject":
        return f"A study takes {limit.limit} instances; the next one is refused."
    return f"A study of more than {limit.limit} instances is taken whole, with a warning in the gateway's report."
