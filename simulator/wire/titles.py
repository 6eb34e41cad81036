"""AE titles as they go over the wire: also such as no standard allows and real devices send."""

from __future__ import annotations

from typing import Any

from pynetdicom.pdu import A_ASSOCIATE_RQ

from simulator.errors import UsageError

_LENGTH = 16  # PS3.8 9.3.2
_TITLES = slice(10, 42)  # called, then calling, in an A-ASSOCIATE-RQ


def on_the_wire(title: str) -> bytes:
    """Return an AE title as its 16 bytes, padded with spaces. Raises `UsageError` for one that has no room there."""
    try:
        encoded = title.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UsageError(f"AE title {title!r} cannot be sent: it goes as bytes of Latin-1") from error
    if not 0 < len(encoded) <= _LENGTH:
        raise UsageError(f"AE title {title!r} cannot be sent: it has 1 to 16 characters")
    return encoded.ljust(_LENGTH)


def printable(title: str) -> str:
    """Return a title that the library below takes for one; what goes out is `on_the_wire`."""
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in title).strip()[:_LENGTH] or "?"


def send_titles(association: Any, titles: bytes) -> None:
    """Have the A-ASSOCIATE-RQ of an association go out with these 32 bytes of titles, called first."""
    send = association.dul._send

    def with_titles(pdu: Any) -> None:
        if isinstance(pdu, A_ASSOCIATE_RQ):
            encode = pdu.encode
            pdu.encode = lambda: _with(encode(), titles)  # type: ignore[method-assign]
        send(pdu)

    association.dul._send = with_titles


def _with(encoded: bytes, titles: bytes) -> bytes:
    return encoded[: _TITLES.start] + titles + encoded[_TITLES.stop :]
