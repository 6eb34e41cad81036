"""What the gateway tells of itself: the shapes of `GET /studies`, `GET /orders` and `simulate status --json`."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from simulator.gateway.forward_queue import Dispatch, ForwardQueue
from simulator.gateway.index import Index
from simulator.gateway.order_book import OrderBook
from simulator.gateway.rows import StudyRow
from simulator.site import Destination, Site


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Forwarding(_Shape):
    """What became of a study, or of a series or an instance of it, at one destination."""

    destination: str
    level: str = Field(description="study, series or instance", pattern="^(study|series|instance)$")
    series_instance_uid: str | None
    sop_instance_uid: str | None
    state: str = Field(description="waiting, sending, done or failed", pattern="^(waiting|sending|done|failed)$")
    instances: int
    missing: int = Field(description="Instances that the destination has not stored yet.")
    attempts: int = Field(description="How often the destination was tried.")
    next_try: str | None = Field(description="ISO 8601, UTC; null where nothing more is tried.")
    problem: str | None = Field(description="What went wrong at the last try.")


class DestinationStatus(_Shape):
    """One destination: what waits for it, what failed there, and the last problem."""

    ae_title: str
    host: str
    port: int
    waiting: int
    failed: int
    next_try: str | None
    problem: str | None


class StudyStatus(_Shape):
    """One study as the gateway holds it."""

    study_instance_uid: str
    accession_number: str
    state: str = Field(
        description="receiving, unmatched, matched, forwarding, forwarded, rejected or failed",
        pattern="^(receiving|unmatched|matched|forwarding|forwarded|rejected|failed)$",
    )
    reasons: tuple[str, ...] = Field(description="Stable ids of why the study is in this state.")
    warnings: tuple[str, ...] = Field(description="Stable ids of what is worth a word but changes nothing.")
    instances: int
    series: int
    purged: str | None = Field(description="When its instances were purged (ISO 8601, UTC); its row stays.")
    order: str | None = Field(description="Accession number of the order that the study matched.")
    forwarding: tuple[Forwarding, ...] = Field(description="What became of it at each destination.")
    answers: dict[str, int] = Field(
        description="How many instances were stored with each status; any but 0000 is a warning (PS3.4 B.2.3)."
    )


class Status(_Shape):
    """All studies of the gateway, in the order in which they came."""

    studies: tuple[StudyStatus, ...]


class OrderStatus(_Shape):
    """One order as the gateway holds it. The patient's keys are not told here."""

    accession_number: str
    cancelled: bool


class OrderMessageStatus(_Shape):
    """One message that made or changed an order. What it says of the patient is not told here."""

    at: str
    message_type: str
    order_control: str = Field(description="ORC-1; empty for a message that has none (ADT).")
    message_control_id: str


class OrderHistory(OrderStatus):
    """One order, with every message that made or changed it, in the order in which they came."""

    messages: tuple[OrderMessageStatus, ...]


def status(index: Index) -> Status:
    """Return what the index says of all studies."""
    return Status(studies=tuple(_study(index, row) for row in index.studies()))


def orders(index: Index) -> tuple[OrderStatus, ...]:
    """Return what the index says of all orders."""
    return tuple(OrderStatus(accession_number=o.accession_number, cancelled=o.cancelled) for o in index.orders())


def destinations(index: Index, site: Site) -> tuple[DestinationStatus, ...]:
    """Return what the index says of the site's destinations."""
    return tuple(_destination(ForwardQueue(index), each) for each in site.forwarding.destinations)


def order(index: Index, accession_number: str) -> OrderHistory | None:
    """Return what the index says of one order, or None."""
    found = index.order(accession_number)
    if found is None:
        return None
    messages = tuple(
        OrderMessageStatus(
            at=row.at,
            message_type=row.message_type,
            order_control=row.order_control,
            message_control_id=row.control_id,
        )
        for row in OrderBook(index).history(accession_number)
    )
    return OrderHistory(accession_number=accession_number, cancelled=found.cancelled, messages=messages)


def _study(index: Index, row: StudyRow) -> StudyStatus:
    queue = ForwardQueue(index)
    instances, series = index.sizes(row.study_instance_uid)
    return StudyStatus(
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        state=row.state,
        reasons=row.reasons,
        warnings=row.warnings,
        instances=instances,
        series=series,
        purged=index.purged_at(row.study_instance_uid) or None,
        order=row.order_accession or None,
        forwarding=tuple(_forwarding(queue, each) for each in queue.of_study(row.study_instance_uid)),
        answers=queue.answers(row.study_instance_uid),
    )


def _forwarding(queue: ForwardQueue, dispatch: Dispatch) -> Forwarding:
    return Forwarding(
        destination=dispatch.destination,
        level=dispatch.selection.level,
        series_instance_uid=dispatch.selection.series_instance_uid or None,
        sop_instance_uid=dispatch.selection.sop_instance_uid or None,
        state=dispatch.state,
        instances=queue.instances(dispatch),
        missing=len(queue.missing(dispatch)),
        attempts=dispatch.attempts,
        next_try=_moment(dispatch.due) if dispatch.state == "waiting" else None,
        problem=dispatch.problem or None,
    )


def _destination(queue: ForwardQueue, destination: Destination) -> DestinationStatus:
    queued = queue.of_destination(destination.ae_title)
    waiting = [each for each in queued if each.state in ("waiting", "sending")]
    failed = [each for each in queued if each.state == "failed"]
    problems = [each.problem for each in (*failed, *waiting) if each.problem]
    due = [each.due for each in waiting if each.state == "waiting"]
    return DestinationStatus(
        ae_title=destination.ae_title,
        host=destination.host,
        port=destination.port,
        waiting=len(waiting),
        failed=len(failed),
        next_try=_moment(min(due)) if due else None,
        problem=problems[-1] if problems else None,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
