"""What the statuses of C-STORE responses mean, in the standard's words (PS3.7 Annex C, PS3.4 B.2.3)."""

from __future__ import annotations

from collections.abc import Mapping

# Those of PS3.7 Annex C that C-STORE has (PS3.7 9.1.1.1.9), and those that PS3.4 table B.2-1 names one by one.
_WORDS: Mapping[int, str] = {
    0x0000: "success",
    0x0001: "requested optional attributes are not supported",
    0x0107: "attribute list error",
    0x0116: "attribute value out of range",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class",
}
_FAMILIES: Mapping[int, str] = {
    0xA7: "out of resources",
    0xA9: "data set does not match SOP class",
}
_CANNOT_UNDERSTAND = range(0xC000, 0xD000)


def words(status: int) -> str:
    """Return what a status of a C-STORE response says; empty for one that the standard does not define for it."""
    if status in _CANNOT_UNDERSTAND:
        return "cannot understand"
    return _WORDS.get(status) or _FAMILIES.get(status >> 8, "")


def told(status: int) -> str:
    """Return the status as the standard prints it, with its words: `A700 (out of resources)`."""
    meaning = words(status) or "no status of C-STORE"
    return f"{status:04X} ({meaning})"
