"""What a rule found: the id of a diagnosis, what it saw, and the bytes that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from simulator.certify.cards import Evidence, Level
from simulator.certify.seeing import Seen


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosis, found once. values: what its texts have in braces, beside what the scene itself says.

    level: where it weighs less than the catalogue has it; None for as much. told: what the gateway says, where nobody
    else could see it; it stands in place of what was got.
    """

    id: str
    values: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    level: Level | None = None
    told: str = ""


Rule = Callable[[Seen], Iterator[Finding]]
