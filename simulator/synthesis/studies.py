"""Studies: an order performed, as encoded instances ready for the wire."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, overload

import numpy as np

from simulator.rules.sop_classes import SopClass
from simulator.synthesis import encoding
from simulator.synthesis.annotation import burn
from simulator.synthesis.character_sets import DEFAULT_REPERTOIRE, CharacterSet
from simulator.synthesis.classes import image_class
from simulator.synthesis.compression import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    deflated,
    encapsulated,
    refusal,
)
from simulator.synthesis.draft import Draft
from simulator.synthesis.encoding import Attributes, PixelData
from simulator.synthesis.image_class import ImageClass, Place
from simulator.synthesis.lies import Lie, conflict
from simulator.synthesis.orders import Order
from simulator.synthesis.pixels import Pixels
from simulator.synthesis.preview import thumbnail
from simulator.synthesis.uids import IMPLEMENTATION_VERSION_NAME, uid

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
    """What to make: `instances` images of `sop_class`, each of `rows` by `columns` pixels (16 at least).

    Without rows or columns a picture has the size that is natural for its class.
    """

    sop_class: SopClass
    instances: int = 1
    rows: int | None = None
    columns: int | None = None
    transfer_syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN


class Instances(Sequence[Instance]):
    """The instances of a study, in the order of their numbers, each made when it is asked for and then forgotten."""

    def __init__(self, series: Sequence[_Series], telling: _Telling) -> None:
        self._series = series
        self._telling = telling

    def __len__(self) -> int:
        return sum(self.series_sizes)

    @overload
    def __getitem__(self, index: int) -> Instance: ...

    @overload
    def __getitem__(self, index: slice) -> list[Instance]: ...

    def __getitem__(self, index: int | slice) -> Instance | list[Instance]:
        """Make one instance, or those of a slice."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        series, number = self._found(place)
        draft = self._telling.told(place, series.draft(number), self._first)
        return series.instance(draft)

    @property
    def series_sizes(self) -> tuple[int, ...]:
        """How many instances each series has."""
        return tuple(len(series) for series in self._series)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return each SOP Class UID with the transfer syntax UID that its instances are in."""
        # A lie about the SOP class is told from the second instance of the study on, or by all.
        starts = list(itertools.accumulate(self.series_sizes, initial=0))[:-1]
        shown = [self[place] for place in dict.fromkeys((*starts, *range(min(2, len(self)))))]
        return tuple(dict.fromkeys((each.sop_class_uid, each.transfer_syntax_uid) for each in shown))

    def series_by_class(self) -> dict[SopClass, tuple[SeriesSpec, ...]]:
        """Return what is made of each SOP class, in the order of the series."""
        specs = [series.spec for series in self._series]
        return {spec.sop_class: tuple(each for each in specs if each.sop_class == spec.sop_class) for spec in specs}

    def preview(self, sop_class: SopClass, side: int) -> bytes:
        """Return as PNG the middle of the first series of `sop_class`, `side` pixels the longer side."""
        return next(series.preview(side) for series in self._series if series.spec.sop_class == sop_class)

    def _first(self) -> Draft:
        return self._series[0].draft(1)

    def _found(self, place: int) -> tuple[_Series, int]:
        rest = place
        for series in self._series:
            if 0 <= rest < len(series):
                return series, rest + 1
            rest -= len(series)
        raise IndexError(f"instance {place} of a study of {len(self)}")


@dataclass(frozen=True, slots=True)
class Study:
    """One study. accession_number: of the order, also where the instances lie about it."""

    study_instance_uid: str
    accession_number: str
    instances: Instances


def study(
    seed: str,
    order: Order,
    series: Sequence[SeriesSpec],
    lies: Sequence[Lie] = (),
    character_set: CharacterSet = DEFAULT_REPERTOIRE,
) -> Study:
    """Return `order` performed as `series`: the same arguments give the same bytes on every machine.

    The bytes of compressed pixel data are those of the codec that is installed; the pixels are the same
    everywhere. lies: told in the instances as given, whatever the value representation allows. UIDs do not
    depend on lies, so that the truth can be sent again as the same instances. character_set: of the names.
    Raises ValueError for two lies about one thing, for a SOP class that cannot be made, for a transfer
    syntax that cannot hold its pixels, for pictures below 16x16 or beyond 65535, and for series without instances.
    """
    if about := conflict(lies):
        raise ValueError(f"two lies are about {about}: {', '.join(lie.name for lie in lies)}")
    for lie in lies:
        if lie.needs_default_repertoire and character_set != DEFAULT_REPERTOIRE:
            raise ValueError(f"{lie.name} is about the character set, so {character_set.name} cannot be chosen as well")
    common = _identity(order, character_set) | _study_attributes(order)
    made = [_Series(seed, order, number, spec, common) for number, spec in enumerate(series, start=1)]
    return Study(order.study_instance_uid, order.accession_number, Instances(made, _Telling(tuple(lies), seed, order)))


@dataclass(frozen=True, slots=True)
class _Telling:
    """Which lies the instances of a study tell."""

    lies: tuple[Lie, ...]
    seed: str
    order: Order

    def told(self, place: int, draft: Draft, first: Callable[[], Draft]) -> Draft:
        for lie in self.lies:
            if lie.tells(place):
                draft = lie.told(draft, first(), self.seed, self.order)
        return draft


def _identity(order: Order, character_set: CharacterSet) -> dict[str, object]:
    person = order.person
    declared = character_set.specific_character_set
    return {
        **({"SpecificCharacterSet": declared} if declared else {}),
        "PatientID": person.hkid,
        "PatientName": character_set.encode(character_set.patient_name(person)),
        "PatientBirthDate": person.birth_date,
        "PatientSex": person.sex,
        "AccessionNumber": order.accession_number,
        "ReferringPhysicianName": character_set.encode(character_set.physician_name),
    }


def _study_attributes(order: Order) -> dict[str, object]:
    started = _moment(order, _WAITING)
    return {
        **_EQUIPMENT,
        "StudyInstanceUID": order.study_instance_uid,
        "StudyID": order.requested_procedure_id,
        "StudyDate": started[:8],
        "StudyTime": started[8:],
        "StudyDescription": order.procedure,
        "RequestAttributesSequence": (
            {"RequestedProcedureID": order.requested_procedure_id, "ScheduledProcedureStepID": "1"},
        ),
    }


def _moment(order: Order, later: timedelta) -> str:
    return (datetime.strptime(order.ordered_at, "%Y%m%d%H%M%S") + later).strftime("%Y%m%d%H%M%S")


class _Series:
    """One series being made: what its instances share is encoded once, and spliced with what each has alone."""

    def __init__(self, seed: str, order: Order, number: int, spec: SeriesSpec, study_attributes: Attributes) -> None:
        self.spec = spec
        self._kind: ImageClass = image_class(spec.sop_class)
        self._rows = spec.rows or self._kind.size[0]
        self._columns = spec.columns or self._kind.size[1]
        # Rows and Columns are US (PS3.5 6.2), and the phantoms need 16 pixels.
        if spec.instances < 1 or not all(16 <= side <= 65535 for side in (self._rows, self._columns)):
            raise ValueError("a series has one instance at least, with 16 to 65535 rows and columns")
        if reason := refusal(spec.transfer_syntax, self._kind.pixels):
            raise ValueError(reason)
        self._number = number
        self._order = order
        self._encoding = encoding.encoding_of(spec.transfer_syntax.uid)
        self._series_uid = uid("series", seed, order.study_instance_uid, number, spec.sop_class.keyword)
        self._performed_at = _moment(order, _WAITING + number * _PERFORMING)
        self._shared = self._encoding.elements({**study_attributes, **self._attributes()})

    def __len__(self) -> int:
        return self.spec.instances

    def draft(self, number: int) -> Draft:
        """Return instance `number` (from 1) as it would be without any lie."""
        place = self._place(number)
        instance_uid = uid("instance", self._series_uid, number)
        pixel_data, changed = self._pixel_data(place)
        own = self._encoding.elements(
            {
                "SOPInstanceUID": instance_uid,
                "InstanceNumber": str(number),
                **self._kind.of_instance(place),
                **changed,
            }
        )
        return Draft(self.spec.sop_class.uid, instance_uid, self._encoding, self._shared | own, pixel_data)

    def instance(self, draft: Draft) -> Instance:
        """Return `draft` as the whole instance."""
        data_set = draft.data_set()
        if self.spec.transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            data_set = deflated(data_set)
        return Instance(
            sop_class_uid=draft.sop_class_uid,
            sop_instance_uid=draft.sop_instance_uid,
            study_instance_uid=self._order.study_instance_uid,
            series_instance_uid=self._series_uid,
            transfer_syntax_uid=self.spec.transfer_syntax.uid,
            data_set=data_set,
        )

    def preview(self, side: int) -> bytes:
        """Return the picture in the middle as PNG."""
        return thumbnail(self._picture(self._place((len(self) + 1) // 2)), self._kind, side)

    def _place(self, number: int) -> Place:
        return Place(number, len(self), self._rows, self._columns, self._series_uid, self._performed_at)

    def _attributes(self) -> Attributes:
        kind = self._kind
        return {
            "SOPClassUID": self.spec.sop_class.uid,
            "SeriesInstanceUID": self._series_uid,
            "SeriesNumber": str(self._number),
            "Modality": kind.modality,
            **self._times(),
            **kind.pixels.attributes(self._rows, self._columns),
            **({"NumberOfFrames": str(kind.frames)} if kind.frames > 1 else {}),
            **kind.fixed,
            **kind.of_series(self._place(1)),
        }

    def _times(self) -> Attributes:
        # A multi-frame image says in each frame when it was acquired (PS3.3 C.7.6.16.2.2).
        events = ("Series", "Content") if self._kind.frames > 1 else ("Series", "Acquisition", "Content")
        dates = {f"{event}Date": self._performed_at[:8] for event in events}
        return dates | {f"{event}Time": self._performed_at[8:] for event in events}

    def _picture(self, place: Place) -> Pixels:
        picture = self._kind.paint(place)
        # Names no patient and no date: Burned In Annotation (0028,0301) asks for those alone.
        lines = (
            "SYNTHETIC - NOT FOR DIAGNOSIS",
            f"{self._kind.modality} {self._order.accession_number}",
            f"IMAGE {place.number}/{place.count}",
        )
        burn(picture, self._kind.pixels, lines)
        return picture

    def _pixel_data(self, place: Place) -> tuple[PixelData, Attributes]:
        """Return Pixel Data, and the attributes that its compression changes."""
        picture, bits_allocated = self._picture(place), self._kind.pixels.bits_allocated
        if self.spec.transfer_syntax.encapsulated:
            made = encapsulated(picture, self._kind.pixels, self.spec.transfer_syntax)
            return self._encoding.encapsulated(made.value), made.attributes
        return self._encoding.pixel_data(_samples(picture, bits_allocated), bits_allocated), {}


def _samples(picture: Pixels, bits_allocated: int) -> memoryview:
    """Return the samples as bytes: single bits packed from the lowest on (PS3.5 8.1.1), words little-endian."""
    if bits_allocated == 1:
        return np.packbits(picture.reshape(-1), bitorder="little").data
    return np.ascontiguousarray(picture, picture.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
