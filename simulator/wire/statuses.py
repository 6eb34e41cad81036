"""What statuses and failure reasons mean, in the standard's words.

Those of C-STORE responses: PS3.7 Annex C, PS3.4 B.2.3. Those of N-ACTION and N-EVENT-REPORT: PS3.7 Annex C. Failure
Reasons (0008,1197) of storage commitment: PS3.3 C.14.1.1.
"""

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
_OF_NOTIFICATIONS_AND_ACTIONS: Mapping[int, str] = {
    0x0000: "success",
    0x0110: "processing failure",
    0x0112: "no such SOP instance",
    0x0113: "no such event type",
    0x0114: "no such argument",
    0x0115: "invalid argument value",
    0x0117: "invalid object instance",
    0x0118: "no such SOP class",
    0x0119: "class-instance conflict",
    0x0122: "SOP class not supported",
    0x0123: "no such action",
    0x0124: "not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
}
_FAILURE_REASONS: Mapping[int, str] = {
    0x0110: "processing failure",
    0x0112: "no such object instance",
    0x0119: "class/instance conflict",
    0x0122: "referenced SOP class not supported",
    0x0131: "duplicate Transaction UID",
    0x0213: "resource limitation",
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


def is_failure(status: int) -> bool:
    """Tell whether a status says that nothing was done (PS3.7 Annex C): neither success, nor a warning, nor pending."""
    return status not in (0x0000, 0x0001, 0x0107, 0x0116) and status >> 12 != 0xB and status not in (0xFF00, 0xFF01)


def told_of_normalised(status: int) -> str:
    """Return a status of an N-ACTION or N-EVENT-REPORT response with its words: `0112 (no such SOP instance)`."""
    return f"{status:04X} ({_OF_NOTIFICATIONS_AND_ACTIONS.get(status, 'no status of the standard')})"


def told_failure_reason(reason: int) -> str:
    """Return a Failure Reason (0008,1197) with its words: `0112 (no such object instance)`."""
    return f"{reason:04X} ({_FAILURE_REASONS.get(reason, 'no failure reason of the standard')})"
