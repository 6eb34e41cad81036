"""What both sides of an association speak of: addresses, presentation contexts, instances, responses, time-outs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from simulator.errors import UsageError

MAXIMUM_PDU = 131072
VERIFICATION = "1.2.840.10008.1.1"
# Said in each association (PS3.7 D.3.3.2) and written into each file (PS3.10 7.1).
IMPLEMENTATION_CLASS_UID = "2.25.316471893226045293846018476511983514211"
IMPLEMENTATION_VERSION_NAME = "HAGW_SIM_0_1"
MAXIMUM_CONTEXTS = 128
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")  # PS3.5 6.2


@dataclass(frozen=True, slots=True)
class Address:
    """Where an AE is found: its AE title, host and port."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address written `AET@HOST:PORT`. Raises `UsageError` for anything else."""
        ae_title, at, where = text.rpartition("@")
        host, colon, port = where.rpartition(":")
        found = at and colon and host and port.isascii() and port.isdigit() and int(port) < 65536
        if not found or not _AE_TITLE.fullmatch(ae_title) or not ae_title.strip():
            raise UsageError(f"{text!r} is not an address", "write AET@HOST:PORT, such as HAGATEWAY@127.0.0.1:11112")
        return cls(ae_title, host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context to propose or to accept (PS3.8 9.3.2.2).

    role: which the requestor proposes for itself; "scp" by role selection, without the SCU role (PS3.7 D.3.3.4).
    """

    abstract_syntax_uid: str
    transfer_syntax_uids: tuple[str, ...]
    role: Literal["scu", "scp"] = "scu"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance as C-STORE sends it: UIDs of the command set, and the encoded data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a DIMSE response said: Status (0000,0900) and Error Comment (0000,0902)."""

    status: int
    error_comment: str = ""

    @property
    def status_text(self) -> str:
        """The status as the standard prints it: four hexadecimal digits."""
        return f"{self.status:04X}"

    @property
    def stored(self) -> bool:
        """Whether the status says that the instance was stored: success, or a warning (PS3.4 B.2.3)."""
        return self.status == 0x0000 or self.status in (0x0001, 0x0107, 0x0116) or self.status >> 12 == 0xB


class Incoming(Protocol):
    """Where a data set is laid down while it comes, so that little is left to do once it is whole."""

    size: int
    """Bytes of the data set that are laid down."""

    def add(self, data: memoryview) -> None:
        """Lay down what came next. Raises nothing: what went wrong is told when the data set is whole."""

    def drop(self) -> None:
        """Forget all of it, unless it was kept."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ as an SCP receives it, with what the association says about its sender.

    incoming: where the first bytes of the data set lie already. The data set is lent then, until the answer.
    """

    calling_ae_title: str
    called_ae_title: str
    peer: str
    abstract_syntax_uid: str
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    data_set: bytes | memoryview
    incoming: Incoming | None = None


@dataclass(frozen=True, slots=True)
class TimeOuts:
    """Seconds to wait, as SCU, for a TCP connection, an ACSE answer and a DIMSE answer.

    As SCP: `acse` for an A-ASSOCIATE-RQ, `dimse` for the rest of a DIMSE message, `idle` for the next PDU on an open
    association. As either: `pdu` for the rest of a PDU, and for the peer to take one.
    """

    connection: float = 10.0
    acse: float = 30.0
    dimse: float = 60.0
    pdu: float = 30.0
    idle: float = 600.0
