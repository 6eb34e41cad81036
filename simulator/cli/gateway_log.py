"""The log of a gateway process: everything that reaches its error stream goes through one mask.

That is the gateway's own lines, those of libraries, warnings, and what an exception says that nobody caught: none of
it may name a patient (`rules.masking`).
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from simulator.errors import SimulatorError
from simulator.rules import masking
from simulator.site import Logs

_SILENT, _QUIET = ("pynetdicom", "uvicorn"), ("pydicom", "asyncio", "hl7")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN = "simulator"


class MaskedFormatter(logging.Formatter):
    """Formats a record, and masks what may identify a patient: in words of ours what looks like it, in those of
    others, and in an exception's, all that is quoted too.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line (and the traceback below it) of a record."""
        bare = {"exc_info": None, "exc_text": None, "stack_info": None, "args": _masked_errors(record.args)}
        plain = logging.makeLogRecord(record.__dict__ | bare)
        text = super().format(plain)
        own = record.name.partition(".")[0] == _OWN
        told = masking.line(text) if own else masking.foreign(text)
        if record.exc_info and record.exc_info[1] is not None:
            told = f"{told}\n{self.formatException(record.exc_info)}"
        return told

    def formatException(self, ei: Any) -> str:
        """Return a traceback whose frames stand as they are, and whose messages are masked."""
        text = super().formatException(ei)
        return "\n".join(_traceback_line(line) for line in text.splitlines())


def _masked_errors(values: Any) -> Any:
    """Return what fills in a line, with exceptions of other people's code put into masked words."""
    if not isinstance(values, tuple):
        return values
    return tuple(
        masking.foreign(str(value))
        if isinstance(value, Exception) and not isinstance(value, SimulatorError | OSError)
        else value
        for value in values
    )


def _traceback_line(line: str) -> str:
    """Mask a line of a traceback, but for the place of a frame, which holds nothing that was received."""
    return line if line.lstrip().startswith('File "') else masking.foreign(line)


def set_up(logs: Logs) -> None:
    """Send the log to the error stream as the site wants it. At `debug`, libraries speak as well."""
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(MaskedFormatter(_FORMAT) if logs.mask else logging.Formatter(_FORMAT))
    logging.basicConfig(level=logs.level.upper(), handlers=[shown], force=True)
    logging.captureWarnings(True)
    # But at debug the gateway says what matters, in its own words.
    levels = dict.fromkeys(_SILENT, logging.CRITICAL) | dict.fromkeys((*_QUIET, "py.warnings"), logging.ERROR)
    for library, level in levels.items():
        logging.getLogger(library).setLevel(logging.DEBUG if logs.level == "debug" else level)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, at: TracebackType | None) -> None:
    if error is not None and not isinstance(error, SimulatorError | KeyboardInterrupt):
        logging.getLogger(_OWN).critical("ended by an error of the gateway itself", exc_info=(kind, error, at))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
