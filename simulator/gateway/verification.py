"""Verification as SCU (PS3.4 Annex A): the gateway asks a destination whether it answers (`POST /echo`).

Over the address, TLS and time-outs that forwarding uses, so that what is told here holds for forwarding too. It
changes nothing; what was answered is an event and a line in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.errors import PeerError
from simulator.events import VerificationAnswered
from simulator.gateway import access, asking
from simulator.gateway.index import Index
from simulator.rules import masking
from simulator.site import Destination, Site
from simulator.wire.acceptor import VERIFICATION_CONTEXT
from simulator.wire.association import Address, Association

_LOG = logging.getLogger(__name__)
_SUCCESS = "0000"


class EchoRequest(BaseModel):
    """The body of `POST /echo`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    destination: str = Field(min_length=1, description="AE title of a destination in the site profile.")


class EchoAnswer(BaseModel):
    """The answer to `POST /echo`: what the destination answered, or why it gave no answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    destination: str
    address: str = Field(description="Where it was asked: AET@HOST:PORT.")
    status: str | None = Field(description="Of the C-ECHO-RSP (PS3.7 9.1.5), four hexadecimal digits; null: none came.")
    problem: str | None = Field(description="What went wrong, in words; null: nothing.")


def verify(site: Site, destination: Destination) -> EchoAnswer:
    """Ask a destination for Verification and return what it answered; it takes as long as the time-outs of the site."""
    peer = Address(destination.ae_title, destination.host, destination.port)
    secured, limits = access.credentials(site, destination), access.time_outs(site)
    status, problem = "", ""
    try:
        with Association.request(
            site.gateway.ae_title, peer, [VERIFICATION_CONTEXT], limits, tls=secured
        ) as association:
            response = association.echo()
        status = response.status_text
        if status != _SUCCESS:
            said = f' "{response.error_comment}"' if response.error_comment else ""
            problem = f"{peer} answered {status}{said}"
    except PeerError as error:
        problem = str(error)
    return EchoAnswer(
        destination=destination.ae_title, address=str(peer), status=status or None, problem=problem or None
    )


def routes(site: Site, index: Index) -> list[Route]:
    """Return the routes of the API that this module serves."""
    destinations = {each.ae_title: each for each in site.forwarding.destinations}

    async def post(request: Request) -> Response:
        body = await asking.body_of_act(request)
        if isinstance(body, Response):
            return body
        try:
            name = EchoRequest.model_validate(body).destination
        except ValidationError as error:
            return asking.problem(asking.told(error), 400)
        if name not in destinations:
            return asking.problem(f"there is no destination {name}", 404, asking.near_misses(name, destinations))
        answer = await _apart(site, destinations[name])
        await asyncio.to_thread(_note, answer, index)
        return JSONResponse(answer.model_dump(mode="json"))

    return [Route("/echo", post, methods=["POST"])]


async def _apart(site: Site, destination: Destination) -> EchoAnswer:
    """Ask in a thread that nobody waits for when the gateway stops, however long the destination hangs."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[EchoAnswer] = loop.create_future()

    def settle(answer: EchoAnswer | None, error: Exception | None) -> None:
        if answered.cancelled():
            return
        if answer is not None:
            answered.set_result(answer)
        elif error is not None:
            answered.set_exception(error)

    def ask() -> None:
        answer, problem = None, None
        try:
            answer = verify(site, destination)
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who asked
            loop.call_soon_threadsafe(settle, answer, problem)

    threading.Thread(target=ask, name=f"verification of {destination.ae_title}", daemon=True).start()
    return await answered


def _note(answer: EchoAnswer, index: Index) -> None:
    if answer.problem is None:
        _LOG.info("%s answered Verification with %s", answer.address, answer.status)
    else:
        _LOG.warning("Verification of %s failed: %s", answer.address, masking.foreign(answer.problem))
    index.add_event(
        VerificationAnswered(
            observer="gateway",
            destination=answer.destination,
            status=answer.status or "",
            problem=answer.problem or "",
        )
    )
