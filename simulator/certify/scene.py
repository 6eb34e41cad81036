"""Everything that was seen during one test: what the diagnosis looks at, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from simulator.certify.declaration import Declaration, System
from simulator.events import Event
from simulator.wire.conversation import Conversation

Kind = Literal["preflight", "echo", "order", "study", "unmatched", "commitment", "receive"]
"""What a test is about."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test wants of whom, as the worksheet has it.

    system: whose test it is; None for one of the order system. The keys are those of the patient on the sheet: HKID
    without parentheses, name as DICOM PN (`CHAN^TAI MAN`), birth date `YYYYMMDD`, sex. Empty where the test has none.
    """

    test: str
    kind: Kind
    system: System | None = None
    accession_number: str = ""
    hkid: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    sop_class_uid: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One test, as it was seen.

    conversations: every connection, in the order in which they were opened, also those that are still open. captures:
    the file that holds each, by link and number. events: of the gateway, and of who of ours plays beside it. met:
    whether everything that the test expects was seen. seconds: since it began. moment: the present one (ISO 8601, UTC).
    """

    declared: Declaration
    wanted: Wanted
    conversations: tuple[Conversation, ...]
    events: tuple[Event, ...]
    met: bool
    seconds: float
    moment: str
    captures: Mapping[tuple[str, int], str] = field(default_factory=dict)
