"""What a document is made of: numbered sections of paragraphs, lists, tables and drawings, without any markup.

Texts that come from a site profile stand in `Code`, so that each writer escapes and shows them in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A value that is shown as it is: an AE title, a UID, a status."""

    text: str


Inline = str | Code | tuple["str | Code", ...]
"""A run of text."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: Inline


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without numbers."""

    entries: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title. Each row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]

    def __post_init__(self) -> None:
        """Raise `ValueError` for a row that does not fit: a statement with shifted cells would lie."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: {len(row)} cells in a row of {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing twice: as SVG (trusted markup), and as text in letters of one width."""

    title: str
    svg: str
    text: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The table of contents of the whole document."""


Block = Contents | Paragraph | Bullets | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A section, its blocks, and the sections in it."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Numbered:
    """A section in its place: `number` as 4.2.1, `depth` 1 for a chapter, and its captions as Table 4.2.1-1."""

    number: str
    depth: int
    section: Section

    @property
    def anchor(self) -> str:
        """The fragment by which the section is linked to."""
        return f"section-{self.number.replace('.', '-')}"

    def captioned(self) -> Iterator[tuple[Block, str]]:
        """Yield each block with its caption; tables and figures are counted apart, paragraphs have none."""
        counts = {Table: 0, Figure: 0}
        for block in self.section.blocks:
            if isinstance(block, (Table, Figure)):
                kind = type(block)
                counts[kind] += 1
                yield block, f"{kind.__name__} {self.number}-{counts[kind]}. {block.title}"
            else:
                yield block, ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: what stands on its cover, and its chapters."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, Inline], ...]
    notice: str
    chapters: tuple[Section, ...]

    def numbered(self) -> Iterator[Numbered]:
        """Yield every section in reading order."""
        return _numbered(self.chapters, "")


def _numbered(sections: Sequence[Section], prefix: str) -> Iterator[Numbered]:
    for place, section in enumerate(sections, 1):
        number = f"{prefix}{place}"
        yield Numbered(number, number.count(".") + 1, section)
        yield from _numbered(section.sections, f"{number}.")
