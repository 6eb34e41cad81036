"""Masks what identifies a patient, for logs: names, HKIDs, dates of birth.

`key` masks a value that is known to be one; `line` masks what looks like one in a text of unknown origin, such as
the message of an exception or the words of a library. A name of one word looks like any other word: `line` is the
net below code that puts no received value into a log, and does not replace it.
"""

from __future__ import annotations

import re

MASK = "***"

# One or two letters, six digits and a check character, however it is spelled, and with digits too many or too few.
_HKID = re.compile(r"(?<![0-9A-Za-z.])[A-Za-z]{1,2}[0-9]{5,7} ?\(?[0-9A-Za-z]?\)?(?![0-9A-Za-z])")
# A PN or XPN: something around carets, and the capitals behind it, which are given names. `ORM^O01` is none.
_MESSAGE_TYPE = re.compile(r"(?:ORM|OMI|ORU|ADT|ACK|ORR|QRY|OMG|ORG|ORL|SIU|MDM|BAR|DFT|RDE)\^[A-Z][0-9]{2}")
_NAME = re.compile(r"([^\s^|\\'\",;:]*(?:\^+[^\s^|\\'\",;:]*)+)((?:[ ^]+[A-Z][A-Z'^-]*\b(?:=[^\s,;:]*)?)*)")
# What foreign code quotes may be anything that was received.
_QUOTED = re.compile(r"b?'(?:[^'\\\n]|\\.)*'|b?\"(?:[^\"\\\n]|\\.)*\"")
_COMMENT = re.compile(r'".*"')
_UID = re.compile(r"[0-9.]{1,64}")
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


def _masked_name(found: re.Match[str]) -> str:
    return found[0] if _MESSAGE_TYPE.fullmatch(found[1]) else MASK
