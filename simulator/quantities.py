"""Sizes and durations as a person writes them in a site profile: `1 GiB`, `30 d`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DURATIONS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")


def _number(value: Any, units: dict[str, int]) -> Any:
    """Return a quantity in its smallest unit; a number is that already. Raises `ValueError`."""
    if not isinstance(value, str):
        return value
    found = _QUANTITY.fullmatch(value.strip())
    if found is None or found[2] not in units:
        raise ValueError(f"write a number and a unit: {', '.join(units)}")
    return float(found[1]) * units[found[2]]


def _size(value: Any) -> Any:
    number = _number(value, _SIZES)
    return int(number) if isinstance(number, float) else number


def _duration(value: Any) -> Any:
    return _number(value, _DURATIONS)


Size = Annotated[int, Field(ge=0), BeforeValidator(_size, json_schema_input_type=int | str)]
"""Bytes; written as a number, or with a unit: B, KiB, MiB, GiB, TiB."""

Duration = Annotated[float, Field(ge=0), BeforeValidator(_duration, json_schema_input_type=float | str)]
"""Seconds; written as a number, or with a unit: s, min, h, d."""


def size_text(size: int) -> str:
    """Return a size for a person: in the largest unit of which there is at least one, rounded down to a tenth."""
    unit = next((unit for unit in reversed(_SIZES) if size >= _SIZES[unit]), "B")
    tenths = size * 10 // _SIZES[unit]
    return f"{tenths // 10}.{tenths % 10} {unit}" if tenths % 10 and unit != "B" else f"{tenths // 10} {unit}"
