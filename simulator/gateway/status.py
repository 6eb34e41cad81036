"""What the gateway tells of itself: the shapes of `GET /studies`, `GET /orders` and `simulate status --json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from simulator.gateway.index import Index, StudyRow


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
    purged: str | None = Field(description="When its instances were purged (ISO 8601, UTC); its row stays.")
    order: str | None = Field(description="Accession number of the order that the study matched.")


class Status(_Shape):
    """All studies of the gateway, in the order in which they came."""

    studies: tuple[StudyStatus, ...]


class OrderStatus(_Shape):
    """One order as the gateway holds it. The patient's keys are not told here."""

    accession_number: str
    cancelled: bool


def status(index: Index) -> Status:
    """Return what the index says of all studies."""
    return Status(studies=tuple(_study(index, row) for row in index.studies()))


def orders(index: Index) -> tuple[OrderStatus, ...]:
    """Return what the index says of all orders."""
    return tuple(OrderStatus(accession_number=o.accession_number, cancelled=o.cancelled) for o in index.orders())


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
        purged=index.purged_at(row.study_instance_uid) or None,
        order=row.order_accession or None,
    )
