"""What several commands check on the command line."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from simulator.errors import UsageError
from simulator.site import AETitle


def check_ae_title(text: str) -> None:
    """Raise `UsageError` for what is no AE title (PS3.5 6.2)."""
    try:
        TypeAdapter(AETitle).validate_python(text)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"{text!r} is not an AE title", reason) from error
