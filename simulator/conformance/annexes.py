"""The last chapters: character sets, what is done with attributes, and what there is none of."""

from __future__ import annotations

from pydicom.datadict import dictionary_description, dictionary_VR

from simulator.conformance.document import Bullets, Code, Paragraph, Section, Table
from simulator.gateway import header
from simulator.gateway.correction import BY_OPERATOR, BY_POLICY
from simulator.site import Site
from simulator.wire import data_set

# Why an attribute is read; every tag that the gateway reads stands here (a test says so).
_PURPOSES = {
    data_set.SPECIFIC_CHARACTER_SET: "To decode the name.",
    data_set.SOP_CLASS_UID: "Must be that of the command.",
    data_set.SOP_INSTANCE_UID: "Must be that of the command, and a UID.",
    data_set.ACCESSION_NUMBER: "Finds the order.",
    data_set.PATIENT_NAME: "Compared with the order: the alphabetic component group, in any case.",
    data_set.PATIENT_ID: "The HKID, compared with the order; parentheses, spaces and case do not count.",
    data_set.PATIENT_BIRTH_DATE: "Compared with the order.",
    data_set.PATIENT_SEX: "Compared with the order.",
    data_set.STUDY_INSTANCE_UID: "Must be a UID. The study that the instance belongs to.",
    data_set.SERIES_INSTANCE_UID: "Must be a UID. The series that the instance belongs to.",
    data_set.MODALITY: "Must be one that PS3.3 enumerates for the class, where it does.",
    data_set.SAMPLES_PER_PIXEL: "The size that Pixel Data must have.",
    data_set.PHOTOMETRIC_INTERPRETATION: "The size that Pixel Data must have.",
    data_set.NUMBER_OF_FRAMES: "The size that Pixel Data must have, or how many fragments.",
    data_set.ROWS: "The size that Pixel Data must have.",
    data_set.COLUMNS: "The size that Pixel Data must have.",
    data_set.BITS_ALLOCATED: "The size that Pixel Data must have.",
}

# What a forwarded copy may say otherwise than the instance that came (a test says that it is all).
CORRECTED = (
    (data_set.ACCESSION_NUMBER, "The accession number of the order, where an operator chose the order"),
    (data_set.PATIENT_NAME, "The name of the order, in the character set of the instance"),
    (data_set.PATIENT_ID, "The HKID of the order, without parentheses"),
    (data_set.PATIENT_BIRTH_DATE, "The date of birth of the order"),
    (data_set.PATIENT_SEX, "The sex of the order; U is O"),
)

# PS3.3 C.12.1.1.2. Bytes are kept in any of them, and in any other; these are read.
CHARACTER_SETS = (
    "ISO_IR 6",
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 144",
    "ISO_IR 127",
    "ISO_IR 126",
    "ISO_IR 138",
    "ISO_IR 148",
    "ISO_IR 13",
    "ISO_IR 166",
    "ISO_IR 192",
    "GB18030",
    "GBK",
    "ISO 2022 IR 6",
    "ISO 2022 IR 100",
    "ISO 2022 IR 101",
    "ISO 2022 IR 109",
    "ISO 2022 IR 110",
    "ISO 2022 IR 144",
    "ISO 2022 IR 127",
    "ISO 2022 IR 126",
    "ISO 2022 IR 138",
    "ISO 2022 IR 148",
    "ISO 2022 IR 13",
    "ISO 2022 IR 166",
    "ISO 2022 IR 87",
    "ISO 2022 IR 159",
    "ISO 2022 IR 149",
    "ISO 2022 IR 58",
)


def character_sets() -> Section:
    """Return the chapter about character sets."""
    return Section(
        "Support of Character Sets",
        (
            Paragraph(
                "Data sets are kept and forwarded byte by byte in whatever character set they declare. The gateway "
                "reads text for one purpose, to compare the alphabetic component group of Patient's Name with the "
                "order, in these values of Specific Character Set (0008,0005) and their combinations:"
            ),
            Paragraph(tuple(_listed(CHARACTER_SETS))),
            Paragraph(
                "Bytes that the declared set does not have are read as the replacement character, and the study bears "
                "a warning. HL7 messages are read as MSH-18 says; without it, as UTF-8."
            ),
        ),
    )


def chapter(site: Site) -> Section:
    """Return the annexes."""
    return Section(
        "Annexes",
        sections=(
            Section("IOD Contents", sections=_iod_contents(site)),
            _none("Data Dictionary of Private Attributes", "No private attribute is defined. Those received are kept."),
            _none("Coded Terminology and Templates", "No coded terminology and no template is used."),
            _none("Greyscale Image Consistency", "The gateway displays nothing: PS3.14 does not apply."),
            _none(
                "Standard Extended, Specialized and Private SOP Classes",
                "None is defined. A Standard Extended instance is taken as an instance of its standard class.",
            ),
            _none("Private Transfer Syntaxes", "None is defined or accepted."),
        ),
    )


