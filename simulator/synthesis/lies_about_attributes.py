"""Attributes that few would look for: empty, private, unknown, encoded in another way, or there twice.

PS3.4 B.4.1 has a Level 2 (full) SCP keep every attribute, those that it does not know too. But for the last of them
these are valid DICOM, and a gateway must find nothing.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from simulator.synthesis import people
from simulator.synthesis.draft import Draft
from simulator.synthesis.lie import Lie

_PRIVATE: Final = (
    (0x00090010, "LO", b"SYNTHETIC PRIVATE"),
    (0x00091001, "SH", b"KEEP ME"),
    (0x00091002, "OB", bytes(range(256))),
    (0x000910FF, "UN", b"\x01\x02\x03\x04"),
)
"""A private creator and three attributes of its block (PS3.5 7.8.1)."""

_EMPTY: Final = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "SeriesNumber", "InstanceNumber")
"""Attributes of Type 2 in General Study, General Series and General Image (PS3.3 C.7.2.1, C.7.3.1, C.7.6.1)."""

_UNKNOWN: Final = 0x0018FFF0  # of an even group, and in no edition of PS3.6
_GROUP_LENGTH: Final = 0x00080000


def _private(draft: Draft, first: Draft) -> Draft:
    return reduce(lambda held, attribute: held.holding(*attribute), _PRIVATE, draft)


def _other_patient_ids(draft: Draft, first: Draft) -> Draft:
    # A valid HKID, for whoever would take what stands in a sequence for the patient's own.
    other = people.person("other patient IDs").hkid
    return draft.nesting("OtherPatientIDsSequence", {"PatientID": other, "TypeOfPatientID": "TEXT"})


def _in_undefined_length(draft: Draft, first: Draft) -> Draft:
    return draft.nesting("RequestAttributesSequence", {"ScheduledProcedureStepID": "1"}, {})


def _named_twice(draft: Draft, first: Draft) -> Draft:
    return draft.repeating("PatientName", people.person("named twice").name)


def _printed(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


ABOUT_ATTRIBUTES: Final = (
    Lie(
        "empty-attributes",
        _EMPTY,
        "Attributes that may be empty are: date, time and ID of the study, the referring physician, and the numbers.",
        lambda seed, order: dict.fromkeys(_EMPTY, ""),
    ),
    Lie(
        "private-attributes",
        tuple(_printed(tag) for tag, _, _ in _PRIVATE),
        "There are private attributes with their private creator, which belong to the data and are to be sent on.",
        tamper=_private,
    ),
    Lie(
        "unknown-attribute",
        (_printed(_UNKNOWN),),
        "There is an attribute of an even group that no edition of the standard has.",
        tamper=lambda draft, first: draft.holding(_UNKNOWN, "LO", b"OF ANOTHER EDITION"),
    ),
    Lie(
        "attribute-in-un",
        ("ProtocolName",),
        "The Protocol Name is written with the value representation UN, as by who does not know it (PS3.5 6.2.2).",
        tamper=lambda draft, first: draft.holding(0x00181030, "UN", b"HEAD ROUTINE"),
    ),
    Lie(
        "empty-sequence",
        ("ReferencedStudySequence",),
        "There is a sequence without an item.",
        tamper=lambda draft, first: draft.holding(0x00081110, "SQ", b""),
    ),
    Lie(
        "undefined-length-sequence",
        ("RequestAttributesSequence",),
        "A sequence and its items are of undefined length, and the last item is empty (PS3.5 7.5).",
        tamper=_in_undefined_length,
    ),
    Lie(
        "other-patient-ids",
        ("OtherPatientIDsSequence",),
        "In a sequence stands a Patient ID of another number, which is not the patient's own.",
        tamper=_other_patient_ids,
    ),
    Lie(
        "wrong-group-length",
        (_printed(_GROUP_LENGTH),),
        "There is a Group Length, which was retired in 2008, and it is wrong (PS3.5 7.2).",
        tamper=lambda draft, first: draft.holding(_GROUP_LENGTH, "UL", bytes(4)),
    ),
    Lie(
        "repeated-attribute",
        ("PatientName",),
        "The name stands there twice, and is another the second time (PS3.5 7.1 allows it once).",
        tamper=_named_twice,
        status="C000",
    ),
)
