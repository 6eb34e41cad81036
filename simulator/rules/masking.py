"""Masks what identifies a patient, for logs: names, HKIDs, dates of birth.

`key` masks a value that is known to be one; `line` masks what looks like one in a text of unknown origin, such as
the message of an exception or the words of a library. A name of one word looks like any other word: `line` is the
net below code that puts no received value into a log, and does not replace it. `shape` and `shape_of_bytes` are for
reports in which the form of a value is the point (parentheses around a check character, a caret too many): they
leave its length and its punctuation, and take every letter and digit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

MASK = "***"

# One or two letters, six digits and a check character, however it is spelled, and with digits too many or too few.
_HKID = re.compile(r"(?<![0-9A-Za-z.])[A-Za-z]{1,2}[0-9]{5,7} ?\(?[0-9A-Za-z]?\)?(?![0-9A-Za-z])")
# A PN or XPN: something around carets, and the capitals behind it, which are given names. `ORM^O01` is none.
_MESSAGE_TYPE = re.compile(r"(?:ORM|OMI|ORU|ADT|ACK|ORR|QRY|OMG|ORG|ORL|SIU|MDM|BAR|DFT|RDE)\^[A-Z][0-9]{2}")
_MESSAGE_TYPES = re.compile(rf"\b{_MESSAGE_TYPE.pattern}(?:\^[A-Z]{{3}}_[A-Z0-9]{{3}})?\b")
_NAME = re.compile(r"([^\s^|\\'\",;:]*(?:\^+[^\s^|\\'\",;:]*)+)((?:[ ^]+[A-Z][A-Z'^-]*\b(?:=[^\s,;:]*)?)*)")
# What foreign code quotes may be anything that was received.
_QUOTED = re.compile(r"b?'(?:[^'\\\n]|\\.)*'|b?\"(?:[^\"\\\n]|\\.)*\"")
_COMMENT = re.compile(r'".*"')
_UID = re.compile(r"[0-9.]{1,64}")
# As DICOM and HL7 write a date, alone; what stands within a UID, a time or a longer number is none.
_BIRTH_DATE = re.compile(
    r"(?<![0-9A-Za-z.])(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9A-Za-z]|\.[0-9])"
)
_PATIENT_SEGMENT = re.compile(r"\b(?:PID|NK1|MRG|GT1|IN1)\|([^\r\n]*)")
# Runs of text in what is binary: ASCII that prints, escape sequences, and bytes of other character sets.
_TEXT_IN_BYTES = re.compile(rb"[\x1b\x20-\x7e\x80-\xff]{2,}")
_AS_LETTERS = bytes(byte if 0x20 <= byte < 0x7F else ord("x") for byte in range(256))
_HL7_SEGMENT = re.compile(r"\b(PID|NK1|PV1|IN1|MRG|GT1|OBR|ORC|OBX|ZDS|NTE)\|[^\r\n]*")


def key(stem: str, text: str) -> str:
    """Return a major key, masked: what is left tells that it changed, and not whose it is.

    stem: of `identity.STEMS`. Of a name the first letter of each part, of an HKID the first letter, of a date of
    birth nothing; the sex stays, since it identifies nobody.
    """
    if not text or stem == "sex":
        return text[:16]
    if stem == "name":
        parts = [part[:1] + MASK if part else "" for part in text.partition("=")[0].split("^")]
        return "^".join(parts)
    return text[:1] + MASK if stem == "hkid" else MASK


def uid(text: str) -> str:
    """Return a UID that a peer sent; of what is none, since it could be anything, only how long it is."""
    return text if _UID.fullmatch(text) else f"(no UID, {len(text)} characters)"


def line(text: str) -> str:
    """Return `text` with everything in it masked that looks like a name, an HKID or the body of an HL7 segment."""
    text = _HL7_SEGMENT.sub(rf"\1|{MASK}", text)
    return _HKID.sub(MASK, _NAME.sub(_masked_name, text))


def foreign(text: str) -> str:
    """Return the words of an exception or library, in which everything that is quoted is masked as well."""
    return line(_QUOTED.sub(MASK, text))


def comment(text: str) -> str:
    """Return words of our own in which everything between double quotes, as a peer's Error Comment, is masked."""
    return line(_COMMENT.sub(MASK, text))


def shape(text: str, known: Collection[str] = ()) -> str:
    """Return `text`, with `*` for each letter and digit of what looks like a name, an HKID or a date of birth.

    known: names and other values of people that are masked wherever they stand alone, as words that look like any.
    """
    letters = list(text)
    for start, end in _places(text, known):
        letters[start:end] = ("*" if letter.isalnum() else letter for letter in letters[start:end])
    return "".join(letters)


def shape_of_bytes(data: bytes, known: Collection[str] = ()) -> bytes:
    """Return bytes that were on the wire, of the same length, masked as `shape` masks text.

    Bytes of other character sets than ASCII count as letters. They are looked for in UTF-8 and GB18030.
    """
    masked = bytearray(data)
    for run in _TEXT_IN_BYTES.finditer(data):
        for start, end in _places(run[0].translate(_AS_LETTERS).decode("ascii"), known):
            for place in range(run.start() + start, run.start() + end):
                masked[place] = _masked_byte(masked[place])
    for value in (value.encode(charset) for value in known if not value.isascii() for charset in ("utf-8", "gb18030")):
        start = data.find(value)
        while start >= 0:
            masked[start : start + len(value)] = b"*" * len(value)
            start = data.find(value, start + 1)
    return bytes(masked)


def _masked_byte(byte: int) -> int:
    return ord("*") if byte >= 0x80 or byte == 0x1B or chr(byte).isalnum() else byte


def _places(text: str, known: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield from where to where something stands that may identify a patient."""
    for found in _PATIENT_SEGMENT.finditer(text):
        yield found.span(1)
    for pattern in (_HKID, _BIRTH_DATE):
        for found in pattern.finditer(text):
            yield found.span()
    for found in _NAME.finditer(_MESSAGE_TYPES.sub(lambda kind: "-" * len(kind[0]), text)):
        if any(letter.isalpha() for letter in found[0]):
            yield found.span()
    for value in known:
        # A name of one word is one only as it is written in registers: `SO` and not `so`.
        folded = re.IGNORECASE if " " in value else re.NOFLAG
        for found in re.finditer(rf"(?<![0-9A-Za-z]){re.escape(value)}(?![0-9A-Za-z])", text, folded):
            yield found.span()


def _masked_name(found: re.Match[str]) -> str:
    return found[0] if _MESSAGE_TYPE.fullmatch(found[1]) else MASK
