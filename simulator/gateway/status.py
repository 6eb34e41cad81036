"""What the gateway tells of itself: the shapes of `GET /studies`, `GET /orders` and `simulate status --json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from simulator.gateway.index import Index, StudyRow
from simulator.gateway.order_book import OrderBook


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    order: str | None = Field(description="Accession number of the order that the study matched.")


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
    instances, series = index.sizes(row.study_instance_uid)
    return StudyStatus(
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        state=row.state,
        reasons=row.reasons,
        warnings=row.warnings,
        instances=instances,
        series=series,
        order=row.order_accession or None,
    )
