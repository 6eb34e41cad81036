"""Every exception that the simulator raises on purpose, in one tree.

Bad *data* (a malformed accession number, a study without an order) is a value and never raises; see
`simulator.rules`. An exception means that the person who called made a mistake, that a peer broke its
protocol, or that the simulator itself failed. Those three never share a type:

| step of a run          | may raise                                         | exit code |
|------------------------|---------------------------------------------------|-----------|
| read the command line  | `UsageError`                                      | 2         |
| load scenario, site    | `LoadError` (file:line:column for each problem)   | 2         |
| plan                   | `LoadError` (a story that cannot be told)         | 2         |
| start gateway, actors  | `StartError` (port in use, gateway did not start) | 3         |
| stop the gateway       | `StopError` (its index could not be written)      | 3         |
| talk to a peer         | `PeerError` (an observation: recorded, then judged) | -       |
| run a step             | `HarnessError` (ours: charged to nobody else)     | 3         |
| judge, report          | `HarnessError`                                    | 3         |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class SimulatorError(Exception):
    """Root of the tree. `hint` says what the reader can do about it, or is empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(SimulatorError):
    """The command line asks for something that does not exist or cannot be combined (exit code 2)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a scenario or site file. Lines and columns count from 1; 0 when unknown."""

    file: str
    line: int
    column: int
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        advice = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}: {self.message}{advice}"


class LoadError(SimulatorError):
    """A scenario or site file does not load; carries every problem found in it (exit code 2)."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

    @classmethod
    def of(cls, file: Path | str, message: str, suggestion: str = "") -> LoadError:
        """Build the error for a file as a whole (it cannot be read, it is empty)."""
        return cls([Problem(str(file), 0, 0, message, suggestion)])


class StartError(SimulatorError):
    """A gateway or actor could not start: a port in use, a folder that cannot be written (exit code 3)."""


class StopError(SimulatorError):
    """A gateway stopped while something was wrong that may have cost it what came last (exit code 3)."""


class HarnessError(SimulatorError):
    """The harness itself failed; never charged to the system under test (exit code 3)."""


class PeerError(SimulatorError):
    """A peer refused, vanished or broke its protocol; the message says which, with the values seen."""


class PeerUnreachable(PeerError):
    """No TCP connection: refused, no route, or no answer in time."""


class PeerRefused(PeerError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 9.3.4).

    `result`, `source` and `reason` are the three fields of the PDU as received.
    """

    def __init__(self, message: str, result: int, source: int, reason: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.reason = reason


class PeerAborted(PeerError):
    """The association ended without a release: A-ABORT, or the connection closed."""


class PeerSilent(PeerError):
    """No answer to a DIMSE or HL7 message within the time-out."""


class ContextNotAccepted(PeerError):
    """The peer accepted no presentation context for this SOP class and transfer syntax (PS3.8 9.3.3.2).

    `answers`, where it accepted none at all: how it answered each context that was proposed, in order.
    """

    def __init__(self, message: str, answers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.answers = answers


class ActRefused(PeerError):
    """A gateway did not do what its operator asked; `code` is the stable id of why, the message its words."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotDicom(SimulatorError):
    """A file or byte string is not a DICOM data set; the message says where reading stopped."""


class Hl7ParseError(SimulatorError):
    """An HL7 v2 message cannot be parsed; the message says at which segment.

    `where` is the segment or field (`PID`, `PID-3`), empty when there is none to name; `condition` is the error
    condition code of HL7 table 0357.
    """

    def __init__(self, message: str, *, where: str = "", condition: int = 207) -> None:
        super().__init__(message)
        self.where = where
        self.condition = condition
