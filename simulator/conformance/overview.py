"""The first chapter: what the gateway does on the network, on one page."""

from __future__ import annotations

from simulator.conformance import services
from simulator.conformance.document import Inline, Paragraph, Section, Table
from simulator.site import Site


def chapter(site: Site) -> Section:
    """Return the overview with its table of network services."""
    return Section(
        "Conformance Statement Overview",
        (
            Paragraph(
                "The gateway is a temporary storage-and-forward facility. It accepts studies from modalities and PACSs "
                "as Storage SCP and keeps them in its own file system; it compares each study with the order that came "
                "under its accession number by HL7; a study that matches goes on to the destinations of the site as "
                "Storage SCU, one that does not is held and told of with every reason."
            ),
            Table(
                "Network Services",
                ("SOP class", "User of service (SCU)", "Provider of service (SCP)"),
                tuple(_row(each) for each in services.of(site)),
            ),
            Paragraph("No media storage application profile is supported."),
        ),
    )


def _row(service: services.Service) -> tuple[Inline, ...]:
    return service.shown_name, _yes(service.scu), _yes(service.scp)


def _yes(whether: bool) -> str:
    return "Yes" if whether else "No"
