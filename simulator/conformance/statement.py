"""Puts the conformance statement of one site together, in the order of the template in PS3.2 Annex A."""

from __future__ import annotations

from simulator import __version__
from simulator.conformance import annexes, configuration, introduction, networking, overview, security
from simulator.conformance.document import Code, Contents, Document, Paragraph, Section
from simulator.site import Site

_NOTICE = (
    "This is the statement of a reference implementation: the gateway that the conformance simulator runs in the place "
    "of the Hospital Authority's. It is not the statement of the Hospital Authority's own gateway, it is no "
    "certification (DICOM has none), and the software is not for diagnosis. Read side by side with the statement of "
    "another system it tells whether the two can be expected to talk; only a test tells whether they do."
)


def build(site: Site) -> Document:
    """Return the conformance statement of the gateway as `site` sets it up."""
    here = site.gateway
    return Document(
        title="DICOM Conformance Statement",
        subtitle="HA DICOM Gateway conformance simulator: reference gateway",
        facts=(
            ("Version", __version__),
            ("Site profile", Code(site.site)),
            ("AE title", Code(here.ae_title)),
            ("Host", Code(here.host)),
        ),
        notice=_NOTICE,
        chapters=(
            overview.chapter(site),
            Section("Table of Contents", (Contents(),)),
            introduction.chapter(),
            networking.chapter(site, configuration.sections(site)),
            Section("Media Interchange", (Paragraph("Media interchange is not supported."),)),
            annexes.character_sets(),
            security.chapter(site),
            annexes.chapter(site),
        ),
    )
