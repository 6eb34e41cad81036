"""Who places the orders of a load: ahead of the modalities, so that studies match and nobody need wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from simulator.actors.order_placer import OrderPlacer
from simulator.events import Event, OrderAcknowledged, OrderFailed, OrderUnanswered
from simulator.load.histogram import Histogram
from simulator.load.instances import Orders
from simulator.load.tally import Tally
from simulator.scenario.messages import order_message

AHEAD = 20
"""Orders that are acknowledged ahead of the study that a modality sends now."""

_MESSAGE = "ORM^O01"


class OrderSource:
    """Places the orders of all modalities, one after the other, in a thread of its own.

    told: called with the number of a modality and how many of its orders were answered, well or badly, from any thread.
    """

    def __init__(
        self, host: str, port: int, orders: Sequence[Orders], studies: int, told: Callable[[int, int], None]
    ) -> None:
        """Prepare; `studies` is the most that a modality sends."""
        self._placer = OrderPlacer(host, port, self._observe)
        self._orders = orders
        self._studies = studies
        self._told = told
        self._placed = [0] * len(orders)
        self._wanted: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.tally = Tally()
        self.durations = Histogram()

    def start(self) -> None:
        """Place the first orders of every modality, and go on from there in a thread."""
        for number in range(len(self._orders)):
            self._place(number, AHEAD)
        self._thread.start()

    def begun(self, number: int, study: int) -> None:
        """Take note that a modality comes to its study number `study`."""
        self._wanted.put((number, study + 1 + AHEAD))

    def stop(self, seconds: float) -> None:
        """Place no more; what is on its way gets so many seconds."""
        self._stopped.set()
        self._wanted.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _work(self) -> None:
        while (wanted := self._wanted.get()) is not None and not self._stopped.is_set():
            self._place(*wanted)

    def _place(self, number: int, count: int) -> None:
        while self._placed[number] < min(count, self._studies) and not self._stopped.is_set():
            order = self._orders[number].order(self._placed[number])
            planned = order_message(order, _MESSAGE)
            began = time.monotonic()
            self._placer.send(planned.message, planned.accession_number, planned.control_id)
            self.durations.add(time.monotonic() - began)
            self._placed[number] += 1
            self._told(number, self._placed[number])

    def _observe(self, event: Event) -> None:
        if isinstance(event, OrderAcknowledged) and event.code not in ("AA", "CA"):
            self.tally.fail("order", f"{event.code} {event.text}".strip())
        elif isinstance(event, OrderFailed):
            self.tally.fail("order", event.problem)
        elif isinstance(event, OrderUnanswered):
            self.tally.fail("order", "no acknowledgement")
