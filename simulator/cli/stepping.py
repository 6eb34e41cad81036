"""`--step`: a run that waits for a person before each step, and tells what was seen since the step before."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, cast

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from simulator.errors import UsageError
from simulator.events import Event
from simulator.report import story, words
from simulator.scenario.history import History
from simulator.scenario.model_steps import PlacedStep, Step
from simulator.scenario.plan import Plan

_INDENT = 5


class Stepper:
    """Shows each step of a run before it is done, and goes on when a person presses Enter.

    `begun`, `seen` and `before` are those of a `simulator.scenario.run.Listener`.
    """

    def __init__(self, console: Console) -> None:
        """Begin. Raises `UsageError` where nobody is there to press Enter."""
        if not sys.stdin.isatty() and not cast(io.BufferedReader, sys.stdin.buffer).peek(1):
            raise UsageError("--step waits for Enter, and standard input is empty", "run it in a terminal")
        self._console = console
        self._planned: list[Event] = []
        self._since: list[Event] = []

    def begun(self, plan: Plan) -> None:
        """Say which case begins."""
        self._planned, self._since = [plan.event()], []
        self._print(Text(plan.id, "bold"))

    def seen(self, event: Event) -> None:
        """Keep an event for the next pause."""
        self._since.append(event)

    def before(self, turn: Sequence[Sequence[PlacedStep]]) -> None:
        """Tell what was seen, and what is done next; return at Enter. Raises `KeyboardInterrupt` at q or the end."""
        self.tell()
        for placed in (placed for branch in turn for placed in branch):
            self._print(Text.assemble((f"{placed.id:>3}  ", "bold cyan"), (_as_written(placed.step), "bold")))
            self._print(Text(_meaning(placed.step)), indent=_INDENT)
        at_once = "these at the same time" if len(turn) > 1 else "do it"
        self._console.print(Text(f"{'':{_INDENT}}Enter: {at_once} · q: end the run ", "yellow"), end="")
        answer = sys.stdin.readline()
        if not sys.stdin.isatty():
            self._console.print()
        if not answer or answer.strip().lower() == "q":
            raise KeyboardInterrupt

    def tell(self) -> None:
        """Print what was seen since it was told last."""
        since, self._since = self._since, []
        # The plan gives studies and orders their names.
        for _, observer, sentence in story.tell(History("", (*self._planned, *since)))[1:]:
            self._print(Text.assemble((f"{observer}: ", "dim"), words.printable(sentence)), indent=_INDENT)

    def _print(self, line: Text, indent: int = 0) -> None:
        """Print a line, all of it indented: wrapped on a terminal, whole anywhere else."""
        if self._console.is_terminal:
            self._console.print(Padding(line, (0, 0, 0, indent), expand=False))
        else:
            self._console.print(Text(" " * indent) + line, soft_wrap=True)


def _as_written(step: Step) -> str:
    """Return a step as its file has it, on one line."""
    return _flow(step.model_dump(mode="json", exclude_unset=True)).removeprefix("{").removesuffix("}")


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(part) for part in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meaning(step: Step) -> str:
    """Return what the language of scenarios says of such a step."""
    described = Step.model_fields[step.key].description
    return described or (getattr(step, step.key).__doc__ or "").partition("\n")[0]
