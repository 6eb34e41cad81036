"""The third chapter: for whom the statement is, and in which words."""

from __future__ import annotations

from simulator import __version__
from simulator.conformance.document import Bullets, Code, Paragraph, Section, Table


def chapter() -> Section:
    """Return the introduction."""
    return Section(
        "Introduction",
        sections=(
            Section(
                "Revision History",
                (
                    Table(
                        "Revision History",
                        ("Version", "What changed"),
                        ((__version__, "See CHANGELOG.md of the product."),),
                    ),
                    Paragraph(
                        (
                            "The statement is written by ",
                            Code("simulate conformance"),
                            " from the objects that the gateway runs on, for one version and one site profile.",
                        )
                    ),
                ),
            ),
            Section(
                "Audience",
                (
                    Paragraph(
                        "PACS administrators, engineers of modalities and integrators who connect a facility to the "
                        "Hospital Authority's DICOM Image Gateway, and who know the DICOM Standard in its terms."
                    ),
                ),
            ),
            Section(
                "Remarks",
                (
                    Paragraph(
                        "That two statements fit is needed for two systems to work together, and is not enough: it "
                        "says nothing of what the images are used for. Each pair of systems is to be tested before it "
                        "is used."
                    ),
                    Paragraph(
                        "What the gateway asks of a study beyond DICOM (a well-formed accession number, an order under "
                        "it, four major keys that agree with the order) is policy, and never a reason to refuse a "
                        "C-STORE: such a study is stored, and then held."
                    ),
                ),
            ),
            Section("Terms and Definitions", (_TERMS,)),
            Section(
                "References",
                (
                    Bullets(
                        (
                            "NEMA PS3, Digital Imaging and Communications in Medicine (DICOM) Standard.",
                            "HL7 Version 2.3.1 and 2.5.1.",
                            "Hospital Authority, DICOM Image Gateway, seminar of 1 September 2010 (public slides).",
                        )
                    ),
                ),
            ),
        ),
    )


_TERMS = Table(
    "Terms",
    ("Term", "Meaning"),
    (
        (
            "AE, AE title",
            "Application Entity: an end of an association; the name of up to 16 characters by which it is called.",
        ),
        (
            "Association",
            "A connection between two AEs over which DICOM messages go, after the two agreed what they may be.",
        ),
        ("Presentation context", "A SOP class and the transfer syntaxes that may carry it, as proposed or agreed."),
        ("SCU, SCP", "Service Class User and Provider: who asks, and who answers."),
        ("SOP class, SOP instance", "A kind of object with what may be done with it; one such object, as one image."),
        ("Order", "What HL7 tells of a requested study: accession number, HKID, name, date of birth, sex."),
        ("Major keys", "HKID (Patient ID), name in English, date of birth, sex: what a study and its order agree in."),
        ("HKID", "Hong Kong identity card number."),
        ("MLLP", "Minimal Lower Layer Protocol, by which HL7 messages go over TCP."),
        ("PDU", "Protocol Data Unit: what DICOM messages are cut into."),
    ),
)
