"""What both sides of an association want otherwise of pynetdicom."""

from __future__ import annotations

import socket

from pydicom.uid import UID
from pynetdicom import AE, _config, evt

from simulator.wire.terms import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

# Its standard logging decodes every PDU a second time; the project observes for itself.
_config.LOG_HANDLER_LEVEL = "none"


def new_ae(ae_title: str) -> AE:
    """Return an AE that tells peers which implementation it is."""
    ae = AE(ae_title=ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return ae


def send_without_delay(event: evt.Event) -> None:
    """Turn Nagle's algorithm off: with it on, each small instance waits for a delayed TCP acknowledgement."""
    wrapped = event.assoc.dul.socket
    if wrapped is not None and wrapped.socket is not None:
        wrapped.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
