"""A result as one HTML file that needs nothing else: no script, no resource from anywhere, readable in print.

Every value is escaped by the template engine, and the page forbids itself to load anything (its Content Security
Policy), since a peer under test chooses some of the texts that it shows.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from simulator.report import words
from simulator.report.model import Result
from simulator.scenario.plan import Picture

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the contact sheet, and the id of the case that sent it."""

    case: str
    picture: Picture

    @property
    def source(self) -> str:
        """The picture as a URL that needs nothing else (RFC 2397)."""
        return f"data:image/png;base64,{b64encode(self.picture.png).decode('ascii')}"


def render(result: Result, sheet: Sequence[Tile] = ()) -> str:
    """Return the page. sheet: pictures of what was sent."""
    return _template().render(result=result, sheet=sheet)


def environment(package: str) -> Environment:
    """Return an environment for the templates of a package: it escapes, forgives no name, and prints the invisible."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    made.globals.update(words=words)
    return made


@cache
def _template() -> Template:
    return environment("simulator.report").get_template(_TEMPLATE)


def _printable(shown: Any) -> Any:
    """Make a plain text printable; what the template made itself (`Markup`, a kind of text) is so already."""
    return words.printable(shown) if type(shown) is str else shown
