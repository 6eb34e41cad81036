"""What a PDU or a DIMSE message says, field by field, for whoever compares it with what was expected."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from simulator.wire.command_set import ELEMENTS
from simulator.wire.pdu_builders import items, proposed_in, titles_in
from simulator.wire.pdu_stream import Message, Pdu
from simulator.wire.pdus import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, HEAD

_FIXED = 68  # bytes of A-ASSOCIATE-RQ and -AC before their items (PS3.8 tables 9-11, 9-17)
_ANSWERED_CONTEXT, _USER_INFORMATION, _MAXIMUM_LENGTH = 0x21, 0x50, 0x51
_HEXADECIMAL = ("status", "command_field")

FIELDS: Mapping[str, tuple[str, ...]] = {
    "A-ASSOCIATE-RQ": ("called_ae_title", "calling_ae_title", "contexts", "maximum_length"),
    "A-ASSOCIATE-AC": (
        "called_ae_title",
        "calling_ae_title",
        "contexts",
        "accepted",
        "transfer_syntaxes",
        "maximum_length",
    ),
    "A-ASSOCIATE-RJ": ("result", "source", "reason"),
    "A-ABORT": ("source", "reason"),
    "HL7": ("code", "control_id"),
}
"""The fields of each kind. Those of a DIMSE message are the elements of its command set (`MESSAGE_FIELDS`)."""

PDUS_WITHIN = "pdus_within"
"""Of a DIMSE message: how long the longest P-DATA-TF was that it came in; what is expected is a limit (PS3.8 D.1)."""

MESSAGE_FIELDS = (*ELEMENTS, PDUS_WITHIN)


def of_pdu(pdu: Pdu) -> dict[str, Any]:
    """Return the fields of a PDU.

    contexts: by id, the abstract syntax proposed, or the result (PS3.8 9.3.3.2). accepted: contexts with result 0.
    transfer_syntaxes: by id, that of each context that was accepted.
    """
    if pdu.kind in (ASSOCIATE_RJ, ABORT):
        fields = dict(zip(("result", "source", "reason"), pdu.raw[HEAD + 1 : HEAD + 4], strict=False))
        return (
            fields if pdu.kind == ASSOCIATE_RJ else {key: fields[key] for key in ("source", "reason") if key in fields}
        )
    if pdu.kind not in (ASSOCIATE_RQ, ASSOCIATE_AC):
        return {}
    called, calling = titles_in(pdu)
    content = list(items(pdu.raw[HEAD + _FIXED :]))
    contexts: dict[int, Any] = {each.context_id: each.abstract_syntax_uid for each in proposed_in(pdu)} or {
        value[0]: value[2] for kind, value in content if kind == _ANSWERED_CONTEXT and len(value) > 2
    }
    accepted = {
        value[0]: uid.rstrip(b"\0 ").decode("latin-1")
        for kind, value in content
        if kind == _ANSWERED_CONTEXT and len(value) > 2 and value[2] == 0
        for _, uid in items(value[4:])
    }
    inner = [sub for kind, value in content if kind == _USER_INFORMATION for sub in items(value)]
    lengths = [struct.unpack(">L", value)[0] for kind, value in inner if kind == _MAXIMUM_LENGTH and len(value) == 4]
    told: dict[str, Any] = {"called_ae_title": called, "calling_ae_title": calling, "contexts": contexts}
    if pdu.kind == ASSOCIATE_AC:
        told |= {"accepted": len(accepted), "transfer_syntaxes": accepted}
    return told | ({"maximum_length": lengths[0]} if lengths else {})


def of_message(message: Message) -> dict[str, Any]:
    """Return the elements of a command set by name: numbers, texts, and statuses as four hexadecimal digits."""
    found: dict[str, Any] = {}
    for name, element in ELEMENTS.items():
        if element not in message.command.elements:
            continue
        number = None if name.endswith("_uid") or name == "error_comment" else message.command.number(element)
        value = message.command.text(element) if number is None else number
        found[name] = f"{value:04X}" if name in _HEXADECIMAL and isinstance(value, int) else value
    return found


def of_acknowledgement(raw: bytes) -> dict[str, Any]:
    """Return MSA-1 and MSA-2 of an HL7 acknowledgement; nothing where there is no MSA."""
    segments = [segment.split("|") for segment in raw.decode("latin-1").split("\r")]
    msa = next((fields for fields in segments if fields[0].endswith("MSA")), [])
    return dict(zip(("code", "control_id"), msa[1:3], strict=False))


def differences(said: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return what is not as expected, a sentence each; of contexts, those that are named are compared."""
    found = []
    for name, wanted in expected.items():
        value = said.get(name)
        if name == PDUS_WITHIN:
            found += (
                [f"a P-DATA-TF of {value} bytes came; {wanted} at most may"] if value is None or value > wanted else []
            )
        elif isinstance(wanted, Mapping) and isinstance(value, Mapping):
            wrong = {key: value.get(key) for key, each in wanted.items() if value.get(key) != each}
            found += [f"{name} {key} is {_told(value)}, not {wanted[key]}" for key, value in wrong.items()]
        elif value != wanted:
            found.append(f"{name} is {_told(value)}, not {wanted}")
    return found


def _told(value: Any) -> str:
    return "missing" if value is None else str(value)
