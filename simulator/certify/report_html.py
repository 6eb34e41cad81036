"""A session's report as one HTML file that needs nothing else: for a wide screen, a telephone, paper, and the dark.

Every value is escaped by the template engine, and the page forbids itself to load anything: a peer under test, and who
writes notes, choose many of the texts on it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache

from jinja2 import Template

from simulator.certify import hexdump, report_words
from simulator.certify.outcome import SessionOutcome
from simulator.report.html import environment


def render(
    outcome: SessionOutcome, *, masked: bool, pictures: Mapping[str, bytes] | None = None, key_fingerprint: str = ""
) -> str:
    """Return the page of an outcome, which is shown as it is.

    masked: whether it went through `masked.outcome`, which is said at the head. pictures: PNG by the name that the
    outcome has for it. key_fingerprint: of the key that signs the evidence bundle.
    """
    sources = {name: _source(png) for name, png in (pictures or {}).items()}
    return _template().render(outcome=outcome, masked=masked, sources=sources, key_fingerprint=key_fingerprint)


def _source(png: bytes) -> str:
    """Return a picture as a URL that needs nothing else (RFC 2397)."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


@cache
def _template() -> Template:
    made = environment("simulator.certify")
    made.globals.update(say=report_words, hexdump=hexdump)
    return made.get_template("report.html.j2")
