"""Writes a document as Markdown, or as one HTML page that needs nothing else and prints on A4."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from simulator.conformance.document import Code, Document, Inline, Table

Format = Literal["md", "html"]

_WHOLE = re.compile(r"[0-9.]+|\([0-9A-F]{4},[0-9A-F]{4}\)|[0-9A-F]{4}")
_PROSE = 30  # letters of a cell, on average, from which a column is one to read
# What Markdown would take for its own, in a text that is not its.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def render(document: Document, form: Format) -> str:
    """Return the document in one of the two forms, ending in a newline."""
    environment = _environments()[form]
    return environment.get_template(f"statement.{form}.j2").render(document=document).rstrip("\n") + "\n"


@cache
def _environments() -> dict[Format, Environment]:
    return {"md": _environment(_markdown), "html": _environment(_html)}


def _environment(inline: Callable[[Inline], Markup]) -> Environment:
    environment = Environment(
        loader=PackageLoader("simulator.conformance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    environment.filters["drawing"] = Markup  # our own, whose texts were escaped as they were drawn
    environment.filters["prose"] = _is_prose
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


def _is_prose(table: Table) -> bool:
    """Tell whether the last column of a table wants more room than the others."""
    last = ["".join(map(_plain, _runs(row[-1]))) for row in table.rows]
    return len(table.columns) > 3 and sum(map(len, last)) > _PROSE * len(last)


def _plain(run: str | Code) -> str:
    return run.text if isinstance(run, Code) else run


def _runs(text: Inline) -> tuple[str | Code, ...]:
    return text if isinstance(text, tuple) else (text,)


def _html(text: Inline) -> Markup:
    return Markup("").join(_spanned(run.text) if isinstance(run, Code) else escape(run) for run in _runs(text))


def _spanned(text: str) -> Markup:
    """Return `text` as a code span; a UID, a tag or a status is not broken over lines, a path after its dots."""
    if _WHOLE.fullmatch(text):
        return Markup('<code class="whole">{}</code>').format(text)
    return Markup("<code>{}</code>").format(Markup(".<wbr>").join(text.split(".")))


def _markdown(text: Inline) -> Markup:
    runs = (_fenced(run.text) if isinstance(run, Code) else _MARKS.sub(r"\\\1", run) for run in _runs(text))
    return Markup("".join(runs))  # noqa: S704 - not HTML: what Markdown would take for markup is escaped by _MARKS


def _fenced(text: str) -> str:
    """Return `text` as a code span; its fence is longer than any row of backticks in it, a bar ends no table cell."""
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text or not text.strip() else ""
    return f"{ticks}{space}{text.replace('|', chr(92) + '|')}{space}{ticks}"
