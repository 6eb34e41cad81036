"""Breaks the expectations of a case one at a time, as a slip in a scenario file would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from simulator.scenario.model import Case

_COUNTS = ("answers", "failure_reasons", "rejected", "broken", "error_comments")
_OTHER = {"identical": "altered", "AA": "AE", "0000": "B000"}


def broken_expectations(case: Case) -> Iterator[tuple[str, Case]]:
    """Yield the id of each check under `then`, and the case with exactly that expectation made wrong."""
    for path, value in leaves(case.then):
        check = ".".join(path)
        yield check, case.model_copy(update={"then": replaced(case.then, path, other(value))})


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every expectation: the path that is its check's id, and the literal (a tuple or status counts are one)."""
    if isinstance(node, BaseModel):
        for name in type(node).model_fields:
            value = getattr(node, name)
            if value is not None:
                yield from leaves(value, (*path, name))
    elif isinstance(node, dict) and path[-1] not in _COUNTS:
        for name, value in node.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, node


def replaced(node: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    name, *rest = path
    if isinstance(node, dict):
        return node | {name: replaced(node[name], tuple(rest), value)}
    return node.model_copy(update={name: replaced(getattr(node, name), tuple(rest), value)})


def other(value: Any) -> Any:
    """Return a literal of the same kind that is not `value`."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "order.cancelled")
    if isinstance(value, dict):
        return {what: other(below) for what, below in value.items()} or {"another": 1}
    return _OTHER.get(value, "failed" if value != "failed" else "forwarded")
