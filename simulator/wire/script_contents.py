"""What a step of a script sends: bytes, PDUs and DIMSE messages, right or wrong; `pdu_script` has the grammar."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import itertools
import re
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.wire import command_set, pdu_builders
from simulator.wire.command_set import CommandSet
from simulator.wire.pdu_builders import Answered, Proposed, proposed_in, titles_in
from simulator.wire.pdu_stream import Message, Pdu, Pdv
from simulator.wire.pdus import HEAD
from simulator.wire.terms import Outgoing


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
        if "pdvs" in fields:
            fields["pdvs"] = [_pdv(**pdv) for pdv in fields["pdvs"]]
        pdu = _BUILDERS[self.kind](**fields)
        return pdu if length is None else pdu[:2] + struct.pack(">L", length) + pdu[HEAD:]


@dataclass(frozen=True, slots=True)
class NamedMessage:
    """A DIMSE message to send, by its kind and the elements of its command set.

    instance: `NAME#N`, whose SOP class, SOP instance and data set a C-STORE-RQ is about; see `with_instance`.
    data_set_context_id: where the data set goes in another context than the command set. group_length: a wrong one.
    ends: whether the last fragment says that it is the last. in_one_pdu: all PDVs stand in one P-DATA-TF.
    """

    kind: str
    elements: Mapping[str, int | str] = field(default_factory=dict)
    context_id: int | None = None
    data_set: bytes = b""
    maximum_length: int = 16384
    instance: str = ""
    data_set_context_id: int | None = None
    group_length: int | None = None
    ends: bool = True
    in_one_pdu: bool = False

    def build(self, heard: Heard) -> bytes:
        """Return its bytes."""
        return b"".join(self.pdus(heard))

    def pdus(self, heard: Heard) -> list[bytes]:
        """Return its PDUs."""
        pdvs = list(self._pdvs(heard))
        if not self.ends:
            pdvs[-1] = dataclasses.replace(pdvs[-1], control=pdvs[-1].control & ~_LAST)
        return [pdu_builders.p_data(some) for some in ([pdvs] if self.in_one_pdu else [[pdv] for pdv in pdvs])]

    def with_instance(self, outgoing: Outgoing) -> NamedMessage:
        """Return the message with the data set of its instance; elements that it names itself stay."""
        about = {
            "affected_sop_class_uid": outgoing.sop_class_uid,
            "affected_sop_instance_uid": outgoing.sop_instance_uid,
        }
        return dataclasses.replace(self, elements={**about, **self.elements}, data_set=outgoing.data_set, instance="")

    def _pdvs(self, heard: Heard) -> Iterator[Pdv]:
        context_id = self.context_id or (heard.message.context_id if heard.message else 1)
        command = self._command(heard).encode(self.group_length)
        yield from pdu_builders.fragments(command, context_id, command=True, maximum_length=self.maximum_length)
        if self.data_set:
            other = self.data_set_context_id or context_id
            yield from pdu_builders.fragments(self.data_set, other, command=False, maximum_length=self.maximum_length)

    def _command(self, heard: Heard) -> CommandSet:
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
        return base.but(**{**whole, **self.elements})


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Messages to send whose PDUs take turns, which the standard forbids (PS3.8 annex E)."""

    messages: tuple[NamedMessage, ...]

    def build(self, heard: Heard) -> bytes:
        """Return their bytes."""
        turns = itertools.zip_longest(*(message.pdus(heard) for message in self.messages), fillvalue=b"")
        return b"".join(itertools.chain.from_iterable(turns))


Content = Bytes | FromFile | NamedPdu | NamedMessage | Interleaved

_BUILDERS: Mapping[str, Callable[..., bytes]] = {
    "A-ASSOCIATE-RQ": pdu_builders.associate_rq,
    "A-ASSOCIATE-AC": pdu_builders.associate_ac,
    "A-ASSOCIATE-RJ": pdu_builders.associate_rj,
    "A-RELEASE-RQ": pdu_builders.release_rq,
    "A-RELEASE-RP": pdu_builders.release_rp,
    "A-ABORT": pdu_builders.abort,
    "P-DATA-TF": pdu_builders.p_data,
}
_NEEDED = {"A-ASSOCIATE-RQ": "contexts", "P-DATA-TF": "pdvs"}
_COMMAND, _LAST = 0x01, 0x02  # of the message control header (PS3.8 E.2)
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]*#[1-9][0-9]*")
_MESSAGE_KEYS = (
    "context_id",
    "data_set",
    "maximum_length",
    "instance",
    "data_set_context_id",
    "group_length",
    "ends",
    "in_one_pdu",
)
_CONTENTS = ("hex", "file", "pdu", "message", "interleaved", "hl7", "text")


