"""What the pipeline's steps hand to one another: frozen, each the outcome of one step."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.events import now
from simulator.gateway.acts import Correction, Ruling
from simulator.gateway.header import Header
from simulator.gateway.rows import InstanceRow
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.wire.association import Response, StoreRequest


@dataclass(frozen=True, slots=True)
class Received:
    """An instance that is whole and says who it is.

    `repeated` when the very same is held already; `was_held` when it was once, and purged.
    """

    request: StoreRequest
    header: Header
    repeated: bool
    was_held: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """An instance that is not taken: what the peer is told, what could be read of it, and whether it is kept aside."""

    request: StoreRequest
    response: Response
    header: Header | None
    exceeds_image_limit: bool = False
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that lies in the store, complete under its final name since `at`; `row`: what the index gets.

    was_held: it was held before, and purged, so that it counts among its study's already.
    """

    row: InstanceRow
    was_held: bool = False
    at: str = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Inspected:
    """A study as its instances describe it, and what stands under its accession number.

    `exceeded`: an instance of it was refused because the study has as many images as the site takes. `ruling`: what
    an operator ruled about it; `order` is then the one that he named. `sent`: a destination has stored something of it.
    """

    study_instance_uid: str
    keys: tuple[StudyKeys, ...]
    instances: int
    exceeded: bool
    order: OrderKeys | None
    accession_taken: bool
    ruling: Ruling | None = None
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Matched:
    """A study that belongs to the order under its accession number."""

    study: Inspected
    order: OrderKeys


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A study that belongs to no order, and every reason why."""

    study: Inspected
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a study: its state, why, what to warn of, the order that it matched, what is corrected."""

    state: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    order_accession: str
    correction: Correction | None = None
