"""The gateway's HTTP API: what it holds and what happened, for the runner, the command line and the console.

| request                       | answer                                                                        |
|-------------------------------|-------------------------------------------------------------------------------|
| `GET /studies`                | every study with its state and reasons (`Status`)                             |
| `GET /studies/{uid}`          | one study, or 404                                                             |
| `GET /orders`                 | every order's accession number                                                |
| `GET /orders/{accession}`      | one order, with the messages that made and changed it, or 404                 |
| `GET /events?after=N`         | events behind number N, as a JSON array                                       |
| `GET /events/stream?after=N`  | the same as JSON lines that go on until the gateway stops                     |

What an operator does is in `reconciliation_api`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.gateway import status
from simulator.gateway.index import Index


def application(index: Index, further: Sequence[Route] = ()) -> Starlette:
    """Return the API over an index. It answers to loopback names alone, whatever address a browser resolves.

    further: routes by which somebody acts on what is held.
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

    return Starlette(
        routes=[
            Route("/studies", studies),
            Route("/studies/{uid}", study),
            Route("/orders", orders),
            Route("/orders/{accession_number}", order),
            Route("/events", events),
            Route("/events/stream", stream),
            *further,
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])],
    )


async def _lines(index: Index, after: int) -> AsyncIterator[str]:
    async for number, record in index.follow(after):
        yield json.dumps({"sequence": number} | record) + "\n"


def _after(request: Request) -> int | None:
    text = request.query_params.get("after", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _bad_after() -> Response:
    return JSONResponse({"error": "after must be the number of an event"}, status_code=400)
