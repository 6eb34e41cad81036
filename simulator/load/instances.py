"""Studies without end, made once: instances that are patched for each study, and the orders that they match.

To make a CT image takes about as long as to send it, so a modality makes a few before the clock starts (`Pictures`) and
sends them again and again. For each study everything that tells it from others is written over, in place, by values of
equal length: every UID that was made here, the accession number and the number of the requested procedure. So no
length in the data set changes and no byte of pixel data moves. A modality has one patient. The pictures repeat, and the
accession number that is burned into them is that of the first study.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from simulator.rules.accession import AccessionNumber, AccessionRules
from simulator.rules.sop_classes import SopClass
from simulator.synthesis import draws, orders, people, studies
from simulator.synthesis.classes import image_class
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import SeriesSpec
from simulator.wire.association import Outgoing

STUDIES_AT_MOST = 100_000
"""Studies of one modality in one run: more would have the accession numbers of another modality."""

PICTURE_BYTES = 32 << 20
"""How much a modality makes before it begins to repeat pictures, unless it is told otherwise."""

_NUMBERS = 10**8  # an accession number has eight digits for them
_OUR_UID = re.compile(rb"2\.25\.[1-9][0-9]{19,38}(?![0-9])")
_LARGEST_UUID = 2**128


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a modality sends: `images` instances a study, of a SOP class and a size (None: natural for the class)."""

    seed: int
    sop_class: SopClass
    images: int
    rows: int | None = None
    columns: int | None = None
    rules: AccessionRules = field(default_factory=AccessionRules)
    picture_bytes: int = PICTURE_BYTES


class Orders:
    """The orders of one modality's studies, all of one patient."""

    def __init__(self, recipe: Recipe, modality: int) -> None:
        """Prepare those of modality number `modality` (from 0)."""
        self.seed = f"{recipe.seed}/load/{modality}"
        kind = image_class(recipe.sop_class).modality
        self.first = orders.order(self.seed, people.person(self.seed), modality=kind, rules=recipe.rules)
        start = draws.number(_NUMBERS, recipe.seed, "load", "running")
        self._running = start + modality * STUDIES_AT_MOST

    def order(self, study: int) -> Order:
        """Return the order of study number `study` (from 0)."""
        number = AccessionNumber.parse(self.first.accession_number)
        running = (self._running + study) % _NUMBERS
        accession = AccessionNumber.compose(
            number.hospital, number.department, int(number.year), running, self.first.check_digit, number.check
        )
        return replace(
            self.first,
            accession_number=str(accession),
            placer_order_number=f"P{running:08d}",
            filler_order_number=f"F{running:08d}",
            requested_procedure_id=f"RP{running:08d}",
            study_instance_uid=_another(self.first.study_instance_uid, self.seed, study),
        )


class Pictures:
    """What one modality sends. Not for use by several at once: an instance is good until the next one is asked for."""

    def __init__(self, recipe: Recipe, modality: int) -> None:
        """Make the pictures of modality number `modality` (from 0). Raises `ValueError` for what cannot be made."""
        self.orders = Orders(recipe, modality)
        self._images = recipe.images
        spec = SeriesSpec(recipe.sop_class, recipe.images, recipe.rows, recipe.columns)
        made = studies.study(self.orders.seed, self.orders.first, [spec]).instances
        first = made[0]
        count = max(1, min(recipe.images, recipe.picture_bytes // len(first.data_set)))
        self.sop_class_uid, self.transfer_syntax_uid = first.sop_class_uid, first.transfer_syntax_uid
        self._pictures = [_Picture(made[n * recipe.images // count], self.orders.first) for n in range(count)]

    def study(self, study: int) -> Iterator[Outgoing]:
        """Yield the instances of study number `study`; the data set of each is written over when it comes again."""
        order, key = self.orders.order(study), (self.orders.seed, study)
        for picture in self._pictures:
            picture.begin(order, key)
        for number in range(self._images):
            yield self._pictures[number % len(self._pictures)].instance(number)


class _Picture:
    """One instance that is written over for each study, and for each of its places in one."""

    def __init__(self, made: studies.Instance, order: Order) -> None:
        self._made = made
        self._data_set = bytearray(made.data_set)
        named = order.accession_number, order.requested_procedure_id
        self._numbers = [list(_places(made.data_set, text.encode("ascii"))) for text in named]
        found = {uid[0].decode("ascii") for uid in _OUR_UID.finditer(made.data_set)}
        self._uids = {uid: list(_places(made.data_set, uid.encode("ascii"))) for uid in found}
        self._own_places = self._uids.pop(made.sop_instance_uid)
        self._study: tuple[str, int] = ("", 0)

    def begin(self, order: Order, study: tuple[str, int]) -> None:
        """Write over what all instances of a study share."""
        self._study = study
        numbers = order.accession_number, order.requested_procedure_id
        for places, text in zip(self._numbers, numbers, strict=True):
            self._write(places, text)
        for uid, places in self._uids.items():
            self._write(places, _another(uid, *study))

    def instance(self, number: int) -> Outgoing:
        """Return it as instance `number` of its study."""
        made = self._made
        uid = _another(made.sop_instance_uid, *self._study, number)
        self._write(self._own_places, uid)
        # A copy would cost as much as a tenth of the sending, and whoever sends it only looks.
        return Outgoing(made.sop_class_uid, uid, made.transfer_syntax_uid, cast(bytes, self._data_set))

    def _write(self, places: list[int], text: str) -> None:
        encoded = text.encode("ascii")
        for at in places:
            self._data_set[at : at + len(encoded)] = encoded


def _places(data: bytes, value: bytes) -> Iterator[int]:
    at = data.find(value)
    while at >= 0:
        yield at
        at = data.find(value, at + len(value))


def _another(uid: str, *parts: object) -> str:
    """Return the UID that takes the place of a UID `2.25.N` in a study: as long as it, and a UUID (PS3.5 B.2)."""
    least = 10 ** (len(uid) - len("2.25.") - 1)
    return f"2.25.{least + draws.number(min(9 * least, _LARGEST_UUID - least), uid, *parts)}"
