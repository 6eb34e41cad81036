"""How somebody asks the gateway's HTTP API to act: as JSON, and not through another's web page."""

from __future__ import annotations

import json
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
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


def told(error: ValidationError) -> str:
    """Return what is wrong with the body of a request, in words."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the body'}: {e['msg']}" for e in error.errors())


def near_misses(name: str, known: Collection[str]) -> str:
    """Return which of the known names may have been meant, in whatever case; else all, where they are few."""
    by_case = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), by_case, n=1, cutoff=0.8)
    if near:
        return f"did you mean {by_case[near[0]]}?"
    return f"known: {', '.join(sorted(known)) or 'none'}" if len(known) < 10 else ""


def problem(message: str, status_code: int, hint: str = "") -> JSONResponse:
    """Return the response that refuses a request, with what to do about it."""
    return JSONResponse({"error": message, "hint": hint}, status_code=status_code)
