"""What an operator does, over the gateway's HTTP API: `simulate reconcile` and `simulate audit` ask here.

| request                           | answer                                                                      |
|-----------------------------------|-----------------------------------------------------------------------------|
| `GET /studies/{uid}/candidates`   | the study's keys, its order's and those of the nearest; `?order=N` that one too |
| `POST /studies/{uid}/reconcile`   | `{"order": N, "by": WHO, "reason": TEXT}`, or `"reject": true` for the order |
| `GET /audit`                      | the audit log, and whether it is whole                                      |

A refused act is 404 (no such study or order) or 409 with `{"error": words, "code": id}`; a request that is none,
400. The keys stand here in full: the API is on loopback, and the operator must see what he compares. So that no
web page can act through his browser, an act must come as `application/json` (which a foreign page may not send
unasked) and, if it names an Origin, from the gateway itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.gateway import audit
from simulator.gateway.asking import body_of_act
from simulator.gateway.index import Index
from simulator.gateway.reconciliation import Reconciliation, Refusal

_NOT_FOUND = frozenset(("study.not-found", "order.not-found"))


class Ruling(BaseModel):
    """The body of `POST /studies/{uid}/reconcile`: an order or a reject, by whom, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: str = Field(default="", max_length=64)
    reject: bool = False
    by: str = Field(min_length=1, max_length=128, pattern=r"\S")
    reason: str = Field(default="", max_length=1024)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Ruling:
        if bool(self.order.strip()) == self.reject:
            raise ValueError('give either "order" with an accession number, or "reject": true')
        return self


def routes(desk: Reconciliation, index: Index) -> Sequence[Route]:
    """Return the routes of an operator's desk, and of the audit log."""

    def candidates(request: Request) -> Response:
        found = desk.candidates(request.path_params["uid"], request.query_params.get("order", ""))
        return _refused(found) if isinstance(found, Refusal) else JSONResponse(found)

    async def reconcile(request: Request) -> Response:
        body = await body_of_act(request)
        if isinstance(body, Response):
            return body
        try:
            ruling = Ruling.model_validate(body)
        except ValidationError as error:
            told = error.errors()[0]
            where = ".".join(str(part) for part in told["loc"])
            words = told["msg"].removeprefix("Value error, ")
            return JSONResponse({"error": f"{where}: {words}" if where else words, "code": "request"}, status_code=400)
        uid = request.path_params["uid"]
        refusal = await asyncio.to_thread(_rule, desk, uid, ruling)
        return _refused(refusal) if refusal is not None else JSONResponse({"study_instance_uid": uid})

    def log(_: Request) -> Response:
        return JSONResponse(audit.document(*index.audit_log()))

    return [
        Route("/studies/{uid}/candidates", candidates),
        Route("/studies/{uid}/reconcile", reconcile, methods=["POST"]),
        Route("/audit", log),
    ]


def _rule(desk: Reconciliation, uid: str, ruling: Ruling) -> Refusal | None:
    if ruling.reject:
        return desk.reject(uid, ruling.by.strip(), ruling.reason)
    return desk.bind(uid, ruling.order, ruling.by.strip(), ruling.reason)


def _refused(refusal: Refusal) -> Response:
    status = 404 if refusal.code in _NOT_FOUND else 409
    return JSONResponse({"error": refusal.words, "code": refusal.code}, status_code=status)
