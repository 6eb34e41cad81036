"""`simulate`: one file a command. Exit codes: 0 passed, 1 failed, 2 bad usage or input, 3 inconclusive or our error."""

from __future__ import annotations

import sys

from simulator.cli.app import app
from simulator.cli.terminal import complain
from simulator.errors import LoadError, PeerError, SimulatorError, UsageError


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app()
    except SimulatorError as error:
        complain(error)
        sys.exit(exit_code(error))
    except Exception:  # noqa: BLE001 - a mistake of ours must not look like a failed test
        sys.excepthook(*sys.exc_info())  # a gateway's own masks what it says
        sys.exit(3)


def exit_code(error: SimulatorError) -> int:
    """Return the exit code for an error that ended a command."""
    if isinstance(error, (UsageError, LoadError)):
        return 2
    return 1 if isinstance(error, PeerError) else 3
