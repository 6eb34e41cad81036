"""A relay between two peers that injects faults into what they say to each other, addressed by protocol.

Each peer speaks to the relay as if it were the other. Without a fault every byte passes unchanged, and so does the
way in which a connection ends: FIN as FIN, RST as RST.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from simulator.actors.dicom_faults import DicomReader
from simulator.actors.effects import Blind, Injected, Reader, Tally
from simulator.actors.hl7_faults import Hl7Reader
from simulator.actors.observation import Observe
from simulator.actors.relay import Name, Passage, Relay, Unreached, reach, reset_on_close
from simulator.errors import UsageError
from simulator.events import FaultInjected, FaultMissed, RelayBlind, RelayFailed
from simulator.wire import faults as grammar
from simulator.wire.conversation import Side
from simulator.wire.faults import Fault, Protocol

_CONNECT_SECONDS = 10.0
_DIRECTIONS = {"requestor": "requestor->acceptor", "acceptor": "acceptor->requestor"}


class FaultRelay(Relay):
    """Relays between whoever connects to it (the requestor) and one listener (the acceptor), over TCP.

    link: which two peers, such as `gateway->remote-a`; the observer of its events. `host` and `port`: the acceptor.
    faults: at most one for a message. `protocol` is what is read; `seed` decides the bytes of `garbage`.
    `target` may be set anew for the connections to come: a listener that was restarted may have another port.
    """

    def __init__(
        self,
        link: str,
        host: str,
        port: int,
        faults: Iterable[Fault],
        observe: Observe,
        *,
        protocol: Protocol = "DICOM",
        seed: int = 0,
    ) -> None:
        """Raises `UsageError` for two faults at one message, and for a fault of the other protocol."""
        asked = tuple(faults)
        for fault in asked:
            if fault.at.protocol != protocol:
                raise UsageError(f"{link} speaks {protocol}; there will be no {fault.at}")
        try:
            self.tally = Tally(asked)
        except ValueError as error:
            raise UsageError(f"{link}: {error}") from error
        super().__init__(link, observe)
        self.target = (host, port)
        self.protocol = protocol
        self.seed = seed

    def stop(self) -> None:
        """Stop listening, end the connections that are open, and tell of faults whose message never came."""
        if self._thread is None:
            return
        super().stop()
        for fault in self.tally.pending():
            missed = FaultMissed(
                observer=self.link, fault_at=str(fault.at), do=str(fault.do), seen=self.tally.seen(fault.at.kind)
            )
            self.observe(missed)

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults whose message has not come yet."""
        return self.tally.pending()

    def readers(self) -> tuple[Reader, Reader]:
        """Return the readers of a new connection: of what the requestor says, and of what the acceptor says."""
        if self.protocol == "HL7":
            return (Hl7Reader(self.tally, grammar.HL7, self.seed), Hl7Reader(self.tally, grammar.ACK, self.seed))
        return DicomReader(self.tally, self.seed), DicomReader(self.tally, self.seed)

    async def carry(self, requestor: socket.socket, caller: Name, number: int) -> None:
        """Relay both directions to their end, with the faults that are addressed to what is said."""
        host, port = self.target
        try:
            acceptor = await reach(host, port, _CONNECT_SECONDS)
        except Unreached as error:
            problem = f"nothing takes connections on {host}:{port} ({_words(error.why)})"
            self.observe(RelayFailed(observer=self.link, connection=number, problem=problem))
            reset_on_close(requestor)
            return

        def tell(effect: Injected | Blind, by: Side) -> None:
            self._tell(effect, _DIRECTIONS[by], number)

        with acceptor:
            await Passage(requestor, acceptor, self.readers(), tell=tell, ended=lambda *_: None).converse()

    def _tell(self, effect: Injected | Blind, direction: str, number: int) -> None:
        where = {"observer": self.link, "direction": direction}
        if isinstance(effect, Blind):
            self.observe(RelayBlind(**where, connection=number, why=effect.why))
            return
        fault = effect.fault
        said = {"fault_at": str(fault.at), "do": str(fault.do), "done": effect.done}
        self.observe(FaultInjected(**where, **said, connection=number, offset=effect.offset))


def _words(error: OSError) -> str:
    """Return what the system calls the error; asyncio puts words of its own in its place."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or "no answer"
