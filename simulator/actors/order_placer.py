"""An order placer: sends HL7 messages by MLLP and tells what was acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.actors.observation import Observe
from simulator.errors import Hl7ParseError, PeerError, PeerSilent
from simulator.events import OrderAcknowledged, OrderFailed, OrderUnanswered
from simulator.wire import hl7_acknowledgements, hl7_segments, mllp
from simulator.wire.hl7_acknowledgements import Acknowledgement

GRACE = 1.0
"""Seconds to wait for an acknowledgement that was asked for under a condition (`ER`, `SU`) and may not be due."""


@dataclass(frozen=True, slots=True)
class OrderPlacer:
    """Sends to one HL7 listener; tells `observe` of every acknowledgement, and raises for no peer's fault.

    Which acknowledgements it waits for is what the message asks for in MSH-15 and MSH-16 (HL7 v2, 2.9). Without both,
    which is the original mode, the first answer is the last. All are awaited on the connection of the message.
    `time_out` in seconds, for each answer.
    """

    host: str
    port: int
    observe: Observe
    observer: str = "order-placer"
    time_out: float = 30.0

    def send(self, message: bytes, accession_number: str = "", control_id: str = "") -> bool:
        """Send one message; return whether it was accepted: every answer is AA or CA, and those that are due came.

        The names are for the events alone.
        """
        awaited = _Awaited(message, self.time_out)

        def take(raw: bytes) -> float:
            answer = hl7_acknowledgements.read_acknowledgement(raw)
            awaited.take(answer)
            self.observe(
                OrderAcknowledged(
                    observer=self.observer,
                    accession_number=accession_number,
                    message_control_id=answer.control_id,
                    code=answer.code,
                    text=answer.text,
                )
            )
            return awaited.wait()

        names = {"observer": self.observer, "accession_number": accession_number, "message_control_id": control_id}
        try:
            mllp.converse(self.host, self.port, message, take, awaited.wait(), self.time_out)
        except (PeerError, Hl7ParseError) as error:
            if not (isinstance(error, PeerSilent) and awaited.nothing_is_due):
                self.observe(OrderFailed(**names, problem=awaited.put(str(error))))
                return False
        if not awaited.codes:
            self.observe(OrderUnanswered(**names))
        return awaited.is_good


class _Awaited:
    """Which acknowledgements of one message are still to come; each is `AL`, `ER`, `SU` (it may come) or `NE`."""

    def __init__(self, message: bytes, time_out: float) -> None:
        self.codes: list[str] = []
        self._time_out = time_out
        try:
            header = hl7_segments.read_header(message)
            self._commit, self._application = header.accept_acknowledgement, header.application_acknowledgement
        except Hl7ParseError:  # whatever it is, it is sent
            self._commit = self._application = ""
        self._is_original = not (self._commit or self._application)
        if self._is_original:
            self._application = "AL"

    @property
    def nothing_is_due(self) -> bool:
        """Whether all that may still come may as well not come."""
        return "AL" not in (self._commit, self._application)

    @property
    def is_good(self) -> bool:
        """Whether every answer was a good one of the mode."""
        return set(self.codes) <= ({"AA"} if self._is_original else {"AA", "CA"})

    def take(self, answer: Acknowledgement) -> None:
        """Take in an acknowledgement."""
        self.codes.append(answer.code)
        if self._is_original or answer.code in ("CE", "CR"):  # what is not committed is not processed either
            self._commit = self._application = "NE"
        elif answer.commits:
            self._commit = "NE"
        else:
            self._application = "NE"

    def wait(self) -> float:
        """Return how many seconds to wait for the next one; 0 when there is none to wait for."""
        if not self.nothing_is_due:
            return self._time_out
        return GRACE if {"ER", "SU"} & {self._commit, self._application} else 0.0

    def put(self, problem: str) -> str:
        """Return the problem with what came before it."""
        return f"after {', '.join(self.codes)}: {problem}" if self.codes else problem
