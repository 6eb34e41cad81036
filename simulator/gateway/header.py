"""Reads the head of a received data set and says what is wrong with it, as a C-STORE status would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from simulator.errors import NotDicom
from simulator.gateway import statuses
from simulator.rules import image_pixels, modality
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import StudyKeys
from simulator.wire import data_set
from simulator.wire.association import Response, StoreRequest
from simulator.wire.layouts import Layouts

# PS3.5 9.1; a leading zero in a component is forbidden there too, but met, and harms nobody.
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")

_TAGS = frozenset(
    (
        data_set.SPECIFIC_CHARACTER_SET,
        data_set.SOP_CLASS_UID,
        data_set.SOP_INSTANCE_UID,
        data_set.ACCESSION_NUMBER,
        data_set.PATIENT_NAME,
        data_set.PATIENT_ID,
        data_set.PATIENT_BIRTH_DATE,
        data_set.PATIENT_SEX,
        data_set.STUDY_INSTANCE_UID,
        data_set.SERIES_INSTANCE_UID,
    )
)
_TAGS_OF_KEYS = (
    data_set.SPECIFIC_CHARACTER_SET,
    data_set.ACCESSION_NUMBER,
    data_set.PATIENT_ID,
    data_set.PATIENT_NAME,
    data_set.PATIENT_BIRTH_DATE,
    data_set.PATIENT_SEX,
)
_TAGS_OF_PIXELS = (
    data_set.SPECIFIC_CHARACTER_SET,
    data_set.SAMPLES_PER_PIXEL,
    data_set.PHOTOMETRIC_INTERPRETATION,
    data_set.NUMBER_OF_FRAMES,
    data_set.ROWS,
    data_set.COLUMNS,
    data_set.BITS_ALLOCATED,
)
# Every attribute that is read of a data set; of the rest only the encoding is looked at.
JUDGED = _TAGS | {data_set.MODALITY, *_TAGS_OF_PIXELS}
_LAYOUTS = Layouts(JUDGED)


@dataclass(frozen=True, slots=True)
class Header:
    """What the gateway reads of a data set: which instance it is, and the keys that link it to an order."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    keys: StudyKeys


def read(data: bytes | memoryview, transfer_syntax_uid: str) -> Header:
    """Return the header of a data set that was taken before. Raises `NotDicom` when it is truncated or garbled."""
    return _header(data_set.read(data, transfer_syntax_uid, _TAGS))


def glance(request: StoreRequest) -> Header | None:
    """Return what can be read of a data set that is refused, so that it is known whose it is; None if nothing can."""
    try:
        return read(request.data_set, request.transfer_syntax_uid)
    except NotDicom:
        return None


def inspect(request: StoreRequest) -> Header | Response:
    """Return the header of what was received, or the failure status that the standard wants for it.

    What cannot be read as the standard encodes it is CANNOT_UNDERSTAND; what can, but is not what the command, the
    SOP class or the Image Pixel module say, is DOES_NOT_MATCH_SOP_CLASS. The first complaint is the answer.
    """
    try:
        survey = _LAYOUTS.survey(request.data_set, request.transfer_syntax_uid)
    except NotDicom as error:
        return statuses.CANNOT_UNDERSTAND.response(str(error))
    header = _header(survey.values)
    complaint = (
        _complaint(header, request)
        or modality.complaint(header.sop_class_uid, data_set.text(survey.values, data_set.MODALITY))
        or _pixels_complaint(header.sop_class_uid, survey, request.transfer_syntax_uid)
    )
    return statuses.DOES_NOT_MATCH_SOP_CLASS.response(complaint) if complaint else header


def _header(values: Mapping[int, bytes]) -> Header:
    return Header(
        sop_class_uid=data_set.text(values, data_set.SOP_CLASS_UID),
        sop_instance_uid=data_set.text(values, data_set.SOP_INSTANCE_UID),
        study_instance_uid=data_set.text(values, data_set.STUDY_INSTANCE_UID),
        series_instance_uid=data_set.text(values, data_set.SERIES_INSTANCE_UID),
        keys=_keys(*(values.get(tag) for tag in _TAGS_OF_KEYS)),
    )


@lru_cache(maxsize=64)
def _keys(*raw: bytes | None) -> StudyKeys:
    """Return the keys that these values are, by `_TAGS_OF_KEYS`: they are the same all through a study."""
    values = {tag: value for tag, value in zip(_TAGS_OF_KEYS, raw, strict=True) if value is not None}
    return StudyKeys(
        data_set.text(values, data_set.ACCESSION_NUMBER),
        MajorKeys(
            hkid=data_set.text(values, data_set.PATIENT_ID),
            name=data_set.text(values, data_set.PATIENT_NAME),
            birth_date=data_set.text(values, data_set.PATIENT_BIRTH_DATE),
            sex=data_set.text(values, data_set.PATIENT_SEX),
        ),
    )


def _complaint(header: Header, request: StoreRequest) -> str:
    """Return what does not fit, short enough for Error Comment (0000,0902), LO: 64 characters."""
    named = (
        ("(0008,0016) SOP class", header.sop_class_uid, request.sop_class_uid),
        ("(0008,0018) SOP instance", header.sop_instance_uid, request.sop_instance_uid),
    )
    for name, in_data_set, in_command in named:
        if not in_data_set:
            return f"{name} UID is missing or empty"
        if in_data_set != in_command:
            return f"{name} UID is not the one in the command"
    if request.sop_class_uid != request.abstract_syntax_uid:
        return "the SOP class is not that of the presentation context"
    levels = (
        ("(0020,000D) Study Instance UID", header.study_instance_uid),
        ("(0020,000E) Series Instance UID", header.series_instance_uid),
        ("(0008,0018) SOP Instance UID", header.sop_instance_uid),
    )
    for name, uid in levels:
        if not uid:
            return f"{name} is missing or empty"
        if not _UID.fullmatch(uid):
            return f"{name} is not a UID"
    return ""


def _pixels_complaint(sop_class_uid: str, survey: data_set.Survey, transfer_syntax_uid: str) -> str:
    found = survey.pixel_data
    pixel_data = None if found is None else image_pixels.PixelData(found.end - found.start, found.items)
    raw = tuple((tag, survey.values.get(tag, b"")) for tag in _TAGS_OF_PIXELS)
    return _pixels_complaint_of(sop_class_uid, raw, pixel_data, transfer_syntax_uid)


@lru_cache(maxsize=64)
def _pixels_complaint_of(
    sop_class_uid: str,
    raw: tuple[tuple[int, bytes], ...],
    pixel_data: image_pixels.PixelData | None,
    transfer_syntax_uid: str,
) -> str:
    values = dict(raw)
    pixels = image_pixels.ImagePixels(
        rows=data_set.unsigned_short(values, data_set.ROWS, transfer_syntax_uid),
        columns=data_set.unsigned_short(values, data_set.COLUMNS, transfer_syntax_uid),
        samples_per_pixel=data_set.unsigned_short(values, data_set.SAMPLES_PER_PIXEL, transfer_syntax_uid),
        bits_allocated=data_set.unsigned_short(values, data_set.BITS_ALLOCATED, transfer_syntax_uid),
        photometric_interpretation=data_set.text(values, data_set.PHOTOMETRIC_INTERPRETATION),
        number_of_frames=data_set.text(values, data_set.NUMBER_OF_FRAMES),
    )
    native = transfer_syntax_uid in data_set.NATIVE
    return image_pixels.complaint(sop_class_uid, pixels, pixel_data, native=native)
