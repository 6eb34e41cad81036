"""The shape of a scenario file. Every key is explained in docs/scenarios.md; unknown keys are errors.

A story may have cases: `for_each` lists them (rows), or spans them (a mapping of lists, every combination). A
row's own `given`, `mutate`, `when` and `then` are laid over the story's. Expectations are literals: nothing
that the gateway could compute is computed here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from simulator.scenario.model_expectations import Then
from simulator.scenario.model_given import FaultSpec, Given
from simulator.scenario.model_steps import PlacedStep, Step, turns
from simulator.scenario.model_words import Name, Part, Strict

OVERLAID = ("given", "mutate", "fault", "when", "then")
"""The parts of a story over which a case's own are laid."""


class Case(Strict):
    """One case of a story, its overlays applied; this is what is planned, run and judged."""

    name: str = ""
    given: Given = Given()
    mutate: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict, description="By study: the lies its instances tell (`simulate list --lies`)."
    )
    fault: FaultSpec | tuple[FaultSpec, ...] = Field(
        default=(), description="What is done to one message between two peers, or to several."
    )
    when: tuple[Step, ...] = Field(min_length=1)
    then: Then

    @property
    def faults(self) -> tuple[FaultSpec, ...]:
        """What is done to messages."""
        return self.fault if isinstance(self.fault, tuple) else (self.fault,)

    @property
    def steps(self) -> tuple[PlacedStep, ...]:
        """Every step that is done by itself, those that are done together too, in the order of the file."""
        return tuple(placed for branches in self.turns for branch in branches for placed in branch)

    @property
    def turns(self) -> tuple[tuple[tuple[PlacedStep, ...], ...], ...]:
        """What is done in turn: branches that are done at the same time, each of steps in their order."""
        return turns(self.when)


class Row(Strict):
    """A row of `for_each`: the values that name the case, and what is laid over the story."""

    with_: dict[Name, str | int] = Field(alias="with", min_length=1)
    given: dict[str, Any] = Field(default_factory=dict)
    mutate: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    fault: dict[str, Any] | tuple[dict[str, Any], ...] = ()
    when: tuple[dict[str, Any], ...] = ()
    then: dict[str, Any] = Field(default_factory=dict)


class Story(Strict):
    """A scenario file as written."""

    scenario: Name
    title: str = Field(min_length=1)
    explain: str = Field(min_length=1, description="For a person: what it means, and whose screen to edit.")
    level: Literal["must", "should", "informational"] = "must"
    tags: tuple[Name, ...] = ()
    applies_to: tuple[Part, ...] = Field(
        default=(), description="What a facility must do for the story to be about it; nothing: it is about every one."
    )
    verifies: tuple[str, ...] = Field(min_length=1, description="Ids in fixtures/requirements.csv.")
    given: dict[str, Any] = Field(default_factory=dict)
    mutate: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    fault: dict[str, Any] | tuple[dict[str, Any], ...] = ()
    when: tuple[dict[str, Any], ...] = ()
    then: dict[str, Any] = Field(default_factory=dict)
    for_each: tuple[Row, ...] | dict[Name, tuple[str | int, ...]] = ()


class Scenario(Strict):
    """A scenario, loaded: its story and its cases."""

    name: str
    title: str
    explain: str
    level: Literal["must", "should", "informational"]
    tags: tuple[str, ...]
    applies_to: tuple[Part, ...]
    verifies: tuple[str, ...]
    cases: tuple[Case, ...]
    file: str
