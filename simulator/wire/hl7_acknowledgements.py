"""HL7 v2 acknowledgements (chapter 2.9 and 2.13): built for the message that they answer, and read back.

MSA-1 is of two kinds: `AA`, `AE`, `AR` say what the application made of a message, `CA`, `CE`, `CR` that it was
committed to safe storage (enhanced mode, 2.9.3). ERR has the form of the message's version: ERR-1 with its
components up to 2.4, ERR-2, ERR-3, ERR-4 and ERR-8 from 2.5 on.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.wire.hl7_segments import APPLICATION_ERROR, Header, encoded, escaped, field, named, parse, segment

COMMIT = frozenset(("CA", "CE", "CR"))
APPLICATION = frozenset(("AA", "AE", "AR"))
CONDITIONS = frozenset(("AL", "NE", "ER", "SU"))
"""HL7 table 0155: always, never, on error or reject alone, on success alone."""

_GOOD = frozenset(("AA", "CA"))
_MEANINGS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    207: "Application internal error",
}
_WITH_ERR_1_ALONE = frozenset(("2.1", "2.2", "2.3", "2.3.1", "2.4"))
_NO_HEADER = Header("", "", "", "", "", "", "P", "2.3.1")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """MSA of an answer: MSA-1 code (`AA`, `AE`, `AR`, `CA`, `CE`, `CR`), MSA-2 control id, MSA-3 text."""

    code: str
    control_id: str
    text: str

    @property
    def commits(self) -> bool:
        """Whether it is a commit acknowledgement."""
        return self.code in COMMIT


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a message: in words, where (`PID-3`, `OBR`, or empty), and its code in HL7 table 0357."""

    text: str
    where: str = ""
    condition: int = APPLICATION_ERROR


def is_asked_for(condition: str, code: str) -> bool:
    """Tell whether an acknowledgement with `code` is asked for by MSH-15 or MSH-16 (HL7 table 0155; empty is never)."""
    return condition == "AL" or condition == ("SU" if code in _GOOD else "ER")


def read_acknowledgement(raw: bytes) -> Acknowledgement:
    """Return MSA of `raw`. Raises `Hl7ParseError` when it is no acknowledgement."""
    message = parse(raw)
    msa = segment(message, "MSA")
    text = field(message, msa, 3)
    for error in named(message, "ERR"):
        text = text or field(message, error, 8) or field(message, error, 1)
    return Acknowledgement(field(message, msa, 1), field(message, msa, 2), text)


def build_acknowledgement(
    header: Header | None, code: str, fault: Fault | None, control_id: str, sent_at: str
) -> bytes:
    """Return the ACK for the message with `header` (None: it had none that could be read).

    It is in the character set of the message, and names it in MSH-18 where the message did or a letter needs it.
    """
    asked = header or _NO_HEADER
    event = asked.message_type.partition("^")[2]
    quoted = [
        escaped(asked.receiving_application),
        escaped(asked.receiving_facility),
        escaped(asked.sending_application),
        escaped(asked.sending_facility),
        sent_at,
        "",
        f"ACK^{escaped(event)}" if event else "ACK",
        control_id,
        escaped(asked.processing_id or "P"),
        escaped(asked.version or "2.3.1"),
    ]
    msh = "MSH|^~\\&|" + "|".join(quoted)
    segments = [f"MSA|{code}|{escaped(asked.control_id)}|{escaped(fault.text) if fault else ''}"]
    if fault is not None:
        segments.append(_err(fault, asked.version or "2.3.1"))
    return _in_its_character_set(msh, segments, asked.character_set)


def _in_its_character_set(msh: str, segments: list[str], declared: str) -> bytes:
    if not declared and "".join([msh, *segments]).isascii():
        return encoded([msh, *segments])
    try:
        return encoded([f"{msh}||||||{declared or 'UNICODE UTF-8'}", *segments], declared)
    except UnicodeEncodeError:  # an escape sequence held a letter that the message's own character set has not
        return encoded([f"{msh}||||||UNICODE UTF-8", *segments])


def _err(fault: Fault, version: str) -> str:
    name, _, number = fault.where.partition("-")
    place = f"{name}^1^{number}" if number else f"{name}^1" if name else ""
    meaning = _MEANINGS[fault.condition]
    if version in _WITH_ERR_1_ALONE:
        at = (place.split("^") + [""] * 3)[:3]
        return f"ERR|{'^'.join(at)}^{fault.condition}&{meaning}&HL70357"
    return f"ERR||{place}|{fault.condition}^{meaning}^HL70357|E||||{escaped(fault.text)}"