def content(value: Any) -> Content:
    """Return what a `send` describes. Raises `ValueError` in words with near misses."""
    if not isinstance(value, Mapping):
        raise ValueError(f"send takes a mapping with one of {', '.join(_CONTENTS)}")
    named = [key for key in _CONTENTS if key in value]
    if len(named) != 1:
        raise ValueError(f"send takes one of {', '.join(_CONTENTS)}; here are {', '.join(map(str, value)) or 'none'}")
    what = value[named[0]]
    others = {key: inner for key, inner in value.items() if key != named[0]}
    match named[0]:
        case "pdu":
            return _pdu(what, others)
        case "message":
            return _message(what, others)
    only(value, named)
    match named[0]:
        case "hex":
            return Bytes(hexadecimal(what))
        case "file":
            return FromFile(str(what))
        case "interleaved":
            return _interleaved(what)
        case "hl7":
            return Bytes(_block(str(what)))
        case _:
            return Bytes(str(what).encode())


def messages_in(what: Content) -> tuple[NamedMessage, ...]:
    """Return the DIMSE messages that are sent by their name."""
    return what.messages if isinstance(what, Interleaved) else (what,) if isinstance(what, NamedMessage) else ()


def _interleaved(messages: Any) -> Interleaved:
    if not isinstance(messages, Sequence) or not all(isinstance(each, Mapping) for each in messages):
        raise ValueError("interleaved takes a list of messages")
    built = [content({"message": "", **each}) for each in messages]
    return Interleaved(tuple(each for each in built if isinstance(each, NamedMessage)))


def _block(text: str) -> bytes:
    """Return an MLLP block (HL7 v2.3.1 appendix C) of the segments that stand on the lines of `text`."""
    return b"\x0b" + "".join(f"{line.strip()}\r" for line in text.splitlines()).encode() + b"\x1c\r"


def _pdu(kind: Any, fields: Mapping[str, Any]) -> NamedPdu:
    known(kind, _BUILDERS, "PDU")
    parameters = inspect.signature(_BUILDERS[kind]).parameters
    only(fields, (*parameters, "length", *(("fill",) if kind == "A-ASSOCIATE-RQ" else ())))
    needed = _NEEDED.get(kind)
    if needed and needed not in fields:
        raise ValueError(f"a{'n' * (kind[0] == 'A')} {kind} needs {needed} (an empty list for none)")
    for pdv in fields.get("pdvs", ()):
        only(pdv, tuple(inspect.signature(_pdv).parameters))
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
    known(kind, command_set.FIELDS, "message")
    only(values, (*_MESSAGE_KEYS, *command_set.ELEMENTS))
    options = {key: values[key] for key in _MESSAGE_KEYS if key in values}
    if "data_set" in options:
        options["data_set"] = hexadecimal(options["data_set"])
    if (instance := options.get("instance")) is not None and not _INSTANCE.fullmatch(str(instance)):
        raise ValueError(f"instance: {instance!r} is no instance of a study; the first of study `a` is a#1")
    for key in ("ends", "in_one_pdu"):
        if not isinstance(options.get(key, True), bool):
            raise ValueError(f"{key}: {options[key]!r} is neither true nor false")
    named = NamedMessage(kind, {k: v for k, v in values.items() if k not in _MESSAGE_KEYS}, **options)
    try:
        named.build(Heard())
    except (TypeError, ValueError, AttributeError, struct.error) as error:
        raise ValueError(f"no {kind} can be made of it: {error}") from error
    return named


def _context(made: type[Proposed] | type[Answered], written: Mapping[str, Any]) -> Proposed | Answered:
    only(written, tuple(inspect.signature(made).parameters))
    if missing := {name for name in ("context_id", "abstract_syntax_uid") if name in made.__slots__} - set(written):
        raise ValueError(f"a presentation context needs {' and '.join(sorted(missing))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}
    return made(**values)


def _pdv(context_id: int, hex: str = "", command: bool = False, last: bool = True) -> Pdv:
    return Pdv(context_id, _COMMAND * command | _LAST * last, hexadecimal(hex))


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


def hexadecimal(text: str) -> bytes:
    """Return the bytes written in hexadecimal; spaces and lines do not matter, `#` begins a comment.

    Raises `ValueError` in words.
    """
    digits = " ".join(line.partition("#")[0] for line in text.splitlines())
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ValueError(f"not hexadecimal: {error}") from error


def known(word: Any, words: Collection[str], what: str) -> Any:
    """Return the word. Raises `ValueError` with near misses when it is none of the words."""
    if word not in words:
        near = difflib.get_close_matches(str(word), words, n=3)
        listed = ", ".join(near or map(str, words)) or "none"
        raise ValueError(f"there is no {what} {word!r} ({'near' if near else 'known'}: {listed})")
    return word


def only(written: Mapping[str, Any], keys: Collection[str]) -> None:
    """Raise `ValueError` with near misses for a key that is none of these."""
    for key in written:
        known(key, keys, "key")
