"""The gateway as SCU: sends a matched study to every destination, only what each still lacks.

One association for the study; instances keep their encoding, so each presentation context proposes the one
transfer syntax in which its instances are held.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from simulator.errors import ContextNotAccepted, NotDicom, PeerError
from simulator.events import InstanceForwarded
from simulator.gateway import access
from simulator.gateway.acts import Correction
from simulator.gateway.correction import Copy
from simulator.gateway.index import Index, InstanceRow
from simulator.gateway.store import Store
from simulator.site import Destination, Site
from simulator.wire import part10
from simulator.wire.association import Address, Association, Context

_LOG = logging.getLogger(__name__)


class Forwarder:
    """Sends studies out of the store; used from one thread at a time, but for `stop`."""

    def __init__(self, site: Site, index: Index, store: Store) -> None:
        self._site = site
        self._index = index
        self._store = store
        self._stopping = threading.Event()
        self._copy = Copy(None, site.gateway.ae_title)

    def stop(self) -> None:
        """Break off after the instance in hand, and wait for no destination any more."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: what failed since may have been given up, not refused."""
        return self._stopping.is_set()

    def forward(
        self,
        study_instance_uid: str,
        instances: Sequence[InstanceRow] | None = None,
        correction: Correction | None = None,
    ) -> tuple[str, ...]:
        """Send the study to every destination; return what failed, in words, empty when all was stored.

        `instances`: those of the study that were decided upon, and no other is sent; None: all that are held now.
        `correction`: what was decided with them.
        """
        rows = self._index.instances(study_instance_uid) if instances is None else instances
        self._copy = Copy(correction, self._site.gateway.ae_title)
        return tuple(
            problem
            for destination in self._site.forwarding.destinations
            if (problem := self._deliver(study_instance_uid, rows, destination))
        )

    def _deliver(self, study_instance_uid: str, rows: Sequence[InstanceRow], destination: Destination) -> str:
        """Try the destination as often as the site says; return the last problem, empty when none is left."""
        problem = ""
        wait = self._site.forwarding.retry_after
        for attempt in range(self._site.forwarding.attempts):
            if attempt and self._stopping.wait(wait * 2 ** (attempt - 1)):
                return problem
            problem = self._send_missing(study_instance_uid, rows, destination)
            if not problem:
                return ""
            _LOG.warning("forwarding %s to %s: %s", study_instance_uid, destination.ae_title, problem)
        return problem

    def _send_missing(self, study_instance_uid: str, rows: Sequence[InstanceRow], destination: Destination) -> str:
        delivered = self._index.delivered(study_instance_uid, destination.ae_title)
        missing = [row for row in rows if row.sop_instance_uid not in delivered]
        if not missing:
            return ""
        try:
            with self._associate(destination, _contexts(missing)) as association:
                failed = sum(
                    self._stopping.is_set() or not self._send(association, row, destination) for row in missing
                )
        except PeerError as error:
            return str(error)
        return f"{failed} of {len(missing)} instances were not stored" if failed else ""

    def _associate(self, destination: Destination, contexts: Sequence[Context]) -> Association:
        peer = Address(destination.ae_title, destination.host, destination.port)
        limits, secured = access.time_outs(self._site), access.credentials(self._site, destination)
        return Association.request(self._site.gateway.ae_title, peer, contexts, limits, tls=secured)

    def _send(self, association: Association, row: InstanceRow, destination: Destination) -> bool:
        """Send one instance; note and return whether the destination stored it (Bxxx counts as stored)."""
        try:
            held = part10.read(self._store.read(row.file))
            response = association.store(self._copy.as_sent(held, row.calling_ae_title))
        except (ContextNotAccepted, NotDicom, OSError) as error:
            _LOG.warning("instance %s is not sent: %s", row.sop_instance_uid, error)
            return False
        event = InstanceForwarded(
            observer="gateway",
            study_instance_uid=row.study_instance_uid,
            sop_instance_uid=row.sop_instance_uid,
            destination=destination.ae_title,
            status=response.status_text,
        )
        if response.stored:
            self._index.add_delivery(row.sop_instance_uid, destination.ae_title, response.status_text, event)
        else:
            self._index.add_event(event)
        return response.stored


def _contexts(rows: Sequence[InstanceRow]) -> list[Context]:
    """Return a context for each SOP class and transfer syntax among the instances."""
    pairs = dict.fromkeys((row.sop_class_uid, row.transfer_syntax_uid) for row in rows)
    return [Context(sop_class_uid, (syntax,)) for sop_class_uid, syntax in pairs]
