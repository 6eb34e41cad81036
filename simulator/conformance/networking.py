"""The fourth chapter: the implementation model and the specification of the gateway's one Application Entity."""

from __future__ import annotations

from simulator.conformance import acceptance, commitment, diagram, initiation, services
from simulator.conformance.diagram import Flow
from simulator.conformance.document import Bullets, Code, Figure, Inline, Paragraph, Section, Table
from simulator.gateway.access import APPLICATION_CONTEXT
from simulator.site import Site
from simulator.wire.association import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, MAXIMUM_PDU


def chapter(site: Site, configuration: tuple[Section, ...]) -> Section:
    """Return the chapter; `configuration` are its last sections."""
    return Section(
        "Networking",
        sections=(
            Section("Implementation Model", sections=_model(site)),
            Section("AE Specifications", sections=(_entity(site),)),
            Section("Network Interfaces", sections=_interfaces()),
            Section("Configuration", sections=configuration),
        ),
    )


# What goes over the DICOM interface.
FLOWS = (
    Flow("Tell that the gateway answers", "C-ECHO", "Verify the connection", "in"),
    Flow("Receive, keep and match a study", "C-STORE", "Send a study (a modality or a facility's PACS)", "in"),
    Flow("Forward a matched study", "C-STORE", "Take a study (a hospital's PACS)", "out"),
    Flow("Verify a destination", "C-ECHO", "Tell that it answers (a hospital's PACS)", "out"),
    *commitment.FLOWS,
)


_REQUESTED = "1 for each destination, 1 for each requester of storage commitment, 1 for each Verification"


def _model(site: Site) -> tuple[Section, ...]:
    name = site.gateway.ae_title
    figure = Figure("Application Data Flow", diagram.svg(name, FLOWS), diagram.text(name, FLOWS))
    flow = Section(
        "Application Data Flow",
        (
            figure,
            Paragraph(
                "The gateway is one Application Entity, which accepts associations and requests them under the same AE "
                "title. Orders reach it by HL7 over MLLP, which is outside of DICOM, and so does the operator's HTTP "
                "API."
            ),
        ),
    )
    functions = Section(
        "Functional Definition of the Gateway AE",
        (
            Bullets(
                (
                    "It listens on its port from its start to its end, and answers Verification at any time.",
                    "Each instance that comes by C-STORE is examined, stored as it came, bit for bit, and indexed "
                    "before the response is sent. One that is refused is kept aside with the reason.",
                    (
                        "A study is complete when no instance of it came for ",
                        f"{site.gateway.quiet_period:g} s; DICOM has no sign for the end of a study.",
                    ),
                    "A complete study is compared with its order: accession number, HKID, name, date of birth, sex.",
                    "An operator may send a study, a series or an instance by hand, and ask a destination for "
                    "Verification.",
                    "A study that matches is sent to each destination of the site; a destination gets only what it "
                    "lacks.",
                    _unmatched(site),
                )
            ),
        ),
    )
    sequencing = Section(
        "Sequencing of Real-World Activities",
        (
            Paragraph(
                "Storage comes first, matching second, forwarding third. The order may come before the study or after "
                "it: a late order, or a changed one, sends a held study through matching again. An instance that comes "
                "late makes its study incomplete again, and is forwarded by itself once the study has matched again."
            ),
        ),
    )
    return flow, functions, sequencing


def _unmatched(site: Site) -> str:
    words = {
        "hold": "A study that does not match is held, and forwarded only when a later order or an operator heals it.",
        "reject": "A study that does not match is kept in state rejected and is not forwarded.",
        "correct": "A study that does not match by a slip is forwarded with its order's keys; any other is held.",
    }
    return words[site.unmatched]


def _entity(site: Site) -> Section:
    return Section(
        "Gateway AE Specification",
        sections=(
            Section(
                "SOP Classes",
                (
                    Paragraph("The gateway conforms to these SOP classes as a Standard implementation."),
                    Table(
                        "SOP Classes of the Gateway AE",
                        ("SOP class", "SOP Class UID", "SCU", "SCP"),
                        tuple(_sop_class(each) for each in services.of(site)),
                    ),
                    *_printed_uid(site),
                ),
            ),
            Section("Association Policies", sections=_policies(site)),
            initiation.section(site),
            acceptance.section(site),
        ),
    )


def _sop_class(service: services.Service) -> tuple[Inline, ...]:
    yes = {True: "Yes", False: "No"}
    return service.shown_name, Code(service.sop_class.uid), yes[service.scu], yes[service.scp]


def _printed_uid(site: Site) -> tuple[Paragraph, ...]:
    if site.dx_processing_uid == "as-standard":
        return ()
    words = (
        "At this site Digital X-Ray Image Storage - For Processing bears the UID that the slide of 2010 prints for it, "
        "which in PS3.6 is that of For Presentation; its own UID is not accepted."
    )
    return (Paragraph(words),)


def _policies(site: Site) -> tuple[Section, ...]:
    return (
        Section(
            "General",
            (
                Table(
                    "General Association Policies",
                    ("Parameter", "Value"),
                    (
                        ("Application context name", Code(APPLICATION_CONTEXT)),
                        ("Maximum PDU size received, in bytes", str(MAXIMUM_PDU)),
                        ("Maximum PDU size sent", "what the peer says that it receives"),
                    ),
                ),
            ),
        ),
        Section(
            "Number of Associations",
            (
                Table(
                    "Number of Associations",
                    ("Role", "Simultaneous associations"),
                    (
                        ("Acceptor", f"{site.gateway.maximum_associations}; more are rejected for now"),
                        ("Requestor", _REQUESTED),
                    ),
                ),
            ),
        ),
        Section(
            "Asynchronous Nature",
            (
                Paragraph(
                    "Asynchronous operations are not negotiated: one operation at a time is outstanding on an "
                    "association."
                ),
            ),
        ),
        Section(
            "Implementation Identifying Information",
            (
                Table(
                    "Implementation Class and Version",
                    ("Parameter", "Value"),
                    (
                        ("Implementation Class UID", Code(IMPLEMENTATION_CLASS_UID)),
                        ("Implementation Version Name", Code(IMPLEMENTATION_VERSION_NAME)),
                    ),
                ),
                Paragraph("The same two stand in the file meta information of every file that the gateway writes."),
            ),
        ),
    )


def _interfaces() -> tuple[Section, ...]:
    return (
        Section("Physical Network Interface", (Paragraph("Whatever TCP/IP runs over on the machine of the gateway."),)),
        Section(
            "Additional Protocols",
            (
                Table(
                    "Additional Protocols",
                    ("Protocol", "Use"),
                    (
                        (
                            "HL7 v2 over MLLP",
                            "Orders and their changes (ORM^O01, OMI^O23, ORU^R01), patient updates and merges "
                            "(ADT^A08, ADT^A40)",
                        ),
                        ("HTTP", "State of studies and orders, events; on loopback alone"),
                    ),
                ),
            ),
        ),
        Section("IPv4 and IPv6", (Paragraph("IPv4, and IPv6 where the site profile names such an address."),)),
    )
