"""How somebody asks the gateway's HTTP API to act: as JSON, and not through another's web page."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse


async def body_of_act(request: Request) -> Any:
    """Return the JSON that a request to act carries, or the response that refuses it.

    A foreign page may not send `application/json` unasked; what names an Origin must come from the gateway itself.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return JSONResponse({"error": "an act comes as application/json", "code": "request"}, status_code=415)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        words = "an act from a web page of another origin is not taken"
        return JSONResponse({"error": words, "code": "request"}, status_code=403)
    try:
        return json.loads(await request.body())
    except ValueError:
        return JSONResponse({"error": "the body is not JSON", "code": "request"}, status_code=400)
