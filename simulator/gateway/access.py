"""Who may open an association, and what is said of who may not: the site's rules, PS3.8's codes."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from simulator.events import AssociationRejected, ConnectionBroken, Event
from simulator.site import Caller, Destination, Site
from simulator.wire import tls
from simulator.wire.association import TimeOuts
from simulator.wire.incidents import REJECT_REASONS, AssociationRequest, Incident, Rejection, hexadecimal, rejection

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1

_LOG = logging.getLogger(__name__)


def admit(asked: AssociationRequest, site: Site) -> Rejection | None:
    """Return how an association is rejected, or None when it is accepted (PS3.8 9.3.4, table 9-21)."""
    if asked.application_context != APPLICATION_CONTEXT:
        words = f"application context {asked.application_context!r}; DICOM's is {APPLICATION_CONTEXT}"
        return rejection("application-context", words)
    if asked.called_ae_title != site.gateway.ae_title:
        words = f"it called {_title(asked.called_ae_title, asked.called_bytes)}; this is {site.gateway.ae_title!r}"
        return rejection("called-ae-title", words + _case_words(asked.called_ae_title, site.gateway.ae_title))
    return _caller(asked, site) or _room(asked, site)


def _caller(asked: AssociationRequest, site: Site) -> Rejection | None:
    if site.callers == "any":
        return None
    known = [caller for caller in site.callers if caller.ae_title == asked.calling_ae_title]
    if not known:
        title = _title(asked.calling_ae_title, asked.calling_bytes)
        return rejection("calling-ae-title", f"{title} is not among the site's callers")
    if not any(caller.calls_from(asked.address) for caller in known):
        listed = ", ".join(network for caller in known for network in caller.addresses)
        words = f"{asked.calling_ae_title!r} calls from {asked.address}; the site lists {listed}"
        return rejection("address", words)
    return None


def _room(asked: AssociationRequest, site: Site) -> Rejection | None:
    limit = site.gateway.maximum_associations
    if asked.open_associations < limit:
        return None
    words = f"{asked.open_associations} associations are open already, and the site allows {limit}"
    return rejection("maximum-associations", words)


def _title(title: str, padded: bytes) -> str:
    """Return an AE title in words, with its bytes where they are not plain characters and spaces."""
    odd = padded != title.encode("latin-1", "replace").ljust(16)
    return f"{title!r}" + (f" (bytes {hexadecimal(padded)})" if odd else "")


def _case_words(called: str, ours: str) -> str:
    return "; titles differ by upper and lower case alone" if called.lower() == ours.lower() else ""


class Gatekeeper:
    """Admits associations to one gateway, and notes every one that was refused or broken off."""

    def __init__(self, site: Site, note: Callable[[Event], object]) -> None:
        """`note` keeps an event; it may raise what SQLite raises."""
        self._site = site
        self._note = note

    def admit(self, asked: AssociationRequest) -> Rejection | None:
        """Return how the association is rejected, or None; odd padding of a title is logged."""
        for title, padded in (
            (asked.calling_ae_title, asked.calling_bytes),
            (asked.called_ae_title, asked.called_bytes),
        ):
            if b"\0" in padded:
                _LOG.info("%s:%s pads %r with NUL: %s", asked.address, asked.port, title, hexadecimal(padded))
        return admit(asked, self._site)

    def tell(self, incident: Incident) -> None:
        """Log what went wrong on a connection, and note the event."""
        _LOG.warning("%s", incident)
        try:
            self._note(_event(incident))
        except sqlite3.Error as error:  # the log has it
            _LOG.error("the event cannot be kept: %s", error)


def _event(incident: Incident) -> Event:
    refused = incident.rejection
    if refused is None:
        return ConnectionBroken(
            observer="gateway",
            peer=incident.peer,
            calling_ae_title=incident.calling_ae_title,
            called_ae_title=incident.called_ae_title,
            problem=incident.problem,
            words=incident.words,
            answer=incident.answer,
        )
    return AssociationRejected(
        observer="gateway",
        calling_ae_title=incident.calling_ae_title,
        called_ae_title=incident.called_ae_title,
        peer=incident.peer,
        result=refused.result,
        source=refused.source,
        reason=refused.reason,
        meaning=f"{REJECT_REASONS.get((refused.source, refused.reason), 'undefined')}: {refused.words}",
        field=refused.field,
    )


def time_outs(site: Site) -> TimeOuts:
    """Return the site's time-outs, as SCP and as SCU."""
    limits = site.gateway.time_outs
    return TimeOuts(acse=limits.acse, dimse=limits.dimse, pdu=limits.pdu, idle=limits.idle)


def credentials(site: Site, remote: Destination | Caller) -> tls.Credentials | None:
    """Return with what TLS a remote AE is called; None: without TLS."""
    own = site.gateway.tls
    if not remote.tls or own is None:
        return None
    return tls.Credentials(own.certificate, own.key, own.ca, remote.certificate_name)


def acceptor_credentials(site: Site) -> tls.Credentials | None:
    """Return with what TLS the gateway listens; None: without TLS."""
    own = site.gateway.tls
    if own is None or own.port == "off":
        return None
    return tls.Credentials(own.certificate, own.key, own.ca)
