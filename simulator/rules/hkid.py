"""The Hong Kong identity card number (slide "4 Major Keys Verification": HKID) and its check character.

The number is one or two letters and six digits, followed by a check character: `A123456(3)`. The
parentheses are how the card prints the check character; feeds and forms write the number with or without
them, in either case, with spaces, or behind the `HKID:` prefix of the public PID-3 profile.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection

_BODY = re.compile(r"[A-Z]{1,2}[0-9]{6}")
_FULL = re.compile(rf"({_BODY.pattern})([0-9A])")
_PREFIX = "HKID:"

# ASCII alone is folded: str.upper() would turn letters that stand on no card, such as a dotless i, into
# ones that do, and a wrong number would pass.
_FOLD = str.maketrans(string.ascii_lowercase, string.ascii_uppercase, "() ")

# 0-9 count as themselves, A=10 to Z=35, and the space that pads a one-letter prefix counts 36.
_VALUES = {character: value for value, character in enumerate(string.digits + string.ascii_uppercase + " ")}


def canonical(text: str) -> str:
    """Return `text` in upper case, without the `HKID:` prefix, parentheses and spaces. Takes any text."""
    folded = text.translate(_FOLD)
    while folded.startswith(_PREFIX):
        folded = folded.removeprefix(_PREFIX)
    return folded


def printed(text: str) -> str:
    """Return an HKID, in any of its spellings, as the card prints it: the check character in parentheses."""
    number = canonical(text)
    return f"{number[:-1]}({number[-1:]})"


def check_character(body: str) -> str:
    """Return the check character of `body`, the letters and the six digits in canonical form.

    The body is padded on the left to eight characters with a space. Raises `ValueError` for anything else.
    """
    if not _BODY.fullmatch(body):
        raise ValueError(f"an HKID is one or two letters and six digits before its check character: {body!r}")
    return mod11_character(body.rjust(8))


def is_valid(text: str) -> bool:
    """Tell whether `text`, in any of its spellings, is an HKID with the right check character."""
    parts = _FULL.fullmatch(canonical(text))
    return parts is not None and check_character(parts[1]) == parts[2]


def begins_with(text: str, prefixes: Collection[str]) -> bool:
    """Tell whether `text`, in any of its spellings, has one of these prefixes: all the letters before its digits."""
    letters = canonical(text).lstrip()
    return letters[: len(letters) - len(letters.lstrip(string.ascii_uppercase))] in prefixes


def mod11_character(text: str) -> str:
    """Return the check character that makes the weighted sum of `text` and itself divisible by 11.

    The last character of `text` weighs 2, the one before it 3, and so on; the check character weighs 1 and
    is `A` for 10. Raises `ValueError` for a character other than 0-9, A-Z and space.
    """
    unknown = set(text) - _VALUES.keys()
    if unknown:
        raise ValueError(f"only 0-9, A-Z and space have a value in a check sum: {text!r}")
    total = sum(weight * _VALUES[character] for weight, character in enumerate(reversed(text), start=2))
    return "0123456789A"[-total % 11]
