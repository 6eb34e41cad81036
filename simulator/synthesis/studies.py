"""Studies: an order performed, as encoded instances ready for the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydicom.uid import ExplicitVRLittleEndian

from simulator.rules.sop_classes import SopClass
from simulator.synthesis import encoding
from simulator.synthesis.classes import image_class
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, Place
from simulator.synthesis.orders import Order
from simulator.synthesis.uids import IMPLEMENTATION_VERSION_NAME, uid

LIE_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "patient_id": "PatientID",
        "patient_name": "PatientName",
        "patient_birth_date": "PatientBirthDate",
        "patient_sex": "PatientSex",
        "accession_number": "AccessionNumber",
    }
)
"""What a study can lie about, and the keyword of the attribute that then holds the lie."""

_NO_LIES: Final[Mapping[str, str]] = MappingProxyType({})
_WAITING = timedelta(hours=1)  # from the order to the study
_PERFORMING = timedelta(minutes=5)  # from one series to the next

_EQUIPMENT: Final[Attributes] = {
    "Manufacturer": "SYNTHETIC",
    "ManufacturerModelName": "SYNTHETIC",
    "InstitutionName": "SYNTHETIC - NOT FOR DIAGNOSIS",
    "DeviceSerialNumber": "SYNTHETIC",
    "SoftwareVersions": IMPLEMENTATION_VERSION_NAME,
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance. data_set: the encoded data set as it goes on the wire, without file meta information."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes

    def part10(self) -> bytes:
        """Return the instance as a whole DICOM file (PS3.10 7.1)."""
        return encoding.part10(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid, self.data_set)


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """What to make: `instances` images of `sop_class`, each of `rows` by `columns` pixels (16 at least)."""

    sop_class: SopClass
    instances: int = 1
    rows: int = 64
    columns: int = 64
    transfer_syntax: str = str(ExplicitVRLittleEndian)


@dataclass(frozen=True, slots=True)
class Study:
    """One study. accession_number: of the order, also where the instances lie about it."""

    study_instance_uid: str
    accession_number: str
    instances: tuple[Instance, ...]


def study(seed: str, order: Order, series: Sequence[SeriesSpec], lies: Mapping[str, str] = _NO_LIES) -> Study:
    """Return `order` performed as `series`: the same arguments give the same bytes on every machine.

    lies: raw values by a key of `LIE_FIELDS`. Each stands in every instance as given, made even in length with
    a space, whatever the value representation allows. UIDs do not depend on lies, so that the truth can be sent
    again as the same instances. Raises ValueError for an unknown lie, for a SOP class or
    transfer syntax that cannot be made, and for pictures below 16x16 or beyond 65535, or series without instances.
    """
    common = _identity(order, lies) | _study_attributes(order)
    instances: list[Instance] = []
    for number, spec in enumerate(series, start=1):
        instances.extend(_Performance(seed, order, number, spec).instances(common))
    return Study(order.study_instance_uid, order.accession_number, tuple(instances))


def _identity(order: Order, lies: Mapping[str, str]) -> dict[str, str]:
    unknown = set(lies) - set(LIE_FIELDS)
    if unknown:
        raise ValueError(f"no lie about {', '.join(sorted(unknown))}; known: {', '.join(LIE_FIELDS)}")
    truth = {
        "PatientID": order.person.hkid,
        "PatientName": order.person.name,
        "PatientBirthDate": order.person.birth_date,
        "PatientSex": order.person.sex,
        "AccessionNumber": order.accession_number,
    }
    identity = truth | {LIE_FIELDS[field]: value for field, value in lies.items()}
    # PS3.5 6.1.2.2: the default repertoire needs no character set; any other text is UTF-8 here.
    plain = all(value.isascii() for value in identity.values())
    return identity if plain else identity | {"SpecificCharacterSet": "ISO_IR 192"}


def _study_attributes(order: Order) -> dict[str, object]:
    started = _moment(order, _WAITING)
    return {
        **_EQUIPMENT,
        "StudyInstanceUID": order.study_instance_uid,
        "StudyID": order.requested_procedure_id,
        "StudyDate": started[:8],
        "StudyTime": started[8:],
        "StudyDescription": order.procedure,
        "ReferringPhysicianName": "",
        "RequestAttributesSequence": (
            {"RequestedProcedureID": order.requested_procedure_id, "ScheduledProcedureStepID": "1"},
        ),
    }


def _moment(order: Order, later: timedelta) -> str:
    return (datetime.strptime(order.ordered_at, "%Y%m%d%H%M%S") + later).strftime("%Y%m%d%H%M%S")


class _Performance:
    """One series being made: what its instances share is encoded once, and spliced with what each has alone."""

    def __init__(self, seed: str, order: Order, number: int, spec: SeriesSpec) -> None:
        # Rows and Columns are US (PS3.5 6.2), and the phantoms need 16 pixels.
        if spec.instances < 1 or not all(16 <= side <= 65535 for side in (spec.rows, spec.columns)):
            raise ValueError("a series has one instance at least, with 16 to 65535 rows and columns")
        self._spec = spec
        self._number = number
        self._kind: ImageClass = image_class(spec.sop_class)
        self._encoding = encoding.encoding_of(spec.transfer_syntax)
        self._study_uid = order.study_instance_uid
        self._series_uid = uid("series", seed, order.study_instance_uid, number, spec.sop_class.keyword)
        self._performed_at = _moment(order, _WAITING + number * _PERFORMING)

    def instances(self, study_attributes: Attributes) -> list[Instance]:
        """Return every instance of the series, in the order of their numbers."""
        shared = self._encoding.elements({**study_attributes, **self._series_attributes()})
        return [self._instance(shared, number) for number in range(1, self._spec.instances + 1)]

    def _place(self, number: int) -> Place:
        spec = self._spec
        return Place(number, spec.instances, spec.rows, spec.columns, self._series_uid, self._performed_at)

    def _series_attributes(self) -> Attributes:
        spec, kind = self._spec, self._kind
        return {
            "SOPClassUID": spec.sop_class.uid,
            "SeriesInstanceUID": self._series_uid,
            "SeriesNumber": str(self._number),
            "Modality": kind.modality,
            **self._times(),
            **kind.pixels.attributes(spec.rows, spec.columns),
            **({"NumberOfFrames": str(kind.frames)} if kind.frames > 1 else {}),
            **kind.fixed,
            **kind.of_series(self._place(1)),
        }

    def _times(self) -> Attributes:
        # A multi-frame image says in each frame when it was acquired (PS3.3 C.7.6.16.2.2).
        events = ("Series", "Content") if self._kind.frames > 1 else ("Series", "Acquisition", "Content")
        dates = {f"{event}Date": self._performed_at[:8] for event in events}
        return dates | {f"{event}Time": self._performed_at[8:] for event in events}

    def _instance(self, shared: encoding.Elements, number: int) -> Instance:
        place = self._place(number)
        instance_uid = uid("instance", self._series_uid, number)
        own = self._encoding.elements(
            {
                "SOPInstanceUID": instance_uid,
                "InstanceNumber": str(number),
                **self._kind.of_instance(place),
            }
        )
        own[encoding.PIXEL_DATA] = self._pixel_data(place)
        return Instance(
            sop_class_uid=self._spec.sop_class.uid,
            sop_instance_uid=instance_uid,
            study_instance_uid=self._study_uid,
            series_instance_uid=self._series_uid,
            transfer_syntax_uid=self._spec.transfer_syntax,
            data_set=encoding.joined(shared | own),
        )

    def _pixel_data(self, place: Place) -> bytes:
        # Little-endian whatever the machine; the encoding turns the words round where it must.
        picture = self._kind.paint(place)
        samples = picture.astype(picture.dtype.newbyteorder("<"), copy=False).tobytes()
        return self._encoding.pixel_data(samples, self._kind.pixels.bits_allocated)
