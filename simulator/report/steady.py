"""What a report leaves out so that the same run, twice from one seed, gives the same report but for its times.

The free ports of this machine that a run was given differ each time, and tell nobody anything afterwards;
`history.jsonl` keeps them. A port that somebody chose, that of a real system, stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from simulator.events import RoleBound
from simulator.scenario.history import History

_ON_THIS_MACHINE = re.compile(r"(?<![\w.:])(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}\b")


@dataclass(frozen=True, slots=True)
class Steady:
    """Says what was seen in a case without what differs by chance. `chosen`: addresses whose ports stay."""

    chosen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, history: History) -> Steady:
        """Return what leaves the ports of the real systems of this case as they are."""
        return cls(frozenset(event.peer for event in history.of(RoleBound)))

    def said(self, content: Any) -> Any:
        """Return a sentence, or a value of JSON with such in it, as a report says it."""
        if isinstance(content, str):
            return _ON_THIS_MACHINE.sub(self._address, content)
        if isinstance(content, (list, tuple)):
            return [self.said(part) for part in content]
        if isinstance(content, dict):
            return {key: self.said(part) for key, part in content.items()}
        return content

    def _address(self, found: re.Match[str]) -> str:
        return found[0] if found[0] in self.chosen else found[0].rpartition(":")[0]
