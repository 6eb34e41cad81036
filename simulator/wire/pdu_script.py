"""Scripts for a peer that says what no library would: what to send byte for byte, and what to wait for.

A script is a list of steps, each a mapping as a scenario file writes it:

| step | what is done |
|---|---|
| `send: {hex: "07 00 ..."}` | the bytes are sent |
| `send: {file: NAME}` | the bytes of `fixtures/pdu/NAME.hex` are sent: hexadecimal, `#` begins a comment |
| `send: {pdu: A-ABORT, source: 2, ...}` | a PDU is sent, built by `simulator.wire.pdu_builders`; `length` states a wrong one |
| `send: {pdu: A-ASSOCIATE-RQ, contexts: [...], fill: {...}}` | all 128 presentation contexts, those that are not listed as `fill` has them |
| `send: {message: C-ECHO-RQ, context_id: 1, ...}` | a DIMSE message is sent: elements of the command set by name, `data_set` in hexadecimal |
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

import difflib
import inspect
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from simulator.wire import command_set, pdu_builders, pdu_facts
from simulator.wire.command_set import CommandSet
from simulator.wire.pdu_builders import Answered, Proposed, proposed_in, titles_in
from simulator.wire.pdu_stream import KINDS, Message, Pdu
from simulator.wire.pdus import HEAD

WITHIN = 10.0  # seconds that a step waits where it does not say

HowEnded = Literal["fin", "rst", "abort", "any"]
HowClosed = Literal["fin", "rst", "half"]


@dataclass(slots=True)
class Heard:
    """What came last of what answers refer to."""

    request: Pdu | None = None  # A-ASSOCIATE-RQ
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes to send as they are."""

    data: bytes

    def build(self, heard: Heard) -> bytes:
        """Return them."""
        return self.data


@dataclass(frozen=True, slots=True)
class FromFile:
    """Bytes to send that stand in a file of `fixtures/pdu`."""

    name: str


