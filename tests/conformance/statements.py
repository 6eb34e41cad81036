"""Reads a conformance statement as a person does: by its headings and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.conformance.document import Code, Document, Inline, Table


def plain(text: Inline) -> str:
    """Return a run of text without its marks."""
    runs = text if isinstance(text, tuple) else (text,)
    return "".join(run.text if isinstance(run, Code) else run for run in runs)


def tables(document: Document, title: str) -> list[list[Mapping[str, str]]]:
    """Return the rows of every table of that title, each by its columns."""
    found = [
        block
        for place in document.numbered()
        for block in place.section.blocks
        if isinstance(block, Table) and block.title == title
    ]
    assert found, f"no table {title!r}"
    return [[dict(zip(each.columns, map(plain, row), strict=True)) for row in each.rows] for each in found]


def only(document: Document, title: str) -> Sequence[Mapping[str, str]]:
    """Return the rows of the one table of that title."""
    (rows,) = tables(document, title)
    return rows
