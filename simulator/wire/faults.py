"""Faults of a connection, addressed by protocol: at which message (`at`), and what is done to it (`do`).

`at` is a kind of message and its number, such as `C-STORE-RQ#3`: the third of that kind between two peers, counted
over all their associations and in both directions. Kinds are the PDUs of PS3.8 9.3 but P-DATA-TF, the DIMSE messages
of PS3.7 annex E, and for HL7 over MLLP `HL7` (from who opened the connection) and `ACK` (what comes back).

| `do` | what is done |
|---|---|
| `abort`, `abort requestor`, `abort acceptor` | the message is not passed on; both peers, or the one named, get an A-ABORT, then both connections end |
| `drop`, `drop rst` | the message is not passed on; both connections end, by FIN or by RST |
| `delay 2s` | the message, and what follows it in its direction, is held back (`ms` or `s`, up to 600 s) |
| `status A700` | a request is not passed on, and answered with this status in the peer's stead; in a response it replaces the status |
| `truncate` | the data set ends after half of its bytes, in PDUs and PDVs that are right |
| `garbage` | bytes are overwritten by seeded ones, up to 256: from the start of the data set, or, where there is none, of the command set, the PDU after its head, the HL7 message |
| `half-pdu` (`half-frame` in HL7) | half of a PDU (the first of the data set where there is one) is sent and nothing after it; the connection stays open |
| `slow 10KB/s` | from this message on its direction passes no more than this (`B/s`, `KB/s`, `MB/s`, by thousands) |
"""  # noqa: E501 - a table

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.wire import command_set
from simulator.wire.pdus import NAMES, P_DATA_TF

Protocol = Literal["DICOM", "HL7"]

PDU_KINDS = tuple(name for kind, name in NAMES.items() if kind != P_DATA_TF)
DIMSE_KINDS = tuple(command_set.KINDS.values())
HL7, ACK = "HL7", "ACK"
KINDS = (*PDU_KINDS, *DIMSE_KINDS, HL7, ACK)
MAXIMUM_DELAY = 600.0  # seconds

_AT = re.compile(r"(?P<kind>[^#\s]+)#(?P<number>[1-9][0-9]*)")
_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]+)?)"
_UNITS = {"B": 1, "KB": 1000, "MB": 1000_000}


@dataclass(frozen=True, slots=True)
class At:
    """The `number`-th message (from 1) of a kind between two peers."""

    kind: str
    number: int

    @classmethod
    def parse(cls, text: str) -> At:
        """Return the address written `KIND#NUMBER`. Raises `ValueError` in words for anything else."""
        kind, mark, _ = text.partition("#")
        if kind not in KINDS:
            raise ValueError(f"{text!r} addresses no message: there is no kind {kind!r}{_near(kind, KINDS)}")
        if not mark:
            raise ValueError(f"{text!r} does not say which one; write {kind}#1 for the first")
        found = _AT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} addresses no message: after # stands a number from 1 on, as in {kind}#1")
        return cls(kind, int(found["number"]))

    @property
    def protocol(self) -> Protocol:
        """Which protocol the message is of."""
        return "HL7" if self.kind in (HL7, ACK) else "DICOM"

    def __str__(self) -> str:
        return f"{self.kind}#{self.number}"


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT instead of the message, to `to`."""

    to: Literal["both", "requestor", "acceptor"] = "both"

    def __str__(self) -> str:
        return "abort" if self.to == "both" else f"abort {self.to}"


@dataclass(frozen=True, slots=True)
class Drop:
    """The end of both connections instead of the message."""

    how: Literal["fin", "rst"] = "fin"

    def __str__(self) -> str:
        return "drop" if self.how == "fin" else "drop rst"


@dataclass(frozen=True, slots=True)
class Delay:
    """The message held back for `seconds`."""

    seconds: float

    def __str__(self) -> str:
        return f"delay {self.seconds:g}s"


@dataclass(frozen=True, slots=True)
class Status:
    """A status (0000,0900) that the peer did not give."""

    status: int

    def __str__(self) -> str:
        return f"status {self.status:04X}"


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half a data set."""

    def __str__(self) -> str:
        return "truncate"


@dataclass(frozen=True, slots=True)
class Garbage:
    """Seeded bytes over those that were sent."""

    def __str__(self) -> str:
        return "garbage"


@dataclass(frozen=True, slots=True)
class Half:
    """Half a PDU, or half an MLLP frame, and silence."""

    of: Literal["pdu", "frame"] = "pdu"

    def __str__(self) -> str:
        return f"half-{self.of}"


