"""A mistake of a case that no single key shows; the questions that find them stand in `mistakes_*`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simulator.scenario.model import Case
from simulator.scenario.model_steps import Ending
from simulator.strict_yaml import Path_


class Mistake(NamedTuple):
    """What is wrong, where in the case, and what to do about it."""

    path: Path_
    message: str
    advice: str = ""


def endings(case: Case) -> Iterator[tuple[Path_, Ending]]:
    """Yield every step that ends the gateway and starts it again, with its path."""
    for _, path, step in case.steps:
        if step.ending is not None:
            yield ("when", *path, "restart" if step.restart is not None else "kill"), step.ending
