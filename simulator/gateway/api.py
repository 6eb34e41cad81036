"""The gateway's HTTP API: what it holds and what happened, for the runner, the command line and the console.

| request                       | answer                                                                        |
|-------------------------------|-------------------------------------------------------------------------------|
| `GET /studies`                | every study with its state and reasons (`Status`)                             |
| `GET /studies/{uid}`          | one study, or 404                                                             |
| `GET /orders`                 | every order's accession number                                                |
| `GET /orders/{accession}`     | one order, with the messages that made and changed it, or 404                 |
| `GET /health`                 | what is wrong just now: 200 when nothing is, else 503                         |
| `GET /events?after=N`         | events behind number N, as a JSON array                                       |
| `GET /events/stream?after=N`  | the same as JSON lines that go on until the gateway stops                     |
| `GET /destinations`           | every destination with what waits for it, what failed, and why                |
| `POST /forward`               | queues a study, series or instance for a destination (`by_hand`)              |
| `POST /echo`                  | asks a destination for Verification (`verification`)                          |

What an operator does beside that is in `reconciliation_api`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.gateway import status
from simulator.gateway.health import Health
from simulator.gateway.index import Index


def application(index: Index, health: Health, further: Sequence[Route] = ()) -> Starlette:
    """Return the API over an index, with `further` routes of other modules.

    It answers to loopback names alone, whatever address a browser resolves.
    """

    def studies(_: Request) -> Response:
        return JSONResponse(status.status(index).model_dump(mode="json"))

    def study(request: Request) -> Response:
        wanted = request.path_params["uid"]
        for found in status.status(index).studies:
            if found.study_instance_uid == wanted:
                return JSONResponse(found.model_dump(mode="json"))
        return JSONResponse({"error": f"no study {wanted}"}, status_code=404)

    def orders(_: Request) -> Response:
        return JSONResponse({"orders": [order.model_dump(mode="json") for order in status.orders(index)]})

    def order(request: Request) -> Response:
        wanted = request.path_params["accession_number"]
        found = status.order(index, wanted)
        if found is None:
            return JSONResponse({"error": f"no order {wanted}"}, status_code=404)
        return JSONResponse(found.model_dump(mode="json"))

    return Starlette(
        routes=[
            Route("/studies", studies),
            Route("/studies/{uid}", study),
            Route("/orders", orders),
            Route("/orders/{accession_number}", order),
            _health(health),
            *_events(index),
            *further,
        ],
        exception_handlers={sqlite3.Error: _unusable},
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])],
    )


def _health(health: Health) -> Route:
    def answer(_: Request) -> Response:
        troubles = [asdict(trouble) for trouble in health.troubles()]
        return JSONResponse({"healthy": not troubles, "problems": troubles}, status_code=503 if troubles else 200)

    return Route("/health", answer)


def _unusable(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the index cannot be used: {error}"}, status_code=503)


def _events(index: Index) -> tuple[Route, Route]:
    def events(request: Request) -> Response:
        after = _after(request)
        if after is None:
            return _bad_after()
        return JSONResponse([{"sequence": number} | record for number, record in index.events(after)])

    def stream(request: Request) -> Response:
        after = _after(request)
        if after is None:
            return _bad_after()
        return StreamingResponse(_lines(index, after), media_type="application/x-ndjson")

    return Route("/events", events), Route("/events/stream", stream)


async def _lines(index: Index, after: int) -> AsyncIterator[str]:
    async for number, record in index.follow(after):
        yield json.dumps({"sequence": number} | record) + "\n"


def _after(request: Request) -> int | None:
    text = request.query_params.get("after", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _bad_after() -> Response:
    return JSONResponse({"error": "after must be the number of an event"}, status_code=400)