@dataclass(frozen=True, slots=True)
class NamedPdu:
    """A PDU to send, by its name and the fields of its builder."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def build(self, heard: Heard) -> bytes:
        """Return its bytes."""
        fields = dict(self.fields)
        length = fields.pop("length", None)
        fill = fields.pop("fill", None)
        if "contexts" in fields:
            made = Proposed if self.kind == "A-ASSOCIATE-RQ" else Answered
            fields["contexts"] = [_context(made, context) for context in _filled(fields["contexts"], fill)]
        elif self.kind == "A-ASSOCIATE-AC":
            fields |= _accepting(heard)
        pdu = _BUILDERS[self.kind](**fields)
        return pdu if length is None else pdu[:2] + struct.pack(">L", length) + pdu[HEAD:]


@dataclass(frozen=True, slots=True)
class NamedMessage:
    """A DIMSE message to send, by its kind and the elements of its command set."""

    kind: str
    elements: Mapping[str, int | str] = field(default_factory=dict)
    context_id: int | None = None
    data_set: bytes = b""
    maximum_length: int = 16384

    def build(self, heard: Heard) -> bytes:
        """Return its bytes."""
        asked = heard.message
        whole: dict[str, Any] = {
            "command_field": command_set.FIELDS[self.kind],
            "data_set_type": 0x0001 if self.data_set else command_set.NO_DATA_SET,
        }
        base = CommandSet({})
        if self.kind.endswith("-RSP"):
            base = command_set.response_to(asked.command, 0) if asked else base
        else:
            whole["message_id"] = 1
        command = base.but(**{**whole, **self.elements})
        context_id = self.context_id or (asked.context_id if asked else 1)
        return pdu_builders.message(context_id, command, self.data_set, maximum_length=self.maximum_length)


@dataclass(frozen=True, slots=True)
class Send:
    """Send it."""

    what: Bytes | FromFile | NamedPdu | NamedMessage


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

_BUILDERS: Mapping[str, Callable[..., bytes]] = {
    "A-ASSOCIATE-RQ": pdu_builders.associate_rq,
    "A-ASSOCIATE-AC": pdu_builders.associate_ac,
    "A-ASSOCIATE-RJ": pdu_builders.associate_rj,
    "A-RELEASE-RQ": pdu_builders.release_rq,
    "A-RELEASE-RP": pdu_builders.release_rp,
    "A-ABORT": pdu_builders.abort,
}
HL7 = "HL7"
_RECEIVABLE = (*KINDS, *command_set.FIELDS, HL7)
_MESSAGE_KEYS = ("context_id", "data_set", "maximum_length")
_CONTENTS = ("hex", "file", "pdu", "message", "hl7", "text")
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
    _known(verb, _STEPS, "step")
    _only(written, (verb, *_BESIDE.get(verb, ())))
    value, within = written[verb], _seconds("within", written.get("within", WITHIN))
    if verb == "send":
        if not isinstance(value, Mapping):
            raise ValueError(f"send takes a mapping with one of {', '.join(_CONTENTS)}")
        return Send(_content(value))
    if verb == "recv":
        kind = _known(value, _RECEIVABLE, "PDU or message")
        return Receive(kind, within, _expected(kind, written.get("expect", {})))
    if verb == "wait":
        return Pause(_seconds("wait", value))
    if verb == "await_end":
        return AwaitEnd(_known(value, get_args(HowEnded), "end of a connection"), within)
    return Close(_known(value, get_args(HowClosed), "way to close"))


def _seconds(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{key}: {value!r} is no number of seconds above 0")
    return float(value)


def _expected(kind: str, expect: Any) -> Mapping[str, Any]:
    if not isinstance(expect, Mapping):
        raise ValueError(f"expect: {expect!r} is no mapping of fields to what they must say")
    fields = pdu_facts.FIELDS.get(kind, () if kind in KINDS else pdu_facts.MESSAGE_FIELDS)
    _only(expect, fields)
    return expect


def hexadecimal(text: str) -> bytes:
    """Return the bytes written in hexadecimal; spaces and lines do not matter, `#` begins a comment.

    Raises `ValueError` in words.
    """
    digits = " ".join(line.partition("#")[0] for line in text.splitlines())
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ValueError(f"not hexadecimal: {error}") from error


def _content(value: Mapping[str, Any]) -> Bytes | FromFile | NamedPdu | NamedMessage:
    named = [key for key in _CONTENTS if key in value]
    if len(named) != 1:
        raise ValueError(f"send takes one of {', '.join(_CONTENTS)}; here are {', '.join(map(str, value)) or 'none'}")
    if named == ["hex"]:
        _only(value, ("hex",))
        return Bytes(hexadecimal(value["hex"]))
    if named == ["file"]:
        _only(value, ("file",))
        return FromFile(str(value["file"]))
    if named in (["hl7"], ["text"]):
        _only(value, tuple(named))
        return Bytes(_block(str(value["hl7"])) if named == ["hl7"] else str(value["text"]).encode())
    others = {key: inner for key, inner in value.items() if key != named[0]}
    return _pdu(value["pdu"], others) if named == ["pdu"] else _message(value["message"], others)


def _block(text: str) -> bytes:
    """Return an MLLP block (HL7 v2.3.1 appendix C) of the segments that stand on the lines of `text`."""
    return b"\x0b" + "".join(f"{line.strip()}\r" for line in text.splitlines()).encode() + b"\x1c\r"


def _pdu(kind: Any, fields: Mapping[str, Any]) -> NamedPdu:
    _known(kind, _BUILDERS, "PDU")
    parameters = inspect.signature(_BUILDERS[kind]).parameters
    _only(fields, (*parameters, "length", *(("fill",) if kind == "A-ASSOCIATE-RQ" else ())))
    if kind == "A-ASSOCIATE-RQ" and "contexts" not in fields:
        raise ValueError("an A-ASSOCIATE-RQ needs contexts (an empty list for none)")
    for context in _filled(fields.get("contexts", ()), fields.get("fill")):
        _context(Proposed if kind == "A-ASSOCIATE-RQ" else Answered, context)
    read = {key: hexadecimal(inner) if key == "user_items" else inner for key, inner in fields.items()}
    named = NamedPdu(kind, read)
    try:
        named.build(Heard())
    except (TypeError, ValueError, AttributeError, struct.error) as error:
        raise ValueError(f"no {kind} can be made of it: {error}") from error
    return named


def _message(kind: Any, values: Mapping[str, Any]) -> NamedMessage:
    _known(kind, command_set.FIELDS, "message")
    _only(values, (*_MESSAGE_KEYS, *command_set.ELEMENTS))
    options = {key: values[key] for key in _MESSAGE_KEYS if key in values}
    if "data_set" in options:
        options["data_set"] = hexadecimal(options["data_set"])
    named = NamedMessage(kind, {k: v for k, v in values.items() if k not in _MESSAGE_KEYS}, **options)
    try:
        named.build(Heard())
    except (TypeError, ValueError, AttributeError, struct.error) as error:
        raise ValueError(f"no {kind} can be made of it: {error}") from error
    return named


def _context(made: type[Proposed] | type[Answered], written: Mapping[str, Any]) -> Proposed | Answered:
    _only(written, tuple(inspect.signature(made).parameters))
    if missing := {name for name in ("context_id", "abstract_syntax_uid") if name in made.__slots__} - set(written):
        raise ValueError(f"a presentation context needs {' and '.join(sorted(missing))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}
    return made(**values)


def _filled(contexts: Sequence[Any], fill: Mapping[str, Any] | None) -> list[Any]:
    """Return the contexts, and where there is a `fill` one of it for each identifier that is free (PS3.8 9.3.2.2)."""
    if fill is None:
        return list(contexts)
    named = {context.get("context_id"): context for context in contexts}
    return [named.get(number, {"context_id": number, **fill}) for number in range(1, 256, 2)]


def _accepting(heard: Heard) -> dict[str, Any]:
    """Return the fields of an A-ASSOCIATE-AC that accepts what was proposed, each context in its first syntax."""
    if heard.request is None:
        return {"contexts": ()}
    called, calling = titles_in(heard.request)
    contexts = [Answered(c.context_id, c.transfer_syntax_uids[0]) for c in proposed_in(heard.request)]
    return {"contexts": contexts, "called_ae_title": called, "calling_ae_title": calling}


def _known(word: Any, known: Collection[str], what: str) -> Any:
    if word not in known:
        near = difflib.get_close_matches(str(word), known, n=3)
        listed = ", ".join(near or map(str, known)) or "none"
        raise ValueError(f"there is no {what} {word!r} ({'near' if near else 'known'}: {listed})")
    return word


def _only(written: Mapping[str, Any], keys: Collection[str]) -> None:
    for key in written:
        _known(key, keys, "key")
