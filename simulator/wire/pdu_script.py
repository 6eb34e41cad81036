"""Scripts for a peer that says what no library would: what to send byte for byte, and what to wait for.

A script is a list of steps, each a mapping as a scenario file writes it:

| step | what is done |
|---|---|
| `send: {hex: "07 00 ..."}` | the bytes are sent |
| `send: {file: NAME}` | the bytes of `fixtures/pdu/NAME.hex` are sent: hexadecimal, `#` begins a comment |
| `send: {pdu: A-ABORT, source: 2, ...}` | a PDU is sent, built by `simulator.wire.pdu_builders`; `length` states a wrong one |
| `send: {pdu: A-ASSOCIATE-RQ, contexts: [...], fill: {...}}` | all 128 presentation contexts, those that are not listed as `fill` has them |
| `send: {message: C-ECHO-RQ, context_id: 1, ...}` | a DIMSE message is sent: elements of the command set by name, `data_set` in hexadecimal |
| `send: {message: C-STORE-RQ, instance: study#2}` | the real instance goes along: its SOP class, SOP Instance UID and data set |
| `send: {message: ..., maximum_length: 100}` | in PDUs of so many bytes at most, of one PDV each; `in_one_pdu: true` puts all PDVs into one |
| `send: {message: ..., data_set_context_id: 3}` | its data set in another context; `group_length` states a wrong one, `ends: false` leaves the last-fragment bit out |
| `send: {interleaved: [{message: ...}, {message: ...}]}` | the PDUs of these messages take turns |
| `send: {pdu: P-DATA-TF, pdvs: [{context_id: 1, hex: "...", command: true, last: false}]}` | these PDVs in one PDU |
| `send: {hl7: "MSH|..."}` | an HL7 message is sent as an MLLP block; a segment a line |
| `send: {text: "GET /"}` | the characters are sent as they are |
| `recv: A-ASSOCIATE-AC`, `within: 5` | that PDU, or that whole DIMSE message, must come next; `recv: HL7`: an MLLP block |
| `recv: A-ASSOCIATE-RJ`, `expect: {reason: 7}` | and it must say this; fields as `simulator.wire.pdu_facts` names them |
| `wait: 0.5` | nothing is sent for so many seconds; the peer may say what it likes, and must not end the connection |
| `await_end: fin`, `within: 5` | the peer must end the connection: `fin`, `rst`, `abort` (A-ABORT), or `any` |
| `close: fin` | this side ends the connection: `fin`, `rst`, or `half` (FIN, and goes on reading) |

What is left out of a PDU or message is taken from what came before: an A-ASSOCIATE-AC accepts what was proposed, a
response refers to the last request.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from simulator.wire import command_set, pdu_facts, script_contents
from simulator.wire.pdu_stream import KINDS
from simulator.wire.script_contents import Content, known, only

WITHIN = 10.0  # seconds that a step waits where it does not say

HowEnded = Literal["fin", "rst", "abort", "any"]
HowClosed = Literal["fin", "rst", "half"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send it."""

    what: Content


@dataclass(frozen=True, slots=True)
class Receive:
    """A PDU, a whole DIMSE message or an HL7 block must come next, within so many seconds, and say this."""

    kind: str
    within: float = WITHIN
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """The peer must end the connection in this way, within so many seconds; what it says before is taken in."""

    how: HowEnded = "any"
    within: float = WITHIN


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection; `half` sends FIN and goes on reading."""

    how: HowClosed = "fin"


Step = Send | Receive | Pause | AwaitEnd | Close

HL7 = "HL7"
_RECEIVABLE = (*KINDS, *command_set.FIELDS, HL7)
_STEPS = ("send", "recv", "wait", "await_end", "close")
_BESIDE = {"recv": ("within", "expect"), "await_end": ("within",)}


def script(steps: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return the steps. Raises `ValueError` that names the step, counted from 1, and what is wrong with it."""
    found = []
    for number, written in enumerate(steps, 1):
        try:
            found.append(step(written))
        except ValueError as error:
            raise ValueError(f"step {number}: {error}") from error
    return tuple(found)


def step(written: Mapping[str, Any]) -> Step:
    """Return the step that a mapping describes. Raises `ValueError` in words with near misses."""
    verb = next((key for key in written if key not in ("within", "expect")), "")
    known(verb, _STEPS, "step")
    only(written, (verb, *_BESIDE.get(verb, ())))
    value, within = written[verb], _seconds("within", written.get("within", WITHIN))
    if verb == "send":
        return Send(script_contents.content(value))
    if verb == "recv":
        kind = known(value, _RECEIVABLE, "PDU or message")
        return Receive(kind, within, _expected(kind, written.get("expect", {})))
    if verb == "wait":
        return Pause(_seconds("wait", value))
    if verb == "await_end":
        return AwaitEnd(known(value, get_args(HowEnded), "end of a connection"), within)
    return Close(known(value, get_args(HowClosed), "way to close"))


def instances_in(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the names (`study#1`) of the instances whose data sets these steps send."""
    for each in steps:
        if isinstance(each, Send):
            for message in script_contents.messages_in(each.what):
                if message.instance:
                    yield message.instance


def _seconds(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{key}: {value!r} is no number of seconds above 0")
    return float(value)


def _expected(kind: str, expect: Any) -> Mapping[str, Any]:
    if not isinstance(expect, Mapping):
        raise ValueError(f"expect: {expect!r} is no mapping of fields to what they must say")
    fields = pdu_facts.FIELDS.get(kind, () if kind in KINDS else pdu_facts.MESSAGE_FIELDS)
    only(expect, fields)
    return expect
