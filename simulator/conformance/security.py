"""Security: TLS, who may open an association, and what the gateway does about data that mean harm."""

from __future__ import annotations

from simulator.conformance.document import Bullets, Code, Inline, Paragraph, Section, Table
from simulator.site import Site, Tls
from simulator.wire import tls


def chapter(site: Site) -> Section:
    """Return the chapter."""
    return Section(
        "Security",
        sections=(
            Section("Security Profiles", _profiles(site.gateway.tls)),
            Section("Association Level Security", (_association(site),)),
            Section("Application Level Security", (_application(site),)),
        ),
    )


def _profiles(own: Tls | None) -> tuple[Paragraph | Bullets | Table, ...]:
    return (
        Paragraph(
            "The gateway supports the Non-Downgrading BCP 195 TLS Secure Transport Connection Profile (PS3.15 B.10), "
            "as SCP and SCU."
        ),
        Table("TLS", ("Parameter", "Value"), (*_parameters(), *_at_this_site(own))),
    )


def _parameters() -> tuple[tuple[Inline, ...], ...]:
    suites = [Code(name) for name in tls.CIPHERS.split(":")]
    listed: list[str | Code] = []
    for suite in suites:
        listed += [", ", suite]
    return (
        ("Versions", "TLS 1.2 and 1.3"),
        ("Cipher suites of TLS 1.2, by the names of OpenSSL", tuple(listed[1:])),
        ("Cipher suites of TLS 1.3", "those of the TLS library, all authenticated"),
        (
            "Certificate of an SCP, as SCU",
            "must come from a CA that the site names, and bear the name of the destination",
        ),
    )


def _at_this_site(own: Tls | None) -> tuple[tuple[Inline, ...], ...]:
    if own is None:
        return (("At this site", "TLS is off."),)
    wanted = {"none": "is not asked for", "required": "must come from a CA that the site names"}
    return (
        ("Port at this site", "none: TLS for sending alone" if own.port == "off" else str(own.port)),
        ("Certificate of an SCU, as SCP, at this site", wanted[own.client_certificates]),
    )


def _association(site: Site) -> Bullets:
    any_one = site.callers == "any"
    callers = (
        "Any calling AE title is accepted."
        if any_one
        else "Only calling AE titles that the site profile names are accepted, from their addresses where it has any."
    )
    return Bullets(
        (
            "An association is rejected when its called AE title is not that of the gateway.",
            callers,
            "A gateway that listens beyond loopback must name its callers, or be told to be promiscuous; else it does "
            "not start.",
            "Padding of AE titles with NUL is accepted, and logged.",
            "Every association that is rejected or broken off is an event and a line in the log, with its peer.",
        )
    )


def _application(site: Site) -> Bullets:
    return Bullets(
        (
            "The HTTP API listens on loopback alone, whatever the site profile says.",
            "Files are named by digests of UIDs: nothing that stands in a data set becomes a path.",
            "What an operator rules is kept in an append-only audit log: who, when, before, after.",
            "Names, HKIDs and dates of birth are masked in the logs."
            if site.logs.mask
            else "Names, HKIDs and dates of birth stand in the logs as they came: masking is off at this site.",
        )
    )
