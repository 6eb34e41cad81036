"""Numbers, captions, and values that would break what they stand in."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from simulator.conformance.document import Bullets, Code, Document, Figure, Paragraph, Section, Table
from simulator.conformance.render import render


def a_document(*chapters: Section) -> Document:
    return Document("Title", "Subtitle", (("AE title", Code("A|B`C<D>")),), "A notice.", chapters)


NESTED = a_document(
    Section("One", (Paragraph("p"), Table("T", ("a",), (("1",),)), Table("U", ("a",), ()), Figure("F", "<svg/>", "x"))),
    Section("Two", sections=(Section("Inner", (Table("V", ("a",), ()),), (Section("Innermost"),)),)),
)


def test_sections_tables_and_figures_are_numbered_in_reading_order() -> None:
    numbered = list(NESTED.numbered())
    assert [(each.number, each.depth) for each in numbered] == [("1", 1), ("2", 1), ("2.1", 2), ("2.1.1", 3)]
    assert numbered[3].anchor == "section-2-1-1"
    captions = [caption for each in numbered for _, caption in each.captioned() if caption]
    assert captions == ["Table 1-1. T", "Table 1-2. U", "Figure 1-1. F", "Table 2.1-1. V"]


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="'T': 1 cells in a row of 2 columns"):
        Table("T", ("a", "b"), (("1", "2"), ("1",)))


def test_markdown_keeps_what_a_value_says() -> None:
    table = Table("T", ("a", "b"), ((Code("A|B"), "x | y"), (Code("`"), "*z* <b> [l](m)")))
    text = render(a_document(Section("One", (table, Bullets(("1 # 2",))))), "md")
    assert r"| `A\|B` | x \| y |" in text
    assert r"| `` ` `` | \*z\* \<b\> \[l\](m) |" in text
    assert r"- 1 \# 2" in text
    assert r"| AE title | `` A\|B`C<D> `` |" in text


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html_shows_a_value_and_runs_none() -> None:
    evil = "<script>alert(1)</script>&amp;"
    page = _Cells()
    page.feed(render(a_document(Section(evil, (Table(evil, (evil,), ((Code(evil),),)), Paragraph(evil)))), "html"))
    assert "script" not in page.tags
    assert page.texts.count(evil) == 4  # heading, column, cell, paragraph
    assert f"Table 1-1. {evil}" in page.texts
    assert "A|B`C<D>" in page.texts