@dataclass(frozen=True, slots=True)
class Slow:
    """A direction throttled from the message on."""

    bytes_per_second: int

    def __str__(self) -> str:
        for unit, size in reversed(_UNITS.items()):
            if self.bytes_per_second % size == 0:
                return f"slow {self.bytes_per_second // size}{unit}/s"
        raise AssertionError("one byte divides every rate")


Do = Abort | Drop | Delay | Status | Truncate | Garbage | Half | Slow


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done, and to which message."""

    at: At
    do: Do

    @classmethod
    def parse(cls, at: str, do: str) -> Fault:
        """Return the fault. Raises `ValueError` in words for what cannot be read, or cannot be done there."""
        fault = cls(At.parse(at), _do(do))
        if why := _impossible(fault.at, fault.do):
            raise ValueError(f"{do!r} cannot be done at {at}: {why}")
        return fault

    def __str__(self) -> str:
        return f"{self.do} at {self.at}"


def _do(text: str) -> Do:
    """Return what is to be done. Raises `ValueError` in words with near misses."""
    verb, _, value = text.partition(" ")
    if verb not in _VERBS:
        raise ValueError(f"{text!r} is nothing that can be done{_near(verb, _VERBS)}")
    form, read = _VERBS[verb]
    done = read(value)
    if done is None or value != value.strip():
        raise ValueError(f"{text!r} cannot be read; write {form}")
    return done


def _abort(value: str) -> Do | None:
    return {"": Abort(), "requestor": Abort("requestor"), "acceptor": Abort("acceptor")}.get(value)


def _drop(value: str) -> Do | None:
    return {"": Drop(), "fin": Drop(), "rst": Drop("rst")}.get(value)


def _delay(value: str) -> Do | None:
    found = re.fullmatch(_NUMBER + r"(?P<unit>ms|s)", value)
    seconds = float(found["number"]) / (1000 if found["unit"] == "ms" else 1) if found else 0.0
    return Delay(seconds) if 0 < seconds <= MAXIMUM_DELAY else None


def _status(value: str) -> Do | None:
    return Status(int(value, 16)) if re.fullmatch(r"[0-9A-Fa-f]{4}", value) else None


def _slow(value: str) -> Do | None:
    found = re.fullmatch(_NUMBER + r"(?P<unit>B|KB|MB)/s", value)
    rate = int(float(found["number"]) * _UNITS[found["unit"]]) if found else 0
    return Slow(rate) if rate else None


def _alone(do: Do) -> Callable[[str], Do | None]:
    return lambda value: None if value else do


# Verb -> how it is written, and what reads the words after it.
_VERBS: Mapping[str, tuple[str, Callable[[str], Do | None]]] = {
    "abort": ("abort, abort requestor or abort acceptor", _abort),
    "drop": ("drop or drop rst", _drop),
    "delay": (f"delay 2s or delay 250ms, more than 0 and up to {MAXIMUM_DELAY:g}s", _delay),
    "status": ("status and four hexadecimal digits, as in status A700", _status),
    "truncate": ("truncate alone", _alone(Truncate())),
    "garbage": ("garbage alone", _alone(Garbage())),
    "half-pdu": ("half-pdu alone", _alone(Half())),
    "half-frame": ("half-frame alone", _alone(Half("frame"))),
    "slow": ("slow 10KB/s (B/s, KB/s or MB/s), 1 B/s or more", _slow),
}


def _impossible(at: At, do: Do) -> str:
    """Say why it cannot be done there, or nothing."""
    if at.protocol == "HL7":
        if isinstance(do, Abort | Status | Truncate) or do == Half("pdu"):
            return "HL7 has drop, delay, garbage, half-frame and slow"
    elif do == Half("frame"):
        return "an MLLP frame is of HL7; write half-pdu"
    elif isinstance(do, Status):
        if at.kind in PDU_KINDS:
            return "a PDU has no status"
        if at.kind == "C-CANCEL-RQ":
            return "C-CANCEL-RQ has no response"
    elif isinstance(do, Truncate) and (at.kind in PDU_KINDS or at.kind in command_set.WITHOUT_DATA_SET):
        return f"{at.kind} has no data set; half-pdu or garbage can be done there"
    return ""


def _near(word: str, known: Iterable[str]) -> str:
    spelled = {name.casefold(): name for name in known}
    near = [spelled[match] for match in difflib.get_close_matches(word.casefold(), spelled, n=3)]
    return f" (near: {', '.join(near)})" if near else f"; there are {', '.join(spelled.values())}"
