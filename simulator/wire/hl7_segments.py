"""HL7 v2 syntax: a message becomes segments and fields, in its own character set, and back.

What stands in which field is the business of `hl7_messages` (orders), `hl7_patients` (ADT) and `hl7_acknowledgements`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import hl7

from simulator.errors import Hl7ParseError

# HL7 table 0357, the error conditions that ERR (and ERR-3 since 2.5) may name.
SEGMENT_SEQUENCE, REQUIRED_FIELD, DATA_TYPE, TABLE_VALUE = 100, 101, 102, 103
UNSUPPORTED_TYPE, UNSUPPORTED_PROCESSING_ID, UNSUPPORTED_VERSION = 200, 202, 203
UNKNOWN_KEY, DUPLICATE_KEY, APPLICATION_ERROR = 204, 205, 207

READABLE_VERSIONS = frozenset(("2.3", "2.3.1", "2.4", "2.5", "2.5.1"))

# MSH-18 (HL7 table 0211) -> Python codec; absent means ASCII, of which UTF-8 is the superset met in practice.
_CODECS = {
    "": "utf-8",
    "ASCII": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "8859/1": "latin-1",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5hkscs",
}
_ESCAPES = (
    ("\\", "\\E\\"),
    ("|", "\\F\\"),
    ("^", "\\S\\"),
    ("&", "\\T\\"),
    ("~", "\\R\\"),
    ("\r", "\\X0D\\"),
    ("\n", "\\X0A\\"),
)
# MSH-1 is any one character, MSH-2 the four that part and escape, and a fifth for truncation since version 2.7.
_MSH = re.compile(r"MSH([^\w\s])((?:(?!\1)[^\w\s]){4,5})\1", re.ASCII)
_HEXADECIMAL = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")


@dataclass(frozen=True, slots=True)
class Header:
    """What an acknowledgement needs from MSH of the message it answers.

    `accept_acknowledgement` and `application_acknowledgement` are MSH-15 and MSH-16 (HL7 table 0155), both empty in the
    original acknowledgement mode; `character_set` is MSH-18, first repetition, as it stands.
    """

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    message_type: str
    control_id: str
    processing_id: str
    version: str
    accept_acknowledgement: str = ""
    application_acknowledgement: str = ""
    character_set: str = ""


def read_header(raw: bytes) -> Header:
    """Return MSH of `raw`. Raises `Hl7ParseError` when it is no HL7 message."""
    return header(parse(raw))


def glance(raw: bytes) -> Header | None:
    """Return MSH of a message that cannot be read, as far as it can be, or None: who refuses it can still name it."""
    first = raw.replace(b"\n", b"\r").split(b"\r", 1)[0]
    try:
        return replace(header(_parted(first.decode("ascii", "replace"))), character_set="")
    except Hl7ParseError:
        return None


def parse(raw: bytes) -> hl7.Message:
    """Return the message; segments may end in any line end, and empty lines do not count."""
    if not raw.startswith(b"MSH"):
        raise Hl7ParseError(f"the message does not begin with MSH (found {raw[:8]!r})")
    try:
        return _parted(raw.decode(_codec(raw)))
    except UnicodeDecodeError as error:
        raise Hl7ParseError(f"the message is not in the character set of its MSH-18: {error}") from error


def header(message: hl7.Message) -> Header:
    """Return MSH. Raises `Hl7ParseError` when there is more than one."""
    if len(named(message, "MSH")) > 1:
        raise Hl7ParseError("the block holds more than one message (MSH)")
    msh = message.segment("MSH")
    return Header(
        sending_application=field(message, msh, 3),
        sending_facility=field(message, msh, 4),
        receiving_application=field(message, msh, 5),
        receiving_facility=field(message, msh, 6),
        message_type="^".join(filter(None, (field(message, msh, 9, c) for c in (1, 2)))),
        control_id=field(message, msh, 10),
        processing_id=field(message, msh, 11),
        version=field(message, msh, 12),
        accept_acknowledgement=field(message, msh, 15),
        application_acknowledgement=field(message, msh, 16),
        character_set=field(message, msh, 18),
    )


def named(message: hl7.Message, name: str) -> list[hl7.Segment]:
    """Return every segment of that name, in their order."""
    return [each for each in message if str(each[0]) == name]


def segment(message: hl7.Message, name: str) -> hl7.Segment:
    """Return the first segment of that name. Raises `Hl7ParseError` when there is none."""
    found = named(message, name)
    if not found:
        raise Hl7ParseError(f"segment {name} is missing", where=name, condition=SEGMENT_SEQUENCE)
    return found[0]


def field(message: hl7.Message, of: hl7.Segment, number: int, component: int = 1) -> str:
    """Return one component of the first repetition, unescaped, without outer spaces; empty when absent or null."""
    return value(message, of, number, component) or ""


def value(message: hl7.Message, of: hl7.Segment, number: int, component: int = 1) -> str | None:
    """Return the same, but None when it is absent: a null (`""`) asks to delete a value, an absent one to keep it."""
    if number >= len(of):
        return None
    _, _, repetition, separator, part = message.separators
    components = str(of[number]).split(repetition)[0].split(separator)
    if component > len(components):
        return None
    text = _unescaped(components[component - 1].split(part)[0], message).strip()
    return "" if text == '""' else text or None


def person_name(message: hl7.Message, pid: hl7.Segment) -> str | None:
    """Return PID-5 as a DICOM PN, or None when it is absent.

    XPN has suffix before prefix, PN has prefix before suffix (PS3.5 6.2.1.1).
    """
    values = [value(message, pid, 5, component) for component in range(1, 6)]
    if all(each is None for each in values):
        return None
    family, given, middle, suffix, prefix = (each or "" for each in values)
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")


def xpn(patient_name: str) -> str:
    """Return a DICOM PN as PID-5, escaped."""
    family, given, middle, prefix, suffix = (patient_name.split("^") + [""] * 5)[:5]
    return "^".join(escaped(part) for part in (family, given, middle, suffix, prefix)).rstrip("^")


def escaped(text: str) -> str:
    """Return `text` as it stands in a field (HL7 v2, 2.7)."""
    for plain, sequence in _ESCAPES:
        text = text.replace(plain, sequence)
    return text


def line(name: str, fields: dict[int, str]) -> str:
    """Return a segment from its fields by number; the values are escaped already."""
    return "|".join([name, *(fields.get(index, "") for index in range(1, max(fields) + 1))])


def encoded(segments: list[str], character_set: str = "") -> bytes:
    """Return segments as a message in the character set that MSH-18 names. Raises `UnicodeEncodeError`."""
    return "".join(f"{segment}\r" for segment in segments).encode(_CODECS[character_set.upper()])


def _parted(text: str) -> hl7.Message:
    lines = text.replace("\n", "\r").split("\r")
    separators = _MSH.match(lines[0])
    # The library takes the characters by their places, and stumbles over two that are the same.
    if separators is None or len(set(separators[2])) < len(separators[2]):
        raise Hl7ParseError(f"MSH-1 and MSH-2 do not say how the message is parted (found {lines[0][:9]!r})")
    # It also loses a segment that has no field at all.
    whole = (line if separators[1] in line else line + separators[1] for line in lines if line.strip())
    try:
        return hl7.parse("\r".join(whole))
    except hl7.HL7Exception as error:
        raise Hl7ParseError(f"the message cannot be parsed: {error}") from error


def _codec(raw: bytes) -> str:
    """Return the codec that MSH-18 declares. MSH-1 is the separator itself, so MSH-18 is the 18th piece."""
    msh = raw.replace(b"\n", b"\r").split(b"\r", 1)[0]
    separator, repetition = msh[3:4] or b"|", msh[5:6] or b"~"
    pieces = msh.split(separator)
    declared = pieces[17].split(repetition)[0].decode("ascii", "replace").strip() if len(pieces) > 17 else ""
    if declared.upper() not in _CODECS:
        known = ", ".join(filter(None, _CODECS))
        raise Hl7ParseError(
            f"MSH-18 declares the character set {declared!r}; known: {known}", where="MSH-18", condition=TABLE_VALUE
        )
    return _CODECS[declared.upper()]


def _unescaped(text: str, message: hl7.Message) -> str:
    """Return `text` with its escape sequences replaced (HL7 v2, 2.7); those that only format are left out.

    Not the library's `unescape`: `extract_field` applies it by itself or not, as the field is parted or not.
    """
    _, separator, repetition, component, part = message.separators
    plain: dict[str, str] = {"F": separator, "S": component, "T": part, "R": repetition, "E": message.esc, ".br": "\r"}

    def replacement(found: re.Match[str]) -> str:
        if data := _HEXADECIMAL.fullmatch(found[1]):
            return bytes.fromhex(data[1]).decode("utf-8", "replace")
        return plain.get(found[1], "")

    escape = re.escape(message.esc)
    return re.sub(f"{escape}([^{escape}]*){escape}", replacement, text)
