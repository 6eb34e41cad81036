"""What is not taken: kept aside with the reason, told, logged. The peer's answer never fails for any of these."""

from __future__ import annotations

import logging
import sqlite3

from simulator.events import InstanceRefused
from simulator.gateway import header, statuses
from simulator.gateway.capacity import Capacity
from simulator.gateway.health import Health, explained
from simulator.gateway.index import Index
from simulator.gateway.steps import Refused
from simulator.gateway.store import Store
from simulator.rules import masking
from simulator.wire.association import Response, StoreRequest

_LOG = logging.getLogger(__name__)


class Refusals:
    """Notes refused instances, as far as the disk and the index allow."""

    def __init__(self, store: Store, index: Index, capacity: Capacity, health: Health) -> None:
        self._store = store
        self._index = index
        self._capacity = capacity
        self._health = health

    def note(self, refused: Refused) -> Response:
        """Keep aside what is refused, tell of it, and return what the peer is answered."""
        request, head, response = refused.request, refused.header, refused.response
        kept_as = self._keep_aside(refused) if refused.keep else ""
        event = InstanceRefused(
            observer="gateway",
            study_instance_uid=head.study_instance_uid if head else "",
            sop_instance_uid=request.sop_instance_uid,
            sop_class_uid=request.sop_class_uid,
            calling_ae_title=request.calling_ae_title,
            status=response.status_text,
            error_comment=response.error_comment,
            kept_as=kept_as,
        )
        try:
            self._index.add_event(event)
        except sqlite3.Error:  # the index has told its health itself
            _LOG.error("the history cannot tell of the next line")
        _LOG.warning(
            "%s from %s refused with %s: %s%s",
            masking.uid(request.sop_instance_uid),
            request.calling_ae_title,
            response.status_text,
            response.error_comment,
            "" if kept_as else "; it is not kept aside",
        )
        return response

    def unstorable(self, request: StoreRequest, error: OSError | sqlite3.Error) -> Refused:
        """Return how an instance is refused that the disk or the index did not take."""
        self._health.worse(*explained(error))
        response = statuses.OUT_OF_RESOURCES.response(explained(error)[1])
        return Refused(request, response, header.glance(request), keep=False)

    def _keep_aside(self, refused: Refused) -> str:
        request, response = refused.request, refused.response
        why = {
            "status": response.status_text,
            "comment": response.error_comment,
            "from": request.calling_ae_title,
            "sop_class_uid": request.sop_class_uid,
            "sop_instance_uid": request.sop_instance_uid,
            "transfer_syntax_uid": request.transfer_syntax_uid,
        }
        try:
            if not self._capacity.has_room(len(request.data_set)):
                return ""
            return self._store.keep_aside(request.data_set, ".dataset", why)
        except OSError as error:
            self._health.worse(*explained(error))
            return ""