def _none(title: str, words: str) -> Section:
    return Section(title, (Paragraph(words),))


def _listed(names: tuple[str, ...]) -> list[str | Code]:
    runs: list[str | Code] = []
    for name in names:
        runs += [", ", Code(name)]
    return [*runs[1:], "."]


def _iod_contents(site: Site) -> tuple[Section, ...]:
    return (
        _none("Created SOP Instances", "The gateway creates no SOP instance."),
        Section(
            "Usage of Attributes from Received IODs",
            (
                Paragraph("These attributes are read; of all others the encoding alone is examined."),
                Table(
                    "Attributes Read", ("Attribute", "Tag", "VR", "What for"), tuple(map(_usage, sorted(header.JUDGED)))
                ),
            ),
        ),
        Section("Attribute Mapping", (_MAPPING, *_location(site))),
        Section("Coerced and Modified Attributes", _modified(site)),
    )


def _modified(site: Site) -> tuple[Paragraph | Bullets | Table, ...]:
    return (
        Paragraph(
            "What is forwarded is the data set that was received, byte by byte, unless it is corrected or "
            "decompressed. What is kept is never changed. Where it was decompressed, Photometric Interpretation "
            "(0028,0004) and Planar Configuration (0028,0006) are those of the samples as they then are, and Lossy "
            "Image Compression (0028,2110) is 01 after a lossy syntax. The files have a file meta information of the "
            "gateway's own, with the calling AE title as Source Application Entity Title (0002,0016)."
        ),
        Bullets(
            (
                "An operator may rule that a held study belongs to an order. Then each copy that is forwarded gets the "
                "keys of the order that it disagrees with.",
                _policy(site),
                "The old values stand in Original Attributes Sequence (0400,0561), one more item each time, as below.",
            )
        ),
        Table(
            "Attributes that Are Corrected",
            ("Attribute", "Tag", "VR", "New value"),
            tuple((dictionary_description(t), Code(data_set.tag_text(t)), dictionary_VR(t), w) for t, w in CORRECTED),
        ),
        Table(
            "Item of Original Attributes Sequence",
            ("Attribute", "Tag", "Value"),
            (
                ("Attribute Modification DateTime", Code("(0400,0562)"), "When the study was decided, in UTC"),
                ("Modifying System", Code("(0400,0563)"), Code(site.gateway.ae_title)),
                ("Source of Previous Values", Code("(0400,0564)"), "The calling AE title that the instance came from"),
                (
                    "Reason for the Attribute Modification",
                    Code("(0400,0565)"),
                    (Code(BY_POLICY), " by the site's policy, ", Code(BY_OPERATOR), " by an operator"),
                ),
                ("Modified Attributes Sequence", Code("(0400,0550)"), "The attributes as they came"),
            ),
        ),
    )


def _policy(site: Site) -> str:
    if site.unmatched != "correct":
        return "The policy of this site corrects nothing by itself."
    return (
        "By the policy of this site the same is done without an operator, where the accession number is the order's "
        "and two of HKID, name and date of birth agree."
    )


def _usage(tag: int) -> tuple[str | Code, ...]:
    return dictionary_description(tag), Code(data_set.tag_text(tag)), dictionary_VR(tag), _PURPOSES[tag]


def _location(site: Site) -> tuple[Paragraph, ...]:
    where = site.hl7.accession_location
    if where == "by-message-type":
        return ()
    return (Paragraph(("At this site the accession number stands in ", Code(where), " of every message.")),)


_MAPPING = Table(
    "Attributes and the HL7 Fields that They Are Compared with",
    ("Attribute", "Tag", "ORM^O01", "OMI^O23", "ORU^R01"),
    (
        ("Accession Number", Code("(0008,0050)"), "OBR-18", "IPC-1", "OBR-18"),
        ("Patient ID (HKID)", Code("(0010,0020)"), "PID-3", "PID-3", "PID-3"),
        ("Patient's Name", Code("(0010,0010)"), "PID-5", "PID-5", "PID-5"),
        ("Patient's Birth Date", Code("(0010,0030)"), "PID-7", "PID-7", "PID-7"),
        ("Patient's Sex", Code("(0010,0040)"), "PID-8 (U is O)", "PID-8 (U is O)", "PID-8 (U is O)"),
    ),
)
