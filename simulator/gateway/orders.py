"""Takes HL7 messages: an order is kept and acknowledged, anything else is refused and kept aside.

Acknowledgement codes (HL7 v2, table 0008): AA accepted; AE the message was understood but its content is not
usable (no accession number, an unknown order control); AR it cannot be processed at all (not HL7, a type or
version that is not supported).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from simulator.errors import Hl7ParseError
from simulator.events import MessageRefused, OrderReceived, now
from simulator.gateway import audit
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.gateway.store import Store
from simulator.rules import accession
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.site import Site
from simulator.wire import hl7_messages
from simulator.wire.hl7_messages import Header, OrderMessage

_NEW, _CHANGE = frozenset(("NW", "SC")), frozenset(("XO",))
_CANCEL = frozenset(("CA", "OC"))
_PRODUCTION_OR_TEST = frozenset("DPT")  # MSH-11, HL7 table 0103

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    text: str


class Orders:
    """Answers HL7 messages. `changed` is called with the accession number of each order that was taken."""

    def __init__(self, site: Site, index: Index, store: Store, changed: Callable[[str], None]) -> None:
        self._site = site
        self._index = index
        self._store = store
        self._changed = changed

    def answer(self, raw: bytes) -> bytes:
        """Return the acknowledgement of one message; what is refused is kept aside first."""
        try:
            header: Header | None = hl7_messages.read_header(raw)
        except Hl7ParseError as error:
            return self._refuse(raw, None, _Refusal("AR", str(error)))
        assert header is not None
        taken = self._understand(raw, header)
        if isinstance(taken, _Refusal):
            return self._refuse(raw, header, taken)
        try:
            self._keep(taken, raw)
        except sqlite3.Error as error:
            _LOG.error("cannot keep message %s: %s", header.control_id, error)
            return self._acknowledge(header, "AE", f"the order cannot be kept: {error}")
        return self._acknowledge(header, "AA", "")

    def refuse_garbage(self, raw: bytes) -> None:
        """Keep aside bytes that came to the HL7 port and were no message; nobody waits for an answer."""
        self._refuse(raw, None, _Refusal("AR", "the bytes are not an MLLP block"))

    def _understand(self, raw: bytes, header: Header) -> OrderMessage | _Refusal:
        if header.message_type not in hl7_messages.VERSIONS:
            known = ", ".join(hl7_messages.VERSIONS)
            return _Refusal("AR", f"message type {header.message_type or '(none)'} is not supported; known: {known}")
        if header.version not in hl7_messages.READABLE_VERSIONS:
            return _Refusal("AR", f"HL7 version {header.version or '(none)'} is not supported")
        if header.processing_id not in _PRODUCTION_OR_TEST:
            return _Refusal("AR", f"MSH-11 processing id {header.processing_id or '(none)'} is not D, P or T")
        try:
            message = hl7_messages.read_order(raw)
        except Hl7ParseError as error:
            return _Refusal("AE", str(error))
        return self._complaint(message) or message

    def _complaint(self, message: OrderMessage) -> _Refusal | None:
        if message.order_control not in _NEW | _CHANGE | _CANCEL:
            return _Refusal("AE", f"order control {message.order_control or '(none)'} (ORC-1) is not NW, SC, XO or CA")
        reasons = accession.inspect(message.accession_number, self._site.accession_rules())
        if reasons:
            return _Refusal("AE", f"the order's accession number cannot be used: {', '.join(reasons)}")
        if not message.patient_id:
            return _Refusal("AE", "PID-3 is empty: an order without an HKID can match no study")
        return None

    def _keep(self, message: OrderMessage, raw: bytes) -> None:
        number = accession.canonical(message.accession_number)
        keys = MajorKeys(message.patient_id, message.patient_name, message.patient_birth_date, message.patient_sex)
        event = OrderReceived(
            observer="gateway",
            accession_number=number,
            message_control_id=message.control_id,
            message_type=message.message_type,
            order_control=message.order_control,
        )
        order = OrderKeys(number, keys, cancelled=message.order_control in _CANCEL)
        before, after = audit.changes(self._index.order(number), order, self._site.logs.mask)
        who = f"HL7 {message.sender}"
        act = Act("order", who, accession_number=number, why=message.order_control, before=before, after=after)
        self._index.put_order(order, raw.decode("latin-1"), event, act)  # a letter for each byte: nothing is lost
        self._changed(number)

    def _refuse(self, raw: bytes, header: Header | None, refusal: _Refusal) -> bytes:
        kept_as = ""
        try:
            kept_as = self._store.keep_aside(raw, ".hl7", {"code": refusal.code, "why": refusal.text})
        except OSError as error:  # the answer stays the same
            _LOG.error("cannot keep a refused message aside: %s", error)
        try:
            self._index.add_event(
                MessageRefused(
                    observer="gateway",
                    message_control_id=header.control_id if header else "",
                    code=refusal.code,
                    text=refusal.text,
                    kept_as=kept_as,
                )
            )
        except sqlite3.Error as error:
            _LOG.error("cannot tell of a refused message: %s", error)
        return self._acknowledge(header, refusal.code, refusal.text)

    @staticmethod
    def _acknowledge(header: Header | None, code: str, text: str) -> bytes:
        moment = now()
        sent_at = moment[:19].translate(str.maketrans("", "", "-:T"))
        control_id = f"ACK{moment[:26].translate(str.maketrans('', '', '-:T.'))}"[:20]
        return hl7_messages.build_acknowledgement(header, code, text, control_id, sent_at)
