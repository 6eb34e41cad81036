"""Lies about what an instance is: its UIDs, its SOP class, its encoding and its pixel data."""

from __future__ import annotations

from typing import Final

from simulator.rules import sop_classes
from simulator.synthesis.draft import Draft
from simulator.synthesis.lie import Lie


def _another_class(draft: Draft, first: Draft) -> Draft:
    # PS3.3 enumerates one modality for each of these two (C.8.11.6, C.8.11.8), so no other content can be theirs.
    mammography = sop_classes.by_name("DigitalMammographyXRayImageStorageForPresentation").uid
    intra_oral = sop_classes.by_name("DigitalIntraOralXRayImageStorageForPresentation").uid
    return draft.as_class(intra_oral if draft.sop_class_uid.startswith(mammography) else mammography)


ABOUT_INSTANCES: Final = (
    Lie(
        "absent-study-uid",
        ("StudyInstanceUID",),
        "The Study Instance UID, of Type 1, is not there at all (PS3.5 7.4.1).",
        tamper=lambda draft, first: draft.without("StudyInstanceUID"),
        status="A900",
    ),
    Lie(
        "repeated-instance",
        ("SOPInstanceUID", "PixelData"),
        "The second instance is the first one over again, byte for byte.",
        tamper=lambda draft, first: first,
        told_by="the second",
    ),
    Lie(
        "repeated-instance-uid",
        ("SOPInstanceUID",),
        "The second instance has the SOP Instance UID of the first, and a content of its own.",
        tamper=lambda draft, first: draft.as_instance(first.sop_instance_uid),
        told_by="the second",
        status="C001",
    ),
    Lie(
        "another-sop-class",
        ("SOPClassUID",),
        "The SOP class, in the request and in the data set, is one that the modality of the content cannot have.",
        tamper=_another_class,
        status="A900",
    ),
    Lie(
        "odd-length",
        ("StudyDescription",),
        "The Study Description is of an odd length, without the space that pads it (PS3.5 7.1.1).",
        tamper=lambda draft, first: draft.saying_unpadded("StudyDescription", b"ODD"),
        status="C000",
    ),
    Lie(
        "truncated-pixel-data",
        ("PixelData",),
        "Half of the pixel data is missing, and its length says so: fewer samples than Rows by Columns asks for.",
        tamper=lambda draft, first: draft.with_half_its_pixels(),
        status="A900",
    ),
)
