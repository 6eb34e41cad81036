"""A result as one HTML file that needs nothing else: no script, no resource from anywhere, readable in print.

Every value is escaped by the template engine, and the page forbids itself to load anything (its Content Security
Policy), since a peer under test chooses some of the texts that it shows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from simulator.report import words
from simulator.report.model import Result

_TEMPLATE = "report.html.j2"


def render(result: Result) -> str:
    """Return the page."""
    return _template().render(result=result)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("simulator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.globals.update(words=words)
    return environment.get_template(_TEMPLATE)


def _printable(shown: Any) -> Any:
    """Make a plain text printable; what the template made itself (`Markup`, a kind of text) is so already."""
    return words.printable(shown) if type(shown) is str else shown
