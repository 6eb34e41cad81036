"""An order placer: sends HL7 messages by MLLP and tells what was acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.actors.observation import Observe
from simulator.errors import Hl7ParseError, PeerError
from simulator.events import OrderAcknowledged, OrderFailed
from simulator.wire import hl7_messages, mllp


@dataclass(frozen=True, slots=True)
class OrderPlacer:
    """Sends to one HL7 listener; tells `observe` of every acknowledgement, and raises for no peer's fault."""

    host: str
    port: int
    observe: Observe
    observer: str = "order-placer"

    def send(self, message: bytes, accession_number: str = "", control_id: str = "") -> bool:
        """Send one message; return whether it was accepted (AA). The names are for the event alone."""
        try:
            answer = hl7_messages.read_acknowledgement(mllp.exchange(self.host, self.port, message))
        except (PeerError, Hl7ParseError) as error:
            self.observe(
                OrderFailed(
                    observer=self.observer,
                    accession_number=accession_number,
                    message_control_id=control_id,
                    problem=str(error),
                )
            )
            return False
        self.observe(
            OrderAcknowledged(
                observer=self.observer,
                accession_number=accession_number,
                message_control_id=answer.control_id,
                code=answer.code,
                text=answer.text,
            )
        )
        return answer.code == "AA"
