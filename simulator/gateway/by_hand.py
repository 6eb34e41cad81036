"""Forwarding by hand, and what the gateway tells of its destinations: `POST /forward` and `GET /destinations`.

Only what is matched may leave, by hand too: sending on a study under the name of another patient is what the
gateway is there to prevent. Each act is in the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.errors import SimulatorError
from simulator.gateway import asking, status
from simulator.gateway.audit import Act
from simulator.gateway.forward_queue import Dispatch, ForwardQueue, Selection
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.site import Site

FORWARDABLE = frozenset(("matched", "forwarding", "forwarded", "failed"))
"""The states of a study of which something may leave the gateway."""

Forward = Callable[[Selection, str, str], Dispatch]


class NotForwardable(SimulatorError):
    """Nothing that may be forwarded was selected; `status_code` is what HTTP says of it (404, 409)."""

    def __init__(self, message: str, hint: str, status_code: int) -> None:
        super().__init__(message, hint)
        self.status_code = status_code


class ForwardRequest(BaseModel):
    """The body of `POST /forward`: a study, one series or one instance of it, a destination's AE title, and by whom."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)

    study_instance_uid: str
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    destination: str = Field(description="AE title of a destination in the site profile.")
    by: str = Field(max_length=128, pattern=r"\S", description="Who asks, for the audit log.")


def selected(
    selection: Selection, destination: str, index: Index, destinations: Collection[str]
) -> tuple[InstanceRow, ...]:
    """Return the instances that the selection names. Raises `NotForwardable`."""
    if destination not in destinations:
        raise _unknown("destination", destination, destinations)
    study = index.study(selection.study_instance_uid)
    if study is None:
        raise _unknown("study", selection.study_instance_uid, [each.study_instance_uid for each in index.studies()])
    if study.state not in FORWARDABLE:
        why = f" ({', '.join(study.reasons)})" if study.reasons else ""
        raise NotForwardable(
            f"study {study.study_instance_uid} is {study.state}{why}; only what is matched is forwarded",
            "wait until it is complete" if study.state == "receiving" else "correct the study or its order first",
            409,
        )
    rows = index.instances(selection.study_instance_uid)
    if series := selection.series_instance_uid:
        if series not in (known := {row.series_instance_uid for row in rows}):
            raise _unknown("series", series, known, f" in study {selection.study_instance_uid}")
        rows = tuple(row for row in rows if row.series_instance_uid == series)
    if instance := selection.sop_instance_uid:
        if instance not in (known := {row.sop_instance_uid for row in rows}):
            raise _unknown("instance", instance, known, f" in {'that series' if series else 'that study'}")
        rows = tuple(row for row in rows if row.sop_instance_uid == instance)
    return rows


def act(selection: Selection, destination: str, who: str, instances: int) -> Act:
    """Return what the audit log says of it."""
    selected_by = {"series": selection.series_instance_uid, "instance": selection.sop_instance_uid}
    after = {"destination": destination, "instances": str(instances)}
    return Act(
        "forward",
        who,
        selection.study_instance_uid,
        why="by hand",
        after=after | {key: uid for key, uid in selected_by.items() if uid},
    )


def routes(forward: Forward, index: Index, site: Site) -> list[Route]:
    """Return the routes of the API that this module serves."""
    queue = ForwardQueue(index)

    async def post(request: Request) -> Response:
        body = await asking.body_of_act(request)
        if isinstance(body, Response):
            return body
        try:
            asked = ForwardRequest.model_validate(body)
        except ValidationError as error:
            return asking.problem(asking.told(error), 400)
        selection = Selection(asked.study_instance_uid, asked.series_instance_uid or "", asked.sop_instance_uid or "")
        try:
            put = await asyncio.to_thread(forward, selection, asked.destination, asked.by.strip())
        except NotForwardable as error:
            return asking.problem(str(error), error.status_code, error.hint)
        return JSONResponse(_queued(put, queue), status_code=202)

    def destinations(_: Request) -> Response:
        return JSONResponse(
            {"destinations": [each.model_dump(mode="json") for each in status.destinations(index, site)]}
        )

    return [Route("/forward", post, methods=["POST"]), Route("/destinations", destinations)]


def _queued(put: Dispatch, queue: ForwardQueue) -> dict[str, Any]:
    return {
        "destination": put.destination,
        "level": put.selection.level,
        "instances": queue.instances(put),
        "missing": len(queue.missing(put)),
    }


def _unknown(kind: str, name: str, known: Collection[str], where: str = "") -> NotForwardable:
    return NotForwardable(f"there is no {kind} {name}{where}", asking.near_misses(name, known), 404)
