"""A modality as a Locust User: `locust -f "$(simulate load --locust-file)" --host HAGATEWAY@127.0.0.1:11112`.

Given to `locust`, and imported by nothing else: Locust has gevent change threads, sockets and waiting of the whole
process, and it must do so before anything else is imported. The simulator's threads are greenlets then; the send plane
and pynetdicom work as they are. Each worker process of Locust numbers studies as one modality of `simulate load`,
and its users share the numbers.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from locust import User, events, task
from locust.exception import StopUser

from simulator.actors.order_placer import OrderPlacer
from simulator.errors import PeerError, UsageError
from simulator.events import Event
from simulator.load.instances import STUDIES_AT_MOST, Pictures, Recipe
from simulator.rules import sop_classes
from simulator.scenario.messages import order_message
from simulator.site import is_loopback
from simulator.wire.association import Address, Association, Context, Outgoing

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # what it says is told in our words

_PICTURE_BYTES = 2 << 20  # of each user, and a worker may have hundreds
_MESSAGE = "ORM^O01"
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_STUDIES = count()
_ONE_ORDER = threading.Lock()  # MLLP is spoken by asyncio, of which a thread has one at a time, and greenlets share one


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    """Add what is sent to the options of `locust`; a master tells them to its workers."""
    own = parser.add_argument_group("DICOM modality", "--host is the gateway: AET@HOST:PORT")
    own.add_argument("--images", metavar="N", type=int, default=100, help="Instances in each study.")
    own.add_argument("--sop-class", metavar="NAME", default="CTImageStorage", help="Name, keyword or UID.")
    own.add_argument("--size", metavar="N", type=int, default=None, help="Rows and columns of each picture.")
    own.add_argument(
        "--orders", metavar="HOST:PORT", default="", help="Where the gateway takes HL7. Default: no orders."
    )
    own.add_argument("--calling", metavar="AET", default="MODALITY1", help="Calling AE title.")
    own.add_argument("--seed", metavar="N", type=int, default=secrets.randbits(32), help="Default: a new one.")
    own.add_argument("--i-own-this-endpoint", action="store_true", help="Systems beyond this machine may be loaded.")


class NotStored(PeerError):
    """A C-STORE was answered with a failure status."""


@events.test_start.add_listener
def _check(environment: Any, **_: object) -> None:
    """Refuse what cannot be sent before anything is."""
    try:
        _gateway(environment)
        Pictures(_recipe(environment, images=1), 0)
    except (UsageError, ValueError) as error:
        logging.getLogger(__name__).error("%s. %s", error, getattr(error, "hint", ""))
        environment.process_exit_code = 2
        environment.runner.quit()


class Modality(User):
    """Sends study after study, each over an association of its own, and tells Locust of every answer."""

    def on_start(self) -> None:
        """Make the pictures."""
        options = self.environment.parsed_options
        try:
            self._gateway, self._orders = _gateway(self.environment)
            self._pictures = Pictures(_recipe(self.environment), _worker(self.environment))
        except (UsageError, ValueError):
            raise StopUser from None  # as `_check` says
        self._calling = options.calling
        self._name = sop_classes.by_name(options.sop_class).name
        self._pause = 0.0

    def wait_time(self) -> float:
        """Return the seconds until the next study: none, but after an association that was not given."""
        return self._pause

    @task
    def study(self) -> None:
        """Send one study, after its order where orders are sent."""
        number = next(_STUDIES)
        if number >= STUDIES_AT_MOST:
            raise StopUser
        if self._orders is not None:
            self._place(number, *self._orders)
        association = self._associate()
        self._pause = 0.0 if association is not None else min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
        if association is None:
            return
        with association:
            for instance in self._pictures.study(number):
                if not self._store(association, instance):
                    return

    def _place(self, number: int, host: str, port: int) -> None:
        planned = order_message(self._pictures.orders.order(number), _MESSAGE)
        told: list[Event] = []
        with _ONE_ORDER, self._timed("HL7", _MESSAGE, len(planned.message)):
            if not OrderPlacer(host, port, told.append).send(planned.message):
                raise PeerError("; ".join(_words(event) for event in told) or "no acknowledgement")

    def _associate(self) -> Association | None:
        pictures = self._pictures
        context = Context(pictures.sop_class_uid, (pictures.transfer_syntax_uid,))
        with self._timed("A-ASSOCIATE", self._gateway.ae_title, 0):
            return Association.request(self._calling, self._gateway, [context])
        return None

    def _store(self, association: Association, instance: Outgoing) -> bool:
        """Send an instance; return whether it was answered, and the association can still be used."""
        answered = False
        with self._timed("C-STORE", self._name, len(instance.data_set)):
            response = association.store(instance)
            answered = True
            if not response.stored:
                raise NotStored(f"{response.status_text} {response.error_comment}".rstrip())
        return answered

    @contextmanager
    def _timed(self, kind: str, name: str, length: int) -> Iterator[None]:
        """Tell Locust how long it took, and what a peer did wrong; length: bytes that were sent."""
        began = time.perf_counter()
        failure: PeerError | None = None
        try:
            yield
        except PeerError as error:
            failure = error
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=length,
            exception=failure,
            context={},
        )


def _gateway(environment: Any) -> tuple[Address, tuple[str, int] | None]:
    """Return where the gateway is, and its HL7 if orders are sent. Raises `UsageError`."""
    options = environment.parsed_options
    gateway = Address.parse(environment.host or "")
    hl7 = Address.parse(f"HL7@{options.orders}") if options.orders else None
    for where in (gateway, hl7):
        if where is not None and not options.i_own_this_endpoint and not is_loopback(where.host):
            hint = "say --i-own-this-endpoint if it is yours and may be sent test data"
            raise UsageError(f"{where.host}:{where.port} is not on this machine", hint)
    return gateway, None if hl7 is None else (hl7.host, hl7.port)


def _recipe(environment: Any, images: int | None = None) -> Recipe:
    options = environment.parsed_options
    try:
        sop_class = sop_classes.by_name(options.sop_class)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from error
    asked = options.images if images is None else images
    return Recipe(options.seed, sop_class, asked, options.size, options.size, picture_bytes=_PICTURE_BYTES)


def _worker(environment: Any) -> int:
    """Return the number of this worker among all of the master's; 0 without a master."""
    return max(0, getattr(environment.runner, "worker_index", 0))


def _words(event: Event) -> str:
    return str(getattr(event, "problem", "")) or f"{getattr(event, 'code', '')} {getattr(event, 'text', '')}".strip()
