"""Numbers and choices drawn from a seed text by SHA-256: the same on every machine and Python version.

`random` promises that only for `Random.random()`, NumPy for nothing but its raw bit streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


def digest(*parts: object) -> bytes:
    """Return the SHA-256 (32 bytes) of the texts of `parts`; ("ab", "c") and ("a", "bc") differ."""
    texts = [str(part).encode("utf-8") for part in parts]
    return hashlib.sha256(b"".join(b"%d:%b" % (len(text), text) for text in texts)).digest()


def number(below: int, *parts: object) -> int:
    """Return an integer in [0, `below`) drawn from `parts`; the bias is under 2**-128 for any size used here."""
    return int.from_bytes(digest(*parts), "big") % below


def choice(options: Sequence[_T], *parts: object) -> _T:
    """Return one of `options` drawn from `parts`."""
    return options[number(len(options), *parts)]


def noise(size: int, *parts: object) -> bytes:
    """Return `size` bytes of SHAKE-256 output over `parts`; different parts give different bytes."""
    return hashlib.shake_256(digest(*parts)).digest(size)
